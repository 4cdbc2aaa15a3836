/* run.c - 'kdsl run': one kernel, on arrays. */
#include "base/npy.h"
#include "base/vec.h"
#include "cli/common.h"
#include "cli/run_impl.h"

#include <math.h>
#include <stdlib.h>
#include <yyjson.h>

typedef struct run_options {
    kd_common_options common;
    const char *grid;
    kd_text_list saves, expects, prints;
    double rtol, atol;
    long repeat, seed, threads;
    bool time, json, tune;
} run_options;

typedef struct run_state {
    run_options options;
    run_args args;
    kd_cli_compiler compiler;
    kd_device *device;
    kd_queue *queue;
} run_state;

typedef struct run_result {
    double compile_seconds;
    bool from_cache;
    double median, low, high; /* seconds a launch */
    unsigned n_runs;
    double n_bytes;           /* of all arrays: what a kernel that touches each once moves */
    uint32_t grid[3];
} run_result;

static void device_failed(run_state *st)
{
    kd_cli_error("%s", kd_device_error(st->device));
}

/* ---- NAME=FILE words of --save, --expect and --print ---- */

static run_arg *named_array(run_args *args, const char *option, const char *word, size_t n)
{
    const char *name = kd_arena_strndup(args->arena, word, n);
    run_arg *arg = run_args_find(args, name);
    if (arg && arg->is_array)
        return arg;
    const char *near = kd_cli_nearest(name, args->names, args->n);
    if (arg)
        kd_cli_error("%s: '%s' is not an array", option, name);
    else if (near)
        kd_cli_error("%s: there is no argument '%s'; did you mean '%s'?", option, name, near);
    else
        kd_cli_error("%s: there is no argument '%s'", option, name);
    return NULL;
}

static kd_exit bind_files(run_state *st)
{
    run_args *args = &st->args;
    for (unsigned k = 0; k < 2; k++) {
        const kd_text_list *list = k ? &st->options.expects : &st->options.saves;
        const char *option = k ? "--expect" : "--save";
        for (unsigned i = 0; i < list->n; i++) {
            const char *word = list->data[i], *equals = strchr(word, '=');
            if (!equals || !equals[1]) {
                kd_cli_error("%s needs NAME=FILE, not '%s'", option, word);
                return KD_EXIT_USAGE;
            }
            run_arg *arg = named_array(args, option, word, (size_t)(equals - word));
            if (!arg)
                return KD_EXIT_USAGE;
            *(k ? &arg->expect_path : &arg->save_path) = equals + 1;
        }
    }
    for (unsigned i = 0; i < st->options.prints.n; i++) {
        run_arg *arg = named_array(args, "--print", st->options.prints.data[i], strlen(st->options.prints.data[i]));
        if (!arg)
            return KD_EXIT_USAGE;
        arg->print = true;
    }
    return KD_EXIT_OK;
}

/* ---- running ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Copies of the arrays that the kernel writes, so that each timed run starts from the same state. */
static bool snapshot(run_args *args, const kd_kernel_desc *desc, void **copies)
{
    for (unsigned i = 0; i < desc->n_args; i++) {
        run_arg *arg = run_args_find(args, desc->args[i].name);
        if (!desc->args[i].is_written || !arg->is_array)
            continue;
        copies[i] = malloc(arg->array.n_bytes + 1);
        if (!copies[i])
            return false;
        memcpy(copies[i], arg->array.data, arg->array.n_bytes);
    }
    return true;
}

static void restore(run_args *args, const kd_kernel_desc *desc, void **copies)
{
    for (unsigned i = 0; i < desc->n_args; i++)
        if (copies[i]) {
            run_arg *arg = run_args_find(args, desc->args[i].name);
            memcpy(arg->array.data, copies[i], arg->array.n_bytes);
        }
}

static kd_status launch_once(run_state *st, kd_kernel *kernel, const uint32_t grid[3], const kd_arg *packed, double *out_seconds)
{
    double start = kd_cli_now();
    kd_status status = kd_kernel_launch(st->queue, kernel, grid, packed, kd_kernel_get_desc(kernel)->n_args, NULL);
    if (status == KD_OK)
        status = kd_queue_finish(st->queue);
    *out_seconds = kd_cli_now() - start;
    return status;
}

