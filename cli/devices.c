/* devices.c - 'kdsl devices': where kernels can run, and what GPUs can do. */
#include "cli/cli.h"
#include "runtime/runtime.h"

#include <yyjson.h>

enum { MAX_DEVICES = 32 };

static const struct {
    kd_device_feature feature;
    const char *name;
} FEATURES[] = {{KD_FEATURE_F64, "f64"},
                {KD_FEATURE_F16_ATOMICS, "f16 atomics"},
                {KD_FEATURE_F32_ATOMICS, "f32 atomics"},
                {KD_FEATURE_F64_ATOMICS, "f64 atomics"},
                {KD_FEATURE_I64_ATOMICS, "i64 atomics"},
                {KD_FEATURE_DPAS, "DPAS"},
                {KD_FEATURE_BLOCK2D, "2D blocks"}};
enum { N_FEATURES = sizeof FEATURES / sizeof *FEATURES };

static void gpu_json(yyjson_mut_doc *doc, yyjson_mut_val *device, const kd_device_info *info)
{
    yyjson_mut_obj_add_str(doc, device, "architecture", info->ip_version[0] ? info->target : "");
    yyjson_mut_val *version = yyjson_mut_obj_add_arr(doc, device, "ip_version"), *sizes = yyjson_mut_obj_add_arr(doc, device, "sub_group_sizes");
    for (unsigned i = 0; i < 3; i++)
        yyjson_mut_arr_add_uint(doc, version, info->ip_version[i]);
    for (uint32_t size = 8; size <= 32; size *= 2)
        if (info->sub_group_sizes & size)
            yyjson_mut_arr_add_uint(doc, sizes, size);
    yyjson_mut_obj_add_uint(doc, device, "max_work_group", info->max_work_group);
    yyjson_mut_obj_add_uint(doc, device, "slm_bytes", info->slm_bytes);
    yyjson_mut_val *features = yyjson_mut_obj_add_arr(doc, device, "features");
    for (unsigned i = 0; i < N_FEATURES; i++)
        if (info->features & FEATURES[i].feature)
            yyjson_mut_arr_add_str(doc, features, FEATURES[i].name);
    if (info->note[0])
        yyjson_mut_obj_add_str(doc, device, "note", info->note);
}

/* no_gpu: why there is none; NULL: there is one. */
static int devices_json(const kd_device_info *infos, unsigned n, const char *no_gpu)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc), *list = yyjson_mut_arr(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_val(doc, root, "devices", list);
    for (unsigned i = 0; i < n; i++) {
        yyjson_mut_val *device = yyjson_mut_arr_add_obj(doc, list);
        yyjson_mut_obj_add_str(doc, device, "name", infos[i].name);
        yyjson_mut_obj_add_str(doc, device, "description", infos[i].description);
        yyjson_mut_obj_add_str(doc, device, "target", infos[i].target);
        yyjson_mut_obj_add_uint(doc, device, "threads", infos[i].n_threads);
        yyjson_mut_obj_add_uint(doc, device, "memory_bytes", infos[i].memory_bytes);
        if (infos[i].sub_group_sizes)
            gpu_json(doc, device, &infos[i]);
    }
    if (no_gpu)
        yyjson_mut_obj_add_str(doc, root, "no_gpu", no_gpu);
    return kd_cli_json_print(doc);
}

/* "sub-groups of 16, 32; 1024 work-items; 128 KiB SLM; f64, DPAS". */
static const char *abilities(kd_arena *arena, const kd_device_info *info)
{
    kd_strbuf text = kd_strbuf_in(arena);
    if (!info->sub_group_sizes)
        return NULL;
    const char *between = "sub-groups of ";
    for (uint32_t size = 8; size <= 32; size *= 2)
        if (info->sub_group_sizes & size) {
            kd_strbuf_printf(&text, "%s%u", between, size);
            between = ", ";
        }
    kd_strbuf_printf(&text, "; %u work-items; %u KiB SLM", info->max_work_group, info->slm_bytes >> 10);
    between = "; ";
    for (unsigned i = 0; i < N_FEATURES; i++)
        if (info->features & FEATURES[i].feature) {
            kd_strbuf_printf(&text, "%s%s", between, FEATURES[i].name);
            between = ", ";
        }
    return kd_strbuf_text(&text);
}

static int devices_table(kd_arena *arena, const kd_device_info *infos, unsigned n, const char *no_gpu)
{
    const char *headings[] = {"device", "what it is", "target", ">threads", ">memory"};
    kd_table *table = kd_table_create(arena, headings, 5);
    for (unsigned i = 0; i < n; i++)
        kd_table_row(table, (const char *[]){infos[i].name, infos[i].description, infos[i].target, kd_arena_printf(arena, "%u", infos[i].n_threads),
                                             kd_cli_bytes_text(arena, (double)infos[i].memory_bytes)});
    kd_table_print(table, stdout);
    for (unsigned i = 0; i < n; i++) {
        const char *can = abilities(arena, &infos[i]);
        if (can)
            printf("%s has %s\n", infos[i].name, can);
        if (infos[i].note[0])
            printf("%s: %s\n", infos[i].name, infos[i].note);
    }
    if (no_gpu)
        printf("level_zero: %s\n", no_gpu);
    return KD_EXIT_OK;
}

static int show_devices(kd_arena *arena, bool json)
{
    kd_device_info infos[MAX_DEVICES];
    kd_failure why = {0};
    unsigned n_gpus = 0;
    const char *no_gpu = kd_device_list_gpus(NULL, 0, &n_gpus, &why) == KD_OK ? NULL : why.text;
    unsigned n = kd_device_list(infos, MAX_DEVICES);
    n = n < MAX_DEVICES ? n : MAX_DEVICES;
    return json ? devices_json(infos, n, no_gpu) : devices_table(arena, infos, n, no_gpu);
}

int kd_cli_devices(const kd_command *command, int argc, char **argv)
{
    return kd_options_query(command, argc, argv, show_devices);
}
