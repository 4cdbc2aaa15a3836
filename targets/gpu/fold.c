/* fold.c - reductions and scans, by any function.
 *
 * The axis has bits, each of which lies in the number of the register, the lane or the sub-group. A step joins the two halves along one bit
 * (of sub-groups, which go through SLM: along several at once), so that after all of them each place has the total of its line. A step
 * knows which half comes first, so any associative function will do, if the bits come in ascending order. Where the function is one
 * commuting op, registers come first, then lanes, then sub-groups; sums of f16 and bf16 are then made in f32 and rounded once.
 *
 * A scan also keeps, for each run of registers along the axis, the prefixes in the run and what comes before the run: the totals of the
 * first halves when the run was in the second. */
#include "targets/gpu/lower.h"

#include "base/bug.h"
#include "targets/fold_op.h"

enum { N = KD_MAX_LAYOUT_BITS, MAX_READ_BYTES = 16 };

typedef struct step {
    kd_layout_in in;
    unsigned bit, axis_bit;
} step;

typedef struct fold {
    kd_simt *s;
    const kd_op *op;
    const kd_type *type; /* of the operands */
    const kd_layout *layout;
    bool is_scan, reverse, simple;
    unsigned n_values, n_regs, axis;
    uint32_t axis_mask;         /* position bits */
    step steps[3 * N];
    unsigned n_steps;
    uint32_t done[KD_N_LAYOUT_INS]; /* input bits along the axis that are joined */
    kd_value ***total;              /* [value][register]: valid where the joined register bits are 0 */
    kd_value ***prefix, ***before;  /* of scans; before: by the first register of a run, NULL: nothing */
    kd_value **has_before;          /* by run: where there is something, NULL: everywhere */
    uint32_t run_mask;              /* register bits of a run */
} fold;

/* ---- the layout ---- */

/* Each vector goes along the axis by one bit, or not along it; no element twice. */
static bool is_foldable(const kd_layout *l, uint32_t axis_mask)
{
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < l->n_bits[in]; i++) {
            uint32_t v = l->basis[in][i], along = v & axis_mask;
            if (along && (along != v || v & (v - 1)))
                return false;
            if (v && kd_layout_free_bits(l, (kd_layout_in)in) >> i & 1)
                return false;
        }
    return true;
}

static const kd_layout *foldable_layout(kd_simt *s, const kd_type *type, unsigned axis, uint32_t axis_mask)
{
    const kd_layout *l = kd_simt_full(s, kd_layout_without_register_copies(s->ctx, kd_simt_layout(s, type)));
    unsigned order[KD_MAX_RANK], n = 0;
    if (is_foldable(l, axis_mask))
        return l;
    order[n++] = axis;
    for (unsigned i = type->rank; i-- > 0;)
        if (i != axis)
            order[n++] = i;
    return kd_layout_coalesced(s->ctx, type, order, 1, s->config->sub_group_size, s->config->n_sub_groups);
}

static void find_steps(fold *f)
{
    unsigned first_bit = (unsigned)__builtin_ctz(f->axis_mask);
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < f->layout->n_bits[in]; i++)
            if (f->layout->basis[in][i] & f->axis_mask)
                f->steps[f->n_steps++] = (step){(kd_layout_in)in, i, (unsigned)__builtin_ctz(f->layout->basis[in][i]) - first_bit};
    for (unsigned i = 1; i < f->n_steps && !f->simple; i++)
        for (unsigned k = i; k && f->steps[k].axis_bit < f->steps[k - 1].axis_bit; k--) {
            step t = f->steps[k];
            f->steps[k] = f->steps[k - 1];
            f->steps[k - 1] = t;
        }
}

/* ---- the function ---- */

static void combine(fold *f, kd_value *const *left, kd_value *const *right, kd_value **out)
{
    kd_value **args = kd_simt_array(f->s, 2 * f->n_values);
    for (unsigned k = 0; k < f->n_values; k++) {
        args[k] = left[k];
        args[f->n_values + k] = right[k];
        if (f->simple) {
            const kd_op *one = kd_fold_op_of(f->op, k);
            out[k] = kd_simt_apply(f->s, one->code, left[k]->type, one->attrs, (kd_value *[]){left[k], right[k]}, 2);
        }
    }
    if (!f->simple)
        kd_simt_region(f->s, kd_op_region(f->op, 0), args, out);
}

