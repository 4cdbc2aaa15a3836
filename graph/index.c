/* index.c - the normal form of indices, and the arithmetic that keeps it. */
#include "graph/index.h"

#include "base/map.h"

static int compare(kd_index a, kd_index b);

static int sign(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_atoms(const kd_index_atom *a, const kd_index_atom *b)
{
    if (a == b || kd_hash_equal(a->content, b->content))
        return 0;
    if (a->kind != b->kind)
        return (int)a->kind - (int)b->kind;
    if (a->kind == KD_ATOM_VAR || a->kind == KD_ATOM_VALUE)
        return sign(a->id, b->id);
    int by = sign(a->by, b->by);
    return by ? by : compare(a->of, b->of);
}

static int compare(kd_index a, kd_index b)
{
    if (a.n_terms != b.n_terms)
        return a.n_terms < b.n_terms ? -1 : 1;
    for (unsigned i = 0; i < a.n_terms; i++) {
        int atoms = compare_atoms(a.terms[i].atom, b.terms[i].atom);
        if (atoms)
            return atoms;
        if (a.terms[i].factor != b.terms[i].factor)
            return sign(a.terms[i].factor, b.terms[i].factor);
    }
    return sign(a.constant, b.constant);
}

bool kd_index_equal(kd_index a, kd_index b)
{
    return compare(a, b) == 0;
}

kd_index kd_index_const(int64_t value)
{
    return (kd_index){.constant = value};
}

static kd_index of_atom(kd_arena *arena, kd_index_atom atom)
{
    kd_index_atom *kept = kd_arena_new(arena, kd_index_atom);
    kd_index_term *term = kd_arena_new(arena, kd_index_term);
    const uint64_t own[] = {(uint64_t)atom.kind, atom.id, (uint64_t)atom.by, (uint64_t)atom.of.constant};
    atom.vars = atom.kind == KD_ATOM_VAR ? 1u << atom.id : 0;
    kd_hash_add(&atom.content, own, sizeof own);
    for (unsigned i = 0; i < atom.of.n_terms; i++) {
        const kd_index_atom *inner = atom.of.terms[i].atom;
        const uint64_t words[] = {(uint64_t)atom.of.terms[i].factor, inner->content.low, inner->content.high};
        atom.vars |= inner->vars;
        kd_hash_add(&atom.content, words, sizeof words);
    }
    *kept = atom;
    *term = (kd_index_term){1, kept};
    return (kd_index){.n_terms = 1, .terms = term};
}

kd_index kd_index_var(kd_arena *arena, unsigned id, int64_t n)
{
    return n <= 1 ? kd_index_const(0) : of_atom(arena, (kd_index_atom){.kind = KD_ATOM_VAR, .id = id, .n = n});
}

kd_index kd_index_value(kd_arena *arena, unsigned id, int64_t n)
{
    return of_atom(arena, (kd_index_atom){.kind = KD_ATOM_VALUE, .id = id, .n = n});
}

kd_index kd_index_add(kd_arena *arena, kd_index a, kd_index b)
{
    kd_index sum = {.constant = a.constant + b.constant};
    if (!a.n_terms || !b.n_terms) {
        const kd_index *with_terms = a.n_terms ? &a : &b;
        sum.n_terms = with_terms->n_terms;
        sum.terms = with_terms->terms;
        return sum;
    }
    kd_index_term *terms = kd_arena_array(arena, kd_index_term, a.n_terms + b.n_terms);
    unsigned i = 0, j = 0, n = 0;
    while (i < a.n_terms || j < b.n_terms) {
        int order = i == a.n_terms ? 1 : j == b.n_terms ? -1 : compare_atoms(a.terms[i].atom, b.terms[j].atom);
        if (order < 0) {
            terms[n++] = a.terms[i++];
        } else if (order > 0) {
            terms[n++] = b.terms[j++];
        } else {
            terms[n] = a.terms[i++];
            terms[n].factor += b.terms[j++].factor;
            n += terms[n].factor != 0;
        }
    }
    sum.n_terms = n;
    sum.terms = terms;
    return sum;
}

kd_index kd_index_scale(kd_arena *arena, kd_index a, int64_t factor)
{
    if (factor == 0)
        return kd_index_const(0);
    if (factor == 1)
        return a;
    kd_index_term *terms = kd_arena_array(arena, kd_index_term, a.n_terms);
    for (unsigned i = 0; i < a.n_terms; i++)
        terms[i] = (kd_index_term){a.terms[i].factor * factor, a.terms[i].atom};
    return (kd_index){a.constant * factor, a.n_terms, terms};
}

void kd_index_range(kd_index a, int64_t *out_least, int64_t *out_most)
{
    int64_t least = a.constant, most = a.constant;
    for (unsigned i = 0; i < a.n_terms; i++) {
        int64_t reach = a.terms[i].factor * (a.terms[i].atom->n - 1);
        *(reach < 0 ? &least : &most) += reach;
    }
    *out_least = least;
    *out_most = most;
}

/* Splits a into quotient * by + rest, term by term. */
static void split(kd_arena *arena, kd_index a, int64_t by, kd_index *out_quotient, kd_index *out_rest)
{
    kd_index_term *high = kd_arena_array(arena, kd_index_term, a.n_terms), *low = kd_arena_array(arena, kd_index_term, a.n_terms);
    unsigned n_high = 0, n_low = 0;
    for (unsigned i = 0; i < a.n_terms; i++) {
        kd_index_term t = a.terms[i];
        if (t.factor % by == 0)
            high[n_high++] = (kd_index_term){t.factor / by, t.atom};
        else
            low[n_low++] = t;
    }
    *out_quotient = (kd_index){a.constant / by, n_high, high};
    *out_rest = (kd_index){a.constant % by, n_low, low};
}

static bool lies_below(kd_index a, int64_t limit)
{
    int64_t least, most;
    kd_index_range(a, &least, &most);
    return least >= 0 && most < limit;
}

/* What all factors and the divisor have in common; the constant adds nothing where it is less than that. */
static int64_t common_factor(kd_index a, int64_t by)
{
    int64_t common = by;
    for (unsigned i = 0; i < a.n_terms; i++)
        for (int64_t other = a.terms[i].factor < 0 ? -a.terms[i].factor : a.terms[i].factor; other;) {
            int64_t rest = common % other;
            common = other;
            other = rest;
        }
    return common;
}

static kd_index shrink(kd_arena *arena, kd_index a, int64_t common)
{
    kd_index_term *terms = kd_arena_array(arena, kd_index_term, a.n_terms);
    for (unsigned i = 0; i < a.n_terms; i++)
        terms[i] = (kd_index_term){a.terms[i].factor / common, a.terms[i].atom};
    return (kd_index){a.constant / common, a.n_terms, terms};
}

kd_index kd_index_div(kd_arena *arena, kd_index a, int64_t by)
{
    if (by <= 1) /* 0: of a tensor without elements, where nothing is computed */
        return a;
    kd_index quotient, rest;
    split(arena, a, by, &quotient, &rest);
    int64_t least, most;
    kd_index_range(rest, &least, &most);
    if (least < 0) /* the parts have to stay together, or rounding goes the wrong way */
        rest = a, quotient = kd_index_const(0);
    else if (most < by)
        return quotient;
    int64_t common = common_factor(rest, by);
    if (common > 1 && rest.constant >= 0) {
        rest = shrink(arena, rest, common);
        by /= common;
    }
    if (by == 1)
        return kd_index_add(arena, quotient, rest);
    if (rest.n_terms == 1 && rest.constant == 0 && rest.terms[0].factor == 1 && rest.terms[0].atom->kind == KD_ATOM_DIV) {
        const kd_index_atom *inner = rest.terms[0].atom; /* (x / a) / b is x / (a * b) */
        return kd_index_add(arena, quotient, kd_index_div(arena, inner->of, inner->by * by));
    }
    kd_index_range(rest, &least, &most);
    return kd_index_add(arena, quotient,
                        of_atom(arena, (kd_index_atom){.kind = KD_ATOM_DIV, .of = rest, .by = by, .n = most / by + 1}));
}

kd_index kd_index_mod(kd_arena *arena, kd_index a, int64_t by)
{
    if (by <= 1)
        return kd_index_const(0);
    kd_index quotient, rest;
    split(arena, a, by, &quotient, &rest);
    int64_t least, most;
    kd_index_range(rest, &least, &most);
    if (least < 0)
        rest = a;
    else if (most < by)
        return rest;
    int64_t common = common_factor(rest, by);
    if (common > 1 && rest.constant % common == 0)
        return kd_index_scale(arena, kd_index_mod(arena, shrink(arena, rest, common), by / common), common);
    return of_atom(arena, (kd_index_atom){.kind = KD_ATOM_MOD, .of = rest, .by = by, .n = by});
}

kd_index kd_index_flatten(kd_arena *arena, unsigned n_dims, const int64_t *shape, const kd_index *at)
{
    kd_index flat = kd_index_const(0);
    int64_t step = 1;
    for (unsigned d = n_dims; d-- > 0; step *= shape[d])
        flat = kd_index_add(arena, flat, kd_index_scale(arena, at[d], step));
    return kd_index_recombine(arena, flat);
}

void kd_index_unflatten(kd_arena *arena, kd_index flat, unsigned n_dims, const int64_t *shape, kd_index *out_at)
{
    for (unsigned d = n_dims; d-- > 0;) {
        int64_t n = shape[d] ? shape[d] : 1;
        out_at[d] = n == 1 ? kd_index_const(0) : lies_below(flat, n) ? flat : kd_index_mod(arena, flat, n);
        flat = kd_index_div(arena, flat, n);
    }
}

bool kd_index_factor(kd_index a, unsigned var, int64_t *out_factor)
{
    int64_t factor = 0;
    for (unsigned i = 0; i < a.n_terms; i++) {
        const kd_index_atom *atom = a.terms[i].atom;
        if (atom->kind == KD_ATOM_VAR && atom->id == var)
            factor = a.terms[i].factor;
        else if (atom->vars >> var & 1)
            return false;
    }
    *out_factor = factor;
    return true;
}

/* a without the terms i and j, plus what they come to. */
static kd_index replace_terms(kd_arena *arena, kd_index a, unsigned i, unsigned j, kd_index by)
{
    kd_index_term *rest = kd_arena_array(arena, kd_index_term, a.n_terms);
    unsigned n = 0;
    for (unsigned k = 0; k < a.n_terms; k++)
        if (k != i && k != j)
            rest[n++] = a.terms[k];
    return kd_index_add(arena, (kd_index){a.constant, n, rest}, by);
}

kd_index kd_index_recombine(kd_arena *arena, kd_index a)
{
    for (unsigned i = 0; i < a.n_terms; i++) {
        kd_index_term rest = a.terms[i];
        if (rest.atom->kind != KD_ATOM_MOD)
            continue;
        kd_index quotient = kd_index_div(arena, rest.atom->of, rest.atom->by);
        for (unsigned j = 0; j < a.n_terms; j++) {
            if (quotient.n_terms != 1 || quotient.constant || compare_atoms(a.terms[j].atom, quotient.terms[0].atom) != 0 ||
                a.terms[j].factor != rest.factor * rest.atom->by * quotient.terms[0].factor)
                continue;
            a = replace_terms(arena, a, i, j, kd_index_scale(arena, rest.atom->of, rest.factor));
            i = (unsigned)-1; /* begins anew, with fewer terms */
            break;
        }
    }
    return a;
}
