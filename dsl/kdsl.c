/* kdsl.c - the public interface: compilers, their messages, and running out of memory without taking the process down. */
#include "dsl/kdsl_impl.h"

#include "dsl/check.h"
#include "dsl/inspect_impl.h"

#include <stdlib.h>

static const size_t default_memory_limit = (size_t)4 << 30;

const char *kd_version(void)
{
    return "0.1.0";
}

/* ---- jobs ---- */

static void on_exhausted(void *user)
{
    kd_job *job = user;
    longjmp(job->exhausted, 1);
}

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
        job->budget = (kd_budget){.limit_bytes = c->options.memory_limit_bytes, .on_exhausted = on_exhausted, .user = job};
    return job;
}

static void job_start(kd_job *job)
{
    job->arena = kd_arena_create(&job->budget);
    job->diags = kd_diags_create(job->arena);
    job->log = kd_strbuf_in(job->arena);
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
    job_destroy(c->last);
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

static kd_status out_of_memory(kd_compiler *c, const kd_job *job)
{
    char text[160];
    int n = snprintf(text, sizeof text, "memory ran out: this compilation used %zu MiB of the %zu MiB it may\n", job->budget.used_bytes >> 20,
                     job->budget.limit_bytes >> 20);
    set_messages(c, text, (size_t)n);
    return KD_ERR_MEMORY;
}

/* ---- compiling ---- */

static kd_compiled *compiled_create(kd_job *job)
{
    kd_compiled *k = calloc(1, sizeof *k);
    if (k)
        k->budget = job->budget;
    return k;
}

/* The jump lands here, so nothing that it needs may live in a register of this frame: all state is in job and k. */
static kd_status compile_caught(kd_compiler *c, kd_job *job, const kd_compile_request *request, kd_compiled *k)
{
    if (setjmp(job->exhausted))
        return out_of_memory(c, job);
    job_start(job);
    k->arena = kd_arena_create(&k->budget);
    kd_status status = kd_job_compile(job, request, k);
    collect_messages(c, job, status);
    return status;
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

static void keep(kd_compiler *c, kd_hash key, const kd_compiled *k)
{
    unsigned n_files = kd_compiler_n_files(c), n_misses = kd_compiler_n_misses(c), n = 0;
    kd_cache_file *files = calloc(n_files + n_misses + 1, sizeof *files);
    bool whole = files != NULL;
    for (unsigned i = 0; i < n_files && whole; i++, n++) {
        const void *text;
        size_t n_bytes;
        files[n].path = kd_absolute_path(kd_compiler_file(c, i, &text, &n_bytes));
        files[n].exists = true;
        kd_hash_add(&files[n].content, text, n_bytes);
        whole = files[n].path != NULL;
    }
    for (unsigned i = 0; i < n_misses && whole; i++, n++) {
        files[n].path = kd_absolute_path(kd_compiler_miss(c, i));
        whole = files[n].path != NULL;
    }
    const kd_kernel_store *store = c->options.store;
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
    job_destroy(c->last);
    c->last = job_create(c);
    kd_compiled *k = c->last ? compiled_create(c->last) : NULL;
    if (!k)
        return KD_ERR_MEMORY;
    kd_status status = compile_caught(c, c->last, request, k);
    if (status != KD_OK) {
        kd_compiled_destroy(k);
        return status;
    }
    if (keeps && !*kd_compiler_messages(c)) /* what was said would not be said again */
        keep(c, key, k);
    *out = k;
    return KD_OK;
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

static void jump(void *user)
{
    longjmp(*(jmp_buf *)user, 1);
}

char *kd_compiled_header(const kd_compiled *k, const char *source_name, const char *signature)
{
    jmp_buf exhausted;
    kd_budget budget = {.on_exhausted = jump, .user = &exhausted};
    if (setjmp(exhausted))
        return NULL;
    kd_arena *arena = kd_arena_create(&budget);
    kd_str text = kd_write_header(arena, &k->desc, source_name, signature);
    char *copy = strndup(text.ptr, text.len);
    kd_arena_destroy(arena);
    return copy;
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

static kd_status inspect_caught(kd_compiler *c, kd_job *job, const kd_compile_request *request, bool with_bodies, const kd_file_info **out)
{
    if (setjmp(job->exhausted))
        return out_of_memory(c, job);
    job_start(job);
    kd_status status = kd_job_open(job, request);
    if (status == KD_OK) {
        *out = kd_inspect_module(job->arena, job->diags, with_bodies, job->ast);
        if (with_bodies)
            kd_check_module(kd_job_lower(job, request), job->ast);
        if (kd_diags_n_errors(job->diags))
            status = KD_ERR_REPORTED;
    }
    collect_messages(c, job, status);
    return status;
}

kd_status kd_compiler_inspect(kd_compiler *c, const kd_compile_request *request, bool with_bodies, const kd_file_info **out)
{
    if (!c || !request || !out || (!request->file && !request->text))
        return KD_ERR_ARGUMENT;
    set_messages(c, "", 0);
    job_destroy(c->inspection);
    c->inspection = job_create(c);
    return c->inspection ? inspect_caught(c, c->inspection, request, with_bodies, out) : KD_ERR_MEMORY;
}

static const kd_kernel_info *find_caught(kd_compiler *c, kd_job *job, const kd_file_info *info, const char *kernel)
{
    if (setjmp(job->exhausted)) {
        out_of_memory(c, job);
        return NULL;
    }
    kd_diags *diags = kd_diags_create(job->arena);
    const kd_kernel_info *found = kd_inspect_find(job->arena, diags, info, job->ast->path, kernel);
    const char *text = kd_diags_text(diags, job->arena);
    set_messages(c, text, strlen(text));
    return found;
}

const kd_kernel_info *kd_file_info_find(kd_compiler *c, const kd_file_info *info, const char *kernel)
{
    return c && c->inspection && info ? find_caught(c, c->inspection, info, kernel) : NULL;
}

static kd_status eval_caught(kd_compiler *c, kd_job *job, const char *what, const char *text, const kd_eval_scope *scope, kd_eval_value *out)
{
    if (setjmp(job->exhausted))
        return out_of_memory(c, job);
    if (!job->arena)
        job_start(job);
    kd_diags *diags = kd_diags_create(job->arena);
    kd_status status = kd_eval_text(job->arena, diags, what, text, scope, out) ? KD_OK : KD_ERR_REPORTED;
    job->diags = diags;
    collect_messages(c, job, status);
    return status;
}

kd_status kd_compiler_eval(kd_compiler *c, const char *what, const char *text, const kd_eval_scope *scope, kd_eval_value *out)
{
    if (!c || !what || !text || !out)
        return KD_ERR_ARGUMENT;
    if (!c->evaluation)
        c->evaluation = job_create(c);
    if (!c->evaluation)
        return KD_ERR_MEMORY;
    jmp_buf around; /* of the evaluation that needs this one for a name in it */
    memcpy(&around, &c->evaluation->exhausted, sizeof around);
    kd_status status = eval_caught(c, c->evaluation, what, text, scope, out);
    memcpy(&c->evaluation->exhausted, &around, sizeof around);
    return status;
}

/* ---- files ---- */

static const kd_file_resolver *last_resolver(const kd_compiler *c)
{
    const kd_job *job = c->last ? c->last : c->inspection;
    return job ? job->resolver : NULL;
}

unsigned kd_compiler_n_files(const kd_compiler *c)
{
    return last_resolver(c) ? kd_file_resolver_n_files(last_resolver(c)) : 0;
}

const char *kd_compiler_file(const kd_compiler *c, unsigned i, const void **out_text, size_t *out_n_bytes)
{
    const kd_source *s = kd_file_resolver_file(last_resolver(c), i);
    if (out_text)
        *out_text = s->text.ptr;
    if (out_n_bytes)
        *out_n_bytes = s->text.len;
    return s->path;
}

unsigned kd_compiler_n_misses(const kd_compiler *c)
{
    return last_resolver(c) ? kd_file_resolver_n_misses(last_resolver(c)) : 0;
}

const char *kd_compiler_miss(const kd_compiler *c, unsigned i)
{
    return kd_file_resolver_miss(last_resolver(c), i);
}
