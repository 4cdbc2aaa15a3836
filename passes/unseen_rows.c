/* unseen_rows.c - see unseen_rows.h. Rows are followed through dots, element-wise ops and loops to the stores. */
#include "passes/unseen_rows.h"

#include "base/map.h"

enum { MAX_VISITS = 200 };

typedef struct watcher {
    const kd_affine *bound;
    kd_map visited; /* value -> its axis + 1 */
    unsigned left;
} watcher;

static bool unseen(watcher *w, const kd_value *value, unsigned axis);

/* Whether a mask is false beyond the bound. */
static bool hides(const watcher *w, const kd_value *mask, unsigned axis)
{
    const kd_op *def = mask ? mask->def : NULL;
    kd_affine_scope scope = {0};
    kd_affine bound;
    unsigned along, inner;
    bool is_lower;
    switch (def ? def->code : KD_OP_poison) {
    case KD_OP_and: return hides(w, kd_and_a(def), axis) || hides(w, kd_and_b(def), axis);
    case KD_OP_broadcast:
        return kd_broadcast_tile(def)->type->shape[axis] == mask->type->shape[axis] && hides(w, kd_broadcast_tile(def), axis);
    case KD_OP_reshape:
        return kd_reshaped_axis(mask->type, kd_reshape_tile(def)->type, axis, &inner) && hides(w, kd_reshape_tile(def), inner);
    case KD_OP_cmp:
        return kd_affine_of_comparison(&scope, def, &bound, &along, &is_lower) && along == axis && !is_lower &&
               kd_affine_same(&bound, w->bound);
    default: return false;
    }
}

/* The bounds of a block store. */
static bool block_hides(const watcher *w, const kd_op *store, unsigned axis)
{
    unsigned rank = kd_block_store_n_coords(store) / 3, at = rank - kd_block_store_value(store)->type->rank + axis;
    kd_affine_scope scope = {0};
    kd_affine bound = kd_affine_of(&scope, kd_block_store_coords(store, 2 * rank + at)),
              size = kd_affine_of(&scope, kd_block_store_coords(store, at));
    kd_affine_add_all(&bound, &size, -1);
    return at < kd_block_store_check(store).n && kd_block_store_check(store).data[at] && kd_affine_same(&bound, w->bound);
}

/* A carried value or a result of a loop or an if. */
static bool unseen_in_loop(watcher *w, const kd_op *op, unsigned i, unsigned axis)
{
    return unseen(w, kd_op_region(op, 0)->args[1 + i], axis) && unseen(w, &op->results[i], axis);
}

static bool unseen_by(watcher *w, const kd_use *use, unsigned axis)
{
    const kd_op *user = use->user;
    unsigned operand = (unsigned)(use - user->operands), to = 0;
    switch (user->code) {
    case KD_OP_store: return operand == 1 && hides(w, kd_store_mask(user), axis);
    case KD_OP_block_store: return operand == 1 && block_hides(w, user, axis);
    case KD_OP_dot:
        if (user->results[0].type->rank != 2 || (operand < 2 && operand != axis)) /* rows of a, columns of b */
            return false;
        return unseen(w, &user->results[0], axis);
    case KD_OP_for: return operand >= 3 && unseen_in_loop(w, user, operand - 3, axis);
    case KD_OP_yield: {
        const kd_op *parent = user->block->parent;
        return parent->code == KD_OP_for  ? unseen_in_loop(w, parent, operand, axis)
               : parent->code == KD_OP_if ? unseen(w, &parent->results[operand], axis)
                                          : false;
    }
    case KD_OP_permute:
        while (kd_permute_order(user).data[to] != axis)
            to++;
        return unseen(w, &user->results[0], to);
    default:
        if (!kd_op_has(user, KD_ELEMENTWISE | KD_PURE))
            return false;
        for (unsigned i = 0; i < user->n_results; i++)
            if (!unseen(w, &user->results[i], axis))
                return false;
        return true;
    }
}

static bool unseen(watcher *w, const kd_value *value, unsigned axis)
{
    void **place = kd_map_at_ptr(&w->visited, value);
    if (*place)
        return (uintptr_t)*place == axis + 1; /* looked at already, or at work */
    *place = (void *)(uintptr_t)(axis + 1);
    for (const kd_use *use = value->uses; use; use = use->next)
        if (!w->left || !w->left-- || !unseen_by(w, use, axis))
            return false;
    return true;
}

bool kd_is_unseen_beyond(const kd_value *value, unsigned axis, const kd_affine *bound, kd_arena *scratch)
{
    watcher w = {.bound = bound, .visited = kd_map_in(scratch), .left = MAX_VISITS};
    return unseen(&w, value, axis);
}
