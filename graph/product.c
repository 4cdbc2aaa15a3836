/* product.c - what kernels of products of tiles share: the tiles, what follows element by element, the result. */
#include "graph/product.h"

#include "base/scalar.h"

#include <inttypes.h>

/* A sub-group sums up at most so many elements, which stay in its registers; a work-group of 16 takes a quarter of a core's hardware threads. */
enum {
    MOST_HALF = 128,
    MOST_WIDE = 64,
    LEAST = 16,
    SUMS_HALF = 1024,
    SUMS_WIDE = 512,
    INNER_HALF = 32,
    INNER_WIDE = 16,
    THREADS = 16
};

static int64_t n_blocks(int64_t n, int64_t block)
{
    return (n + block - 1) / block;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- parts ---- */

/* The number from wanted to most, or else the largest below, that divides n evenly; where all of these are much less than wanted, that many, of
 * which the last one is shorter. */
static int64_t parts_near(int64_t n, int64_t wanted, int64_t most)
{
    int64_t parts = wanted = least(wanted, most);
    while (parts < most && parts < 2 * wanted && n % parts)
        parts++;
    for (parts = n % parts ? wanted : parts; n % parts; parts--)
        continue;
    return 2 * parts > wanted ? parts : wanted;
}

int64_t product_n_parts(const kd_product_size *s, kd_scalar type, unsigned n_threads)
{
    enum { LEAST_STEPS = 8, LEAST_ALL_STEPS = 32 }; /* of the loop: what begins and ends a kernel costs as much as some of them */
    bool is_half = kd_scalar_bytes(type) < 4;
    int64_t most = is_half ? MOST_HALF : MOST_WIDE, rows = kernel_block_of(s->n_rows, most),
            cols = kernel_block_of(s->n_cols, most);
    int64_t n_warps = rows * cols / (is_half ? SUMS_HALF : SUMS_WIDE),
            n_steps = n_blocks(s->n_inner, is_half ? INNER_HALF : INNER_WIDE);
    int64_t n_have = s->n_batch * n_blocks(s->n_rows, rows) * n_blocks(s->n_cols, cols) * (n_warps < 1 ? 1 : n_warps);
    if (!n_have || n_steps < LEAST_ALL_STEPS)
        return 1;
    /* Sums in f32 are written and read again: half as much as the operands, at most. */
    double read = (double)(s->n_rows + s->n_cols) * (double)s->n_inner * kd_scalar_bytes(type);
    double sums = 2.0 * (double)s->n_rows * (double)s->n_cols * (type == KD_F64 ? 8 : 4);
    int64_t most_parts = least(n_steps / LEAST_STEPS, (int64_t)(read / 2 / sums)), wanted = n_blocks(n_threads / 2, n_have);
    return wanted < 2 || most_parts < 2 ? 1 : parts_near(n_steps, wanted, most_parts);
}

/* ---- tiles ---- */

/* Large tiles read less; where there would be fewer than the device has room for, smaller ones are faster. */
static void choose_tiles(kd_product *p, bool is_half)
{
    const kd_product_size *s = &p->size;
    int64_t most = is_half ? MOST_HALF : MOST_WIDE, n_wanted = p->k.plan->n_threads / THREADS, n_batch = s->n_batch * p->n_parts;
    p->rows = kernel_block_of(s->n_rows, most);
    p->cols = kernel_block_of(s->n_cols, most);
    p->inner = kernel_block_of(s->n_inner, is_half ? INNER_HALF : INNER_WIDE);
    while (n_batch * n_blocks(s->n_rows, p->rows) * n_blocks(s->n_cols, p->cols) < n_wanted && p->rows * p->cols > LEAST * LEAST)
        *(p->rows >= p->cols ? &p->rows : &p->cols) /= 2;
    int64_t n_warps = p->rows * p->cols / (is_half ? SUMS_HALF : SUMS_WIDE);
    p->k.out->num_warps = p->k.plan->on_gpu ? (unsigned)(n_warps < 1 ? 1 : n_warps) : 0;
}

kd_status product_begin(kd_product *p, kd_plan *plan, const kd_gnode *node, kd_kernel_source *out, kd_product_size size)
{
    kd_scalar type = kd_gnode_tensor(node, 0)->type.type;
    *p = (kd_product){.k = kernel_begin(plan, node, out),
                      .size = size,
                      .n_parts = node->n_parts > 1 ? node->n_parts : 1,
                      .sum_type = type == KD_F64 ? KD_F64 : KD_F32,
                      .n_dims = node->results[0]->type.n_dims - (node->n_parts > 1),
                      .col = "col"};
    if (!kd_scalar_is_float(type))
        return kd_fail(plan->why, KD_ERR_UNSUPPORTED, "%s = %s: products in %s are not supported on this device yet", node->origin,
                       node->op->name, kd_scalar_name(type));
    choose_tiles(p, kd_scalar_bytes(type) < 4);
    p->part = n_blocks(n_blocks(size.n_inner, p->inner), p->n_parts) * p->inner;
    p->rows_end = size.n_rows % p->rows ? "(row[:, None] < M)" : NULL;
    p->cols_end = size.n_cols % p->cols ? "(col[None, :] < N)" : NULL;
    return KD_OK;
}

void product_write_coordinates(kd_product *p, const char *batch)
{
    kd_kernel_text *k = &p->k;
    int64_t n_row_tiles = n_blocks(p->size.n_rows, p->rows), n_col_tiles = n_blocks(p->size.n_cols, p->cols);
    const char *row_tile = "tl.program_id(0)", *col_tile = row_tile;
    if (n_row_tiles > 1 && n_col_tiles > 1) {
        row_tile = kd_arena_printf(k->arena, "(tl.program_id(0) %% %" PRId64 ")", n_row_tiles);
        col_tile = kd_arena_printf(k->arena, "(tl.program_id(0) // %" PRId64 ")", n_row_tiles);
    }
    if (n_row_tiles > 1)
        kernel_line(k, "row = %s * ROWS + tl.arange(0, ROWS)", row_tile);
    else
        kernel_line(k, "row = tl.arange(0, ROWS)");
    if (n_col_tiles > 1)
        kernel_line(k, "col = %s * COLS + tl.arange(0, COLS)", col_tile);
    else
        kernel_line(k, "col = tl.arange(0, COLS)");
    if (p->n_parts > 1)
        kernel_line(k, p->size.n_batch > 1 ? "part = tl.program_id(1) %% PARTS" : "part = tl.program_id(1)");
    if (p->size.n_batch > 1)
        kernel_line(k, "%s = tl.program_id(1)%s", batch, p->n_parts > 1 ? " // PARTS" : "");
    k->out->grid[0] = (uint32_t)(n_row_tiles * n_col_tiles);
    k->out->grid[1] = (uint32_t)(p->size.n_batch * p->n_parts);
}

bool product_write_loop(kd_product *p)
{
    kd_kernel_text *k = &p->k;
    if (p->n_parts > 1) {
        kernel_line(k, "for start in range(0, PART, INNER):");
        kernel_line(k, "    inner = part * PART + start + tl.arange(0, INNER)");
    } else {
        kernel_line(k, "for start in range(0, K, INNER):");
        kernel_line(k, "    inner = start + tl.arange(0, INNER)");
    }
    return p->n_parts > 1 ? p->n_parts * p->part != p->size.n_inner : p->size.n_inner % p->inner != 0;
}

/* ---- operands ---- */

kd_product_operand product_operand(kd_product *p, unsigned arg, const char *name)
{
    const kd_gvalue *value = kd_gnode_tensor(p->k.node, arg), *base;
    kd_product_operand operand = {.offset = 0};
    kd_strided strided;
    (void)kd_access_strided(p->k.arena, value, &base, &strided, &operand.offset); /* prepare.c saw to it */
    for (unsigned d = 0; d < strided.n_dims; d++) {
        operand.shape[d] = strided.shape[d];
        operand.strides[d] = strided.shape[d] == 1 ? 0 : strided.strides[d];
    }
    kernel_reads(&p->k, name, kd_plan_info(p->k.plan, base)->buffer, (uint64_t)kd_tensor_n_elems(&value->type));
    return operand;
}

/* Whether the rows of a tensor lie in memory as those of one dimension do; the distance between them, 0 where all are the same. */
static bool rows_are_one(const kd_product *p, const kd_product_operand *tensor, int64_t *out_stride)
{
    int64_t next = 0, n = 1;
    *out_stride = 0;
    for (unsigned d = p->n_dims; d-- > 0;) {
        if (!(p->row_dims >> d & 1) || tensor->shape[d] == 1)
            continue;
        if (next && tensor->strides[d] != next)
            return false;
        *out_stride = next ? *out_stride : tensor->strides[d];
        next = tensor->strides[d] * tensor->shape[d];
        n *= tensor->shape[d];
    }
    return n == 1 || n == p->size.n_rows;
}

const char *product_places(kd_product *p, const char *pointer, const kd_product_operand *tensor, bool whole)
{
    const char *names[KD_TENSOR_MAX_DIMS];
    int64_t strides[KD_TENSOR_MAX_DIMS], stride;
    bool is_one = rows_are_one(p, tensor, &stride), has_row = false;
    stride = whole && p->size.n_rows == 1 ? product_stride_of_one(tensor->shape[p->col_dim], tensor->strides[p->col_dim]) : stride;
    for (unsigned d = 0; d < p->n_dims; d++) {
        bool is_row = is_one && p->row_dims >> d & 1;
        names[d] = is_row ? "row[:, None]" : p->names[d];
        strides[d] = !is_row ? tensor->strides[d] : has_row ? 0 : stride;
        has_row |= is_row;
    }
    return kernel_places(&p->k, pointer, p->n_dims, strides, tensor->offset, names);
}

void product_add_bias(kd_product *p, unsigned arg)
{
    kd_product_operand bias = product_operand(p, arg, "bias");
    const char *const at[] = {p->col};
    bias.strides[0] = 1; /* as it lies, see prepare.c */
    kernel_line(&p->k, "total += tl.load(%s%s)[None, :]", kernel_places(&p->k, "bias", 1, bias.strides, bias.offset, at),
                kernel_mask(&p->k, p->cols_end ? "(col < N)" : NULL, NULL, true));
}

/* ---- posts ---- */

/* The expression of a pointwise op in "total", with numbers for its other parameters. */
static const char *expression_text(kd_kernel_text *k, const char *expression, const double numbers[2])
{
    kd_strbuf text = kd_strbuf_in(k->arena);
    for (const char *at = expression; *at; at++) {
        if (at[0] != '{') {
            kd_strbuf_append(&text, at, 1);
            continue;
        }
        kd_garg number = kd_garg_float(at[1] > '0' ? numbers[at[1] - '1'] : 0);
        kd_strbuf_puts(&text, at[1] == '0' ? "total" : kd_number_text(k->arena, &number, KD_F32));
        at += 2;
    }
    return kd_strbuf_text(&text);
}

static const char *post_expression(kd_arena *arena, const kd_gpost *post)
{
    kd_garg kind = {.kind = KD_GARG_TEXT};
    kind.text = post->kind == KD_POST_GELU_TANH ? "tanh" : "none";
    kd_gnode gelu = {.args = (kd_garg[]){{0}, kind}, .n_args = 2};
    switch (post->kind) {
    case KD_POST_RELU: return kd_gops[post->alpha != 0 ? KD_GOP_leaky_relu : KD_GOP_relu].expression;
    case KD_POST_GELU_ERF:
    case KD_POST_GELU_TANH: return kd_expression_gelu(&gelu);
    case KD_POST_SIGMOID: return kd_gops[KD_GOP_sigmoid].expression;
    case KD_POST_TANH: return kd_gops[KD_GOP_tanh].expression;
    case KD_POST_SWISH: return kd_gops[KD_GOP_silu].expression;
    case KD_POST_HARDSWISH: return kd_gops[KD_GOP_hardswish].expression;
    case KD_POST_HARDSIGMOID: return kd_gops[KD_GOP_hardsigmoid].expression;
    case KD_POST_CLIP: return kd_gops[KD_GOP_hardtanh].expression;
    case KD_POST_LINEAR: return post->beta == 0 ? "{0} * {1}" : post->alpha == 1 ? "{0} + {2}" : "{0} * {1} + {2}";
    case KD_POST_ADD:
    case KD_POST_MUL: break;
    }
    return NULL;
}

/* "total += tl.load(...)" */
static void write_tensor_post(kd_product *p, const kd_gpost *post, unsigned number)
{
    const char *name = kd_arena_printf(p->k.arena, post->kind == KD_POST_ADD ? "added_%u" : "factor_%u", number);
    kd_product_operand t = product_operand(p, (unsigned)post->arg, name);
    bool has_rows = false;
    for (unsigned d = 0; d < p->n_dims; d++)
        has_rows |= (p->row_dims >> d & 1) && t.strides[d];
    kernel_line(&p->k, "total %c= tl.load(%s%s)", post->kind == KD_POST_ADD ? '+' : '*', product_places(p, name, &t, false),
                kernel_mask(&p->k, has_rows ? p->rows_end : NULL, t.strides[p->col_dim] ? p->cols_end : NULL, true));
}

void product_write_posts(kd_product *p)
{
    for (unsigned i = 0; i < p->k.node->n_posts; i++) {
        const kd_gpost *post = &p->k.node->posts[i];
        const char *expression = post_expression(p->k.arena, post);
        if (expression)
            kernel_line(&p->k, "total = %s",
                        expression_text(&p->k, expression, (const double[]){(double)post->alpha, (double)post->beta}));
        else
            write_tensor_post(p, post, i);
    }
}

/* ---- the result ---- */

void product_store(kd_product *p)
{
    kd_buffer *b = kd_plan_info(p->k.plan, p->k.node->results[0])->buffer;
    kd_product_operand out = {.offset = 0};
    const char *pointer = "out";
    unsigned first = p->n_parts > 1;
    for (unsigned d = 0; d < p->n_dims; d++) {
        out.shape[d] = b->type.shape[first + d];
        out.strides[d] = out.shape[d] > 1 ? b->type.strides[first + d] : d == p->col_dim;
    }
    if (first)
        pointer = kd_arena_printf(p->k.arena, "out + part * %" PRId64, b->type.strides[0]);
    kernel_writes(&p->k, "out", b);
    kernel_line(&p->k, "tl.store(%s, total%s)", product_places(p, pointer, &out, true),
                kernel_mask(&p->k, p->rows_end, p->cols_end, false));
}

kd_status product_finish(kd_product *p, const char *what, unsigned number)
{
    kernel_constant(&p->k, "M", p->size.n_rows);
    kernel_constant(&p->k, "N", p->size.n_cols);
    kernel_constant(&p->k, "K", p->size.n_inner);
    kernel_constant(&p->k, "ROWS", p->rows);
    kernel_constant(&p->k, "COLS", p->cols);
    kernel_constant(&p->k, "INNER", p->inner);
    if (p->n_parts > 1) {
        kernel_constant(&p->k, "PARTS", p->n_parts);
        kernel_constant(&p->k, "PART", p->part);
    }
    return kernel_finish(&p->k, what, number);
}
