/* convolution.c - the kernel of a convolution as a product, for devices that have no oneDNN.
 *
 *     rows     the places of the result in all images          columns     the output channels of a group
 *     inner    the places of the window, and at each of them the input channels of the group: these lie next to one another
 *
 * The first operand is gathered from the image, with zeros beyond its edges; windows of one place that move by one are rows of a matrix, and
 * read as such. The second one is the weights, which prepare.c has brought into the order [window, input channels, output channels]. Where
 * each group has one input channel, there is nothing to sum over but the window: that is done element by element. */
#include "graph/product.h"

#include "base/scalar.h"

#include <inttypes.h>

enum { WEIGHT = 1, BIAS = 2, STRIDE = 3, PADDING = 4, DILATION = 5, GROUPS = 8, MAX_SPATIAL = 3 };

/* Spatial dimensions, the fastest last: "z", "y", "x". */
static const char *const AXES[] = {"z", "y", "x"};

typedef struct convolution {
    kd_product p;
    unsigned n; /* spatial dimensions */
    int64_t n_images;
    const char *const *axes;
    int64_t in[MAX_SPATIAL], out[MAX_SPATIAL], window[MAX_SPATIAL], stride[MAX_SPATIAL], padding[MAX_SPATIAL],
        dilation[MAX_SPATIAL];
    int64_t groups, channels; /* channels: of the input, in a group */
    bool is_depthwise;
} convolution;

static void read_node(convolution *c, const kd_gnode *node)
{
    const kd_tensor_type *src = &kd_gnode_tensor(node, 0)->type, *weight = &kd_gnode_tensor(node, WEIGHT)->type;
    c->n = src->n_dims - 2;
    c->axes = AXES + MAX_SPATIAL - c->n;
    memcpy(c->in, src->shape + 2, c->n * sizeof *c->in);
    c->n_images = src->shape[0];
    memcpy(c->out, product_result_shape(node) + 2, c->n * sizeof *c->out);
    memcpy(c->window, weight->shape + 2, c->n * sizeof *c->window);
    (void)kd_gnode_spatial(node, STRIDE, c->n, c->stride);
    (void)kd_gnode_spatial(node, PADDING, c->n, c->padding);
    (void)kd_gnode_spatial(node, DILATION, c->n, c->dilation);
    c->groups = kd_gnode_int(node, GROUPS, 1);
    c->channels = weight->shape[1];
    c->is_depthwise = c->channels == 1 && c->groups > 1;
}

static int64_t n_places(const convolution *c)
{
    int64_t n = 1;
    for (unsigned i = 0; i < c->n; i++)
        n *= c->window[i];
    return n;
}

/* Each place of the result is computed from that place of the image. */
static bool is_pointwise(const convolution *c)
{
    bool is = true;
    for (unsigned i = 0; i < c->n; i++)
        is &= c->window[i] == 1 && c->stride[i] == 1 && c->padding[i] == 0;
    return is;
}

/* ---- coordinates ---- */

/* "row // 56 % 56": the quotient and the remainder that count along one of several dimensions. */
static const char *digit_text(kd_arena *arena, const char *number, int64_t below, int64_t extent, bool is_first)
{
    const char *quotient = below == 1 ? number : kd_arena_printf(arena, "%s // %" PRId64, number, below);
    return is_first ? quotient : kd_arena_printf(arena, "%s %% %" PRId64, quotient, extent);
}

/* Of the result, for tensors that rows do not simply count along. */
static void name_coordinates(convolution *c)
{
    kd_arena *arena = c->p.k.arena;
    int64_t below = 1;
    c->p.col_dim = 1;
    c->p.col = c->groups > 1 && !c->is_depthwise ? "channel" : "col";
    c->p.names[1] = kd_arena_printf(arena, "%s[None, :]", c->p.col);
    c->p.row_dims = 1;
    for (unsigned i = c->n; i-- > 0; below *= c->out[i]) {
        bool is_first = c->n_images == 1 && i == 0;
        c->p.names[i + 2] = kd_arena_printf(arena, "(%s)[:, None]", digit_text(arena, "row", below, c->out[i], is_first));
        c->p.row_dims |= 1u << (i + 2);
    }
    c->p.names[0] = kd_arena_printf(arena, "(%s)[:, None]", digit_text(arena, "row", below, c->n_images, true));
}

