/* kx.c - .kx files: a header, the machine code and the rewritten graph or the name of the model, and data that is used where it is mapped. */
#include "graph/constant.h"
#include "graph/kx.h"

#include "dsl/kdsl.h"
#include "dsl/key.h"

#include <stdlib.h>
#include <unistd.h>

enum { DATA_ALIGNMENT = 4096, PIECE_ALIGNMENT = 64, FLAG_EMBEDDED = 1, FLAG_NO_FUSION = 2, LEAST_BYTES = 8, HASHED_BYTES = 4 << 20 };

static const size_t READ_LIMIT = (size_t)4 << 30;
static const char MAGIC[8] = "kdslKX\r\n";

static uint64_t padding(uint64_t n_bytes, uint64_t alignment)
{
    return (alignment - n_bytes % alignment) % alignment;
}

static uint64_t data_offset(const kd_kx_header *h)
{
    uint64_t front_end = sizeof *h + h->n_front_bytes;
    return front_end + padding(front_end, DATA_ALIGNMENT);
}

static bool is_for_cpu(const kd_kx_header *h)
{
    return strcmp(h->target, "cpu") == 0;
}

kd_hash kd_kx_checksum(kd_kx_header h, const void *front, size_t n_front_bytes)
{
    kd_hash sum = {0};
    h.checksum = sum;
    kd_hash_add(&sum, &h, sizeof h);
    kd_hash_add(&sum, front, n_front_bytes);
    return sum;
}

/* ---- writing ---- */

typedef struct saving {
    const kd_executable *exe;
    const char *path;
    bool embeds;
    uint64_t most_bytes; /* of the file */
    kd_budget budget;
    kd_arena *arena;
    kd_strbuf front;
    KD_VEC(kd_str) pieces; /* of data, each with padding behind it */
    uint64_t n_data_bytes;
    kd_failure *why;
    kd_status status;
} saving;

/* Returns where it lies in the data. */
static uint64_t add_piece(saving *s, const void *bytes, size_t n_bytes)
{
    static const char ZEROS[PIECE_ALIGNMENT];
    uint64_t at = s->n_data_bytes, n_pad = padding(n_bytes, PIECE_ALIGNMENT);
    kd_vec_push(s->arena, &s->pieces, (kd_str){bytes, n_bytes});
    kd_vec_push(s->arena, &s->pieces, (kd_str){ZEROS, n_pad});
    s->n_data_bytes += n_bytes + n_pad;
    return at;
}

static void put_hash(kd_strbuf *out, kd_hash hash)
{
    kd_kx_put_u64(out, hash.low);
    kd_kx_put_u64(out, hash.high);
}

static void put_kernels(saving *s)
{
    kd_kx_put_u64(&s->front, s->exe->code.n);
    for (unsigned i = 0; i < s->exe->code.n; i++) {
        const kd_ready_kernel *k = &s->exe->code.data[i];
        put_hash(&s->front, k->key);
        kd_kx_put_bytes(&s->front, k->desc, k->n_desc_bytes);
        kd_kx_put_bytes(&s->front, k->code, k->n_code_bytes);
    }
}

static void put_packed(saving *s)
{
    unsigned n = 0;
    kd_packed_weights w;
    for (unsigned i = 0; i < s->exe->steps.n; i++)
        n += s->exe->steps.data[i].primitive && kd_primitive_get_packed(s->exe->steps.data[i].primitive, &w);
    kd_kx_put_u64(&s->front, n);
    for (unsigned i = 0; i < s->exe->steps.n; i++) {
        const kd_primitive *p = s->exe->steps.data[i].primitive;
        if (!p || !kd_primitive_get_packed(p, &w))
            continue;
        put_hash(&s->front, w.key);
        kd_kx_put_u64(&s->front, add_piece(s, w.data, w.n_bytes));
        kd_kx_put_u64(&s->front, w.n_bytes);
    }
}

