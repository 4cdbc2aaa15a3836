/* translate.c - talks to kdsl-spirv, the program that makes SPIR-V of LLVM's bitcode.
 *
 * The translator ends its process where it meets an error, so it has one of its own. Loading it takes as long as translating a kernel: it is
 * started when a compilation begins and kept for later ones. Each compilation at work has a helper to itself. Where one dies, what it wrote
 * to standard error is the reason given, and the next kernel gets a new one. */
#include "targets/spirv/translate.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_IDLE = 4, MAX_SECONDS = 300 };

typedef struct helper {
    pid_t pid, owner; /* owner: the process that started it; a fork's child must not speak to it */
    int socket, log;  /* log: its standard error */
} helper;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static helper idle[MAX_IDLE];
static unsigned n_idle;

/* ---- starting and ending ---- */

static bool program_path(char path[PATH_MAX])
{
    Dl_info self;
    if (!dladdr((void *)program_path, &self) || !realpath(self.dli_fname, path))
        return false;
    char *slash = strrchr(path, '/');
    if ((size_t)(slash - path) + sizeof "/kdsl-spirv" > PATH_MAX)
        return false;
    strcpy(slash, "/kdsl-spirv");
    return true;
}

static int spawn(const char *path, int socket, int log, pid_t *out_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    char *argv[] = {(char *)path, NULL};
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, socket, 0);
    posix_spawn_file_actions_adddup2(&files, log, 1);
    posix_spawn_file_actions_adddup2(&files, log, 2);
    posix_spawnattr_init(&attributes); /* a group of its own: a ^C at the terminal is for the caller */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int error = posix_spawn(out_pid, path, &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

/* 0, or what went wrong: a number of errno. */
static int start(helper *h)
{
    char path[PATH_MAX];
    int pair[2] = {-1, -1}, log = -1, error = program_path(path) ? 0 : ENOENT;
    if (!error && (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || (log = memfd_create("kdsl-spirv", MFD_CLOEXEC)) < 0))
        error = errno;
    if (!error)
        error = spawn(path, pair[1], log, &h->pid);
    if (pair[1] >= 0)
        close(pair[1]);
    if (!error) {
        h->owner = getpid();
        h->socket = pair[0];
        h->log = log;
        return 0;
    }
    if (pair[0] >= 0)
        close(pair[0]);
    if (log >= 0)
        close(log);
    return error;
}

/* Returns its wait status; 0 where nobody can know. */
static int end(helper *h)
{
    int status = 0;
    close(h->socket);
    close(h->log);
    if (h->owner == getpid())
        while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
            ;
    return status;
}

static int take(helper *out)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    while (!found && n_idle) {
        *out = idle[--n_idle];
        found = out->owner == getpid();
        if (!found)
            end(out);
    }
    pthread_mutex_unlock(&lock);
    return found ? 0 : start(out);
}

static void give(helper *h)
{
    pthread_mutex_lock(&lock);
    bool kept = n_idle < MAX_IDLE;
    if (kept)
        idle[n_idle++] = *h;
    pthread_mutex_unlock(&lock);
    if (!kept)
        end(h);
}

void kd_spirv_translator_start(void)
{
    helper h;
    if (take(&h) == 0) /* else it is said when it matters */
        give(&h);
}

/* When the library goes, or the process ends. */
__attribute__((destructor)) static void end_all(void)
{
    while (n_idle)
        end(&idle[--n_idle]);
}

/* ---- talking ---- */

static bool send_all(int socket, const void *from, size_t n)
{
    const char *at = from;
    while (n) {
        ssize_t put = send(socket, at, n, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        at += put;
        n -= (size_t)put;
    }
    return true;
}

static bool receive_all(int socket, void *to, size_t n)
{
    char *at = to;
    while (n) {
        struct pollfd waiting = {.fd = socket, .events = POLLIN};
        int ready = poll(&waiting, 1, MAX_SECONDS * 1000);
        if (ready < 0 && errno == EINTR)
            continue;
        ssize_t got = ready > 0 ? recv(socket, at, n, 0) : -1;
        if (got < 0 && ready > 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        n -= (size_t)got;
    }
    return true;
}

/* *out_bytes is for free(). */
static bool ask(const helper *h, kd_str bitcode, unsigned flags, uint32_t *out_what, char **out_bytes, size_t *out_n_bytes)
{
    kd_translate_message request = {KD_TRANSLATE_MAGIC, flags, bitcode.len}, answer;
    if (!send_all(h->socket, &request, sizeof request) || !send_all(h->socket, bitcode.ptr, bitcode.len) ||
        !receive_all(h->socket, &answer, sizeof answer) || answer.magic != KD_TRANSLATE_MAGIC)
        return false;
    char *bytes = malloc(answer.n_bytes + 1);
    if (!bytes || !receive_all(h->socket, bytes, answer.n_bytes)) {
        free(bytes);
        return false;
    }
    bytes[answer.n_bytes] = 0;
    *out_what = answer.what;
    *out_bytes = bytes;
    *out_n_bytes = answer.n_bytes;
    return true;
}

static bool give_words(char **out_bytes, size_t *out_n_bytes, const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool give_words(char **out_bytes, size_t *out_n_bytes, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (vasprintf(out_bytes, format, args) < 0)
        *out_bytes = NULL;
    va_end(args);
    *out_n_bytes = *out_bytes ? strlen(*out_bytes) : 0;
    return false;
}

/* What it wrote before it died, and how it ended. */
static bool explain(helper *h, char **out_bytes, size_t *out_n_bytes)
{
    char text[2048];
    kill(h->pid, SIGKILL); /* it may only be stuck */
    ssize_t n = pread(h->log, text, sizeof text, 0);
    int status = end(h);
    bool killed = WIFSIGNALED(status);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    return give_words(out_bytes, out_n_bytes, "the SPIR-V translator %s %d%s%.*s", killed ? "was ended by signal" : "ended with status",
                      killed ? WTERMSIG(status) : WEXITSTATUS(status), n > 0 ? ": " : "", n > 0 ? (int)n : 0, text);
}

static bool wants_validation(void)
{
    const char *asked = getenv("KDSL_SPIRV_VAL");
    return asked && *asked && strcmp(asked, "0") != 0;
}

bool kd_spirv_translate(kd_str bitcode, unsigned flags, char **out_bytes, size_t *out_n_bytes)
{
    helper h;
    uint32_t what;
    if (wants_validation())
        flags |= KD_TRANSLATE_VALIDATE;
    int error = take(&h);
    if (error)
        return give_words(out_bytes, out_n_bytes, "cannot start the SPIR-V translator, kdsl-spirv beside libkdsl-codegen: %s", strerror(error));
    if (!ask(&h, bitcode, flags, &what, out_bytes, out_n_bytes))
        return explain(&h, out_bytes, out_n_bytes);
    give(&h);
    return what == 0;
}
