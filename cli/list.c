/* list.c - 'kdsl list' and 'kdsl check': what is in kernel files, and what is wrong there. */
#include "cli/common.h"

#include <yyjson.h>

typedef struct list_options {
    kd_common_options common;
    bool json, all;
} list_options;

/* ---- list ---- */

static const char *param_text(kd_arena *arena, const kd_param_info *p)
{
    kd_strbuf text = kd_strbuf_in(arena);
    kd_strbuf_puts(&text, p->name);
    if (p->is_constexpr)
        kd_strbuf_puts(&text, ": constexpr");
    else if (p->type)
        kd_strbuf_printf(&text, ": %s", p->type);
    if (p->default_text)
        kd_strbuf_printf(&text, " = %s", p->default_text);
    return kd_strbuf_text(&text);
}

enum { MAX_COLUMN = 100 };

/* A word of an indented list, on a new line where the line would become too long. Returns the column behind it. */
static unsigned put_word(const char *word, bool more, unsigned column)
{
    unsigned n = (unsigned)strlen(word) + more;
    if (!column || column + 1 + n > MAX_COLUMN) {
        fputs(column ? "\n    " : "    ", stdout);
        column = 4;
    } else {
        putchar(' ');
        column++;
    }
    printf("%s%s", word, more ? "," : "");
    return column + n;
}

static void show_kernel(kd_arena *arena, const kd_kernel_info *k)
{
    bool colored = kd_cli_color(stdout);
    printf("%s%s%s%s  line %u%s\n", colored ? "\033[1m" : "", k->name, colored ? "\033[0m" : "", k->is_kernel ? "" : " (helper)", k->line,
           k->has_other_configs ? ", configs made by Python" : "");
    if (k->doc)
        printf("    %s\n", k->doc);
    unsigned column = 0;
    for (unsigned i = 0; i < k->n_params; i++)
        column = put_word(param_text(arena, &k->params[i]), i + 1 < k->n_params, column);
    putchar('\n');
    for (unsigned i = 0; i < k->n_configs; i++) {
        printf("    config %u ", i);
        for (unsigned v = 0; v < k->configs[i].n; v++)
            printf(" %s=%s", k->configs[i].names[v], k->configs[i].values[v]);
        putchar('\n');
    }
}

static void add_json(yyjson_mut_doc *doc, yyjson_mut_val *list, const char *file, const kd_kernel_info *k)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, list), *params = yyjson_mut_arr(doc), *configs = yyjson_mut_arr(doc);
    yyjson_mut_obj_add_strcpy(doc, o, "file", file);
    yyjson_mut_obj_add_strcpy(doc, o, "name", k->name);
    yyjson_mut_obj_add_uint(doc, o, "line", k->line);
    yyjson_mut_obj_add_bool(doc, o, "is_kernel", k->is_kernel);
    yyjson_mut_obj_add_val(doc, o, "params", params);
    for (unsigned i = 0; i < k->n_params; i++) {
        const kd_param_info *p = &k->params[i];
        yyjson_mut_val *param = yyjson_mut_arr_add_obj(doc, params);
        yyjson_mut_obj_add_strcpy(doc, param, "name", p->name);
        yyjson_mut_obj_add_bool(doc, param, "constexpr", p->is_constexpr);
        if (p->type)
            yyjson_mut_obj_add_strcpy(doc, param, "type", p->type);
        if (p->default_text)
            yyjson_mut_obj_add_strcpy(doc, param, "default", p->default_text);
    }
    yyjson_mut_obj_add_val(doc, o, "configs", configs);
    for (unsigned i = 0; i < k->n_configs; i++) {
        yyjson_mut_val *config = yyjson_mut_arr_add_obj(doc, configs);
        for (unsigned v = 0; v < k->configs[i].n; v++)
            yyjson_mut_obj_add(config, yyjson_mut_strcpy(doc, k->configs[i].names[v]), yyjson_mut_strcpy(doc, k->configs[i].values[v]));
    }
}

