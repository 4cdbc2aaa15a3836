/* version.c - 'kdsl version' and 'kdsl devices'. */
#include "cli/cli.h"
#include "dsl/codegen_open.h"
#include "dsl/kdsl.h"
#include "runtime/runtime.h"

#include <stdlib.h>
#include <yyjson.h>

int kd_cli_json_print(yyjson_mut_doc *doc)
{
    char *text = yyjson_mut_write(doc, YYJSON_WRITE_PRETTY_TWO_SPACES | YYJSON_WRITE_NEWLINE_AT_END, NULL);
    yyjson_mut_doc_free(doc);
    if (!text) {
        kd_cli_error("out of memory");
        return KD_EXIT_WORLD;
    }
    fputs(text, stdout);
    free(text);
    return KD_EXIT_OK;
}

/* Loads LLVM, which nothing else here needs. */
static int show_version(kd_arena *arena, bool json)
{
    const kd_codegen *codegen = kd_codegen_open(NULL);
    const char *target = codegen ? codegen->target_name("cpu", arena) : NULL;
    if (!json) {
        printf("kdsl %s", kd_version());
        if (codegen)
            printf(" (LLVM %s, %s)", codegen->llvm_version, target);
        putchar('\n');
        return KD_EXIT_OK;
    }
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_str(doc, root, "version", kd_version());
    if (codegen) {
        yyjson_mut_obj_add_str(doc, root, "llvm", codegen->llvm_version);
        yyjson_mut_obj_add_str(doc, root, "target", target);
    }
    return kd_cli_json_print(doc);
}

int kd_cli_version(const kd_command *command, int argc, char **argv)
{
    kd_arena *arena = kd_cli_arena_create();
    bool json = false;
    const kd_option options[] = {{"--json", KD_OPTION_FLAG, &json, NULL, "as JSON", 0, 0}};
    kd_text_list words = {0};
    int status = kd_options_parse(command, options, 1, argc, argv, arena, &words);
    if (status < 0)
        status = kd_options_no_words(command, &words);
    if (status < 0)
        status = show_version(arena, json);
    kd_arena_destroy(arena);
    return status;
}

enum { MAX_DEVICES = 32 };

static int devices_json(const kd_device_info *infos, unsigned n)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc), *list = yyjson_mut_arr(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_val(doc, root, "devices", list);
    for (unsigned i = 0; i < n; i++) {
        yyjson_mut_val *device = yyjson_mut_arr_add_obj(doc, list);
        yyjson_mut_obj_add_str(doc, device, "name", infos[i].name);
        yyjson_mut_obj_add_str(doc, device, "description", infos[i].description);
        yyjson_mut_obj_add_uint(doc, device, "threads", infos[i].n_threads);
        yyjson_mut_obj_add_uint(doc, device, "memory_bytes", infos[i].memory_bytes);
    }
    return kd_cli_json_print(doc);
}

int kd_cli_devices(const kd_command *command, int argc, char **argv)
{
    kd_arena *arena = kd_cli_arena_create();
    bool json = false;
    const kd_option options[] = {{"--json", KD_OPTION_FLAG, &json, NULL, "as JSON", 0, 0}};
    kd_text_list words = {0};
    int status = kd_options_parse(command, options, 1, argc, argv, arena, &words);
    if (status < 0)
        status = kd_options_no_words(command, &words);
    if (status < 0) {
        kd_device_info infos[MAX_DEVICES];
        unsigned n = kd_device_list(infos, MAX_DEVICES);
        status = KD_EXIT_OK;
        if (json) {
            status = devices_json(infos, n);
        } else {
            const char *headings[] = {"device", "what it is", ">threads", ">memory"};
            kd_table *table = kd_table_create(arena, headings, 4);
            for (unsigned i = 0; i < n; i++)
                kd_table_row(table, (const char *[]){infos[i].name, infos[i].description, kd_arena_printf(arena, "%u", infos[i].n_threads),
                                                     kd_cli_bytes_text(arena, (double)infos[i].memory_bytes)});
            kd_table_print(table, stdout);
            if (kd_cli_color(stdout))
                printf("\nGPUs through Level Zero are not supported yet.\n");
        }
    }
    kd_arena_destroy(arena);
    return status;
}
