/* cache.c - 'kdsl cache': what is compiled already. */
#include "base/vec.h"
#include "cli/cli.h"
#include "graph/graph.h"
#include "runtime/cache.h"

#include <stdlib.h>
#include <time.h>
#include <yyjson.h>

typedef struct entries {
    kd_arena *arena;
    KD_VEC(kd_cache_info) list;
} entries;

static void note_entry(void *user, const kd_cache_info *info)
{
    entries *e = user;
    kd_cache_info copy = *info;
    copy.kernel = info->kernel ? kd_arena_strdup(e->arena, info->kernel) : NULL;
    copy.target = info->target ? kd_arena_strdup(e->arena, info->target) : NULL;
    kd_vec_push(e->arena, &e->list, copy);
}

static int latest_first(const void *a, const void *b)
{
    const kd_cache_info *x = a, *y = b;
    return (x->used_at < y->used_at) - (x->used_at > y->used_at);
}

static const char *when_text(kd_arena *arena, int64_t at)
{
    char text[32];
    time_t t = (time_t)at;
    struct tm tm;
    localtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M", &tm);
    return kd_arena_strdup(arena, text);
}

static int list_json(const kd_cache *cache, const entries *e)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc), *list = yyjson_mut_arr(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_strcpy(doc, root, "folder", kd_cache_folder(cache));
    yyjson_mut_obj_add_uint(doc, root, "limit_bytes", kd_cache_limit_bytes(cache));
    unsigned n_graphs;
    uint64_t n_graph_bytes;
    kd_executable_sum_cache(&n_graphs, &n_graph_bytes);
    yyjson_mut_obj_add_uint(doc, root, "graphs", n_graphs);
    yyjson_mut_obj_add_uint(doc, root, "graph_bytes", n_graph_bytes);
    yyjson_mut_obj_add_val(doc, root, "entries", list);
    for (unsigned i = 0; i < e->list.n; i++) {
        const kd_cache_info *info = &e->list.data[i];
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, list);
        char key[33];
        kd_hash_print(info->key, key);
        yyjson_mut_obj_add_strcpy(doc, o, "key", key);
        if (info->kernel)
            yyjson_mut_obj_add_strcpy(doc, o, "kernel", info->kernel);
        if (info->target)
            yyjson_mut_obj_add_strcpy(doc, o, "target", info->target);
        yyjson_mut_obj_add_uint(doc, o, "bytes", info->n_bytes);
        yyjson_mut_obj_add_int(doc, o, "used_at", info->used_at);
    }
    return kd_cli_json_print(doc);
}

static int list_entries(kd_cache *cache, kd_arena *arena, bool json)
{
    entries e = {.arena = arena};
    kd_failure why = {0};
    if (kd_cache_list(cache, note_entry, &e, &why) != KD_OK) {
        kd_cli_error("%s", why.text);
        return KD_EXIT_WORLD;
    }
    if (e.list.n)
        qsort(e.list.data, e.list.n, sizeof *e.list.data, latest_first);
    if (json)
        return list_json(cache, &e);
    uint64_t n_bytes = 0;
    const char *headings[] = {"kernel", "target", ">size", "last used"};
    kd_table *table = kd_table_create(arena, headings, 4);
    for (unsigned i = 0; i < e.list.n; i++) {
        const kd_cache_info *info = &e.list.data[i];
        n_bytes += info->n_bytes;
        kd_table_row(table, (const char *[]){info->kernel ? info->kernel : "(of another version, or damaged)", info->target,
                                             kd_cli_bytes_text(arena, (double)info->n_bytes), when_text(arena, info->used_at)});
    }
    if (e.list.n) {
        kd_table_print(table, stdout);
        putchar('\n');
    }
    printf("%u %s, %s of %s, in %s\n", e.list.n, e.list.n == 1 ? "kernel" : "kernels", kd_cli_bytes_text(arena, (double)n_bytes),
           kd_cli_bytes_text(arena, (double)kd_cache_limit_bytes(cache)), kd_cache_folder(cache));
    unsigned n_graphs;
    kd_executable_sum_cache(&n_graphs, &n_bytes);
    if (n_graphs)
        printf("%u %s, %s of as much again, beside them\n", n_graphs, n_graphs == 1 ? "graph" : "graphs", kd_cli_bytes_text(arena, (double)n_bytes));
    return KD_EXIT_OK;
}

static int clear(kd_cache *cache)
{
    uint64_t n = 0, n_graphs = 0;
    kd_failure why = {0};
    (void)kd_executable_clear_cache(&n_graphs);
    if (kd_cache_clear(cache, &n, &why) != KD_OK) {
        kd_cli_error("%s", why.text);
        return KD_EXIT_WORLD;
    }
    printf("removed %llu %s", (unsigned long long)n, n == 1 ? "kernel" : "kernels");
    if (n_graphs)
        printf(" and %llu %s", (unsigned long long)n_graphs, n_graphs == 1 ? "graph" : "graphs");
    printf("\n");
    return KD_EXIT_OK;
}

static int run(const char *what, bool json, kd_arena *arena)
{
    if (strcmp(what, "list") != 0 && strcmp(what, "clear") != 0 && strcmp(what, "path") != 0) {
        kd_cli_error("'kdsl cache' knows list, clear and path, not '%s'", what);
        return KD_EXIT_USAGE;
    }
    kd_cache *cache;
    kd_failure why = {0};
    kd_status status = kd_cache_open(NULL, &cache, &why);
    if (status != KD_OK) {
        kd_cli_error("%s", why.text);
        return kd_cli_exit_of(status);
    }
    int done = KD_EXIT_OK;
    if (strcmp(what, "list") == 0)
        done = list_entries(cache, arena, json);
    else if (strcmp(what, "clear") == 0)
        done = clear(cache);
    else
        printf("%s\n", kd_cache_folder(cache));
    kd_cache_close(cache);
    return done;
}

int kd_cli_cache(const kd_command *command, int argc, char **argv)
{
    kd_arena *arena = kd_cli_arena_create();
    bool json = false;
    const kd_option options[] = {{"--json", KD_OPTION_FLAG, &json, NULL, "list as JSON", 0, 0}};
    kd_text_list words = {0};
    int status = kd_options_parse(command, options, 1, argc, argv, arena, &words);
    if (status < 0 && words.n > 1) {
        kd_cli_error("one word at a time, but '%s' is a second one", words.data[1]);
        status = KD_EXIT_USAGE;
    } else if (status < 0) {
        status = run(words.n ? words.data[0] : "list", json, arena);
    }
    kd_arena_destroy(arena);
    return status;
}
