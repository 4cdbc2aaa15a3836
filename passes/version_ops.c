/* version_ops.c - see version_ops.h. */
#include "passes/version_ops.h"
#include "base/vec.h"
#include "ir/builder.h"

enum { OUTSIDE, DEPENDENT, INDEPENDENT }; /* marks of the block's ops */

typedef struct versions {
    kd_pass_ctx *px;
    kd_op *first, *last;
    KD_VEC(kd_value *) values; /* that are read behind the ops */
} versions;

/* Whether an op is one of the run, or inside of one. */
static bool is_inside(const versions *v, const kd_op *op)
{
    op = kd_op_ancestor_in(op, v->first->block);
    return op && op->mark != OUTSIDE;
}

static bool is_read_outside(const versions *v, const kd_value *value)
{
    for (const kd_use *use = value->uses; use; use = use->next)
        if (!is_inside(v, use->user))
            return true;
    return false;
}

/* Those that depend on no op of the run that must stay in it. */
static bool is_independent(const versions *v, const kd_op *op)
{
    bool free = kd_op_is_pure(op) && !op->n_regions;
    for (unsigned i = 0; i < op->n_operands && free; i++) {
        const kd_op *def = op->operands[i].value ? op->operands[i].value->def : NULL;
        free = !def || !is_inside(v, def) || def->mark == INDEPENDENT;
    }
    return free;
}

static void mark_ops(versions *v)
{
    bool inside = false;
    KD_FOREACH_OP (op, v->first->block)
        op->mark = OUTSIDE;
    KD_FOREACH_OP (op, v->first->block) {
        inside |= op == v->first;
        op->mark = !inside ? OUTSIDE : is_independent(v, op) ? INDEPENDENT : DEPENDENT;
        inside &= op != v->last;
    }
}

static bool is_wanted(const versions *v, const kd_op *op)
{
    for (unsigned i = 0; i < op->n_results; i++)
        if (is_read_outside(v, &op->results[i]))
            return true;
    return false;
}

/* From the end: readers first; those that are gone are outside. */
static void move_independent(versions *v)
{
    kd_op *place = v->first;
    for (kd_op *op = v->last, *before; op != v->first; op = before) {
        before = op->prev;
        if (op->mark != INDEPENDENT || !is_wanted(v, op))
            continue;
        op->mark = OUTSIDE;
        kd_op_move_before(op, place);
        place = op;
    }
}

static void collect_values(versions *v)
{
    for (kd_op *op = v->first;; op = op->next) {
        for (unsigned i = 0; i < op->n_results; i++)
            if (is_read_outside(v, &op->results[i]))
                kd_vec_push(v->px->scratch, &v->values, &op->results[i]);
        if (op == v->last)
            return;
    }
}

/* Those who read the value behind the ops read the result. */
static void redirect(const versions *v, kd_value *value, kd_value *result)
{
    for (kd_use *use = value->uses, *next; use; use = next) {
        next = use->next;
        if (!is_inside(v, use->user))
            kd_op_set_operand(use->user, (unsigned)(use - use->user->operands), result);
    }
    result->name = value->name;
}

static void end(kd_builder *b, kd_loc loc, kd_value **values, unsigned n)
{
    kd_build_op(b, KD_OP_yield, loc, values, n, NULL, 0, NULL);
}

static void copy_ops(const versions *v, kd_block *to)
{
    kd_value_map *map = kd_value_map_create(v->px->scratch);
    kd_builder b = kd_builder_at_end(v->px->module, to);
    kd_value **values = kd_arena_array(v->px->scratch, kd_value *, v->values.n);
    for (const kd_op *op = v->first;; op = op->next) {
        kd_clone_op(&b, op, map);
        if (op == v->last)
            break;
    }
    for (unsigned i = 0; i < v->values.n; i++)
        values[i] = kd_value_map_get(map, v->values.data[i]);
    end(&b, v->first->loc, values, v->values.n);
}

static void move_ops(const versions *v, kd_block *to)
{
    for (kd_op *op = v->first, *next;; op = next) {
        next = op->next;
        kd_op_move_to_end(op, to);
        if (op == v->last)
            break;
    }
    kd_builder b = kd_builder_at_end(v->px->module, to);
    end(&b, v->first->loc, v->values.data, v->values.n);
}

kd_op *kd_version_ops(kd_pass_ctx *px, kd_op *first, kd_op *last, kd_value *condition)
{
    versions v = {.px = px, .first = first, .last = last};
    mark_ops(&v);
    move_independent(&v);
    collect_values(&v);
    const kd_type **types = kd_arena_array(px->scratch, const kd_type *, v.values.n);
    for (unsigned i = 0; i < v.values.n; i++)
        types[i] = v.values.data[i]->type;
    kd_builder b = kd_builder_before(px->module, first);
    kd_op *choice = kd_build_if(&b, (kd_if_args){.loc = first->loc, .condition = condition, .types = types, .n_types = v.values.n});
    choice->mark = OUTSIDE;
    for (unsigned i = 0; i < v.values.n; i++)
        redirect(&v, v.values.data[i], kd_op_result(choice, i));
    copy_ops(&v, kd_op_region(choice, 1));
    move_ops(&v, kd_op_region(choice, 0));
    return choice;
}
