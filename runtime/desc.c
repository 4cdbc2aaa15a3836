/* desc.c - kernel descriptors: check, copy, encode, decode.
 *
 * Encoded: little-endian u32 fields in the order of the struct; a text is its length and its bytes. */
#include "runtime/desc.h"
#include "base/scalar.h"

#include <stdlib.h>
#include <string.h>

static bool good_text(const char *text)
{
    return text && strnlen(text, KD_DESC_MAX_NAME_BYTES + 1) <= KD_DESC_MAX_NAME_BYTES;
}

static bool good_name(const char *name)
{
    return good_text(name) && name[0];
}

/* Descriptors of the CPU may leave them out. */
static const char *build_flags(const kd_kernel_desc *desc)
{
    return desc->build_flags ? desc->build_flags : "";
}

static kd_status check_arg(const kd_kernel_arg *arg, uint32_t i, uint32_t *end, uint32_t size, kd_failure *out_why)
{
    if (!good_name(arg->name))
        return kd_fail(out_why, KD_ERR_DAMAGED, "the kernel descriptor has no name for argument %u", i);
    if ((unsigned)arg->type >= KD_N_SCALARS)
        return kd_fail(out_why, KD_ERR_DAMAGED, "the kernel descriptor gives argument '%s' the unknown type %u", arg->name,
                       (unsigned)arg->type);
    uint32_t want = arg->is_pointer ? 8 : kd_scalar_bytes(arg->type);
    if (arg->size_bytes != want || arg->offset_bytes % want || arg->offset_bytes < *end || arg->offset_bytes > size ||
        arg->size_bytes > size - arg->offset_bytes)
        return kd_fail(out_why, KD_ERR_DAMAGED, "the kernel descriptor puts argument '%s' (%u bytes) at %u of a struct of %u bytes",
                       arg->name, arg->size_bytes, arg->offset_bytes, size);
    if (arg->divisible_by == 0 || arg->divisible_by > 1u << 30)
        return kd_fail(out_why, KD_ERR_DAMAGED, "the kernel descriptor says that argument '%s' is divisible by %u", arg->name,
                       arg->divisible_by);
    *end = arg->offset_bytes + arg->size_bytes;
    return KD_OK;
}

static kd_status check_gpu(const kd_kernel_desc *desc, kd_failure *out_why)
{
    uint32_t lanes = desc->sub_group_size;
    if (desc->format == KD_CODE_SPIRV && (lanes == 0 || lanes > 64 || (lanes & (lanes - 1)) || desc->num_warps == 0 || desc->num_warps > 1024))
        return kd_fail(out_why, KD_ERR_DAMAGED, "the kernel descriptor has %u sub-groups of %u lanes", desc->num_warps, lanes);
    if (!good_text(build_flags(desc)))
        return kd_fail(out_why, KD_ERR_DAMAGED, "the kernel descriptor has build flags beyond the limits");
    if (desc->n_messages > KD_DESC_MAX_MESSAGES || (desc->n_messages && !desc->messages))
        return kd_fail(out_why, KD_ERR_DAMAGED, "the kernel descriptor has %u messages, beyond the limits", desc->n_messages);
    for (uint32_t i = 0; i < desc->n_messages; i++)
        if (!good_text(desc->messages[i]))
            return kd_fail(out_why, KD_ERR_DAMAGED, "the kernel descriptor has no text for message %u", i);
    return KD_OK;
}

kd_status kd_kernel_desc_check(const kd_kernel_desc *desc, kd_failure *out_why)
{
    if (!good_name(desc->name) || !good_name(desc->target))
        return kd_fail(out_why, KD_ERR_DAMAGED, "the kernel descriptor has no name or no target");
    if (desc->format != KD_CODE_ELF_X86_64 && desc->format != KD_CODE_SPIRV)
        return kd_fail(out_why, KD_ERR_DAMAGED, "the kernel descriptor has the unknown code format %u", (unsigned)desc->format);
    if (desc->n_args > KD_DESC_MAX_ARGS || desc->args_size_bytes > KD_DESC_MAX_ARGS_BYTES || (desc->n_args && !desc->args))
        return kd_fail(out_why, KD_ERR_DAMAGED, "the kernel descriptor has %u arguments of %u bytes, beyond the limits",
                       desc->n_args, desc->args_size_bytes);
    uint32_t end = 0;
    for (uint32_t i = 0; i < desc->n_args; i++) {
        kd_status status = check_arg(&desc->args[i], i, &end, desc->args_size_bytes, out_why);
        if (status)
            return status;
    }
    return check_gpu(desc, out_why);
}