/* Constants that steps read as they are; the others are packed, or folded into them. */
static const uint64_t *place_constants(saving *s)
{
    const kd_executable *exe = s->exe;
    const kd_graph *g = exe->plan->graph;
    uint64_t *places = kd_arena_array(s->arena, uint64_t, g->values.n);
    for (unsigned i = 0; i < g->values.n; i++)
        places[i] = kd_constant_is(g->values.data[i]) ? KD_KX_PACKED : 0;
    for (unsigned i = 0; i < exe->steps.n; i++)
        for (unsigned k = 0; k < exe->steps.data[i].n_operands; k++) {
            const kd_buffer *b = exe->steps.data[i].operands[k].buffer;
            if (b->place == KD_PLACE_CONSTANT && places[b->value->id] == KD_KX_PACKED)
                places[b->value->id] = add_piece(s, b->host, kd_tensor_n_bytes(&b->type)) + 1;
        }
    return places;
}

/* What became of the model's nodes: the rewritten graph does not tell. */
static void put_nodes(saving *s)
{
    kd_kx_put_u64(&s->front, s->exe->nodes.n);
    for (unsigned i = 0; i < s->exe->nodes.n; i++) {
        const kd_node_info *node = &s->exe->nodes.data[i];
        kd_kx_put_text(&s->front, node->name);
        kd_kx_put_text(&s->front, node->op);
        kd_kx_put_text(&s->front, node->type);
        kd_kx_put_text(&s->front, node->line);
        kd_kx_put_text(&s->front, node->became);
        kd_kx_put_u64(&s->front, (uint64_t)(node->step + 1));
    }
}

static void put_embedded(saving *s)
{
    const kd_executable *exe = s->exe;
    const uint64_t *places = place_constants(s);
    kd_kx_put_graph(&s->front, exe->plan->graph, places);
    kd_kx_put_u64(&s->front, exe->outputs.n);
    for (unsigned i = 0; i < exe->outputs.n; i++) {
        kd_kx_put_text(&s->front, exe->outputs.data[i].name);
        kd_kx_put_type(&s->front, &exe->outputs.data[i].type);
    }
    put_nodes(s);
    put_packed(s);
}

/* Piece by piece, so that the whole of it is never in memory. */
static void hash_mapping(kd_hash *hash, const kd_mapping *m)
{
    for (size_t at = 0; at < m->n_bytes; at += HASHED_BYTES) {
        size_t n_bytes = m->n_bytes - at < HASHED_BYTES ? m->n_bytes - at : HASHED_BYTES;
        const char *data = (const char *)m->data + at;
        kd_hash_add(hash, data, n_bytes);
        kd_mapping_release(m, data, n_bytes);
    }
}

/* Of the model and all its weights. */
static kd_hash hash_model(const kd_graph *graph)
{
    kd_hash hash = graph->content;
    hash_mapping(&hash, &graph->archive);
    for (unsigned i = 0; i < graph->files.n; i++)
        hash_mapping(&hash, &graph->files.data[i]);
    return hash;
}

static void put_reference(saving *s)
{
    char *path = kd_absolute_path(s->exe->graph->name);
    if (!path || access(path, R_OK) || s->exe->graph->has_callers_memory)
        s->status = kd_fail(s->why, KD_ERR_ARGUMENT,
                            "cannot save '%s': the graph comes from no file, so its weights must be embedded", s->path);
    kd_kx_put_text(&s->front, path);
    put_hash(&s->front, hash_model(s->exe->graph));
    free(path);
    kd_kx_put_u64(&s->front, kd_executable_n_inputs(s->exe));
    for (unsigned i = 0; i < kd_executable_n_inputs(s->exe); i++) {
        kd_kx_put_text(&s->front, kd_executable_input(s->exe, i)->name);
        kd_kx_put_type(&s->front, &kd_executable_input(s->exe, i)->type);
    }
}

/* Lengths and checksums of the data. */
static void put_pieces(saving *s)
{
    kd_kx_put_u64(&s->front, s->pieces.n / 2);
    for (unsigned i = 0; i < s->pieces.n; i += 2) {
        kd_hash hash = {0};
        kd_hash_add(&hash, s->pieces.data[i].ptr, s->pieces.data[i].len);
        kd_kx_put_u64(&s->front, s->pieces.data[i].len);
        put_hash(&s->front, hash);
    }
}

