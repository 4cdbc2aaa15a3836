/* dot_direct.c - matrix products without SLM, where the layouts of a and b allow it (passes/dot_layouts.h chooses such).
 *
 *     for k:  for each register of acc:  acc += a[row, k] from a constant lane * b[k, column] of the lane's own
 *
 * All k are unrolled. A shuffle from a constant lane is a region of the multiply-add's operand on Intel's GPUs; each is made once. The sums are
 * made in the order of k, from acc on, as in dot.c. */
#include "targets/gpu/lower.h"

#include "base/bits.h"
#include "base/bug.h"

enum { MAX_STEPS = 4096 }; /* multiply-adds of a work-item */

typedef struct factor {
    const kd_layout *layout; /* that it has */
    kd_layout_map map;       /* to it, from acc's registers with k on top, lanes and sub-groups */
    bool is_shuffled;        /* all lanes read one; else each its own */
    kd_value **regs, **shuffled; /* shuffled: [register][lane], made when wanted */
} factor;

typedef struct sizes {
    unsigned m, n, k; /* bits; m with the batch */
    unsigned m_alone;
} sizes;

static sizes sizes_of(const kd_op *op)
{
    const kd_type *a = kd_dot_a(op)->type, *b = kd_dot_b(op)->type;
    unsigned r = a->rank, batch = r == 3 ? kd_log2(a->shape[0]) : 0, m = kd_log2(a->shape[r - 2]);
    return (sizes){m + batch, kd_log2(b->shape[r - 1]), kd_log2(a->shape[r - 1]), m};
}

/* The position in a or b, at k = 0, of what an element of acc needs. */
static uint32_t needed(const sizes *z, bool is_a, uint32_t position)
{
    uint32_t row = position >> z->n, column = position & ((1u << z->n) - 1);
    return is_a ? row << z->k : (row >> z->m_alone) << (z->k + z->n) | column;
}

/* False: it would have to leave its sub-group, or comes from lanes of different distance. */
static bool find_map(const sizes *z, bool is_a, const kd_layout *acc, const kd_layout *layout, factor *f)
{
    kd_layout want = {.n_out_bits = layout->n_out_bits};
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++) {
        want.n_bits[in] = acc->n_bits[in];
        for (unsigned i = 0; i < acc->n_bits[in]; i++)
            want.basis[in][i] = needed(z, is_a, acc->basis[in][i]);
    }
    if (want.n_bits[KD_REGISTER] + z->k > KD_MAX_LAYOUT_BITS)
        return false;
    for (unsigned i = 0; i < z->k; i++)
        want.basis[KD_REGISTER][want.n_bits[KD_REGISTER]++] = 1u << (is_a ? i : z->n + i);
    f->layout = layout;
    if (!kd_layout_conversion(layout, &want, &f->map))
        return false;
    uint32_t copies = kd_layout_free_bits(layout, KD_LANE);
    bool any_own = false, all_own = true;
    for (unsigned i = 0; i < want.n_bits[KD_LANE]; i++) {
        const uint32_t *to = f->map.basis[KD_LANE][i].to;
        uint32_t lanes = to[KD_LANE] & ~copies;
        if (to[KD_SUB_GROUP] || to[KD_REGISTER] || (lanes && lanes != 1u << i))
            return false;
        any_own |= lanes != 0;
        all_own &= to[KD_LANE] == 1u << i;
    }
    for (unsigned i = 0; i < want.n_bits[KD_SUB_GROUP]; i++) {
        const uint32_t *to = f->map.basis[KD_SUB_GROUP][i].to;
        if (to[KD_SUB_GROUP] != 1u << i || to[KD_REGISTER] || to[KD_LANE] & ~copies)
            return false;
    }
    bool moves = false;
    for (unsigned i = 0; i < want.n_bits[KD_REGISTER]; i++) {
        const uint32_t *to = f->map.basis[KD_REGISTER][i].to;
        if (to[KD_SUB_GROUP])
            return false;
        moves |= to[KD_LANE] != 0;
    }
    f->is_shuffled = moves || !all_own;
    return !f->is_shuffled || !any_own;
}

static kd_value *read_factor(kd_simt *s, factor *f, uint32_t reg)
{
    uint32_t place[KD_N_LAYOUT_INS];
    kd_layout_map_apply(&f->map, (uint32_t[]){reg, 0, 0}, place);
    if (!f->is_shuffled)
        return f->regs[place[KD_REGISTER]];
    kd_value **known = &f->shuffled[place[KD_REGISTER] << f->layout->n_bits[KD_LANE] | place[KD_LANE]];
    if (!*known)
        *known = kd_simt_shuffle(s, f->regs[place[KD_REGISTER]], kd_simt_int(s, s->i32, place[KD_LANE]));
    return *known;
}

static void load_factor(kd_simt *s, factor *f, const kd_value *value, const kd_type *elem)
{
    unsigned n = kd_layout_n_registers(f->layout);
    kd_value **regs = kd_simt_regs(s, value);
    f->regs = kd_simt_array(s, n);
    for (unsigned r = 0; r < n; r++)
        f->regs[r] = kd_simt_cast(s, regs[r], elem);
    f->shuffled = kd_simt_array(s, n << f->layout->n_bits[KD_LANE]);
}

bool kd_simt_dot_direct(kd_simt *s, const kd_op *op, const kd_type *elem)
{
    sizes z = sizes_of(op);
    const kd_value *result = kd_op_result(op, 0);
    const kd_layout *acc = kd_simt_layout(s, result->type);
    unsigned n_regs = kd_layout_n_registers(acc), n_k = 1u << z.k;
    factor a, b;
    if ((uint64_t)n_regs * n_k > MAX_STEPS || !find_map(&z, true, acc, kd_simt_layout(s, kd_dot_a(op)->type), &a) ||
        !find_map(&z, false, acc, kd_simt_layout(s, kd_dot_b(op)->type), &b))
        return false;
    load_factor(s, &a, kd_dot_a(op), elem);
    load_factor(s, &b, kd_dot_b(op), elem);
    kd_value **from = kd_simt_regs(s, kd_dot_acc(op)), **sums = kd_simt_array(s, n_regs);
    for (unsigned r = 0; r < n_regs; r++)
        sums[r] = kd_simt_cast(s, from[r], elem);
    for (unsigned k = 0; k < n_k; k++)
        for (unsigned r = 0; r < n_regs; r++)
            sums[r] = kd_simt_multiply_add(s, read_factor(s, &a, k * n_regs + r), read_factor(s, &b, k * n_regs + r), sums[r]);
    for (unsigned r = 0; r < n_regs; r++)
        sums[r] = kd_simt_cast(s, sums[r], kd_type_elem(result->type));
    kd_simt_set(s, result, sums);
    return true;
}
