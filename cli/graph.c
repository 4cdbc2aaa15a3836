/* graph.c - 'kdsl graph': operator graphs from files: run, explain, show. */
#include "cli/array.h"
#include "cli/cli.h"
#include "cli/graph_report.h"
#include "graph/graph.h"

#include "base/file.h"
#include "base/npy.h"
#include "base/number.h"
#include "base/scalar.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct graph_options {
    kd_text_list inputs, saves, expects, prints;
    kd_tolerance tolerance;
    long repeat, seed, threads;
    bool time, no_cache, no_fusion, embed_weights, nodes, invents_inputs;
    const char *out, *device, *target, *html;
} graph_options;

/* What --in says. */
typedef struct given_input {
    const char *name;
    kd_array array;
} given_input;

typedef struct graph_state {
    graph_options options;
    kd_arena *arena;
    given_input *given; /* options.inputs.n of them */
    kd_input_shapes shapes; /* theirs */
    kd_graph *graph;
    kd_executable *exe;
    kd_session *session;
    kd_array *inputs, *outputs; /* by number */
    double compile_seconds;
    const char *model; /* its file */
} graph_state;

static kd_exit fail(kd_status status, const kd_failure *why)
{
    kd_cli_error("%s", why->text);
    return status == KD_ERR_UNSUPPORTED || status == KD_ERR_DAMAGED ? KD_EXIT_KERNEL : kd_cli_exit_of(status);
}

static kd_exit read_graph(graph_state *st, const char *path)
{
    kd_failure why = {{0}};
    kd_status status = kd_graph_read(path, &st->shapes, &st->graph, &why);
    return status ? fail(status, &why) : KD_EXIT_OK;
}

static kd_graph_options options_of(const graph_state *st)
{
    return (kd_graph_options){.device = st->options.device,
                              .n_threads = (unsigned)st->options.threads,
                              .no_cache = st->options.no_cache,
                              .no_fusion = st->options.no_fusion,
                              .target = st->options.target,
                              .shapes = st->shapes};
}

/* From any file that has a graph or an executable in it. */
static kd_exit open_executable(graph_state *st, const char *path)
{
    kd_failure why = {{0}};
    kd_graph_options options = options_of(st);
    double start = kd_cli_now();
    kd_status status = kd_executable_open(path, &options, &st->exe, &why);
    st->compile_seconds = kd_cli_now() - start;
    return status ? fail(status, &why) : KD_EXIT_OK;
}

/* ---- arrays ---- */

/* Splits NAME=VALUE. */
static kd_exit split_word(graph_state *st, const char *option, const char *word, const char **out_name, const char **out_value)
{
    const char *equals = strchr(word, '=');
    if (!equals || !equals[1]) {
        kd_cli_error("%s needs NAME=VALUE, not '%s'", option, word);
        return KD_EXIT_USAGE;
    }
    *out_name = kd_arena_strndup(st->arena, word, (size_t)(equals - word));
    *out_value = equals + 1;
    return KD_EXIT_OK;
}

enum { MAX_NAMES_SHOWN = 8 };

/* "'ids', 'mask', ...". */
static const char *name_list(kd_arena *arena, const char *const *names, unsigned n)
{
    kd_strbuf text = kd_strbuf_in(arena);
    for (unsigned i = 0; i < n && i < MAX_NAMES_SHOWN; i++)
        kd_strbuf_printf(&text, "%s'%s'", i ? ", " : "", names[i]);
    kd_strbuf_puts(&text, n > MAX_NAMES_SHOWN ? ", ..." : "");
    return kd_strbuf_text(&text);
}

static kd_exit find_tensor(graph_state *st, const char *option, const char *name, bool input, unsigned *out_index)
{
    unsigned n = input ? kd_executable_n_inputs(st->exe) : kd_executable_n_outputs(st->exe);
    const char **names = kd_arena_array(st->arena, const char *, n + 1);
    for (unsigned i = 0; i < n; i++) {
        names[i] = (input ? kd_executable_input(st->exe, i) : kd_executable_output(st->exe, i))->name;
        if (strcmp(names[i], name) == 0) {
            *out_index = i;
            return KD_EXIT_OK;
        }
    }
    if (kd_tensor_number(name, input ? 'x' : 'y', n, out_index))
        return KD_EXIT_OK;
    const char *near = kd_cli_nearest(name, names, n), *kind = input ? "input" : "output";
    if (near)
        kd_cli_error("%s: the graph has no %s '%s'; did you mean '%s'?", option, kind, name, near);
    else
        kd_cli_error("%s: the graph has no %s '%s'; it has %s", option, kind, name, n ? name_list(st->arena, names, n) : "none");
    return KD_EXIT_USAGE;
}

