/* verify_gpu.c - hooks for the ops of the gpu and simt levels, and the rules of layouts. */
#include "ir/layout.h"
#include "ir/verify_impl.h"

#define FAIL(...) kd_verify_fail(v, op, __VA_ARGS__)

static const char *mnemonic(const kd_op *op)
{
    return kd_op_get_info(op)->mnemonic;
}

static const kd_type *result_type(const kd_op *op)
{
    return op->results[0].type;
}

/* ---- layouts ---- */

/* Compares the layout of a tile with those seen in the op. */
static bool check_layout(kd_verifier *v, const kd_op *op, const kd_type *type, const kd_type **first)
{
    if (!type || !kd_type_is_tile(type))
        return true;
    if (!*first)
        *first = type;
    const kd_layout *a = (*first)->layout, *b = type->layout;
    if (!a != !b)
        return FAIL("'%s' mixes tiles with and without a layout: %s and %s", mnemonic(op), (*first)->text, type->text);
    if (!b)
        return true;
    if (!b->is_complete)
        return FAIL("the layout of %s has no place for some elements", type->text);
    if (a->n_bits[KD_LANE] != b->n_bits[KD_LANE] || a->n_bits[KD_SUB_GROUP] != b->n_bits[KD_SUB_GROUP])
        return FAIL("layouts of one kernel have as many lanes and sub-groups, but '%s' has %s and %s", mnemonic(op), (*first)->text,
                    type->text);
    if (kd_op_has(op, KD_ELEMENTWISE) && op->code != KD_OP_gpu_convert_layout && a != b)
        return FAIL("'%s' works in one layout, but has %s and %s", mnemonic(op), (*first)->text, type->text);
    return true;
}

bool kd_verify_layouts(kd_verifier *v, const kd_op *op)
{
    const kd_type *first = NULL;
    for (unsigned i = 0; i < op->n_operands; i++)
        if (!check_layout(v, op, op->operands[i].value ? op->operands[i].value->type : NULL, &first))
            return false;
    for (unsigned i = 0; i < op->n_results; i++)
        if (!check_layout(v, op, op->results[i].type, &first))
            return false;
    return true;
}

bool kd_verify_layout_is(kd_verifier *v, const kd_op *op, const kd_type *type, const kd_layout *wanted)
{
    return !type->layout || type->layout == wanted ||
           FAIL("'%s' moves no elements, so here %s should have the layout %s", mnemonic(op), type->text, wanted->text);
}

static bool verify_convert_layout(kd_verifier *v, const kd_op *op)
{
    const kd_type *from = kd_gpu_convert_layout_src(op)->type, *to = result_type(op);
    if (!from->layout || !kd_type_is_tile(to) || from->elem != to->elem)
        return FAIL("'gpu.convert_layout' goes between layouts of one tile, not from %s to %s", from->text, to->text);
    return true;
}

static bool verify_prefetch(kd_verifier *v, const kd_op *op)
{
    const kd_type *base = kd_gpu_prefetch_base(op)->type;
    unsigned n_coords = kd_gpu_prefetch_n_coords(op);
    kd_ints shape = kd_gpu_prefetch_shape(op);
    if (base->kind != KD_TYPE_PTR)
        return FAIL("'base' of 'gpu.prefetch' must be a pointer, but is %s", base->text);
    if (n_coords == 0 || n_coords % 3)
        return FAIL("'coords' of 'gpu.prefetch' are shape, strides and offsets, each with one entry an axis, but %u are given",
                    n_coords);
    if (shape.n == 0 || shape.n > n_coords / 3)
        return FAIL("'shape' of 'gpu.prefetch' has 1 to %u entries, but %u are given", n_coords / 3, shape.n);
    return true;
}

/* ---- one work-item ---- */

/* A scalar, or a vector of a size that targets have. */
static bool check_item(kd_verifier *v, const kd_op *op, const char *what, const kd_type *type)
{
    bool is_vector = kd_type_is_tile(type) && type->rank == 1 && !type->layout && type->n_elems >= 2 && type->n_elems <= 16;
    return type->kind == KD_TYPE_SCALAR || type->kind == KD_TYPE_PTR || is_vector ||
           FAIL("'%s' of '%s' must be a scalar or a vector of 2, 4, 8 or 16, but is %s", what, mnemonic(op), type->text);
}

static bool verify_id(kd_verifier *v, const kd_op *op)
{
    return kd_type_is_scalar(result_type(op), KD_I32) ||
           FAIL("the result of '%s' is i32, but %s is written", mnemonic(op), result_type(op)->text);
}

static bool verify_shuffle(kd_verifier *v, const kd_op *op)
{
    const kd_type *lane = kd_gpu_shuffle_lane(op)->type;
    if (!kd_type_is_scalar(lane, KD_I32))
        return FAIL("the lane of 'gpu.shuffle' is i32, but is %s", lane->text);
    return check_item(v, op, "value", kd_gpu_shuffle_value(op)->type);
}

