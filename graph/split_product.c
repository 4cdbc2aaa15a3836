/* split_product.c - on a GPU, products with few results and long sums become sums of parts, so that all of its cores have work:
 *
 *     %y = addmm(%bias, %a, %b), then relu      ==>      %parts = mm(%a, %b)            in f32, [n_parts, rows, columns]
 *                                                        %y = relu(sum(%parts, [0]) + %bias)
 *
 * What follows the product becomes pointwise work in the kernel of the sum. The parts are summed in their order, so that each run gives the
 * same numbers. Needs: sums that are much shorter to write than the operands are to read. Effect: rounds differently than one sum does. */
#include "graph/decompose_impl.h"
#include "graph/product.h"

enum { CONVOLUTION_BIAS = 2 };

static bool is_product(const kd_gnode *node)
{
    kd_gop_code code = node->op->code;
    return code == KD_GOP_mm || code == KD_GOP_bmm || code == KD_GOP_addmm || code == KD_GOP_convolution;
}

/* 1: it stays whole. */
static int64_t n_parts_of(const kd_gnode *node, unsigned n_threads)
{
    if (!is_product(node) || !kd_scalar_is_float(node->results[0]->type.type) ||
        node->results[0]->type.n_dims == KD_TENSOR_MAX_DIMS || !kd_tensor_is_dense(&node->results[0]->type))
        return 1;
    kd_product_size size = node->op->code == KD_GOP_convolution ? convolution_size_of(node) : product_size_of(node);
    return product_n_parts(&size, node->results[0]->type.type, n_threads);
}

/* The same product with a sum for each part in front. */
static kd_gvalue *build_parts(kd_decomposer *d, int64_t n_parts)
{
    const kd_tensor_type *whole = &d->of->results[0]->type;
    kd_tensor_type type = {.type = whole->type == KD_F64 ? KD_F64 : KD_F32, .n_dims = whole->n_dims + 1, .shape = {n_parts}};
    type.strides[0] = kd_tensor_n_elems(whole);
    memcpy(type.shape + 1, whole->shape, whole->n_dims * sizeof *whole->shape);
    memcpy(type.strides + 1, whole->strides, whole->n_dims * sizeof *whole->strides);
    kd_gnode *node = kd_arena_new(d->arena, kd_gnode);
    kd_garg *args = kd_arena_array(d->arena, kd_garg, d->of->n_args);
    kd_gparam params[KD_GOP_MAX_PARAMS];
    unsigned first = d->of->op->code == KD_GOP_addmm; /* its bias is the first argument */
    *node = *d->of;
    node->op = first ? &kd_gops[KD_GOP_mm] : node->op;
    node->n_args = kd_gop_params(node->op, params);
    memcpy(args, d->of->args + first, node->n_args * sizeof *args);
    if (node->op->code == KD_GOP_convolution)
        args[CONVOLUTION_BIAS] = no_arg();
    node->args = args;
    node->n_parts = (unsigned)n_parts;
    node->results = kd_arena_new(d->arena, kd_gvalue *);
    node->results[0] = kd_graph_add_value(d->to, kd_arena_printf(d->arena, "%s.parts", d->of->results[0]->name), &type);
    node->results[0]->def = node;
    kd_vec_push(d->arena, &d->to->nodes, node);
    return node->results[0];
}

/* The last node takes the place of the whole product. */
static void finish(kd_decomposer *d, kd_gop_code code, unsigned n_args, const kd_garg *given)
{
    kd_gnode *node = kd_arena_new(d->arena, kd_gnode);
    kd_garg *args = kd_arena_array(d->arena, kd_garg, n_args);
    memcpy(args, given, n_args * sizeof *args);
    *node = (kd_gnode){.op = &kd_gops[code],
                       .part_of = d->of->part_of ? d->of->part_of : d->of->op,
                       .args = args,
                       .n_args = n_args,
                       .results = d->of->results,
                       .n_results = 1,
                       .origin = d->of->origin,
                       .at = d->of->at};
    node->results[0]->def = node;
    kd_vec_push(d->arena, &d->to->nodes, node);
}

static void split(kd_decomposer *d, const kd_gnode *product, int64_t n_parts)
{
    const int64_t first[] = {0};
    d->of = product;
    d->n_made = 0;
    kd_gop_code code = product->op->code;
    kd_gvalue *bias = code == KD_GOP_addmm         ? kd_gnode_tensor(product, 0)
                      : code == KD_GOP_convolution ? kd_gnode_tensor(product, CONVOLUTION_BIAS)
                                                   : NULL;
    kd_garg sum[] = {kd_garg_value(build_parts(d, n_parts)), ints_arg(d->arena, 1, first), bool_arg(false),
                     text_arg(kd_scalar_name(product->results[0]->type.type))};
    if (!bias) {
        finish(d, KD_GOP_sum, 4, sum);
        return;
    }
    kd_gvalue *whole = BUILD(d, sum, sum[0], sum[1], sum[2], sum[3]);
    if (code == KD_GOP_convolution)
        bias = build_along_channels(d, bias, whole);
    finish(d, KD_GOP_add, 3, (const kd_garg[]){kd_garg_value(whole), kd_garg_value(bias), kd_garg_int(1)});
}

/* What follows a product comes out of it, where it will be divided. */
static void peel(kd_graph *graph, unsigned n_threads)
{
    unsigned n = graph->nodes.n;
    kd_gnode **nodes = graph->nodes.data; /* peeling makes another list */
    for (unsigned i = 0; i < n; i++)
        if (nodes[i]->n_posts && n_parts_of(nodes[i], n_threads) > 1)
            kd_graph_peel(graph, nodes[i], 0);
}

kd_status kd_graph_split_products(kd_graph *graph, unsigned n_threads, kd_failure *out_why)
{
    kd_decomposer d = {.to = graph, .arena = graph->arena, .on_gpu = true, .known = kd_map_in(graph->arena), .why = out_why};
    peel(graph, n_threads);
    unsigned n = graph->nodes.n;
    kd_gnode **nodes = graph->nodes.data;
    memset(&graph->nodes, 0, sizeof graph->nodes);
    for (unsigned i = 0; i < n; i++) {
        int64_t n_parts = n_parts_of(nodes[i], n_threads);
        if (n_parts > 1)
            split(&d, nodes[i], n_parts);
        else
            kd_vec_push(d.arena, &graph->nodes, nodes[i]);
    }
    return d.status;
}