/* The first run counts for the results; more only where time is asked for. Without --repeat, until 0.2 s or 100 runs are over. */
static kd_exit launch_repeatedly(run_state *st, kd_kernel *kernel, const kd_arg *packed, run_result *result)
{
    enum { MAX_RUNS = 100000 };
    const kd_kernel_desc *desc = kd_kernel_get_desc(kernel);
    bool timed = st->options.time || st->options.tune || st->options.json || st->options.repeat > 0;
    unsigned limit = !timed ? 1 : st->options.repeat > 0 ? (unsigned)st->options.repeat : 100;
    double *times = kd_arena_array(st->args.arena, double, limit);
    void **copies = kd_arena_array(st->args.arena, void *, desc->n_args);
    if (limit > 1 && !snapshot(&st->args, desc, copies)) {
        kd_cli_error("out of memory");
        return KD_EXIT_WORLD;
    }
    kd_status status = KD_OK;
    double begin = kd_cli_now();
    for (unsigned n = 0; n < limit && status == KD_OK; n++) {
        if (n)
            restore(&st->args, desc, copies);
        status = launch_once(st, kernel, result->grid, packed, &times[n]);
        result->n_runs = n + 1;
        if (!st->options.repeat && n >= 2 && kd_cli_now() - begin > 0.2)
            break;
    }
    for (unsigned i = 0; i < desc->n_args; i++)
        free(copies[i]);
    if (status != KD_OK) {
        device_failed(st);
        return status == KD_ERR_DEVICE ? KD_EXIT_KERNEL : kd_cli_exit_of(status);
    }
    qsort(times, result->n_runs, sizeof *times, by_value);
    result->median = times[result->n_runs / 2];
    result->low = times[0];
    result->high = times[result->n_runs - 1];
    return KD_EXIT_OK;
}

static kd_exit compile_and_launch(run_state *st, const kd_compile_request *request, run_result *result)
{
    kd_compiled *compiled = NULL;
    kd_compile_request r = *request;
    r.signature = run_args_signature(&st->args);
    r.assume_disjoint = true; /* every array has memory of its own */
    double start = kd_cli_now();
    kd_exit status = kd_cli_compile_kernel(st->args.compiler, &r, &compiled);
    if (status != KD_EXIT_OK)
        return status;
    result->compile_seconds = kd_cli_now() - start;
    result->from_cache = kd_compiled_from_cache(compiled);
    size_t n_bytes;
    const void *bytes = kd_compiled_bytes(compiled, &n_bytes);
    const kd_kernel_desc *desc = kd_compiled_desc(compiled);
    kd_kernel *kernel = NULL;
    kd_arg *packed = NULL;
    if (kd_kernel_load(st->device, desc, bytes, n_bytes, &kernel) != KD_OK) {
        device_failed(st);
        status = KD_EXIT_WORLD;
    }
    if (status == KD_EXIT_OK)
        status = run_args_pack(&st->args, desc, &packed);
    if (status == KD_EXIT_OK)
        status = launch_repeatedly(st, kernel, packed, result);
    kd_kernel_destroy(kernel);
    kd_compiled_destroy(compiled);
    return status;
}

/* ---- results ---- */

static kd_exit check_expected(run_state *st, const run_arg *arg)
{
    kd_array expected = {0};
    kd_failure why = {0};
    kd_status status = kd_array_make(kd_arena_printf(st->args.arena, "@%s", arg->expect_path), 0, NULL, NULL, &expected, &why);
    kd_array_difference d = {0};
    if (status == KD_OK)
        status = kd_array_compare(&arg->array, &expected, st->options.rtol, st->options.atol, &d, &why);
    kd_array_release(&expected);
    if (status != KD_OK) {
        kd_cli_error("--expect %s=%s: %s", arg->name, arg->expect_path, why.text);
        return kd_cli_exit_of(status);
    }
    if (!d.n_different)
        return KD_EXIT_OK;
    kd_cli_error("%s differs from '%s' in %llu of %llu elements; the first at %s: %.9g instead of %.9g; largest error %.3g", arg->name,
                 arg->expect_path, (unsigned long long)d.n_different, (unsigned long long)arg->array.n_elems,
                 kd_array_index_text(st->args.arena, &arg->array, d.first), d.got, d.expected, d.max_error);
    return KD_EXIT_DIFFERS;
}