static kd_kx_header make_header(const saving *s)
{
    const kd_executable *exe = s->exe;
    kd_kx_header h = {.version = KD_KX_VERSION, .n_front_bytes = s->front.len, .n_threads = exe->n_threads};
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    strncpy(h.made_by, kd_version(), sizeof h.made_by - 1);
    if (exe->onednn)
        strncpy(h.onednn, kd_onednn_version(exe->onednn), sizeof h.onednn - 1);
    strncpy(h.target, exe->target, sizeof h.target - 1);
    if (is_for_cpu(&h))
        kd_hash_add_processor(&h.processor);
    h.flags = (s->embeds ? FLAG_EMBEDDED : 0) | (exe->no_fusion ? FLAG_NO_FUSION : 0);
    h.n_bytes = data_offset(&h) + s->n_data_bytes;
    h.checksum = kd_kx_checksum(h, s->front.ptr, s->front.len);
    return h;
}

static void save(void *user)
{
    saving *s = user;
    s->arena = kd_arena_create(&s->budget);
    s->front = kd_strbuf_in(s->arena);
    if (s->embeds)
        put_embedded(s);
    else
        put_reference(s);
    if (s->status)
        return;
    put_kernels(s);
    put_pieces(s);
    kd_kx_header h = make_header(s);
    if (h.n_bytes > s->most_bytes) {
        s->status = KD_ERR_UNSUPPORTED;
        return;
    }
    kd_str *parts = kd_arena_array(s->arena, kd_str, s->pieces.n + 3);
    size_t n_pad = (size_t)(data_offset(&h) - sizeof h - s->front.len);
    parts[0] = (kd_str){(char *)&h, sizeof h};
    parts[1] = (kd_str){s->front.ptr, s->front.len};
    parts[2] = (kd_str){kd_arena_alloc(s->arena, DATA_ALIGNMENT), n_pad};
    for (unsigned i = 0; i < s->pieces.n; i++)
        parts[3 + i] = s->pieces.data[i];
    s->status = kd_file_write(&(kd_file_write_args){.path = s->path, .parts = parts, .n_parts = s->pieces.n + 3}, s->why);
}

/* Of the file that an executable was loaded from, if there is one. */
static bool has_weights_inside(const kd_mapping *file)
{
    kd_kx_header h;
    if (!file->n_bytes)
        return false;
    memcpy(&h, file->data, sizeof h);
    return h.flags & FLAG_EMBEDDED;
}

kd_status kd_executable_save(const kd_executable *executable, const char *path, const kd_save_options *options, kd_failure *out_why)
{
    if (!executable || !path)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "executable and path must not be NULL");
    return kd_kx_save(executable, path, options, UINT64_MAX, out_why);
}

kd_status kd_kx_save(const kd_executable *executable, const char *path, const kd_save_options *options, uint64_t most_bytes, kd_failure *out_why)
{
    if (executable->n_states)
        return kd_fail(out_why, KD_ERR_UNSUPPORTED, "cannot save '%s': an executable whose runs change its buffers is not saved yet", path);
    saving s = {
        .exe = executable, .path = path, .embeds = options && options->embed_weights, .most_bytes = most_bytes, .why = out_why};
    if (has_weights_inside(&executable->file)) { /* perhaps in packed form only: it stays as it is */
        kd_str whole = {executable->file.data, executable->file.n_bytes};
        return kd_file_write(&(kd_file_write_args){.path = path, .parts = &whole, .n_parts = 1}, out_why);
    }
    if (!kd_budget_catch(&s.budget, save, &s))
        s.status = kd_fail(out_why, KD_ERR_MEMORY, "out of memory");
    if (s.arena)
        kd_arena_destroy(s.arena);
    return s.status;
}

/* ---- reading ---- */

typedef struct loading {
    const char *name;
    kd_mapping *mapping;
    kd_graph_options options;
    kd_budget budget;
    kd_arena *arena;
    kd_kx_header h;
    kd_kx_reader front;
    const unsigned char *data;
    size_t n_data_bytes;
    kd_graph *graph;
    const char *model; /* its path, where weights are not embedded */
    kd_hash model_hash;
    kd_input_shapes shapes; /* that it was made for */
    kd_ready ready;
    kd_executable *exe;
    kd_failure *why;
    kd_status status;
} loading;

static kd_status damaged(loading *l, const char *what)
{
    return kd_fail(l->why, KD_ERR_DAMAGED, "%s: %s", l->name, what);
}

bool kd_kx_is(const void *data, size_t n_bytes)
{
    return n_bytes >= sizeof MAGIC && memcmp(data, MAGIC, sizeof MAGIC) == 0;
}

