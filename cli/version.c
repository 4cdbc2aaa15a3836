/* version.c - 'kdsl version'. */
#include "cli/cli.h"
#include "dsl/codegen_open.h"
#include "dsl/kdsl.h"

#include <yyjson.h>

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
    return kd_options_query(command, argc, argv, show_version);
}