static kd_exit deliver(run_state *st)
{
    kd_exit status = KD_EXIT_OK;
    for (unsigned i = 0; i < st->args.n; i++) {
        run_arg *arg = &st->args.data[i];
        kd_failure why = {0};
        if (arg->print)
            kd_array_print(&arg->array, arg->name, stdout);
        if (arg->save_path &&
            kd_npy_write(arg->save_path, arg->array.type, arg->array.n_dims, arg->array.shape, arg->array.data, &why) != KD_OK) {
            kd_cli_error("--save %s: %s", arg->name, why.text);
            return KD_EXIT_WORLD;
        }
        if (arg->expect_path) {
            kd_exit found = check_expected(st, arg);
            if (found != KD_EXIT_OK && status == KD_EXIT_OK)
                status = found;
        }
    }
    return status;
}

static double bytes_of_arrays(const run_args *args)
{
    double n = 0;
    for (unsigned i = 0; i < args->n; i++)
        n += (double)args->data[i].array.n_bytes;
    return n;
}

static void show_time(run_state *st, const run_result *r)
{
    kd_arena *arena = st->args.arena;
    printf("compile  %s%s\n", kd_cli_time_text(arena, r->compile_seconds), r->from_cache ? " (from the cache)" : "");
    printf("run      %s", kd_cli_time_text(arena, r->median));
    if (r->n_runs > 1)
        printf(" (median of %u; %s to %s)", r->n_runs, kd_cli_time_text(arena, r->low), kd_cli_time_text(arena, r->high));
    printf("\narrays   %s, %.2f GB/s if each is touched once\n", kd_cli_bytes_text(arena, r->n_bytes), r->n_bytes / r->median * 1e-9);
}

static int show_json(run_state *st, const run_result *r)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc), *grid = yyjson_mut_arr(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_str(doc, root, "kernel", st->args.kernel->name);
    yyjson_mut_obj_add_str(doc, root, "signature", run_args_signature(&st->args));
    yyjson_mut_obj_add_val(doc, root, "grid", grid);
    for (unsigned i = 0; i < 3; i++)
        yyjson_mut_arr_add_uint(doc, grid, r->grid[i]);
    yyjson_mut_obj_add_real(doc, root, "compile_s", r->compile_seconds);
    yyjson_mut_obj_add_bool(doc, root, "from_cache", r->from_cache);
    yyjson_mut_obj_add_real(doc, root, "median_s", r->median);
    yyjson_mut_obj_add_real(doc, root, "low_s", r->low);
    yyjson_mut_obj_add_real(doc, root, "high_s", r->high);
    yyjson_mut_obj_add_uint(doc, root, "runs", r->n_runs);
    yyjson_mut_obj_add_real(doc, root, "array_bytes", r->n_bytes);
    return kd_cli_json_print(doc);
}

/* ---- one run, and one for each config ---- */

static kd_exit run_values(run_state *st, const kd_text_list *words, const kd_config_info *config, kd_compile_request *request,
                          run_result *result)
{
    kd_exit status = run_args_collect(&st->args, words);
    if (status == KD_EXIT_OK && config) {
        status = run_args_apply_config(&st->args, config);
        if (!st->options.common.num_warps)
            request->num_warps = config->num_warps;
        if (!st->options.common.num_stages)
            request->num_stages = config->num_stages;
    }
    if (status == KD_EXIT_OK)
        status = run_args_evaluate(&st->args);
    if (status == KD_EXIT_OK)
        status = run_args_grid(&st->args, st->options.grid, result->grid);
    if (status == KD_EXIT_OK)
        status = bind_files(st);
    if (status != KD_EXIT_OK)
        return status;
    result->n_bytes = bytes_of_arrays(&st->args);
    return compile_and_launch(st, request, result);
}