static kd_exit list_files(kd_compiler *compiler, const list_options *o, const kd_text_list *words, kd_arena *arena)
{
    yyjson_mut_doc *doc = o->json ? yyjson_mut_doc_new(NULL) : NULL;
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    kd_exit worst = KD_EXIT_OK;
    for (unsigned i = 0; i < words->n; i++) {
        kd_compile_request request = kd_common_request(&o->common, words->data[i], NULL);
        const kd_file_info *info;
        kd_status status = kd_compiler_inspect(compiler, &request, false, &info);
        if (status != KD_OK) {
            kd_exit found = kd_cli_report(compiler, status);
            if (found > worst)
                worst = found;
            continue;
        }
        unsigned shown = 0;
        for (unsigned k = 0; k < info->n_kernels; k++) {
            if (!info->kernels[k].is_kernel && !o->all)
                continue;
            if (!o->json && words->n > 1 && !shown)
                printf("%s%s:\n", i ? "\n" : "", words->data[i]);
            if (!o->json)
                show_kernel(arena, &info->kernels[k]);
            else
                add_json(doc, list, words->data[i], &info->kernels[k]);
            shown++;
        }
        if (!shown && !o->json)
            kd_cli_note("'%s' has no kernels%s", words->data[i], info->n_kernels ? ", only helpers (--all shows them)" : "");
    }
    if (o->json) {
        yyjson_mut_val *root = yyjson_mut_obj(doc);
        yyjson_mut_doc_set_root(doc, root);
        yyjson_mut_obj_add_val(doc, root, "kernels", list);
        kd_exit printed = kd_cli_json_print(doc);
        if (printed != KD_EXIT_OK)
            worst = printed;
    }
    return worst;
}

/* ---- check ---- */

static kd_exit check_files(kd_compiler *compiler, const list_options *o, const kd_text_list *words, kd_arena *arena)
{
    (void)arena;
    kd_exit worst = KD_EXIT_OK;
    unsigned n_functions = 0, n_said = 0;
    for (unsigned i = 0; i < words->n; i++) {
        kd_compile_request request = kd_common_request(&o->common, words->data[i], NULL);
        const kd_file_info *info = NULL;
        kd_status status = kd_compiler_inspect(compiler, &request, true, &info);
        n_said += *kd_compiler_messages(compiler) != 0;
        kd_exit found = kd_cli_report(compiler, status); /* warnings, where it is good */
        if (found > worst)
            worst = found;
        if (status == KD_OK)
            n_functions += info->n_kernels;
    }
    if (!n_said && kd_cli_color(stdout))
        printf("%u %s in %u %s: nothing to report\n", n_functions, n_functions == 1 ? "function" : "functions", words->n,
               words->n == 1 ? "file" : "files");
    return worst;
}

static int on_files(const kd_command *command, int argc, char **argv, bool is_list,
                    kd_exit (*work)(kd_compiler *, const list_options *, const kd_text_list *, kd_arena *))
{
    list_options o = {0};
    kd_arena *arena = kd_cli_arena_create();
    kd_common_options_rows(&o.common, (kd_option[KD_N_COMMON_OPTIONS]){0}); /* defaults */
    const kd_option options[] = {
        {"-I", KD_OPTION_LIST, &o.common.include_dirs, "DIR", "where imports are looked for, beside the file's own folder", 0, 0},
        {"--all", KD_OPTION_FLAG, &o.all, NULL, "helpers too", 0, 0},
        {"--json", KD_OPTION_FLAG, &o.json, NULL, "as JSON", 0, 0},
    };
    kd_text_list words = {0};
    int status = kd_options_parse(command, options, is_list ? 3 : 1, argc, argv, arena, &words);
    if (status < 0) {
        kd_compiler *compiler = NULL;
        if (!words.n) {
            kd_cli_error("which files? Expected FILE ...");
            status = KD_EXIT_USAGE;
        } else if (kd_compiler_create(&(kd_compiler_options){0}, &compiler) != KD_OK) {
            kd_cli_error("out of memory");
            status = KD_EXIT_WORLD;
        } else {
            status = work(compiler, &o, &words, arena);
        }
        kd_compiler_destroy(compiler);
    }
    kd_arena_destroy(arena);
    return status;
}

int kd_cli_list(const kd_command *command, int argc, char **argv)
{
    return on_files(command, argc, argv, true, list_files);
}

int kd_cli_check(const kd_command *command, int argc, char **argv)
{
    return on_files(command, argc, argv, false, check_files);
}
