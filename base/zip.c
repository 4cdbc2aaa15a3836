/* zip.c - reads the directory at the end of a zip archive. Source: PKWARE's APPNOTE 6.3, sections 4.3 and 4.5.3 (zip64). */
#include "base/zip.h"

#include <stdint.h>

enum {
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR64_BYTES = 20,
    MAX_COMMENT_BYTES = 65535,
    FLAG_ENCRYPTED = 1,
    METHOD_STORED = 0,
    EXTRA_ZIP64 = 1,
};

static const uint32_t LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50, END64 = 0x06064b50, LOCATOR64 = 0x07064b50;

typedef struct archive {
    const unsigned char *bytes;
    size_t n_bytes;
    const char *name;
    kd_failure *why;
} archive;

static uint64_t number(const unsigned char *at, unsigned n_bytes)
{
    uint64_t value = 0;
    for (unsigned i = n_bytes; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

/* Whether so many bytes lie at an offset. */
static bool holds(const archive *a, uint64_t offset, uint64_t n_bytes)
{
    return offset <= a->n_bytes && n_bytes <= a->n_bytes - offset;
}

static bool has(const archive *a, uint64_t offset, uint64_t n_bytes, uint32_t signature)
{
    return holds(a, offset, n_bytes) && number(a->bytes + offset, 4) == signature;
}

static kd_status damaged(const archive *a, const char *what)
{
    return kd_fail(a->why, KD_ERR_DAMAGED, "%s: %s", a->name, what);
}

/* The directory: where it is, and how many files it lists. */
typedef struct directory {
    uint64_t offset, n_files;
} directory;

static kd_status find_directory(const archive *a, directory *out)
{
    uint64_t at = a->n_bytes;
    for (unsigned comment = 0; comment <= MAX_COMMENT_BYTES && at == a->n_bytes && END_BYTES + comment <= a->n_bytes; comment++) {
        uint64_t candidate = a->n_bytes - END_BYTES - comment;
        if (has(a, candidate, END_BYTES, END) && number(a->bytes + candidate + 20, 2) == comment)
            at = candidate;
    }
    if (at == a->n_bytes)
        return damaged(a, "the directory at the end of the archive is missing: the file is cut short, or no zip archive");
    *out = (directory){number(a->bytes + at + 16, 4), number(a->bytes + at + 10, 2)};
    if (at >= LOCATOR64_BYTES && has(a, at - LOCATOR64_BYTES, LOCATOR64_BYTES, LOCATOR64)) {
        uint64_t end64 = number(a->bytes + at - LOCATOR64_BYTES + 8, 8);
        if (!has(a, end64, END64_BYTES, END64))
            return damaged(a, "the directory of the archive is damaged");
        *out = (directory){number(a->bytes + end64 + 48, 8), number(a->bytes + end64 + 32, 8)};
    }
    return KD_OK;
}

/* What a record of the directory says; sizes of 4 GiB and more stand in an extra field. */
typedef struct record {
    uint64_t packed_bytes, n_bytes, offset;
} record;

static record read_record(const unsigned char *at, unsigned name_bytes, unsigned extra_bytes)
{
    record r = {number(at + 20, 4), number(at + 24, 4), number(at + 42, 4)};
    uint64_t *wide[] = {&r.n_bytes, &r.packed_bytes, &r.offset}; /* the order in the extra field */
    const unsigned char *extra = at + CENTRAL_BYTES + name_bytes, *end = extra + extra_bytes;
    while (end - extra >= 4) {
        const unsigned char *field = extra + 4, *field_end = field + number(extra + 2, 2);
        if (field_end > end)
            break;
        for (unsigned i = 0; i < 3 && number(extra, 2) == EXTRA_ZIP64; i++)
            if (*wide[i] == UINT32_MAX && field_end - field >= 8) {
                *wide[i] = number(field, 8);
                field += 8;
            }
        extra = field_end;
    }
    return r;
}

static kd_status read_file(const archive *a, uint64_t *at, kd_zip_file *out)
{
    if (!has(a, *at, CENTRAL_BYTES, CENTRAL))
        return damaged(a, "the directory of the archive is damaged");
    const unsigned char *c = a->bytes + *at;
    unsigned name_bytes = (unsigned)number(c + 28, 2), extra_bytes = (unsigned)number(c + 30, 2);
    uint64_t n_bytes = (uint64_t)CENTRAL_BYTES + name_bytes + extra_bytes + number(c + 32, 2);
    if (!holds(a, *at, n_bytes))
        return damaged(a, "the directory of the archive is damaged");
    record r = read_record(c, name_bytes, extra_bytes);
    out->name = (kd_str){(const char *)c + CENTRAL_BYTES, name_bytes};
    *at += n_bytes;
    if (!has(a, r.offset, LOCAL_BYTES, LOCAL))
        return kd_fail(a->why, KD_ERR_DAMAGED, "%s: the file '%.*s' is not where the directory says", a->name,
                       KD_STR_ARG(out->name));
    uint64_t data = r.offset + LOCAL_BYTES + number(a->bytes + r.offset + 26, 2) + number(a->bytes + r.offset + 28, 2);
    if (!holds(a, data, r.packed_bytes))
        return kd_fail(a->why, KD_ERR_DAMAGED, "%s: the file '%.*s' goes beyond the end of the archive", a->name,
                       KD_STR_ARG(out->name));
    bool is_plain = number(c + 10, 2) == METHOD_STORED && !(number(c + 8, 2) & FLAG_ENCRYPTED) && r.packed_bytes == r.n_bytes;
    out->data = is_plain ? a->bytes + data : NULL;
    out->n_bytes = (size_t)r.n_bytes;
    return KD_OK;
}

bool kd_zip_is(const void *data, size_t n_bytes)
{
    return n_bytes >= 4 && number(data, 4) == LOCAL;
}

kd_status kd_zip_open(kd_arena *arena, const char *name, const void *data, size_t n_bytes, kd_zip *out, kd_failure *out_why)
{
    archive a = {data, n_bytes, name, out_why};
    directory d = {0};
    kd_status status = find_directory(&a, &d);
    if (status)
        return status;
    if (!holds(&a, d.offset, 0) || d.n_files > (n_bytes - d.offset) / CENTRAL_BYTES)
        return damaged(&a, "the directory of the archive is damaged");
    kd_zip_file *files = kd_arena_array(arena, kd_zip_file, d.n_files);
    kd_zip zip = {files, (unsigned)d.n_files, kd_map_in(arena)};
    for (unsigned i = 0; i < zip.n_files; i++) {
        status = read_file(&a, &d.offset, &files[i]);
        if (status)
            return status;
        void **place = kd_map_at(&zip.by_name, files[i].name);
        if (*place)
            return kd_fail(out_why, KD_ERR_DAMAGED, "%s: the file '%.*s' is there twice", name, KD_STR_ARG(files[i].name));
        *place = &files[i];
    }
    *out = zip;
    return KD_OK;
}

const kd_zip_file *kd_zip_find(const kd_zip *zip, kd_str name)
{
    return kd_map_get(&zip->by_name, name);
}
