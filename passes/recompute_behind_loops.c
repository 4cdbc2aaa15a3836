/* recompute_behind_loops.c - simt level: what lanes compute in an instruction or two does not wait in registers while a loop needs them.
 *
 *     %row = kd.add %lane, 8 : i32                       %row = kd.add %lane, 8 : i32
 *     kd.for ... { ... }                         ==>     kd.for ... { ... }
 *     kd.store %p, %v, (%row < %n)                       %lane2 = kd.add %lane, %zero
 *                                                        %row2 = kd.add %lane2, 8 : i32
 *                                                        kd.store %p, %v, (%row2 < %n)
 *
 * Rows, masks and places in SLM are used before a loop and behind it, and all kinds of common subexpressions are found later too; so the lane's number
 * is not known to be the same behind the loop: %zero is the sign of the number of programs, which only we know to be 0.
 *
 * Only for loops that fill the registers (register_use.h).
 * Leaves:  dead ops in front of the loop, for dce.   Cost: for each such loop, a walk over the ops around it. */
#include "base/map.h"
#include "base/vec.h"
#include "ir/builder.h"
#include "passes/register_use.h"

enum { MAX_DEPTH = 64, SIGN_BIT = 31 };

typedef struct remaker {
    kd_pass_ctx *px;
    kd_op *loop;   /* or what it is in: an op of the function's own block */
    kd_map lanes;  /* values -> DEPENDS or not */
    kd_map behind; /* values -> what stands for them behind the loop */
    KD_VEC(kd_use *) uses;
} remaker;

enum { INDEPENDENT = 1, DEPENDS };

/* What a lane makes of numbers in one instruction. */
static bool is_cheap(const kd_op *op)
{
    switch (op->code) {
    case KD_OP_add:
    case KD_OP_sub:
    case KD_OP_and:
    case KD_OP_or:
    case KD_OP_xor:
    case KD_OP_shl:
    case KD_OP_shr:
    case KD_OP_cmp: return kd_type_is_int_like(kd_op_operand(op, 0)->type) && !kd_type_is_tile(op->results[0].type);
    case KD_OP_gpu_lane_id: return true;
    default: return false;
    }
}

/* Made of the lane's number, by cheap ops only. */
static bool depends_on_lane(remaker *s, const kd_value *value, unsigned depth)
{
    uintptr_t known = (uintptr_t)kd_map_get_ptr(&s->lanes, value);
    if (known || !value->def || !is_cheap(value->def) || depth == MAX_DEPTH)
        return known == DEPENDS;
    bool depends = value->def->code == KD_OP_gpu_lane_id;
    for (unsigned i = 0; i < value->def->n_operands; i++)
        depends |= depends_on_lane(s, kd_op_operand(value->def, i), depth + 1);
    *kd_map_at_ptr(&s->lanes, value) = (void *)(uintptr_t)(depends ? DEPENDS : INDEPENDENT);
    return depends;
}

static kd_value *binary(kd_builder *b, kd_opcode code, kd_loc loc, kd_value *x, kd_value *y)
{
    return kd_result(kd_build_op(b, code, loc, (kd_value *[]){x, y}, 2, &x->type, 1, NULL));
}

static kd_value *lane_behind(remaker *s, kd_builder *b, kd_value *lane)
{
    kd_loc loc = s->loop->loc;
    kd_op *n = kd_build_num_programs(b, (kd_num_programs_args){.loc = loc, .type = lane->type});
    kd_op *bit = kd_build_constant(b, (kd_constant_args){.loc = loc, .type = lane->type, .value = {.i = SIGN_BIT}});
    return binary(b, KD_OP_add, loc, lane, binary(b, KD_OP_shr, loc, kd_result(n), kd_result(bit)));
}

static kd_value *made_behind(remaker *s, kd_builder *b, kd_value *value)
{
    kd_value *known = kd_map_get_ptr(&s->behind, value);
    if (known || !depends_on_lane(s, value, 0))
        return known ? known : value;
    kd_op *def = value->def;
    if (def->code == KD_OP_gpu_lane_id) {
        known = lane_behind(s, b, value);
    } else {
        kd_value_map *map = kd_value_map_create(s->px->scratch);
        for (unsigned i = 0; i < def->n_operands; i++)
            kd_value_map_set(map, kd_op_operand(def, i), made_behind(s, b, kd_op_operand(def, i)));
        known = kd_result(kd_clone_op(b, def, map));
    }
    *kd_map_at_ptr(&s->behind, value) = known;
    return known;
}

static bool is_behind(const kd_op *op, const kd_op *loop)
{
    op = kd_op_ancestor_in(op, loop->block);
    return op && op->mark > loop->mark;
}

/* The lane's own number is kept: it comes with the thread. */
static void find_uses(kd_op *op, void *user)
{
    remaker *s = user;
    if (!is_behind(op, s->loop))
        return;
    for (unsigned i = 0; i < op->n_operands; i++) {
        kd_value *value = op->operands[i].value;
        bool from_before = value && value->def && value->def->block == s->loop->block && value->def->mark < s->loop->mark;
        if (from_before && value->def->code != KD_OP_gpu_lane_id && depends_on_lane(s, value, 0))
            kd_vec_push(s->px->scratch, &s->uses, &op->operands[i]);
    }
}

static bool remake(kd_pass_ctx *px, kd_op *loop)
{
    remaker s = {.px = px, .loop = loop, .lanes = kd_map_in(px->scratch), .behind = kd_map_in(px->scratch)};
    unsigned n = 0;
    KD_FOREACH_OP (op, loop->block)
        op->mark = ++n;
    kd_op_walk(loop->block->parent, find_uses, &s);
    kd_builder b = kd_builder_after(px->module, loop);
    for (unsigned i = 0; i < s.uses.n; i++) {
        kd_use *use = s.uses.data[i];
        kd_op_set_operand(use->user, (unsigned)(use - use->user->operands), made_behind(&s, &b, use->value));
    }
    return s.uses.n != 0;
}

kd_pass_result kd_pass_recompute_behind_loops(kd_pass_ctx *px, kd_op *func)
{
    bool changed = false;
    for (kd_op *op = func->regions[0]->first, *next; px->gpu && op; op = next) {
        next = op->next;
        changed |= kd_has_large_loop(px, op) && remake(px, op);
    }
    return changed ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
