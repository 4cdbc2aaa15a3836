/* control.c - loops and branches of the kernel: scalars are carried as before, tiles live in buffers that each round updates in place.
 *
 * At a kd.yield all new values are defined by the old ones. A new value that reads another carried buffer, or its own at another index
 * than it writes, goes through a buffer of its own first. */
#include "targets/cpu/lower.h"

#include "base/bug.h"

static bool is_tile(const kd_value *v)
{
    return v->type->kind == KD_TYPE_TILE;
}

/* ---- buffers of carried tiles ---- */

/* Puts a tile into a buffer. */
static void copy_to(kd_lower *l, kd_value *value, kd_value *buffer)
{
    if (kd_lower_tile(l, value)->buffer != buffer)
        kd_group_add(l, (kd_action){.value = value, .buffer = buffer});
}

/* A buffer that holds the value and may be overwritten: its own, where nobody else reads it. */
static kd_value *own_buffer(kd_lower *l, kd_value *value)
{
    kd_tile *t = kd_lower_tile(l, value);
    bool fresh = value->def && kd_lower_is_action(value->def) && value->def->n_regions == 0;
    if (t->buffer && fresh && kd_value_has_one_use(value))
        return t->buffer;
    kd_value *buffer = kd_lower_new_buffer(l, value->type);
    copy_to(l, value, buffer);
    return buffer;
}

typedef struct readings {
    kd_lower *l;
    kd_value *const *buffers; /* that are about to change */
    unsigned n, self;
    kd_map seen;
    bool clash;
} readings;

static void find_clash(readings *q, kd_value *v, bool same_index)
{
    if (!v || !is_tile(v) || q->clash)
        return;
    const kd_tile *t = kd_lower_tile(q->l, v);
    if (t->buffer && !t->pending) {
        for (unsigned i = 0; i < q->n; i++)
            if (q->buffers[i] == t->buffer && !(i == q->self && same_index))
                q->clash = true;
        return;
    }
    void **seen = kd_map_at_ptr(&q->seen, v);
    uintptr_t bit = same_index ? 1 : 2;
    if (!v->def || ((uintptr_t)*seen & bit))
        return;
    *seen = (void *)((uintptr_t)*seen | bit);
    bool keeps = same_index && (kd_op_has(v->def, KD_ELEMENTWISE) || v->def->code == KD_OP_hint);
    for (unsigned i = 0; i < v->def->n_operands; i++)
        find_clash(q, kd_op_operand(v->def, i), keeps);
}

/* values -> buffers, all at once. */
static void assign(kd_lower *l, kd_value *const *values, kd_value *const *buffers, unsigned n)
{
    kd_group_flush(l);
    for (unsigned i = 0; i < n; i++) {
        readings q = {.l = l, .buffers = buffers, .n = n, .self = i, .seen = kd_map_in(l->arena)};
        find_clash(&q, values[i], true);
        if (q.clash) { /* through a buffer of its own */
            kd_tile *t = kd_lower_tile(l, values[i]);
            kd_value *aside = kd_lower_new_buffer(l, values[i]->type);
            kd_group_add(l, (kd_action){.value = values[i], .buffer = aside});
            kd_group_flush(l);
            t->buffer = aside;
            kd_vec_push(l->arena, &l->kept, t);
        }
    }
    for (unsigned i = 0; i < n; i++)
        copy_to(l, values[i], buffers[i]);
    kd_group_flush(l);
}

/* ---- blocks ---- */

typedef struct place {
    kd_nest *nest;
    unsigned n_kept;
} place;

static place enter(kd_lower *l, kd_block *block)
{
    place p = {l->nest, l->kept.n};
    l->nest = kd_nest_create(l, block);
    return p;
}

/* Ends the block with a terminator whose scalars are those of the old one; returns to the outer block. A value from outside that got a
 * buffer in here has none out there, where this block may not have run. */
