/* simt.c - from tiles with layouts to one work-item: the walk over the ops, and control flow. See lower.h for the parts. */
#include "targets/gpu/simt.h"

#include "base/bug.h"
#include "passes/pass.h"
#include "targets/gpu/lower.h"

/* ---- values ---- */

kd_value **kd_simt_array(kd_simt *s, unsigned n)
{
    return kd_arena_array(s->arena, kd_value *, n);
}

unsigned kd_simt_n_regs(const kd_type *type)
{
    return type->layout ? kd_layout_n_registers(type->layout) : 1;
}

kd_value **kd_simt_regs(kd_simt *s, const kd_value *value)
{
    kd_value **regs = kd_map_get_ptr(&s->regs, value);
    KD_ASSERT(regs);
    return regs;
}

void kd_simt_set(kd_simt *s, const kd_value *value, kd_value **regs)
{
    *kd_map_at_ptr(&s->regs, value) = regs;
}

kd_value **kd_simt_regs_as(kd_simt *s, const kd_value *value, const kd_layout *layout)
{
    kd_value **regs = kd_simt_regs(s, value);
    if (!value->type->layout) {
        kd_value **all = kd_simt_array(s, kd_layout_n_registers(layout));
        for (unsigned r = 0; r < kd_layout_n_registers(layout); r++)
            all[r] = regs[0];
        return all;
    }
    if (kd_simt_full(s, value->type->layout) == kd_simt_full(s, layout))
        return regs;
    kd_value **out = kd_simt_array(s, kd_layout_n_registers(layout));
    kd_simt_convert(s, kd_type_elem(value->type), value->type->layout, regs, layout, out);
    return out;
}

void kd_simt_set_from(kd_simt *s, const kd_value *value, const kd_layout *layout, kd_value **regs)
{
    const kd_layout *wanted = kd_simt_layout(s, value->type);
    if (kd_simt_full(s, layout) != wanted) {
        kd_value **out = kd_simt_array(s, kd_layout_n_registers(wanted));
        kd_simt_convert(s, kd_type_elem(value->type), layout, regs, wanted, out);
        regs = out;
    }
    kd_simt_set(s, value, regs);
}

/* ---- elementwise ops ---- */

/* A register whose operands are those of an earlier one (the copies that broadcasts make) needs no op of its own. */
static kd_value *done_before(kd_value ***operands, unsigned n_operands, kd_value *const *done, unsigned r)
{
    for (unsigned bits = r; bits; bits &= bits - 1) {
        unsigned other = r & ~(bits & -bits), i = 0;
        while (i < n_operands && operands[i][r] == operands[i][other])
            i++;
        if (i == n_operands)
            return done[other];
    }
    return NULL;
}

static void lower_elementwise(kd_simt *s, const kd_op *op)
{
    const kd_value *result = kd_op_result(op, 0);
    const kd_type *elem = kd_type_elem(result->type);
    const kd_layout *layout = kd_simt_layout(s, result->type);
    unsigned n = kd_simt_n_regs(result->type);
    kd_value ***operands = kd_arena_array(s->arena, kd_value **, op->n_operands + 1), **out = kd_simt_array(s, n), *at[4];
    KD_ASSERT(op->n_operands <= 4);
    for (unsigned i = 0; i < op->n_operands; i++)
        operands[i] = kd_simt_regs_as(s, kd_op_operand(op, i), layout);
    for (unsigned r = 0; r < n; r++) {
        for (unsigned i = 0; i < op->n_operands; i++)
            at[i] = operands[i][r];
        kd_value *done = op->n_operands ? done_before(operands, op->n_operands, out, r) : r ? out[0] : NULL;
        out[r] = done ? done : kd_simt_apply(s, op->code, elem, op->attrs, at, op->n_operands);
    }
    kd_simt_set(s, result, out);
}

static void lower_map(kd_simt *s, const kd_op *op)
{
    const kd_type *type = op->n_operands ? kd_op_operand(op, 0)->type : kd_op_result(op, 0)->type;
    unsigned n = kd_simt_n_regs(type);
    kd_value **args = kd_simt_array(s, op->n_operands), **yields = kd_simt_array(s, op->n_results);
    kd_value ***in = kd_arena_array(s->arena, kd_value **, op->n_operands + 1),
             ***out = kd_arena_array(s->arena, kd_value **, op->n_results + 1);
    for (unsigned i = 0; i < op->n_operands; i++)
        in[i] = kd_simt_regs_as(s, kd_op_operand(op, i), kd_simt_layout(s, type));
    for (unsigned i = 0; i < op->n_results; i++)
        out[i] = kd_simt_array(s, n);
    for (unsigned r = 0; r < n && !s->failed; r++) {
        for (unsigned i = 0; i < op->n_operands; i++)
            args[i] = in[i][r];
        kd_simt_region(s, kd_op_region(op, 0), args, yields);
        for (unsigned i = 0; i < op->n_results; i++)
            out[i][r] = yields[i];
    }
    for (unsigned i = 0; i < op->n_results; i++)
        kd_simt_set_from(s, kd_op_result(op, i), kd_simt_layout(s, type), out[i]);
}

