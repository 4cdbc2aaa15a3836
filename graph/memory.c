/* memory.c - which values need memory, and where in the arena each of them lies while it is needed. */
#include "graph/constant.h"
#include "graph/plan.h"

#include <stdlib.h>

enum { ALIGNMENT = 64 };

typedef struct use {
    kd_plan *plan;
    unsigned step;
    const kd_group *group; /* that runs in this step */
} use;

static kd_buffer *need_buffer(kd_plan *plan, const kd_gvalue *value, unsigned step)
{
    kd_vinfo *info = kd_plan_info(plan, value);
    if (!info->buffer) {
        kd_buffer *b = kd_arena_new(plan->arena, kd_buffer);
        *b = (kd_buffer){.value = value, .type = value->type, .place = KD_PLACE_ARENA, .id = plan->buffers.n, .first_step = step};
        info->buffer = b;
        kd_vec_push(plan->arena, &plan->buffers, b);
    }
    kd_buffer *b = info->buffer;
    b->last_step = step > b->last_step ? step : b->last_step;
    b->first_step = step < b->first_step ? step : b->first_step;
    return b;
}

static void use_value(void *user, const kd_gvalue *value, const kd_index *at)
{
    use *u = user;
    const kd_vinfo *info = kd_plan_info(u->plan, value);
    if (info->fate != KD_FATE_MEMBER || info->group != u->group)
        need_buffer(u->plan, value, u->step);
}

static void use_operand(void *user, kd_gvalue *operand)
{
    use_value(user, kd_gvalue_behind_views(operand), NULL);
}

static void find_uses(kd_plan *plan)
{
    kd_index at[KD_TENSOR_MAX_DIMS] = {{0}};
    for (unsigned s = 0; s < plan->steps.n; s++) {
        const kd_step_plan *step = &plan->steps.data[s];
        use u = {plan, s, step->group};
        for (unsigned i = 0; step->group && i < step->group->nodes.n; i++)
            kd_access_each(plan, step->group->nodes.data[i], at, use_value, &u);
        if (step->primitive) {
            kd_gnode_each_tensor(step->primitive, use_operand, &u);
            for (unsigned i = 0; i < step->primitive->n_results; i++)
                if (kd_plan_info(plan, step->primitive->results[i])->n_readers)
                    need_buffer(plan, step->primitive->results[i], s);
        }
    }
    /* What a step makes begins to live there. */
    for (unsigned s = 0; s < plan->steps.n; s++) {
        const kd_group *group = plan->steps.data[s].group;
        for (unsigned i = 0; group && i < group->nodes.n; i++) {
            kd_buffer *b = kd_plan_info(plan, group->nodes.data[i]->results[0])->buffer;
            if (b)
                b->first_step = s;
        }
    }
}

static void find_places(kd_plan *plan)
{
    kd_graph *g = plan->graph;
    unsigned n_inputs = 0;
    for (unsigned i = 0; i < g->inputs.n; i++) {
        kd_buffer *b = kd_plan_info(plan, g->inputs.data[i])->buffer;
        if (b) {
            b->place = kd_constant_is(g->inputs.data[i]) ? KD_PLACE_CONSTANT : KD_PLACE_INPUT;
            b->number = n_inputs;
        }
        n_inputs += !kd_constant_is(g->inputs.data[i]);
    }
    for (unsigned i = 0; i < g->outputs.n; i++) {
        kd_buffer *b = need_buffer(plan, g->outputs.data[i], 0);
        b->place = KD_PLACE_OUTPUT;
        b->number = i;
    }
}

static int larger_first(const void *a, const void *b)
{
    const kd_buffer *x = *(kd_buffer *const *)a, *y = *(kd_buffer *const *)b;
    size_t nx = kd_tensor_n_bytes(&x->type), ny = kd_tensor_n_bytes(&y->type);
    return nx != ny ? (nx < ny ? 1 : -1) : x->id > y->id ? 1 : -1;
}

static size_t padded(const kd_buffer *b)
{
    return (kd_tensor_n_bytes(&b->type) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static int by_offset(const void *a, const void *b)
{
    const kd_buffer *x = *(kd_buffer *const *)a, *y = *(kd_buffer *const *)b;
    return x->offset != y->offset ? (x->offset > y->offset ? 1 : -1) : x->id > y->id ? 1 : -1;
}

/* Large ones first, each at the lowest place that is free while it lives. */
static void find_offsets(kd_plan *plan)
{
    kd_buffer **order = kd_arena_array(plan->arena, kd_buffer *, plan->buffers.n);
    kd_buffer **beside = kd_arena_array(plan->arena, kd_buffer *, plan->buffers.n);
    unsigned n = 0;
    for (unsigned i = 0; i < plan->buffers.n; i++)
        if (plan->buffers.data[i]->place == KD_PLACE_ARENA)
            order[n++] = plan->buffers.data[i];
    qsort(order, n, sizeof(kd_buffer *), larger_first);
    for (unsigned i = 0; i < n; i++) {
        kd_buffer *b = order[i];
        unsigned n_beside = 0;
        for (unsigned k = 0; k < i; k++)
            if (order[k]->first_step <= b->last_step && b->first_step <= order[k]->last_step)
                beside[n_beside++] = order[k];
        qsort(beside, n_beside, sizeof(kd_buffer *), by_offset);
        size_t at = 0;
        for (unsigned k = 0; k < n_beside && at + padded(b) > beside[k]->offset; k++) {
            size_t end = beside[k]->offset + padded(beside[k]);
            at = end > at ? end : at;
        }
        b->offset = at;
        plan->arena_bytes = at + padded(b) > plan->arena_bytes ? at + padded(b) : plan->arena_bytes;
    }
}

kd_status kd_plan_memory(kd_plan *plan)
{
    find_uses(plan);
    find_places(plan);
    find_offsets(plan);
    return KD_OK;
}