/* ---- one block that holds a descriptor with its arrays and texts ---- */

typedef struct block {
    kd_kernel_desc desc;
    kd_kernel_arg *args;
    const char **messages;
    char *text;
} block;

/* With room for so many; for free(). */
static block *block_alloc(uint32_t n_args, uint32_t n_messages, size_t n_text)
{
    block *b = malloc(sizeof *b + n_args * sizeof *b->args + n_messages * sizeof *b->messages + n_text);
    if (b) {
        b->args = (kd_kernel_arg *)(b + 1);
        b->messages = (const char **)(b->args + n_args);
        b->text = (char *)(b->messages + n_messages);
    }
    return b;
}

static const char *put_text(block *b, const char *text, size_t length)
{
    char *at = b->text;
    memcpy(at, text, length);
    at[length] = '\0';
    b->text += length + 1;
    return at;
}

static const char *copy_text(block *b, const char *text)
{
    return put_text(b, text, strlen(text));
}

kd_kernel_desc *kd_kernel_desc_copy(const kd_kernel_desc *desc)
{
    size_t n_text = strlen(desc->name) + strlen(desc->target) + strlen(build_flags(desc)) + 3;
    for (uint32_t i = 0; i < desc->n_args; i++)
        n_text += strlen(desc->args[i].name) + 1;
    for (uint32_t i = 0; i < desc->n_messages; i++)
        n_text += strlen(desc->messages[i]) + 1;
    block *b = block_alloc(desc->n_args, desc->n_messages, n_text);
    if (!b)
        return NULL;
    b->desc = *desc;
    b->desc.args = b->args;
    b->desc.messages = b->messages;
    b->desc.name = copy_text(b, desc->name);
    b->desc.target = copy_text(b, desc->target);
    b->desc.build_flags = copy_text(b, build_flags(desc));
    for (uint32_t i = 0; i < desc->n_args; i++) {
        b->args[i] = desc->args[i];
        b->args[i].name = copy_text(b, desc->args[i].name);
    }
    for (uint32_t i = 0; i < desc->n_messages; i++)
        b->messages[i] = copy_text(b, desc->messages[i]);
    return &b->desc;
}

/* ---- bytes ---- */

static void put_u32(unsigned char **p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        *(*p)++ = (unsigned char)(value >> 8 * i);
}

static void write_text(unsigned char **p, const char *text)
{
    size_t n = strlen(text);
    put_u32(p, (uint32_t)n);
    memcpy(*p, text, n);
    *p += n;
}

enum { ARG_FIELDS = 6, DESC_FIELDS = 10, ARG_IS_POINTER = 1, ARG_IS_WRITTEN = 2, DESC_NEEDS_DISJOINT = 1 };

kd_status kd_kernel_desc_encode(const kd_kernel_desc *desc, unsigned char **out_bytes, size_t *out_n_bytes)
{
    kd_status status = kd_kernel_desc_check(desc, NULL);
    if (status)
        return status;
    size_t n = (DESC_FIELDS + 3) * 4 + strlen(desc->name) + strlen(desc->target) + strlen(build_flags(desc));
    for (uint32_t i = 0; i < desc->n_args; i++)
        n += ARG_FIELDS * 4 + strlen(desc->args[i].name);
    for (uint32_t i = 0; i < desc->n_messages; i++)
        n += 4 + strlen(desc->messages[i]);
    unsigned char *bytes = malloc(n), *p = bytes;
    if (!bytes)
        return KD_ERR_MEMORY;
    write_text(&p, desc->name);
    write_text(&p, desc->target);
    put_u32(&p, (uint32_t)desc->format);
    put_u32(&p, desc->n_args);
    put_u32(&p, desc->args_size_bytes);
    put_u32(&p, desc->scratch_bytes);
    put_u32(&p, desc->needs_disjoint ? DESC_NEEDS_DISJOINT : 0);
    put_u32(&p, desc->num_warps);
    put_u32(&p, desc->num_stages);
    put_u32(&p, desc->sub_group_size);
    put_u32(&p, desc->slm_bytes);
    write_text(&p, build_flags(desc));
    put_u32(&p, desc->n_messages);
    for (uint32_t i = 0; i < desc->n_args; i++) {
        const kd_kernel_arg *arg = &desc->args[i];
        write_text(&p, arg->name);
        put_u32(&p, (uint32_t)arg->type);
        put_u32(&p, arg->offset_bytes);
        put_u32(&p, arg->size_bytes);
        put_u32(&p, arg->divisible_by);
        put_u32(&p, (arg->is_pointer ? ARG_IS_POINTER : 0) | (arg->is_written ? ARG_IS_WRITTEN : 0));
    }
    for (uint32_t i = 0; i < desc->n_messages; i++)
        write_text(&p, desc->messages[i]);
    *out_bytes = bytes;
    *out_n_bytes = (size_t)(p - bytes);
    return KD_OK;
}

