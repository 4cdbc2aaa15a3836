/* kx_cache.c - executables from any file, and those of former processes from the cache.
 *
 *     graphs/KEY.kx       in the cache's folder: an executable with its weights. The key is made of the model's file (its place, size and times:
 *                         what is written to it changes them) or of a graph's text and the elements of its weights, of the options, of the
 *                         processor, of the number of threads, and of this build of kdsl.
 *
 * Files are written at once, by several processes too; one that is damaged, or of another oneDNN, is replaced. What was not used for longest
 * goes where they take more than the cache may have. */
#include "graph/kx.h"

#include "base/zip.h"
#include "dsl/key.h"
#include "runtime/cache.h"
#include "runtime/cpu/processors.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_CACHED = 1024, MAX_FOUND = 4 * MAX_CACHED };

/* ---- the folder ---- */

/* dir: the caller's, or NULL. False: there is no cache, or it is not to be used. */
static bool cache_folder(const char *dir, char out[PATH_MAX], uint64_t *out_limit_bytes)
{
    kd_cache *kernels; /* knows whether a cache is wanted, and how large it may be */
    char *parent = dir ? strdup(dir) : kd_cache_dir();
    bool good = parent && kd_cache_open(NULL, &kernels, NULL) == KD_OK;
    if (good) {
        *out_limit_bytes = kd_cache_limit_bytes(kernels);
        kd_cache_close(kernels);
        int n = snprintf(out, PATH_MAX, "%s/graphs", parent);
        good = n > 0 && n < PATH_MAX - 64;
    }
    free(parent);
    return good;
}

/* Others cannot have put code there. */
static bool is_ours(const char *path, bool folder)
{
    struct stat st;
    return lstat(path, &st) == 0 && (folder ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode)) && st.st_uid == geteuid() &&
           !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* What an executable depends on besides its model. */
static bool add_options(kd_hash *key, const kd_graph_options *options)
{
    unsigned n_threads = options->n_threads;
    if (!n_threads && kd_processors_count(&n_threads, NULL))
        return false;
    kd_hash_add_text(key, options->device);
    kd_hash_add_text(key, options->target);
    kd_hash_add_u64(key, options->no_fusion);
    kd_hash_add_u64(key, n_threads);
    kd_hash_add_processor(key);
    kd_hash_add_compiler(key);
    return true;
}

static bool find_key_of_file(const char *model, const kd_graph_options *options, kd_hash *out)
{
    struct stat st;
    char *absolute = kd_absolute_path(model);
    kd_hash key = {0};
    bool good = absolute && stat(model, &st) == 0 && S_ISREG(st.st_mode) && add_options(&key, options);
    if (good) {
        const uint64_t numbers[] = {st.st_dev,
                                    st.st_ino,
                                    (uint64_t)st.st_size,
                                    (uint64_t)st.st_mtim.tv_sec,
                                    (uint64_t)st.st_mtim.tv_nsec,
                                    (uint64_t)st.st_ctim.tv_sec,
                                    (uint64_t)st.st_ctim.tv_nsec};
        kd_hash_add_text(&key, absolute);
        kd_hash_add(&key, numbers, sizeof numbers);
        *out = key;
    }
    free(absolute);
    return good;
}

/* Weights of more than most_bytes would not be kept: they are not looked at. */
static bool find_key_of_text(kd_str text, const kd_graph_weights *weights, const kd_graph_options *options, uint64_t most_bytes, kd_hash *out)
{
    kd_hash key = {0};
    uint64_t n_bytes = 0;
    for (unsigned i = 0; i < weights->n_memory; i++)
        n_bytes += weights->memory[i].n_bytes;
    if (weights->folder || n_bytes > most_bytes || !add_options(&key, options))
        return false;
    kd_hash_add(&key, text.ptr, text.len);
    for (unsigned i = 0; i < weights->n_memory; i++) {
        kd_hash_add_text(&key, weights->memory[i].name);
        kd_hash_add(&key, weights->memory[i].data, weights->memory[i].n_bytes);
    }
    *out = key;
    return true;
}

/* shapes: those that the executable is for; none: those of the file. */
static bool entry_path(const char *folder, kd_hash key, const kd_input_shapes *shapes, char out[PATH_MAX])
{
    char digits[33];
    for (unsigned i = 0; i < shapes->n; i++) {
        kd_hash_add_text(&key, shapes->data[i].name);
        kd_hash_add(&key, shapes->data[i].shape, shapes->data[i].n_dims * sizeof *shapes->data[i].shape);
    }
    kd_hash_print(key, digits);
    int n = snprintf(out, PATH_MAX, "%s/%s.kx", folder, digits);
    return n > 0 && n < PATH_MAX;
}

