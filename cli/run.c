/* run.c - 'kdsl run': one kernel, on arrays. */
#include "cli/common.h"
#include "cli/run_impl.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <yyjson.h>

typedef struct run_options {
    kd_common_options common;
    const char *grid, *device;
    kd_text_list saves, expects, prints;
    kd_tolerance tolerance;
    long repeat, seed, threads;
    bool time, json, tune;
} run_options;

typedef struct run_state {
    run_options options;
    run_args args;
    kd_cli_compiler compiler;
    kd_device *device;
    kd_device_info info; /* of the device */
    kd_queue *queue;
} run_state;

static void device_failed(run_state *st)
{
    kd_cli_error("%s", kd_device_error(st->device));
}

/* ---- NAME=FILE words of --save, --expect and --print ---- */

static run_arg *named_array(run_args *args, const char *option, const char *word, size_t n)
{
    const char *name = kd_arena_strndup(args->arena, word, n);
    run_arg *arg = run_args_find(args, name);
    if (arg && run_arg_array(arg))
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

/* Copies of the arrays that the kernel writes, so that each timed run starts from the same state. */
static bool snapshot(const kd_kernel_desc *desc, kd_array **arrays, void **copies)
{
    for (unsigned i = 0; i < desc->n_args; i++) {
        if (!desc->args[i].is_written || !arrays[i])
            continue;
        copies[i] = malloc(arrays[i]->n_bytes + 1);
        if (!copies[i])
            return false;
        memcpy(copies[i], arrays[i]->data, arrays[i]->n_bytes);
    }
    return true;
}

static void restore(const kd_kernel_desc *desc, kd_array **arrays, void **copies)
{
    for (unsigned i = 0; i < desc->n_args; i++)
        if (copies[i])
            memcpy(arrays[i]->data, copies[i], arrays[i]->n_bytes);
}

/* Lets standard output go elsewhere for a while. */
static void point_stdout_to(int fd)
{
    fflush(stdout);
    if (fd >= 0)
        dup2(fd, STDOUT_FILENO);
}

/* How long a launch took: on a GPU by its own clock, without the way there and back. */
static kd_status launch_once(run_state *st, kd_kernel *kernel, const uint32_t grid[3], const kd_arg *packed, double *out_seconds)
{
    double start = kd_cli_now();
    kd_event *done = NULL;
    kd_status status =
        kd_kernel_launch(st->queue, kernel, grid, packed, kd_kernel_get_desc(kernel)->n_args, st->info.has_host_memory ? NULL : &done);
    if (status == KD_OK)
        status = kd_queue_finish(st->queue);
    *out_seconds = kd_cli_now() - start;
    uint64_t begin_ns, end_ns;
    if (status == KD_OK && done && (status = kd_event_times(done, &begin_ns, &end_ns)) == KD_OK)
        *out_seconds = (double)(end_ns - begin_ns) * 1e-9;
    kd_event_destroy(done);
    return status;
}

/* The first run counts for the results; more only where time is asked for. Without --repeat, until 0.2 s or 100 runs are over. */
static kd_exit launch_repeatedly(run_state *st, kd_kernel *kernel, const kd_arg *packed, kd_array **arrays, const run_memory *memory,
                                 run_result *result)
{
    const kd_kernel_desc *desc = kd_kernel_get_desc(kernel);
    bool timed = st->options.time || st->options.tune || st->options.repeat > 0;
    unsigned limit = !timed ? 1 : st->options.repeat > 0 ? (unsigned)st->options.repeat : 100;
    double *times = kd_arena_array(st->args.arena, double, limit);
    void **copies = kd_arena_array(st->args.arena, void *, desc->n_args);
    if (limit > 1 && !memory && !snapshot(desc, arrays, copies)) {
        kd_cli_error("out of memory");
        return KD_EXIT_WORLD;
    }
    kd_status status = KD_OK;
    int own_stdout = dup(STDOUT_FILENO), nowhere = limit > 1 ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    if (st->options.json) /* there standard output is for the answer alone */
        point_stdout_to(STDERR_FILENO);
    double begin = kd_cli_now();
    for (unsigned n = 0; n < limit && status == KD_OK; n++) {
        if (n == 1) /* what the kernel prints is wanted once */
            point_stdout_to(nowhere);
        if (memory)
            status = run_memory_upload(memory); /* the arrays here stay as they are until the end */
        else if (n)
            restore(desc, arrays, copies);
        if (status == KD_OK)
            status = launch_once(st, kernel, result->grid, packed, &times[n]);
        result->n_runs = n + 1;
        if (!st->options.repeat && n >= 2 && kd_cli_now() - begin > 0.2)
            break;
    }
    point_stdout_to(own_stdout);
    close(own_stdout);
    close(nowhere);
    if (status == KD_OK && memory)
        status = run_memory_download(memory, desc);
    for (unsigned i = 0; i < desc->n_args; i++)
        free(copies[i]);
    if (status != KD_OK) {
        device_failed(st);
        return kd_cli_exit_of(status);
    }
    kd_cli_sort_times(times, result->n_runs);
    result->median = times[result->n_runs / 2];
    result->low = times[0];
    result->high = times[result->n_runs - 1];
    return KD_EXIT_OK;
}

static kd_exit compile_for_run(run_state *st, const kd_compile_request *request, bool disjoint, run_result *result, kd_compiled **out)
{
    kd_compile_request r = *request;
    r.signature = run_args_signature(&st->args);
    r.target = st->info.target;
    r.assume_disjoint = disjoint;
    double start = kd_cli_now();
    kd_exit status = kd_cli_compile_kernel(st->args.compiler, &r, out);
    if (status == KD_EXIT_OK) {
        result->compile_seconds = kd_cli_now() - start;
        result->from_cache = kd_compiled_from_cache(*out);
    }
    return status;
}

/* On a GPU, whose memory is its own. */
static kd_exit launch_on_copies(run_state *st, kd_kernel *kernel, kd_arg *packed, kd_array **arrays, run_result *result)
{
    run_memory memory;
    unsigned n = kd_kernel_get_desc(kernel)->n_args;
    kd_status status = run_memory_make(&memory, st->device, st->queue, st->args.arena, arrays, packed, n);
    if (status)
        device_failed(st);
    kd_exit done = status ? kd_cli_exit_of(status) : launch_repeatedly(st, kernel, packed, arrays, &memory, result);
    run_memory_release(&memory);
    return done;
}

static kd_exit load_and_launch(run_state *st, const kd_compiled *compiled, kd_arg *packed, kd_array **arrays, run_result *result)
{
    size_t n_bytes;
    const void *bytes = kd_compiled_bytes(compiled, &n_bytes);
    kd_kernel *kernel = NULL;
    if (kd_kernel_load(st->device, kd_compiled_desc(compiled), bytes, n_bytes, &kernel) != KD_OK) {
        device_failed(st);
        return KD_EXIT_WORLD;
    }
    result->on_gpu = strcmp(st->info.name, "cpu") != 0;
    kd_kernel_get_usage(kernel, &result->usage);
    kd_exit status;
    if (st->info.has_host_memory) {
        run_fault_watch(&st->args);
        status = launch_repeatedly(st, kernel, packed, arrays, NULL, result);
        run_fault_forget();
    } else {
        status = launch_on_copies(st, kernel, packed, arrays, result);
    }
    kd_kernel_destroy(kernel);
    return status;
}

/* Every array has memory of its own, so the code may rely on that; unless one array is two arguments, and the kernel writes to it. */
static kd_exit compile_and_launch(run_state *st, const kd_compile_request *request, run_result *result)
{
    kd_compiled *compiled = NULL;
    kd_arg *packed;
    kd_array **arrays;
    kd_exit status = compile_for_run(st, request, true, result, &compiled);
    if (status == KD_EXIT_OK)
        status = run_args_pack(&st->args, kd_compiled_desc(compiled), &packed, &arrays);
    if (status == KD_EXIT_OK && run_args_share(&st->args) &&
        kd_kernel_args_alias(kd_compiled_desc(compiled), packed, kd_compiled_desc(compiled)->n_args) != KD_ALIAS_NONE) {
        kd_compiled_destroy(compiled);
        compiled = NULL;
        status = compile_for_run(st, request, false, result, &compiled);
        if (status == KD_EXIT_OK)
            status = run_args_pack(&st->args, kd_compiled_desc(compiled), &packed, &arrays);
    }
    if (status == KD_EXIT_OK)
        status = load_and_launch(st, compiled, packed, arrays, result);
    kd_compiled_destroy(compiled);
    return status;
}

static double bytes_of_arrays(const run_args *args)
{
    double n = 0;
    for (unsigned i = 0; i < args->n; i++)
        n += (double)args->data[i].array.n_bytes;
    return n;
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

static kd_exit tune(run_state *st, const kd_text_list *words, const kd_compile_request *request)
{
    const kd_kernel_info *kernel = st->args.kernel;
    if (!kernel->n_configs) {
        kd_cli_error("kernel '%s' has no triton.Config written out in its file, so there is nothing to tune", kernel->name);
        return KD_EXIT_USAGE;
    }
    if (st->options.saves.n || st->options.expects.n || st->options.prints.n) {
        kd_cli_error("--tune only measures: --save, --print and --expect do not go with it");
        return KD_EXIT_USAGE;
    }
    run_result *results = kd_arena_array(st->args.arena, run_result, kernel->n_configs);
    kd_exit *exits = kd_arena_array(st->args.arena, kd_exit, kernel->n_configs);
    run_args fresh = st->args;
    kd_exit status = KD_EXIT_OK;
    for (unsigned i = 0; i < kernel->n_configs; i++) {
        if (kd_cli_color(stderr))
            fprintf(stderr, "\rkdsl: measuring config %u of %u ", i + 1, kernel->n_configs);
        kd_compile_request r = *request;
        st->args = fresh;
        exits[i] = run_values(st, words, &kernel->configs[i], &r, &results[i]);
        run_args_release(&st->args);
        st->args.n = 0;
        if (exits[i] == KD_EXIT_USAGE || exits[i] == KD_EXIT_WORLD) {
            status = exits[i];
            break;
        }
    }
    if (kd_cli_color(stderr))
        fputs("\r\033[K", stderr);
    return status == KD_EXIT_OK ? run_show_tuning(st->args.arena, kernel, results, exits, st->options.json) : status;
}

static kd_exit show_json(run_state *st, const run_result *result)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_str(doc, root, "kernel", st->args.kernel->name);
    yyjson_mut_obj_add_str(doc, root, "signature", run_args_signature(&st->args));
    run_add_json(doc, root, result);
    kd_exit status = run_deliver(&st->args, st->options.tolerance, doc, root);
    kd_exit printed = kd_cli_json_print(doc);
    return printed == KD_EXIT_OK ? status : printed;
}

static kd_exit show_results(run_state *st, const run_result *result)
{
    if (st->options.json)
        return show_json(st, result);
    kd_exit status = run_deliver(&st->args, st->options.tolerance, NULL, NULL);
    if ((status == KD_EXIT_OK || status == KD_EXIT_DIFFERS) && st->options.time)
        run_show_time(st->args.arena, result);
    return status;
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
    request.set_config = false; /* its values become arguments: run_values */
    if (st->options.tune)
        return tune(st, values, &request);
    long config = st->options.common.config;
    if (config >= (long)kernel->n_configs) {
        if (kernel->n_configs)
            kd_cli_error("--config %ld: kernel '%s' has configs 0 to %u", config, kernel->name, kernel->n_configs - 1);
        else
            kd_cli_error("--config %ld: kernel '%s' has no triton.Config written out in its file", config, kernel->name);
        return KD_EXIT_USAGE;
    }
    run_result result = {0};
    kd_exit done = run_values(st, values, config >= 0 ? &kernel->configs[config] : NULL, &request, &result);
    return done == KD_EXIT_OK ? show_results(st, &result) : done;
}

static kd_exit open_device(run_state *st)
{
    kd_failure why = {0};
    kd_device_options options = {.n_threads = (unsigned)st->options.threads, .no_cache = st->options.common.no_cache};
    kd_status opened = kd_device_open(st->options.device ? st->options.device : "cpu", &options, &st->device, &why);
    if (opened != KD_OK) {
        kd_cli_error("%s", why.text);
        return kd_cli_exit_of(opened);
    }
    kd_device_get_info(st->device, &st->info);
    if (!st->info.target[0]) {
        kd_cli_error("cannot compile for the device %s (%s): %s", st->info.name, st->info.description, st->info.note);
        return KD_EXIT_WORLD;
    }
    kd_exit status = kd_cli_check_work_group(st->info.target, st->options.common.num_warps, st->options.common.sub_group_size);
    if (status)
        return status;
    if (st->info.note[0])
        kd_cli_note("the device %s (%s): %s", st->info.name, st->info.description, st->info.note);
    if (kd_queue_create(st->device, &st->queue) != KD_OK) {
        device_failed(st);
        return KD_EXIT_WORLD;
    }
    return KD_EXIT_OK;
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
    status = open_device(st);
    if (status != KD_EXIT_OK)
        return status;
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
    run_state st = {.options = {.tolerance = {1e-5, 1e-8}}, .args = {.arena = kd_cli_arena_create()}};
    run_options *o = &st.options;
    kd_option options[KD_N_COMMON_OPTIONS + 13] = {
        {"--grid", KD_OPTION_TEXT, &o->grid, "G", "program instances along each axis: 'cdiv(n, BLOCK), 2'", 0, 0},
        {"--save", KD_OPTION_LIST, &o->saves, "NAME=FILE", "write an array to an .npy file afterwards", 0, 0},
        {"--print", KD_OPTION_LIST, &o->prints, "NAME", "show an array afterwards", 0, 0},
        {"--expect", KD_OPTION_LIST, &o->expects, "NAME=FILE", "compare an array with a file; exit status 4 where they differ", 0, 0},
        {"--rtol", KD_OPTION_REAL, &o->tolerance.rtol, "R", "for --expect: relative tolerance (1e-5)", 0, 1e300},
        {"--atol", KD_OPTION_REAL, &o->tolerance.atol, "A", "for --expect: absolute tolerance (1e-8)", 0, 1e300},
        {"--time", KD_OPTION_FLAG, &o->time, NULL, "measure: compile time, and runs until 0.2 s are over", 0, 0},
        {"--repeat", KD_OPTION_NUMBER, &o->repeat, "N", "measure N runs, each on the same input", 1, 100000},
        {"--tune", KD_OPTION_FLAG, &o->tune, NULL, "measure every triton.Config that the file writes out", 0, 0},
        {"--device", KD_OPTION_TEXT, &o->device, "NAME", "the device: cpu, level_zero or level_zero:N (cpu)", 0, 0},
        {"--threads", KD_OPTION_NUMBER, &o->threads, "N", "threads to run on (KDSL_NUM_THREADS, or all processors)", 1, 4096},
        {"--seed", KD_OPTION_NUMBER, &o->seed, "N", "for rand, randn and randint without a seed of their own (0)", 0, 0},
        {"--json", KD_OPTION_FLAG, &o->json, NULL, "the answer as JSON: arrays of --print, differences of --expect, times", 0, 0},
    };
    kd_common_options_rows(&o->common, options + 13);
    kd_text_list words = {0};
    int status = kd_options_parse(command, options, KD_N_COMMON_OPTIONS + 13, argc, argv, st.args.arena, &words);
    st.args.seed = (uint64_t)o->seed;
    if (status < 0)
        status = open_and_run(&st, &words);
    kd_cli_compiler_close(&st.compiler);
    kd_queue_destroy(st.queue);
    kd_device_close(st.device);
    kd_arena_destroy(st.args.arena);
    return status;
}