typedef struct cursor {
    const unsigned char *p;
    size_t left;
    bool bad; /* once set, everything reads as 0 or "" */
} cursor;

static uint32_t get_u32(cursor *c)
{
    if (c->bad || c->left < 4) {
        c->bad = true;
        return 0;
    }
    uint32_t value = c->p[0] | (uint32_t)c->p[1] << 8 | (uint32_t)c->p[2] << 16 | (uint32_t)c->p[3] << 24;
    c->p += 4;
    c->left -= 4;
    return value;
}

static const char *get_text(cursor *c, block *b)
{
    uint32_t n = get_u32(c);
    if (c->bad || n > KD_DESC_MAX_NAME_BYTES || n > c->left || memchr(c->p, '\0', n)) {
        c->bad = true;
        return "";
    }
    const char *text = put_text(b, (const char *)c->p, n);
    c->p += n;
    c->left -= n;
    return text;
}

static uint32_t get_flags(cursor *c, uint32_t known)
{
    uint32_t flags = get_u32(c);
    c->bad |= (flags & ~known) != 0;
    return flags;
}

static void decode_header(cursor *c, block *b)
{
    kd_kernel_desc *desc = &b->desc;
    desc->name = get_text(c, b);
    desc->target = get_text(c, b);
    desc->format = (kd_code_format)get_u32(c);
    desc->n_args = get_u32(c);
    desc->args_size_bytes = get_u32(c);
    desc->scratch_bytes = get_u32(c);
    desc->needs_disjoint = get_flags(c, DESC_NEEDS_DISJOINT) != 0;
    desc->num_warps = get_u32(c);
    desc->num_stages = get_u32(c);
    desc->sub_group_size = get_u32(c);
    desc->slm_bytes = get_u32(c);
    desc->build_flags = get_text(c, b);
    desc->n_messages = get_u32(c);
    desc->args = b->args;
    desc->messages = b->messages;
}

static void decode_arg(cursor *c, kd_kernel_arg *arg, block *b)
{
    arg->name = get_text(c, b);
    arg->type = (kd_scalar)get_u32(c);
    arg->offset_bytes = get_u32(c);
    arg->size_bytes = get_u32(c);
    arg->divisible_by = get_u32(c);
    uint32_t flags = get_flags(c, ARG_IS_POINTER | ARG_IS_WRITTEN);
    arg->is_pointer = (flags & ARG_IS_POINTER) != 0;
    arg->is_written = (flags & ARG_IS_WRITTEN) != 0;
}

static uint32_t at_most(size_t n, uint32_t limit)
{
    return n < limit ? (uint32_t)n : limit;
}

kd_status kd_kernel_desc_decode(const unsigned char *bytes, size_t n_bytes, kd_kernel_desc **out_desc)
{
    /* A text takes its length (4 bytes) and its bytes; in memory a NUL instead of the length: n_bytes are enough for all texts. */
    uint32_t most_args = at_most(n_bytes / (ARG_FIELDS * 4), KD_DESC_MAX_ARGS), most_messages = at_most(n_bytes / 4, KD_DESC_MAX_MESSAGES);
    block *b = block_alloc(most_args, most_messages, n_bytes);
    if (!b)
        return KD_ERR_MEMORY;
    cursor c = {bytes, n_bytes, false};
    decode_header(&c, b);
    if (b->desc.n_args > most_args || b->desc.n_messages > most_messages)
        c.bad = true;
    for (uint32_t i = 0; !c.bad && i < b->desc.n_args; i++)
        decode_arg(&c, &b->args[i], b);
    for (uint32_t i = 0; !c.bad && i < b->desc.n_messages; i++)
        b->messages[i] = get_text(&c, b);
    if (c.bad || c.left || kd_kernel_desc_check(&b->desc, NULL)) {
        free(b);
        return KD_ERR_DAMAGED;
    }
    *out_desc = &b->desc;
    return KD_OK;
}
