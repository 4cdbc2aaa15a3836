/* lower.c - rewrites a kernel from tiles to loops over vectors: the walk over its blocks. See lower.h for the parts. */
#include "targets/cpu/lower.h"

#include "base/bug.h"

kd_tile *kd_lower_tile(kd_lower *l, const kd_value *value)
{
    void **at = kd_map_at_ptr(&l->tiles, value);
    if (!*at)
        *at = kd_arena_new(l->arena, kd_tile);
    return *at;
}

kd_value *kd_lower_scalar(kd_lower *l, const kd_value *value)
{
    return kd_map_get_ptr(&l->scalars, value);
}

void kd_lower_set_scalar(kd_lower *l, const kd_value *value, kd_value *now)
{
    *kd_map_at_ptr(&l->scalars, value) = now;
}

kd_value *kd_lower_new_buffer(kd_lower *l, const kd_type *tile)
{
    const kd_type *type = kd_type_buffer(l->ctx, tile->elem, tile->rank, tile->shape);
    kd_nest *n = l->nest;
    kd_op *op = kd_build_op(&n->at[0], KD_OP_cpu_buffer, n->loc, NULL, 0, &type, 1, NULL);
    return kd_op_result(op, 0);
}

/* Products are made in the type of the sums: operands become casts, placed where the operand is made, so that one made outside a loop is
 * converted outside. */
static void widen_dot_operand(kd_lower *l, kd_op *dot, unsigned i)
{
    kd_value *v = kd_op_operand(dot, i);
    kd_op *permute = kd_value_def_as(v, KD_OP_permute);
    kd_scalar from = kd_type_elem(v->type)->scalar;
    kd_scalar to = kd_scalar_is_int(from) ? KD_I32 : from == KD_F64 ? KD_F64 : KD_F32;
    if (from == to)
        return;
    kd_builder b = v->def ? kd_builder_after(l->module, v->def) : kd_builder_at_end(l->module, v->owner);
    if (!v->def)
        b.before = v->owner->first;
    kd_value *from_value = permute ? kd_permute_tile(permute) : v;
    kd_value *wide = kd_result(kd_build_cast(&b, (kd_cast_args){.loc = dot->loc, .value = from_value,
                                                               .type = kd_type_with_scalar(l->ctx, from_value->type, to)}));
    if (permute) /* converted on the way through the registers */
        wide = kd_result(kd_build_permute(&b, (kd_permute_args){.loc = permute->loc, .tile = wide, .order = kd_permute_order(permute),
                                                                .type = kd_type_with_scalar(l->ctx, v->type, to)}));
    kd_op_set_operand(dot, i, wide);
}

static void widen_dots(kd_op *op, void *user)
{
    if (op->code == KD_OP_dot)
        for (unsigned i = 0; i < 2; i++)
            widen_dot_operand(user, op, i);
}

/* ---- scalars ---- */

static void lower_scalar_op(kd_lower *l, kd_op *op)
{
    kd_nest *n = l->nest;
    kd_lanes operands[4];
    kd_value *values[4];
    if (op->code == KD_OP_assume)
        return;
    KD_ASSERT(op->n_operands <= 4);
    for (unsigned i = 0; i < op->n_operands; i++) {
        values[i] = kd_op_operand(op, i) ? kd_lower_scalar(l, kd_op_operand(op, i)) : NULL;
        operands[i] = kd_lanes_uniform(values[i], 0);
    }
    if (op->code == KD_OP_hint) {
        kd_lower_set_scalar(l, kd_op_result(op, 0), values[0]);
    } else if (op->code == KD_OP_map) {
        kd_lanes results[16];
        KD_ASSERT(op->n_results <= 16);
        kd_nest_apply_region(n, kd_op_region(op, 0), operands, results);
        for (unsigned i = 0; i < op->n_results; i++)
            kd_lower_set_scalar(l, kd_op_result(op, i), results[i].v);
    } else if (op->n_results == 0) {
        kd_nest_put_op(n, 0, op->code, values, op->n_operands, op->attrs);
    } else if (op->n_operands && kd_op_has(op, KD_PURE | KD_ELEMENTWISE)) {
        kd_lower_set_scalar(l, kd_op_result(op, 0), kd_nest_apply(n, op->code, kd_op_result(op, 0)->type, op->attrs, operands, op->n_operands).v);
    } else {
        kd_lower_set_scalar(l, kd_op_result(op, 0), kd_nest_put(n, 0, op->code, kd_op_result(op, 0)->type, values, op->n_operands, op->attrs));
    }
}

/* Scalars out of tiles of one or two elements. */
static void lower_element(kd_lower *l, kd_op *op)
{
    kd_nest *n = l->nest;
    kd_lanes idx[KD_MAX_RANK];
    kd_group_flush(l);
    for (unsigned r = 0; r < op->n_results; r++) {
        for (unsigned i = 0; i < kd_op_operand(op, 0)->type->rank; i++)
            idx[i] = kd_nest_const(n, l->i64, i + 1 == kd_op_operand(op, 0)->type->rank ? r : 0);
        kd_lower_set_scalar(l, kd_op_result(op, r), kd_nest_eval(n, kd_op_operand(op, 0), idx).v);
    }
}