static bool verify_shuffle_xor(kd_verifier *v, const kd_op *op)
{
    int64_t mask = kd_gpu_shuffle_xor_mask(op);
    if (mask < 1 || mask > 31)
        return FAIL("the mask of 'gpu.shuffle_xor' is between 1 and 31, but %lld is given", (long long)mask);
    return check_item(v, op, "value", kd_gpu_shuffle_xor_value(op)->type);
}

static bool verify_slm(kd_verifier *v, const kd_op *op)
{
    return result_type(op)->kind == KD_TYPE_BUFFER || FAIL("'gpu.slm' gives a buffer, but %s is written", result_type(op)->text);
}

/* An access to SLM: index i32, elements of the buffer. */
static bool check_slm(kd_verifier *v, const kd_op *op, const kd_type *buffer, const kd_type *index, const char *what,
                      const kd_type *value)
{
    if (!kd_type_is_scalar(index, KD_I32))
        return FAIL("the index of '%s' is i32, but is %s", mnemonic(op), index->text);
    if (!check_item(v, op, what, value))
        return false;
    return kd_type_elem(value) == kd_type_elem(buffer) ||
           FAIL("'%s' of %s does not go with %s", mnemonic(op), value->text, buffer->text);
}

static bool verify_slm_read(kd_verifier *v, const kd_op *op)
{
    return check_slm(v, op, kd_gpu_slm_read_buffer(op)->type, kd_gpu_slm_read_index(op)->type, "value", result_type(op));
}

static bool verify_slm_write(kd_verifier *v, const kd_op *op)
{
    return check_slm(v, op, kd_gpu_slm_write_buffer(op)->type, kd_gpu_slm_write_index(op)->type, "value",
                     kd_gpu_slm_write_value(op)->type);
}

static bool verify_slm_atomic(kd_verifier *v, const kd_op *op)
{
    return check_slm(v, op, kd_gpu_slm_atomic_buffer(op)->type, kd_gpu_slm_atomic_index(op)->type, "value",
                     kd_gpu_slm_atomic_value(op)->type);
}

static bool check_global(kd_verifier *v, const kd_op *op, const kd_type *ptr, const kd_type *value, int64_t align_bytes)
{
    if (ptr->kind != KD_TYPE_PTR || ptr->elem != kd_type_elem(value))
        return FAIL("'%s' of %s does not go through %s", mnemonic(op), value->text, ptr->text);
    if (align_bytes < 0 || (align_bytes & (align_bytes - 1)))
        return FAIL("'align_bytes' of '%s' is a power of two, but is %lld", mnemonic(op), (long long)align_bytes);
    return check_item(v, op, "value", value);
}

static bool verify_gpu_load(kd_verifier *v, const kd_op *op)
{
    const kd_value *other = kd_gpu_load_other(op);
    if (other && (other->type != result_type(op) || !kd_gpu_load_mask(op)))
        return FAIL("'other' of 'gpu.load' is %s, stands beside a mask, but is %s", result_type(op)->text, other->type->text);
    return check_global(v, op, kd_gpu_load_ptr(op)->type, result_type(op), kd_gpu_load_align_bytes(op));
}

static bool verify_gpu_store(kd_verifier *v, const kd_op *op)
{
    return check_global(v, op, kd_gpu_store_ptr(op)->type, kd_gpu_store_value(op)->type, kd_gpu_store_align_bytes(op));
}

static int64_t bits_of(const kd_type *type)
{
    return type->n_elems * kd_type_elem_bits(type);
}

/* The parts together have the bits of the vector. */
static bool check_parts(kd_verifier *v, const kd_op *op, const kd_type *vector, int64_t n_bits)
{
    return n_bits == bits_of(vector) ||
           FAIL("the parts of '%s' have %lld bits together, but %s has %lld", mnemonic(op), (long long)n_bits, vector->text, (long long)bits_of(vector));
}

static bool verify_pack(kd_verifier *v, const kd_op *op)
{
    int64_t n_bits = 0;
    for (unsigned i = 0; i < op->n_operands; i++) {
        const kd_type *part = op->operands[i].value->type;
        if (!check_item(v, op, "parts", part))
            return false;
        n_bits += bits_of(part);
    }
    return check_parts(v, op, result_type(op), n_bits) && check_item(v, op, "vector", result_type(op));
}

/* The vector may be longer than others: what gpu.block2d_load gives. */
static bool verify_unpack(kd_verifier *v, const kd_op *op)
{
    const kd_type *vector = kd_gpu_unpack_vector(op)->type;
    int64_t n_bits = 0;
    for (unsigned i = 0; i < op->n_results; i++) {
        if (!check_item(v, op, "elements", op->results[i].type))
            return false;
        n_bits += bits_of(op->results[i].type);
    }
    return check_parts(v, op, vector, n_bits);
}

/* ---- matrix engines ---- */

