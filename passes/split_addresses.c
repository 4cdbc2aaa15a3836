/* split_addresses.c - simt level: what all lanes have in common goes into an address first, and is computed once for all of them.
 *
 *     %o = kd.add %uniform, %lane : i32                    %p0 = kd.addptr %base, %uniform     one number, for all lanes
 *     %q = kd.add %o, 64 : i32                     ==>     %p1 = kd.addptr %p0, %lane          one each, for all registers
 *     %p = kd.addptr %base, %q                             %p  = kd.addptr %p1, 64             an immediate offset
 *
 * A tile of pointers is 64 bits a lane and register, and a loop that moves such a tile on carries all of them. So pointers and offsets that a loop
 * moves by the same step are their beginnings plus one number that is carried, and the sum is put together where memory is accessed.
 *
 * Where many pointers differ only in what is uniform, the loop carries what differs between lanes, with the step added: else Intel's compiler would
 * take the sums of bases and lanes out of the loop, 64 bits a lane for each pointer.
 *
 * Cost: linear (sums.h). */
#include "base/vec.h"
#include "passes/pass.h"
#include "passes/sums.h"

enum { MANY = 8 };

typedef struct splitter {
    kd_pass_ctx *px;
    kd_varying varying;
    kd_map counts;  /* base and varying terms -> unsigned: accesses */
    bool changed;
} splitter;

/* ---- sums ---- */

/* Takes a pointer apart. False: nothing is gained by another order. */
static bool find_terms(const splitter *s, kd_value *ptr, kd_terms *t)
{
    *t = kd_take_apart(&s->varying, ptr);
    return !t->overflow && t->n_uniform < t->n && !kd_is_varying(&s->varying, t->base) && (t->n_uniform || t->constant);
}

static kd_value *uniform_part(kd_builder *b, const kd_terms *t, kd_loc loc)
{
    kd_value *at = t->base;
    for (unsigned i = 0; i < t->n_uniform; i++)
        at = kd_plus(b, at, t->list[i], loc);
    return at;
}

static kd_value *constant_part(splitter *s, kd_builder *b, const kd_terms *t, kd_value *at, kd_loc loc)
{
    return t->constant ? kd_plus(b, at, kd_build_int(b, loc, kd_type_scalar(s->px->module->ctx, KD_I64), t->constant), loc) : at;
}

/* ---- what loops carry ---- */

/* How a carried value moves on: by the same number for all lanes. NULL: otherwise. */
static kd_value *step_of(const splitter *s, const kd_op *loop, unsigned i)
{
    const kd_value *arg = loop->regions[0]->args[1 + i];
    const kd_value *next = kd_op_operand(kd_block_terminator(loop->regions[0]), i);
    if (!kd_is_varying(&s->varying, arg) || !next->def || (next->def->code != KD_OP_addptr && next->def->code != KD_OP_add) ||
        !(kd_type_is_ptr_like(arg->type) || kd_type_is_int_like(arg->type)) || kd_type_is_tile(arg->type))
        return NULL;
    kd_value *a = kd_op_operand(next->def, 0), *b = kd_op_operand(next->def, 1);
    kd_value *step = a == arg ? b : b == arg && next->def->code == KD_OP_add ? a : NULL;
    return step && step != arg && !kd_is_varying(&s->varying, step) ? step : NULL;
}

typedef struct moved {
    unsigned at; /* carried value */
    kd_value *step; /* NULL: done */
    const kd_type *type; /* of the number that is carried for it */
    kd_terms init; /* of a pointer, if has_terms */
    bool has_terms;
} moved;

static bool same_step(const moved *a, const moved *b)
{
    int64_t x, y;
    return a->step && b->step && a->type == b->type &&
           (a->step == b->step || (kd_value_constant_int(a->step, &x) && kd_value_constant_int(b->step, &y) && x == y));
}

/* One more carried value: a number that moves by a step. Returns the loop in its place. */
static kd_op *add_carried(splitter *s, kd_op *loop, kd_value *init, kd_value *step)
{
    kd_module *module = s->px->module;
    kd_block *body = loop->regions[0];
    kd_op *end = kd_block_terminator(body);
    kd_builder at_end = kd_builder_before(module, end);
    kd_op_add_operand(module, loop, init);
    kd_value *arg = kd_block_add_arg(module, body, init->type, NULL);
    if (step->type != init->type)
        step = kd_result(kd_build_cast(&at_end, (kd_cast_args){.loc = loop->loc, .value = step, .type = init->type}));
    kd_op_add_operand(module, end, kd_plus(&at_end, arg, step, loop->loc));
    const kd_type **types = kd_arena_array(s->px->scratch, const kd_type *, loop->n_results + 1);
    for (unsigned i = 0; i < loop->n_results; i++)
        types[i] = loop->results[i].type;
    types[loop->n_results] = init->type;
    return kd_op_with_results(module, loop, types, loop->n_results + 1);
}

/* The carried value m, without what is carried for it. */
static kd_value *rest_of(splitter *s, kd_op *loop, const moved *m, bool with_lanes)
{
    kd_builder b = kd_builder_before(s->px->module, loop);
    if (!with_lanes)
        return kd_for_inits(loop, m->at);
    return constant_part(s, &b, &m->init, uniform_part(&b, &m->init, loop->loc), loop->loc);
}

