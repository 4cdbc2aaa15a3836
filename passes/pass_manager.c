/* pass_manager.c - runs pipelines: finds passes by name, times them, prints and checks what they leave. */
#include "base/bug.h"
#include "base/map.h"
#include "base/nearest.h"
#include "base/vec.h"
#include "ir/text.h"
#include "passes/pass.h"

#include <stdio.h>
#include <time.h>

#ifndef KD_VERIFY
#define KD_VERIFY 0
#endif

const kd_pass_info kd_pass_infos[] = {
#define KD_PASS(id, scope, keeps, summary) {#id, scope, keeps, summary, kd_pass_##id},
#include "passes/passes.def"
};
const unsigned kd_n_passes = sizeof kd_pass_infos / sizeof *kd_pass_infos;

const char kd_default_pipeline[] = "inline,canonicalize,unroll,canonicalize,cse,licm,dce";
const char kd_gpu_pipeline[] = "recognize-rectangles,canonicalize,cse,dce,select-rectangles,lower-block-access,canonicalize,cse,licm,"
                               "fold-add-into-dot,dce,assign-layouts,remove-layout-conversions,"
                               "prefetch-rectangles,cse,licm,dce,sink-loads";

/* ---- names ---- */

/* Names are written with '-' and, since that is a common slip, '_'. */
static bool same_name(kd_str name, const char *id)
{
    if (name.len != strlen(id))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] != id[i] && !((name.ptr[i] == '-' || name.ptr[i] == '_') && (id[i] == '_' || id[i] == '-')))
            return false;
    return true;
}

static const char *shown_name(kd_arena *arena, const kd_pass_info *pass)
{
    char *name = kd_arena_strdup(arena, pass->name);
    for (char *c = name; *c; c++)
        if (*c == '_')
            *c = '-';
    return name;
}

static const kd_pass_info *pass_at(const kd_pipeline_options *options, unsigned i)
{
    if (i < kd_n_passes)
        return &kd_pass_infos[i];
    return i - kd_n_passes < options->n_more_passes ? &options->more_passes[i - kd_n_passes] : NULL;
}

static const kd_pass_info *find_pass(const kd_pipeline_options *options, kd_str name)
{
    const kd_pass_info *pass = NULL;
    for (unsigned i = 0; (pass = pass_at(options, i)); i++)
        if (same_name(name, pass->name))
            return pass;
    return NULL;
}

static kd_status unknown_pass(const kd_pipeline_options *options, kd_arena *arena, kd_str name, kd_failure *out_why)
{
    kd_nearest nearest = kd_nearest_to(name);
    const kd_pass_info *pass = NULL;
    for (unsigned i = 0; (pass = pass_at(options, i)); i++)
        kd_nearest_try(&nearest, kd_str_of(shown_name(arena, pass)));
    return kd_fail(out_why, KD_ERR_ARGUMENT, "no pass is named '%.*s'%s", KD_STR_ARG(name), kd_nearest_hint(arena, &nearest));
}

typedef KD_VEC(const kd_pass_info *) pass_list;

static kd_status parse_pipeline(const kd_pipeline_options *options, kd_arena *arena, const char *text, pass_list *out, kd_failure *out_why)
{
    while (*text) {
        kd_str name = {text, strcspn(text, ",")};
        text += name.len + (text[name.len] == ',');
        bool is_default = kd_str_is(name, "default");
        if (is_default || kd_str_is(name, "gpu")) {
            kd_status status = parse_pipeline(options, arena, is_default ? kd_default_pipeline : kd_gpu_pipeline, out, out_why);
            if (status)
                return status;
            continue;
        }
        const kd_pass_info *pass = find_pass(options, name);
        if (!pass)
            return unknown_pass(options, arena, name, out_why);
        kd_vec_push(arena, out, pass);
    }
    return KD_OK;
}

/* ---- checks ---- */

static uint64_t hash_regions(const kd_op *root, uint64_t hash)
{
    for (unsigned r = 0; r < root->n_regions; r++)
        KD_FOREACH_OP (op, root->regions[r])
            if (op->n_regions) {
                hash = kd_hash_bytes(&op->code, sizeof op->code, hash);
                hash = hash_regions(op, hash);
            }
    return hash;
}

_Noreturn static void pass_bug(const kd_module *module, kd_arena *arena, const kd_pass_info *pass, const char *what)
{
    kd_strbuf text = kd_strbuf_in(arena);
    kd_print_module(module, &text);
    fprintf(stderr, "%s\n", kd_strbuf_text(&text));
    kd_bug_at(__FILE__, __LINE__, "pass '%s' %s", shown_name(arena, pass), what);
}

static void check_ir(const kd_module *module, kd_arena *arena, const kd_pass_info *pass)
{
    kd_diags *diags = kd_diags_create(arena);
    if (!kd_verify_module(module, diags))
        pass_bug(module, arena, pass, kd_arena_printf(arena, "broke the IR: %s", kd_diags_text(diags, arena)));
}

/* ---- running ---- */

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static unsigned count_ops(const kd_op *root)
{
    unsigned n = 0;
    for (unsigned r = 0; r < root->n_regions; r++)
        KD_FOREACH_OP (op, root->regions[r])
            n += 1 + count_ops(op);
    return n;
}

typedef struct timing {
    const kd_pass_info *pass;
    double ms;
    unsigned n_ops; /* that it left */
    bool changed;
} timing;

