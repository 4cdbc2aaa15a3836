/* split_products.c - simt level: products of sums, where the lanes' part is that of other products too.
 *
 *     %r = kd.add %lane, 16 : i32                      %p = kd.mul %lane, %stride : i32        one for all rows of the lane
 *     %o = kd.mul %r, %stride : i32           ==>      %q = kd.mul 16, %stride : i32           the same for all lanes
 *                                                      %o = kd.add %p, %q : i32
 *
 * The rows of a tile that a lane holds are a number of its own plus constants; so are their offsets then, and split-addresses finds that in
 * pointers. Where a loop fills the registers, comparisons of 64 bits are likewise of the lanes' part with what remains of the bound: more work,
 * but fewer numbers of each lane's own.
 *
 * Needs:   other products of the same lanes' part with the same factor, or comparisons of it.
 * Leaves:  the old sums, dead, for dce; equal products, for cse.   Cost: linear (sums.h). */
#include "passes/register_use.h"
#include "passes/sums.h"

enum { PRODUCTS = 4, COMPARISONS = 2 }; /* that are enough */

typedef struct splitter {
    kd_pass_ctx *px;
    kd_varying varying;
    kd_map counts; /* factor and varying terms -> unsigned: products; comparisons have no factor */
    bool is_full; /* a loop fills the registers */
    bool changed;
} splitter;

/* sum * factor, or sum compared with a bound. */
typedef struct place {
    kd_terms terms; /* of the sum */
    kd_value *other; /* factor or bound: the same for all lanes */
    bool sum_is_first;
} place;

static bool is_splittable(const splitter *s, const kd_op *op)
{
    const kd_type *type = op->n_operands == 2 ? kd_op_operand(op, 0)->type : NULL;
    if (op->code == KD_OP_cmp)
        return s->is_full && kd_type_is_scalar(type, KD_I64);
    return op->code == KD_OP_mul && (kd_type_is_scalar(type, KD_I32) || kd_type_is_scalar(type, KD_I64));
}

static bool find_place(const splitter *s, const kd_op *op, place *out)
{
    if (!is_splittable(s, op))
        return false;
    out->sum_is_first = kd_is_varying(&s->varying, kd_op_operand(op, 0));
    out->other = kd_op_operand(op, out->sum_is_first);
    if (kd_is_varying(&s->varying, out->other))
        return false;
    out->terms = kd_take_apart(&s->varying, kd_op_operand(op, !out->sum_is_first));
    return !out->terms.overflow && out->terms.n_uniform < out->terms.n;
}

static unsigned *count_of(splitter *s, const kd_op *op, const place *at)
{
    const kd_terms *t = &at->terms;
    const kd_value *key[KD_MAX_TERMS + 1] = {op->code == KD_OP_mul ? at->other : NULL};
    unsigned n = t->n - t->n_uniform;
    memcpy(key + 1, t->list + t->n_uniform, n * sizeof *key);
    size_t n_bytes = (n + 1) * sizeof *key;
    void **found = kd_map_at(&s->counts, (kd_str){kd_arena_strndup(s->px->scratch, (const char *)key, n_bytes), n_bytes});
    if (!*found)
        *found = kd_arena_new(s->px->scratch, unsigned);
    return *found;
}

static void count(kd_op *op, void *user)
{
    place at;
    if (find_place(user, op, &at))
        ++*count_of(user, op, &at);
}

static kd_value *as_type(kd_builder *b, kd_value *value, const kd_type *type, kd_loc loc)
{
    return value->type == type ? value : kd_wide(b, value, loc);
}

static kd_value *times(kd_builder *b, kd_value *value, kd_value *factor, kd_loc loc)
{
    return kd_result(kd_build_mul(b, (kd_mul_args){.loc = loc, .a = as_type(b, value, factor->type, loc), .b = factor}));
}

static kd_value *split_product(splitter *s, kd_builder *b, const place *at, kd_loc loc)
{
    const kd_terms *t = &at->terms;
    kd_value *sum = times(b, kd_varying_sum(b, t, loc), at->other, loc);
    kd_set_varying(&s->varying, sum);
    for (unsigned i = 0; i < t->n_uniform; i++)
        sum = kd_plus(b, sum, times(b, t->list[i], at->other, loc), loc);
    if (t->constant)
        sum = kd_plus(b, sum, times(b, kd_build_int(b, loc, at->other->type, t->constant), at->other, loc), loc);
    kd_set_varying(&s->varying, sum);
    return sum;
}

static kd_value *minus(kd_builder *b, kd_value *from, kd_value *value, kd_loc loc)
{
    return kd_result(kd_build_sub(b, (kd_sub_args){.loc = loc, .a = from, .b = as_type(b, value, from->type, loc)}));
}

/* The bound without what the lanes have in common. */
static void split_comparison(kd_builder *b, kd_op *op, const place *at)
{
    const kd_terms *t = &at->terms;
    kd_value *bound = at->other, *lanes = as_type(b, kd_varying_sum(b, t, op->loc), bound->type, op->loc);
    for (unsigned i = 0; i < t->n_uniform; i++)
        bound = minus(b, bound, t->list[i], op->loc);
    if (t->constant)
        bound = minus(b, bound, kd_build_int(b, op->loc, bound->type, t->constant), op->loc);
    kd_op_set_operand(op, !at->sum_is_first, lanes);
    kd_op_set_operand(op, at->sum_is_first, bound);
}

static void split(kd_op *op, void *user)
{
    splitter *s = user;
    place at;
    unsigned enough = op->code == KD_OP_cmp ? COMPARISONS : PRODUCTS;
    if (!find_place(s, op, &at) || !(at.terms.n_uniform || at.terms.constant) || *count_of(s, op, &at) < enough)
        return;
    kd_builder b = kd_builder_before(s->px->module, op);
    if (op->code == KD_OP_mul)
        kd_op_replace(op, split_product(s, &b, &at, op->loc)->def);
    else
        split_comparison(&b, op, &at);
    s->changed = true;
}

kd_pass_result kd_pass_split_products(kd_pass_ctx *px, kd_op *func)
{
    splitter s = {.px = px, .varying = kd_find_varying(px->scratch, func), .counts = kd_map_in(px->scratch)};
    s.is_full = px->gpu && kd_has_large_loop(px, func);
    kd_op_walk(func, count, &s);
    kd_op_walk(func, split, &s);
    return s.changed ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