static void leave(kd_lower *l, place p, const kd_op *old)
{
    kd_value **operands = kd_arena_array(l->arena, kd_value *, old->n_operands);
    unsigned n = 0;
    for (unsigned i = 0; i < old->n_operands; i++)
        if (!is_tile(kd_op_operand(old, i)))
            operands[n++] = kd_lower_scalar(l, kd_op_operand(old, i));
    kd_nest_put_op(l->nest, 0, old->code, operands, n, NULL);
    l->nest = p.nest;
    while (l->kept.n > p.n_kept) {
        kd_tile *t = l->kept.data[--l->kept.n];
        t->buffer = NULL;
        t->keep = false;
    }
}

/* Lowers the ops of a region and gathers the tiles of its terminator. */
static unsigned run_region(kd_lower *l, kd_block *region, unsigned first, kd_value **out_tiles)
{
    kd_op *end = kd_block_terminator(region);
    unsigned n = 0;
    kd_lower_ops(l, region);
    kd_group_flush(l);
    for (unsigned i = first; i < end->n_operands; i++)
        if (is_tile(kd_op_operand(end, i)))
            out_tiles[n++] = kd_op_operand(end, i);
    return n;
}

static void adopt_args(kd_lower *l, const kd_block *old, unsigned first, kd_block *fresh, kd_value *const *buffers)
{
    unsigned n = 0;
    for (unsigned i = first; i < old->n_args; i++) {
        kd_value *arg = old->args[i];
        if (is_tile(arg))
            kd_lower_tile(l, arg)->buffer = buffers[n++], kd_lower_tile(l, arg)->keep = true;
        else
            kd_lower_set_scalar(l, arg, kd_block_add_arg(l->module, fresh, arg->type, arg->name));
    }
}

static void adopt_results(kd_lower *l, const kd_op *old, const kd_op *fresh, kd_value *const *buffers)
{
    unsigned n = 0, n_scalars = 0;
    for (unsigned i = 0; i < old->n_results; i++) {
        kd_value *result = kd_op_result(old, i);
        if (is_tile(result))
            kd_lower_tile(l, result)->buffer = buffers[n++], kd_lower_tile(l, result)->keep = true;
        else
            kd_lower_set_scalar(l, result, kd_op_result(fresh, n_scalars++));
    }
}

/* The op without its tiles. */
static kd_op *without_tiles(kd_lower *l, const kd_op *op)
{
    kd_value **operands = kd_arena_array(l->arena, kd_value *, op->n_operands);
    const kd_type **types = kd_arena_array(l->arena, const kd_type *, op->n_results);
    unsigned n = 0, n_types = 0;
    for (unsigned i = 0; i < op->n_operands; i++)
        if (!is_tile(kd_op_operand(op, i)))
            operands[n++] = kd_lower_scalar(l, kd_op_operand(op, i));
    for (unsigned i = 0; i < op->n_results; i++)
        if (!is_tile(kd_op_result(op, i)))
            types[n_types++] = kd_op_result(op, i)->type;
    return kd_build_op(&l->nest->at[0], op->code, op->loc, operands, n, types, n_types, op->attrs);
}

static kd_value **init_buffers(kd_lower *l, const kd_op *op, unsigned first)
{
    kd_value **buffers = kd_arena_array(l->arena, kd_value *, op->n_operands);
    unsigned n = 0;
    for (unsigned i = first; i < op->n_operands; i++)
        if (is_tile(kd_op_operand(op, i)))
            buffers[n++] = own_buffer(l, kd_op_operand(op, i));
    kd_group_flush(l);
    return buffers;
}

/* ---- the ops ---- */

/* A value made by an op that writes its result tile by tile may be made in the carried buffer itself, if the old value is not read after. */
static void build_in_place(kd_lower *l, const kd_op *op)
{
    const kd_block *body = kd_op_region(op, 0);
    const kd_op *yield = kd_block_terminator(body);
    for (unsigned i = 0; i < yield->n_operands; i++) {
        kd_value *fresh = kd_op_operand(yield, i), *old = body->args[i + 1];
        kd_op *dot = kd_value_def_as(fresh, KD_OP_dot);
        if (!dot || dot->block != body || !kd_value_has_one_use(fresh) || !l->fuse)
            continue;
        const kd_tile *t = kd_lower_tile(l, old);
        bool read_at_dot = t->last_read == dot->mark && t->reader == dot && !t->path && !t->many;
        if (t->last_read < dot->mark || read_at_dot)
            kd_lower_tile(l, fresh)->buffer = t->buffer;
    }
}