static kd_value **gather_values(const fold *f, kd_value ***from, unsigned r)
{
    kd_value **out = kd_simt_array(f->s, f->n_values);
    for (unsigned k = 0; k < f->n_values; k++)
        out[k] = from[k][r];
    return out;
}

static void scatter_values(const fold *f, kd_value ***to, unsigned r, kd_value *const *values)
{
    for (unsigned k = 0; k < f->n_values; k++)
        to[k][r] = values[k];
}

static void choose(const fold *f, kd_value *condition, kd_value *const *a, kd_value *const *b, kd_value **out)
{
    for (unsigned k = 0; k < f->n_values; k++)
        out[k] = kd_simt_select(f->s, condition, a[k], b[k]);
}

static bool is_alive(const fold *f, unsigned r)
{
    return !(r & (f->done[KD_REGISTER] | f->run_mask));
}

/* What comes before a run grows by `first` on its left; where: NULL for everywhere. */
static void extend_before(fold *f, unsigned run, kd_value *const *first, kd_value *where)
{
    kd_value **out = kd_simt_array(f->s, f->n_values), **old = gather_values(f, f->before, run);
    if (!old[0]) {
        memcpy(out, first, f->n_values * sizeof *out);
        f->has_before[run] = where;
    } else {
        combine(f, first, old, out);
        if (f->has_before[run])
            choose(f, f->has_before[run], out, first, out);
        if (where) {
            choose(f, where, out, old, out);
            f->has_before[run] = f->has_before[run] ? kd_simt_binary(f->s, KD_OP_or, f->has_before[run], where) : NULL;
        } else {
            f->has_before[run] = NULL;
        }
    }
    scatter_values(f, f->before, run, out);
}

/* ---- steps ---- */

static void extend_runs(fold *f, uint32_t live_bits, unsigned r, kd_value *const *first, kd_value *where)
{
    for (unsigned run = 0; f->is_scan && run < f->n_regs; run++)
        if (!(run & f->run_mask) && (run & live_bits) == (r & live_bits))
            extend_before(f, run, first, where);
}

static void join_registers(fold *f, unsigned bit)
{
    uint32_t live = (f->n_regs - 1) & ~f->done[KD_REGISTER] & ~f->run_mask;
    for (unsigned r = 0; r < f->n_regs; r++) {
        if (!is_alive(f, r) || r >> bit & 1)
            continue;
        unsigned second = f->reverse ? r : r | 1u << bit, first = f->reverse ? r | 1u << bit : r;
        kd_value **a = gather_values(f, f->total, first), **b = gather_values(f, f->total, second),
                 **out = kd_simt_array(f->s, f->n_values);
        extend_runs(f, live, second, a, NULL);
        combine(f, a, b, out);
        scatter_values(f, f->total, r, out);
    }
    f->done[KD_REGISTER] |= 1u << bit;
}

/* The total of what lies in register r and in those that these steps join with it. */
static void join_tree(fold *f, const step *steps, unsigned n, unsigned r)
{
    if (!n)
        return;
    unsigned second = r | 1u << steps[n - 1].bit;
    join_tree(f, steps, n - 1, r);
    join_tree(f, steps, n - 1, second);
    kd_value **out = kd_simt_array(f->s, f->n_values);
    combine(f, gather_values(f, f->total, r), gather_values(f, f->total, second), out);
    scatter_values(f, f->total, r, out);
}

/* Of reductions: line after line, and of each the joined halves as soon as they are there, so that few values wait in registers. */
static void join_lines(fold *f, const step *steps, unsigned n)
{
    uint32_t joined = 0;
    for (unsigned i = 0; i < n; i++)
        joined |= 1u << steps[i].bit;
    for (unsigned r = 0; r < f->n_regs; r++)
        if (is_alive(f, r) && !(r & joined))
            join_tree(f, steps, n, r);
    f->done[KD_REGISTER] |= joined;
}