static kd_pass_result run_pass(kd_pass_ctx *px, const kd_pass_info *pass)
{
    if (pass->scope == KD_ON_MODULE)
        return pass->run(px, px->module->op);
    kd_pass_result result = KD_PASS_UNCHANGED;
    KD_FOREACH_OP_SAFE (func, px->module->op->regions[0]) {
        kd_pass_result one = pass->run(px, func);
        if (one > result)
            result = one;
        kd_arena_reset(px->scratch);
    }
    return result;
}

static kd_pass_result run_checked(kd_pass_ctx *px, const kd_pass_info *pass)
{
    uint64_t hash = kd_module_hash(px->module, px->scratch), regions = hash_regions(px->module->op, 0);
    kd_pass_result result = run_pass(px, pass);
    kd_arena_reset(px->scratch);
    if (result == KD_PASS_FAILED)
        return result;
    check_ir(px->module, px->scratch, pass);
    if (result == KD_PASS_UNCHANGED && kd_module_hash(px->module, px->scratch) != hash)
        pass_bug(px->module, px->scratch, pass, "changed the IR and said it did not");
    if (pass->keeps & KD_KEEPS_REGIONS && hash_regions(px->module->op, 0) != regions)
        pass_bug(px->module, px->scratch, pass, "changed ops with regions and says that it keeps them");
    return result;
}

static void log_text(const kd_pipeline_options *options, kd_arena *arena, const kd_module *module, const kd_pass_info *pass, bool changed)
{
    const char *name = shown_name(arena, pass);
    bool asked = options->print_after && (strcmp(options->print_after, "all") == 0 || same_name(kd_str_of(options->print_after), name));
    if (!options->log || !(asked || options->print_changed))
        return;
    if (!changed && !asked) {
        kd_strbuf_printf(options->log, "// after %s: unchanged\n", name);
        return;
    }
    kd_strbuf_printf(options->log, "// after %s:\n", name);
    kd_print_module(module, options->log);
}

static void log_times(const kd_pipeline_options *options, kd_arena *arena, const timing *times, unsigned n)
{
    double total = 0;
    for (unsigned i = 0; i < n; i++)
        total += times[i].ms;
    kd_strbuf_puts(options->log, "   time ms  share      ops  pass\n");
    for (unsigned i = 0; i < n; i++)
        kd_strbuf_printf(options->log, "%10.3f  %3.0f %%  %7u  %s%s\n", times[i].ms, total > 0 ? times[i].ms / total * 100 : 0, times[i].n_ops,
                         shown_name(arena, times[i].pass), times[i].changed ? "" : " (unchanged)");
    kd_strbuf_printf(options->log, "%10.3f  100 %%           total\n", total);
}

static kd_status run_list(kd_pass_ctx *px, const pass_list *list, const kd_pipeline_options *options)
{
    timing *times = kd_arena_array(px->module->arena, timing, list->n);
    unsigned n_run = 0;
    kd_status status = KD_OK;
    for (unsigned i = 0; i < list->n && status == KD_OK; i++) {
        const kd_pass_info *pass = list->data[i];
        double began = now_ms();
        kd_pass_result result = options->verify || KD_VERIFY ? run_checked(px, pass) : run_pass(px, pass);
        kd_arena_reset(px->scratch);
        times[n_run++] = (timing){pass, now_ms() - began, options->time_passes ? count_ops(px->module->op) : 0, result == KD_PASS_CHANGED};
        if (result == KD_PASS_FAILED)
            status = KD_ERR_REPORTED;
        log_text(options, px->scratch, px->module, pass, result != KD_PASS_UNCHANGED);
        if (options->stop_after && same_name(kd_str_of(options->stop_after), pass->name))
            break;
    }
    if (options->time_passes && options->log)
        log_times(options, px->scratch, times, n_run);
    return status;
}

typedef struct list_run {
    kd_pass_ctx *px;
    const pass_list *list;
    const kd_pipeline_options *options;
    kd_status status;
} list_run;

static void run_caught(void *user)
{
    list_run *run = user;
    run->status = run_list(run->px, run->list, run->options);
}

kd_status kd_pipeline_run(kd_module *module, const char *passes, const kd_pipeline_options *options, kd_diags *diags, kd_failure *out_why)
{
    static const kd_pipeline_options NO_OPTIONS;
    if (!options)
        options = &NO_OPTIONS;
    kd_arena *names = module->arena;
    pass_list list = {0};
    kd_status status = parse_pipeline(options, names, passes, &list, out_why);
    if (status)
        return status;
    const char *asked[] = {options->print_after, options->stop_after};
    for (unsigned i = 0; i < 2; i++)
        if (asked[i] && strcmp(asked[i], "all") != 0 && !find_pass(options, kd_str_of(asked[i])))
            return unknown_pass(options, names, kd_str_of(asked[i]), out_why);
    kd_budget *budget = kd_arena_budget(module->arena);
    kd_arena *own = options->scratch ? NULL : kd_arena_create(budget);
    kd_pass_ctx px = {module, options->scratch ? options->scratch : own, diags, options->log,
                      options->max_ops ? options->max_ops : KD_DEFAULT_MAX_OPS, options->gpu};
    list_run run = {&px, &list, options, KD_ERR_MEMORY};
    kd_budget_catch(budget, run_caught, &run);
    kd_arena_destroy(own);
    return run.status;
}
