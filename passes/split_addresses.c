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
 * Index arithmetic is taken not to overflow, as in axis_info.h: signed sums are taken apart.
 * Cost: linear; what is uniform is found by going through loops until nothing changes. */
#include "base/map.h"
#include "base/vec.h"
#include "ir/builder.h"
#include "passes/pass.h"

enum { MAX_TERMS = 12, MANY = 8 };

typedef struct splitter {
    kd_pass_ctx *px;
    kd_map varying; /* values that may differ between the lanes of a sub-group */
    kd_map counts;  /* base and varying terms -> unsigned: accesses */
    bool changed, again;
} splitter;

static bool is_varying(const splitter *s, const kd_value *value)
{
    return value && kd_map_get_ptr(&s->varying, value);
}

static void set_varying(splitter *s, const kd_value *value)
{
    void **place = kd_map_at_ptr(&s->varying, value);
    s->again |= !*place;
    *place = (void *)value;
}

/* ---- what is uniform ---- */

static bool reads_varying(const splitter *s, const kd_op *op)
{
    for (unsigned i = 0; i < op->n_operands; i++)
        if (is_varying(s, op->operands[i].value))
            return true;
    return false;
}

static void pass_on(splitter *s, const kd_value *from, const kd_value *to)
{
    if (is_varying(s, from))
        set_varying(s, to);
}

static void visit_uniform(kd_op *op, void *user)
{
    splitter *s = user;
    const kd_op *end = op->n_regions ? kd_block_terminator(op->regions[0]) : NULL;
    switch (op->code) {
    case KD_OP_for:
        for (unsigned i = 0; i < op->n_results; i++) {
            pass_on(s, kd_for_inits(op, i), op->regions[0]->args[1 + i]);
            pass_on(s, kd_op_operand(end, i), op->regions[0]->args[1 + i]);
            pass_on(s, op->regions[0]->args[1 + i], &op->results[i]);
        }
        return;
    case KD_OP_while:
        for (unsigned i = 0; i < op->regions[0]->n_args; i++) {
            pass_on(s, kd_while_inits(op, i), op->regions[0]->args[i]);
            pass_on(s, kd_op_operand(kd_block_terminator(op->regions[1]), i), op->regions[0]->args[i]);
        }
        for (unsigned i = 0; i < op->n_results; i++) {
            pass_on(s, kd_condition_values(end, i), op->regions[1]->args[i]);
            pass_on(s, kd_condition_values(end, i), &op->results[i]);
        }
        return;
    case KD_OP_if:
        for (unsigned i = 0; i < op->n_results; i++)
            for (unsigned r = 0; r < 2; r++)
                pass_on(s, kd_op_operand(kd_block_terminator(op->regions[r]), i), &op->results[i]);
        return;
    default: break;
    }
    bool is_arithmetic = kd_op_has(op, KD_PURE) && !op->n_regions && op->code != KD_OP_gpu_lane_id &&
                         op->code != KD_OP_gpu_shuffle && op->code != KD_OP_gpu_shuffle_xor;
    if (op->n_results && (!is_arithmetic || reads_varying(s, op)))
        for (unsigned i = 0; i < op->n_results; i++)
            set_varying(s, &op->results[i]);
}

/* ---- sums ---- */

static kd_value *plus(kd_builder *b, kd_value *value, kd_value *offset, kd_loc loc)
{
    if (kd_type_is_ptr_like(value->type))
        return kd_result(kd_build_addptr(b, (kd_addptr_args){.loc = loc, .ptr = value, .offset = offset}));
    return kd_result(kd_build_add(b, (kd_add_args){.loc = loc, .a = value, .b = offset}));
}

typedef struct terms {
    kd_value *base, *list[MAX_TERMS];
    unsigned n, n_uniform;
    int64_t constant;
    bool overflow;
} terms;

static void add_term(terms *t, kd_value *value)
{
    if (t->n == MAX_TERMS)
        t->overflow = true;
    else
        t->list[t->n++] = value;
}