/* Carries one number for all that move by the step of `first` (with_lanes: and have the same lanes' part). */
static kd_op *carry_together(splitter *s, kd_op *loop, moved *all, unsigned n, unsigned first, bool with_lanes)
{
    const moved shared = all[first];
    kd_builder b = kd_builder_before(s->px->module, loop);
    kd_value *from = with_lanes ? kd_wide(&b, kd_varying_sum(&b, &shared.init, loop->loc), loop->loc)
                                : kd_build_int(&b, loop->loc, shared.type, 0);
    loop = add_carried(s, loop, from, shared.step);
    kd_value *inside = loop->regions[0]->args[loop->n_results], *behind = &loop->results[loop->n_results - 1];
    if (with_lanes) {
        kd_set_varying(&s->varying, from);
        kd_set_varying(&s->varying, inside);
        kd_set_varying(&s->varying, behind);
    }
    for (unsigned k = first; k < n; k++) {
        if (!same_step(&shared, &all[k]) || (with_lanes && !(all[k].has_terms && kd_same_varying(&shared.init, &all[k].init))))
            continue;
        kd_value *arg = loop->regions[0]->args[1 + all[k].at], *result = &loop->results[all[k].at],
                 *rest = rest_of(s, loop, &all[k], with_lanes);
        all[k].step = NULL;
        b = kd_builder_before(s->px->module, loop->regions[0]->first);
        kd_value *fresh = kd_plus(&b, rest, inside, loop->loc);
        kd_value_replace_uses(arg, fresh);
        kd_set_varying(&s->varying, fresh);
        if (!kd_value_has_uses(result))
            continue;
        b = kd_builder_after(s->px->module, loop);
        fresh = kd_plus(&b, rest, behind, loop->loc);
        kd_value_replace_uses(result, fresh);
        kd_set_varying(&s->varying, fresh);
    }
    s->changed = true;
    return loop;
}

static unsigned count_alike(const moved *all, unsigned n, unsigned first)
{
    unsigned count = 0;
    for (unsigned k = first; k < n && all[first].has_terms; k++)
        count += same_step(&all[first], &all[k]) && all[k].has_terms && kd_same_varying(&all[first].init, &all[k].init);
    return count;
}

static kd_op *share_steps(splitter *s, kd_op *loop)
{
    KD_VEC(moved) all = {0};
    for (unsigned i = 0; i < loop->n_results; i++) {
        moved m = {.at = i, .step = step_of(s, loop, i), .type = loop->results[i].type};
        if (!m.step)
            continue;
        if (kd_type_is_ptr_like(m.type)) {
            m.type = kd_type_scalar(s->px->module->ctx, KD_I64);
            m.has_terms = find_terms(s, kd_for_inits(loop, i), &m.init);
        }
        kd_vec_push(s->px->scratch, &all, m);
    }
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < all.n; i++)
            if (all.data[i].step && (pass == 1 || count_alike(all.data, all.n, i) >= MANY))
                loop = carry_together(s, loop, all.data, all.n, i, pass == 0);
    return loop;
}

static void visit_loops(splitter *s, kd_block *block)
{
    for (kd_op *op = block->first; op; op = op->next) {
        if (op->code == KD_OP_for)
            op = share_steps(s, op);
        for (unsigned r = 0; r < op->n_regions; r++)
            visit_loops(s, op->regions[r]);
    }
}

/* ---- addresses ---- */

static bool is_access(const kd_op *op)
{
    return op->code == KD_OP_gpu_load || op->code == KD_OP_gpu_store || op->code == KD_OP_atomic || op->code == KD_OP_atomic_cas;
}

/* How many accesses have the same base and the same part that differs between lanes. */
static unsigned *count_of(splitter *s, const kd_terms *t)
{
    const kd_value *key[KD_MAX_TERMS + 1] = {t->base};
    unsigned n = t->n - t->n_uniform;
    memcpy(key + 1, t->list + t->n_uniform, n * sizeof *key);
    void **place = kd_map_at(
        &s->counts, (kd_str){kd_arena_strndup(s->px->scratch, (const char *)key, (n + 1) * sizeof *key), (n + 1) * sizeof *key});
    if (!*place)
        *place = kd_arena_new(s->px->scratch, unsigned);
    return *place;
}

static void count_access(kd_op *op, void *user)
{
    kd_terms t;
    if (is_access(op) && find_terms(user, kd_op_operand(op, 0), &t))
        ++*count_of(user, &t);
}

/* An access that is alone with its base and lanes gains nothing: its offset serves others, as masks. */
static void split_address(kd_op *op, void *user)
{
    splitter *s = user;
    kd_terms t;
    if (!is_access(op) || !find_terms(s, kd_op_operand(op, 0), &t) || *count_of(s, &t) < 2)
        return;
    kd_builder b = kd_builder_before(s->px->module, op);
    kd_value *at = kd_plus(&b, uniform_part(&b, &t, op->loc), kd_varying_sum(&b, &t, op->loc), op->loc);
    kd_op_set_operand(op, 0, constant_part(s, &b, &t, at, op->loc));
    s->changed = true;
}

kd_pass_result kd_pass_split_addresses(kd_pass_ctx *px, kd_op *func)
{
    splitter s = {.px = px, .varying = kd_find_varying(px->scratch, func), .counts = kd_map_in(px->scratch)};
    visit_loops(&s, func->regions[0]);
    kd_op_walk(func, count_access, &s);
    kd_op_walk(func, split_address, &s);
    return s.changed ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