static kd_value *lane_bit_is(fold *f, unsigned bit, bool set)
{
    kd_simt *s = f->s;
    kd_value *masked = kd_simt_binary(s, KD_OP_and, s->lane_id, kd_simt_int(s, s->i32, 1 << bit));
    return kd_simt_compare(s, set ? KD_PRED_NE : KD_PRED_EQ, masked, kd_simt_int(s, s->i32, 0));
}

/* Own values with those of lane ^ bit, in order. */
static void join_with_lane(fold *f, unsigned bit, kd_value *is_second, kd_value **own, kd_value **other)
{
    for (unsigned k = 0; k < f->n_values; k++)
        other[k] = kd_simt_from_movable(f->s, kd_simt_shuffle_xor(f->s, kd_simt_to_movable(f->s, own[k]), 1u << bit), own[k]->type);
    kd_value **left = own, **right = other;
    if (!f->simple) {
        left = kd_simt_array(f->s, f->n_values);
        right = kd_simt_array(f->s, f->n_values);
        choose(f, is_second, other, own, left);
        choose(f, is_second, own, other, right);
    }
    combine(f, left, right, own);
}

static void join_lanes(fold *f, unsigned bit)
{
    uint32_t live = (f->n_regs - 1) & ~f->done[KD_REGISTER] & ~f->run_mask;
    kd_value *is_second = f->simple ? NULL : lane_bit_is(f, bit, !f->reverse);
    for (unsigned r = 0; r < f->n_regs; r++) {
        if (!is_alive(f, r))
            continue;
        kd_value **own = gather_values(f, f->total, r), **other = kd_simt_array(f->s, f->n_values);
        join_with_lane(f, bit, is_second, own, other);
        extend_runs(f, live, r, other, is_second);
        scatter_values(f, f->total, r, own);
    }
    f->done[KD_LANE] |= 1u << bit;
}

/* ---- across sub-groups ---- */

/* Where the totals lie in SLM: the lowest bits count the sub-groups that are joined, in the axis's order; the others tell apart what is
 * not of one line. */
typedef struct slots {
    unsigned n_joined_log2, n_bits;
    uint32_t lane[N], sub_group[N], reg[N];
    uint32_t joined; /* sub-group bits */
    uint32_t same_lanes, same_sub_groups; /* bits of those that have the same totals */
} slots;

static slots make_slots(const fold *f, const step *steps, unsigned n)
{
    slots out = {.n_joined_log2 = n, .n_bits = n};
    uint32_t *images[] = {out.reg, out.lane, out.sub_group}, same[KD_N_LAYOUT_INS] = {0};
    for (unsigned i = 0; i < n; i++) {
        out.joined |= 1u << steps[i].bit;
        out.sub_group[steps[i].bit] = 1u << i;
    }
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < f->layout->n_bits[in]; i++) {
            if (in == KD_SUB_GROUP && out.joined >> i & 1)
                continue;
            bool gone = f->done[in] >> i & 1 || (in == KD_REGISTER && f->run_mask >> i & 1);
            if (gone || !f->layout->basis[in][i])
                same[in] |= 1u << i;
            else
                images[in][i] = 1u << out.n_bits++;
        }
    out.same_lanes = same[KD_LANE];
    out.same_sub_groups = same[KD_SUB_GROUP];
    return out;
}

static uint32_t reg_slot(const slots *at, unsigned r)
{
    uint32_t slot = 0;
    for (unsigned i = 0; r >> i; i++)
        slot |= r >> i & 1 ? at->reg[i] : 0;
    return slot;
}

static kd_value *none_set(kd_simt *s, kd_value *id, uint32_t mask)
{
    if (!mask)
        return NULL;
    return kd_simt_compare(s, KD_PRED_EQ, kd_simt_binary(s, KD_OP_and, id, kd_simt_int(s, s->i32, mask)),
                           kd_simt_int(s, s->i32, 0));
}