/* ---- control flow ---- */

typedef KD_VEC(kd_value *) value_list;
typedef KD_VEC(const kd_type *) type_list;

static void add_regs(kd_simt *s, value_list *list, const kd_value *value)
{
    kd_value **regs = kd_simt_regs(s, value);
    for (unsigned r = 0; r < kd_simt_n_regs(value->type); r++)
        kd_vec_push(s->arena, list, regs[r]);
}

static void add_types(kd_simt *s, type_list *list, const kd_type *type)
{
    for (unsigned r = 0; r < kd_simt_n_regs(type); r++)
        kd_vec_push(s->arena, list, kd_type_elem(type));
}

static void add_args(kd_simt *s, const kd_block *old, kd_block *fresh)
{
    for (unsigned i = 0; i < old->n_args; i++) {
        unsigned n = kd_simt_n_regs(old->args[i]->type);
        kd_value **regs = kd_simt_array(s, n);
        for (unsigned r = 0; r < n; r++)
            regs[r] = kd_block_add_arg(s->module, fresh, kd_type_elem(old->args[i]->type), old->args[i]->name);
        kd_simt_set(s, old->args[i], regs);
    }
}

/* The ops of a block, and its end. */
static void lower_body(kd_simt *s, kd_block *old)
{
    const kd_op *end = kd_block_terminator(old);
    value_list operands = {0};
    kd_simt_ops(s, old);
    for (unsigned i = 0; i < end->n_operands && !s->failed; i++)
        add_regs(s, &operands, kd_op_operand(end, i));
    s->loc = end->loc;
    kd_simt_put(s, end->code, NULL, end->attrs, operands.data, operands.n);
}

static void lower_block(kd_simt *s, kd_block *old, kd_block *fresh)
{
    kd_builder outer = s->b;
    add_args(s, old, fresh);
    s->b = kd_builder_at_end(s->module, fresh);
    lower_body(s, old);
    s->b = outer;
}

static void lower_control(kd_simt *s, const kd_op *op)
{
    value_list operands = {0};
    type_list types = {0};
    for (unsigned i = 0; i < op->n_operands; i++)
        add_regs(s, &operands, kd_op_operand(op, i));
    for (unsigned i = 0; i < op->n_results; i++)
        add_types(s, &types, kd_op_result(op, i)->type);
    kd_op *fresh = kd_build_op(&s->b, op->code, op->loc, operands.data, operands.n, types.data, types.n, op->attrs);
    for (unsigned i = 0; i < op->n_regions && !s->failed; i++)
        lower_block(s, op->regions[i], fresh->regions[i]);
    unsigned at = 0;
    for (unsigned i = 0; i < op->n_results; i++) {
        unsigned n = kd_simt_n_regs(kd_op_result(op, i)->type);
        kd_value **regs = kd_simt_array(s, n);
        for (unsigned r = 0; r < n; r++)
            regs[r] = kd_op_result(fresh, at++);
        kd_simt_set(s, kd_op_result(op, i), regs);
    }
}

/* ---- the walk ---- */

static bool check_size(kd_simt *s, const kd_op *op)
{
    for (unsigned i = 0; i < op->n_results; i++) {
        const kd_type *type = kd_op_result(op, i)->type;
        if (kd_simt_n_regs(type) <= KD_MAX_REGISTERS)
            continue;
        kd_error(
            s->diags, op->loc,
            "a tile of %lld elements is too large for %u sub-groups of %u lanes: %u elements in each lane, at most %d are possible",
            (long long)type->n_elems, s->config->n_sub_groups, s->config->sub_group_size, kd_simt_n_regs(type), KD_MAX_REGISTERS);
        kd_note(s->diags, op->loc, "use smaller tiles, or a larger num_warps");
        return false;
    }
    if (s->n_made <= KD_MAX_SIMT_OPS)
        return true;
    kd_error(s->diags, op->loc,
             "the code of one lane has more than %d operations: the tiles are too large for %u sub-groups of %u lanes",
             KD_MAX_SIMT_OPS, s->config->n_sub_groups, s->config->sub_group_size);
    kd_note(s->diags, op->loc, "use smaller tiles, or a larger num_warps");
    return false;
}

