/* Files in and out: bounds, pipes, atomic replacement, and what a failure leaves behind. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static kd_failure why;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static int make_folder(void **state)
{
    strcpy(folder, "/tmp/kdsl-test-file-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A path in the test's folder; four at a time. */
static const char *in_folder(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static kd_status write_text(const char *path, const char *text)
{
    kd_str part = kd_str_of(text);
    return kd_file_write(&(kd_file_write_args){.path = path, .parts = &part, .n_parts = 1}, &why);
}

static void expect_content(const char *path, const char *text)
{
    char *data;
    size_t n;
    if (kd_file_read(path, 1 << 20, &data, &n, &why))
        fail_msg("%s", why.text);
    assert_int_equal(n, strlen(text));
    assert_string_equal(data, text); /* terminated too */
    free(data);
}

static unsigned count_files(const char *path)
{
    unsigned n = 0;
    DIR *dir = opendir(path);
    for (struct dirent *d; dir && (d = readdir(dir));)
        n += strcmp(d->d_name, ".") && strcmp(d->d_name, "..");
    if (dir)
        closedir(dir);
    return n;
}

static void reads_what_was_written(void **state)
{
    kd_str parts[] = {kd_str_of("one "), {NULL, 0}, kd_str_of("two")};
    const char *path = in_folder("a.txt");
    assert_int_equal(kd_file_write(&(kd_file_write_args){.path = path, .parts = parts, .n_parts = 3, .sync = true}, &why), KD_OK);
    expect_content(path, "one two");
    assert_int_equal(write_text(path, ""), KD_OK);
    expect_content(path, "");
    assert_int_equal(count_files(folder), 1);
}

static void respects_the_limit(void **state)
{
    char *data = NULL;
    size_t n = 0;
    const char *path = in_folder("a.txt");
    write_text(path, "12345");
    assert_int_equal(kd_file_read(path, 5, &data, &n, &why), KD_OK);
    free(data);
    data = NULL;
    assert_int_equal(kd_file_read(path, 4, &data, &n, &why), KD_ERR_UNSUPPORTED);
    assert_non_null(strstr(why.text, "has more than 4 bytes"));
    assert_int_equal(kd_file_read("/dev/zero", 100000, &data, &n, &why), KD_ERR_UNSUPPORTED);
    assert_null(data);
}

static void says_what_is_wrong(void **state)
{
    char *data;
    size_t n;
    assert_int_equal(kd_file_read("/no/such/file", 10, &data, &n, &why), KD_ERR_NOT_FOUND);
    assert_string_equal(why.text, "cannot open '/no/such/file': No such file or directory");
    assert_int_equal(errno, ENOENT);
    assert_int_equal(kd_file_read(folder, 10, &data, &n, &why), KD_ERR_IO);
    assert_non_null(strstr(why.text, "Is a directory"));
    assert_int_equal(errno, EISDIR);
    assert_int_equal(kd_file_read("", 10, &data, &n, NULL), KD_ERR_NOT_FOUND);
    assert_int_equal(write_text("/no/such/folder/file", "x"), KD_ERR_NOT_FOUND);
    assert_string_equal(why.text, "cannot write '/no/such/folder/file': No such file or directory");
    assert_int_equal(write_text(folder, "x"), KD_ERR_IO);
    assert_int_equal(write_text("", "x"), KD_ERR_NOT_FOUND);
    char *longest = calloc(1, PATH_MAX + 10);
    memset(longest, 'a', PATH_MAX + 5);
    assert_int_equal(write_text(longest, "x"), KD_ERR_IO);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_true(strlen(why.text) < sizeof why.text);
    assert_string_equal(why.text + strlen(why.text) - 3, "...");
    free(longest);
}

static void reads_pipes_and_proc(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 3000; i++)
            if (write(fds[1], "0123456789", 10) != 10)
                _exit(1);
        _exit(0);
    }
    close(fds[1]);
    char path[40], *data;
    size_t n;
    snprintf(path, sizeof path, "/dev/fd/%d", fds[0]);
    assert_int_equal(kd_file_read(path, 1 << 20, &data, &n, &why), KD_OK);
    assert_int_equal(n, 30000);
    free(data);
    close(fds[0]);
    waitpid(child, NULL, 0);
    assert_int_equal(kd_file_read("/proc/self/status", 1 << 20, &data, &n, &why), KD_OK); /* says that it has 0 bytes */
    assert_true(n > 100);
    free(data);
}

static void maps(void **state)
{
    kd_mapping m;
    write_text(in_folder("a.txt"), "mapped");
    assert_int_equal(kd_file_map(in_folder("a.txt"), &m, &why), KD_OK);
    assert_int_equal(m.n_bytes, 6);
    assert_memory_equal(m.data, "mapped", 6);
    kd_file_unmap(&m);
    assert_int_equal(m.n_bytes, 0);
    kd_file_unmap(&m);
    write_text(in_folder("empty"), "");
    assert_int_equal(kd_file_map(in_folder("empty"), &m, &why), KD_OK);
    assert_non_null(m.data);
    assert_int_equal(m.n_bytes, 0);
    kd_file_unmap(&m);
    kd_file_unmap(NULL);
    assert_int_equal(kd_file_map(folder, &m, &why), KD_ERR_IO);
    assert_int_equal(kd_file_map("/no/such/file", &m, &why), KD_ERR_NOT_FOUND);
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) ? 0 : st.st_mode & 07777;
}