static int64_t place_of(const kd_tensor_type *t, uint64_t index)
{
    int64_t place = 0;
    for (unsigned d = t->n_dims; d-- > 0;) {
        place += (int64_t)(index % (uint64_t)t->shape[d]) * t->strides[d];
        index /= (uint64_t)t->shape[d];
    }
    return place;
}

/* Between a row-major array and memory in a tensor's strides. */
static void copy_elements(const kd_tensor_type *t, char *strided, char *row_major, bool to_strided)
{
    size_t size = kd_scalar_bytes(t->type);
    uint64_t n = (uint64_t)kd_tensor_n_elems(t);
    for (uint64_t i = 0; i < n; i++) {
        char *a = strided + (size_t)place_of(t, i) * size, *b = row_major + i * size;
        memcpy(to_strided ? a : b, to_strided ? b : a, size);
    }
}

static bool replace_by_strided(const kd_tensor_type *t, kd_array *array)
{
    char *strided = aligned_alloc(64, (kd_tensor_n_bytes(t) + 64) / 64 * 64);
    if (!strided)
        return false;
    copy_elements(t, strided, array->data, true);
    free(array->owned);
    array->data = array->owned = strided;
    return true;
}

/* Extents and seeds are numbers here. */
static bool eval_number(void *user, kd_str text, double *out)
{
    if (kd_double_parse(text, out))
        return true;
    kd_cli_error("'%.*s' is not a number; 'kdsl graph' takes no expressions in arrays", KD_STR_ARG(text));
    return false;
}

/* "f32[2, 3]". */
static const char *type_text(kd_arena *arena, const kd_tensor_type *t)
{
    kd_strbuf text = kd_strbuf_in(arena);
    kd_strbuf_printf(&text, "%s[", kd_scalar_name(t->type));
    for (unsigned d = 0; d < t->n_dims; d++)
        kd_strbuf_printf(&text, d ? ",%" PRId64 : "%" PRId64, t->shape[d]);
    kd_strbuf_puts(&text, "]");
    return kd_strbuf_text(&text);
}

static kd_exit make_array(graph_state *st, const char *name, const char *value, unsigned number, kd_array *out)
{
    kd_failure why = {{0}};
    if (!kd_array_is_value(value)) {
        kd_cli_error("input '%s': '%s' is not an array, as @x.npy or randn:f32[8, 8] is", name, value);
        return KD_EXIT_USAGE;
    }
    kd_status status = kd_array_make(value, (uint64_t)st->options.seed + number, eval_number, st, out, &why);
    if (status == KD_ERR_REPORTED)
        return KD_EXIT_USAGE;
    if (status) {
        kd_cli_error("input '%s': %s", name, why.text);
        return status == KD_ERR_ARGUMENT ? KD_EXIT_USAGE : kd_cli_exit_of(status);
    }
    return KD_EXIT_OK;
}

/* The arrays that the command line has, before the graph: variable extents of a program are as in them. */
static kd_exit make_given(graph_state *st)
{
    unsigned n = st->options.inputs.n;
    st->given = kd_arena_array(st->arena, given_input, n);
    kd_input_shape *shapes = kd_arena_array(st->arena, kd_input_shape, n);
    for (unsigned k = 0; k < n; k++) {
        given_input *g = &st->given[k];
        const char *value;
        kd_exit status = split_word(st, "--in", st->options.inputs.data[k], &g->name, &value);
        if (status == KD_EXIT_OK)
            status = make_array(st, g->name, value, k, &g->array);
        if (status)
            return status;
        shapes[k].name = g->name;
        shapes[k].n_dims = g->array.n_dims < KD_TENSOR_MAX_DIMS ? g->array.n_dims : KD_TENSOR_MAX_DIMS;
        for (unsigned d = 0; d < shapes[k].n_dims; d++)
            shapes[k].shape[d] = (int64_t)g->array.shape[d];
    }
    st->shapes = (kd_input_shapes){shapes, n};
    return KD_EXIT_OK;
}

