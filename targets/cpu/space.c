/* space.c - the loops over a shape: outer axes one index a round, the last axis (or several, where it is short) a vector a round. */
#include "targets/cpu/lower.h"

kd_space kd_space_of(kd_lower *l, const kd_type *shape, bool scalar, int inner_axis)
{
    kd_space s = {.shape = shape, .width = 1, .unroll = 1, .n_flat = 1, .inner_axis = inner_axis < 0 ? -1 : inner_axis};
    int64_t last = 1;
    unsigned axis = shape->rank;
    while (axis > 0 && shape->shape[axis - 1] == 1 && (int)(axis - 1) != inner_axis)
        axis--;
    unsigned last_axis = axis ? axis - 1 : 0;
    if (axis) {
        last = shape->shape[last_axis];
        while (!scalar && inner_axis == KD_ANY_ORDER && last < l->lanes && s.n_flat < axis) {
            last *= shape->shape[axis - 1 - s.n_flat];
            s.n_flat++;
        }
    }
    if (!scalar)
        s.width = last < l->lanes ? (unsigned)last : l->lanes;
    for (unsigned i = 0; i < axis; i++) {
        bool in_last_loop = i + s.n_flat > last_axis;
        if ((int)i != inner_axis && (in_last_loop ? i == last_axis : shape->shape[i] > 1))
            s.order[s.n_loops++] = i;
    }
    return s;
}

int64_t kd_space_last_extent(const kd_space *s)
{
    int64_t extent = 1;
    if (!s->n_loops)
        return 1;
    unsigned last = s->order[s->n_loops - 1];
    for (unsigned i = 0; i < s->n_flat; i++)
        extent *= s->shape->shape[last - i];
    return extent;
}

/* The counter of a loop over vectors, or 0 where one round does. */
static kd_lanes open_loop(kd_nest *n, int64_t extent, int64_t step, kd_value **carried, unsigned n_carried, bool *out_opened)
{
    *out_opened = extent > step;
    if (extent <= step)
        return kd_nest_const(n, n->l->i64, 0);
    kd_value *counter = kd_nest_open(n, extent, step, carried, n_carried);
    return kd_lanes_uniform(counter, n->depth);
}

/* Indices of the vector that starts at 'at' of the last loop. */
static void set_last(kd_nest *n, const kd_space *s, kd_lanes at, kd_lanes *idx)
{
    if (!s->n_loops)
        return;
    unsigned last = s->order[s->n_loops - 1];
    at.step = s->width > 1 ? 1 : 0;
    if (s->n_flat == 1) {
        idx[last] = at;
        return;
    }
    int64_t extent = kd_space_last_extent(s);
    const kd_type *flat = kd_type_tile(n->l->ctx, n->l->i64, 1, &extent);
    const kd_type *axes = kd_type_tile(n->l->ctx, n->l->i64, s->n_flat, s->shape->shape + last + 1 - s->n_flat);
    kd_index_reshape(n, flat, &at, axes, idx + last + 1 - s->n_flat);
}

static kd_lanes plus(kd_nest *n, kd_lanes a, int64_t b)
{
    return b ? kd_nest_binary(n, KD_OP_add, a, kd_nest_const(n, n->l->i64, b)) : a;
}

void kd_space_open_outer(kd_nest *n, const kd_space *s, kd_open_space *o)
{
    bool opened;
    n->width = s->width;
    for (unsigned axis = 0; axis < s->shape->rank; axis++)
        o->idx[0][axis] = kd_nest_const(n, n->l->i64, 0);
    o->n_outer = 0;
    for (unsigned i = 0; i + 1 < s->n_loops; i++) {
        o->idx[0][s->order[i]] = open_loop(n, s->shape->shape[s->order[i]], 1, NULL, 0, &opened);
        o->n_outer += opened;
    }
    if (s->inner_axis >= 0) { /* the loop over vectors is an outer one too */
        kd_lanes at = open_loop(n, kd_space_last_extent(s), (int64_t)s->width * s->unroll, NULL, 0, &opened);
        o->n_outer += opened;
        for (unsigned u = s->unroll; u-- > 0;) {
            memcpy(o->idx[u], o->idx[0], sizeof o->idx[0]);
            set_last(n, s, plus(n, at, (int64_t)u * s->width), o->idx[u]);
        }
    }
}

void kd_space_open_inner(kd_nest *n, const kd_space *s, kd_open_space *o, kd_value **carried, unsigned n_carried)
{
    if (s->inner_axis >= 0) {
        kd_lanes at = open_loop(n, s->shape->shape[s->inner_axis], 1, carried, n_carried, &o->inner_opened);
        for (unsigned u = 0; u < s->unroll; u++)
            o->idx[u][s->inner_axis] = at;
        return;
    }
    kd_lanes at = open_loop(n, kd_space_last_extent(s), (int64_t)s->width * s->unroll, carried, n_carried, &o->inner_opened);
    for (unsigned u = s->unroll; u-- > 0;) {
        memcpy(o->idx[u], o->idx[0], sizeof o->idx[0]);
        set_last(n, s, plus(n, at, (int64_t)u * s->width), o->idx[u]);
    }
}

void kd_space_run(kd_nest *n, const kd_space *s, void (*body)(kd_nest *n, const kd_lanes *idx, void *user), void *user)
{
    kd_open_space o;
    kd_space once = *s;
    once.unroll = 1;
    kd_space_open_outer(n, &once, &o);
    kd_space_open_inner(n, &once, &o, NULL, 0);
    body(n, o.idx[0], user);
    for (unsigned i = o.n_outer + o.inner_opened; i-- > 0;)
        kd_nest_close(n, NULL, 0);
    n->width = 1;
}