/* Where the window of each row begins. */
static void write_window_places(convolution *c)
{
    kd_kernel_text *k = &c->p.k;
    int64_t below = 1;
    for (unsigned i = c->n; i-- > 0; below *= c->out[i]) {
        kd_strbuf text = kd_strbuf_in(k->arena);
        kd_strbuf_puts(&text, digit_text(k->arena, "row", below, c->out[i], false));
        if (c->stride[i] != 1)
            kd_strbuf_printf(&text, " * %" PRId64, c->stride[i]);
        if (c->padding[i])
            kd_strbuf_printf(&text, " - %" PRId64, c->padding[i]);
        kernel_line(k, "%s_first = %s", c->axes[i], kd_strbuf_text(&text));
    }
    if (c->n_images > 1)
        kernel_line(k, "image = row // %" PRId64, below);
}

/* Lines for the place in the image that the window's place is at, and what masks those beyond the edges; NULL: there are none. inner: counts the
 * window's places, a row of them or one. */
static const char *write_image_places(convolution *c, const char *inner, int64_t below, bool is_row)
{
    kd_kernel_text *k = &c->p.k;
    kd_strbuf mask = kd_strbuf_in(k->arena);
    for (unsigned i = c->n; i-- > 0; below *= c->window[i]) {
        const char *axis = c->axes[i];
        kd_strbuf text = kd_strbuf_in(k->arena);
        kd_strbuf_printf(&text, "%s_first[:, None]", axis);
        if (c->window[i] > 1) {
            kd_strbuf_printf(&text, is_row ? " + (%s" : " + %s", digit_text(k->arena, inner, below, c->window[i], i == 0));
            if (c->dilation[i] != 1)
                kd_strbuf_printf(&text, " * %" PRId64, c->dilation[i]);
            kd_strbuf_puts(&text, is_row ? ")[None, :]" : "");
        }
        kernel_line(k, "    %s = %s", axis, kd_strbuf_text(&text));
        if (c->padding[i])
            kd_strbuf_printf(&mask, "%s(%s >= 0) & (%s < %" PRId64 ")", mask.len ? " & " : "", axis, axis, c->in[i]);
    }
    if (!mask.len)
        return NULL;
    kernel_line(k, "    inside = %s", kd_strbuf_text(&mask));
    return "inside";
}

/* ---- sums ---- */

static const char *both(kd_arena *arena, const char *one, const char *two)
{
    return one && two ? kd_arena_printf(arena, "%s & %s", one, two) : one ? one : two;
}

/* "src + image[:, None] * 4096 + channel + y * 64 + x * 8". channel: the row of the input's channels. */
static const char *image_places(convolution *c, const kd_product_operand *src, const char *channel)
{
    const char *names[KD_TENSOR_MAX_DIMS] = {"image[:, None]", channel};
    int64_t strides[KD_TENSOR_MAX_DIMS];
    memcpy(names + 2, c->axes, c->n * sizeof *names);
    memcpy(strides, src->strides, sizeof strides);
    unsigned last = c->n + 1;
    strides[last] = src->shape[last] == 1 ? 1 : strides[last]; /* so that the tile has all its rows */
    return kernel_places(&c->p.k, "src", c->n + 2, strides, src->offset, names);
}

/* Whether the window's places and the channels behind each lie in memory as one dimension; the distance. */
static bool weights_are_one(const convolution *c, const kd_product_operand *weight, int64_t *out_stride)
{
    int64_t next = 0;
    *out_stride = 1;
    for (unsigned i = 0; i <= c->n; i++) { /* the channels, then the window from its last dimension */
        unsigned d = i ? c->n + 2 - i : 1;
        if (weight->shape[d] == 1)
            continue;
        if (next && weight->strides[d] != next)
            return false;
        *out_stride = next ? *out_stride : weight->strides[d];
        next = weight->strides[d] * weight->shape[d];
    }
    return true;
}

/* inner_suffix: "[:, None]" where inner is a row of numbers. */
static const char *weight_places(convolution *c, const kd_product_operand *weight, const char *inner_suffix)
{
    kd_arena *arena = c->p.k.arena;
    const char *names[KD_TENSOR_MAX_DIMS] = {c->p.names[1]};
    int64_t strides[KD_TENSOR_MAX_DIMS] = {weight->shape[0] == 1 ? 1 : weight->strides[0]}, below = 1;
    if (weights_are_one(c, weight, &strides[1])) {
        names[1] = kd_arena_printf(arena, "inner%s", inner_suffix);
        return kernel_places(&c->p.k, "weight", 2, strides, weight->offset, names);
    }
    for (unsigned i = 0; i <= c->n; i++) {
        unsigned d = i ? c->n + 2 - i : 1;
        names[d] = kd_arena_printf(arena, "(%s)%s", digit_text(arena, "inner", below, weight->shape[d], d == 2), inner_suffix);
        strides[d] = weight->strides[d];
        below *= weight->shape[d];
    }
    return kernel_places(&c->p.k, "weight", c->n + 2, strides, weight->offset, names);
}