/* Gives input i an array, which is the state's from then on. */
static kd_exit bind_input(graph_state *st, unsigned i, kd_array *given)
{
    const kd_tensor_info *info = kd_executable_input(st->exe, i);
    const kd_tensor_type *t = &info->type;
    kd_array *a = &st->inputs[i];
    kd_array_release(a);
    *a = *given;
    *given = (kd_array){0};
    bool same = a->type == t->type && a->n_dims == t->n_dims;
    for (unsigned d = 0; d < t->n_dims && same; d++)
        same = a->shape[d] == (uint64_t)t->shape[d];
    if (!same) {
        kd_tensor_type got = {.type = a->type, .n_dims = a->n_dims < KD_TENSOR_MAX_DIMS ? a->n_dims : KD_TENSOR_MAX_DIMS};
        for (unsigned d = 0; d < got.n_dims; d++)
            got.shape[d] = (int64_t)a->shape[d];
        kd_cli_error("input '%s' is %s, but the graph wants %s", info->name, type_text(st->arena, &got), type_text(st->arena, t));
        return KD_EXIT_USAGE;
    }
    if (!replace_by_strided(t, a)) {
        kd_cli_error("out of memory");
        return KD_EXIT_WORLD;
    }
    return KD_EXIT_OK;
}

/* For timing alone: normal numbers, and zeros for what may be indices. */
static kd_exit invent_inputs(graph_state *st)
{
    for (unsigned i = 0; i < kd_executable_n_inputs(st->exe); i++) {
        const kd_tensor_info *info = kd_executable_input(st->exe, i);
        const char *kind = kd_scalar_is_float(info->type.type) ? "randn" : "zeros";
        kd_array array = {0};
        if (st->inputs[i].data)
            continue;
        kd_exit status =
            make_array(st, info->name, kd_arena_printf(st->arena, "%s:%s", kind, type_text(st->arena, &info->type)), i, &array);
        if (status == KD_EXIT_OK)
            status = bind_input(st, i, &array);
        if (status)
            return status;
    }
    return KD_EXIT_OK;
}

static kd_exit make_arrays(graph_state *st)
{
    unsigned n_in = kd_executable_n_inputs(st->exe), n_out = kd_executable_n_outputs(st->exe);
    st->inputs = kd_arena_array(st->arena, kd_array, n_in);
    st->outputs = kd_arena_array(st->arena, kd_array, n_out);
    for (unsigned k = 0; k < st->options.inputs.n; k++) {
        unsigned i;
        kd_exit status = find_tensor(st, "--in", st->given[k].name, true, &i);
        if (status == KD_EXIT_OK && st->inputs[i].data) {
            kd_cli_error("--in: '%s' is given twice", kd_executable_input(st->exe, i)->name);
            status = KD_EXIT_USAGE;
        }
        if (status == KD_EXIT_OK)
            status = bind_input(st, i, &st->given[k].array);
        if (status)
            return status;
    }
    kd_exit made = st->options.invents_inputs ? invent_inputs(st) : KD_EXIT_OK;
    if (made)
        return made;
    for (unsigned i = 0; i < n_in; i++)
        if (!st->inputs[i].data) {
            const kd_tensor_info *info = kd_executable_input(st->exe, i);
            kd_cli_error("the input '%s' is missing: --in %s=@x.npy, or =%s:%s", info->name, info->name,
                         kd_scalar_is_float(info->type.type) ? "randn" : "zeros", type_text(st->arena, &info->type));
            return KD_EXIT_USAGE;
        }
    for (unsigned i = 0; i < n_out; i++) {
        const kd_tensor_type *t = &kd_executable_output(st->exe, i)->type;
        kd_array *a = &st->outputs[i];
        *a = (kd_array){.type = t->type, .n_dims = t->n_dims, .n_elems = (uint64_t)kd_tensor_n_elems(t)};
        for (unsigned d = 0; d < t->n_dims; d++)
            a->shape[d] = (uint64_t)t->shape[d];
        a->n_bytes = (size_t)a->n_elems * kd_scalar_bytes(t->type);
        a->data = a->owned = aligned_alloc(64, (kd_tensor_n_bytes(t) + 64) / 64 * 64);
        if (!a->data) {
            kd_cli_error("out of memory");
            return KD_EXIT_WORLD;
        }
    }
    return KD_EXIT_OK;
}

