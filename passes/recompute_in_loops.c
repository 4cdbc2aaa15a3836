/* recompute_in_loops.c - simt level: places that lie a constant away from each other do not wait in registers of their own in a loop that fills
 * them all.
 *
 *     %p1 = kd.xor %p, 32 : i32                          kd.for %i ... {
 *     %p2 = kd.add %p, 64 : i32                            %q  = kd.or %p, (%i & %zero)
 *     kd.for %i ... {                             ==>      %q1 = kd.xor %q, 32
 *       gpu.slm_read %buffer, %p1                          gpu.slm_read %buffer, %q1
 *       gpu.slm_read %buffer, %p2                          %q2 = kd.add %q, 64
 *     }                                                    gpu.slm_read %buffer, %q2
 *                                                        }
 *
 * Intel's compiler would move them in front of the loop again; so they come from a number that is not known to be the same in each iteration:
 * %zero is the sign of the number of programs, which only we know to be 0. An or and no sum: sums it would put in another order, so that what
 * does not change stands in front. And another number in each further phase, which end with barriers: tiles lie in the same SLM one after the
 * other, so that places of one phase would wait for the next.
 *
 * Only for loops that fill the registers (register_use.h), and numbers that differ between lanes.
 * Leaves:  dead ops in front of the loop, for dce.   Cost: for each such loop, a walk over the ops in it. */
#include "base/map.h"
#include "base/vec.h"
#include "ir/builder.h"
#include "passes/register_use.h"

enum { MAX_DEPTH = 64, MIN_PLACES = 4 }; /* that one number gives */

typedef struct remaker {
    kd_pass_ctx *px;
    kd_op *loop;
    kd_map differs; /* values -> DIFFERS or not */
    kd_map counts;  /* numbers -> how many uses there are of places that they give */
    kd_map inside;  /* numbers -> what stands for them in the phase */
    kd_map made;    /* numbers that something stands for, in this phase or an earlier one */
    uint32_t phase;
    KD_VEC(kd_use *) uses; /* of places */
} remaker;

enum { SAME = 1, DIFFERS };

/* Whether lanes have different values of it. */
static bool differs(remaker *s, const kd_value *value, unsigned depth)
{
    uintptr_t known = (uintptr_t)kd_map_get_ptr(&s->differs, value);
    if (known || !value->def || depth == MAX_DEPTH)
        return known == DIFFERS;
    bool any = value->def->code == KD_OP_gpu_lane_id;
    for (unsigned i = 0; i < value->def->n_operands; i++)
        any |= value->def->operands[i].value && differs(s, value->def->operands[i].value, depth + 1);
    *kd_map_at_ptr(&s->differs, value) = (void *)(uintptr_t)(any ? DIFFERS : SAME);
    return any;
}

/* The number that a place is made of, with a constant; NULL: it is no place. */
static kd_value *number_of(remaker *s, const kd_value *place)
{
    int64_t constant;
    const kd_op *def = place->def;
    bool is_sum = def && (def->code == KD_OP_add || def->code == KD_OP_xor || def->code == KD_OP_or);
    if (!is_sum || !kd_type_is_scalar(place->type, KD_I32) || !kd_value_constant_int(kd_op_operand(def, 1), &constant))
        return NULL;
    return differs(s, place, 0) ? kd_op_operand(def, 0) : NULL;
}

static bool is_outside(const remaker *s, const kd_value *v)
{
    return v->def && v->def != s->loop && !kd_op_is_inside(v->def, s->loop);
}

static void find_uses(kd_op *op, void *user)
{
    remaker *s = user;
    for (unsigned i = 0; i < op->n_operands; i++) {
        kd_value *place = op->operands[i].value, *number = place && is_outside(s, place) ? number_of(s, place) : NULL;
        if (!number)
            continue;
        kd_vec_push(s->px->scratch, &s->uses, &op->operands[i]);
        ++*(uintptr_t *)kd_map_at_ptr(&s->counts, number);
    }
}

static kd_value *binary(kd_builder *b, kd_opcode code, kd_loc loc, kd_value *x, kd_value *y)
{
    return kd_result(kd_build_op(b, code, loc, (kd_value *[]){x, y}, 2, &x->type, 1, NULL));
}

/* The number plus nothing, as far as a compiler can tell, in each further phase that needs it something else. */
static kd_value *number_inside(remaker *s, kd_value *number, kd_op *user)
{
    kd_op *first = kd_op_ancestor_in(user, s->loop->regions[0]);
    if (first->mark != s->phase)
        s->inside = kd_map_in(s->px->scratch);
    s->phase = first->mark;
    kd_value **known = (kd_value **)kd_map_at_ptr(&s->inside, number);
    if (*known)
        return *known;
    void **is_made = kd_map_at_ptr(&s->made, number);
    kd_builder before = kd_builder_before(s->px->module, s->loop), b = kd_builder_before(s->px->module, first);
    kd_loc loc = s->loop->loc;
    const kd_type *type = number->type;
    kd_value *counter = s->loop->regions[0]->args[0];
    kd_value *n = kd_result(kd_build_num_programs(&before, (kd_num_programs_args){.loc = loc, .type = type}));
    kd_value *zero = binary(&before, KD_OP_shr, loc, n, kd_build_int(&before, loc, type, 31));
    if (counter->type != type)
        counter = kd_result(kd_build_cast(&b, (kd_cast_args){.loc = loc, .value = counter, .type = type}));
    if (*is_made)
        counter = binary(&b, KD_OP_add, loc, counter, kd_build_int(&b, loc, type, s->phase));
    *is_made = number;
    *known = binary(&b, KD_OP_or, loc, number, binary(&b, KD_OP_and, loc, counter, zero));
    return *known;
}

static void mark_phases(kd_block *body)
{
    uint32_t phase = 0;
    KD_FOREACH_OP (op, body) {
        op->mark = phase;
        phase += op->code == KD_OP_gpu_barrier;
    }
}

static bool remake(kd_pass_ctx *px, kd_op *loop)
{
    kd_arena *arena = px->scratch;
    remaker s = {.px = px, .loop = loop, .differs = kd_map_in(arena), .counts = kd_map_in(arena), .inside = kd_map_in(arena), .made = kd_map_in(arena)};
    bool changed = false;
    mark_phases(loop->regions[0]);
    kd_op_walk(loop, find_uses, &s);
    for (unsigned i = 0; i < s.uses.n; i++) {
        kd_use *use = s.uses.data[i];
        const kd_op *def = use->value->def;
        kd_value *number = kd_op_operand(def, 0);
        if (use->user == loop || (uintptr_t)kd_map_get_ptr(&s.counts, number) < MIN_PLACES)
            continue;
        kd_builder b = kd_builder_before(px->module, use->user);
        kd_value *place = binary(&b, def->code, def->loc, number_inside(&s, number, use->user), kd_op_operand(def, 1));
        kd_op_set_operand(use->user, (unsigned)(use - use->user->operands), place);
        changed = true;
    }
    return changed;
}

typedef struct visitor {
    kd_pass_ctx *px;
    bool changed;
} visitor;

static void visit(kd_op *op, void *user)
{
    visitor *v = user;
    if (op->code == KD_OP_for && kd_block_fills_registers(v->px, op->regions[0]))
        v->changed |= remake(v->px, op);
}

kd_pass_result kd_pass_recompute_in_loops(kd_pass_ctx *px, kd_op *func)
{
    visitor v = {.px = px};
    if (px->gpu)
        kd_op_walk(func, visit, &v);
    return v.changed ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
