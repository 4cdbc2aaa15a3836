/* expand_recurrent.c - recurrent networks: their cells, and layers with all their steps one after the other.
 *
 * What the inputs of all steps are multiplied by is one product; each step adds what the state is multiplied by. */
#include "graph/expand_impl.h"

enum { MAX_STEPS = 512, MAX_WEIGHTS = 256 };

typedef struct cell {
    kd_gvalue *w_ih, *w_hh, *b_ih, *b_hh, *w_hr; /* biases and projection: or NULL */
} cell;

typedef struct state {
    kd_gvalue *h, *c; /* c: of an LSTM */
} state;

static kd_gvalue *linear(kd_decomposer *d, kd_gvalue *x, kd_gvalue *weight, kd_gvalue *bias)
{
    return BUILD(d, linear, kd_garg_value(x), kd_garg_value(weight), bias ? kd_garg_value(bias) : no_arg());
}

/* Part i of n of the last dimension. */
static kd_gvalue *part(kd_decomposer *d, kd_gvalue *x, unsigned i, unsigned n)
{
    int64_t extent = x->type.n_dims ? x->type.shape[x->type.n_dims - 1] / n : 0;
    return BUILD(d, slice, kd_garg_value(x), kd_garg_int(-1), kd_garg_int(i * extent), kd_garg_int((i + 1) * extent),
                 kd_garg_int(1));
}

static kd_gvalue *gate(kd_decomposer *d, kd_gvalue *x, unsigned i, unsigned n)
{
    return build_one(d, KD_GOP_sigmoid, part(d, x, i, n));
}

/* x: what the step's input is multiplied by, with its bias. */
static state lstm_step(kd_decomposer *d, const cell *cell, kd_gvalue *x, state s)
{
    kd_gvalue *gates = build_two(d, KD_GOP_add, x, linear(d, s.h, cell->w_hh, cell->b_hh));
    kd_gvalue *kept = build_two(d, KD_GOP_mul, gate(d, gates, 1, 4), s.c);
    kd_gvalue *added = build_two(d, KD_GOP_mul, gate(d, gates, 0, 4), build_one(d, KD_GOP_tanh, part(d, gates, 2, 4)));
    s.c = build_two(d, KD_GOP_add, kept, added);
    s.h = build_two(d, KD_GOP_mul, gate(d, gates, 3, 4), build_one(d, KD_GOP_tanh, s.c));
    s.h = cell->w_hr ? linear(d, s.h, cell->w_hr, NULL) : s.h;
    return s;
}

static state gru_step(kd_decomposer *d, const cell *cell, kd_gvalue *x, state s)
{
    kd_gvalue *h = linear(d, s.h, cell->w_hh, cell->b_hh);
    kd_gvalue *reset = build_one(d, KD_GOP_sigmoid, build_two(d, KD_GOP_add, part(d, x, 0, 3), part(d, h, 0, 3)));
    kd_gvalue *update = build_one(d, KD_GOP_sigmoid, build_two(d, KD_GOP_add, part(d, x, 1, 3), part(d, h, 1, 3)));
    kd_gvalue *new = build_two(d, KD_GOP_add, part(d, x, 2, 3), build_two(d, KD_GOP_mul, reset, part(d, h, 2, 3)));
    new = build_one(d, KD_GOP_tanh, new);
    s.h = build_two(d, KD_GOP_add, new, build_two(d, KD_GOP_mul, update, build_two(d, KD_GOP_sub, s.h, new)));
    return s;
}

static state step(kd_decomposer *d, const cell *cell, kd_gvalue *x, state s)
{
    switch (d->of->op->code) {
    case KD_GOP_lstm: return lstm_step(d, cell, x, s);
    case KD_GOP_gru: return gru_step(d, cell, x, s);
    default: break;
    }
    kd_gvalue *sum = build_two(d, KD_GOP_add, x, linear(d, s.h, cell->w_hh, cell->b_hh));
    s.h = build_one(d, d->of->op->code == KD_GOP_rnn_relu ? KD_GOP_relu : KD_GOP_tanh, sum);
    return s;
}

static cell read_cell(kd_decomposer *d, unsigned first)
{
    return (cell){.w_ih = expand_tensor(d, first),
                  .w_hh = expand_tensor(d, first + 1),
                  .b_ih = decompose_operand(d, first + 2),
                  .b_hh = decompose_operand(d, first + 3)};
}

void kd_expand_lstm_cell(kd_decomposer *d)
{
    kd_gvalue *hx[2];
    if (expand_list(d, 1, hx, 2) != 2) {
        expand_bad(d, "the state has two tensors");
        return;
    }
    cell cell = read_cell(d, 2);
    state s = lstm_step(d, &cell, linear(d, expand_tensor(d, 0), cell.w_ih, cell.b_ih), (state){hx[0], hx[1]});
    expand_return(d, 0, s.h);
    expand_return(d, 1, s.c);
}

void kd_expand_gru_cell(kd_decomposer *d)
{
    cell cell = read_cell(d, 2);
    state s = gru_step(d, &cell, linear(d, expand_tensor(d, 0), cell.w_ih, cell.b_ih), (state){expand_tensor(d, 1), NULL});
    expand_return(d, 0, s.h);
}

/* ---- layers ---- */

typedef struct network {
    kd_gvalue *h, *c; /* the first states, [layers * directions, batch, width]; c: of an LSTM */
    kd_gvalue *weights[MAX_WEIGHTS];
    unsigned n_each, n_directions, n_layers; /* n_each: weights of a layer's direction */
    bool has_biases;
    kd_gvalue *last_h[MAX_WEIGHTS], *last_c[MAX_WEIGHTS];
} network;