/* ---- run ---- */

/* The least time of each step in a few runs. */
static kd_status time_steps(graph_state *st, const void *const *inputs, void *const *outputs, uint64_t *out_step_ns, kd_failure *out_why)
{
    enum { N_RUNS = 5 };
    unsigned n = kd_executable_n_steps(st->exe);
    uint64_t *ns = kd_arena_array(st->arena, uint64_t, n + 1);
    kd_status status = KD_OK;
    for (unsigned run = 0; run < N_RUNS && status == KD_OK; run++) {
        status = kd_session_run_timed(st->session, inputs, outputs, ns, out_why);
        for (unsigned i = 0; i < n && status == KD_OK; i++)
            if (run == 0 || ns[i] < out_step_ns[i])
                out_step_ns[i] = ns[i];
    }
    return status;
}

/* The first run is for the results; more only where time is asked for: until 0.5 s or so many runs are over. */
static kd_exit run_session(graph_state *st, double *out_times, unsigned limit, unsigned *out_n, uint64_t *out_step_ns)
{
    unsigned n_in = kd_executable_n_inputs(st->exe), n_out = kd_executable_n_outputs(st->exe);
    const void **inputs = kd_arena_array(st->arena, const void *, n_in);
    void **outputs = kd_arena_array(st->arena, void *, n_out);
    kd_failure why = {{0}};
    for (unsigned i = 0; i < n_in; i++)
        inputs[i] = st->inputs[i].data;
    for (unsigned i = 0; i < n_out; i++)
        outputs[i] = st->outputs[i].data;
    kd_status status = kd_session_create(st->exe, &st->session, &why);
    double begin = kd_cli_now();
    unsigned n = 0;
    while (status == KD_OK && n < limit && (n < 3 || st->options.repeat || kd_cli_now() - begin < 0.5)) {
        double start = kd_cli_now();
        status = kd_session_run(st->session, inputs, outputs, &why);
        out_times[n++] = kd_cli_now() - start;
    }
    if (status == KD_OK && out_step_ns)
        status = time_steps(st, inputs, outputs, out_step_ns, &why);
    *out_n = n;
    return status ? fail(status, &why) : KD_EXIT_OK;
}

/* Outputs in row-major order, as files and people want them. */
static kd_exit straighten(graph_state *st)
{
    for (unsigned i = 0; i < kd_executable_n_outputs(st->exe); i++) {
        kd_array *a = &st->outputs[i];
        char *straight = malloc(a->n_bytes + 1);
        if (!straight) {
            kd_cli_error("out of memory");
            return KD_EXIT_WORLD;
        }
        copy_elements(&kd_executable_output(st->exe, i)->type, a->data, straight, false);
        free(a->owned);
        a->data = a->owned = straight;
    }
    return KD_EXIT_OK;
}

static kd_exit save_output(graph_state *st, unsigned i, const char *path)
{
    const kd_array *a = &st->outputs[i];
    kd_failure why = {{0}};
    if (kd_npy_write(path, a->type, a->n_dims, a->shape, a->data, &why) == KD_OK)
        return KD_EXIT_OK;
    kd_cli_error("--save %s: %s", kd_executable_output(st->exe, i)->name, why.text);
    return KD_EXIT_WORLD;
}

static kd_exit compare_output(graph_state *st, unsigned i, const char *path)
{
    kd_array_difference unused;
    return kd_array_expect(st->arena, kd_executable_output(st->exe, i)->name, &st->outputs[i], path, st->options.tolerance, &unused);
}

static kd_exit print_output(graph_state *st, unsigned i, const char *unused)
{
    kd_array_print(&st->outputs[i], kd_executable_output(st->exe, i)->name, stdout);
    return KD_EXIT_OK;
}

static kd_exit for_each_word(graph_state *st, const char *option, const kd_text_list *words,
                             kd_exit (*fn)(graph_state *st, unsigned i, const char *value))
{
    for (unsigned k = 0; k < words->n; k++) {
        unsigned i;
        const char *name, *value;
        kd_exit status = split_word(st, option, words->data[k], &name, &value);
        if (status == KD_EXIT_OK)
            status = find_tensor(st, option, name, false, &i);
        if (status == KD_EXIT_OK)
            status = fn(st, i, value);
        if (status)
            return status;
    }
    return KD_EXIT_OK;
}

