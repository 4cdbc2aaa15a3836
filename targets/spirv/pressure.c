/* pressure.c - how many registers a kernel needs: each value lives from its definition to its last use (in a loop that it comes from
 * outside of, to the loop's end), and the most that live at once count. One walk to number the ops, one over the uses, one over the numbers. */
#include "targets/spirv/pressure.h"

#include "base/map.h"

enum { ERF_VALUES = 8 }; /* that erf has in registers: measured, gelu on dg2 */

typedef struct numbering {
    kd_map starts, ends; /* ops to their number, and to the last one of their regions */
    kd_map uniform; /* values that are the same in all lanes */
    unsigned next;
} numbering;

static bool is_uniform(numbering *n, const kd_value *v)
{
    return kd_map_get_ptr(&n->uniform, v) != NULL;
}

static bool makes_uniform(numbering *n, const kd_op *op)
{
    if (op->code == KD_OP_gpu_lane_id || !kd_op_has(op, KD_PURE))
        return false;
    for (unsigned i = 0; i < op->n_operands; i++)
        if (!is_uniform(n, op->operands[i].value))
            return false;
    return true;
}

static void number_block(numbering *n, const kd_block *block)
{
    KD_FOREACH_OP (op, block) {
        *kd_map_at_ptr(&n->starts, op) = (void *)(uintptr_t)++n->next;
        for (unsigned i = 0; i < op->n_results && makes_uniform(n, op); i++)
            *kd_map_at_ptr(&n->uniform, kd_op_result(op, i)) = n;
        for (unsigned r = 0; r < op->n_regions; r++)
            number_block(n, kd_op_region(op, r));
        *kd_map_at_ptr(&n->ends, op) = (void *)(uintptr_t)n->next;
    }
}

static unsigned number_of(const kd_map *map, const kd_op *op)
{
    return (unsigned)(uintptr_t)kd_map_get_ptr(map, op);
}

/* The number at which the value is last needed. */
static unsigned last_use(numbering *n, const kd_value *v, const kd_block *home, unsigned born)
{
    unsigned last = born;
    for (const kd_use *use = v->uses; use; use = use->next) {
        const kd_op *op = use->user;
        while (op->block != home && op->block->parent)
            op = op->block->parent;
        unsigned at = number_of(op == use->user ? &n->starts : &n->ends, op); /* what a loop starts from is gone when it runs */
        last = at > last ? at : last;
    }
    return last;
}

static bool only_addresses(const kd_value *v)
{
    for (const kd_use *use = v->uses; use; use = use->next)
        if (use->user->code != KD_OP_addptr && use->user->code != KD_OP_cmp)
            return false;
    return true;
}

/* Read in a loop that it comes from outside of. */
static bool crosses_loop(const kd_value *v)
{
    const kd_block *home = v->def ? v->def->block : v->owner;
    for (const kd_use *use = v->uses; use; use = use->next)
        for (const kd_block *at = use->user->block; at != home; at = at->parent->block)
            if (at->parent->code == KD_OP_for || at->parent->code == KD_OP_while)
                return true;
    return false;
}

static unsigned bytes_of(const kd_value *v)
{
    const kd_type *elem = kd_type_elem(v->type);
    if (v->type->kind == KD_TYPE_BUFFER || elem->kind == KD_TYPE_PTR || elem->scalar == KD_I1)
        return 0;
    if (!kd_scalar_is_float(elem->scalar) && only_addresses(v) && !crosses_loop(v))
        return 0;
    unsigned bits = kd_scalar_bits(elem->scalar);
    return (unsigned)v->type->n_elems * (bits < 16 ? 2 : bits / 8);
}

static void add_value(numbering *n, int64_t *changes, const kd_value *v, const kd_block *home, unsigned born)
{
    unsigned bytes = is_uniform(n, v) ? 0 : bytes_of(v);
    if (!bytes)
        return;
    changes[born] += bytes;
    changes[last_use(n, v, home, born)] -= bytes;
}

/* The error function is polynomials with many coefficients in Intel's compiler. */
static void add_own(int64_t *changes, const kd_op *op, unsigned at)
{
    if (op->code != KD_OP_math || kd_math_fn(op) != KD_MATH_erf)
        return;
    int64_t bytes = (int64_t)ERF_VALUES * bytes_of(kd_op_result(op, 0));
    changes[at] += bytes;
    changes[at + 1] -= bytes; /* there is one more than there are ops */
}

static void add_block(numbering *n, int64_t *changes, const kd_block *block, unsigned *at)
{
    for (unsigned i = 0; i < block->n_args; i++)
        add_value(n, changes, block->args[i], block, *at);
    KD_FOREACH_OP (op, block) {
        ++*at;
        add_own(changes, op, *at);
        for (unsigned r = 0; r < op->n_regions; r++)
            add_block(n, changes, kd_op_region(op, r), at);
        for (unsigned i = 0; i < op->n_results; i++)
            add_value(n, changes, kd_op_result(op, i), block, *at);
    }
}

uint64_t kd_register_pressure(const kd_op *func, kd_arena *scratch)
{
    numbering n = {.starts = kd_map_in(scratch), .ends = kd_map_in(scratch), .uniform = kd_map_in(scratch)};
    const kd_block *body = kd_op_region(func, 0);
    for (unsigned i = 0; i < body->n_args; i++)
        *kd_map_at_ptr(&n.uniform, body->args[i]) = &n;
    number_block(&n, body);
    int64_t *changes = kd_arena_array(scratch, int64_t, n.next + 2), alive = 0, most = 0;
    unsigned at = 0;
    add_block(&n, changes, body, &at);
    for (unsigned i = 0; i <= n.next; i++) {
        alive += changes[i];
        most = alive > most ? alive : most;
    }
    return (uint64_t)most;
}
