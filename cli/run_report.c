/* run_report.c - what 'kdsl run' tells about a run: arrays, differences, times; as text or as JSON. */
#include "base/npy.h"
#include "base/scalar.h"
#include "cli/run_impl.h"

#include <math.h>
#include <yyjson.h>

/* ---- arrays ---- */

/* JSON has no numbers that are not finite: they are text. 64-bit integers keep all their digits. */
static yyjson_mut_val *json_number(yyjson_mut_doc *doc, const kd_array *array, uint64_t i)
{
    double v = kd_array_get(array, i);
    if (array->type == KD_I1)
        return yyjson_mut_bool(doc, v != 0);
    if (array->type == KD_U64)
        return yyjson_mut_uint(doc, ((const uint64_t *)array->data)[i]);
    if (kd_scalar_is_int(array->type))
        return yyjson_mut_sint(doc, array->type == KD_I64 ? ((const int64_t *)array->data)[i] : (int64_t)v);
    if (!isfinite(v))
        return yyjson_mut_str(doc, isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
    return yyjson_mut_real(doc, v);
}

static void print_json(yyjson_mut_doc *doc, yyjson_mut_val *json, const run_arg *arg, const kd_array *array)
{
    yyjson_mut_val *arrays = yyjson_mut_obj_get(json, "arrays");
    if (!arrays)
        arrays = yyjson_mut_obj_add_obj(doc, json, "arrays");
    yyjson_mut_val *o = yyjson_mut_obj_add_obj(doc, arrays, arg->name);
    yyjson_mut_obj_add_str(doc, o, "type", kd_scalar_name(array->type));
    yyjson_mut_val *shape = yyjson_mut_obj_add_arr(doc, o, "shape");
    for (unsigned i = 0; i < array->n_dims; i++)
        yyjson_mut_arr_add_uint(doc, shape, array->shape[i]);
    yyjson_mut_val *values = yyjson_mut_obj_add_arr(doc, o, "values");
    for (uint64_t i = 0; i < array->n_elems; i++)
        yyjson_mut_arr_append(values, json_number(doc, array, i));
}

static void difference_json(yyjson_mut_doc *doc, yyjson_mut_val *json, const run_arg *arg, const kd_array_difference *d)
{
    yyjson_mut_val *list = yyjson_mut_obj_get(json, "expect");
    if (!list)
        list = yyjson_mut_obj_add_arr(doc, json, "expect");
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, list);
    yyjson_mut_obj_add_str(doc, o, "name", arg->name);
    yyjson_mut_obj_add_str(doc, o, "file", arg->expect_path);
    yyjson_mut_obj_add_uint(doc, o, "different", d->n_different);
    if (isfinite(d->max_error))
        yyjson_mut_obj_add_real(doc, o, "max_error", d->max_error);
}

kd_exit run_deliver(run_args *args, kd_tolerance tolerance, yyjson_mut_doc *doc, yyjson_mut_val *json)
{
    kd_exit status = KD_EXIT_OK;
    for (unsigned i = 0; i < args->n; i++) {
        run_arg *arg = &args->data[i];
        const kd_array *array = run_arg_array(arg);
        kd_failure why = {0};
        if (arg->print && json)
            print_json(doc, json, arg, array);
        else if (arg->print)
            kd_array_print(array, arg->name, stdout);
        if (arg->save_path && kd_npy_write(arg->save_path, array->type, array->n_dims, array->shape, array->data, &why) != KD_OK) {
            kd_cli_error("--save %s: %s", arg->name, why.text);
            return KD_EXIT_WORLD;
        }
        kd_array_difference d = {0};
        kd_exit found = arg->expect_path ? kd_array_expect(args->arena, arg->name, array, arg->expect_path, tolerance, &d) : KD_EXIT_OK;
        if (found != KD_EXIT_OK && found != KD_EXIT_DIFFERS)
            return found;
        if (arg->expect_path && json)
            difference_json(doc, json, arg, &d);
        if (found != KD_EXIT_OK)
            status = found;
    }
    return status;
}

/* ---- times ---- */

void run_show_time(kd_arena *arena, const run_result *r)
{
    printf("compile  %s%s\n", kd_cli_time_text(arena, r->compile_seconds), r->from_cache ? " (from the cache)" : "");
    printf("run      %s", kd_cli_time_text(arena, r->median));
    if (r->n_runs > 1)
        printf(" (median of %u; %s to %s)", r->n_runs, kd_cli_time_text(arena, r->low), kd_cli_time_text(arena, r->high));
    putchar('\n');
    if (r->on_gpu)
        printf("driver   %s%s, %s of machine code, sub-groups of %u, %u bytes of SLM, %u bytes spilled%s\n",
               kd_cli_time_text(arena, r->usage.build_seconds), r->usage.from_cache ? " (from the cache)" : "",
               kd_cli_bytes_text(arena, (double)r->usage.native_bytes), r->usage.sub_group_size, r->usage.slm_bytes, r->usage.spill_bytes,
               r->usage.large_registers ? " (with large registers)" : "");
    if (r->n_bytes > 0)
        printf("arrays   %s, %.3g GB/s if each is touched once\n", kd_cli_bytes_text(arena, r->n_bytes), r->n_bytes / r->median * 1e-9);
}

