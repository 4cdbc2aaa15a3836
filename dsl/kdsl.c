/* kdsl.c - the public interface: compilers, their messages, and running out of memory without taking the process down. */
#include "dsl/kdsl_impl.h"

#include "dsl/check.h"
#include "dsl/inspect_impl.h"
#include "dsl/key.h"

#include <stdlib.h>

static const size_t default_memory_limit = (size_t)4 << 30;

/* ---- jobs ---- */

static void job_destroy(kd_job *job)
{
    if (!job)
        return;
    kd_arena_destroy(job->arena);
    free(job);
}

/* NULL: no memory. The arena is made by job_start, where running out is caught. */
static kd_job *job_create(const kd_compiler *c)
{
    kd_job *job = calloc(1, sizeof *job);
    if (job)
        job->budget = (kd_budget){.limit_bytes = c->options.memory_limit_bytes,};
    return job;
}

static void job_start(kd_job *job)
{
    job->arena = kd_arena_create(&job->budget);
    job->log = kd_strbuf_in(job->arena);
    job->diags = kd_diags_create(job->arena);
}

kd_status kd_compiler_create(const kd_compiler_options *options, kd_compiler **out)
{
    if (!out)
        return KD_ERR_ARGUMENT;
    kd_compiler *c = calloc(1, sizeof *c);
    if (!c)
        return KD_ERR_MEMORY;
    if (options)
        c->options = *options;
    if (!c->options.memory_limit_bytes)
        c->options.memory_limit_bytes = default_memory_limit;
    *out = c;
    return KD_OK;
}

void kd_compiler_destroy(kd_compiler *c)
{
    if (!c)
        return;
    job_destroy(c->inspection);
    job_destroy(c->evaluation);
    free(c->messages);
    free(c);
}

/* ---- messages ---- */

static void set_messages(kd_compiler *c, const char *text, size_t n_bytes)
{
    free(c->messages);
    c->messages = malloc(n_bytes + 1);
    if (c->messages) {
        memcpy(c->messages, text, n_bytes);
        c->messages[n_bytes] = 0;
    }
}

static void collect_messages(kd_compiler *c, kd_job *job, kd_status status)
{
    kd_strbuf text = kd_strbuf_in(job->arena);
    kd_strbuf_puts(&text, kd_strbuf_text(&job->log));
    kd_strbuf_puts(&text, kd_diags_text(job->diags, job->arena));
    if (job->why.text[0] && status != KD_OK && status != KD_ERR_REPORTED)
        kd_strbuf_printf(&text, "%s\n", job->why.text);
    set_messages(c, kd_strbuf_text(&text), text.len);
}

const char *kd_compiler_messages(const kd_compiler *c)
{
    return c && c->messages ? c->messages : "";
}

/* What a call needs while it may run out of memory, and its result. */
typedef struct attempt {
    kd_compiler *c;
    kd_job *job;
    const kd_compile_request *request;
    kd_compiled *compiled;
    const char *what, *text;
    const kd_eval_scope *scope;
    kd_eval_value value;
    bool with_bodies;
    const kd_file_info *info;
    const kd_kernel_info *kernel;
    kd_status status;
} attempt;

static kd_status caught(attempt *a, void (*fn)(void *user))
{
    kd_job *job = a->job;
    if (kd_budget_catch(&job->budget, fn, a) && (a->status != KD_ERR_MEMORY || job->why.text[0]))
        return a->status;
    char text[160];
    int n = snprintf(text, sizeof text, "memory ran out: this compilation used %zu MiB of the %zu MiB it may\n", job->budget.used_bytes >> 20,
                     job->budget.limit_bytes >> 20);
    set_messages(a->c, text, (size_t)n);
    return a->status = KD_ERR_MEMORY;
}

/* ---- compiling ---- */

static void compile(void *user)
{
    attempt *a = user;
    job_start(a->job);
    a->compiled->budget = a->job->budget; /* the same limit and way out, but it lives longer */
    a->compiled->budget.used_bytes = 0;
    a->compiled->arena = kd_arena_create(&a->compiled->budget);
    a->status = kd_job_compile(a->job, a->request, a->compiled);
    collect_messages(a->c, a->job, a->status);
}

/* ---- keeping objects ---- */

static bool find_kept(const kd_kernel_store *store, kd_hash key, kd_compiled **out)
{
    kd_compiled *k = calloc(1, sizeof *k);
    if (!k || store->find(store->self, key, &k->kept) != KD_OK) {
        free(k);
        return false;
    }
    k->store = store;
    k->desc = *k->kept.desc;
    k->bytes = k->kept.code;
    k->n_bytes = k->kept.n_code_bytes;
    *out = k;
    return true;
}

/* The files that the compilation read, and those it looked for in vain: what the object depends on. */
static void keep(const kd_kernel_store *store, const kd_job *job, kd_hash key, const kd_compiled *k)
{
    unsigned n_files = kd_file_resolver_n_files(job->resolver), n_misses = kd_file_resolver_n_misses(job->resolver), n = 0;
    kd_cache_file *files = calloc(n_files + n_misses + 1, sizeof *files);
    bool whole = files != NULL;
    for (unsigned i = 0; i < n_files && whole; i++, n++) {
        const kd_source *source = kd_file_resolver_file(job->resolver, i);
        files[n].path = kd_absolute_path(source->path);
        files[n].exists = true;
        kd_hash_add(&files[n].content, source->text.ptr, source->text.len);
        whole = files[n].path != NULL;
    }
    for (unsigned i = 0; i < n_misses && whole; i++, n++) {
        files[n].path = kd_absolute_path(kd_file_resolver_miss(job->resolver, i));
        whole = files[n].path != NULL;
    }
    if (whole)
        store->keep(store->self, key, &k->desc, k->bytes, k->n_bytes, files, n);
    for (unsigned i = 0; i < n; i++)
        free((char *)files[i].path);
    free(files);
}