static void lower_for(kd_lower *l, kd_op *op)
{
    kd_block *body = kd_op_region(op, 0);
    kd_value **buffers = init_buffers(l, op, 3), **tiles = kd_arena_array(l->arena, kd_value *, op->n_operands);
    kd_op *fresh = without_tiles(l, op);
    kd_block *inner = kd_op_region(fresh, 0);
    place p = enter(l, inner);
    adopt_args(l, body, 0, inner, buffers);
    build_in_place(l, op);
    unsigned n = run_region(l, body, 0, tiles);
    assign(l, tiles, buffers, n);
    leave(l, p, kd_block_terminator(body));
    adopt_results(l, op, fresh, buffers);
}

static void lower_while(kd_lower *l, kd_op *op)
{
    kd_block *head = kd_op_region(op, 0), *body = kd_op_region(op, 1);
    kd_value **buffers = init_buffers(l, op, 0), **tiles = kd_arena_array(l->arena, kd_value *, op->n_operands + op->n_results);
    kd_value **passed = kd_arena_array(l->arena, kd_value *, op->n_results);
    for (unsigned i = 0, k = 0; i < op->n_results; i++)
        if (is_tile(kd_op_result(op, i)))
            passed[k++] = kd_lower_new_buffer(l, kd_op_result(op, i)->type);
    kd_op *fresh = without_tiles(l, op);
    place p = enter(l, kd_op_region(fresh, 0));
    adopt_args(l, head, 0, kd_op_region(fresh, 0), buffers);
    unsigned n = run_region(l, head, 1, tiles);
    for (unsigned i = 0, k = 0; i < n; i++, k++) {
        unsigned twice = 0;
        for (unsigned j = 0; j < n; j++)
            twice += tiles[j] == tiles[i];
        if (tiles[i]->owner == head && twice == 1) /* passed on as it is: one buffer serves both regions */
            passed[i] = kd_lower_tile(l, tiles[i])->buffer;
    }
    assign(l, tiles, passed, n);
    leave(l, p, kd_block_terminator(head));
    p = enter(l, kd_op_region(fresh, 1));
    adopt_args(l, body, 0, kd_op_region(fresh, 1), passed);
    n = run_region(l, body, 0, tiles);
    assign(l, tiles, buffers, n);
    leave(l, p, kd_block_terminator(body));
    adopt_results(l, op, fresh, passed);
}

static void lower_if(kd_lower *l, kd_op *op)
{
    kd_value **buffers = kd_arena_array(l->arena, kd_value *, op->n_results), **tiles = kd_arena_array(l->arena, kd_value *, op->n_results);
    unsigned n = 0;
    for (unsigned i = 0; i < op->n_results; i++)
        if (is_tile(kd_op_result(op, i)))
            buffers[n++] = kd_lower_new_buffer(l, kd_op_result(op, i)->type);
    kd_op *fresh = without_tiles(l, op);
    for (unsigned arm = 0; arm < 2; arm++) {
        place p = enter(l, kd_op_region(fresh, arm));
        n = run_region(l, kd_op_region(op, arm), 0, tiles);
        assign(l, tiles, buffers, n);
        leave(l, p, kd_block_terminator(kd_op_region(op, arm)));
    }
    adopt_results(l, op, fresh, buffers);
}

void kd_lower_control(kd_lower *l, kd_op *op)
{
    l->nest->loc = op->loc;
    if (op->code == KD_OP_for)
        lower_for(l, op);
    else if (op->code == KD_OP_while)
        lower_while(l, op);
    else
        lower_if(l, op);
}