static kd_status check_header(loading *l)
{
    const kd_mapping *m = l->mapping;
    kd_kx_header *h = &l->h;
    kd_hash processor = {0};
    if (!kd_kx_is(m->data, m->n_bytes))
        return damaged(l, "no executable that kdsl made");
    if (m->n_bytes < sizeof *h)
        return damaged(l, "the file is cut short");
    memcpy(h, m->data, sizeof *h);
    if (h->version != KD_KX_VERSION)
        return kd_fail(l->why, KD_ERR_UNSUPPORTED, "%s: version %llu of the format; this kdsl reads version %d", l->name,
                       (unsigned long long)h->version, KD_KX_VERSION);
    if (h->n_bytes != m->n_bytes)
        return kd_fail(l->why, KD_ERR_DAMAGED, "%s: the file has %zu bytes instead of %llu", l->name, m->n_bytes,
                       (unsigned long long)h->n_bytes);
    if (h->n_front_bytes > m->n_bytes - sizeof *h || data_offset(h) > m->n_bytes ||
        !kd_hash_equal(h->checksum, kd_kx_checksum(*h, (const char *)m->data + sizeof *h, (size_t)h->n_front_bytes)))
        return damaged(l, "the file is damaged: its checksum is wrong");
    h->made_by[sizeof h->made_by - 1] = h->onednn[sizeof h->onednn - 1] = h->target[sizeof h->target - 1] = 0;
    if (strcmp(h->made_by, kd_version()) != 0)
        return kd_fail(l->why, KD_ERR_UNSUPPORTED, "%s: made by kdsl %s; this is %s: compile the model again", l->name, h->made_by,
                       kd_version());
    if (is_for_cpu(h))
        kd_hash_add_processor(&processor);
    if (!kd_hash_equal(processor, h->processor))
        return kd_fail(l->why, KD_ERR_UNSUPPORTED, "%s: made for another processor: compile the model again", l->name);
    return KD_OK;
}

static kd_hash take_hash(kd_kx_reader *r)
{
    kd_hash hash;
    hash.low = kd_kx_take_u64(r);
    hash.high = kd_kx_take_u64(r);
    return hash;
}

static void take_kernels(loading *l)
{
    unsigned n = l->ready.n_kernels = kd_kx_take_count(&l->front, 4 * LEAST_BYTES);
    kd_ready_kernel *kernels = kd_arena_array(l->arena, kd_ready_kernel, n);
    for (unsigned i = 0; i < n; i++) {
        kernels[i].key = take_hash(&l->front);
        kernels[i].desc = kd_kx_take_bytes(&l->front, &kernels[i].n_desc_bytes);
        kernels[i].code = kd_kx_take_bytes(&l->front, &kernels[i].n_code_bytes);
    }
    l->ready.kernels = kernels;
}

static void take_packed(loading *l)
{
    unsigned n = l->ready.n_packed = kd_kx_take_count(&l->front, 4 * LEAST_BYTES);
    kd_packed_weights *packed = kd_arena_array(l->arena, kd_packed_weights, n);
    for (unsigned i = 0; i < n; i++) {
        packed[i].key = take_hash(&l->front);
        uint64_t at = kd_kx_take_u64(&l->front), n_bytes = kd_kx_take_u64(&l->front);
        if (at > l->n_data_bytes || n_bytes > l->n_data_bytes - at || at % PIECE_ALIGNMENT) {
            l->front.is_bad = true;
            return;
        }
        packed[i].data = l->data + at;
        packed[i].n_bytes = (size_t)n_bytes;
    }
    l->ready.packed = packed;
}

static bool is_zero(const unsigned char *bytes, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (bytes[i])
            return false;
    return true;
}

static kd_status check_data(loading *l)
{
    unsigned n = kd_kx_take_count(&l->front, 3 * LEAST_BYTES);
    uint64_t at = 0;
    bool good = is_zero(l->front.end, (uint64_t)(l->data - l->front.end));
    for (unsigned i = 0; i < n && good && !l->front.is_bad; i++) {
        uint64_t n_bytes = kd_kx_take_u64(&l->front), n_pad = padding(n_bytes, PIECE_ALIGNMENT);
        kd_hash expected = take_hash(&l->front), found = {0};
        good = n_bytes <= l->n_data_bytes - at && n_pad <= l->n_data_bytes - at - n_bytes;
        if (!good)
            break;
        kd_hash_add(&found, l->data + at, (size_t)n_bytes);
        at += n_bytes + n_pad;
        good = kd_hash_equal(found, expected) && is_zero(l->data + at - n_pad, n_pad);
    }
    return good && at == l->n_data_bytes && !l->front.is_bad ? KD_OK
                                                             : damaged(l, "the file is damaged: the checksum of its data is wrong");
}

