/* collect.c - ops whose loops fit no pattern: sort, histogram, maps with control flow, atomics on tiles, print and assert. */
#include "targets/cpu/lower.h"

#include "base/bug.h"

/* ---- sort: a bitonic network in place, one loop a stage ---- */

typedef struct stage {
    kd_value *buffer;
    const kd_type *elem;
    int64_t n, size, stride; /* elements of a line; of the runs being merged; distance of the pairs */
    bool descending;
    const kd_type *pairs, *split; /* [n / 2] and [n / 2 / stride, stride] */
} stage;

static void exchange(kd_nest *n, const stage *s, kd_lanes line, kd_lanes pair)
{
    kd_lanes at[2];
    const kd_type *i64 = n->l->i64;
    kd_index_reshape(n, s->pairs, &pair, s->split, at);
    kd_lanes low = kd_nest_binary(n, KD_OP_add, kd_nest_binary(n, KD_OP_mul, at[0], kd_nest_const(n, i64, 2 * s->stride)), at[1]);
    kd_lanes flip = kd_nest_binary(n, KD_OP_and, low, kd_nest_const(n, i64, s->size));
    low = kd_nest_binary(n, KD_OP_add, line, low);
    kd_lanes high = kd_nest_binary(n, KD_OP_add, low, kd_nest_const(n, i64, s->stride));
    const kd_type *flat = kd_type_tile(n->l->ctx, s->elem, 1, &(int64_t){KD_MAX_TILE_ELEMS});
    kd_lanes a = kd_nest_read(n, s->buffer, flat, &low), b = kd_nest_read(n, s->buffer, flat, &high);
    kd_attr gt[KD_MAX_ATTR_INFOS] = {{.as_kd_pred = KD_PRED_GT}}, ne[KD_MAX_ATTR_INFOS] = {{.as_kd_pred = s->descending ? KD_PRED_EQ : KD_PRED_NE}};
    kd_lanes wrong = kd_nest_apply(n, KD_OP_cmp, n->l->i1, gt, (kd_lanes[]){a, b}, 2);
    kd_lanes less = kd_nest_apply(n, KD_OP_cmp, n->l->i1, gt, (kd_lanes[]){b, a}, 2);
    kd_lanes down = kd_nest_apply(n, KD_OP_cmp, n->l->i1, ne, (kd_lanes[]){flip, kd_nest_const(n, i64, 0)}, 2);
    kd_lanes swap = kd_nest_apply(n, KD_OP_select, n->l->i1, NULL, (kd_lanes[]){down, less, wrong}, 3);
    kd_nest_write(n, s->buffer, flat, &low, kd_nest_apply(n, KD_OP_select, s->elem, NULL, (kd_lanes[]){swap, b, a}, 3));
    kd_nest_write(n, s->buffer, flat, &high, kd_nest_apply(n, KD_OP_select, s->elem, NULL, (kd_lanes[]){swap, a, b}, 3));
}

static void run_stage(kd_nest *n, stage s, kd_lanes line)
{
    int64_t half = s.n / 2, split[2] = {half / s.stride, s.stride};
    unsigned width = s.stride < n->l->lanes ? (half < n->l->lanes ? (unsigned)half : n->l->lanes) : n->l->lanes;
    n->width = width;
    s.pairs = kd_type_tile(n->l->ctx, n->l->i64, 1, &half);
    s.split = kd_type_tile(n->l->ctx, n->l->i64, 2, split);
    bool loop = half > width;
    kd_lanes pair = kd_nest_const(n, n->l->i64, 0);
    if (loop) {
        kd_value *counter = kd_nest_open(n, half, width, NULL, 0);
        pair = kd_lanes_uniform(counter, n->depth);
    }
    pair.step = width > 1 ? 1 : 0;
    exchange(n, &s, line, pair);
    if (loop)
        kd_nest_close(n, NULL, 0);
    n->width = 1;
}

typedef struct prefix_copy {
    kd_value *from, *to;
    const kd_type *long_type, *short_type;
} prefix_copy;

static void copy_element(kd_nest *n, const kd_lanes *idx, void *user)
{
    const prefix_copy *c = user;
    kd_nest_write(n, c->to, c->short_type, idx, kd_nest_read(n, c->from, c->long_type, idx));
}

static void fill_element(kd_nest *n, const kd_lanes *idx, void *user)
{
    const kd_op *op = user;
    kd_nest_write(n, kd_lower_tile(n->l, kd_op_result(op, 0))->buffer, kd_sort_tile(op)->type, idx, kd_nest_eval(n, kd_sort_tile(op), idx));
}

