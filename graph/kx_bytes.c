/* kx_bytes.c - numbers and texts in a .kx file: little-endian, 8 bytes a number, a length before bytes. */
#include "graph/kx.h"

void kd_kx_put_u64(kd_strbuf *out, uint64_t number)
{
    kd_strbuf_append(out, (const char *)&number, sizeof number);
}

void kd_kx_put_bytes(kd_strbuf *out, const void *data, size_t n_bytes)
{
    kd_kx_put_u64(out, n_bytes);
    kd_strbuf_append(out, data, n_bytes);
}

void kd_kx_put_text(kd_strbuf *out, const char *text)
{
    kd_kx_put_u64(out, text != NULL);
    if (text)
        kd_kx_put_bytes(out, text, strlen(text));
}

uint64_t kd_kx_take_u64(kd_kx_reader *r)
{
    uint64_t number = 0;
    if (r->is_bad || (size_t)(r->end - r->at) < sizeof number) {
        r->is_bad = true;
        return 0;
    }
    memcpy(&number, r->at, sizeof number);
    r->at += sizeof number;
    return number;
}

unsigned kd_kx_take_count(kd_kx_reader *r, size_t least_bytes)
{
    uint64_t n = kd_kx_take_u64(r);
    if (n > (size_t)(r->end - r->at) / least_bytes || n > INT32_MAX) {
        r->is_bad = true;
        return 0;
    }
    return (unsigned)n;
}

const void *kd_kx_take_bytes(kd_kx_reader *r, size_t *out_n_bytes)
{
    *out_n_bytes = kd_kx_take_count(r, 1);
    const void *bytes = r->at;
    r->at += *out_n_bytes;
    return bytes;
}

const char *kd_kx_take_text(kd_kx_reader *r)
{
    size_t n;
    if (!kd_kx_take_u64(r))
        return NULL;
    const void *bytes = kd_kx_take_bytes(r, &n);
    return kd_arena_strndup(r->arena, bytes, n);
}