static kd_exit deliver(graph_state *st)
{
    kd_text_list named = {kd_arena_array(st->arena, const char *, st->options.prints.n + 1), st->options.prints.n, 0};
    for (unsigned i = 0; i < named.n; i++)
        named.data[i] = kd_arena_printf(st->arena, "%s=shown", st->options.prints.data[i]);
    kd_exit status = straighten(st);
    if (status == KD_EXIT_OK)
        status = for_each_word(st, "--print", &named, print_output);
    if (status == KD_EXIT_OK)
        status = for_each_word(st, "--save", &st->options.saves, save_output);
    return status ? status : for_each_word(st, "--expect", &st->options.expects, compare_output);
}

static kd_exit command_run(graph_state *st)
{
    kd_exit status = make_arrays(st);
    if (status)
        return status;
    unsigned limit = st->options.repeat ? (unsigned)st->options.repeat : st->options.time ? 1000 : 1, n;
    double *times = kd_arena_array(st->arena, double, limit);
    status = run_session(st, times, limit, &n, NULL);
    if (status)
        return status;
    if (st->options.time) {
        kd_cli_sort_times(times, n);
        printf("%s  %s, %u steps\n", kd_executable_is_loaded(st->exe) ? "load   " : "compile",
               kd_cli_time_text(st->arena, st->compile_seconds), kd_executable_n_steps(st->exe));
        printf("run      %s (median of %u; %s to %s)\n", kd_cli_time_text(st->arena, times[n / 2]), n,
               kd_cli_time_text(st->arena, times[0]), kd_cli_time_text(st->arena, times[n - 1]));
        printf("memory   %s between steps\n", kd_cli_bytes_text(st->arena, (double)kd_executable_arena_bytes(st->exe)));
    }
    return deliver(st);
}

/* ---- explain, source, text ---- */

static kd_exit write_report(graph_state *st, const kd_graph_report *report)
{
    kd_failure why = {{0}};
    kd_strbuf page = kd_strbuf_in(st->arena);
    kd_graph_report_html(report, &page);
    kd_str text = {page.ptr, page.len};
    if (kd_file_write(&(kd_file_write_args){.path = st->options.html, .parts = &text, .n_parts = 1}, &why)) {
        kd_cli_error("%s", why.text);
        return KD_EXIT_WORLD;
    }
    printf("%s\n", st->options.html);
    return KD_EXIT_OK;
}

static kd_exit command_explain(graph_state *st)
{
    unsigned n = kd_executable_n_steps(st->exe), n_times;
    uint64_t *step_ns = NULL;
    double unused[3];
    if (st->options.time || st->options.inputs.n >= kd_executable_n_inputs(st->exe)) { /* with all inputs the steps are timed */
        step_ns = kd_arena_array(st->arena, uint64_t, n + 1);
        st->options.invents_inputs = st->options.time;
        kd_exit status = make_arrays(st);
        if (status == KD_EXIT_OK)
            status = run_session(st, unused, 3, &n_times, step_ns);
        if (status)
            return status;
    }
    uint64_t *estimate_ns = kd_arena_array(st->arena, uint64_t, n + 1);
    kd_executable_estimate(st->exe, estimate_ns);
    kd_graph_report report = {.model = st->model, .exe = st->exe, .estimate_ns = estimate_ns, .step_ns = step_ns};
    if (st->options.html)
        return write_report(st, &report);
    if (st->options.nodes)
        kd_graph_report_nodes(st->arena, &report);
    else
        kd_graph_report_steps(st->arena, &report);
    return KD_EXIT_OK;
}

static kd_exit command_source(graph_state *st)
{
    kd_failure why = {{0}};
    if (st->options.out && kd_dir_make(st->options.out, 0777, &why)) {
        kd_cli_error("%s", why.text);
        return KD_EXIT_WORLD;
    }
    for (unsigned i = 0; i < kd_executable_n_steps(st->exe); i++) {
        const kd_step_info *s = kd_executable_step(st->exe, i);
        if (!s->source)
            continue;
        if (!st->options.out) {
            printf("# %s.py\n%s\n", s->name, s->source);
            continue;
        }
        kd_str text = kd_str_of(s->source);
        kd_file_write_args args = {
            .path = kd_arena_printf(st->arena, "%s/%s.py", st->options.out, s->name), .parts = &text, .n_parts = 1};
        if (kd_file_write(&args, &why)) {
            kd_cli_error("%s", why.text);
            return KD_EXIT_WORLD;
        }
        printf("%s\n", args.path);
    }
    return KD_EXIT_OK;
}