kd_status kd_compile(kd_compiler *c, const kd_compile_request *request, kd_compiled **out)
{
    if (!c || !request || !out || (!request->file && !request->text))
        return KD_ERR_ARGUMENT;
    set_messages(c, "", 0);
    kd_hash key;
    bool keeps = c->options.store && kd_request_key(request, &key);
    if (keeps && !request->no_cache && find_kept(c->options.store, key, out))
        return KD_OK;
    kd_job *job = job_create(c);
    kd_compiled *k = job ? calloc(1, sizeof *k) : NULL;
    kd_status status = k ? caught(&(attempt){.c = c, .job = job, .request = request, .compiled = k}, compile) : KD_ERR_MEMORY;
    if (k)
        k->budget.on_exhausted = NULL;
    if (status == KD_OK && keeps && !*kd_compiler_messages(c)) /* what was said would not be said again */
        keep(c->options.store, job, key, k);
    job_destroy(job);
    if (status == KD_OK)
        *out = k;
    else
        kd_compiled_destroy(k);
    return status;
}

const kd_kernel_desc *kd_compiled_desc(const kd_compiled *k)
{
    return &k->desc;
}

const void *kd_compiled_bytes(const kd_compiled *k, size_t *out_n_bytes)
{
    *out_n_bytes = k->n_bytes;
    return k->bytes;
}

bool kd_compiled_from_cache(const kd_compiled *k)
{
    return k->store != NULL;
}

typedef struct header_text {
    const kd_compiled *compiled;
    const char *source_name, *signature;
    kd_budget budget;
    kd_arena *arena;
    char *text;
} header_text;

static void write_header(void *user)
{
    header_text *h = user;
    h->arena = kd_arena_create(&h->budget);
    kd_str text = kd_write_header(h->arena, &h->compiled->desc, h->source_name, h->signature, (kd_str){0});
    h->text = strndup(text.ptr, text.len);
}

char *kd_compiled_header(const kd_compiled *k, const char *source_name, const char *signature)
{
    header_text h = {.compiled = k, .source_name = source_name, .signature = signature};
    kd_budget_catch(&h.budget, write_header, &h);
    kd_arena_destroy(h.arena);
    return h.text;
}

void kd_compiled_destroy(kd_compiled *k)
{
    if (!k)
        return;
    if (k->store)
        k->store->release(&k->kept);
    kd_arena_destroy(k->arena);
    free(k);
}

/* ---- inspecting ---- */

static void inspect(void *user)
{
    attempt *a = user;
    kd_job *job = a->job;
    job_start(job);
    a->status = kd_job_open(job, a->request);
    if (a->status == KD_OK) {
        a->info = kd_inspect_module(job->arena, job->diags, a->with_bodies, job->ast);
        if (a->with_bodies)
            kd_check_module(kd_job_lower(job, a->request), job->ast);
        if (kd_diags_n_errors(job->diags))
            a->status = KD_ERR_REPORTED;
    }
    collect_messages(a->c, job, a->status);
}

kd_status kd_compiler_inspect(kd_compiler *c, const kd_compile_request *request, bool with_bodies, const kd_file_info **out)
{
    if (!c || !request || !out || (!request->file && !request->text))
        return KD_ERR_ARGUMENT;
    set_messages(c, "", 0);
    job_destroy(c->inspection);
    c->inspection = job_create(c);
    if (!c->inspection)
        return KD_ERR_MEMORY;
    attempt a = {.c = c, .job = c->inspection, .request = request, .with_bodies = with_bodies};
    caught(&a, inspect);
    *out = a.info;
    return a.status;
}

static void find_kernel(void *user)
{
    attempt *a = user;
    kd_job *job = a->job;
    kd_diags *diags = kd_diags_create(job->arena);
    a->kernel = kd_inspect_find(job->arena, diags, a->info, job->ast->path, a->text);
    const char *text = kd_diags_text(diags, job->arena);
    set_messages(a->c, text, strlen(text));
}

const kd_kernel_info *kd_file_info_find(kd_compiler *c, const kd_file_info *info, const char *kernel)
{
    if (!c || !c->inspection || !info)
        return NULL;
    attempt a = {.c = c, .job = c->inspection, .info = info, .text = kernel};
    return caught(&a, find_kernel) == KD_OK ? a.kernel : NULL;
}

static void evaluate(void *user)
{
    attempt *a = user;
    kd_job *job = a->job;
    if (!job->arena)
        job_start(job);
    kd_diags *diags = kd_diags_create(job->arena);
    a->status = kd_eval_text(job->arena, diags, a->what, a->text, a->scope, &a->value) ? KD_OK : KD_ERR_REPORTED;
    job->diags = diags; /* a name in the text may have been evaluated meanwhile */
    collect_messages(a->c, job, a->status);
}

kd_status kd_compiler_eval(kd_compiler *c, const char *what, const char *text, const kd_eval_scope *scope, kd_eval_value *out)
{
    if (!c || !what || !text || !out)
        return KD_ERR_ARGUMENT;
    if (!c->evaluation)
        c->evaluation = job_create(c);
    if (!c->evaluation)
        return KD_ERR_MEMORY;
    attempt a = {.c = c, .job = c->evaluation, .what = what, .text = text, .scope = scope};
    if (caught(&a, evaluate) == KD_OK)
        *out = a.value;
    return a.status;
}