static void write_totals(fold *f, const slots *at, kd_value **buffers)
{
    kd_simt *s = f->s;
    kd_value *owner = kd_simt_both(s, none_set(s, s->lane_id, at->same_lanes), none_set(s, s->sub_group_id, at->same_sub_groups));
    for (unsigned k = 0; k < f->n_values; k++) {
        buffers[k] = kd_simt_slm(s, kd_simt_movable_type(s, f->total[k][0]->type), (int64_t)1 << at->n_bits);
        for (unsigned r = 0; r < f->n_regs; r++)
            if (is_alive(f, r)) {
                kd_value *index = kd_simt_linear(s, at->lane, f->layout->n_bits[KD_LANE], at->sub_group,
                                                 f->layout->n_bits[KD_SUB_GROUP], reg_slot(at, r));
                kd_simt_slm_write(s, buffers[k], index, kd_simt_to_movable(s, f->total[k][r]), owner);
            }
    }
}

/* n totals of the lines of register r; where lanes have images, each lane its own. */
static void read_slots(fold *f, const slots *at, kd_value **buffers, unsigned r, unsigned n, kd_value ***out)
{
    kd_simt *s = f->s;
    for (unsigned k = 0; k < f->n_values; k++) {
        const kd_type *elem = f->total[k][r]->type, *type = kd_simt_movable_type(s, elem);
        unsigned vector = MAX_READ_BYTES / kd_scalar_bytes(type->scalar);
        vector = n < vector ? n : vector;
        for (unsigned j = 0; j < n; j += vector) {
            kd_value *index = kd_simt_linear(s, at->lane, f->layout->n_bits[KD_LANE], at->sub_group,
                                             f->layout->n_bits[KD_SUB_GROUP], reg_slot(at, r) | j);
            kd_simt_unpack(s, kd_simt_slm_read(s, buffers[k], index, kd_simt_vector_type(s, type, vector)), out[k] + j, vector);
        }
        for (unsigned j = 0; j < n; j++)
            out[k][j] = kd_simt_from_movable(s, out[k][j], elem);
    }
}

static slots without_own(const slots *at)
{
    slots line = *at;
    for (unsigned i = 0; i < N; i++)
        if (at->joined >> i & 1)
            line.sub_group[i] = 0;
    return line;
}

static kd_value ***new_totals(const fold *f, unsigned n)
{
    kd_value ***out = kd_arena_array(f->s->arena, kd_value **, f->n_values);
    for (unsigned k = 0; k < f->n_values; k++)
        out[k] = kd_simt_array(f->s, n);
    return out;
}

/* In order: from the first sub-group on, or from the last. */
static kd_value **join_all(fold *f, kd_value ***all, unsigned n)
{
    kd_value **sum = gather_values(f, all, f->reverse ? n - 1 : 0);
    for (unsigned i = 1; i < n; i++) {
        kd_value **next = kd_simt_array(f->s, f->n_values);
        combine(f, sum, gather_values(f, all, f->reverse ? n - 1 - i : i), next);
        sum = next;
    }
    return sum;
}

/* Many totals: each lane reads some and they are joined by shuffles. True where there are lanes to spare for it. */
static bool read_by_lanes(fold *f, const slots *at, kd_value **buffers)
{
    slots mine = without_own(at);
    unsigned bits[N], n = 0;
    if (f->is_scan || at->n_joined_log2 < 3)
        return false;
    for (unsigned i = 0; i < f->layout->n_bits[KD_LANE] && n < at->n_joined_log2; i++)
        if (at->same_lanes >> i & 1)
            bits[n++] = i;
    unsigned each_log2 = at->n_joined_log2 - n; /* totals that a lane reads: the fastest along the axis */
    if (each_log2 > 1)
        return false;
    for (unsigned i = 0; i < n; i++)
        mine.lane[bits[i]] = 1u << (each_log2 + i);
    for (unsigned r = 0; r < f->n_regs; r++) {
        kd_value ***few = new_totals(f, 1u << each_log2), **other = kd_simt_array(f->s, f->n_values);
        if (!is_alive(f, r))
            continue;
        read_slots(f, &mine, buffers, r, 1u << each_log2, few);
        kd_value **own = join_all(f, few, 1u << each_log2);
        for (unsigned i = 0; i < n; i++)
            join_with_lane(f, bits[i], f->simple ? NULL : lane_bit_is(f, bits[i], !f->reverse), own, other);
        scatter_values(f, f->total, r, own);
    }
    return true;
}