/* "models/net.pt2" -> "net.kx". */
static const char *default_output(graph_state *st, const char *model)
{
    const char *slash = strrchr(model, '/'), *name = slash ? slash + 1 : model, *dot = strrchr(name, '.');
    return kd_arena_printf(st->arena, "%.*s.kx", (int)(dot ? dot - name : (ptrdiff_t)strlen(name)), name);
}

static kd_exit command_compile(graph_state *st)
{
    const graph_options *o = &st->options;
    kd_failure why = {{0}};
    kd_graph_options options = options_of(st);
    kd_save_options save = {.embed_weights = o->embed_weights};
    const char *path = o->out ? o->out : default_output(st, st->model);
    kd_status status = kd_graph_compile(st->graph, &options, &st->exe, &why);
    if (status == KD_OK)
        status = kd_executable_save(st->exe, path, &save, &why);
    if (status)
        return fail(status, &why);
    printf("%s\n", path);
    return KD_EXIT_OK;
}

static kd_exit command_text(graph_state *st)
{
    return kd_cli_print_and_free(kd_graph_text(st->graph));
}

/* ---- the command ---- */

enum { RUN = 1, EXPLAIN = 2, SOURCE = 4, COMPILE = 8, TEXT = 16 };

static const struct {
    const char *name;
    unsigned bit;
    kd_exit (*run)(graph_state *st);
    bool needs_executable;
} ACTIONS[] = {{"run", RUN, command_run, true},
               {"explain", EXPLAIN, command_explain, true},
               {"source", SOURCE, command_source, true},
               {"compile", COMPILE, command_compile, false},
               {"text", TEXT, command_text, false}};
enum { N_ACTIONS = sizeof ACTIONS / sizeof *ACTIONS };

/* Options that would have no effect: whoever gives one expects something. */
static kd_exit check_options(const graph_options *o, unsigned action)
{
    const struct {
        const char *name;
        bool is_given;
        unsigned actions; /* that it goes with */
    } rules[] = {{"--save", o->saves.n, RUN},
                 {"--print", o->prints.n, RUN},
                 {"--expect", o->expects.n, RUN},
                 {"--repeat", o->repeat, RUN},
                 {"--time", o->time, RUN | EXPLAIN},
                 {"--html", o->html, EXPLAIN},
                 {"--nodes", o->nodes, EXPLAIN},
                 {"-o", o->out, SOURCE | COMPILE},
                 {"--embed-weights", o->embed_weights, COMPILE},
                 {"--target", o->target, EXPLAIN | SOURCE | COMPILE}};
    for (unsigned i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!rules[i].is_given || rules[i].actions & ACTIONS[action].bit)
            continue;
        char names[64] = ""; /* "explain' and 'source" */
        for (unsigned k = 0; k < N_ACTIONS; k++)
            if (rules[i].actions & ACTIONS[k].bit)
                snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", *names ? "' and '" : "", ACTIONS[k].name);
        kd_cli_error("'%s' goes with 'kdsl graph %s', not with '%s'", rules[i].name, names, ACTIONS[action].name);
        return KD_EXIT_USAGE;
    }
    if (o->target && o->device) {
        kd_cli_error("--target %s stands in place of --device %s: give one of them", o->target, o->device);
        return KD_EXIT_USAGE;
    }
    return KD_EXIT_OK;
}

static kd_exit act(graph_state *st, const kd_text_list *words)
{
    unsigned i = 0;
    while (words->n && i < N_ACTIONS && strcmp(ACTIONS[i].name, words->data[0]) != 0)
        i++;
    if (!words->n || i == N_ACTIONS) {
        kd_cli_error(words->n ? "unknown action '%s': expected run, explain, source, compile or text"
                              : "what to do? Expected run, explain, source, compile or text",
                     words->n ? words->data[0] : "");
        return KD_EXIT_USAGE;
    }
    if (words->n != 2) {
        kd_cli_error(words->n > 2 ? "one file at a time, but '%s' is a second one" : "which file? Expected a .pt2, .json or .kx file",
                     words->n > 2 ? words->data[2] : "");
        return KD_EXIT_USAGE;
    }
    st->model = words->data[1];
    kd_exit made = check_options(&st->options, i);
    if (made == KD_EXIT_OK)
        made = make_given(st);
    if (made)
        return made;
    kd_exit status = ACTIONS[i].needs_executable ? open_executable(st, words->data[1]) : read_graph(st, words->data[1]);
    return status ? status : ACTIONS[i].run(st);
}

