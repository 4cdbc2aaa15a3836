/* layout_cost.c - see layout_cost.h. The weights follow what Intel's compiler makes of each form: a message costs its issue and a cycle or
 * two for each cache line, a shuffle between lanes a few instructions a register, a trip through SLM its messages and the barrier. */
#include "base/bits.h"
#include "passes/layout_cost.h"
#include "passes/dpas_layouts.h"
#include "passes/likely_stride.h"

enum {
    MESSAGE = 4,
    MANY_MESSAGES = 24, /* of one access; more of them keep their addresses and masks in registers, which spill */
    TOO_MANY = 4, /* more for each of those */
    TOO_LARGE = 1 << 24, /* what SLM cannot hold; but not the only way in all cases */
    CACHE_LINE = 2,
    CACHE_LINE_BYTES = 64,
    SMALL_MESSAGE = 8, /* more, for less than 4 bytes a work-item: a message of its own for each */
    SHUFFLE = 4, /* a register of 32 bits */
    SLM_TRIP = 100, /* the barriers */
    SLM_REGISTER = 4,
    MAX_VECTOR_BYTES = 16,
    MANY_REGISTERS_BYTES = 8192, /* of a thread, without its large register mode */
};

static unsigned axis_shift(const kd_type *type, unsigned axis)
{
    unsigned shift = 0;
    for (unsigned i = axis + 1; i < type->rank; i++)
        shift += kd_log2((uint64_t)type->shape[i]);
    return shift;
}

/* ---- accesses ---- */

static unsigned bytes_of(const kd_type *type)
{
    unsigned bits = kd_type_elem_bits(type);
    return bits < 8 ? 1 : bits / 8;
}

/* The last axis is the fastest one, unless another has longer runs. */
static void order_axes(kd_access *a, const int64_t *runs)
{
    for (unsigned i = 0; i < a->type->rank; i++) {
        unsigned axis = a->type->rank - 1 - i, at = i;
        for (; at > 0 && runs[axis] > runs[a->order[at - 1]]; at--)
            a->order[at] = a->order[at - 1];
        a->order[at] = axis;
    }
    a->run = runs[a->order[0]];
}

/* Where nothing is known for sure, what is likely: of strides that the kernel is given, the last one is 1, if no other axis is consecutive. */
static void guess_runs(const kd_value *ptr, int64_t *runs)
{
    const kd_type *type = ptr->type;
    bool is_known = false, has_unit = false;
    kd_stride strides[KD_MAX_RANK];
    for (unsigned i = 0; i < type->rank; i++) {
        strides[i] = kd_likely_stride(ptr, i);
        is_known |= runs[i] > 1 && strides[i] != KD_STRIDE_UNIT;
        has_unit |= strides[i] == KD_STRIDE_UNIT;
    }
    for (unsigned i = type->rank; i-- > 0 && !is_known;)
        if (has_unit ? strides[i] == KD_STRIDE_UNIT : strides[i] == KD_STRIDE_UNKNOWN) {
            runs[i] = type->shape[i];
            return;
        }
}

static void pointer_access(const kd_layout_costs *costs, const kd_value *ptr, const kd_value *mask, kd_access *out)
{
    const kd_type *type = ptr->type;
    int64_t runs[KD_MAX_RANK];
    out->type = type;
    out->elem_bytes = bytes_of(kd_type_elem(type)->elem);
    for (unsigned i = 0; i < type->rank; i++)
        runs[i] = kd_axis_info_get(costs->info, ptr, i).contiguity;
    guess_runs(ptr, runs);
    order_axes(out, runs);
    int64_t vector = kd_axis_info_vector_length(costs->info, ptr, out->order[0]), dword = 4 / out->elem_bytes;
    if (mask) { /* but small elements are packed as far as memory allows: the lowering looks at masks one by one where it must */
        int64_t constancy = kd_axis_info_get(costs->info, mask, out->order[0]).constancy,
                least = constancy > dword ? constancy : dword;
        vector = vector < least ? vector : least;
    }
    out->max_vector = (unsigned)vector;
}

/* Strides that are constants tell which axis is contiguous; the last one, if none does. */
static bool block_access(const kd_op *op, const kd_type *block, unsigned first_coord, kd_access *out)
{
    unsigned rank = (op->n_operands - first_coord) / 3;
    int64_t runs[KD_MAX_RANK];
    out->type = block;
    out->elem_bytes = bytes_of(block);
    for (unsigned i = 0; i < block->rank; i++) {
        int64_t stride = 0;
        unsigned axis = rank - block->rank + i;
        bool is_unit = kd_value_constant_int(kd_op_operand(op, first_coord + rank + axis), &stride) && stride == 1;
        runs[i] = is_unit ? block->shape[i] : 1;
    }
    order_axes(out, runs);
    out->max_vector = out->run > 1 ? 4 / out->elem_bytes ? 4 / out->elem_bytes : 1 : 1;
    return true;
}