static bool verify_dpas(kd_verifier *v, const kd_op *op)
{
    static const char *const ELEMS[] = {"f16", "bf16", "tf32", "i8", "u8"};
    bool known = false;
    for (unsigned i = 0; i < sizeof ELEMS / sizeof *ELEMS; i++)
        known |= kd_str_is(kd_gpu_dpas_elem(op), ELEMS[i]);
    if (!known)
        return FAIL("'gpu.dpas' multiplies f16, bf16, tf32, i8 or u8, not '%.*s'", KD_STR_ARG(kd_gpu_dpas_elem(op)));
    const kd_type *b = kd_gpu_dpas_b(op)->type;
    if (b->n_elems != 8 || kd_type_elem_bits(b) != 32)
        return FAIL("'b' of 'gpu.dpas' is a vector of 8 dwords, but is %s", b->text);
    return check_item(v, op, "a", kd_gpu_dpas_a(op)->type) && check_item(v, op, "b", b) &&
           check_item(v, op, "acc", kd_gpu_dpas_acc(op)->type);
}

/* base is a pointer; the surface's width, height and pitch, and x and y, are i32; the rectangle has three extents. */
static bool check_block2d(kd_verifier *v, const kd_op *op, unsigned first_coord, int64_t elem_bits, kd_ints extents)
{
    const kd_type *base = op->operands[0].value->type;
    if (base->kind != KD_TYPE_PTR)
        return FAIL("'base' of '%s' must be a pointer, but is %s", mnemonic(op), base->text);
    if (op->n_operands - first_coord != 5)
        return FAIL("'%s' has width, height and pitch of a surface, x and y, but %u are given", mnemonic(op),
                    op->n_operands - first_coord);
    for (unsigned i = first_coord; i < op->n_operands; i++)
        if (!kd_type_is_scalar(op->operands[i].value->type, KD_I32))
            return FAIL("'surface_x_y' of '%s' are i32, but one is %s", mnemonic(op), op->operands[i].value->type->text);
    if (elem_bits != 8 && elem_bits != 16 && elem_bits != 32 && elem_bits != 64)
        return FAIL("'elem_bits' of '%s' is 8, 16, 32 or 64, but is %lld", mnemonic(op), (long long)elem_bits);
    bool good = extents.n == 3;
    for (unsigned i = 0; good && i < 3; i++)
        good = extents.data[i] > 0 && (extents.data[i] & (extents.data[i] - 1)) == 0;
    return good || FAIL("'width_rows_count' of '%s' are three powers of two", mnemonic(op));
}

static bool verify_block2d_load(kd_verifier *v, const kd_op *op)
{
    const kd_type *type = result_type(op);
    if (!kd_type_is_tile(type) || type->rank != 1 || type->layout)
        return FAIL("'gpu.block2d_load' gives a vector, but %s is written", type->text);
    return check_block2d(v, op, 1, kd_gpu_block2d_load_elem_bits(op), kd_gpu_block2d_load_width_rows_count(op));
}

static bool verify_block2d_store(kd_verifier *v, const kd_op *op)
{
    const kd_type *type = kd_gpu_block2d_store_value(op)->type;
    if (type->rank != 1 || type->layout)
        return FAIL("'gpu.block2d_store' takes a vector, but the value is %s", type->text);
    return check_block2d(v, op, 2, kd_gpu_block2d_store_elem_bits(op), kd_gpu_block2d_store_width_rows_count(op));
}

static bool verify_block2d_prefetch(kd_verifier *v, const kd_op *op)
{
    return check_block2d(v, op, 1, kd_gpu_block2d_prefetch_elem_bits(op), kd_gpu_block2d_prefetch_width_rows_count(op));
}

kd_verify_hook *kd_verify_gpu_hook(kd_opcode code)
{
    switch (code) {
    case KD_OP_gpu_convert_layout: return verify_convert_layout;
    case KD_OP_gpu_prefetch: return verify_prefetch;
    case KD_OP_gpu_lane_id:
    case KD_OP_gpu_sub_group_id: return verify_id;
    case KD_OP_gpu_shuffle: return verify_shuffle;
    case KD_OP_gpu_shuffle_xor: return verify_shuffle_xor;
    case KD_OP_gpu_slm: return verify_slm;
    case KD_OP_gpu_slm_read: return verify_slm_read;
    case KD_OP_gpu_slm_write: return verify_slm_write;
    case KD_OP_gpu_slm_atomic: return verify_slm_atomic;
    case KD_OP_gpu_load: return verify_gpu_load;
    case KD_OP_gpu_store: return verify_gpu_store;
    case KD_OP_gpu_pack: return verify_pack;
    case KD_OP_gpu_unpack: return verify_unpack;
    case KD_OP_gpu_dpas: return verify_dpas;
    case KD_OP_gpu_block2d_load: return verify_block2d_load;
    case KD_OP_gpu_block2d_store: return verify_block2d_store;
    case KD_OP_gpu_block2d_prefetch: return verify_block2d_prefetch;
    default: return NULL;
    }
}