/* ---- tiles ---- */

static void lower_reduce(kd_lower *l, kd_op *op)
{
    if (!kd_reduce_is_simple(op)) {
        kd_lower_scan(l, op);
        return;
    }
    for (unsigned i = 0; i < op->n_results; i++)
        if (kd_op_result(op, i)->type->kind == KD_TYPE_TILE)
            kd_lower_tile(l, kd_op_result(op, i))->buffer = kd_lower_new_buffer(l, kd_op_result(op, i)->type);
    kd_group_add(l, (kd_action){.op = op});
}

static void lower_action(kd_lower *l, kd_op *op)
{
    switch (op->code) {
    case KD_OP_store:
        kd_group_add(l, (kd_action){.op = op});
        break;
    case KD_OP_reduce:
        lower_reduce(l, op);
        break;
    case KD_OP_scan:
        kd_lower_scan(l, op);
        break;
    case KD_OP_dot:
        kd_lower_dot(l, op);
        break;
    case KD_OP_sort:
        kd_lower_sort(l, op);
        break;
    case KD_OP_histogram:
        kd_lower_histogram(l, op);
        break;
    case KD_OP_map:
        kd_lower_map(l, op);
        break;
    case KD_OP_atomic:
    case KD_OP_atomic_cas:
        kd_lower_atomic(l, op);
        break;
    default:
        KD_UNREACHABLE();
    }
}

static bool touches_tiles(const kd_op *op)
{
    for (unsigned i = 0; i < op->n_operands; i++)
        if (kd_op_operand(op, i) && kd_op_operand(op, i)->type->kind == KD_TYPE_TILE)
            return true;
    return op->n_results && kd_op_result(op, 0)->type->kind == KD_TYPE_TILE;
}

static void lower_op(kd_lower *l, kd_op *op)
{
    l->nest->loc = op->loc;
    bool tiles = touches_tiles(op);
    if (op->code == KD_OP_for || op->code == KD_OP_while || op->code == KD_OP_if) {
        kd_group_flush(l);
        kd_lower_control(l, op);
    } else if (op->code == KD_OP_print || op->code == KD_OP_assert) {
        kd_lower_report(l, op);
    } else if (op->code == KD_OP_call) {
        kd_error(l->diags, op->loc, "'%.*s' calls itself: recursion has no form in compiled code", KD_STR_ARG(kd_call_callee(op)));
        l->failed = true;
    } else if (!tiles) {
        if (kd_group_blocks(l, op))
            kd_group_flush(l);
        lower_scalar_op(l, op);
    } else if (kd_lower_is_action(op)) {
        lower_action(l, op);
    } else if (op->n_results && kd_op_result(op, 0)->type->kind != KD_TYPE_TILE) {
        lower_element(l, op);
    } else {
        for (unsigned i = 0; i < op->n_results; i++)
            if (kd_lower_tile(l, kd_op_result(op, i))->keep && kd_value_has_uses(kd_op_result(op, i)))
                kd_lower_keep(l, kd_op_result(op, i));
    }
}

void kd_lower_ops(kd_lower *l, kd_block *block)
{
    KD_FOREACH_OP (op, block)
        if (!l->failed && !kd_op_has(op, KD_TERMINATOR))
            lower_op(l, op);
    kd_group_flush(l);
}

bool kd_lower_to_loops(kd_module *module, kd_op *func, const kd_machine *machine, const kd_codegen_options *options, kd_diags *diags,
                       kd_arena *arena)
{
    kd_context *ctx = module->ctx;
    kd_lower *l = kd_arena_new(arena, kd_lower);
    *l = (kd_lower){.module = module, .ctx = ctx, .arena = arena, .diags = diags, .machine = machine, .fuse = !options->no_fusion,
                    .disjoint = options->assume_disjoint, .lanes = machine->vector_bytes / 4, .scalars = kd_map_in(arena),
                    .tiles = kd_map_in(arena), .func = func, .i1 = kd_type_scalar(ctx, KD_I1), .i32 = kd_type_scalar(ctx, KD_I32),
                    .i64 = kd_type_scalar(ctx, KD_I64), .f32 = kd_type_scalar(ctx, KD_F32), .f64 = kd_type_scalar(ctx, KD_F64)};
    kd_op_walk(func, widen_dots, l);
    if (l->fuse) {
        kd_lower_induction(l, kd_op_region(func, 0));
        kd_lower_orient(l, func);
    }
    kd_lower_plan(l, func);
    kd_builder b = kd_builder_before(module, func);
    kd_op *fresh = kd_build_op(&b, KD_OP_func, func->loc, NULL, 0, NULL, 0, func->attrs);
    kd_block *old = kd_op_region(func, 0), *body = kd_op_region(fresh, 0);
    for (unsigned i = 0; i < old->n_args; i++)
        kd_lower_set_scalar(l, old->args[i], kd_block_add_arg(module, body, old->args[i]->type, old->args[i]->name));
    l->nest = kd_nest_create(l, body);
    kd_lower_ops(l, old);
    if (l->failed) {
        kd_op_erase(fresh);
        return false;
    }
    kd_nest_put_op(l->nest, 0, KD_OP_return, NULL, 0, NULL);
    kd_op_erase(func);
    return true;
}