static bool find_access(const kd_layout_costs *costs, const kd_op *op, kd_access *out)
{
    *out = (kd_access){.is_store = op->code == KD_OP_store || op->code == KD_OP_block_store};
    if (op->code == KD_OP_block_load) /* rectangles go to and come from any layout */
        return !kd_block_load_is_rectangle(op) && kd_type_is_tile(op->results[0].type) &&
               block_access(op, op->results[0].type, 1, out);
    if (op->code == KD_OP_block_store)
        return !kd_block_store_is_rectangle(op) && block_access(op, kd_block_store_value(op)->type, 2, out);
    bool is_atomic = op->code == KD_OP_atomic || op->code == KD_OP_atomic_cas;
    if ((op->code != KD_OP_load && op->code != KD_OP_store && !is_atomic) || !kd_type_is_tile(kd_op_operand(op, 0)->type))
        return false;
    const kd_value *mask = op->code == KD_OP_load ? kd_load_mask(op) : op->code == KD_OP_store ? kd_store_mask(op) : NULL;
    pointer_access(costs, kd_op_operand(op, 0), mask, out);
    if (is_atomic)
        out->max_vector = 1;
    const kd_gpu_device *device = costs->config->device;
    out->packs_rows = op->code == KD_OP_store && device->registers_bytes >= MANY_REGISTERS_BYTES &&
                      kd_dpas_makes(kd_store_value(op), device) &&
                      !kd_type_is_scalar(kd_type_elem(kd_store_value(op)->type), KD_F32);
    return true;
}

bool kd_access_of(kd_layout_costs *costs, const kd_op *op, kd_access *out)
{
    const kd_access *known = kd_map_get_ptr(&costs->accesses, op);
    if (known) {
        *out = *known;
        return true;
    }
    if (!find_access(costs, op, out))
        return false;
    kd_access *copy = kd_arena_new(costs->accesses.arena, kd_access);
    *copy = *out;
    *kd_map_at_ptr(&costs->accesses, op) = copy;
    return true;
}

kd_layout_costs kd_layout_costs_create(kd_context *ctx, const kd_gpu_config *config, kd_arena *arena, kd_op *func)
{
    return (kd_layout_costs){ctx, config, kd_axis_info_compute(arena, func), kd_map_in(arena)};
}

/* ---- blocked layouts ---- */

static uint32_t take(uint32_t *left, int64_t room)
{
    uint32_t n = room < 1 ? 1 : (int64_t)*left < room ? *left : (uint32_t)room;
    *left /= n;
    return n;
}

/* by_rows: what is left to registers along the slow axes lies side by side. */
static const kd_layout *blocked(const kd_layout_costs *costs, const kd_type *type, const unsigned *order, uint32_t vector,
                                uint32_t last_axes, bool by_rows)
{
    kd_blocked_spec spec = {0};
    uint32_t lanes = costs->config->sub_group_size, sub_groups = costs->config->n_sub_groups;
    for (unsigned k = 0; k < type->rank; k++) {
        unsigned axis = order[k];
        spec.order[k] = axis;
        spec.regs[axis] = k == 0 ? (uint32_t)(vector < type->shape[axis] ? vector : type->shape[axis]) : 1;
        spec.lanes[axis] = take(&lanes, type->shape[axis] / spec.regs[axis]);
        spec.sub_groups[axis] = 1;
    }
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned k = 0; k < type->rank; k++) {
            unsigned axis = order[k];
            if ((last_axes >> axis & 1) == pass)
                spec.sub_groups[axis] = take(&sub_groups, type->shape[axis] / spec.regs[axis] / spec.lanes[axis]);
        }
    for (unsigned k = 1; k < type->rank && by_rows; k++)
        spec.regs[order[k]] = (uint32_t)type->shape[order[k]] / spec.lanes[order[k]] / spec.sub_groups[order[k]];
    spec.lanes[order[type->rank - 1]] *= lanes; /* what is left over holds copies */
    spec.sub_groups[order[type->rank - 1]] *= sub_groups;
    return kd_layout_blocked(costs->ctx, type, &spec);
}

static uint32_t power_below(int64_t n)
{
    return n < 1 ? 1 : 1u << kd_log2((uint64_t)n);
}

/* As many elements as 16 bytes hold, but not so many that work-items are left without: down to 4 bytes. */
static uint32_t vector_of(const kd_layout_costs *costs, const kd_type *type, unsigned elem_bytes, uint32_t max_vector)
{
    uint32_t n_work_items = costs->config->sub_group_size * costs->config->n_sub_groups;
    uint32_t vector = power_below(MAX_VECTOR_BYTES / elem_bytes), share = power_below(type->n_elems / n_work_items),
             dword = power_below(4 / elem_bytes);
    uint32_t least = share > dword ? share : dword;
    vector = vector < least ? vector : least;
    return vector < max_vector ? vector : max_vector;
}

const kd_layout *kd_access_layout(const kd_layout_costs *costs, const kd_access *access, uint32_t last_axes)
{
    return blocked(costs, access->type, access->order, vector_of(costs, access->type, access->elem_bytes, access->max_vector),
                   last_axes, access->packs_rows);
}

