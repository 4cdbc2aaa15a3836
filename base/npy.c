/* npy.c - reads and writes .npy files.
 *
 *     "\x93NUMPY" major minor header_bytes header data
 *
 * header_bytes is 2 bytes in version 1 and 4 in versions 2 and 3. The header is a Python dictionary in text, padded with spaces so
 * that the data begin at a multiple of 64 bytes: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } */
#include "base/npy.h"
#include "base/file.h"
#include "base/scalar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the data of .npy files are taken as they are: this code needs a little-endian machine"
#endif

enum { PREFIX_BYTES = 12, MAX_HEADER_BYTES = 64 << 10, ALIGNMENT = 64 };

/* ---- the header: a small reader of Python literals ---- */

typedef struct header {
    char descr[16];
    bool has_descr, has_order, has_shape, fortran_order;
    unsigned n_dims;
    uint64_t shape[KD_NPY_MAX_DIMS];
} header;

typedef struct reader {
    const char *p, *end;
    const char *problem; /* set by the first failure */
    kd_status status;
} reader;

static bool fail(reader *r, kd_status status, const char *problem)
{
    if (!r->problem) {
        r->problem = problem;
        r->status = status;
    }
    return false;
}

static void skip_space(reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
}

static bool accept(reader *r, char c)
{
    skip_space(r);
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

static bool accept_word(reader *r, const char *word)
{
    skip_space(r);
    size_t n = strlen(word);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
        return false;
    r->p += n;
    return true;
}

/* 'text' or "text" without escapes, of less than n_out bytes. */
static bool read_string(reader *r, char *out, size_t n_out)
{
    skip_space(r);
    if (r->p == r->end || (*r->p != '\'' && *r->p != '"'))
        return false;
    char quote = *r->p++;
    size_t n = 0;
    while (r->p < r->end && *r->p != quote) {
        if (n + 1 >= n_out || *r->p == '\\' || (unsigned char)*r->p < ' ')
            return false;
        out[n++] = *r->p++;
    }
    if (r->p == r->end)
        return false;
    r->p++;
    out[n] = '\0';
    return true;
}

static bool read_shape(reader *r, header *h)
{
    if (!accept(r, '('))
        return fail(r, KD_ERR_DAMAGED, "its header has a shape that is not a tuple");
    for (bool need_comma = false; !accept(r, ')'); need_comma = true) {
        if (need_comma && !accept(r, ','))
            return fail(r, KD_ERR_DAMAGED, "its header has a shape that is not a tuple of numbers");
        if (need_comma && accept(r, ')'))
            break;
        skip_space(r);
        uint64_t extent = 0;
        const char *begin = r->p;
        for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++)
            if (__builtin_mul_overflow(extent, 10u, &extent) || __builtin_add_overflow(extent, (uint64_t)(*r->p - '0'), &extent))
                return fail(r, KD_ERR_DAMAGED, "its header has a shape beyond all bounds");
        if (r->p == begin)
            return fail(r, KD_ERR_DAMAGED, "its header has a shape that is not a tuple of numbers");
        if (r->p < r->end && *r->p == 'L') /* Python 2 wrote long integers so */
            r->p++;
        if (h->n_dims == KD_NPY_MAX_DIMS)
            return fail(r, KD_ERR_UNSUPPORTED, "it has more than 32 dimensions");
        h->shape[h->n_dims++] = extent;
    }
    return h->has_shape = true;
}

static bool read_descr(reader *r, header *h)
{
    skip_space(r);
    if (r->p < r->end && *r->p == '[')
        return fail(r, KD_ERR_UNSUPPORTED, "its elements are records (a structured dtype); save one field of them");
    if (!read_string(r, h->descr, sizeof h->descr))
        return fail(r, KD_ERR_DAMAGED, "its header has no readable 'descr'");
    return h->has_descr = true;
}

static bool read_order(reader *r, header *h)
{
    h->fortran_order = accept_word(r, "True");
    if (!h->fortran_order && !accept_word(r, "False"))
        return fail(r, KD_ERR_DAMAGED, "its header has a 'fortran_order' that is neither True nor False");
    return h->has_order = true;
}