/* What comes before this sub-group: the totals joined up to it. For the first one it is something. */
static kd_value **join_earlier(fold *f, kd_value ***all, unsigned n, kd_value *self)
{
    kd_value **sum = gather_values(f, all, f->reverse ? n - 1 : 0), **earlier = sum;
    for (unsigned i = 1; i < n; i++) {
        unsigned j = f->reverse ? n - 1 - i : i;
        kd_value *here = kd_simt_compare(f->s, KD_PRED_EQ, self, kd_simt_int(f->s, f->s->i32, j)),
                 **with = kd_simt_array(f->s, f->n_values);
        choose(f, here, sum, earlier, with);
        earlier = with;
        kd_value **next = kd_simt_array(f->s, f->n_values);
        combine(f, sum, gather_values(f, all, j), next);
        sum = next;
    }
    return earlier;
}

static void join_sub_groups(fold *f, const step *steps, unsigned n_steps)
{
    kd_simt *s = f->s;
    slots at = make_slots(f, steps, n_steps), line = without_own(&at);
    unsigned n = 1u << n_steps;
    uint32_t live = (f->n_regs - 1) & ~f->done[KD_REGISTER] & ~f->run_mask, mine[N] = {0};
    kd_value **buffers = kd_simt_array(s, f->n_values), *self = NULL;
    write_totals(f, &at, buffers);
    for (unsigned i = 0; i < n_steps; i++)
        mine[steps[i].bit] = 1u << i;
    if (f->is_scan)
        self = kd_simt_linear(s, NULL, 0, mine, f->layout->n_bits[KD_SUB_GROUP], 0);
    bool by_lanes = read_by_lanes(f, &at, buffers);
    for (unsigned r = 0; r < f->n_regs && !by_lanes; r++) {
        if (!is_alive(f, r))
            continue;
        kd_value ***all = new_totals(f, n);
        read_slots(f, &line, buffers, r, n, all);
        if (f->is_scan)
            extend_runs(f, live, r, join_earlier(f, all, n, self),
                        kd_simt_compare(s, KD_PRED_NE, self, kd_simt_int(s, s->i32, f->reverse ? n - 1 : 0)));
        scatter_values(f, f->total, r, join_all(f, all, n));
    }
    f->done[KD_SUB_GROUP] |= at.joined;
}

/* ---- all together ---- */

/* The first steps of a scan, as long as they stay in registers: element after element. */
static unsigned scan_runs(fold *f)
{
    unsigned n = 0;
    while (n < f->n_steps && f->steps[n].in == KD_REGISTER)
        f->run_mask |= 1u << f->steps[n++].bit;
    for (unsigned run = 0; run < f->n_regs; run++) {
        unsigned last = run;
        if (run & f->run_mask)
            continue;
        for (unsigned i = 0; i < 1u << n; i++) {
            unsigned j = f->reverse ? (1u << n) - 1 - i : i, r = run;
            for (unsigned b = 0; b < n; b++)
                r |= (j >> b & 1) << f->steps[b].bit;
            if (i) {
                kd_value **out = kd_simt_array(f->s, f->n_values);
                combine(f, gather_values(f, f->prefix, last), gather_values(f, f->prefix, r), out);
                scatter_values(f, f->prefix, r, out);
            }
            last = r;
        }
        scatter_values(f, f->total, run, gather_values(f, f->prefix, last));
    }
    return n;
}