const kd_layout *kd_default_layout(const kd_layout_costs *costs, const kd_type *type, uint32_t last_axes)
{
    unsigned order[KD_MAX_RANK];
    for (unsigned i = 0; i < type->rank; i++)
        order[i] = type->rank - 1 - i;
    return blocked(costs, type, order, vector_of(costs, type, bytes_of(type), MAX_VECTOR_BYTES), last_axes, false);
}

/* ---- costs ---- */

bool kd_op_takes_any_layout(const kd_op *op)
{
    if (kd_op_has(op, KD_FREE) || op->code == KD_OP_arange)
        return true;
    return kd_op_has(op, KD_ELEMENTWISE | KD_PURE) && kd_op_is_pure(op) && op->code != KD_OP_gpu_convert_layout;
}

int64_t kd_op_weight(const kd_op *op)
{
    int64_t weight = 1;
    for (const kd_op *at = op; at->block && weight < 512; at = at->block->parent)
        if (at->block->parent->code == KD_OP_for || at->block->parent->code == KD_OP_while)
            weight *= 8;
    return weight;
}

/* Bits that basis vectors of one message add: each doubles the elements, and the cache lines where it leads out of one. */
typedef struct footprint {
    uint32_t seen; /* position bits; vectors of accessed layouts are almost always single bits */
    unsigned log2_elems, log2_lines;
} footprint;

static void add_vector(footprint *f, uint32_t v, uint32_t line_bits)
{
    if (!(v & ~f->seen))
        return; /* a copy, or near enough */
    f->seen |= v;
    f->log2_elems++;
    f->log2_lines += (v & ~line_bits) != 0;
}

int64_t kd_access_cost(const kd_layout_costs *costs, const kd_access *access, const kd_layout *layout)
{
    unsigned axis = access->order[0], shift = axis_shift(access->type, axis);
    uint32_t vector = kd_layout_n_consecutive(layout, access->type, axis),
             most = power_below(MAX_VECTOR_BYTES / access->elem_bytes);
    vector = vector < most ? vector : most;
    vector = vector < access->max_vector ? vector : power_below(access->max_vector);
    int64_t line_elems = CACHE_LINE_BYTES / access->elem_bytes, run = access->run < line_elems ? access->run : line_elems;
    uint32_t line_bits = (uint32_t)(power_below(run) - 1) << shift;
    footprint f = {0};
    for (unsigned i = 0; i < kd_log2(vector); i++)
        add_vector(&f, layout->basis[KD_REGISTER][i], line_bits);
    for (unsigned i = 0; i < layout->n_bits[KD_LANE]; i++)
        add_vector(&f, layout->basis[KD_LANE][i], line_bits);
    int64_t n_messages = (int64_t)kd_layout_n_registers(layout) / vector;
    int64_t one = MESSAGE + ((int64_t)CACHE_LINE << f.log2_lines);
    if (vector * access->elem_bytes < 4)
        one += SMALL_MESSAGE;
    return n_messages * one + (n_messages > MANY_MESSAGES ? TOO_MANY * (n_messages - MANY_MESSAGES) : 0);
}

int64_t kd_conversion_cost(const kd_layout_costs *costs, const kd_layout *from, const kd_layout *to, unsigned elem_bits)
{
    if (from == to)
        return 0;
    kd_layout_map map;
    int64_t dwords = elem_bits > 32 ? 2 : 1, n_from = kd_layout_n_registers(from), n_to = kd_layout_n_registers(to);
    if (!kd_layout_conversion(from, to, &map))
        return INT32_MAX;
    switch (kd_layout_movement(&map)) {
    case KD_MOVE_NOTHING:
    case KD_MOVE_REGISTERS: return 1;
    case KD_MOVE_LANES: return 8 + SHUFFLE * n_to * dwords / (elem_bits == 16 ? 2 : elem_bits < 16 ? 4 : 1);
    case KD_MOVE_SUB_GROUPS:
        if (((uint64_t)elem_bits / 8) << from->n_out_bits > costs->config->device->slm_bytes)
            return TOO_LARGE;
        return SLM_TRIP + SLM_REGISTER * (n_from + n_to) * dwords / (elem_bits == 16 ? 2 : elem_bits < 16 ? 4 : 1);
    }
    return INT32_MAX;
}

int64_t kd_reduction_cost(const kd_layout_costs *costs, const kd_layout *layout, const kd_type *type, unsigned axis)
{
    uint32_t axis_bits = (uint32_t)(type->shape[axis] - 1) << axis_shift(type, axis);
    int64_t n_results = kd_layout_n_registers(kd_layout_slice(costs->ctx, layout, type, axis)),
            cost = kd_layout_n_registers(layout);
    bool crosses_sub_groups = false;
    for (unsigned i = 0; i < layout->n_bits[KD_LANE]; i++)
        if (layout->basis[KD_LANE][i] & axis_bits)
            cost += n_results * (SHUFFLE + 1);
    for (unsigned i = 0; i < layout->n_bits[KD_SUB_GROUP]; i++)
        crosses_sub_groups |= (layout->basis[KD_SUB_GROUP][i] & axis_bits) != 0;
    return cost + (crosses_sub_groups ? SLM_TRIP + 2 * SLM_REGISTER * n_results : 0);
}
