/* plan.c - which tile values live in buffers, and which are computed again wherever they are read.
 *
 * First walk, forward: positions of ops, what it costs to compute an element, which ops write memory. Second walk, backward: all readers
 * of a value are decided before it, so it is known which actions evaluate it, through which index maps, and until when. A value is kept
 * in a buffer where
 *   - an action makes it (reduction, dot, loop, ...), or an op needs it in a buffer (the source of a gather, the operands of a dot);
 *   - computing it is dear and several actions, or several elements of one, would do it again;
 *   - it is a load, and what it reads may be overwritten before the last action that needs it;
 *   - the tree has grown too high. */
#include "targets/cpu/lower.h"

#include "base/bug.h"

enum { DEAR = 16, MAX_COST = 10000, MAX_HEIGHT = 150 };

bool kd_lower_is_action(const kd_op *op)
{
    switch (op->code) {
    case KD_OP_for:
    case KD_OP_while:
    case KD_OP_if:
    case KD_OP_store:
    case KD_OP_atomic:
    case KD_OP_atomic_cas:
    case KD_OP_reduce:
    case KD_OP_scan:
    case KD_OP_sort:
    case KD_OP_histogram:
    case KD_OP_dot:
    case KD_OP_print:
    case KD_OP_assert:
        return true;
    case KD_OP_map:
        return !kd_region_is_straight(kd_op_region(op, 0));
    default:
        return kd_op_has(op, KD_TERMINATOR);
    }
}

static unsigned own_cost(const kd_op *op)
{
    switch (op->code) {
    case KD_OP_arange:
        return 0;
    case KD_OP_load:
    case KD_OP_cast:
        return 2;
    case KD_OP_div:
    case KD_OP_rem:
        return kd_type_is_float_like(kd_op_result(op, 0)->type) && op->code == KD_OP_div ? 6 : 20;
    case KD_OP_gather:
        return 8;
    case KD_OP_math:
        switch (kd_math_fn(op)) {
        case KD_MATH_sqrt:
        case KD_MATH_rsqrt:
            return 6;
        case KD_MATH_floor:
        case KD_MATH_ceil:
        case KD_MATH_trunc:
        case KD_MATH_rint:
        case KD_MATH_copysign:
            return 1;
        default:
            return 20;
        }
    case KD_OP_map: {
        unsigned n = 0;
        KD_FOREACH_OP (inner, op->regions[0])
            n += own_cost(inner);
        return n;
    }
    default:
        return !kd_op_has(op, KD_FREE);
    }
}

static bool is_tile(const kd_value *v)
{
    return v && v->type->kind == KD_TYPE_TILE;
}

static void estimate(kd_lower *l, kd_op *op)
{
    unsigned cost = own_cost(op), height = 0;
    for (unsigned i = 0; i < op->n_operands; i++) {
        kd_value *v = kd_op_operand(op, i);
        if (!is_tile(v))
            continue;
        const kd_tile *t = kd_lower_tile(l, v);
        /* What a broadcast repeats is kept, or hoisted, in its smaller shape. */
        bool kept_anyway = t->cost > DEAR && v->def && (!kd_value_has_one_use(v) || op->code == KD_OP_broadcast);
        cost += kept_anyway ? 1 : t->cost;
        height = t->height > height ? t->height : height;
    }
    bool fresh = kd_lower_is_action(op);
    for (unsigned i = 0; i < op->n_results; i++) {
        if (!is_tile(kd_op_result(op, i)))
            continue;
        kd_tile *t = kd_lower_tile(l, kd_op_result(op, i));
        t->cost = fresh ? 1 : cost < MAX_COST ? cost : MAX_COST;
        t->height = fresh ? 0 : height % MAX_HEIGHT + 1;
        t->keep = fresh || height + 1 >= MAX_HEIGHT;
    }
}

typedef KD_VEC(kd_op *) op_list;

static void number(kd_lower *l, kd_block *block, op_list *ops)
{
    for (unsigned i = 0; i < block->n_args; i++)
        if (is_tile(block->args[i]))
            kd_lower_tile(l, block->args[i])->cost = 1;
    KD_FOREACH_OP (op, block) {
        op->mark = ++l->n_positions;
        kd_vec_push(l->arena, ops, op);
        bool harmless = op->code == KD_OP_print || op->code == KD_OP_assert || op->code == KD_OP_assume;
        if (kd_op_has(op, KD_WRITES) && !harmless)
            kd_vec_push(l->arena, &l->writes, op);
        estimate(l, op);
        bool scalar_region = op->code == KD_OP_reduce || op->code == KD_OP_scan || op->code == KD_OP_map;
        for (unsigned r = 0; r < op->n_regions && !scalar_region; r++)
            number(l, op->regions[r], ops);
    }
}

