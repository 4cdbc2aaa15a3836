/* inline.c - put the bodies of functions in the place of their calls.
 *
 *     func @twice(%x: f32) -> f32 { %y = kd.add %x, %x : f32  kd.return %y }
 *     %b = kd.call @twice %a : f32          ==>   %b = kd.add %a, %a : f32
 *
 * Callees first, so that each body is copied when it has no calls left; the last call of a helper takes the body itself. Functions that
 * were called and are no kernels go away.
 * Fails:  where functions call each other in a circle (front ends report that before), or the module would get more than max_ops ops.
 * Cost:   the size of the result. */
#include "base/map.h"
#include "base/vec.h"
#include "ir/builder.h"
#include "passes/pass.h"

typedef enum visit_state { NEW, OPEN, DONE } visit_state;

typedef struct node {
    kd_op *func;
    KD_VEC(kd_op *) calls; /* in it */
    unsigned n_calls_to;   /* left to inline */
    unsigned n_ops;
    visit_state state;
    unsigned next_call; /* while it is open */
    bool was_called;
} node;

typedef struct inliner {
    kd_pass_ctx *px;
    kd_map nodes; /* name -> node */
    unsigned n_ops; /* in the module */
} inliner;

static node *node_of(const inliner *in, const kd_op *call)
{
    return kd_map_get(&in->nodes, kd_call_callee(call));
}

typedef struct gatherer {
    kd_arena *arena;
    node *node;
} gatherer;

static void gather_op(kd_op *op, void *user)
{
    gatherer *g = user;
    g->node->n_ops++;
    if (op->code == KD_OP_call)
        kd_vec_push(g->arena, &g->node->calls, op);
}

/* Then the body itself can move: nobody needs it any more. */
static bool is_last_call(const node *callee)
{
    return callee->n_calls_to == 1 && !kd_func_kernel(callee->func);
}

static void inline_call(inliner *in, node *callee, kd_op *call)
{
    kd_block *body = callee->func->regions[0];
    kd_op *end = body->last;
    if (is_last_call(callee)) {
        for (unsigned i = 0; i < body->n_args; i++)
            kd_value_replace_uses(body->args[i], kd_op_operand(call, i));
        while (body->first != end)
            kd_op_move_before(body->first, call);
        for (unsigned i = 0; i < call->n_results; i++)
            kd_value_replace_uses(kd_op_result(call, i), kd_op_operand(end, i));
    } else {
        kd_value_map *map = kd_value_map_create(in->px->scratch);
        for (unsigned i = 0; i < body->n_args; i++)
            kd_value_map_set(map, body->args[i], kd_op_operand(call, i));
        kd_builder b = kd_builder_before(in->px->module, call);
        kd_clone_block_ops(&b, body, map, false);
        for (unsigned i = 0; i < call->n_results; i++)
            kd_value_replace_uses(kd_op_result(call, i), kd_value_map_get(map, kd_op_operand(end, i)));
    }
    callee->n_calls_to--;
    kd_op_erase(call);
}

/* All functions that this one calls are done: their bodies have no calls. */
static bool inline_calls(inliner *in, node *caller)
{
    for (unsigned i = 0; i < caller->calls.n; i++) {
        kd_op *call = caller->calls.data[i];
        node *callee = node_of(in, call);
        if (!callee)
            continue; /* not in this module */
        callee->was_called = true;
        in->n_ops += is_last_call(callee) ? 0 : callee->n_ops;
        caller->n_ops += callee->n_ops;
        if (in->n_ops > in->px->max_ops) {
            kd_str name = kd_func_name(caller->func);
            kd_error(in->px->diags, call->loc, "with this call inlined, the code has more than %u operations", in->px->max_ops);
            kd_note(in->px->diags, caller->func->loc, "while inlining into '%.*s'", KD_STR_ARG(name));
            return false;
        }
        inline_call(in, callee, call);
    }
    return true;
}

static bool report_circle(inliner *in, const node *callee, const kd_op *call)
{
    kd_str name = kd_func_name(callee->func);
    kd_error(in->px->diags, call->loc, "'%.*s' calls itself, directly or through other functions", KD_STR_ARG(name));
    return false;
}

/* Depth first without recursion of our own: call chains may be long. */
static bool visit(inliner *in, node *root)
{
    KD_VEC(node *) stack = {0};
    if (root->state == NEW) {
        root->state = OPEN;
        kd_vec_push(in->px->scratch, &stack, root);
    }
    while (stack.n) {
        node *at = kd_vec_last(&stack);
        if (at->next_call == at->calls.n) {
            if (!inline_calls(in, at))
                return false;
            at->state = DONE;
            stack.n--;
            continue;
        }
        kd_op *call = at->calls.data[at->next_call++];
        node *callee = node_of(in, call);
        if (callee && callee->state == OPEN)
            return report_circle(in, callee, call);
        if (callee && callee->state == NEW) {
            callee->state = OPEN;
            kd_vec_push(in->px->scratch, &stack, callee);
        }
    }
    return true;
}

kd_pass_result kd_pass_inline(kd_pass_ctx *px, kd_op *module)
{
    inliner in = {.px = px, .nodes = kd_map_in(px->scratch)};
    KD_FOREACH_OP (func, module->regions[0]) {
        node *n = kd_arena_new(px->scratch, node);
        n->func = func;
        *kd_map_at(&in.nodes, kd_func_name(func)) = n;
        kd_op_walk(func, gather_op, &(gatherer){px->scratch, n});
        in.n_ops += n->n_ops;
    }
    bool any = false;
    for (unsigned i = 0; i < in.nodes.n_entries; i++) {
        const node *caller = in.nodes.entries[i].value;
        for (unsigned k = 0; k < caller->calls.n; k++) {
            node *callee = node_of(&in, caller->calls.data[k]);
            if (callee) {
                callee->n_calls_to++;
                any = true;
            }
        }
    }
    for (unsigned i = 0; i < in.nodes.n_entries; i++)
        if (!visit(&in, in.nodes.entries[i].value))
            return KD_PASS_FAILED;
    for (unsigned i = 0; i < in.nodes.n_entries; i++) {
        const node *n = in.nodes.entries[i].value;
        if (n->was_called && !kd_func_kernel(n->func))
            kd_op_erase(n->func);
    }
    return any ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