typedef struct entry {
    char name[48];
    struct timespec used_at;
    uint64_t n_bytes;
} entry;

static int by_last_use(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->used_at.tv_sec != y->used_at.tv_sec)
        return x->used_at.tv_sec < y->used_at.tv_sec ? -1 : 1;
    return x->used_at.tv_nsec < y->used_at.tv_nsec ? -1 : x->used_at.tv_nsec > y->used_at.tv_nsec;
}

/* The executables in a folder: an array for free(), or NULL. */
static entry *read_entries(DIR *dir, unsigned *out_n, uint64_t *out_n_bytes)
{
    entry *entries = dir ? calloc(MAX_FOUND, sizeof *entries) : NULL;
    unsigned n = 0;
    uint64_t sum = 0;
    for (struct dirent *d; entries && n < MAX_FOUND && (d = readdir(dir));) {
        struct stat st;
        if (strlen(d->d_name) >= sizeof entries->name || d->d_name[0] == '.' ||
            fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
            continue;
        strcpy(entries[n].name, d->d_name);
        entries[n].used_at = st.st_mtim;
        entries[n].n_bytes = (uint64_t)st.st_size;
        sum += entries[n++].n_bytes;
    }
    *out_n = n;
    *out_n_bytes = sum;
    return entries;
}

/* Removes what was not used for longest, until so many bytes, and MAX_CACHED executables, are left at most. Returns how many went. */
static unsigned trim(const char *folder, uint64_t limit_bytes)
{
    DIR *dir = opendir(folder);
    uint64_t sum;
    unsigned n, n_removed = 0;
    entry *entries = read_entries(dir, &n, &sum);
    if (entries)
        qsort(entries, n, sizeof *entries, by_last_use);
    for (unsigned i = 0; i < n && (sum > limit_bytes || n - i > MAX_CACHED); i++)
        if (unlinkat(dirfd(dir), entries[i].name, 0) == 0) {
            sum -= entries[i].n_bytes;
            n_removed++;
        }
    free(entries);
    if (dir)
        closedir(dir);
    return n_removed;
}

/* A larger one would drive all others out. */
static uint64_t most_bytes(uint64_t limit_bytes)
{
    return limit_bytes / 2;
}

/* What cannot be kept is compiled anew next time. */
static void keep(const kd_executable *exe, const char *folder, const char *path, uint64_t limit_bytes)
{
    const kd_save_options options = {.embed_weights = true};
    if (kd_dir_make(folder, 0700, NULL) || !is_ours(folder, true))
        return;
    (void)kd_kx_save(exe, path, &options, most_bytes(limit_bytes), NULL);
    trim(folder, limit_bytes);
}

/* ---- opening ---- */

static kd_status open_cached(const char *folder, const char *path, const kd_graph_options *options, kd_executable **out)
{
    if (!is_ours(folder, true) || !is_ours(path, false))
        return KD_ERR_NOT_FOUND;
    kd_status status = kd_executable_load(path, options, out, NULL);
    if (status == KD_OK)
        utimensat(AT_FDCWD, path, (const struct timespec[2]){{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}}, 0);
    return status;
}

/* Whether an executable is for these shapes. */
static bool fits(const kd_executable *exe, const kd_input_shapes *shapes)
{
    unsigned n = kd_executable_n_inputs(exe), number;
    for (unsigned k = 0; k < shapes->n; k++)
        for (unsigned i = 0; i < n; i++) {
            const kd_input_shape *s = &shapes->data[k];
            const kd_tensor_info *info = kd_executable_input(exe, i);
            if (strcmp(info->name, s->name) != 0 && !(kd_tensor_number(s->name, 'x', n, &number) && number == i))
                continue;
            if (info->type.n_dims != s->n_dims || memcmp(info->type.shape, s->shape, s->n_dims * sizeof *s->shape) != 0)
                return false;
        }
    return true;
}

/* Where executables of a program are: one for its own shapes, or the only ones that it has, and one for the caller's. */
typedef struct places {
    char folder[PATH_MAX], own[PATH_MAX], shaped[PATH_MAX];
    uint64_t limit_bytes;
    bool caches;
} places;

static places find_places(const char *path, const kd_graph_options *options)
{
    static const kd_input_shapes NONE;
    places at;
    kd_hash key;
    at.caches = cache_folder(options->cache_dir, at.folder, &at.limit_bytes) && find_key_of_file(path, options, &key) &&
                entry_path(at.folder, key, &NONE, at.own) && entry_path(at.folder, key, &options->shapes, at.shaped);
    return at;
}

/* Compiles a graph, which goes with the executable or, where there is none, at once. */
static kd_status compile_own(kd_graph *graph, const kd_graph_options *options, const places *at, const char *path, kd_executable **out,
                             kd_failure *out_why)
{
    kd_status status = kd_graph_compile(graph, options, out, out_why);
    if (status) {
        kd_graph_destroy(graph);
        return status;
    }
    (*out)->own_graph = graph;
    if (at->caches)
        keep(*out, at->folder, path, at->limit_bytes);
    return KD_OK;
}

static kd_status open_program(const char *path, const kd_graph_options *options, bool caches, kd_executable **out, kd_failure *out_why)
{
    places at = caches ? find_places(path, options) : (places){.caches = false};
    kd_executable *own = NULL;
    kd_graph *graph = NULL;
    if (at.caches && options->shapes.n && open_cached(at.folder, at.shaped, options, out) == KD_OK)
        return KD_OK;
    if (at.caches && open_cached(at.folder, at.own, options, &own) == KD_OK && fits(own, &options->shapes))
        return *out = own, KD_OK;
    kd_status status = kd_graph_read(path, &options->shapes, &graph, out_why);
    if (status == KD_OK && own && !graph->has_variable_shapes) { /* the caller will see that they differ */
        kd_graph_destroy(graph);
        return *out = own, KD_OK;
    }
    kd_executable_destroy(own);
    return status ? status : compile_own(graph, options, &at, graph->has_variable_shapes && options->shapes.n ? at.shaped : at.own, out, out_why);
}

kd_status kd_executable_open(const char *path, const kd_graph_options *options, kd_executable **out_executable, kd_failure *out_why)
{
    if (!path || !out_executable)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "path and out_executable must not be NULL");
    kd_graph_options chosen = options ? *options : (kd_graph_options){0};
    kd_mapping mapping = {0};
    (void)kd_file_map(path, &mapping, NULL); /* a pipe cannot be mapped, but read */
    bool is_ready = kd_kx_is(mapping.data, mapping.n_bytes), is_archive = kd_zip_is(mapping.data, mapping.n_bytes);
    kd_file_unmap(&mapping);
    if (is_ready)
        return kd_executable_load(path, &chosen, out_executable, out_why);
    /* A graph as text names files that would have to be looked at too; with its kernels in the cache it is compiled fast enough. */
    return open_program(path, &chosen, is_archive && !chosen.no_cache, out_executable, out_why);
}