static void take_graph(void *user)
{
    loading *l = user;
    l->graph->arena = kd_arena_create(&l->graph->budget);
    l->graph->name = kd_arena_strdup(l->graph->arena, l->name);
    l->front.arena = l->graph->arena;
    (void)kd_kx_take_graph(&l->front, l->graph, l->data, l->n_data_bytes);
}

/* The same memory, seen in another shape. */
static bool is_another_shape(const kd_tensor_type *a, const kd_tensor_type *b)
{
    return a->type == b->type && kd_tensor_n_elems(a) == kd_tensor_n_elems(b) && kd_tensor_n_bytes(a) == kd_tensor_n_bytes(b);
}

static void take_nodes(loading *l)
{
    unsigned n = kd_kx_take_count(&l->front, 6 * LEAST_BYTES);
    kd_node_info *nodes = kd_arena_array(l->arena, kd_node_info, n);
    for (unsigned i = 0; i < n; i++) {
        kd_node_info *node = &nodes[i];
        node->name = kd_kx_take_text(&l->front);
        node->op = kd_kx_take_text(&l->front);
        node->type = kd_kx_take_text(&l->front);
        node->line = kd_kx_take_text(&l->front);
        node->became = kd_kx_take_text(&l->front);
        uint64_t step = kd_kx_take_u64(&l->front);
        node->step = (int)step - 1;
        l->front.is_bad = l->front.is_bad || !node->name || !node->op || !node->type || !node->became || step > INT32_MAX;
    }
    l->ready.nodes = nodes;
    l->ready.n_nodes = n;
}

static void take_embedded(loading *l)
{
    l->graph = kd_graph_create(l->name);
    if (!l->graph || !kd_budget_catch(&l->graph->budget, take_graph, l) || l->front.is_bad) {
        l->front.is_bad = true;
        return;
    }
    l->front.arena = l->arena;
    unsigned n = kd_kx_take_count(&l->front, LEAST_BYTES);
    l->front.is_bad = l->front.is_bad || n != l->graph->outputs.n;
    kd_tensor_info *outputs = kd_arena_array(l->arena, kd_tensor_info, n);
    for (unsigned i = 0; i < n; i++) {
        kd_tensor_info *info = &outputs[i];
        info->name = kd_kx_take_text(&l->front);
        kd_kx_take_type(&l->front, &info->type);
        if (!l->front.is_bad)
            l->front.is_bad = !info->name || !is_another_shape(&info->type, &l->graph->outputs.data[i]->type);
    }
    l->ready.outputs = outputs;
    take_nodes(l);
    take_packed(l);
    l->ready.is_prepared = true;
}

static void take_reference(loading *l)
{
    l->model = kd_kx_take_text(&l->front);
    l->model_hash = take_hash(&l->front);
    unsigned n = kd_kx_take_count(&l->front, LEAST_BYTES);
    kd_input_shape *shapes = kd_arena_array(l->arena, kd_input_shape, n);
    l->front.is_bad = l->front.is_bad || !l->model;
    for (unsigned i = 0; i < n && !l->front.is_bad; i++) {
        kd_tensor_type type;
        shapes[i].name = kd_kx_take_text(&l->front);
        kd_kx_take_type(&l->front, &type);
        l->front.is_bad = l->front.is_bad || !shapes[i].name;
        shapes[i].n_dims = type.n_dims;
        memcpy(shapes[i].shape, type.shape, sizeof type.shape);
    }
    l->shapes = (kd_input_shapes){shapes, n};
}