static bool read_header(reader *r, header *h)
{
    if (!accept(r, '{'))
        return fail(r, KD_ERR_DAMAGED, "its header is not a dictionary");
    for (bool need_comma = false; !accept(r, '}'); need_comma = true) {
        if (need_comma && !accept(r, ','))
            return fail(r, KD_ERR_DAMAGED, "its header is not a dictionary of 'descr', 'fortran_order' and 'shape'");
        if (need_comma && accept(r, '}'))
            break;
        char key[16];
        if (!read_string(r, key, sizeof key) || !accept(r, ':'))
            return fail(r, KD_ERR_DAMAGED, "its header is not a dictionary of 'descr', 'fortran_order' and 'shape'");
        bool good = !strcmp(key, "descr") && !h->has_descr           ? read_descr(r, h)
                    : !strcmp(key, "fortran_order") && !h->has_order ? read_order(r, h)
                    : !strcmp(key, "shape") && !h->has_shape
                        ? read_shape(r, h)
                        : fail(r, KD_ERR_DAMAGED, "its header has a key besides 'descr', 'fortran_order' and 'shape'");
        if (!good)
            return false;
    }
    skip_space(r);
    if (r->p != r->end)
        return fail(r, KD_ERR_DAMAGED, "its header has text behind the dictionary");
    if (!h->has_descr || !h->has_order || !h->has_shape)
        return fail(r, KD_ERR_DAMAGED, "its header lacks 'descr', 'fortran_order' or 'shape'");
    return true;
}

/* ---- element types ---- */

static const struct type_row {
    char code[4]; /* without the byte order */
    kd_scalar type;
} TYPES[] = {
    {"b1", KD_I1},  {"i1", KD_I8},  {"i2", KD_I16}, {"i4", KD_I32}, {"i8", KD_I64}, {"u1", KD_U8},
    {"u2", KD_U16}, {"u4", KD_U32}, {"u8", KD_U64}, {"f2", KD_F16}, {"f4", KD_F32}, {"f8", KD_F64},
};

