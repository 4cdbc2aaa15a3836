/* constant.c - the elements of constants. */
#include "graph/constant.h"

#include "base/bug.h"
#include "base/float.h"
#include "base/scalar.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 2048 };

kd_gvalue *kd_graph_add_constant(kd_graph *graph, const char *name, const kd_tensor_type *type, kd_recipe recipe)
{
    kd_gvalue *value = kd_graph_add_value(graph, name, type);
    kd_recipe *own = kd_arena_new(graph->arena, kd_recipe);
    *own = recipe;
    value->recipe = own;
    kd_vec_push(graph->arena, &graph->inputs, value);
    return value;
}

bool kd_constant_can_read(const kd_gvalue *value)
{
    kd_scalar type = value->type.type;
    return kd_constant_is(value) && (type == KD_F32 || type == KD_BF16 || type == KD_F16);
}

static float decode(uint16_t bits, kd_scalar type)
{
    uint32_t wide = (uint32_t)bits << 16;
    float number;
    if (type == KD_F16)
        return (float)kd_float_decode(bits, type);
    memcpy(&number, &wide, sizeof number);
    return number;
}

/* To the nearest. Models have millions of weights: only f16, which few CPUs multiply, takes the slow way. */
static uint16_t encode(float number, kd_scalar type)
{
    uint32_t wide;
    if (type == KD_F16 || number != number)
        return (uint16_t)kd_float_encode((double)number, type, KD_FLOAT_NEAREST_EVEN);
    memcpy(&wide, &number, sizeof wide);
    return (uint16_t)((wide + 0x7fff + (wide >> 16 & 1)) >> 16);
}

/* A file may have its elements anywhere. */
static void read_file(const kd_gvalue *value, int64_t first, int64_t n, float *out)
{
    kd_scalar type = value->type.type;
    const char *data = (const char *)value->data + (size_t)first * kd_scalar_bytes(type);
    if (type == KD_F32) {
        memcpy(out, data, (size_t)n * sizeof *out);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        uint16_t bits;
        memcpy(&bits, data + i * (int64_t)sizeof bits, sizeof bits);
        out[i] = decode(bits, type);
    }
}

static double read_or(const kd_gvalue *value, int64_t at, float otherwise)
{
    float number = otherwise;
    if (value)
        kd_constant_read(value, at, 1, &number);
    return (double)number;
}

static double scale_of(const kd_recipe *r, int64_t channel)
{
    return read_or(r->norm[KD_NORM_GAMMA], channel, 1) / sqrt(read_or(r->norm[KD_NORM_VARIANCE], channel, 1) + r->eps);
}

static void read_scaled(const kd_gvalue *value, int64_t first, int64_t n, float *out)
{
    const kd_recipe *r = value->recipe;
    int64_t n_each = kd_tensor_n_elems(&value->type) / value->type.shape[0];
    kd_constant_read(r->from, first, n, out);
    for (int64_t i = 0; i < n;) {
        int64_t channel = (first + i) / n_each, end = (channel + 1) * n_each - first;
        double scale = scale_of(r, channel);
        for (end = end < n ? end : n; i < end; i++)
            out[i] = (float)((double)out[i] * scale);
    }
}

static void read_shifted(const kd_gvalue *value, int64_t first, int64_t n, float *out)
{
    const kd_recipe *r = value->recipe;
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)((read_or(r->from, first + i, 0) - read_or(r->norm[KD_NORM_MEAN], first + i, 0)) * scale_of(r, first + i) +
                         read_or(r->norm[KD_NORM_BETA], first + i, 0));
}

/* Goes over the elements first to first + n, as far as they are in one part at a time: their place there, and how many. */
static const kd_constant_part *part_at(const kd_recipe *r, int64_t first, int64_t n, int64_t *out_first, int64_t *out_n)
{
    const kd_constant_part *part = r->parts;
    for (; first >= part->n_elems; part++)
        first -= part->n_elems;
    *out_first = part->first + first;
    *out_n = n < part->n_elems - first ? n : part->n_elems - first;
    return part;
}

static void read_joined(const kd_recipe *r, int64_t first, int64_t n, float *out)
{
    for (int64_t done = 0, at, n_now; done < n; done += n_now) {
        const kd_constant_part *part = part_at(r, first + done, n - done, &at, &n_now);
        kd_constant_read(part->from, at, n_now, out + done);
    }
}