static const char *config_text(kd_arena *arena, const kd_config_info *config)
{
    kd_strbuf text = kd_strbuf_in(arena);
    for (unsigned i = 0; i < config->n; i++)
        kd_strbuf_printf(&text, "%s%s=%s", i ? " " : "", config->names[i], config->values[i]);
    return kd_strbuf_text(&text);
}

static kd_exit tune(run_state *st, const kd_text_list *words, const kd_compile_request *request)
{
    const kd_kernel_info *kernel = st->args.kernel;
    if (!kernel->n_configs) {
        kd_cli_error("kernel '%s' has no triton.Config written out in its file, so there is nothing to tune", kernel->name);
        return KD_EXIT_USAGE;
    }
    const char *headings[] = {">config", "values", ">compile", ">median", ">fastest", ">ratio"};
    kd_table *table = kd_table_create(st->args.arena, headings, 6);
    run_result *results = kd_arena_array(st->args.arena, run_result, kernel->n_configs);
    kd_exit *exits = kd_arena_array(st->args.arena, kd_exit, kernel->n_configs);
    double best = INFINITY;
    run_args fresh = st->args;
    kd_exit status = KD_EXIT_OK;
    for (unsigned i = 0; i < kernel->n_configs; i++) {
        if (kd_cli_color(stderr))
            fprintf(stderr, "\rkdsl: measuring config %u of %u ", i + 1, kernel->n_configs);
        kd_compile_request r = *request;
        r.config = -1;
        st->args = fresh;
        exits[i] = run_values(st, words, &kernel->configs[i], &r, &results[i]);
        run_args_release(&st->args);
        st->args.n = 0;
        if (exits[i] == KD_EXIT_USAGE || exits[i] == KD_EXIT_WORLD) {
            status = exits[i];
            break;
        }
        if (exits[i] == KD_EXIT_OK && results[i].median < best)
            best = results[i].median;
    }
    if (kd_cli_color(stderr))
        fputs("\r\033[K", stderr);
    if (status != KD_EXIT_OK)
        return status;
    kd_arena *arena = st->args.arena;
    for (unsigned i = 0; i < kernel->n_configs; i++) {
        bool ok = exits[i] == KD_EXIT_OK;
        kd_table_row(table, (const char *[]){kd_arena_printf(arena, "%u", i), config_text(arena, &kernel->configs[i]),
                                             ok ? kd_cli_time_text(arena, results[i].compile_seconds) : NULL,
                                             ok ? kd_cli_time_text(arena, results[i].median) : "failed",
                                             ok ? kd_cli_time_text(arena, results[i].low) : NULL,
                                             ok ? kd_arena_printf(arena, "%.2f%s", results[i].median / best, results[i].median == best ? " best" : "") : NULL});
    }
    kd_table_print(table, stdout);
    return best < INFINITY ? KD_EXIT_OK : KD_EXIT_KERNEL;
}

static kd_exit run_kernel(run_state *st, const char *word, const kd_text_list *values)
{
    const char *file, *name;
    kd_split_file_kernel(st->args.arena, word, &file, &name);
    kd_compile_request request = kd_common_request(&st->options.common, file, name);
    const kd_file_info *info;
    kd_status status = kd_compiler_inspect(st->args.compiler, &request, false, &info);
    if (status != KD_OK)
        return kd_cli_report(st->args.compiler, status);
    const kd_kernel_info *kernel = kd_file_info_find(st->args.compiler, info, name);
    if (!kernel) {
        fputs(kd_compiler_messages(st->args.compiler), stderr);
        return KD_EXIT_USAGE;
    }
    st->args.file = info;
    st->args.kernel = kernel;
    request.kernel = name ? name : kernel->name;
    if (st->options.tune)
        return tune(st, values, &request);
    long config = st->options.common.config;
    if (config >= (long)kernel->n_configs) {
        kd_cli_error("--config %ld: kernel '%s' has %u literal configs%s", config, kernel->name, kernel->n_configs,
                     kernel->n_configs ? ", counted from 0" : "");
        return KD_EXIT_USAGE;
    }
    request.config = -1;
    run_result result = {0};
    kd_exit done = run_values(st, values, config >= 0 ? &kernel->configs[config] : NULL, &request, &result);
    if (done == KD_EXIT_OK)
        done = deliver(st);
    if ((done == KD_EXIT_OK || done == KD_EXIT_DIFFERS) && st->options.json)
        show_json(st, &result);
    else if ((done == KD_EXIT_OK || done == KD_EXIT_DIFFERS) && st->options.time)
        show_time(st, &result);
    return done;
}