/* What a descr means. False, with nothing set: kdsl has no use for it. */
static bool find_type(const char *descr, kd_npy *out)
{
    const char *code = descr + (descr[0] && strchr("<>|=", descr[0]) ? 1 : 0);
    for (unsigned i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (!strcmp(code, TYPES[i].code)) {
            out->has_type = true;
            out->type = TYPES[i].type;
            out->item_bytes = kd_scalar_bytes(out->type);
            return true;
        }
    if (code[0] == 'V' && code[1] && strchr("1248", code[1]) && !code[2]) {
        out->has_type = false;
        out->item_bytes = (unsigned)(code[1] - '0');
        return true;
    }
    return false;
}

static kd_status describe_type(const char *name, const header *h, kd_npy *out, kd_failure *out_why)
{
    memcpy(out->descr, h->descr, sizeof out->descr);
    if (!find_type(h->descr, out))
        return kd_fail(out_why, KD_ERR_UNSUPPORTED,
                       "'%s' has elements of type '%s'%s; expected f2, f4, f8, i1 to i8, u1 to u8, b1 or raw V1, V2", name,
                       h->descr,
                       strchr(h->descr, 'O')   ? " (pickled Python objects)"
                       : strchr(h->descr, 'c') ? " (complex)"
                                               : "");
    if (h->descr[0] == '>' && out->item_bytes > 1)
        return kd_fail(out_why, KD_ERR_UNSUPPORTED, "'%s' is big-endian ('%s'); save it as little-endian: a.astype('<%s')", name,
                       h->descr, h->descr + 1);
    return KD_OK;
}

static kd_status describe_shape(const char *name, const header *h, kd_npy *out, kd_failure *out_why)
{
    uint64_t n_elems = 1;
    bool has_zero = false, overflow = false;
    out->n_dims = h->n_dims;
    for (unsigned i = 0; i < h->n_dims; i++) {
        out->shape[i] = h->shape[i];
        has_zero |= h->shape[i] == 0;
        overflow |= h->shape[i] > INT64_MAX || __builtin_mul_overflow(n_elems, h->shape[i], &n_elems);
    }
    out->n_elems = has_zero ? 0 : n_elems;
    uint64_t n_bytes;
    if ((overflow && !has_zero) || __builtin_mul_overflow(out->n_elems, (uint64_t)out->item_bytes, &n_bytes) ||
        n_bytes > PTRDIFF_MAX / 2)
        return kd_fail(out_why, KD_ERR_DAMAGED, "'%s' is damaged: its shape has more elements than memory has addresses", name);
    out->n_bytes = (size_t)n_bytes;
    return KD_OK;
}

static kd_status describe(const char *name, const char *text, size_t n_bytes, kd_npy *out, bool *fortran, kd_failure *out_why)
{
    header h = {.n_dims = 0};
    reader r = {.p = text, .end = text + n_bytes};
    if (!read_header(&r, &h))
        return kd_fail(out_why, r.status, r.status == KD_ERR_DAMAGED ? "'%s' is damaged: %s" : "'%s' cannot be used: %s", name,
                       r.problem);
    *fortran = h.fortran_order;
    kd_status status = describe_type(name, &h, out, out_why);
    return status ? status : describe_shape(name, &h, out, out_why);
}

/* ---- data ---- */

static void *data_alloc(size_t n_bytes)
{
    size_t padded = (n_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return aligned_alloc(ALIGNMENT, padded ? padded : ALIGNMENT);
}

/* dst in row-major order from src, whose first index runs fastest. */
static void copy_transposed(const kd_npy *npy, char *dst, const char *src)
{
    size_t item = npy->item_bytes, stride_bytes[KD_NPY_MAX_DIMS], at = 0;
    uint64_t index[KD_NPY_MAX_DIMS] = {0};
    for (unsigned d = 0; d < npy->n_dims; d++)
        stride_bytes[d] = d ? stride_bytes[d - 1] * (size_t)npy->shape[d - 1] : item;
    for (uint64_t i = 0; i < npy->n_elems; i++) {
        memcpy(dst, src + at, item);
        dst += item;
        for (unsigned d = npy->n_dims; d-- > 0;) { /* count up; the last index runs fastest */
            at += stride_bytes[d];
            if (++index[d] < npy->shape[d])
                break;
            at -= stride_bytes[d] * (size_t)npy->shape[d];
            index[d] = 0;
        }
    }
}

static kd_status make_row_major(const char *name, kd_npy *npy, kd_failure *out_why)
{
    unsigned n_long = 0; /* with fewer than two of these, both orders are the same */
    for (unsigned d = 0; d < npy->n_dims; d++)
        n_long += npy->shape[d] > 1;
    if (n_long < 2 || npy->n_elems == 0)
        return KD_OK;
    void *data = data_alloc(npy->n_bytes);
    if (!data)
        return kd_fail(out_why, KD_ERR_MEMORY, "no memory for the %zu bytes of '%s'", npy->n_bytes, name);
    copy_transposed(npy, data, npy->data);
    free(npy->data);
    npy->data = data;
    return KD_OK;
}

/* ---- reading ---- */

/* Where the bytes come from: a file, or memory (fd is -1). */
typedef struct input {
    int fd;
    const char *p;
    size_t left;       /* of the memory, or of a regular file */
    bool knows_length; /* left is known */
} input;

/* Reads up to n bytes; fewer only at the end. False: errno tells. */
static bool input_read(input *in, void *out, size_t n, size_t *out_got)
{
    size_t got = 0;
    if (in->fd < 0) {
        got = n < in->left ? n : in->left;
        if (got)
            memcpy(out, in->p, got);
        in->p += got;
    } else {
        while (got < n) {
            size_t ask = n - got < 1u << 30 ? n - got : 1u << 30;
            ssize_t done = read(in->fd, (char *)out + got, ask);
            if (done < 0 && errno == EINTR)
                continue;
            if (done < 0)
                return false;
            if (done == 0)
                break;
            got += (size_t)done;
        }
    }
    in->left -= in->knows_length ? (got < in->left ? got : in->left) : 0;
    *out_got = got;
    return true;
}

static kd_status read_exactly(input *in, const char *name, void *out, size_t n, kd_failure *out_why)
{
    size_t got;
    if (!input_read(in, out, n, &got))
        return kd_fail_errno(out_why, "cannot read '%s'", name);
    if (got < n)
        return kd_fail(out_why, KD_ERR_DAMAGED, "'%s' is damaged: it ends in the middle of its header", name);
    return KD_OK;
}

/* Finds where the header text is and how long. */
static kd_status read_prefix(input *in, const char *name, size_t *out_header_bytes, kd_failure *out_why)
{
    unsigned char prefix[PREFIX_BYTES] = {0};
    size_t got;
    if (!input_read(in, prefix, 10, &got))
        return kd_fail_errno(out_why, "cannot read '%s'", name);
    if (got < 6 || memcmp(prefix, "\x93NUMPY", 6) != 0) {
        bool zip = got >= 4 && !memcmp(prefix, "PK\3\4", 4);
        return kd_fail(out_why, KD_ERR_DAMAGED, "'%s' is not an .npy file%s", name,
                       zip        ? " but a zip archive (.npz?); save one array with numpy.save"
                       : got == 0 ? ": it is empty"
                                  : "");
    }
    if (got < 10)
        return kd_fail(out_why, KD_ERR_DAMAGED, "'%s' is damaged: it ends in the middle of its header", name);
    unsigned major = prefix[6];
    if (major < 1 || major > 3)
        return kd_fail(out_why, KD_ERR_UNSUPPORTED, "'%s' has .npy format version %u.%u; expected 1, 2 or 3", name, major,
                       (unsigned)prefix[7]);
    size_t n = prefix[8] | (size_t)prefix[9] << 8;
    if (major > 1) {
        kd_status status = read_exactly(in, name, prefix + 10, 2, out_why);
        if (status)
            return status;
        n |= (size_t)prefix[10] << 16 | (size_t)prefix[11] << 24;
    }
    if (n > MAX_HEADER_BYTES)
        return kd_fail(out_why, KD_ERR_DAMAGED, "'%s' is damaged: it claims a header of %zu bytes", name, n);
    *out_header_bytes = n;
    return KD_OK;
}

static kd_status read_data(input *in, const char *name, kd_npy *npy, kd_failure *out_why)
{
    if (in->knows_length && in->left < npy->n_bytes)
        return kd_fail(out_why, KD_ERR_DAMAGED, "'%s' is damaged: it has %zu bytes of data, but its shape and type ask for %zu",
                       name, in->left, npy->n_bytes);
    npy->data = data_alloc(npy->n_bytes);
    if (!npy->data)
        return kd_fail(out_why, KD_ERR_MEMORY, "no memory for the %zu bytes of '%s'", npy->n_bytes, name);
    size_t got;
    if (!input_read(in, npy->data, npy->n_bytes, &got))
        return kd_fail_errno(out_why, "cannot read '%s'", name);
    if (got < npy->n_bytes)
        return kd_fail(out_why, KD_ERR_DAMAGED, "'%s' is damaged: it has %zu bytes of data, but its shape and type ask for %zu",
                       name, got, npy->n_bytes);
    char more;
    if (!input_read(in, &more, 1, &got))
        return kd_fail_errno(out_why, "cannot read '%s'", name);
    if (got)
        return kd_fail(out_why, KD_ERR_DAMAGED,
                       "'%s' is damaged: it goes on behind the %zu bytes of data that its shape and type ask for", name,
                       npy->n_bytes);
    return KD_OK;
}

static kd_status read_array(input *in, const char *name, kd_npy *npy, kd_failure *out_why)
{
    size_t header_bytes = 0;
    kd_status status = read_prefix(in, name, &header_bytes, out_why);
    if (status)
        return status;
    char *text = malloc(header_bytes + 1);
    if (!text)
        return kd_fail(out_why, KD_ERR_MEMORY, "no memory for the header of '%s'", name);
    bool fortran = false;
    status = read_exactly(in, name, text, header_bytes, out_why);
    if (!status)
        status = describe(name, text, header_bytes, npy, &fortran, out_why);
    free(text);
    if (!status)
        status = read_data(in, name, npy, out_why);
    if (!status && fortran)
        status = make_row_major(name, npy, out_why);
    return status;
}

static kd_status read_from(input *in, const char *name, kd_npy *out, kd_failure *out_why)
{
    kd_npy npy = {.data = NULL};
    kd_status status = read_array(in, name, &npy, out_why);
    if (status)
        free(npy.data);
    else
        *out = npy;
    return status;
}

kd_status kd_npy_parse(const void *bytes, size_t n_bytes, const char *name, kd_npy *out, kd_failure *out_why)
{
    input in = {.fd = -1, .p = bytes, .left = n_bytes, .knows_length = true};
    return read_from(&in, name, out, out_why);
}

kd_status kd_npy_read(const char *path, kd_npy *out, kd_failure *out_why)
{
    input in = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    struct stat st;
    if (in.fd < 0)
        return kd_fail_errno(out_why, "cannot open '%s'", path);
    kd_status status;
    if (fstat(in.fd, &st))
        status = kd_fail_errno(out_why, "cannot read '%s'", path);
    else {
        in.knows_length = S_ISREG(st.st_mode);
        in.left = in.knows_length ? (size_t)st.st_size : 0;
        status = read_from(&in, path, out, out_why);
    }
    int saved = errno;
    close(in.fd);
    errno = saved;
    return status;
}

void kd_npy_release(kd_npy *npy)
{
    if (!npy)
        return;
    free(npy->data);
    *npy = (kd_npy){.data = NULL};
}

kd_status kd_npy_retype(kd_npy *npy, kd_scalar type, kd_failure *out_why)
{
    if (kd_scalar_bytes(type) != npy->item_bytes)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "elements of '%s' have %u byte%s, but %s has %u", npy->descr, npy->item_bytes,
                       npy->item_bytes == 1 ? "" : "s", kd_scalar_name(type), kd_scalar_bytes(type));
    npy->has_type = true;
    npy->type = type;
    return KD_OK;
}

/* ---- writing ---- */

static const char *code_of(kd_scalar type)
{
    for (unsigned i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (TYPES[i].type == type)
            return TYPES[i].code;
    return type == KD_BF16 ? "V2" : "u1"; /* u1: fp8 */
}

kd_status kd_npy_write(const char *path, kd_scalar type, unsigned n_dims, const uint64_t *shape, const void *data,
                       kd_failure *out_why)
{
    uint64_t n_bytes = kd_scalar_bytes(type);
    bool has_zero = false, overflow = false;
    for (unsigned d = 0; d < n_dims; d++) {
        has_zero |= shape[d] == 0;
        overflow |= __builtin_mul_overflow(n_bytes, shape[d], &n_bytes);
    }
    if (n_dims > KD_NPY_MAX_DIMS || (overflow && !has_zero) || (!has_zero && (n_bytes > PTRDIFF_MAX || !data)))
        return kd_fail(out_why, KD_ERR_ARGUMENT, "cannot write '%s': no such array fits in memory", path);
    char text[1024]; /* 32 extents of at most 20 digits fit */
    char order = kd_scalar_bytes(type) == 1 || type == KD_BF16 ? '|' : '<';
    int n =
        10 + snprintf(text + 10, sizeof text - 10, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", order, code_of(type));
    for (unsigned d = 0; d < n_dims; d++)
        n += snprintf(text + n, sizeof text - (size_t)n, d ? ", %llu" : "%llu", (unsigned long long)shape[d]);
    n += snprintf(text + n, sizeof text - (size_t)n, n_dims == 1 ? ",), }" : "), }");
    while ((n + 1) % ALIGNMENT)
        text[n++] = ' ';
    text[n++] = '\n';
    memcpy(text, "\x93NUMPY\1\0", 8);
    text[8] = (char)((n - 10) & 0xff);
    text[9] = (char)((n - 10) >> 8);
    kd_str parts[] = {{text, (size_t)n}, {data, has_zero ? 0 : (size_t)n_bytes}};
    return kd_file_write(&(kd_file_write_args){.path = path, .parts = parts, .n_parts = 2}, out_why);
}