/* A position of an action in 'block', seen from where v is defined: a loop in between runs to its end. */
static unsigned seen_from(const kd_lower *l, const kd_value *v, const kd_block *block, unsigned position)
{
    const kd_block *home = v->def ? v->def->block : v->owner;
    for (; block && block != home; block = block->parent->block)
        if (block->parent->code == KD_OP_for || block->parent->code == KD_OP_while)
            position = l->ends[block->parent->mark] > position ? l->ends[block->parent->mark] : position;
    return position;
}

static bool crosses_loop(const kd_value *v, const kd_op *reader)
{
    const kd_block *home = v->def ? v->def->block : v->owner;
    for (const kd_block *block = reader->block; block && block != home; block = block->parent->block)
        if (block->parent->code == KD_OP_for || block->parent->code == KD_OP_while)
            return true;
    return false;
}

/* Notes that reader (an action) evaluates v at position, over an index map. */
static void note_reader(kd_tile *t, kd_op *reader, const void *path, bool repeated, unsigned position)
{
    if (!t->reader && !t->many) {
        t->reader = reader;
        t->path = path;
    } else if (t->reader != reader || t->path != path) {
        t->many = true;
    }
    t->repeated |= repeated;
    t->last_read = position > t->last_read ? position : t->last_read;
}

static bool stretches_outer_axis(const kd_op *op)
{
    if (op->code != KD_OP_broadcast)
        return false;
    const kd_type *from = kd_broadcast_tile(op)->type, *to = kd_op_result(op, 0)->type;
    for (unsigned axis = 0; axis + 1 < to->rank; axis++)
        if (from->shape[axis] != to->shape[axis])
            return true;
    return false;
}

static bool must_keep(const kd_op *user, unsigned operand)
{
    return user->code == KD_OP_dot ? operand < 2 : user->code == KD_OP_gather && operand == 0;
}

static void decide(kd_lower *l, kd_op *op, kd_value *v)
{
    kd_tile *t = kd_lower_tile(l, v);
    if (!l->fuse && kd_value_has_uses(v))
        t->keep = true;
    if (t->keep || !t->reader)
        return;
    if (kd_lower_is_transpose(l, v)) {
        t->keep = true;
        return;
    }
    bool again = t->many || t->repeated || crosses_loop(v, t->reader);
    t->keep = again && t->cost > DEAR;
    if (op->code == KD_OP_load && (kd_load_is_volatile(op) || kd_lower_may_change(l, op, op->mark, t->last_read)))
        t->keep = true;
}

static void note_operands(kd_lower *l, kd_op *op)
{
    bool lazy = !kd_lower_is_action(op);
    const kd_tile *result = NULL;
    for (unsigned r = 0; r < op->n_results && lazy; r++) /* split and map: any result that is not kept */
        if (is_tile(kd_op_result(op, r)) && !kd_lower_tile(l, kd_op_result(op, r))->keep)
            result = result && !kd_lower_tile(l, kd_op_result(op, r))->many ? result : kd_lower_tile(l, kd_op_result(op, r));
    if (result && !result->reader)
        return; /* nobody reads it */
    bool moves = !kd_op_has(op, KD_ELEMENTWISE) && op->code != KD_OP_hint;
    for (unsigned i = 0; i < op->n_operands; i++) {
        kd_value *v = kd_op_operand(op, i);
        if (!is_tile(v))
            continue;
        kd_tile *t = kd_lower_tile(l, v);
        if (result) {
            unsigned position = seen_from(l, v, op->block, result->last_read);
            note_reader(t, result->reader, moves ? op : result->path, result->repeated || stretches_outer_axis(op), position);
            t->many |= result->many;
        } else {
            note_reader(t, op, moves && lazy ? op : NULL, stretches_outer_axis(op), seen_from(l, v, op->block, op->mark));
        }
        if (must_keep(op, i) && t->cost > 0)
            t->keep = true;
        if (op->code == KD_OP_dot && i < 2)
            t->keep = true;
    }
}

void kd_lower_plan(kd_lower *l, kd_op *func)
{
    op_list ops = {0};
    number(l, kd_op_region(func, 0), &ops);
    l->ends = kd_arena_array(l->arena, unsigned, l->n_positions + 2);
    for (unsigned i = ops.n; i-- > 0;) {
        kd_op *op = ops.data[i];
        l->ends[op->mark] = l->ends[op->mark] > op->mark ? l->ends[op->mark] : op->mark;
        kd_op *parent = op->block->parent;
        if (parent != func && l->ends[parent->mark] < l->ends[op->mark])
            l->ends[parent->mark] = l->ends[op->mark];
        for (unsigned r = 0; r < op->n_results; r++)
            if (is_tile(kd_op_result(op, r)))
                decide(l, op, kd_op_result(op, r));
        note_operands(l, op);
    }
}
