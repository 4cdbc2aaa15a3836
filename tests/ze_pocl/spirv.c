/* spirv.c - reads from a SPIR-V module what OpenCL does not tell: the parameters of a kernel, and the sub-group size that it requires. */
#include "ze_pocl.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAGIC = 0x07230203,
    OP_ENTRY_POINT = 15,
    OP_EXECUTION_MODE = 16,
    OP_TYPE_INT = 21,
    OP_TYPE_FLOAT = 22,
    OP_TYPE_VECTOR = 23,
    OP_TYPE_POINTER = 32,
    OP_FUNCTION = 54,
    OP_FUNCTION_PARAMETER = 55,
    OP_FUNCTION_END = 56,
    MODE_LOCAL_SIZE = 17,
    MODE_SUBGROUP_SIZE = 35,
    STORAGE_WORKGROUP = 4,
};

typedef struct type {
    bool is_pointer, is_local;
    uint32_t n_bytes;
} type;

static void read_mode(const uint32_t *op, uint32_t n, zp_entry *out)
{
    if (op[2] == MODE_LOCAL_SIZE && n >= 6)
        memcpy(out->local_size, op + 3, sizeof out->local_size);
    else if (op[2] == MODE_SUBGROUP_SIZE && n >= 4)
        out->sub_group_size = op[3];
}

static void read_type(const uint32_t *op, uint32_t n, type *types, uint32_t bound)
{
    uint32_t code = op[0] & 0xffff;
    if (n < 3 || op[1] >= bound)
        return;
    if (code == OP_TYPE_INT || code == OP_TYPE_FLOAT)
        types[op[1]].n_bytes = op[2] / 8;
    else if (code == OP_TYPE_VECTOR && n >= 4 && op[2] < bound)
        types[op[1]].n_bytes = types[op[2]].n_bytes * op[3];
    else if (code == OP_TYPE_POINTER)
        types[op[1]] = (type){.is_pointer = true, .is_local = op[2] == STORAGE_WORKGROUP, .n_bytes = 8};
}

bool zp_spirv_is_whole(const uint32_t *words, size_t n_words)
{
    size_t at = 5;
    while (at < n_words && words[at] >> 16 && words[at] >> 16 <= n_words - at)
        at += words[at] >> 16;
    return n_words > 5 && words[0] == MAGIC && at == n_words;
}

bool zp_spirv_entry(const uint32_t *words, size_t n_words, const char *name, zp_entry *out)
{
    *out = (zp_entry){0};
    if (n_words < 5 || words[0] != MAGIC || words[3] > 1u << 24)
        return false;
    uint32_t bound = words[3], entry = 0;
    bool inside = false, found = false;
    type *types = calloc(bound, sizeof *types);
    for (size_t at = 5; types && at < n_words;) {
        const uint32_t *op = words + at;
        uint32_t n = op[0] >> 16, code = op[0] & 0xffff;
        if (n == 0 || n > n_words - at)
            break;
        at += n;
        if (code == OP_ENTRY_POINT && n >= 4 && strncmp((const char *)(op + 3), name, (n - 3) * 4) == 0)
            entry = op[2];
        else if (code == OP_EXECUTION_MODE && n >= 3 && entry && op[1] == entry)
            read_mode(op, n, out);
        else if (code == OP_FUNCTION && n >= 5)
            found |= inside = entry && op[2] == entry;
        else if (code == OP_FUNCTION_END)
            inside = false;
        else if (code == OP_FUNCTION_PARAMETER && inside && n >= 3 && op[1] < bound && out->n_params < ZP_MAX_PARAMS) {
            out->params[out->n_params].is_pointer = types[op[1]].is_pointer;
            out->params[out->n_params].is_local = types[op[1]].is_local;
            out->params[out->n_params++].n_bytes = types[op[1]].n_bytes;
        } else
            read_type(op, n, types, bound);
    }
    free(types);
    return found;
}