static kd_gvalue *at_step(kd_decomposer *d, kd_gvalue *x, int64_t t)
{
    return BUILD(d, select, kd_garg_value(x), kd_garg_int(0), kd_garg_int(t));
}

/* All steps of one direction of a layer; x is [time, batch, width]. */
static kd_gvalue *run_direction(kd_decomposer *d, network *n, unsigned number, kd_gvalue *x)
{
    kd_gvalue *const *w = n->weights + number * n->n_each, *outputs[MAX_STEPS];
    int64_t n_steps = x->type.shape[0];
    bool is_backward = n->n_directions == 2 && number % 2;
    cell cell = {.w_ih = w[0], .w_hh = w[1], .b_ih = n->has_biases ? w[2] : NULL, .b_hh = n->has_biases ? w[3] : NULL};
    cell.w_hr = n->n_each == (n->has_biases ? 5u : 3u) ? w[n->n_each - 1] : NULL;
    state s = {at_step(d, n->h, number), n->c ? at_step(d, n->c, number) : NULL};
    kd_gvalue *inputs = linear(d, x, cell.w_ih, cell.b_ih);
    for (int64_t i = 0; i < n_steps && !d->status; i++) {
        int64_t t = is_backward ? n_steps - 1 - i : i;
        s = step(d, &cell, at_step(d, inputs, t), s);
        outputs[t] = s.h;
    }
    n->last_h[number] = s.h;
    n->last_c[number] = s.c;
    return d->status ? x : BUILD(d, stack, values_arg(d->arena, (unsigned)n_steps, outputs), kd_garg_int(0));
}

static bool read_network(kd_decomposer *d, network *n)
{
    kd_gvalue *hx[2];
    bool is_lstm = d->of->op->code == KD_GOP_lstm;
    unsigned n_weights = expand_list(d, 2, n->weights, MAX_WEIGHTS), n_states = is_lstm ? expand_list(d, 1, hx, 2) : 0;
    n->has_biases = kd_gnode_bool(d->of, 3);
    n->n_layers = (unsigned)kd_gnode_int(d->of, 4, 1);
    n->n_directions = kd_gnode_bool(d->of, 7) ? 2 : 1;
    n->h = is_lstm && n_states == 2 ? hx[0] : decompose_operand(d, 1);
    n->c = is_lstm && n_states == 2 ? hx[1] : NULL;
    bool fits = n->n_layers >= 1 && n->n_layers <= MAX_WEIGHTS && n_weights % (n->n_layers * n->n_directions) == 0;
    n->n_each = fits ? n_weights / (n->n_layers * n->n_directions) : 0;
    if (kd_gnode_bool(d->of, 6) && kd_gnode_number(d->of, 5, 0) > 0)
        decompose_fail(d, "dropout of a model in training mode: export it after model.eval()");
    if (!fits || !n->h || (is_lstm && !n->c) || n->n_each < (n->has_biases ? 4u : 2u))
        expand_bad(d, "weights and states do not fit the layers");
    return !d->status;
}

static kd_gvalue *last_states(kd_decomposer *d, const network *n, kd_gvalue *const *states)
{
    return BUILD(d, stack, values_arg(d->arena, n->n_layers * n->n_directions, states), kd_garg_int(0));
}

void kd_expand_recurrent(kd_decomposer *d)
{
    network *n = kd_arena_new(d->arena, network);
    kd_gvalue *x = expand_tensor(d, 0);
    bool batch_first = kd_gnode_bool(d->of, 8);
    *n = (network){0};
    if (!read_network(d, n))
        return;
    bool has_batch = x->type.n_dims == 3;
    if (!has_batch) { /* one sequence alone */
        x = BUILD(d, unsqueeze, kd_garg_value(x), kd_garg_int(1));
        n->h = BUILD(d, unsqueeze, kd_garg_value(n->h), kd_garg_int(1));
        n->c = n->c ? BUILD(d, unsqueeze, kd_garg_value(n->c), kd_garg_int(1)) : NULL;
    } else if (batch_first) {
        x = BUILD(d, transpose, kd_garg_value(x), kd_garg_int(0), kd_garg_int(1));
    }
    if (d->status || x->type.n_dims != 3 || x->type.shape[0] < 1 || x->type.shape[0] > MAX_STEPS) {
        decompose_fail(d, "a recurrent layer has 1 to %d steps, not those of %s", MAX_STEPS,
                       kd_tensor_type_text(d->arena, &x->type));
        return;
    }
    for (unsigned layer = 0; layer < n->n_layers && !d->status; layer++) {
        kd_gvalue *both[2];
        for (unsigned k = 0; k < n->n_directions; k++)
            both[k] = run_direction(d, n, layer * n->n_directions + k, x);
        x = n->n_directions == 2 ? BUILD(d, cat, values_arg(d->arena, 2, both), kd_garg_int(-1)) : both[0];
    }
    kd_gvalue *h = d->status ? x : last_states(d, n, n->last_h), *c = n->c && !d->status ? last_states(d, n, n->last_c) : NULL;
    if (!has_batch) {
        x = BUILD(d, squeeze, kd_garg_value(x), kd_garg_int(1));
        h = BUILD(d, squeeze, kd_garg_value(h), kd_garg_int(1));
        c = c ? BUILD(d, squeeze, kd_garg_value(c), kd_garg_int(1)) : NULL;
    } else if (batch_first) {
        x = BUILD(d, transpose, kd_garg_value(x), kd_garg_int(0), kd_garg_int(1));
    }
    expand_return(d, 0, x);
    expand_return(d, 1, h);
    if (c)
        expand_return(d, 2, c);
}