void run_add_json(yyjson_mut_doc *doc, yyjson_mut_val *json, const run_result *r)
{
    yyjson_mut_val *grid = yyjson_mut_obj_add_arr(doc, json, "grid");
    for (unsigned i = 0; i < 3; i++)
        yyjson_mut_arr_add_uint(doc, grid, r->grid[i]);
    yyjson_mut_obj_add_real(doc, json, "compile_s", r->compile_seconds);
    yyjson_mut_obj_add_bool(doc, json, "from_cache", r->from_cache);
    yyjson_mut_obj_add_real(doc, json, "median_s", r->median);
    yyjson_mut_obj_add_real(doc, json, "low_s", r->low);
    yyjson_mut_obj_add_real(doc, json, "high_s", r->high);
    yyjson_mut_obj_add_uint(doc, json, "runs", r->n_runs);
    yyjson_mut_obj_add_uint(doc, json, "array_bytes", (uint64_t)r->n_bytes);
    if (!r->on_gpu)
        return;
    yyjson_mut_obj_add_real(doc, json, "driver_s", r->usage.build_seconds);
    yyjson_mut_obj_add_bool(doc, json, "native_from_cache", r->usage.from_cache);
    yyjson_mut_obj_add_uint(doc, json, "native_bytes", r->usage.native_bytes);
    yyjson_mut_obj_add_uint(doc, json, "sub_group_size", r->usage.sub_group_size);
    yyjson_mut_obj_add_uint(doc, json, "slm_bytes", r->usage.slm_bytes);
    yyjson_mut_obj_add_uint(doc, json, "spill_bytes", r->usage.spill_bytes);
    yyjson_mut_obj_add_bool(doc, json, "large_registers", r->usage.large_registers);
}

/* ---- tuning ---- */

static const char *config_text(kd_arena *arena, const kd_config_info *config)
{
    kd_strbuf text = kd_strbuf_in(arena);
    for (unsigned i = 0; i < config->n; i++)
        kd_strbuf_printf(&text, "%s%s=%s", i ? " " : "", config->names[i], config->values[i]);
    return kd_strbuf_text(&text);
}

static kd_exit tuning_json(const kd_kernel_info *kernel, const run_result *results, const kd_exit *exits, int best)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_str(doc, root, "kernel", kernel->name);
    if (best >= 0)
        yyjson_mut_obj_add_int(doc, root, "best", best);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "configs");
    for (unsigned i = 0; i < kernel->n_configs; i++) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, list), *values = yyjson_mut_obj_add_obj(doc, o, "values");
        for (unsigned v = 0; v < kernel->configs[i].n; v++)
            yyjson_mut_obj_add_str(doc, values, kernel->configs[i].names[v], kernel->configs[i].values[v]);
        yyjson_mut_obj_add_bool(doc, o, "ok", exits[i] == KD_EXIT_OK);
        if (exits[i] == KD_EXIT_OK)
            run_add_json(doc, o, &results[i]);
    }
    kd_exit printed = kd_cli_json_print(doc);
    return printed != KD_EXIT_OK ? printed : best >= 0 ? KD_EXIT_OK : KD_EXIT_KERNEL;
}

kd_exit run_show_tuning(kd_arena *arena, const kd_kernel_info *kernel, const run_result *results, const kd_exit *exits, bool json)
{
    int best = -1;
    for (unsigned i = 0; i < kernel->n_configs; i++)
        if (exits[i] == KD_EXIT_OK && (best < 0 || results[i].median < results[best].median))
            best = (int)i;
    if (json)
        return tuning_json(kernel, results, exits, best);
    const char *headings[] = {">config", "values", ">compile", ">median", ">fastest", ">ratio", ""};
    kd_table *table = kd_table_create(arena, headings, 7);
    for (unsigned i = 0; i < kernel->n_configs; i++) {
        const run_result *r = exits[i] == KD_EXIT_OK ? &results[i] : NULL;
        kd_table_row(table, (const char *[]){kd_arena_printf(arena, "%u", i), config_text(arena, &kernel->configs[i]),
                                             r ? kd_cli_time_text(arena, r->compile_seconds) : NULL,
                                             r ? kd_cli_time_text(arena, r->median) : "failed", r ? kd_cli_time_text(arena, r->low) : NULL,
                                             r ? kd_arena_printf(arena, "%.2f", r->median / results[best].median) : NULL,
                                             (int)i == best ? "best" : NULL});
    }
    kd_table_print(table, stdout);
    return best >= 0 ? KD_EXIT_OK : KD_EXIT_KERNEL;
}
