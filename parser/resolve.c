/* resolve.c - finds the files that import statements mean. */
#include "parser/resolve.h"

#include "base/bug.h"
#include "base/file.h"
#include "base/map.h"
#include "base/vec.h"
#include "parser/parser.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_PARENTS = 64 };

struct kd_file_resolver {
    kd_resolver interface; /* first, so that one pointer is both */
    kd_arena *arena;
    kd_diags *diags;
    const char *const *include_dirs;
    unsigned n_include_dirs;
    kd_str (*find_builtin)(kd_str dotted_name);
    kd_map builtins;      /* dotted name -> kd_module_ast */
    kd_map builtin_names; /* kd_module_ast -> its dotted name, a C string */
    kd_map by_path;       /* -> kd_module_ast, or NO_FILE */
    kd_map by_identity;   /* "device:inode" -> kd_module_ast */
    KD_VEC(const kd_source *) files;
    KD_VEC(const char *) misses;
};

static char no_file;
#define NO_FILE ((void *)&no_file)

static kd_module_ast *parse_text(kd_file_resolver *r, const char *path, kd_str text)
{
    return kd_parse_module(r->arena, r->diags, kd_source_add(r->diags, path, text));
}

/* ---- Files ---- */

/* The module of a file that stat has seen. */
static kd_status read_module(kd_file_resolver *r, const char *path, const struct stat *st, kd_module_ast **out, kd_failure *out_why)
{
    const char *identity = kd_arena_printf(r->arena, "%llx:%llx", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
    kd_module_ast *module = kd_map_get(&r->by_identity, kd_str_of(identity));
    if (!module) {
        char *data;
        size_t n_bytes;
        kd_status status = kd_file_read(path, KD_MAX_SOURCE_BYTES, &data, &n_bytes, out_why);
        if (status != KD_OK)
            return status;
        kd_str text = {kd_arena_strndup(r->arena, data, n_bytes), n_bytes};
        free(data);
        module = parse_text(r, path, text);
        kd_vec_push(r->arena, &r->files, kd_source_get(r->diags, module->source));
        *kd_map_at(&r->by_identity, kd_str_of(identity)) = module;
    }
    *kd_map_at(&r->by_path, kd_str_of(kd_arena_strdup(r->arena, path))) = module;
    *out = module;
    return KD_OK;
}

kd_status kd_file_resolver_open(kd_file_resolver *r, const char *path, kd_module_ast **out, kd_failure *out_why)
{
    kd_module_ast *known = kd_map_get(&r->by_path, kd_str_of(path));
    if (known && (void *)known != NO_FILE) {
        *out = known;
        return KD_OK;
    }
    struct stat st;
    if (stat(path, &st))
        return kd_fail_errno(out_why, "cannot open '%s'", path);
    return read_module(r, path, &st, out, out_why);
}

/* Whether a regular file is there; a place without one is noted. */
static bool find_file(kd_file_resolver *r, const char *path, struct stat *out_st)
{
    if (kd_map_get(&r->by_path, kd_str_of(path)) == NO_FILE)
        return false;
    if (stat(path, out_st) == 0 && S_ISREG(out_st->st_mode))
        return true;
    const char *copy = kd_arena_strdup(r->arena, path);
    *kd_map_at(&r->by_path, kd_str_of(copy)) = NO_FILE;
    kd_vec_push(r->arena, &r->misses, copy);
    return false;
}

/* The module of a file, NULL where there is none, or it cannot be read (reported, once). */
static kd_module_ast *try_file(kd_file_resolver *r, const char *path)
{
    kd_module_ast *module = kd_map_get(&r->by_path, kd_str_of(path));
    if (module)
        return (void *)module == NO_FILE ? NULL : module;
    struct stat st;
    kd_failure why;
    if (!find_file(r, path, &st) || read_module(r, path, &st, &module, &why) == KD_OK)
        return module;
    kd_error(r->diags, KD_NO_LOC, "%s", why.text);
    *kd_map_at(&r->by_path, kd_str_of(kd_arena_strdup(r->arena, path))) = NO_FILE;
    return NULL;
}

/* ---- Folders ---- */

/* "." for a file without a folder in its path. */
static const char *folder_of(kd_file_resolver *r, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    return kd_arena_strndup(r->arena, path, slash == path ? 1 : (size_t)(slash - path));
}

/* NULL above the root. */
static const char *parent_of(kd_file_resolver *r, const char *folder)
{
    const char *slash = strrchr(folder, '/'), *last = slash ? slash + 1 : folder;
    if (strcmp(folder, "/") == 0)
        return NULL;
    if (strcmp(folder, ".") == 0)
        return "..";
    if (strcmp(last, ".") == 0 || strcmp(last, "..") == 0 || !*last)
        return kd_arena_printf(r->arena, "%s/..", folder);
    if (!slash)
        return ".";
    return folder_of(r, folder);
}

/* Whether a folder bears this name; dots in its path are resolved. */
static bool is_called(const char *folder, kd_str name)
{
    char real[PATH_MAX];
    const char *slash = strrchr(folder, '/'), *last = slash ? slash + 1 : folder;
    if (*last && *last != '.')
        return kd_str_is(name, last);
    if (!realpath(folder, real))
        return false;
    slash = strrchr(real, '/');
    return slash && kd_str_is(name, slash + 1);
}

/* folder/a/b/__init__.py or folder/a/b.py; folder/__init__.py for an empty name. */
static kd_module_ast *try_folder(kd_file_resolver *r, const char *folder, kd_str dotted)
{
    kd_strbuf path = kd_strbuf_in(r->arena);
    if (strcmp(folder, ".") != 0)
        kd_strbuf_puts(&path, folder);
    for (size_t begin = 0, end; begin < dotted.len; begin = end + 1) {
        for (end = begin; end < dotted.len && dotted.ptr[end] != '.';)
            end++;
        if (path.len && path.ptr[path.len - 1] != '/')
            kd_strbuf_puts(&path, "/");
        kd_strbuf_append(&path, dotted.ptr + begin, end - begin);
    }
    if (path.len >= PATH_MAX)
        return NULL;
    bool has_slash = path.len == 0 || path.ptr[path.len - 1] == '/';
    kd_module_ast *module = try_file(r, kd_arena_printf(r->arena, "%s%s__init__.py", kd_strbuf_text(&path), has_slash ? "" : "/"));
    if (!module && dotted.len)
        module = try_file(r, kd_arena_printf(r->arena, "%s.py", kd_strbuf_text(&path)));
    return module;
}

static bool is_package(kd_file_resolver *r, const char *folder)
{
    struct stat st;
    bool has_slash = folder[strlen(folder) - 1] == '/';
    return find_file(
        r, strcmp(folder, ".") == 0 ? "__init__.py" : kd_arena_printf(r->arena, "%s%s__init__.py", folder, has_slash ? "" : "/"),
        &st);
}

/* From the importing file's folder upwards. */
static kd_module_ast *find_above(kd_file_resolver *r, const char *folder, kd_str dotted)
{
    kd_str first = dotted;
    const char *dot = memchr(dotted.ptr, '.', dotted.len);
    if (dot)
        first.len = (size_t)(dot - dotted.ptr);
    kd_module_ast *module = try_folder(r, folder, dotted);
    bool in_package = true;
    for (unsigned i = 0; !module && i < MAX_PARENTS; i++) {
        const char *parent = parent_of(r, folder);
        if (!parent)
            break;
        in_package = in_package && is_package(r, folder);
        if (in_package || is_called(folder, first))
            module = try_folder(r, parent, dotted);
        folder = parent;
    }
    return module;
}

/* ---- Names ---- */

static kd_module_ast *find_builtin(kd_file_resolver *r, kd_str dotted)
{
    kd_module_ast *module = kd_map_get(&r->builtins, dotted);
    kd_str text = module || !r->find_builtin ? (kd_str){0} : r->find_builtin(dotted);
    if (module || text.len == 0)
        return module;
    const char *name = kd_arena_strndup(r->arena, dotted.ptr, dotted.len);
    module = parse_text(r, kd_arena_printf(r->arena, "<%s>", name), text);
    *kd_map_at(&r->builtins, kd_str_of(name)) = module;
    *kd_map_at_ptr(&r->builtin_names, module) = (void *)name;
    return module;
}

/* A dotted name without its last n parts, NULL where it has fewer. */
static const char *drop_parts(kd_file_resolver *r, const char *dotted, unsigned n)
{
    size_t len = strlen(dotted);
    for (; n && len; n--)
        while (len && dotted[--len] != '.')
            ;
    return n ? NULL : kd_arena_strndup(r->arena, dotted, len);
}

/* The built-in module that a built-in one means: 'from .x' in a.b is a.x where a.b is a file, and a.b.x where it is a folder. */
static kd_module_ast *find_builtin_relative(kd_file_resolver *r, const char *importer, unsigned level, kd_str dotted)
{
    kd_module_ast *module = NULL;
    for (unsigned i = 0; !module && i < 2; i++) {
        const char *package = drop_parts(r, importer, level - i);
        if (package)
            module = find_builtin(r, kd_str_of(kd_arena_printf(r->arena, "%s%s%.*s", package, *package && dotted.len ? "." : "",
                                                               KD_STR_ARG(dotted))));
    }
    return module;
}

static kd_module_ast *find_module(kd_resolver *interface, const kd_module_ast *importer, unsigned level, kd_str dotted)
{
    kd_file_resolver *r = (kd_file_resolver *)interface;
    const char *builtin_importer = importer ? kd_map_get_ptr(&r->builtin_names, importer) : NULL;
    if (level && builtin_importer)
        return find_builtin_relative(r, builtin_importer, level, dotted);
    if (level) {
        const char *folder = importer ? folder_of(r, importer->path) : NULL;
        for (unsigned i = 1; i < level && folder; i++)
            folder = i < MAX_PARENTS ? parent_of(r, folder) : NULL;
        return folder ? try_folder(r, folder, dotted) : NULL;
    }
    if (dotted.len == 0)
        return NULL;
    kd_module_ast *module = find_builtin(r, dotted);
    if (!module && importer && !builtin_importer)
        module = find_above(r, folder_of(r, importer->path), dotted);
    for (unsigned i = 0; !module && i < r->n_include_dirs; i++)
        if (r->include_dirs[i][0])
            module = try_folder(r, r->include_dirs[i], dotted);
    return module;
}

kd_file_resolver *kd_file_resolver_create(kd_arena *arena, kd_diags *diags, const char *const *include_dirs,
                                          unsigned n_include_dirs, kd_str (*find_builtin_text)(kd_str dotted_name))
{
    kd_file_resolver *r = kd_arena_new(arena, kd_file_resolver);
    r->interface.find_module = find_module;
    r->arena = arena;
    r->diags = diags;
    r->include_dirs = include_dirs;
    r->n_include_dirs = n_include_dirs;
    r->find_builtin = find_builtin_text;
    r->builtins = r->builtin_names = r->by_path = r->by_identity = kd_map_in(arena);
    return r;
}

kd_resolver *kd_file_resolver_interface(kd_file_resolver *r)
{
    return &r->interface;
}

unsigned kd_file_resolver_n_files(const kd_file_resolver *r)
{
    return r->files.n;
}

const kd_source *kd_file_resolver_file(const kd_file_resolver *r, unsigned i)
{
    KD_ASSERT(i < r->files.n);
    return r->files.data[i];
}

unsigned kd_file_resolver_n_misses(const kd_file_resolver *r)
{
    return r->misses.n;
}

const char *kd_file_resolver_miss(const kd_file_resolver *r, unsigned i)
{
    KD_ASSERT(i < r->misses.n);
    return r->misses.data[i];
}