kd_status kd_executable_open_text(const char *text, size_t n_bytes, const char *name, const kd_graph_weights *weights,
                                  const kd_graph_options *options, kd_executable **out_executable, kd_failure *out_why)
{
    if (!text || !out_executable)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "text and out_executable must not be NULL");
    const kd_graph_options chosen = options ? *options : (kd_graph_options){0};
    const kd_graph_weights given = weights ? *weights : (kd_graph_weights){0};
    static const kd_input_shapes NONE;
    places at;
    kd_hash key;
    kd_graph *graph;
    at.caches = !chosen.no_cache && cache_folder(chosen.cache_dir, at.folder, &at.limit_bytes) &&
                find_key_of_text((kd_str){text, n_bytes}, &given, &chosen, most_bytes(at.limit_bytes), &key) &&
                entry_path(at.folder, key, &NONE, at.own);
    if (at.caches && open_cached(at.folder, at.own, &chosen, out_executable) == KD_OK)
        return KD_OK;
    kd_status status = kd_graph_parse(text, n_bytes, name, &given, &graph, out_why);
    return status ? status : compile_own(graph, &chosen, &at, at.own, out_executable, out_why);
}

kd_status kd_executable_clear_cache(uint64_t *out_n_removed)
{
    char folder[PATH_MAX];
    uint64_t unused;
    *out_n_removed = cache_folder(NULL, folder, &unused) && is_ours(folder, true) ? trim(folder, 0) : 0;
    return KD_OK;
}

void kd_executable_sum_cache(unsigned *out_n, uint64_t *out_n_bytes)
{
    char folder[PATH_MAX];
    uint64_t unused;
    DIR *dir = cache_folder(NULL, folder, &unused) && is_ours(folder, true) ? opendir(folder) : NULL;
    free(read_entries(dir, out_n, out_n_bytes));
    if (dir)
        closedir(dir);
}