void kd_lower_sort(kd_lower *l, kd_op *op)
{
    kd_nest *n = l->nest;
    const kd_type *type = kd_sort_tile(op)->type, *result = kd_op_result(op, 0)->type;
    kd_tile *sorted = kd_lower_tile(l, kd_op_result(op, 0));
    kd_group_flush(l);
    sorted->buffer = kd_lower_new_buffer(l, type);
    kd_space space = kd_space_of(l, type, false, KD_ANY_ORDER);
    kd_space_run(n, &space, fill_element, op);
    int64_t count = type->shape[type->rank - 1], lines = type->n_elems / count;
    kd_lanes line = kd_nest_const(n, l->i64, 0);
    if (lines > 1) {
        kd_value *counter = kd_nest_open(n, type->n_elems, count, NULL, 0);
        line = kd_lanes_uniform(counter, n->depth);
    }
    for (int64_t size = 2; size <= count; size *= 2)
        for (int64_t stride = size / 2; stride > 0; stride /= 2)
            run_stage(n, (stage){.buffer = sorted->buffer, .elem = kd_type_elem(type), .n = count, .size = size, .stride = stride,
                                 .descending = kd_sort_descending(op)}, line);
    if (lines > 1)
        kd_nest_close(n, NULL, 0);
    if (result == type)
        return;
    prefix_copy copy = {sorted->buffer, kd_lower_new_buffer(l, result), type, result};
    space = kd_space_of(l, result, false, KD_LAST_AXIS_WHOLE);
    kd_space_run(n, &space, copy_element, &copy);
    sorted->buffer = copy.to;
}

/* ---- histogram ---- */

static void count_element(kd_nest *n, const kd_lanes *idx, void *user)
{
    const kd_op *op = user;
    kd_value *result = kd_op_result(op, 0), *buffer = kd_lower_tile(n->l, result)->buffer;
    kd_lanes v = kd_nest_cast(n, kd_nest_eval(n, kd_histogram_tile(op), idx), n->l->i64), zero = kd_nest_const(n, n->l->i64, 0);
    kd_attr lt[KD_MAX_ATTR_INFOS] = {{.as_kd_pred = KD_PRED_LT}}, ge[KD_MAX_ATTR_INFOS] = {{.as_kd_pred = KD_PRED_GE}};
    kd_lanes inside = kd_nest_apply(n, KD_OP_cmp, n->l->i1, lt, (kd_lanes[]){v, kd_nest_const(n, n->l->i64, result->type->n_elems)}, 2);
    inside = kd_nest_binary(n, KD_OP_and, inside, kd_nest_apply(n, KD_OP_cmp, n->l->i1, ge, (kd_lanes[]){v, zero}, 2));
    if (kd_histogram_mask(op))
        inside = kd_nest_binary(n, KD_OP_and, inside, kd_nest_eval(n, kd_histogram_mask(op), idx));
    kd_lanes at = kd_nest_apply(n, KD_OP_select, n->l->i64, NULL, (kd_lanes[]){inside, v, zero}, 3);
    at.depth = n->depth;
    kd_lanes old = kd_nest_read(n, buffer, result->type, &at);
    kd_nest_write(n, buffer, result->type, &at, kd_nest_binary(n, KD_OP_add, old, kd_nest_cast(n, inside, kd_type_elem(result->type))));
}

static void clear_element(kd_nest *n, const kd_lanes *idx, void *user)
{
    kd_value *result = user;
    kd_nest_write(n, kd_lower_tile(n->l, result)->buffer, result->type, idx, kd_nest_const(n, kd_type_elem(result->type), 0));
}

void kd_lower_histogram(kd_lower *l, kd_op *op)
{
    kd_value *result = kd_op_result(op, 0);
    if (kd_lower_tile(l, kd_histogram_tile(op))->cost > 2)
        kd_lower_keep(l, kd_histogram_tile(op));
    kd_group_flush(l);
    kd_lower_tile(l, result)->buffer = kd_lower_new_buffer(l, result->type);
    kd_space clear = kd_space_of(l, result->type, false, KD_ANY_ORDER), count = kd_space_of(l, kd_histogram_tile(op)->type, true, KD_ANY_ORDER);
    kd_space_run(l->nest, &clear, clear_element, result);
    kd_space_run(l->nest, &count, count_element, op);
}

/* ---- element by element ---- */

static void map_element(kd_nest *n, const kd_lanes *idx, void *user)
{
    kd_op *op = user;
    kd_lanes *args = kd_arena_array(n->l->arena, kd_lanes, op->n_operands + op->n_results);
    for (unsigned i = 0; i < op->n_operands; i++)
        args[i] = kd_nest_eval(n, kd_op_operand(op, i), idx);
    kd_nest_apply_region(n, kd_op_region(op, 0), args, args + op->n_operands);
    for (unsigned i = 0; i < op->n_results; i++) {
        kd_value *result = kd_op_result(op, i);
        kd_nest_write(n, kd_lower_tile(n->l, result)->buffer, result->type, idx, args[op->n_operands + i]);
    }
}