static void keeps_modes_and_links(void **state)
{
    mode_t old = umask(027);
    write_text(in_folder("a"), "1");
    umask(old);
    assert_int_equal(mode_of(in_folder("a")), 0640);
    assert_int_equal(chmod(in_folder("a"), 0755), 0);
    assert_int_equal(write_text(in_folder("a"), "2"), KD_OK);
    assert_int_equal(mode_of(in_folder("a")), 0755);
    assert_int_equal(symlink("a", in_folder("link")), 0);
    assert_int_equal(write_text(in_folder("link"), "3"), KD_OK);
    expect_content(in_folder("a"), "3");
    struct stat st;
    assert_int_equal(lstat(in_folder("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    kd_str part = kd_str_of("4");
    kd_file_write_args args = {.path = in_folder("link"), .parts = &part, .n_parts = 1, .mode = 0600, .replace = true};
    assert_int_equal(kd_file_write(&args, &why), KD_OK);
    assert_int_equal(lstat(in_folder("link"), &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0600);
    expect_content(in_folder("a"), "3");
}

static void writes_straight_to_what_is_no_file(void **state)
{
    assert_int_equal(write_text("/dev/null", "x"), KD_OK);
    struct stat st;
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode)); /* not replaced */
    int fds[2];
    char path[40], got[4] = "";
    assert_int_equal(pipe(fds), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", fds[1]);
    assert_int_equal(write_text(path, "abc"), KD_OK);
    assert_int_equal(read(fds[0], got, 3), 3);
    assert_string_equal(got, "abc");
    close(fds[0]);
    close(fds[1]);
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(write_text("/dev/full", "x"), KD_ERR_IO);
        assert_int_equal(errno, ENOSPC);
    }
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    write_text(in_folder("a"), "old");
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 16, 1 << 16}); /* as a disk that is full */
        char *large = calloc(1, 1 << 20);
        kd_str part = {large, 1 << 20};
        kd_status status = kd_file_write(&(kd_file_write_args){.path = in_folder("a"), .parts = &part, .n_parts = 1}, &why);
        _exit(status == KD_ERR_IO && strstr(why.text, "cannot write '") ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    expect_content(in_folder("a"), "old");
    assert_int_equal(count_files(folder), 1);
}

static void a_killed_write_leaves_a_whole_file(void **state)
{
    enum { N = 300000 };
    char *text = calloc(1, N);
    const char *path = in_folder("a");
    for (unsigned round = 0; round < 60; round++) {
        pid_t child = fork();
        if (child == 0)
            for (unsigned char c = 1;; c++) {
                memset(text, c ? c : 1, N);
                kd_str part = {text, N};
                kd_file_write(&(kd_file_write_args){.path = path, .parts = &part, .n_parts = 1}, NULL);
            }
        usleep(500 + round * 97 % 3000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        char *data;
        size_t n;
        if (kd_file_read(path, 1 << 20, &data, &n, NULL))
            continue; /* killed before the first */
        assert_int_equal(n, N);
        for (unsigned i = 0; i < N; i++)
            assert_true(data[i] == data[0]);
        free(data);
    }
    free(text);
    assert_true(count_files(folder) <= 10); /* a kill between link and rename is rare; without unnamed files it is not */
}

static void knows_its_temporary_files(void **state)
{
    assert_true(kd_file_is_temp(".kdsl-12-ab.tmp"));
    assert_false(kd_file_is_temp("a.tmp"));
    assert_false(kd_file_is_temp(".kdsl-"));
    assert_false(kd_file_is_temp(".kdsl-.tm"));
}

static void makes_folders(void **state)
{
    assert_int_equal(kd_dir_make(in_folder("x/y/z"), 0700, &why), KD_OK);
    assert_int_equal(kd_dir_make(in_folder("x/y/z"), 0755, &why), KD_OK);
    assert_int_equal(kd_dir_make(in_folder("x/y/w/"), 0700, &why), KD_OK);
    assert_int_equal(mode_of(in_folder("x/y")), 0700);
    write_text(in_folder("file"), "");
    assert_int_equal(kd_dir_make(in_folder("file"), 0700, &why), KD_ERR_IO);
    assert_non_null(strstr(why.text, "something else has that name"));
    assert_int_not_equal(kd_dir_make(in_folder("file/sub"), 0700, &why), KD_OK);
    assert_int_equal(kd_dir_make("/", 0700, &why), KD_OK);
    assert_int_equal(kd_dir_make("", 0700, &why), KD_ERR_NOT_FOUND);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_what_was_written),
        TEST(respects_the_limit),
        TEST(says_what_is_wrong),
        TEST(reads_pipes_and_proc),
        TEST(maps),
        TEST(keeps_modes_and_links),
        TEST(writes_straight_to_what_is_no_file),
        TEST(a_failed_write_leaves_the_old_file),
        TEST(a_killed_write_leaves_a_whole_file),
        TEST(knows_its_temporary_files),
        TEST(makes_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