/* The channel of the image that the inner dimension is at. */
static const char *channel_text(const convolution *c)
{
    kd_arena *arena = c->p.k.arena;
    const char *channel = digit_text(arena, "inner", 1, c->channels, n_places(c) == 1);
    return c->groups > 1 ? kd_arena_printf(arena, "(group * %" PRId64 " + %s)[None, :]", c->channels, channel)
                         : kd_arena_printf(arena, n_places(c) == 1 ? "%s[None, :]" : "(%s)[None, :]", channel);
}

static void write_product(convolution *c, kd_product_operand *src, const kd_product_operand *weight)
{
    kd_product *p = &c->p;
    kd_kernel_text *k = &p->k;
    bool ends = product_write_loop(p);
    const char *in_row = ends ? "(inner[None, :] < K)" : NULL, *inside = NULL, *places;
    if (p->size.n_inner == 1) /* the tile has all its columns, and the mask keeps the others away */
        src->strides[1] = 1;
    if (is_pointwise(c)) {
        const char *col = p->names[1];
        p->names[1] = channel_text(c);
        places = product_places(p, "src", src, true);
        p->names[1] = col;
    } else {
        inside = write_image_places(c, "inner", c->channels, true);
        places = image_places(c, src, channel_text(c));
    }
    kernel_line(k, "    pixels = tl.load(%s%s)", places, kernel_mask(k, both(k->arena, inside, p->rows_end), in_row, true));
    kernel_line(k, "    w = tl.load(%s%s)", weight_places(c, weight, "[:, None]"),
                kernel_mask(k, ends ? "(inner[:, None] < K)" : NULL, p->cols_end, true));
    kernel_line(k, "    total = tl.dot(pixels, w, total, input_precision=\"ieee\")");
}

/* Each output channel has its own input channel, or several share one. */
static void write_depthwise(convolution *c, const kd_product_operand *src, const kd_product_operand *weight)
{
    kd_product *p = &c->p;
    kd_kernel_text *k = &p->k;
    int64_t sharing = p->size.n_cols / c->groups;
    const char *channel = sharing == 1 ? "col[None, :]" : kd_arena_printf(k->arena, "(col // %" PRId64 ")[None, :]", sharing);
    kernel_line(k, "for inner in range(0, K):");
    const char *inside = write_image_places(c, "inner", 1, false);
    kernel_line(k, "    pixels = tl.load(%s%s)", image_places(c, src, channel),
                kernel_mask(k, both(k->arena, inside, p->rows_end), p->cols_end, true));
    kernel_line(k, "    w = tl.load(%s%s)", weight_places(c, weight, ""), kernel_mask(k, p->cols_end, NULL, true));
    kernel_line(k, "    total += pixels.to(tl.%s) * w.to(tl.%s)", kd_scalar_tl_name(p->sum_type), kd_scalar_tl_name(p->sum_type));
}

static void write_sum(convolution *c)
{
    kd_product *p = &c->p;
    kd_product_operand src = product_operand(p, 0, "src"), weight = product_operand(p, WEIGHT, "weight");
    if (c->groups > 1 && !c->is_depthwise)
        kernel_line(&p->k, "channel = group * N + col");
    if (c->is_depthwise || !is_pointwise(c))
        write_window_places(c);
    kernel_line(&p->k, "total = tl.full([ROWS, COLS], 0.0, tl.%s)", kd_scalar_tl_name(p->sum_type));
    if (c->is_depthwise)
        write_depthwise(c, &src, &weight);
    else
        write_product(c, &src, &weight);
}

static kd_product_size size_of(const convolution *c, const kd_gnode *node)
{
    int64_t n_batch = c->is_depthwise ? 1 : c->groups;
    kd_product_size size = {n_batch, c->n_images, product_result_shape(node)[1] / n_batch, n_places(c) * c->channels};
    for (unsigned i = 0; i < c->n; i++)
        size.n_rows *= c->out[i];
    return size;
}

kd_product_size convolution_size_of(const kd_gnode *node)
{
    convolution c = {.n = 0};
    read_node(&c, node);
    return size_of(&c, node);
}

kd_status kd_convolution_write(kd_plan *plan, const kd_gnode *node, unsigned number, kd_kernel_source *out)
{
    convolution c = {.n = 0};
    read_node(&c, node);
    kd_status status = product_begin(&c.p, plan, node, out, size_of(&c, node));
    if (status)
        return status;
    name_coordinates(&c);
    product_write_coordinates(&c.p, "group");
    write_sum(&c);
    if (kd_gnode_tensor(node, BIAS))
        product_add_bias(&c.p, BIAS);
    product_write_posts(&c.p);
    product_store(&c.p);
    return product_finish(&c.p, "convolution", number);
}
