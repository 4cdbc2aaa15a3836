/* The kernel cache: what is found, what is not, who may write, and how large it gets. */
#include "runtime/cache.h"
#include "runtime/cache_entry.h"
#include "runtime/desc.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], cache_folder[80];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static int make_folder(void **state)
{
    strcpy(folder, "/tmp/kdsl-test-cache-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    snprintf(cache_folder, sizeof cache_folder, "%s/kernels", folder);
    return 0;
}

static int remove_folder(void **state)
{
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static kd_cache *open_cache(uint64_t limit_bytes)
{
    kd_cache *cache = NULL;
    assert_int_equal(kd_cache_open(&(kd_cache_options){.folder = cache_folder, .limit_bytes = limit_bytes}, &cache, NULL), KD_OK);
    return cache;
}

static const kd_kernel_arg ARGS[] = {
    {.name = "x_ptr",
     .is_pointer = true,
     .type = KD_BF16,
     .offset_bytes = 0,
     .size_bytes = 8,
     .divisible_by = 16,
     .is_written = true},
    {.name = "eps", .type = KD_F32, .offset_bytes = 8, .size_bytes = 4, .divisible_by = 1},
    {.name = "flag", .type = KD_I1, .offset_bytes = 12, .size_bytes = 1, .divisible_by = 1},
};
static const kd_kernel_desc DESC = {.name = "softmax_kernel",
                                    .target = "cpu:znver4",
                                    .args = ARGS,
                                    .n_args = 3,
                                    .args_size_bytes = 16,
                                    .scratch_bytes = 12345,
                                    .needs_disjoint = true,
                                    .num_warps = 4,
                                    .num_stages = 3,
                                    .sub_group_size = 16,
                                    .slm_bytes = 4096,
                                    .build_flags = "-cl-intel-256-GRF-per-thread",
                                    .n_messages = 2,
                                    .messages = (const char *const[]){"k.py:3: x must be positive", ""}};

static kd_hash key_of(unsigned n)
{
    kd_hash key = {0, 0};
    kd_hash_add_u64(&key, n);
    return key;
}

static void entry_file(kd_hash key, char out[256])
{
    char digits[33];
    kd_hash_print(key, digits);
    snprintf(out, 256, "%s/%c/%s.kdk", cache_folder, digits[0], digits);
}

static bool has(kd_cache *cache, kd_hash key)
{
    kd_cached_kernel kernel = {0};
    bool found = kd_cache_find(cache, key, &kernel) == KD_OK;
    kd_cached_kernel_release(&kernel);
    return found;
}

static void write_text(const char *path, const char *text)
{
    kd_str part = kd_str_of(text);
    assert_int_equal(kd_file_write(&(kd_file_write_args){.path = path, .parts = &part, .n_parts = 1}, NULL), KD_OK);
}

/* ---- descriptors ---- */

static void descriptors_round_trip(void **state)
{
    unsigned char *bytes;
    size_t n;
    kd_kernel_desc *desc;
    assert_int_equal(kd_kernel_desc_encode(&DESC, &bytes, &n), KD_OK);
    assert_int_equal(kd_kernel_desc_decode(bytes, n, &desc), KD_OK);
    assert_string_equal(desc->name, "softmax_kernel");
    assert_string_equal(desc->target, "cpu:znver4");
    assert_int_equal(desc->scratch_bytes, 12345);
    assert_true(desc->needs_disjoint && desc->num_warps == 4 && desc->num_stages == 3 && desc->n_args == 3 &&
                desc->args_size_bytes == 16);
    assert_true(desc->sub_group_size == 16 && desc->slm_bytes == 4096 && desc->n_messages == 2);
    assert_string_equal(desc->build_flags, DESC.build_flags);
    assert_string_equal(desc->messages[0], DESC.messages[0]);
    assert_string_equal(desc->messages[1], "");
    for (unsigned i = 0; i < 3; i++) {
        assert_string_equal(desc->args[i].name, ARGS[i].name);
        assert_int_equal(desc->args[i].is_pointer, ARGS[i].is_pointer);
        assert_int_equal(desc->args[i].is_written, ARGS[i].is_written);
        assert_int_equal(desc->args[i].type, ARGS[i].type);
        assert_int_equal(desc->args[i].offset_bytes, ARGS[i].offset_bytes);
        assert_int_equal(desc->args[i].size_bytes, ARGS[i].size_bytes);
        assert_int_equal(desc->args[i].divisible_by, ARGS[i].divisible_by);
    }
    free(desc);
    for (size_t cut = 0; cut < n; cut++) { /* every shorter one is refused, and reads nothing past its end */
        unsigned char *copy = malloc(cut ? cut : 1);
        memcpy(copy, bytes, cut);
        assert_int_equal(kd_kernel_desc_decode(copy, cut, &desc), KD_ERR_DAMAGED);
        free(copy);
    }
    for (size_t i = 0; i < n * 8; i++) { /* every flipped bit is refused or harmless */
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        if (kd_kernel_desc_decode(bytes, n, &desc) == KD_OK) {
            assert_int_equal(kd_kernel_desc_check(desc, NULL), KD_OK);
            free(desc);
        }
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    free(bytes);
}

/* ---- finding and storing ---- */

static void finds_what_was_stored(void **state)
{
    kd_cache *cache = open_cache(0);
    kd_cached_kernel kernel;
    kd_failure why = {""};
    assert_int_equal(kd_cache_find(cache, key_of(1), &kernel), KD_ERR_NOT_FOUND);
    assert_int_not_equal(access(cache_folder, F_OK), 0); /* looking makes no folder */
    if (kd_cache_store(cache, key_of(1), &DESC, "code\0code", 9, NULL, 0, &why))
        fail_msg("%s", why.text);
    assert_int_equal(kd_cache_store(cache, key_of(2), &DESC, "", 0, NULL, 0, &why), KD_OK);
    assert_int_equal(kd_cache_find(cache, key_of(1), &kernel), KD_OK);
    assert_int_equal(kernel.n_code_bytes, 9);
    assert_memory_equal(kernel.code, "code\0code", 9);
    assert_string_equal(kernel.desc->args[2].name, "flag");
    kd_cached_kernel_release(&kernel);
    assert_true(has(cache, key_of(2)));
    assert_false(has(cache, key_of(3)));
    assert_int_equal(kd_cache_store(cache, key_of(1), &DESC, "other", 5, NULL, 0, &why), KD_OK);
    assert_int_equal(kd_cache_find(cache, key_of(1), &kernel), KD_OK);
    assert_memory_equal(kernel.code, "other", 5);
    kd_cached_kernel_release(&kernel);
    kd_cached_kernel_release(NULL);
    kd_cache_close(cache);
    kd_cache_close(NULL);
    cache = open_cache(0);
    assert_true(has(cache, key_of(1)));
    kd_cache_close(cache);
}

static void is_private(void **state)
{
    kd_cache *cache = open_cache(0);
    mode_t old = umask(0);
    assert_int_equal(kd_cache_store(cache, key_of(1), &DESC, "code", 4, NULL, 0, NULL), KD_OK);
    umask(old);
    struct stat st;
    char path[256];
    assert_int_equal(stat(cache_folder, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    entry_file(key_of(1), path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    kd_cache_close(cache);
}

static void sees_changed_files(void **state)
{
    char lib[128], missing[128];
    snprintf(lib, sizeof lib, "%s/lib.py", folder);
    snprintf(missing, sizeof missing, "%s/missing.py", folder);
    write_text(lib, "A = 1\n");
    kd_cache *cache = open_cache(0);
    kd_cache_file files[] = {{.path = lib, .exists = true}, {.path = missing, .exists = false}};
    assert_int_equal(kd_hash_file(lib, 1000, &files[0].content, NULL), KD_OK);
    assert_int_equal(kd_cache_store(cache, key_of(1), &DESC, "code", 4, files, 2, NULL), KD_OK);
    assert_true(has(cache, key_of(1)));
    write_text(lib, "A = 2\n");
    assert_false(has(cache, key_of(1)));
    write_text(lib, "A = 1\n");
    assert_true(has(cache, key_of(1)));
    write_text(missing, "");
    assert_false(has(cache, key_of(1)));
    unlink(missing);
    assert_true(has(cache, key_of(1)));
    unlink(lib);
    assert_false(has(cache, key_of(1)));
    files[0].path = "lib.py";
    assert_int_equal(kd_cache_store(cache, key_of(1), &DESC, "code", 4, files, 1, NULL), KD_ERR_ARGUMENT);
    kd_cache_close(cache);
}

/* ---- damage and strangers ---- */

static void damage_is_a_miss(void **state)
{
    kd_cache *cache = open_cache(0);
    char path[256], *bytes;
    size_t n;
    kd_cache_file file = {.path = "/nowhere/a.py", .exists = false};
    assert_int_equal(kd_cache_store(cache, key_of(1), &DESC, "some code", 9, &file, 1, NULL), KD_OK);
    entry_file(key_of(1), path);
    assert_int_equal(kd_file_read(path, 100000, &bytes, &n, NULL), KD_OK);
    for (size_t i = 0; i < n; i++) {
        bytes[i] ^= 0x10;
        FILE *out = fopen(path, "wb");
        fwrite(bytes, 1, n, out);
        fclose(out);
        assert_false(has(cache, key_of(1)));
        bytes[i] ^= 0x10;
    }
    for (size_t cut = 0; cut < n; cut++) {
        assert_int_equal(truncate(path, (off_t)(n - 1 - cut)), 0);
        assert_false(has(cache, key_of(1)));
    }
    assert_int_equal(kd_cache_store(cache, key_of(1), &DESC, "some code", 9, &file, 1, NULL), KD_OK);
    assert_true(has(cache, key_of(1)));
    char other[256]; /* an entry under another's name */
    kd_hash key = key_of(1);
    key.low ^= 1;
    entry_file(key, other);
    assert_int_equal(rename(path, other), 0);
    assert_false(has(cache, key));
    free(bytes);
    kd_cache_close(cache);
}

static void strangers_are_a_miss_and_replaced(void **state)
{
    kd_cache *cache = open_cache(0);
    char path[256], target[128];
    entry_file(key_of(1), path);
    snprintf(target, sizeof target, "%s/target", folder);
    for (unsigned kind = 0; kind < 4; kind++) {
        assert_int_equal(kd_cache_store(cache, key_of(1), &DESC, "code", 4, NULL, 0, NULL), KD_OK);
        assert_true(has(cache, key_of(1)));
        if (kind == 0)
            assert_int_equal(chmod(path, 0666), 0); /* anybody may have written it */
        else if (kind == 1) {
            assert_int_equal(rename(path, target), 0);
            assert_int_equal(symlink(target, path), 0);
        } else if (kind == 2) {
            unlink(path);
            assert_int_equal(mkfifo(path, 0600), 0);
        } else if (geteuid() != 0 || chown(path, 12345, 12345))
            continue; /* needs root */
        assert_false(has(cache, key_of(1)));
    }
    assert_int_equal(kd_cache_store(cache, key_of(1), &DESC, "code", 4, NULL, 0, NULL), KD_OK);
    assert_true(has(cache, key_of(1)));
    kd_cache_close(cache);
}

static void refuses_open_folders(void **state)
{
    kd_cache *cache = NULL;
    kd_failure why;
    kd_cache_options options = {.folder = cache_folder};
    assert_int_equal(mkdir(cache_folder, 0700), 0);
    assert_int_equal(chmod(cache_folder, 0777), 0);
    assert_int_equal(kd_cache_open(&options, &cache, &why), KD_ERR_UNSUPPORTED);
    assert_non_null(strstr(why.text, "other users may write to it"));
    assert_int_equal(chmod(cache_folder, 0700), 0);
    if (geteuid() == 0 && chown(cache_folder, 12345, 12345) == 0) {
        assert_int_equal(kd_cache_open(&options, &cache, &why), KD_ERR_UNSUPPORTED);
        assert_non_null(strstr(why.text, "it belongs to another user"));
    }
    assert_int_equal(rmdir(cache_folder), 0);
    write_text(cache_folder, "");
    assert_int_equal(kd_cache_open(&options, &cache, &why), KD_ERR_UNSUPPORTED);
    assert_int_equal(unlink(cache_folder), 0);
    cache = open_cache(0); /* and where it is opened up later */
    assert_int_equal(mkdir(cache_folder, 0700), 0);
    assert_int_equal(chmod(cache_folder, 0770), 0);
    assert_int_equal(kd_cache_store(cache, key_of(1), &DESC, "code", 4, NULL, 0, &why), KD_ERR_UNSUPPORTED);
    kd_cache_close(cache);
}

static void reads_its_environment(void **state)
{
    kd_cache *cache = NULL;
    kd_failure why;
    static const struct {
        const char *text;
        kd_status status;
        uint64_t bytes;
    } CASES[] = {{"12345", KD_OK, 12345},
                 {"64K", KD_OK, 64 << 10},
                 {"100m", KD_OK, 100 << 20},
                 {"2G", KD_OK, 2ull << 30},
                 {"", KD_OK, 1 << 30},
                 {"0", KD_ERR_UNSUPPORTED, 0},
                 {"many", KD_ERR_ARGUMENT, 0},
                 {"-5", KD_ERR_ARGUMENT, 0},
                 {"5KB", KD_ERR_ARGUMENT, 0},
                 {"99999999999999999999", KD_ERR_ARGUMENT, 0},
                 {"99999999999G", KD_ERR_ARGUMENT, 0}};
    setenv("KDSL_CACHE_DIR", folder, 1);
    for (unsigned i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        setenv("KDSL_CACHE_SIZE", CASES[i].text, 1);
        assert_int_equal(kd_cache_open(NULL, &cache, &why), CASES[i].status);
        if (CASES[i].status == KD_OK) {
            assert_int_equal(kd_cache_limit_bytes(cache), CASES[i].bytes);
            assert_string_equal(kd_cache_folder(cache), cache_folder);
            kd_cache_close(cache);
        }
    }
    unsetenv("KDSL_CACHE_SIZE");
    unsetenv("KDSL_CACHE_DIR");
    const char *home = getenv("HOME"), *xdg = getenv("XDG_CACHE_HOME");
    char *kept_home = home ? strdup(home) : NULL, *kept_xdg = xdg ? strdup(xdg) : NULL;
    unsetenv("HOME");
    unsetenv("XDG_CACHE_HOME");
    assert_int_equal(kd_cache_open(NULL, &cache, &why), KD_ERR_NOT_FOUND);
    setenv("HOME", "/h", 1);
    char *path = kd_cache_dir();
    assert_string_equal(path, "/h/.cache/kdsl");
    free(path);
    setenv("XDG_CACHE_HOME", "/x", 1);
    path = kd_cache_dir();
    assert_string_equal(path, "/x/kdsl");
    free(path);
    setenv("XDG_CACHE_HOME", "relative", 1); /* the XDG rules say to ignore it */
    path = kd_cache_dir();
    assert_string_equal(path, "/h/.cache/kdsl");
    free(path);
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    if (kept_home)
        setenv("HOME", kept_home, 1);
    if (kept_xdg)
        setenv("XDG_CACHE_HOME", kept_xdg, 1);
    free(kept_home);
    free(kept_xdg);
}

static void reports_a_full_path(void **state)
{
    char file[128];
    snprintf(file, sizeof file, "%s/file", folder);
    write_text(file, "");
    strcat(file, "/kernels");
    kd_cache *cache = NULL;
    kd_failure why;
    assert_int_equal(kd_cache_open(&(kd_cache_options){.folder = file}, &cache, &why), KD_OK);
    assert_false(has(cache, key_of(1)));
    assert_int_not_equal(kd_cache_store(cache, key_of(1), &DESC, "code", 4, NULL, 0, &why), KD_OK);
    assert_non_null(strstr(why.text, "cannot make the folder"));
    kd_cache_close(cache);
}

/* ---- size ---- */

static void keeps_its_size(void **state)
{
    enum { LIMIT = 16 * 64 << 10, N = 1200 };
    kd_cache *cache = open_cache(LIMIT);
    static char code[3000];
    uint64_t n_entries, n_bytes;
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(kd_cache_store(cache, key_of(i), &DESC, code, sizeof code, NULL, 0, NULL), KD_OK);
        if (i % 100 == 0) {
            assert_int_equal(kd_cache_size(cache, &n_entries, &n_bytes, NULL), KD_OK);
            assert_true(n_bytes <= LIMIT);
        }
    }
    assert_int_equal(kd_cache_size(cache, &n_entries, &n_bytes, NULL), KD_OK);
    assert_true(n_bytes <= LIMIT && n_bytes > LIMIT / 2);
    assert_int_equal(n_entries * 4096, n_bytes);
    assert_true(has(cache, key_of(N - 1)));
    static char large[80 << 10];
    kd_failure why;
    assert_int_equal(kd_cache_store(cache, key_of(N), &DESC, large, sizeof large, NULL, 0, &why), KD_ERR_UNSUPPORTED);
    kd_cache_close(cache);
}

static void removes_what_was_not_used(void **state)
{
    kd_cache *cache = open_cache(16 * 64 << 10); /* 16 entries a part */
    kd_hash keys[40];
    for (unsigned i = 0; i < 40; i++)
        keys[i] = (kd_hash){.low = i, .high = 7ull << 60};
    char path[256];
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(kd_cache_store(cache, keys[i], &DESC, "code", 4, NULL, 0, NULL), KD_OK);
        entry_file(keys[i], path);
        struct timespec then[2] = {{.tv_sec = 1000000 + i}, {.tv_sec = 1000000 + i}};
        assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
    }
    assert_true(has(cache, keys[3])); /* notes the use */
    for (unsigned i = 10; i < 20; i++)
        assert_int_equal(kd_cache_store(cache, keys[i], &DESC, "code", 4, NULL, 0, NULL), KD_OK);
    assert_true(has(cache, keys[3]));
    assert_false(has(cache, keys[0]));
    assert_false(has(cache, keys[1]));
    assert_true(has(cache, keys[19]));
    kd_cache_close(cache);
}

static void count_info(void *user, const kd_cache_info *info)
{
    unsigned *n = user;
    n[info->kernel ? 0 : 1]++;
    if (info->kernel) {
        assert_string_equal(info->kernel, "softmax_kernel");
        assert_string_equal(info->target, "cpu:znver4");
        assert_int_equal(info->n_bytes, 4096);
    }
}

static void lists_and_clears(void **state)
{
    kd_cache *cache = open_cache(0);
    uint64_t n_entries = 9, n_bytes = 9, n_removed = 9;
    unsigned n[2] = {0, 0};
    assert_int_equal(kd_cache_size(cache, &n_entries, &n_bytes, NULL), KD_OK);
    assert_true(n_entries == 0 && n_bytes == 0);
    assert_int_equal(kd_cache_clear(cache, &n_removed, NULL), KD_OK);
    assert_int_equal(n_removed, 0);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(kd_cache_store(cache, key_of(i), &DESC, "code", 4, NULL, 0, NULL), KD_OK);
    char path[256], mine[256];
    entry_file(key_of(7), path);
    write_text(path, "damaged");
    snprintf(mine, sizeof mine, "%s/3/notes.txt", cache_folder);
    write_text(mine, "not an entry");
    assert_int_equal(kd_cache_list(cache, count_info, n, NULL), KD_OK);
    assert_int_equal(n[0], 49);
    assert_int_equal(n[1], 1);
    assert_int_equal(kd_cache_clear(cache, &n_removed, NULL), KD_OK);
    assert_int_equal(n_removed, 50);
    assert_int_equal(kd_cache_size(cache, &n_entries, &n_bytes, NULL), KD_OK);
    assert_int_equal(n_entries, 0);
    assert_int_equal(access(mine, F_OK), 0);
    kd_cache_close(cache);
}

static void removes_old_temporary_files(void **state)
{
    char old[256], young[256], other[256];
    kd_cache *cache = open_cache(0);
    assert_int_equal(kd_cache_store(cache, key_of(1), &DESC, "code", 4, NULL, 0, NULL), KD_OK);
    kd_cache_close(cache);
    snprintf(old, sizeof old, "%s/tmp/.kdsl-1-1.tmp", cache_folder);
    snprintf(young, sizeof young, "%s/tmp/.kdsl-1-2.tmp", cache_folder);
    snprintf(other, sizeof other, "%s/tmp/other", cache_folder);
    write_text(old, "");
    write_text(young, "");
    write_text(other, "");
    struct timespec then[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
    assert_int_equal(utimensat(AT_FDCWD, old, then, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, other, then, 0), 0);
    cache = open_cache(0);
    assert_int_equal(kd_cache_store(cache, key_of(2), &DESC, "code", 4, NULL, 0, NULL), KD_OK);
    assert_int_not_equal(access(old, F_OK), 0);
    assert_int_equal(access(young, F_OK), 0);
    assert_int_equal(access(other, F_OK), 0);
    kd_cache_close(cache);
}

/* ---- several processes ---- */

enum { N_KEYS = 5, CODE_BYTES = 200000 };

/* Code that says which key it belongs to, everywhere. */
static void fill_code(unsigned char *code, unsigned key, unsigned writer)
{
    for (unsigned i = 0; i < CODE_BYTES; i++)
        code[i] = (unsigned char)(key * 50 + writer);
}

static bool code_is_whole(const kd_cached_kernel *kernel, unsigned key)
{
    const unsigned char *code = kernel->code;
    bool good = kernel->n_code_bytes == CODE_BYTES && code[0] / 50 == key;
    for (unsigned i = 0; good && i < CODE_BYTES; i++)
        good = code[i] == code[0];
    return good;
}

static void store_and_find(unsigned writer, unsigned n_rounds)
{
    kd_cache *cache = NULL;
    unsigned char *code = malloc(CODE_BYTES);
    if (!code || kd_cache_open(&(kd_cache_options){.folder = cache_folder}, &cache, NULL))
        _exit(2);
    for (unsigned i = 0; i < n_rounds; i++) {
        unsigned key = (i + writer) % N_KEYS;
        fill_code(code, key, writer);
        if (kd_cache_store(cache, key_of(key), &DESC, code, CODE_BYTES, NULL, 0, NULL))
            _exit(3);
        kd_cached_kernel kernel;
        if (kd_cache_find(cache, key_of(key), &kernel) || !code_is_whole(&kernel, key))
            _exit(4);
        kd_cached_kernel_release(&kernel);
    }
    _exit(0);
}

static void serves_processes_at_once(void **state)
{
    pid_t children[4];
    for (unsigned i = 0; i < 4; i++)
        if ((children[i] = fork()) == 0)
            store_and_find(i, 60);
    for (unsigned i = 0; i < 4; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static unsigned count_names(const char *path)
{
    DIR *dir = opendir(path);
    unsigned n = 0;
    for (struct dirent *d; dir && (d = readdir(dir));)
        n += d->d_name[0] != '.' || d->d_name[1] == 'k';
    if (dir)
        closedir(dir);
    return n;
}

static void survives_kills(void **state)
{
    kd_cache *cache = open_cache(0);
    char temp[128];
    snprintf(temp, sizeof temp, "%s/tmp", cache_folder);
    for (unsigned round = 0; round < 40; round++) {
        pid_t child = fork();
        if (child == 0)
            store_and_find(round % 4, 1000000);
        usleep(1000 + round * 237 % 4000);
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        for (unsigned key = 0; key < N_KEYS; key++) {
            kd_cached_kernel kernel;
            char path[256];
            entry_file(key_of(key), path);
            if (access(path, F_OK) != 0)
                continue;
            assert_int_equal(kd_cache_find(cache, key_of(key), &kernel), KD_OK); /* whole, whoever wrote it */
            assert_true(code_is_whole(&kernel, key));
            kd_cached_kernel_release(&kernel);
        }
    }
    assert_true(count_names(temp) <= 40); /* where there are unnamed files: 0, or nearly */
    assert_int_equal(kd_cache_store(cache, key_of(0), &DESC, "code", 4, NULL, 0, NULL), KD_OK);
    kd_cache_close(cache);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_round_trip),
        TEST(finds_what_was_stored),
        TEST(is_private),
        TEST(sees_changed_files),
        TEST(damage_is_a_miss),
        TEST(strangers_are_a_miss_and_replaced),
        TEST(refuses_open_folders),
        TEST(reads_its_environment),
        TEST(reports_a_full_path),
        TEST(keeps_its_size),
        TEST(removes_what_was_not_used),
        TEST(lists_and_clears),
        TEST(removes_old_temporary_files),
        TEST(serves_processes_at_once),
        TEST(survives_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