void kd_constant_read(const kd_gvalue *constant, int64_t first, int64_t n, float *out)
{
    if (!constant->recipe) {
        read_file(constant, first, n, out);
        return;
    }
    switch (constant->recipe->kind) {
    case KD_RECIPE_CONVERT: kd_constant_read(constant->recipe->from, first, n, out); break;
    case KD_RECIPE_SCALE: read_scaled(constant, first, n, out); break;
    case KD_RECIPE_SHIFT: read_shifted(constant, first, n, out); break;
    case KD_RECIPE_JOIN: read_joined(constant->recipe, first, n, out); break;
    case KD_RECIPE_ORDER: KD_ASSERT(false);
    }
    kd_scalar type = constant->type.type;
    for (int64_t i = 0; type != KD_F32 && i < n; i++)
        out[i] = decode(encode(out[i], type), type);
}

const void *kd_constant_data(const kd_gvalue *constant)
{
    bool is_straight = (uintptr_t)constant->data % kd_scalar_bytes(constant->type.type) == 0;
    return constant->recipe || (!is_straight && kd_tensor_n_bytes(&constant->type)) ? NULL : constant->data;
}

static void write_computed(const kd_gvalue *constant, int64_t first, int64_t n, char *out)
{
    kd_scalar type = constant->type.type;
    for (int64_t done = 0, n_now; done < n; done += n_now) {
        float numbers[CHUNK];
        n_now = n - done < CHUNK ? n - done : CHUNK;
        kd_constant_read(constant, first + done, n_now, type == KD_F32 ? (float *)out + done : numbers);
        for (int64_t i = 0; type != KD_F32 && i < n_now; i++)
            ((uint16_t *)out)[done + i] = encode(numbers[i], type);
    }
}

static void write_elements(const kd_gvalue *constant, int64_t first, int64_t n, char *out)
{
    const kd_recipe *r = constant->recipe;
    size_t each = kd_scalar_bytes(constant->type.type);
    if (!r)
        memcpy(out, (const char *)constant->data + (size_t)first * each, (size_t)n * each);
    else if (r->kind != KD_RECIPE_JOIN)
        write_computed(constant, first, n, out);
    else
        for (int64_t done = 0, at, n_now; done < n; done += n_now) {
            const kd_constant_part *part = part_at(r, first + done, n - done, &at, &n_now);
            write_elements(part->from, at, n_now, out + (size_t)done * each);
        }
}

/* Where in memory the element is that 'from' has at a place of its memory. */
static int64_t place_in(const kd_tensor_type *type, const kd_tensor_type *from, int64_t place)
{
    int64_t to = 0;
    for (unsigned d = 0; d < type->n_dims; d++)
        to += from->shape[d] > 1 ? place / from->strides[d] % from->shape[d] * type->strides[d] : 0;
    return to;
}

static void write_ordered(const kd_gvalue *constant, char *out)
{
    const kd_gvalue *from = constant->recipe->from;
    size_t each = kd_scalar_bytes(constant->type.type);
    int64_t n = kd_tensor_n_elems(&constant->type);
    for (int64_t done = 0, n_now; done < n; done += n_now) {
        _Alignas(uint64_t) char elements[CHUNK * sizeof(uint64_t)];
        n_now = n - done < CHUNK ? n - done : CHUNK;
        write_elements(from, done, n_now, elements);
        for (int64_t i = 0; i < n_now; i++)
            memcpy(out + (size_t)place_in(&constant->type, &from->type, done + i) * each, elements + (size_t)i * each, each);
    }
}

void kd_constant_write(const kd_gvalue *constant, void *out)
{
    if (constant->recipe && constant->recipe->kind == KD_RECIPE_ORDER) {
        write_ordered(constant, out);
        return;
    }
    write_elements(constant, 0, (int64_t)(kd_tensor_n_bytes(&constant->type) / kd_scalar_bytes(constant->type.type)), out);
}

void kd_constant_each_source(const kd_gvalue *constant, void (*fn)(void *user, const kd_gvalue *source), void *user)
{
    const kd_recipe *r = constant->recipe;
    if (!r) {
        fn(user, constant);
        return;
    }
    if (r->from)
        kd_constant_each_source(r->from, fn, user);
    for (unsigned i = 0; i < KD_N_NORM_OPERANDS; i++)
        if (r->norm[i])
            kd_constant_each_source(r->norm[i], fn, user);
    for (unsigned i = 0; i < r->n_parts; i++)
        kd_constant_each_source(r->parts[i].from, fn, user);
}
