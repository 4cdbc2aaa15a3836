/* pt2_archive.c - the files of a .pt2 archive.
 *
 *     torch 2.5 to 2.7        serialized_exported_program.json, and weights and constants as archives of torch.save inside
 *     torch 2.8 and newer     NAME/models/model.json, weights as raw bytes: NAME/data/weights/weight_0 ..., listed in
 *                             NAME/data/weights/model_weights_config.json; constants likewise
 *
 * Sources: torch/export/__init__.py of 2.6; torch/export/pt2_archive/constants.py and "PT2 Archive Spec" of the documentation of 2.13. */
#include "graph/pt2.h"

#include "base/scalar.h"
#include "graph/pickle.h"

typedef struct reading {
    kd_arena *arena;
    const char *name;
    kd_zip zip;
    kd_str root; /* "model/" of the newer layout */
    kd_pt2_archive *out;
    kd_failure *why;
} reading;

static kd_status add_tensor(reading *r, const char *name, const void *data, size_t n_bytes)
{
    void **place = kd_map_at(&r->out->by_name, kd_str_of(name));
    if (*place)
        return kd_fail(r->why, KD_ERR_DAMAGED, "%s: the tensor '%s' is there twice", r->name, name);
    kd_pt2_tensor *t = kd_arena_new(r->arena, kd_pt2_tensor);
    *t = (kd_pt2_tensor){name, data, n_bytes};
    *place = t;
    return KD_OK;
}

static kd_status find(reading *r, const char *name, const kd_zip_file **out)
{
    *out = kd_zip_find(&r->zip, kd_str_of(name));
    if (!*out)
        return kd_fail(r->why, KD_ERR_DAMAGED, "%s: the archive has no file '%s'", r->name, name);
    if (!(*out)->data)
        return kd_fail(r->why, KD_ERR_UNSUPPORTED, "%s: the file '%s' is compressed: only stored files can be mapped", r->name,
                       name);
    return KD_OK;
}

/* ---- torch 2.5 to 2.7 ---- */

static const char OLD_PROGRAM[] = "serialized_exported_program.json";

static kd_status read_pickled(reading *r, const char *name)
{
    const kd_zip_file *file;
    const kd_pickled_tensor *tensors = NULL;
    unsigned n = 0;
    kd_status status = find(r, name, &file);
    const char *whole = kd_arena_printf(r->arena, "%s: %s", r->name, name);
    if (status == KD_OK && file->n_bytes)
        status = kd_pickle_read(r->arena, whole, file->data, file->n_bytes, &tensors, &n, r->why);
    for (unsigned i = 0; i < n && status == KD_OK; i++)
        status = add_tensor(r, kd_arena_strndup(r->arena, tensors[i].name.ptr, tensors[i].name.len), tensors[i].data,
                            tensors[i].n_bytes);
    return status;
}

static kd_status read_old(reading *r)
{
    const kd_zip_file *program = NULL;
    kd_status status = find(r, OLD_PROGRAM, &program);
    if (status == KD_OK)
        status = read_pickled(r, "serialized_state_dict.pt");
    if (status == KD_OK)
        status = read_pickled(r, "serialized_constants.pt");
    if (status == KD_OK) {
        r->out->program = program->data;
        r->out->n_program_bytes = program->n_bytes;
    }
    return status;
}

/* ---- torch 2.8 and newer ---- */

static bool ends_with(kd_str text, const char *end)
{
    size_t n = strlen(end);
    return text.len >= n && memcmp(text.ptr + text.len - n, end, n) == 0;
}

/* {"config": {"conv1.weight": {"path_name": "weight_0", "use_pickle": false, "tensor_meta": {...}}}} */
static kd_status read_payload(reading *r, const char *folder, const char *name, yyjson_val *meta)
{
    yyjson_val *path = yyjson_obj_get(meta, "path_name"), *tensor = yyjson_obj_get(meta, "tensor_meta");
    if (!yyjson_is_str(path) || !yyjson_is_obj(tensor) || yyjson_get_bool(yyjson_obj_get(meta, "use_pickle")))
        return KD_OK; /* no plain tensor: an error where the graph wants it */
    const kd_zip_file *file = NULL;
    kd_status status = find(r, kd_arena_printf(r->arena, "%s%s", folder, yyjson_get_str(path)), &file);
    if (status)
        return status;
    uint64_t at = yyjson_get_uint(yyjson_obj_get(yyjson_obj_get(tensor, "storage_offset"), "as_int"));
    kd_scalar type;
    size_t size = kd_pt2_scalar(yyjson_obj_get(tensor, "dtype"), &type) ? kd_scalar_bytes(type) : 0;
    if (!size || at > file->n_bytes / size)
        return kd_fail(r->why, KD_ERR_DAMAGED, "%s: the tensor '%s' does not lie in '%.*s'", r->name, name, KD_STR_ARG(file->name));
    return add_tensor(r, name, (const char *)file->data + at * size, file->n_bytes - (size_t)at * size);
}

