/* dpas.c - dots on the systolic array. In the layouts of passes/dpas_layouts.h an operand of one operation is a run of consecutive registers, so
 * that runs are packed into vectors and handed over; runs of 16-bit and 8-bit elements as dwords where the array wants them. */
#include "passes/dpas_layouts.h"
#include "targets/gpu/lower.h"

enum { MAX_ROW_BYTES = 64 }; /* of a rectangle's message */

typedef struct dpas {
    kd_simt *s;
    const kd_dpas_tiling *t;
    unsigned n_m, n_n, n_k; /* operations along the axes, of one batch */
    unsigned n_together; /* along n, for each k */
    unsigned rows, a_regs, b_regs;
    kd_value **a, **b, **acc; /* operands of single operations: [k][m], [n][k], [n][m] */
} dpas;

/* The runs of a register array, as vectors of n elements. */
static kd_value **runs_of(kd_simt *s, kd_value *const *regs, unsigned n_runs, unsigned run, const kd_type *elem, unsigned n)
{
    kd_value **out = kd_simt_array(s, n_runs);
    for (unsigned i = 0; i < n_runs; i++)
        out[i] = kd_simt_pack_as(s, regs + i * run, run, elem, n);
    return out;
}

/* What a and b consist of: f32 stays (tf32); a is in 16-bit pieces where a sub-group has 16 lanes. */
static void pack_operands(dpas *d, kd_value *const *a, kd_value *const *b)
{
    kd_simt *s = d->s;
    unsigned bits = kd_type_elem_bits(a[0]->type), a_bits = s->config->sub_group_size == 16 && bits < 32 ? 16 : 32;
    const kd_type *i16 = kd_type_scalar(s->ctx, KD_I16), *dword = bits == 32 ? s->f32 : s->i32;
    d->a = runs_of(s, a, d->n_k * d->n_m, d->a_regs, a_bits == 16 ? i16 : dword, d->a_regs * bits / a_bits);
    d->b = runs_of(s, b, d->n_n * d->n_k, d->b_regs, dword, d->b_regs * bits / 32);
}

/* Columns after columns: all of a is alive the while (in a chain of dots it was just computed), but of b only what the columns at hand take,
 * where sink-loads loads it late. With all columns together, it is parts of K after parts of K. */
static void multiply(dpas *d)
{
    kd_simt *s = d->s;
    kd_text elem = kd_str_of(d->t->elem);
    for (unsigned i = 0; i < d->n_n * d->n_k * d->n_m; i++) {
        unsigned m = i % d->n_m, rest = i / d->n_m, at_n = rest % d->n_together, k = rest / d->n_together % d->n_k;
        unsigned n = rest / d->n_together / d->n_k * d->n_together + at_n;
        kd_value **acc = &d->acc[n * d->n_m + m];
        *acc = kd_result(kd_build_gpu_dpas(
            &s->b,
            (kd_gpu_dpas_args){.loc = s->loc, .a = d->a[k * d->n_m + m], .b = d->b[n * d->n_k + k], .acc = *acc, .elem = elem}));
    }
}

static bool comes_as_rectangle(const kd_value *operand)
{
    while (operand->def && operand->def->n_operands == 1)
        operand = kd_op_operand(operand->def, 0);
    return operand->def && operand->def->code == KD_OP_block_load && kd_block_load_is_rectangle(operand->def);
}

/* Columns whose right operands are alive together: those that a rectangle's message brings (block2d.c); all, where the whole left operand, which
 * comes so too, would not find room in the registers beside them and the sums. */
static unsigned together(const dpas *d, const kd_value *left, const kd_value *right)
{
    const kd_gpu_device *device = d->s->config->device;
    unsigned bytes = kd_type_elem_bits(right->type) / 8,
             n = comes_as_rectangle(right) ? MAX_ROW_BYTES / (bytes << d->t->columns) : 1;
    n = n < d->n_n ? n : d->n_n;
    unsigned sums = d->n_m * d->n_n * d->rows * 4, operands = (d->n_m * d->a_regs + n * d->b_regs) * d->n_k * bytes;
    unsigned room = device->registers_bytes * (device->has_large_registers ? 2 : 1);
    bool fits = (sums + operands) * d->s->config->sub_group_size <= room - room / 8;
    return fits || !comes_as_rectangle(left) ? n : d->n_n;
}

