/* weights.c - the constants of an executable: those that oneDNN has packed, those that kernels read, and what happens when they change. */
#include "graph/constant.h"
#include "graph/executable.h"

enum { ALIGNMENT = 64, SMALL_BYTES = 1 << 16 };

static void release_source(void *user, const kd_gvalue *source)
{
    const kd_mapping *file = kd_graph_file_of(user, source->data);
    if (file)
        kd_mapping_release(file, source->data, kd_tensor_n_bytes(&source->type));
}

static void release_sources(const kd_executable *exe, const kd_gvalue *constant)
{
    kd_constant_each_source(constant, release_source, (void *)(uintptr_t)exe->graph);
}

void kd_executable_release_weights(const kd_executable *exe, const kd_gnode *node)
{
    const kd_gvalue *weights = kd_plan_packed_weights(node);
    if (weights)
        release_sources(exe, weights);
}

/* Calls fn for each constant that a step reads as it is, once for each step. */
static void each_read(kd_executable *exe, void (*fn)(kd_executable *exe, kd_buffer *buffer))
{
    for (unsigned i = 0; i < exe->steps.n; i++)
        for (unsigned k = 0; k < exe->steps.data[i].n_operands; k++)
            if (exe->steps.data[i].operands[k].buffer->place == KD_PLACE_CONSTANT)
                fn(exe, exe->steps.data[i].operands[k].buffer);
}

/* Those that cannot be read where they are get a place in the executable's copies; small ones of a file too, since each would keep a large page
 * of it in memory, full of weights that are packed. */
static void find_place(kd_executable *exe, kd_buffer *buffer)
{
    if (buffer->host || buffer->is_copy)
        return;
    const void *data = kd_constant_data(buffer->value);
    size_t n_bytes = kd_tensor_n_bytes(&buffer->type);
    buffer->is_copy = !data || (n_bytes <= SMALL_BYTES && kd_graph_file_of(exe->graph, data));
    if (buffer->is_copy) {
        buffer->offset = exe->copies.n_bytes;
        exe->copies.n_bytes += (n_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    } else {
        buffer->host = data;
    }
}

static void place(kd_executable *exe, kd_buffer *buffer)
{
    if (!buffer->host) {
        char *data = (char *)exe->copies.data + buffer->offset;
        kd_constant_write(buffer->value, data);
        buffer->host = data;
        release_sources(exe, buffer->value);
    }
    buffer->data = buffer->host;
}

kd_status kd_executable_place_constants(kd_executable *exe, kd_failure *out_why)
{
    each_read(exe, find_place);
    if (exe->copies.n_bytes && !kd_pages_alloc(exe->copies.n_bytes, &exe->copies))
        return kd_fail(out_why, KD_ERR_MEMORY, "out of memory for %zu bytes of constants", exe->copies.n_bytes);
    each_read(exe, place);
    return exe->plan->on_gpu ? kd_executable_upload_constants(exe, NULL, NULL, out_why) : KD_OK;
}

/* ---- changes ---- */

typedef struct change {
    const char *const *names;
    unsigned n_names;
    bool is_met; /* what is looked at comes from one of these */
    kd_failure *why;
} change;

static void meet(void *user, const kd_gvalue *source)
{
    change *c = user;
    for (unsigned i = 0; i < c->n_names; i++)
        c->is_met = c->is_met || strcmp(c->names[i], source->name) == 0;
}

static bool concerns(change *c, const kd_gvalue *constant)
{
    c->is_met = false;
    kd_constant_each_source(constant, meet, c);
    return c->is_met;
}

static void write_again(kd_executable *exe, change *c)
{
    for (unsigned i = 0; i < exe->plan->buffers.n; i++) {
        const kd_buffer *b = exe->plan->buffers.data[i];
        if (b->is_copy && concerns(c, b->value))
            kd_constant_write(b->value, (char *)exe->copies.data + b->offset);
    }
}

static bool has_changed(void *user, const kd_buffer *buffer)
{
    return concerns(user, buffer->value);
}

static kd_status pack_again(kd_executable *exe, change *c)
{
    kd_status status = KD_OK;
    for (unsigned i = 0; i < exe->steps.n && status == KD_OK; i++) {
        const kd_gnode *node = exe->plan->steps.data[i].primitive;
        const kd_gvalue *weights = exe->steps.data[i].primitive ? kd_plan_packed_weights(node) : NULL;
        if (weights && concerns(c, weights))
            status = kd_plan_pack_again(exe->plan, node, exe->steps.data[i].primitive, c->why);
    }
    return status;
}

kd_status kd_executable_update_weights(kd_executable *executable, const char *const *names, unsigned n_names, kd_failure *out_why)
{
    if (!executable || (n_names && !names))
        return kd_fail(out_why, KD_ERR_ARGUMENT, "executable and names must not be NULL");
    if (kd_executable_is_loaded(executable))
        return kd_fail(out_why, KD_ERR_UNSUPPORTED, "the weights come from a .kx file: they do not change");
    change c = {.names = names, .n_names = n_names, .why = out_why};
    unsigned n_threads = executable->onednn ? kd_onednn_set_threads(executable->onednn, executable->n_threads) : 0;
    write_again(executable, &c);
    kd_status status = executable->plan->on_gpu ? kd_executable_upload_constants(executable, has_changed, &c, out_why)
                                                : pack_again(executable, &c);
    if (executable->onednn)
        kd_onednn_set_threads(executable->onednn, n_threads);
    return status;
}