static void take_apart(terms *t, kd_value *offset)
{
    int64_t constant;
    const kd_op *def = offset->def;
    bool is_signed = !kd_scalar_is_unsigned(offset->type->scalar);
    if (kd_value_constant_int(offset, &constant) && is_signed && constant >= INT32_MIN && constant <= INT32_MAX) {
        t->constant += constant;
    } else if (def && def->code == KD_OP_add && is_signed) {
        take_apart(t, kd_add_a(def));
        take_apart(t, kd_add_b(def));
    } else if (def && def->code == KD_OP_cast && is_signed && kd_type_is_int_like(kd_cast_value(def)->type) &&
               kd_type_is_scalar(offset->type, KD_I64) && kd_type_is_scalar(kd_cast_value(def)->type, KD_I32)) {
        take_apart(t, kd_cast_value(def));
    } else {
        add_term(t, offset);
    }
}

static void take_pointer_apart(terms *t, kd_value *ptr)
{
    const kd_op *def = ptr->def;
    if (!def || def->code != KD_OP_addptr) {
        t->base = ptr;
        return;
    }
    take_pointer_apart(t, kd_addptr_ptr(def));
    take_apart(t, kd_addptr_offset(def));
}

static unsigned depth_of(const kd_value *value)
{
    unsigned depth = 0;
    for (const kd_block *at = value->def ? value->def->block : value->owner; at; at = at->parent->block)
        depth++;
    return depth;
}

/* Takes a pointer apart: uniform terms first, of these the ones from outer blocks first, as their sums stay there. False: nothing is gained by
 * another order. */
static bool find_terms(const splitter *s, kd_value *ptr, terms *t)
{
    *t = (terms){0};
    take_pointer_apart(t, ptr);
    for (unsigned i = 1; i < t->n; i++)
        for (unsigned k = i; k; k--) {
            bool goes_first = is_varying(s, t->list[k - 1])
                                  ? !is_varying(s, t->list[k])
                                  : !is_varying(s, t->list[k]) && depth_of(t->list[k]) < depth_of(t->list[k - 1]);
            if (!goes_first)
                break;
            kd_value *swap = t->list[k];
            t->list[k] = t->list[k - 1];
            t->list[k - 1] = swap;
        }
    while (t->n_uniform < t->n && !is_varying(s, t->list[t->n_uniform]))
        t->n_uniform++;
    return !t->overflow && t->n_uniform < t->n && !is_varying(s, t->base) && (t->n_uniform || t->constant);
}

static kd_value *uniform_part(kd_builder *b, const terms *t, kd_loc loc)
{
    kd_value *at = t->base;
    for (unsigned i = 0; i < t->n_uniform; i++)
        at = plus(b, at, t->list[i], loc);
    return at;
}

static kd_value *wide(splitter *s, kd_builder *b, kd_value *value, kd_loc loc)
{
    const kd_type *i64 = kd_type_scalar(s->px->module->ctx, KD_I64);
    return value->type == i64 ? value : kd_result(kd_build_cast(b, (kd_cast_args){.loc = loc, .value = value, .type = i64}));
}

/* The sum of what differs between lanes. */
static kd_value *varying_part(splitter *s, kd_builder *b, const terms *t, kd_loc loc)
{
    kd_value *sum = t->list[t->n_uniform];
    for (unsigned i = t->n_uniform + 1; i < t->n; i++) {
        bool is_wide = sum->type != t->list[i]->type;
        sum = plus(b, is_wide ? wide(s, b, sum, loc) : sum, is_wide ? wide(s, b, t->list[i], loc) : t->list[i], loc);
    }
    return sum;
}

static kd_value *constant_part(splitter *s, kd_builder *b, const terms *t, kd_value *at, kd_loc loc)
{
    return t->constant ? plus(b, at, kd_build_int(b, loc, kd_type_scalar(s->px->module->ctx, KD_I64), t->constant), loc) : at;
}

static bool same_varying(const terms *a, const terms *b)
{
    bool same = a->n - a->n_uniform == b->n - b->n_uniform;
    for (unsigned i = a->n_uniform; i < a->n && same; i++)
        same = a->list[i] == b->list[i - a->n_uniform + b->n_uniform];
    return same;
}

/* ---- what loops carry ---- */