static void run_steps(fold *f)
{
    unsigned i = f->is_scan ? scan_runs(f) : 0;
    while (i < f->n_steps && !f->s->failed) {
        unsigned n = 1, alike = 1;
        while (i + alike < f->n_steps && f->steps[i + alike].in == f->steps[i].in)
            alike++;
        if (f->steps[i].in == KD_REGISTER && f->is_scan)
            join_registers(f, f->steps[i].bit);
        else if (f->steps[i].in == KD_REGISTER)
            join_lines(f, f->steps + i, n = alike);
        else if (f->steps[i].in == KD_LANE)
            join_lanes(f, f->steps[i].bit);
        else
            join_sub_groups(f, f->steps + i, n = alike);
        i += n;
    }
}

static void finish_scan(fold *f)
{
    for (unsigned r = 0; r < f->n_regs; r++) {
        unsigned run = r & ~f->run_mask;
        kd_value **before = gather_values(f, f->before, run), **own = gather_values(f, f->prefix, r),
                 **out = kd_simt_array(f->s, f->n_values);
        if (!before[0])
            continue;
        combine(f, before, own, out);
        if (f->has_before[run])
            choose(f, f->has_before[run], out, own, out);
        scatter_values(f, f->prefix, r, out);
    }
    for (unsigned k = 0; k < f->n_values; k++)
        kd_simt_set_from(f->s, kd_op_result(f->op, k), f->layout, f->prefix[k]);
}

static void finish_reduce(fold *f)
{
    const kd_layout *layout = kd_layout_slice(f->s->ctx, f->layout, f->type, f->axis);
    for (unsigned k = 0; k < f->n_values; k++) {
        const kd_value *result = kd_op_result(f->op, k);
        kd_value **out = kd_simt_array(f->s, kd_layout_n_registers(layout));
        unsigned n = 0;
        for (unsigned r = 0; r < f->n_regs; r++)
            if (is_alive(f, r))
                out[n++] = kd_simt_cast(f->s, f->total[k][r], kd_type_elem(result->type));
        KD_ASSERT(n == kd_layout_n_registers(layout));
        kd_simt_set_from(f->s, result, layout, out);
    }
}

static kd_value ***new_values(const fold *f)
{
    kd_value ***out = kd_arena_array(f->s->arena, kd_value **, f->n_values);
    for (unsigned k = 0; k < f->n_values; k++)
        out[k] = kd_simt_array(f->s, f->n_regs);
    return out;
}

static void load_operands(fold *f)
{
    f->total = new_values(f);
    f->prefix = new_values(f);
    f->before = new_values(f);
    f->has_before = kd_simt_array(f->s, f->n_regs);
    for (unsigned k = 0; k < f->n_values; k++) {
        kd_value **regs = kd_simt_regs_as(f->s, kd_op_operand(f->op, k), f->layout);
        const kd_type *elem = regs[0]->type;
        bool widen = f->simple && kd_type_is_float_like(elem) && kd_type_elem_bits(elem) < 32;
        for (unsigned r = 0; r < f->n_regs; r++)
            f->total[k][r] = f->prefix[k][r] = widen ? kd_simt_cast(f->s, regs[r], f->s->f32) : regs[r];
    }
}

void kd_simt_fold(kd_simt *s, const kd_op *op)
{
    fold f = {.s = s,
              .op = op,
              .type = kd_op_operand(op, 0)->type,
              .is_scan = op->code == KD_OP_scan,
              .n_values = op->n_operands,
              .simple = true};
    f.axis = (unsigned)(f.is_scan ? kd_scan_axis(op) : kd_reduce_axis(op));
    f.reverse = f.is_scan && kd_scan_reverse(op);
    for (unsigned k = 0; k < f.n_values; k++)
        f.simple = f.simple && !f.is_scan && kd_fold_op_of(op, k);
    for (uint32_t bit = 1; bit < (uint32_t)f.type->n_elems; bit <<= 1)
        f.axis_mask |= kd_position_coord(f.type, bit, f.axis) ? bit : 0;
    f.layout = foldable_layout(s, f.type, f.axis, f.axis_mask);
    f.n_regs = kd_layout_n_registers(f.layout);
    load_operands(&f);
    if (f.axis_mask)
        find_steps(&f);
    run_steps(&f);
    if (s->failed)
        return;
    if (f.is_scan)
        finish_scan(&f);
    else
        finish_reduce(&f);
}