static kd_status read_file(loading *l)
{
    kd_status status = check_header(l);
    if (status)
        return status;
    const unsigned char *bytes = l->mapping->data;
    l->data = bytes + data_offset(&l->h);
    l->n_data_bytes = l->mapping->n_bytes - (size_t)data_offset(&l->h);
    l->front = (kd_kx_reader){bytes + sizeof l->h, bytes + sizeof l->h + l->h.n_front_bytes, l->arena, false};
    l->ready.n_threads = (unsigned)l->h.n_threads;
    l->ready.target = l->h.target;
    if (l->h.flags & FLAG_EMBEDDED)
        take_embedded(l);
    else
        take_reference(l);
    take_kernels(l);
    return l->front.is_bad ? damaged(l, "the file is damaged: its parts do not fit together") : check_data(l);
}

static void look(void *user)
{
    loading *l = user;
    l->arena = kd_arena_create(&l->budget);
    l->status = read_file(l);
}

static kd_status look_at(loading *l)
{
    l->budget.limit_bytes = READ_LIMIT;
    if (!kd_budget_catch(&l->budget, look, l))
        l->status = kd_fail(l->why, KD_ERR_MEMORY, "%s: out of memory", l->name);
    return l->status;
}

static void forget(loading *l)
{
    kd_graph_destroy(l->graph);
    if (l->arena)
        kd_arena_destroy(l->arena);
}

kd_status kd_kx_check(const char *name, const void *data, size_t n_bytes, kd_failure *out_why)
{
    kd_mapping mapping = {data, n_bytes};
    loading l = {.name = name, .mapping = &mapping, .why = out_why};
    kd_status status = look_at(&l);
    forget(&l);
    return status;
}

/* The model that the file names, as it was. */
static kd_status read_model(loading *l)
{
    kd_failure what = {{0}};
    kd_status status = kd_graph_read(l->model, &l->shapes, &l->graph, &what);
    if (status)
        return kd_fail(l->why, status, "%s: the model that it was made from: %s", l->name, what.text);
    if (!kd_hash_equal(hash_model(l->graph), l->model_hash))
        return kd_fail(l->why, KD_ERR_DAMAGED, "%s: the model '%s' has changed since: compile it again", l->name, l->model);
    return KD_OK;
}

static kd_status compile_loaded(loading *l)
{
    l->options.no_fusion = (l->h.flags & FLAG_NO_FUSION) != 0;
    if (!l->options.device && !l->options.target && !is_for_cpu(&l->h))
        l->options.device = "level_zero";
    kd_failure what = {{0}};
    kd_status status = kd_graph_compile_ready(l->graph, &l->options, &l->ready, &l->exe, &what);
    if (status == KD_OK && l->h.onednn[0] && l->exe->onednn && strcmp(l->h.onednn, kd_onednn_version(l->exe->onednn)) != 0)
        status = kd_fail(l->why, KD_ERR_UNSUPPORTED, "%s: made for oneDNN %s; this is %s: compile the model again", l->name,
                         l->h.onednn, kd_onednn_version(l->exe->onednn));
    else if (status)
        kd_fail(l->why, status, "%s: %s%s", l->name, what.text,
                l->ready.n_packed ? " (its weights are in the order of another oneDNN, or of another number of threads)" : "");
    return status;
}

kd_status kd_kx_load(const char *name, kd_mapping *mapping, const kd_graph_options *options, kd_executable **out_executable,
                     kd_failure *out_why)
{
    loading l = {.name = name, .mapping = mapping, .why = out_why};
    if (options)
        l.options = *options;
    kd_status status = look_at(&l);
    if (status == KD_OK && l.model)
        status = read_model(&l);
    if (status == KD_OK)
        status = compile_loaded(&l);
    if (status == KD_OK) {
        l.exe->own_graph = l.graph;
        l.exe->file = *mapping;
        *mapping = (kd_mapping){0};
        l.graph = NULL;
        *out_executable = l.exe;
    } else {
        kd_executable_destroy(l.exe);
    }
    forget(&l);
    return status;
}

kd_status kd_executable_load(const char *path, const kd_graph_options *options, kd_executable **out_executable, kd_failure *out_why)
{
    if (!path || !out_executable)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "path and out_executable must not be NULL");
    kd_mapping mapping;
    kd_status status = kd_file_map(path, &mapping, out_why);
    if (status)
        return status;
    status = kd_kx_load(path, &mapping, options, out_executable, out_why);
    kd_file_unmap(&mapping);
    return status;
}

bool kd_executable_is_loaded(const kd_executable *executable)
{
    return executable->file.n_bytes != 0;
}
