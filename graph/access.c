/* access.c - which elements a node reads: views and inlined nodes are followed to values that exist. */
#include "graph/plan.h"

const kd_gvalue *kd_access_resolve(kd_arena *arena, const kd_gvalue *value, kd_index at[KD_TENSOR_MAX_DIMS])
{
    while (value->def && value->def->op->lowering == KD_LOWER_VIEW) {
        kd_index from[KD_TENSOR_MAX_DIMS];
        value->def->op->view(arena, value->def, value->result, at, from);
        value = kd_gnode_tensor(value->def, 0);
        memcpy(at, from, value->type.n_dims * sizeof *at);
    }
    return value;
}

void kd_access_operand(const kd_gnode *node, const kd_gvalue *operand, const kd_index *at, kd_index *out_at)
{
    unsigned n = operand->type.n_dims;
    unsigned skipped = node->op->lowering == KD_LOWER_REDUCTION ? 0 : node->results[0]->type.n_dims - n;
    for (unsigned d = 0; d < n; d++)
        out_at[d] = operand->type.shape[d] == 1 ? kd_index_const(0) : at[d + skipped];
}

typedef struct visit {
    const kd_plan *plan;
    kd_access_fn *fn;
    void *user;
} visit;

/* An element of an operand: what is behind it. */
static void visit_element(const visit *v, const kd_gvalue *operand, kd_index at[KD_TENSOR_MAX_DIMS])
{
    const kd_gvalue *value = kd_access_resolve(v->plan->arena, operand, at);
    if (kd_plan_info(v->plan, value)->fate == KD_FATE_INLINE)
        kd_access_each(v->plan, value->def, at, v->fn, v->user);
    else
        v->fn(v->user, value, at);
}

static void visit_pieces(const visit *v, const kd_gnode *node, const kd_index *at)
{
    kd_piece piece;
    for (unsigned i = 0; node->op->piece(v->plan->arena, node, i, at, &piece); i++)
        if (piece.arg->kind == KD_GARG_VALUE)
            visit_element(v, piece.arg->value, piece.at);
}

static void visit_picked(const visit *v, const kd_gnode *node, const kd_index *at)
{
    kd_picked picked[KD_TENSOR_MAX_DIMS];
    kd_index from[KD_TENSOR_MAX_DIMS];
    const kd_gvalue *self = kd_gnode_tensor(node, 0);
    node->op->pick(v->plan->arena, node, at, picked);
    for (unsigned d = 0; d < self->type.n_dims; d++) {
        from[d] = picked[d].at[0];
        if (!picked[d].by)
            continue;
        visit_element(v, picked[d].by, picked[d].at);
        from[d] = kd_index_value(v->plan->arena, node->results[0]->id * KD_TENSOR_MAX_DIMS + d, self->type.shape[d]);
    }
    visit_element(v, self, from);
}

void kd_access_each(const kd_plan *plan, const kd_gnode *node, const kd_index *at, kd_access_fn *fn, void *user)
{
    visit v = {plan, fn, user};
    if (node->op->piece) {
        visit_pieces(&v, node, at);
        return;
    }
    if (node->op->pick) {
        visit_picked(&v, node, at);
        return;
    }
    for (unsigned i = 0; i < node->n_args; i++) {
        kd_gvalue *operand = kd_gnode_tensor(node, i);
        kd_index from[KD_TENSOR_MAX_DIMS];
        if (!operand)
            continue;
        kd_access_operand(node, operand, at, from);
        visit_element(&v, operand, from);
    }
}

kd_index kd_group_flat(kd_arena *arena, const kd_group *group, kd_extent extent, const kd_index *point)
{
    kd_index flat = kd_index_const(0);
    int64_t step = 1;
    for (unsigned d = group->n_dims; d-- > 0;) {
        if (extent == KD_EXTENT_ROW && group->reduced[d])
            continue;
        flat = kd_index_add(arena, flat, kd_index_scale(arena, point[d], step));
        step *= group->dims[d];
    }
    return kd_index_recombine(arena, flat);
}

void kd_group_point(kd_arena *arena, const kd_group *group, kd_index out_point[])
{
    for (unsigned d = 0; d < group->n_dims; d++)
        out_point[d] = kd_index_var(arena, d, group->dims[d]);
}

void kd_group_node_index(kd_arena *arena, const kd_group *group, const kd_gnode *node, kd_extent extent, const kd_index *point,
                         kd_index *out_at)
{
    bool reduces = node->op->lowering == KD_LOWER_REDUCTION;
    const kd_tensor_type *t = reduces ? &kd_gnode_tensor(node, 0)->type : &node->results[0]->type;
    kd_index_unflatten(arena, kd_group_flat(arena, group, reduces ? KD_EXTENT_FULL : extent, point), t->n_dims, t->shape, out_at);
}

kd_index kd_buffer_index(kd_arena *arena, const kd_buffer *buffer, const kd_index *at)
{
    kd_index place = kd_index_const(0);
    for (unsigned d = 0; d < buffer->type.n_dims; d++)
        place = kd_index_add(arena, place, kd_index_scale(arena, at[d], buffer->type.strides[d]));
    return kd_index_recombine(arena, place);
}

bool kd_access_strided(kd_arena *arena, const kd_gvalue *value, const kd_gvalue **out_base, kd_strided *out_strided,
                       int64_t *out_offset)
{
    kd_index at[KD_TENSOR_MAX_DIMS];
    kd_strided t = {.type = value->type.type, .n_dims = value->type.n_dims};
    for (unsigned d = 0; d < t.n_dims; d++)
        at[d] = kd_index_var(arena, d, t.shape[d] = value->type.shape[d]);
    const kd_gvalue *base = kd_access_resolve(arena, value, at);
    kd_buffer memory = {.value = base, .type = base->type};
    kd_index place = kd_buffer_index(arena, &memory, at);
    for (unsigned i = 0; i < place.n_terms; i++)
        if (place.terms[i].atom->kind != KD_ATOM_VAR)
            return false;
    for (unsigned d = 0; d < t.n_dims; d++) {
        kd_index_factor(place, d, &t.strides[d]);
        if (t.shape[d] > 1 && t.strides[d] <= 0 && kd_tensor_n_elems(&value->type)) /* repeated elements: oneDNN wants each in a place of its own */
            return false;
    }
    *out_base = base;
    *out_strided = t;
    *out_offset = place.constant;
    return true;
}