/* How a carried value moves on: by the same number for all lanes. NULL: otherwise. */
static kd_value *step_of(const splitter *s, const kd_op *loop, unsigned i)
{
    const kd_value *arg = loop->regions[0]->args[1 + i];
    const kd_value *next = kd_op_operand(kd_block_terminator(loop->regions[0]), i);
    if (!is_varying(s, arg) || !next->def || (next->def->code != KD_OP_addptr && next->def->code != KD_OP_add) ||
        !(kd_type_is_ptr_like(arg->type) || kd_type_is_int_like(arg->type)) || kd_type_is_tile(arg->type))
        return NULL;
    kd_value *a = kd_op_operand(next->def, 0), *b = kd_op_operand(next->def, 1);
    kd_value *step = a == arg ? b : b == arg && next->def->code == KD_OP_add ? a : NULL;
    return step && step != arg && !is_varying(s, step) ? step : NULL;
}

typedef struct moved {
    unsigned at; /* carried value */
    kd_value *step; /* NULL: done */
    const kd_type *type; /* of the number that is carried for it */
    terms init; /* of a pointer, if has_terms */
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
    kd_op_add_operand(module, end, plus(&at_end, arg, step, loop->loc));
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
    kd_value *from = with_lanes ? wide(s, &b, varying_part(s, &b, &shared.init, loop->loc), loop->loc)
                                : kd_build_int(&b, loop->loc, shared.type, 0);
    loop = add_carried(s, loop, from, shared.step);
    kd_value *inside = loop->regions[0]->args[loop->n_results], *behind = &loop->results[loop->n_results - 1];
    if (with_lanes) {
        set_varying(s, from);
        set_varying(s, inside);
        set_varying(s, behind);
    }
    for (unsigned k = first; k < n; k++) {
        if (!same_step(&shared, &all[k]) || (with_lanes && !(all[k].has_terms && same_varying(&shared.init, &all[k].init))))
            continue;
        kd_value *arg = loop->regions[0]->args[1 + all[k].at], *result = &loop->results[all[k].at],
                 *rest = rest_of(s, loop, &all[k], with_lanes);
        all[k].step = NULL;
        b = kd_builder_before(s->px->module, loop->regions[0]->first);
        kd_value *fresh = plus(&b, rest, inside, loop->loc);
        kd_value_replace_uses(arg, fresh);
        set_varying(s, fresh);
        if (!kd_value_has_uses(result))
            continue;
        b = kd_builder_after(s->px->module, loop);
        fresh = plus(&b, rest, behind, loop->loc);
        kd_value_replace_uses(result, fresh);
        set_varying(s, fresh);
    }
    s->changed = true;
    return loop;
}

static unsigned count_alike(const moved *all, unsigned n, unsigned first)
{
    unsigned count = 0;
    for (unsigned k = first; k < n && all[first].has_terms; k++)
        count += same_step(&all[first], &all[k]) && all[k].has_terms && same_varying(&all[first].init, &all[k].init);
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
static unsigned *count_of(splitter *s, const terms *t)
{
    const kd_value *key[MAX_TERMS + 1] = {t->base};
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
    terms t;
    if (is_access(op) && find_terms(user, kd_op_operand(op, 0), &t))
        ++*count_of(user, &t);
}

/* An access that is alone with its base and lanes gains nothing: its offset serves others, as masks. */
static void split_address(kd_op *op, void *user)
{
    splitter *s = user;
    terms t;
    if (!is_access(op) || !find_terms(s, kd_op_operand(op, 0), &t) || *count_of(s, &t) < 2)
        return;
    kd_builder b = kd_builder_before(s->px->module, op);
    kd_value *at = plus(&b, uniform_part(&b, &t, op->loc), varying_part(s, &b, &t, op->loc), op->loc);
    kd_op_set_operand(op, 0, constant_part(s, &b, &t, at, op->loc));
    s->changed = true;
}

kd_pass_result kd_pass_split_addresses(kd_pass_ctx *px, kd_op *func)
{
    splitter s = {.px = px, .varying = kd_map_in(px->scratch), .counts = kd_map_in(px->scratch)};
    do {
        s.again = false;
        kd_op_walk(func, visit_uniform, &s);
    } while (s.again);
    visit_loops(&s, func->regions[0]);
    kd_op_walk(func, count_access, &s);
    kd_op_walk(func, split_address, &s);
    return s.changed ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
