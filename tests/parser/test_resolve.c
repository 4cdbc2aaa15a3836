/* Where the modules that a file imports are found. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "parser/parser.h"
#include "parser/resolve.h"

typedef struct fixture {
    kd_arena *arena;
    kd_diags *diags;
    kd_file_resolver *resolver;
    char folder[64]; /* a temporary one, with the files of create_files */
} fixture;

static kd_str builtin_text(kd_str dotted)
{
    if (kd_str_is(dotted, "triton.language"))
        return kd_str_of("from .standard import cdiv\n");
    if (kd_str_is(dotted, "triton.standard"))
        return kd_str_of("def cdiv(x, y): return (x + y - 1) // y\n");
    return (kd_str){0};
}

static const char *path_in(fixture *f, const char *name)
{
    return kd_arena_printf(f->arena, "%s/%s", f->folder, name);
}

static void create_file(fixture *f, const char *name, const char *text)
{
    const char *path = path_in(f, name);
    char *folder = kd_arena_strdup(f->arena, path);
    *strrchr(folder, '/') = '\0';
    kd_str part = kd_str_of(text);
    assert_int_equal(kd_dir_make(folder, 0777, NULL), KD_OK);
    assert_int_equal(kd_file_write(&(kd_file_write_args){.path = path, .parts = &part, .n_parts = 1}, NULL), KD_OK);
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->arena = kd_arena_create(NULL);
    f->diags = kd_diags_create(f->arena);
    strcpy(f->folder, "/tmp/kdsl-resolve-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    create_file(f, "pkg/__init__.py", "top = 1\n");
    create_file(f, "pkg/utils.py", "from .ops import kernel\n");
    create_file(f, "pkg/ops/__init__.py", "from ..utils import x\n");
    create_file(f, "pkg/ops/kernel.py", "import pkg.utils\n");
    create_file(f, "pkg/ops/helper.py", "h = 1\n");
    create_file(f, "pkg/both.py", "file = 1\n");
    create_file(f, "pkg/both/__init__.py", "folder = 1\n");
    create_file(f, "space/deep/kernel.py", "import space.other\n");
    create_file(f, "space/other.py", "o = 1\n");
    create_file(f, "include/lib/inner.py", "i = 1\n");
    create_file(f, "loose.py", "l = 1\n");
    const char **dirs = kd_arena_array(f->arena, const char *, 2);
    dirs[0] = path_in(f, "nowhere");
    dirs[1] = path_in(f, "include/");
    f->resolver = kd_file_resolver_create(f->arena, f->diags, dirs, 2, builtin_text);
    *state = f;
    return 0;
}

static int remove_tree(fixture *f, const char *folder)
{
    return system(kd_arena_printf(f->arena, "rm -rf '%s'", folder));
}

static int tear_down(void **state)
{
    fixture *f = *state;
    remove_tree(f, f->folder);
    kd_arena_destroy(f->arena);
    free(f);
    return 0;
}

static kd_module_ast *opened(fixture *f, const char *name)
{
    kd_module_ast *module = NULL;
    kd_failure why = {0};
    kd_status status = kd_file_resolver_open(f->resolver, path_in(f, name), &module, &why);
    if (status != KD_OK)
        fail_msg("%s", why.text);
    return module;
}

/* The path that an import means, without the temporary folder; "" where there is none. */
static const char *found(fixture *f, const kd_module_ast *importer, unsigned level, const char *name)
{
    kd_resolver *resolver = kd_file_resolver_interface(f->resolver);
    kd_module_ast *module = resolver->find_module(resolver, importer, level, kd_str_of(name));
    if (!module)
        return "";
    size_t n = strlen(f->folder);
    return strncmp(module->path, f->folder, n) == 0 ? module->path + n + 1 : module->path;
}

static void relative_names_start_in_the_files_folder(void **state)
{
    fixture *f = *state;
    kd_module_ast *kernel = opened(f, "pkg/ops/kernel.py"), *init = opened(f, "pkg/ops/__init__.py");
    assert_string_equal(found(f, kernel, 1, "helper"), "pkg/ops/helper.py");
    assert_string_equal(found(f, kernel, 1, ""), "pkg/ops/__init__.py");
    assert_string_equal(found(f, kernel, 2, "utils"), "pkg/utils.py");
    assert_string_equal(found(f, kernel, 2, "ops.helper"), "pkg/ops/helper.py");
    assert_string_equal(found(f, kernel, 2, ""), "pkg/__init__.py");
    assert_string_equal(found(f, init, 1, "kernel"), "pkg/ops/kernel.py");
    assert_string_equal(found(f, init, 2, "utils"), "pkg/utils.py");
    assert_string_equal(found(f, kernel, 1, "utils"), "");
    assert_string_equal(found(f, kernel, 100, "utils"), "");
    assert_string_equal(found(f, kernel, 1000000000, "utils"), "");
}

static void absolute_names_start_at_the_packages_root(void **state)
{
    fixture *f = *state;
    kd_module_ast *kernel = opened(f, "pkg/ops/kernel.py");
    assert_string_equal(found(f, kernel, 0, "pkg.utils"), "pkg/utils.py");
    assert_string_equal(found(f, kernel, 0, "pkg"), "pkg/__init__.py");
    assert_string_equal(found(f, kernel, 0, "helper"), "pkg/ops/helper.py");
    assert_string_equal(found(f, kernel, 0, "loose"), "loose.py");
    assert_string_equal(found(f, kernel, 0, "space.other"), "space/other.py");
    assert_string_equal(found(f, kernel, 0, "torch"), "");
}

static void a_folder_without_init_counts_by_its_name(void **state)
{
    fixture *f = *state;
    kd_module_ast *kernel = opened(f, "space/deep/kernel.py");
    assert_string_equal(found(f, kernel, 0, "space.other"), "space/other.py");
    assert_string_equal(found(f, kernel, 0, "loose"), "");
}

static void a_package_goes_before_a_file(void **state)
{
    fixture *f = *state;
    assert_string_equal(found(f, opened(f, "pkg/utils.py"), 1, "both"), "pkg/both/__init__.py");
}

static void include_folders_come_last(void **state)
{
    fixture *f = *state;
    assert_string_equal(found(f, opened(f, "loose.py"), 0, "lib.inner"), "include/lib/inner.py");
    assert_string_equal(found(f, NULL, 0, "lib.inner"), "include/lib/inner.py");
    assert_string_equal(found(f, NULL, 1, "lib"), "");
    assert_string_equal(found(f, NULL, 0, ""), "");
}

static void built_in_modules_come_first(void **state)
{
    fixture *f = *state;
    create_file(f, "triton/language/__init__.py", "mine = 1\n");
    kd_module_ast *loose = opened(f, "loose.py");
    assert_string_equal(found(f, loose, 0, "triton.language"), "<triton.language>");
    kd_resolver *resolver = kd_file_resolver_interface(f->resolver);
    kd_module_ast *language = resolver->find_module(resolver, loose, 0, kd_str_of("triton.language"));
    assert_ptr_equal(language, resolver->find_module(resolver, NULL, 0, kd_str_of("triton.language")));
    assert_string_equal(found(f, language, 1, "standard"), "<triton.standard>");
    assert_string_equal(found(f, language, 2, "triton.standard"), "<triton.standard>");
    assert_string_equal(found(f, language, 3, "loose"), "");
    assert_string_equal(found(f, language, 0, "loose"), "");
    assert_int_equal(kd_file_resolver_n_files(f->resolver), 1);
}

static void paths_may_be_relative(void **state)
{
    fixture *f = *state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(path_in(f, "space/deep")), 0);
    kd_module_ast *module = NULL;
    assert_int_equal(kd_file_resolver_open(f->resolver, "kernel.py", &module, NULL), KD_OK);
    const char *other = found(f, module, 0, "space.other"), *up = found(f, module, 2, "other");
    assert_int_equal(chdir(before), 0);
    assert_string_equal(other, "../../space/other.py");
    assert_string_equal(up, "../../space/other.py"); /* the same file: read once */
    assert_int_equal(kd_file_resolver_n_files(f->resolver), 2);
}