static void lower_op(kd_simt *s, kd_op *op)
{
    switch (op->code) {
    case KD_OP_for:
    case KD_OP_while:
    case KD_OP_if: lower_control(s, op); break;
    case KD_OP_call:
        kd_error(s->diags, op->loc, "'%.*s' calls itself: recursion has no form in compiled code", KD_STR_ARG(kd_call_callee(op)));
        s->failed = true;
        break;
    case KD_OP_assume: break;
    case KD_OP_gpu_prefetch: kd_simt_prefetch(s, op); break;
    case KD_OP_barrier: kd_build_gpu_barrier(&s->b, (kd_gpu_barrier_args){.loc = s->loc, .global = true}); break;
    case KD_OP_load: kd_simt_load(s, op); break;
    case KD_OP_block_load: kd_simt_block_load(s, op); break;
    case KD_OP_block_store: kd_simt_block_store(s, op); break;
    case KD_OP_store: kd_simt_store(s, op); break;
    case KD_OP_atomic:
    case KD_OP_atomic_cas: kd_simt_atomic(s, op); break;
    case KD_OP_reduce:
    case KD_OP_scan: kd_simt_fold(s, op); break;
    case KD_OP_sort: kd_simt_sort(s, op); break;
    case KD_OP_gather: kd_simt_gather(s, op); break;
    case KD_OP_histogram: kd_simt_histogram(s, op); break;
    case KD_OP_dot:
        if (!kd_simt_dpas(s, op))
            kd_simt_dot(s, op);
        break;
    case KD_OP_print:
    case KD_OP_assert: kd_simt_report(s, op); break;
    case KD_OP_map: lower_map(s, op); break;
    default:
        if (!kd_simt_shape(s, op))
            lower_elementwise(s, op);
        break;
    }
}

void kd_simt_ops(kd_simt *s, kd_block *block)
{
    KD_FOREACH_OP (op, block) {
        if (s->failed || kd_op_has(op, KD_TERMINATOR))
            return;
        s->loc = op->loc;
        if (kd_map_get_ptr(&s->fenced, op))
            kd_build_gpu_barrier(&s->b, (kd_gpu_barrier_args){.loc = s->loc, .global = true});
        if (check_size(s, op))
            lower_op(s, op);
        else
            s->failed = true;
    }
}

static bool lower_function(kd_simt *s, kd_op *func, kd_op *fresh)
{
    kd_block *old = kd_op_region(func, 0), *body = kd_op_region(fresh, 0);
    add_args(s, old, body);
    if (body->n_args != old->n_args) /* tiles: a helper */
        kd_func_set_divisibility(fresh, (kd_ints){NULL, 0});
    s->b = kd_builder_at_end(s->module, body);
    s->loc = func->loc;
    s->lane_id = kd_result(kd_simt_put(s, KD_OP_gpu_lane_id, s->i32, NULL, NULL, 0));
    s->sub_group_id = kd_result(kd_simt_put(s, KD_OP_gpu_sub_group_id, s->i32, NULL, NULL, 0));
    s->prologue_end = s->sub_group_id->def;
    kd_simt_order(s, func);
    lower_body(s, old);
    return !s->failed;
}

/* A status parameter for asserts needs an entry in the list of divisibilities. */
static void extend_divisibility(kd_simt *s, kd_op *func)
{
    kd_ints old = kd_func_divisibility(func);
    if (!old.n)
        return;
    int64_t *data = kd_arena_array(s->module->arena, int64_t, old.n + 1);
    memcpy(data, old.data, old.n * sizeof *data);
    kd_func_set_divisibility(func, (kd_ints){data, old.n + 1});
}

bool kd_lower_to_simt(kd_module *module, kd_op *func, const kd_gpu_config *config, kd_diags *diags, kd_arena *arena,
                      kd_simt_result *out)
{
    kd_context *ctx = module->ctx;
    kd_simt *s = kd_arena_new(arena, kd_simt);
    *s = (kd_simt){.module = module,
                   .ctx = ctx,
                   .arena = arena,
                   .diags = diags,
                   .config = config,
                   .axis_info = kd_axis_info_compute(arena, func),
                   .fenced = kd_map_in(arena),
                   .regs = kd_map_in(arena),
                   .made = kd_map_in(arena),
                   .i1 = kd_type_scalar(ctx, KD_I1),
                   .i32 = kd_type_scalar(ctx, KD_I32),
                   .i64 = kd_type_scalar(ctx, KD_I64),
                   .f32 = kd_type_scalar(ctx, KD_F32),
                   .f64 = kd_type_scalar(ctx, KD_F64)};
    kd_builder b = kd_builder_before(module, func);
    kd_op *fresh = kd_build_op(&b, KD_OP_func, func->loc, NULL, 0, NULL, 0, func->attrs);
    if (!lower_function(s, func, fresh)) {
        kd_op_erase(fresh);
        return false;
    }
    if (s->status)
        extend_divisibility(s, fresh);
    kd_simt_fold_packs(module, fresh, arena);
    kd_pass_ctx px = {.module = module, .scratch = arena, .diags = diags, .gpu = config};
    kd_pass_sink_into_loops(&px, fresh);
    kd_pass_sink_loads(&px, fresh); /* before barriers are put between accesses of SLM */
    uint64_t slm_bytes = kd_slm_assign(module, fresh, arena);
    if (slm_bytes > config->device->slm_bytes) {
        kd_error(diags, func->loc, "the kernel needs %llu KiB of shared local memory, but %s has %u KiB for a work-group",
                 (unsigned long long)(slm_bytes + 1023) >> 10, config->device->description, config->device->slm_bytes >> 10);
        kd_note(diags, func->loc, "use smaller tiles");
        kd_op_erase(fresh);
        return false;
    }
    kd_op_erase(func);
    *out = (kd_simt_result){.slm_bytes = (uint32_t)slm_bytes, .messages = s->messages.data, .n_messages = s->messages.n};
    return true;
}