static kd_exit open_and_run(run_state *st, const kd_text_list *words)
{
    if (!words->n) {
        kd_cli_error("which kernel? Expected FILE or FILE:KERNEL");
        return KD_EXIT_USAGE;
    }
    if (!st->options.grid) {
        kd_cli_error("--grid is missing: how many program instances, as in --grid 'cdiv(n, BLOCK)'");
        return KD_EXIT_USAGE;
    }
    kd_exit status = kd_common_options_check(&st->options.common);
    if (status != KD_EXIT_OK)
        return status;
    kd_failure why = {0};
    kd_device_options device_options = {.n_threads = (unsigned)st->options.threads};
    kd_status opened = kd_device_open("cpu", &device_options, &st->device, &why);
    if (opened != KD_OK) {
        kd_cli_error("%s", why.text);
        return kd_cli_exit_of(opened);
    }
    if (kd_queue_create(st->device, &st->queue) != KD_OK) {
        device_failed(st);
        return KD_EXIT_WORLD;
    }
    status = kd_cli_compiler_open(&st->compiler);
    if (status != KD_EXIT_OK)
        return status;
    st->args.compiler = st->compiler.compiler;
    kd_text_list values = {words->data + 1, words->n - 1, words->n - 1};
    status = run_kernel(st, words->data[0], &values);
    run_args_release(&st->args);
    return status;
}

int kd_cli_run(const kd_command *command, int argc, char **argv)
{
    run_state st = {.options = {.rtol = 1e-5, .atol = 1e-8}, .args = {.arena = kd_arena_create(NULL)}};
    run_options *o = &st.options;
    kd_option options[KD_N_COMMON_OPTIONS + 12] = {
        {"--grid", KD_OPTION_TEXT, &o->grid, "G", "program instances along each axis: 'cdiv(n, BLOCK), 2'", 0, 0},
        {"--save", KD_OPTION_LIST, &o->saves, "NAME=FILE", "write an array to an .npy file afterwards", 0, 0},
        {"--print", KD_OPTION_LIST, &o->prints, "NAME", "show an array afterwards", 0, 0},
        {"--expect", KD_OPTION_LIST, &o->expects, "NAME=FILE", "compare an array with a file; exit status 4 where they differ", 0, 0},
        {"--rtol", KD_OPTION_REAL, &o->rtol, "R", "for --expect: relative tolerance (1e-5)", 0, 1e300},
        {"--atol", KD_OPTION_REAL, &o->atol, "A", "for --expect: absolute tolerance (1e-8)", 0, 1e300},
        {"--time", KD_OPTION_FLAG, &o->time, NULL, "measure: compile time, and runs until 0.2 s are over", 0, 0},
        {"--repeat", KD_OPTION_NUMBER, &o->repeat, "N", "measure N runs, each on the same input", 1, 100000},
        {"--tune", KD_OPTION_FLAG, &o->tune, NULL, "measure every triton.Config that the file writes out", 0, 0},
        {"--threads", KD_OPTION_NUMBER, &o->threads, "N", "threads to run on (KDSL_NUM_THREADS, or all processors)", 1, 4096},
        {"--seed", KD_OPTION_NUMBER, &o->seed, "N", "for rand, randn and randint without a seed of their own (0)", 0, 0},
        {"--json", KD_OPTION_FLAG, &o->json, NULL, "times as JSON", 0, 0},
    };
    kd_common_options_rows(&o->common, options + 12);
    kd_text_list words = {0};
    int status = kd_options_parse(command, options, KD_N_COMMON_OPTIONS + 12, argc, argv, st.args.arena, &words);
    st.args.seed = (uint64_t)o->seed;
    if (status < 0)
        status = open_and_run(&st, &words);
    kd_cli_compiler_close(&st.compiler);
    kd_queue_destroy(st.queue);
    kd_device_close(st.device);
    kd_arena_destroy(st.args.arena);
    return status;
}
