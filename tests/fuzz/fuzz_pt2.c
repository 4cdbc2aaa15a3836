/* fuzz_pt2.c - archives of exported programs: any bytes are a graph or a sentence about what is wrong.
 *
 * Lengths and offsets keep most changes of an archive from reaching what is inside. So an input that begins with 'P' or 'J' is a pickle with
 * weights, or a program, and the archive is made around it. */
#include "graph/ir.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { LOCAL_BYTES = 30, CENTRAL_BYTES = 46, END_BYTES = 22, MAX_FILES = 4 };

typedef struct file {
    const char *name;
    const void *data;
    size_t n_bytes;
} file;

static void put(uint8_t **at, const void *data, size_t n_bytes)
{
    if (n_bytes)
        memcpy(*at, data, n_bytes);
    *at += n_bytes;
}

static void put_number(uint8_t **at, uint64_t number, size_t n_bytes)
{
    put(at, &number, n_bytes);
}

/* A zip archive of stored files. For free(). */
static uint8_t *make_archive(const file *files, unsigned n, size_t *out_n_bytes)
{
    size_t n_bytes = END_BYTES, offsets[MAX_FILES];
    for (unsigned i = 0; i < n; i++)
        n_bytes += LOCAL_BYTES + CENTRAL_BYTES + 2 * strlen(files[i].name) + files[i].n_bytes;
    uint8_t *archive = calloc(1, n_bytes), *at = archive;
    if (!archive)
        abort();
    for (unsigned i = 0; i < n; i++) {
        offsets[i] = (size_t)(at - archive);
        put_number(&at, 0x04034b50, 4);
        at += 22;
        put_number(&at, strlen(files[i].name), 4);
        put(&at, files[i].name, strlen(files[i].name));
        put(&at, files[i].data, files[i].n_bytes);
    }
    size_t directory = (size_t)(at - archive);
    for (unsigned i = 0; i < n; i++) {
        put_number(&at, 0x02014b50, 4);
        at += 16;
        put_number(&at, files[i].n_bytes, 4);
        put_number(&at, files[i].n_bytes, 4);
        put_number(&at, strlen(files[i].name), 4);
        at += 10;
        put_number(&at, offsets[i], 4);
        put(&at, files[i].name, strlen(files[i].name));
    }
    put_number(&at, 0x06054b50, 4);
    at += 4;
    put_number(&at, n, 2);
    put_number(&at, n, 2);
    put_number(&at, 0, 4);
    put_number(&at, directory, 4);
    *out_n_bytes = n_bytes;
    return archive;
}

static void import(const uint8_t *data, size_t n_bytes)
{
    static const kd_input_shape SHAPES[] = {{.name = "x0", .n_dims = 2, .shape = {5, 4}}};
    const kd_input_shapes shapes = {SHAPES, n_bytes % 2}; /* odd: not those of the example */
    kd_mapping mapping = {data, n_bytes};
    kd_graph *graph = NULL;
    kd_failure why = {{0}};
    if (kd_graph_import_pt2("model.pt2", &mapping, &shapes, &graph, &why)) {
        if (!why.text[0] || graph)
            abort();
        return;
    }
    volatile uint8_t sum = 0;
    for (unsigned i = 0; i < graph->inputs.n; i++) {
        const kd_gvalue *v = graph->inputs.data[i];
        for (size_t b = 0; v->data && b < kd_tensor_n_bytes(&v->type); b++)
            sum ^= ((const uint8_t *)v->data)[b];
    }
    graph->archive = (kd_mapping){0}; /* it is no mapping */
    kd_graph_destroy(graph);
}

/* Three weights of 256 bytes each. */
static const char PROGRAM[] = "{\"schema_version\":{\"major\":8},\"graph_module\":{\"graph\":{\"nodes\":[{\"target\":\"torch.ops."
                              "aten.add.Tensor\",\"inputs\":[{\"name\":"
                              "\"self\",\"arg\":{\"as_tensor\":{\"name\":\"a\"}}},{\"name\":\"other\",\"arg\":{\"as_tensor\":{"
                              "\"name\":\"b\"}}}],\"outputs\":[{\"as_tensor\":"
                              "{\"name\":\"y\"}}],\"metadata\":{}}],\"tensor_values\":{\"a\":{\"dtype\":7,\"sizes\":[{\"as_int\":8}"
                              "],\"strides\":[{\"as_int\":1}]},\"b\":{"
                              "\"dtype\":7,\"sizes\":[{\"as_int\":8}],\"strides\":[{\"as_int\":1}]},\"y\":{\"dtype\":7,\"sizes\":[{"
                              "\"as_int\":8}],\"strides\":[{\"as_int\":1}]}},"
                              "\"outputs\":[{\"as_tensor\":{\"name\":\"y\"}}]},\"signature\":{\"input_specs\":[{\"parameter\":{"
                              "\"arg\":{\"name\":\"a\"},\"parameter_name\":\"a\"}},{"
                              "\"parameter\":{\"arg\":{\"name\":\"b\"},\"parameter_name\":\"b\"}}],\"output_specs\":[{\"user_"
                              "output\":{\"arg\":{\"as_tensor\":{\"name\":\"y\"}}}}]}}}";
static const uint8_t WEIGHTS[256];

static void import_pickle(const uint8_t *data, size_t n_bytes)
{
    const file inside[] = {
        {"a/data.pkl", data, n_bytes}, {"a/data/0", WEIGHTS, sizeof WEIGHTS}, {"a/data/1", WEIGHTS, sizeof WEIGHTS}};
    size_t n_inside, n_whole;
    uint8_t *weights = make_archive(inside, 3, &n_inside);
    const file outside[] = {{"serialized_exported_program.json", PROGRAM, sizeof PROGRAM - 1},
                            {"serialized_state_dict.pt", weights, n_inside},
                            {"serialized_constants.pt", "", 0}};
    uint8_t *whole = make_archive(outside, 3, &n_whole);
    import(whole, n_whole);
    free(whole);
    free(weights);
}

static void import_program(const uint8_t *data, size_t n_bytes)
{
    static const char CONFIG[] =
        "{\"config\":{\"0.weight\":{\"path_name\":\"w\",\"tensor_meta\":{\"dtype\":7,\"storage_offset\":{\"as_int\":0}}},"
        "\"0.bias\":{\"path_name\":\"w\",\"tensor_meta\":{\"dtype\":7,\"storage_offset\":{\"as_int\":8}}}}}";
    const file files[] = {{"m/archive_format", "pt2", 3},
                          {"m/models/model.json", data, n_bytes},
                          {"m/data/weights/w", WEIGHTS, sizeof WEIGHTS},
                          {"m/data/weights/model_weights_config.json", CONFIG, sizeof CONFIG - 1}};
    size_t n_whole;
    uint8_t *whole = make_archive(files, 4, &n_whole);
    import(whole, n_whole);
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    uint8_t *copy = malloc(n_bytes + 1); /* aligned as a mapping, and its end is known */
    if (!copy)
        return 0;
    memcpy(copy, data, n_bytes);
    if (n_bytes && *copy == 'P' && n_bytes > 1 && copy[1] != 'K')
        import_pickle(copy + 1, n_bytes - 1);
    else if (n_bytes && *copy == 'J')
        import_program(copy + 1, n_bytes - 1);
    else
        import(copy, n_bytes);
    free(copy);
    return 0;
}