static void release(graph_state *st)
{
    kd_session_destroy(st->session);
    for (unsigned k = 0; st->given && k < st->options.inputs.n; k++)
        kd_array_release(&st->given[k].array);
    for (unsigned i = 0; st->inputs && i < kd_executable_n_inputs(st->exe); i++)
        kd_array_release(&st->inputs[i]);
    for (unsigned i = 0; st->outputs && i < kd_executable_n_outputs(st->exe); i++)
        kd_array_release(&st->outputs[i]);
    kd_executable_destroy(st->exe);
    kd_graph_destroy(st->graph);
}

int kd_cli_graph(const kd_command *command, int argc, char **argv)
{
    graph_state st = {.options = {.tolerance = {1e-5, 1e-8}}, .arena = kd_cli_arena_create()};
    graph_options *o = &st.options;
    const kd_option options[] = {
        {"--in", KD_OPTION_LIST, &o->inputs, "NAME=VALUE", "an input: @x.npy, or randn:f32[1,3,224,224]", 0, 0},
        {"--save", KD_OPTION_LIST, &o->saves, "NAME=FILE", "write an output to an .npy file", 0, 0},
        {"--print", KD_OPTION_LIST, &o->prints, "NAME", "show an output", 0, 0},
        {"--expect", KD_OPTION_LIST, &o->expects, "NAME=FILE", "compare an output with a file; exit status 4 where they differ", 0,
         0},
        {"--rtol", KD_OPTION_REAL, &o->tolerance.rtol, "R", "for --expect: relative tolerance (1e-5)", 0, 1e300},
        {"--atol", KD_OPTION_REAL, &o->tolerance.atol, "A", "for --expect: absolute tolerance (1e-8)", 0, 1e300},
        {"--time", KD_OPTION_FLAG, &o->time, NULL,
         "measure: compile time, and runs until 0.5 s are over; for explain: each step, its least time of some runs, inputs may be left out", 0, 0},
        {"--repeat", KD_OPTION_NUMBER, &o->repeat, "N", "run N times", 1, 100000},
        {"-o", KD_OPTION_TEXT, &o->out, "PATH", "for source: a folder for the kernels, a file each; for compile: the .kx file", 0,
         0},
        {"--html", KD_OPTION_TEXT, &o->html, "FILE", "for explain: a page with steps, nodes and kernels", 0, 0},
        {"--nodes", KD_OPTION_FLAG, &o->nodes, NULL, "for explain: each node of the graph, and what became of it", 0, 0},
        {"--embed-weights", KD_OPTION_FLAG, &o->embed_weights, NULL, "for compile: the .kx file holds the weights too", 0, 0},
        {"--device", KD_OPTION_TEXT, &o->device, "NAME", "the device: cpu, level_zero or level_zero:N (cpu, or what a .kx file is for)", 0, 0},
        {"--target", KD_OPTION_TEXT, &o->target, "T", "for explain, source and compile: a kind of GPU, spirv:bmg, in place of a device", 0, 0},
        {"--threads", KD_OPTION_NUMBER, &o->threads, "N", "threads to run on (KDSL_NUM_THREADS, or all processors)", 1, 4096},
        {"--seed", KD_OPTION_NUMBER, &o->seed, "N", "for rand, randn and randint without a seed of their own (0)", 0, 0},
        {"--no-cache", KD_OPTION_FLAG, &o->no_cache, NULL, "compile even where a compiled kernel is in the cache", 0, 0},
        {"--no-fusion", KD_OPTION_FLAG, &o->no_fusion, NULL, "a kernel for each op: slow, for tracking down differences", 0, 0},
    };
    kd_text_list words = {0};
    int status = kd_options_parse(command, options, sizeof options / sizeof *options, argc, argv, st.arena, &words);
    if (status < 0)
        status = act(&st, &words);
    release(&st);
    kd_arena_destroy(st.arena);
    return status;
}