/* kind: "weights", "constants". */
static kd_status read_payloads(reading *r, kd_str model, const char *kind)
{
    const char *folder = kd_arena_printf(r->arena, "%.*sdata/%s/", KD_STR_ARG(r->root), kind);
    const char *listing = kd_arena_printf(r->arena, "%s%.*s_%s_config.json", folder, KD_STR_ARG(model), kind);
    const char *pickled = kd_arena_printf(r->arena, "%s%.*s.pt", folder, KD_STR_ARG(model));
    if (!kd_zip_find(&r->zip, kd_str_of(listing)))
        return kd_zip_find(&r->zip, kd_str_of(pickled)) ? read_pickled(r, pickled) : KD_OK;
    const kd_zip_file *file = NULL;
    kd_status status = find(r, listing, &file);
    if (status)
        return status;
    r->out->listing = yyjson_read(file->data, file->n_bytes, 0);
    yyjson_val *config = yyjson_obj_get(yyjson_doc_get_root(r->out->listing), "config"), *name, *meta;
    if (!yyjson_is_obj(config))
        status = kd_fail(r->why, KD_ERR_DAMAGED, "%s: '%s' is no list of tensors", r->name, listing);
    for (yyjson_obj_iter members = yyjson_obj_iter_with(config); (name = yyjson_obj_iter_next(&members));) {
        meta = yyjson_obj_iter_get_val(name);
        if (status == KD_OK)
            status = read_payload(r, folder, kd_arena_strndup(r->arena, yyjson_get_str(name), yyjson_get_len(name)), meta);
    }
    yyjson_doc_free(r->out->listing);
    r->out->listing = NULL;
    return status;
}

/* The model's name: the only one, or 'model'. */
static kd_status choose_model(reading *r, kd_str *out_model, const kd_zip_file **out_file)
{
    unsigned n = 0;
    const char *folder = kd_arena_printf(r->arena, "%.*smodels/", KD_STR_ARG(r->root));
    size_t n_folder = strlen(folder);
    for (unsigned i = 0; i < r->zip.n_files; i++) {
        kd_str name = r->zip.files[i].name;
        if (!kd_str_starts_with(name, folder) || !ends_with(name, ".json") || name.len < n_folder + 5)
            continue;
        kd_str model = {name.ptr + n_folder, name.len - n_folder - 5};
        n++;
        if (n == 1 || kd_str_is(model, "model")) {
            *out_model = model;
            *out_file = &r->zip.files[i];
        }
    }
    if (!n)
        return kd_fail(r->why, KD_ERR_UNSUPPORTED, "%s: the archive has no model: '%s' is empty", r->name, folder);
    if (n > 1 && !kd_str_is(*out_model, "model"))
        return kd_fail(r->why, KD_ERR_UNSUPPORTED, "%s: the archive has %u models, and none of them is 'model'", r->name, n);
    return (*out_file)->data ? KD_OK : kd_fail(r->why, KD_ERR_UNSUPPORTED, "%s: the model is compressed", r->name);
}

static kd_status read_new(reading *r)
{
    kd_str model = {0};
    const kd_zip_file *program = NULL;
    kd_status status = choose_model(r, &model, &program);
    if (status == KD_OK)
        status = read_payloads(r, model, "weights");
    if (status == KD_OK)
        status = read_payloads(r, model, "constants");
    if (status == KD_OK) {
        r->out->program = program->data;
        r->out->n_program_bytes = program->n_bytes;
    }
    return status;
}

kd_status kd_pt2_open(kd_arena *arena, const char *name, const void *data, size_t n_bytes, kd_pt2_archive *out, kd_failure *out_why)
{
    reading r = {.arena = arena, .name = name, .out = out, .why = out_why};
    *out = (kd_pt2_archive){.by_name = kd_map_in(arena)};
    kd_status status = kd_zip_open(arena, name, data, n_bytes, &r.zip, out_why);
    if (status)
        return status;
    if (kd_zip_find(&r.zip, kd_str_of(OLD_PROGRAM)))
        return read_old(&r);
    for (unsigned i = 0; i < r.zip.n_files; i++) {
        static const char MARK[] = "archive_format";
        const kd_zip_file *f = &r.zip.files[i];
        if (ends_with(f->name, "/archive_format")) {
            r.root = (kd_str){f->name.ptr, f->name.len - (sizeof MARK - 1)};
            if (!f->data || !kd_str_is((kd_str){f->data, f->n_bytes}, "pt2"))
                return kd_fail(out_why, KD_ERR_UNSUPPORTED, "%s: an archive of another format than pt2", name);
            return read_new(&r);
        }
    }
    return kd_fail(out_why, KD_ERR_UNSUPPORTED, "%s: a zip archive, but no program of torch.export.save", name);
}