static void files_are_read_once(void **state)
{
    fixture *f = *state;
    kd_module_ast *kernel = opened(f, "pkg/ops/kernel.py");
    assert_ptr_equal(kernel, opened(f, "pkg/ops/kernel.py"));
    assert_ptr_equal(kernel, opened(f, "pkg/../pkg/ops/kernel.py"));
    assert_string_equal(found(f, kernel, 2, "ops.kernel"), "pkg/ops/kernel.py");
    assert_int_equal(kd_file_resolver_n_files(f->resolver), 1);
    assert_string_equal(kd_file_resolver_file(f->resolver, 0)->path, path_in(f, "pkg/ops/kernel.py"));
}

static void misses_are_noted_once(void **state)
{
    fixture *f = *state;
    kd_module_ast *loose = opened(f, "loose.py");
    for (unsigned i = 0; i < 2; i++)
        assert_string_equal(found(f, loose, 1, "x.y"), "");
    assert_int_equal(kd_file_resolver_n_misses(f->resolver), 2);
    assert_string_equal(kd_file_resolver_miss(f->resolver, 0), path_in(f, "x/y/__init__.py"));
    assert_string_equal(kd_file_resolver_miss(f->resolver, 1), path_in(f, "x/y.py"));
}

static void what_cannot_be_read_has_a_reason(void **state)
{
    fixture *f = *state;
    kd_module_ast *module = NULL;
    kd_failure why = {0};
    assert_int_equal(kd_file_resolver_open(f->resolver, path_in(f, "none.py"), &module, &why), KD_ERR_NOT_FOUND);
    assert_non_null(strstr(why.text, "none.py': No such file"));
    assert_int_equal(kd_file_resolver_open(f->resolver, f->folder, &module, &why), KD_ERR_IO);
    assert_non_null(strstr(why.text, "Is a directory"));
    create_file(f, "huge.py", "");
    assert_int_equal(truncate(path_in(f, "huge.py"), KD_MAX_SOURCE_BYTES + 1), 0);
    assert_int_equal(kd_file_resolver_open(f->resolver, path_in(f, "huge.py"), &module, &why), KD_ERR_UNSUPPORTED);
    assert_null(module);
    kd_module_ast *loose = opened(f, "loose.py");
    assert_string_equal(found(f, loose, 0, "huge"), "");
    assert_string_equal(found(f, loose, 0, "huge"), "");
    assert_int_equal(kd_diags_n_errors(f->diags), 1);
    assert_non_null(strstr(kd_diags_first(f->diags)->message, "huge.py' has more than 16777216 bytes"));
    assert_int_equal(mkdir(path_in(f, "folder.py"), 0777), 0);
    assert_string_equal(found(f, loose, 0, "folder"), "");
    assert_int_equal(kd_diags_n_errors(f->diags), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(relative_names_start_in_the_files_folder),
        CASE(absolute_names_start_at_the_packages_root),
        CASE(a_folder_without_init_counts_by_its_name),
        CASE(a_package_goes_before_a_file),
        CASE(include_folders_come_last),
        CASE(built_in_modules_come_first),
        CASE(paths_may_be_relative),
        CASE(files_are_read_once),
        CASE(misses_are_noted_once),
        CASE(what_cannot_be_read_has_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
