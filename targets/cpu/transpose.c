/* transpose.c - permutes that move the last axis: square blocks are read as rows, turned in registers, and written as columns. */
#include "targets/cpu/lower.h"

#include "base/bug.h"

enum { LEAST = 4, MAX_STEPS = 200 };

/* Whether a tree reads memory or buffers at its full shape: others are cheaper to compute at any index. */
static bool has_data(kd_lower *l, const kd_value *v, unsigned *steps)
{
    if (!v || v->type->kind != KD_TYPE_TILE || (*steps)++ > MAX_STEPS)
        return false;
    if (!v->def || kd_lower_is_action(v->def) || v->def->code == KD_OP_load || kd_lower_tile(l, v)->keep)
        return true;
    if (v->def->code == KD_OP_broadcast)
        return false;
    for (unsigned i = 0; i < v->def->n_operands; i++)
        if (has_data(l, kd_op_operand(v->def, i), steps))
            return true;
    return false;
}

/* The axis of the result that was the operand's last. */
static unsigned moved_axis(const kd_op *permute)
{
    kd_ints order = kd_permute_order(permute);
    for (unsigned i = 0; i < order.n; i++)
        if (order.data[i] == (int64_t)order.n - 1)
            return i;
    KD_UNREACHABLE();
}

bool kd_lower_is_transpose(kd_lower *l, const kd_value *value)
{
    const kd_op *op = kd_value_def_as(value, KD_OP_permute);
    unsigned steps = 0;
    if (!op || !l->fuse || kd_type_is_ptr_like(value->type) || kd_type_is_bool_like(value->type))
        return false;
    unsigned moved = moved_axis(op), last = value->type->rank - 1;
    return moved != last && value->type->shape[moved] >= LEAST && value->type->shape[last] >= LEAST && has_data(l, kd_permute_tile(op), &steps);
}

static kd_lanes open(kd_nest *n, int64_t extent, int64_t step, unsigned *n_opened)
{
    if (extent <= step)
        return kd_nest_const(n, n->l->i64, 0);
    kd_value *counter = kd_nest_open(n, extent, step, NULL, 0);
    ++*n_opened;
    return kd_lanes_uniform(counter, n->depth);
}

static kd_lanes plus(kd_nest *n, kd_lanes a, int64_t b)
{
    return b ? kd_nest_binary(n, KD_OP_add, a, kd_nest_const(n, n->l->i64, b)) : a;
}

/* One block of n->width rows and columns. */
static void turn_block(kd_nest *n, kd_value *value, kd_value *buffer, kd_lanes *idx, unsigned row_axis, unsigned column_axis)
{
    unsigned width = n->width;
    kd_lanes row = idx[row_axis], column = idx[column_axis];
    kd_value **rows = kd_arena_array(n->l->arena, kd_value *, width);
    const kd_type *vector = kd_nest_vector_type(n, kd_type_elem(value->type)), **types = kd_arena_array(n->l->arena, const kd_type *, width);
    idx[column_axis].step = 1;
    for (unsigned r = 0; r < width; r++) {
        idx[row_axis] = plus(n, row, r);
        rows[r] = kd_lanes_vector(n, kd_nest_eval(n, value, idx));
        types[r] = vector;
    }
    const kd_op *op = kd_build_op(&n->at[n->depth], KD_OP_cpu_transpose, n->loc, rows, width, types, width, NULL);
    idx[row_axis] = row;
    idx[row_axis].step = 1;
    for (unsigned c = 0; c < width; c++) {
        idx[column_axis] = plus(n, column, c);
        kd_nest_write(n, buffer, value->type, idx, kd_lanes_uniform(kd_op_result(op, c), n->depth));
    }
}

/* Blocks follow each other along the axis that is consecutive in the source. */
void kd_lower_transpose(kd_lower *l, kd_value *value, kd_value *buffer)
{
    kd_tile *t = kd_lower_tile(l, value);
    kd_nest *n = l->nest;
    const kd_type *type = value->type;
    unsigned last = type->rank - 1, moved = moved_axis(value->def), opened = 0;
    kd_lanes idx[KD_MAX_RANK];
    kd_group_flush(l);
    t->buffer = NULL; /* evaluate the permute itself */
    for (unsigned axis = 0; axis < last; axis++)
        if (axis != moved)
            idx[axis] = open(n, type->shape[axis], 1, &opened);
    int64_t width = l->lanes;
    width = type->shape[last] < width ? type->shape[last] : width;
    width = type->shape[moved] < width ? type->shape[moved] : width;
    idx[last] = open(n, type->shape[last], width, &opened);
    idx[moved] = open(n, type->shape[moved], width, &opened);
    n->width = (unsigned)width;
    turn_block(n, value, buffer, idx, last, moved);
    while (opened-- > 0)
        kd_nest_close(n, NULL, 0);
    n->width = 1;
    t->buffer = buffer;
}