void kd_lower_map(kd_lower *l, kd_op *op)
{
    kd_group_flush(l);
    for (unsigned i = 0; i < op->n_results; i++)
        kd_lower_tile(l, kd_op_result(op, i))->buffer = kd_lower_new_buffer(l, kd_op_result(op, i)->type);
    kd_space s = kd_space_of(l, kd_op_operand(op, 0)->type, true, KD_ANY_ORDER);
    kd_space_run(l->nest, &s, map_element, op);
}

static void atomic_element(kd_nest *n, const kd_lanes *idx, void *user)
{
    kd_op *op = user;
    kd_value *operands[3] = {0};
    for (unsigned i = 0; i < op->n_operands; i++)
        operands[i] = kd_op_operand(op, i) ? kd_nest_eval(n, kd_op_operand(op, i), idx).v : NULL;
    kd_value *result = kd_op_result(op, 0);
    n->loc = op->loc;
    kd_value *old = kd_nest_put(n, n->depth, op->code, kd_type_elem(result->type), operands, op->n_operands, op->attrs);
    if (kd_value_has_uses(result))
        kd_nest_write(n, kd_lower_tile(n->l, result)->buffer, result->type, idx, kd_lanes_uniform(old, n->depth));
}

void kd_lower_atomic(kd_lower *l, kd_op *op)
{
    kd_value *result = kd_op_result(op, 0);
    for (unsigned i = 0; i < op->n_operands; i++) /* dear values in vectors first */
        if (kd_op_operand(op, i) && kd_lower_tile(l, kd_op_operand(op, i))->cost > 25)
            kd_lower_keep(l, kd_op_operand(op, i));
    kd_group_flush(l);
    if (kd_value_has_uses(result))
        kd_lower_tile(l, result)->buffer = kd_lower_new_buffer(l, result->type);
    kd_space s = kd_space_of(l, result->type, true, KD_ANY_ORDER);
    kd_space_run(l->nest, &s, atomic_element, op);
}

typedef struct report {
    kd_op *op;
    kd_value *value;
} report;

static void report_element(kd_nest *n, const kd_lanes *idx, void *user)
{
    const report *r = user;
    kd_op *op = r->op;
    kd_value *operands[1 + KD_MAX_RANK];
    n->loc = op->loc;
    if (op->code == KD_OP_assert) {
        kd_lanes ok = kd_nest_eval(n, kd_assert_condition(op), idx);
        if (kd_assert_mask(op)) {
            kd_lanes off = kd_nest_binary(n, KD_OP_xor, kd_nest_eval(n, kd_assert_mask(op), idx), kd_nest_const(n, n->l->i1, 1));
            ok = kd_nest_binary(n, KD_OP_or, ok, off);
        }
        operands[0] = ok.v, operands[1] = NULL;
        n->loc = op->loc;
        kd_nest_put_op(n, n->depth, KD_OP_assert, operands, 2, op->attrs);
        return;
    }
    kd_lanes v = kd_nest_eval(n, r->value, idx);
    const kd_type *elem = v.v->type;
    if (elem->kind == KD_TYPE_SCALAR && kd_scalar_is_float(elem->scalar) && kd_scalar_bits(elem->scalar) < 32 && !kd_print_hex(op))
        v = kd_nest_cast(n, v, n->l->f32);
    if (kd_print_hex(op) && elem->kind == KD_TYPE_SCALAR && kd_scalar_is_float(elem->scalar)) {
        kd_scalar bits = kd_scalar_bits(elem->scalar) == 8 ? KD_U8 : kd_scalar_bits(elem->scalar) == 16 ? KD_U16 : kd_scalar_bits(elem->scalar) == 32 ? KD_U32 : KD_U64;
        v = kd_nest_apply(n, KD_OP_bitcast, kd_type_scalar(n->l->ctx, bits), NULL, &v, 1);
    }
    operands[0] = v.v;
    for (unsigned i = 0; i < r->value->type->rank; i++)
        operands[1 + i] = idx[i].v;
    kd_attr attrs[KD_MAX_ATTR_INFOS] = {{.as_kd_text = kd_print_prefix(op)}, {.as_kd_flag = kd_print_hex(op)}};
    kd_nest_put_op(n, n->depth, KD_OP_cpu_print, operands, 1 + r->value->type->rank, attrs);
}

void kd_lower_report(kd_lower *l, kd_op *op)
{
    kd_group_flush(l);
    unsigned n_values = op->code == KD_OP_assert ? 1 : op->n_operands;
    if (op->code == KD_OP_print && !n_values) {
        kd_attr attrs[KD_MAX_ATTR_INFOS] = {{.as_kd_text = kd_print_prefix(op)}};
        kd_nest_put_op(l->nest, 0, KD_OP_cpu_print, NULL, 0, attrs);
    }
    for (unsigned i = 0; i < n_values; i++) {
        report r = {op, kd_op_operand(op, i)};
        kd_space s = kd_space_of(l, r.value->type, true, KD_ANY_ORDER);
        kd_space_run(l->nest, &s, report_element, &r);
    }
}