/* Where EUs run in pairs (those of 8 lanes), branches are such that Intel's compiler takes a register that the array writes to be in use all through
 * a loop that carries it. What was computed before is then added to a product of its own, and the loop carries the sums. */
static bool is_added_apart(const kd_simt *s, kd_value *const *acc)
{
    const kd_op *def = acc[0]->def;
    return s->config->sub_group_size == 8 && def && kd_op_has(def, KD_ELEMENTWISE | KD_PURE);
}

/* The parts of single operations' results, each with what it is added to, as soon as it is there. */
static void take_sums(const dpas *d, kd_value *const *addends, kd_value **own)
{
    kd_simt *s = d->s;
    kd_builder after = s->b;
    for (unsigned i = 0; i < d->n_n * d->n_m; i++) {
        kd_value **parts = own + i * d->rows;
        if (addends)
            s->b = kd_builder_after(s->module, d->acc[i]->def);
        kd_simt_unpack(s, d->acc[i], parts, d->rows);
        for (unsigned r = 0; addends && r < d->rows; r++)
            parts[r] = kd_simt_binary(s, KD_OP_add, addends[i * d->rows + r], parts[r]);
    }
    s->b = after;
}

bool kd_simt_dpas(kd_simt *s, const kd_op *op)
{
    kd_dpas_tiling t;
    if (!kd_dpas_tiling_choose(s->ctx, op, s->config, &t))
        return false;
    dpas d = {
        .s = s, .t = &t, .n_m = 1u << t.n_m, .n_n = 1u << t.n_n, .n_k = 1u << t.n_k, .rows = 1u << t.rows, .b_regs = 1u << t.depth};
    kd_value *left = kd_dot_a(op), *right = kd_dot_b(op);
    const kd_layout *left_layout = t.layouts.a, *right_layout = t.layouts.b;
    if (t.is_turned) {
        left = kd_dot_b(op), right = kd_dot_a(op);
        left_layout = t.layouts.b, right_layout = t.layouts.a;
    }
    d.a_regs = kd_layout_n_registers(left_layout) >> (t.n_m + t.n_k + t.n_batch);
    d.n_together = together(&d, left, right);
    kd_value **a = kd_simt_regs_as(s, left, left_layout), **b = kd_simt_regs_as(s, right, right_layout);
    kd_value **acc = kd_simt_regs_as(s, kd_dot_acc(op), t.layouts.acc);
    const kd_type *acc_elem = kd_type_elem(kd_dot_acc(op)->type), *sum = kd_type_is_scalar(acc_elem, KD_I32) ? s->i32 : s->f32;
    unsigned n = kd_layout_n_registers(t.layouts.acc), n_per_batch = n >> t.n_batch;
    kd_value **out = kd_simt_array(s, n), **addends = is_added_apart(s, acc) ? kd_simt_array(s, n) : NULL;
    kd_number nothing = {.is_float = kd_type_is_float_like(sum)};
    kd_value *zero = addends ? kd_result(kd_build_constant(&s->b, (kd_constant_args){.loc = s->loc, .type = sum, .value = nothing})) : NULL;
    for (unsigned i = 0; i < n; i++) {
        out[i] = kd_simt_cast(s, acc[i], sum);
        if (addends)
            addends[i] = out[i], out[i] = zero;
    }
    for (unsigned batch = 0; batch < 1u << t.n_batch; batch++) {
        kd_value **own = out + batch * n_per_batch;
        pack_operands(&d, a + batch * (d.n_k * d.n_m * d.a_regs), b + batch * (d.n_n * d.n_k * d.b_regs));
        d.acc = runs_of(s, own, d.n_n * d.n_m, d.rows, sum, d.rows);
        multiply(&d);
        take_sums(&d, addends ? addends + batch * n_per_batch : NULL, own);
    }
    for (unsigned i = 0; i < n; i++)
        out[i] = kd_simt_cast(s, out[i], acc_elem);
    kd_simt_set_from(s, kd_op_result(op, 0), t.layouts.acc, out);
    return true;
}
