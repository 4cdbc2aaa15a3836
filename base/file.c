/* file.c - whole files in, whole files out.
 *
 * kd_file_write gathers the bytes in a file without a name (O_TMPFILE) and links it in when it is complete, so that a killed
 * process leaves nothing behind. A link cannot replace a file: there, the link gets a temporary name first and is renamed, which
 * leaves a name behind only if the kill comes between these two calls. Where the file system has no unnamed files the temporary
 * name is there from the beginning. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int open_retry(const char *path, int flags, unsigned mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, (mode_t)mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static void close_keeping_errno(int fd)
{
    int saved = errno;
    close(fd);
    errno = saved;
}

static kd_status too_large(kd_failure *out_why, const char *path, size_t limit_bytes)
{
    errno = EFBIG;
    return kd_fail(out_why, KD_ERR_UNSUPPORTED, "'%s' has more than %zu bytes, the limit for such a file", path, limit_bytes);
}

static kd_status read_all(int fd, const char *path, size_t limit_bytes, char **out_data, size_t *out_n_bytes, kd_failure *out_why)
{
    struct stat st;
    if (fstat(fd, &st))
        return kd_fail_errno(out_why, "cannot read '%s'", path);
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return kd_fail_errno(out_why, "cannot read '%s'", path);
    }
    if (S_ISREG(st.st_mode) && (uintmax_t)st.st_size > limit_bytes)
        return too_large(out_why, path, limit_bytes);
    /* One byte more than the size says: a read that returns 0 then tells the end. Files in /proc claim to be empty. */
    size_t capacity = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size + 1 : 4096, n = 0;
    char *data = malloc(capacity);
    while (data) {
        ssize_t got = read(fd, data + n, capacity - n);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            kd_status status = kd_fail_errno(out_why, "cannot read '%s'", path);
            free(data);
            return status;
        }
        if (got == 0) {
            data[n] = '\0'; /* n < capacity, else the read asked for 0 bytes */
            *out_data = data;
            *out_n_bytes = n;
            return KD_OK;
        }
        n += (size_t)got;
        if (n > limit_bytes) {
            free(data);
            return too_large(out_why, path, limit_bytes);
        }
        if (n == capacity) {
            char *grown = capacity <= SIZE_MAX / 2 ? realloc(data, capacity * 2) : NULL;
            if (!grown)
                free(data);
            data = grown;
            capacity *= 2;
        }
    }
    errno = ENOMEM;
    return kd_fail(out_why, KD_ERR_MEMORY, "no memory to read '%s'", path);
}

kd_status kd_file_read(const char *path, size_t limit_bytes, char **out_data, size_t *out_n_bytes, kd_failure *out_why)
{
    int fd = open_retry(path, O_RDONLY, 0);
    if (fd < 0)
        return kd_fail_errno(out_why, "cannot open '%s'", path);
    kd_status status = read_all(fd, path, limit_bytes, out_data, out_n_bytes, out_why);
    close_keeping_errno(fd);
    return status;
}

kd_status kd_file_map(const char *path, kd_mapping *out, kd_failure *out_why)
{
    int fd = open_retry(path, O_RDONLY, 0);
    if (fd < 0)
        return kd_fail_errno(out_why, "cannot open '%s'", path);
    struct stat st;
    kd_mapping mapping = {"", 0};
    kd_status status = KD_OK;
    if (fstat(fd, &st))
        status = kd_fail_errno(out_why, "cannot map '%s'", path);
    else if (!S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        status = kd_fail(out_why, KD_ERR_IO, "cannot map '%s': it is not a regular file", path);
    } else if (st.st_size > 0) { /* an empty mapping is not allowed */
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            status = kd_fail_errno(out_why, "cannot map '%s'", path);
        else
            mapping = (kd_mapping){data, (size_t)st.st_size};
    }
    close_keeping_errno(fd);
    if (!status)
        *out = mapping;
    return status;
}

void kd_mapping_release(const kd_mapping *mapping, const void *data, size_t n_bytes)
{
    uintptr_t begin = (uintptr_t)mapping->data, first = (uintptr_t)data, page = (uintptr_t)sysconf(_SC_PAGESIZE);
    if (first < begin || first - begin >= mapping->n_bytes || n_bytes > mapping->n_bytes - (first - begin))
        return;
    size_t n_before = first % page; /* neighbours on the same pages go too: they come back as well */
    (void)madvise((char *)(uintptr_t)data - n_before, n_bytes + n_before, MADV_DONTNEED);
}

void kd_file_unmap(kd_mapping *mapping)
{
    if (mapping && mapping->n_bytes)
        munmap((void *)mapping->data, mapping->n_bytes);
    if (mapping)
        *mapping = (kd_mapping){"", 0};
}

static bool write_parts(int fd, const kd_file_write_args *args)
{
    for (unsigned i = 0; i < args->n_parts; i++) {
        const char *p = args->parts[i].ptr;
        for (size_t left = args->parts[i].len; left;) {
            ssize_t done = write(fd, p, left < 1u << 30 ? left : 1u << 30);
            if (done < 0 && errno == EINTR)
                continue;
            if (done < 0)
                return false;
            p += done;
            left -= (size_t)done;
        }
    }
    return true;
}

#define TEMP_PREFIX ".kdsl-"
#define TEMP_SUFFIX ".tmp"

bool kd_file_is_temp(const char *name)
{
    size_t n = strlen(name), prefix = strlen(TEMP_PREFIX), suffix = strlen(TEMP_SUFFIX);
    return n > prefix + suffix && !strncmp(name, TEMP_PREFIX, prefix) && !strcmp(name + n - suffix, TEMP_SUFFIX);
}

/* A fresh name in the folder. */
static bool temp_name(char *out, size_t n_out, const char *folder)
{
    uint64_t salt;
    if (getrandom(&salt, sizeof salt, GRND_NONBLOCK) != (ssize_t)sizeof salt) { /* early in boot: O_EXCL finds collisions */
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        salt = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u ^ (uint64_t)getpid();
    }
    int n = snprintf(out, n_out, "%s/" TEMP_PREFIX "%d-%016llx" TEMP_SUFFIX, folder, (int)getpid(), (unsigned long long)salt);
    if (n > 0 && (size_t)n < n_out)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

/* A file in the making: unnamed (name is empty) or under a temporary name. */
typedef struct draft {
    int fd;
    char name[PATH_MAX];
} draft;

static bool draft_open(draft *d, const char *folder, unsigned mode)
{
    d->name[0] = '\0';
    bool can_link = access("/proc/self/fd", X_OK) == 0; /* linking an unnamed file goes through it */
    d->fd = can_link ? open_retry(folder, O_TMPFILE | O_WRONLY, mode) : -1;
    if (d->fd >= 0)
        return true;
    if (can_link && (errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == EROFS))
        return false; /* a named file would fail alike */
    for (int tries = 0; tries < 16; tries++) {
        if (!temp_name(d->name, sizeof d->name, folder))
            break;
        d->fd = open_retry(d->name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode);
        if (d->fd >= 0)
            return true;
        if (errno != EEXIST)
            break;
    }
    d->name[0] = '\0';
    return false;
}

static bool link_unnamed(int fd, const char *name)
{
    char self[40];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0;
}

/* Gives the draft its final name. */
static bool draft_publish(draft *d, const char *path, const char *folder)
{
    if (!d->name[0]) {
        if (link_unnamed(d->fd, path))
            return true;
        if (errno != EEXIST)
            return false;
        if (!temp_name(d->name, sizeof d->name, folder))
            return false;
        if (!link_unnamed(d->fd, d->name)) {
            d->name[0] = '\0';
            return false;
        }
    }
    if (rename(d->name, path))
        return false;
    d->name[0] = '\0';
    return true;
}

static void draft_close(draft *d)
{
    int saved = errno;
    if (d->name[0])
        unlink(d->name);
    if (d->fd >= 0)
        close(d->fd);
    errno = saved;
}

static kd_status write_straight(const kd_file_write_args *args, kd_failure *out_why)
{
    int fd = open_retry(args->path, O_WRONLY, 0);
    if (fd < 0)
        return kd_fail_errno(out_why, "cannot write '%s'", args->path);
    bool good = write_parts(fd, args);
    kd_status status = good ? KD_OK : kd_fail_errno(out_why, "cannot write '%s'", args->path);
    close_keeping_errno(fd);
    return status;
}

/* The folder of a path: "." for a bare name, "/" for a name in the root. */
static void folder_of(char *out, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (!slash)
        strcpy(out, ".");
    else if (!n)
        strcpy(out, "/");
    else {
        memcpy(out, path, n);
        out[n] = '\0';
    }
}

/* The names /proc/self/fd/N and /dev/stdout lead to must be opened, not replaced, so only real symbolic links to regular files
 * and to nothing are followed by name. Returns false where path stands for something that is written straight to. */
static bool resolve_target(const char *path, char out[PATH_MAX], struct stat *st, bool *exists)
{
    *exists = stat(path, st) == 0;
    if (*exists && !S_ISREG(st->st_mode))
        return false;
    char resolved[PATH_MAX];
    if (*exists && realpath(path, resolved)) {
        struct stat there;
        if (stat(resolved, &there) || there.st_ino != st->st_ino || there.st_dev != st->st_dev)
            return false; /* /dev/stdout on a file that was deleted */
        strcpy(out, resolved);
        return true;
    }
    size_t n = strlen(path);
    if (n >= PATH_MAX)
        n = PATH_MAX - 1; /* the open that follows fails with ENAMETOOLONG or ENOENT */
    memcpy(out, path, n);
    out[n] = '\0';
    return true;
}

kd_status kd_file_write(const kd_file_write_args *args, kd_failure *out_why)
{
    struct stat st;
    bool exists;
    char target[PATH_MAX], folder[PATH_MAX];
    size_t length = strlen(args->path);
    if (length == 0 || length >= PATH_MAX) {
        errno = length ? ENAMETOOLONG : ENOENT;
        return kd_fail_errno(out_why, "cannot write '%s'", args->path);
    }
    if (args->replace) {
        memcpy(target, args->path, length + 1);
        exists = false;
    } else if (!resolve_target(args->path, target, &st, &exists))
        return write_straight(args, out_why);
    if (exists && faccessat(AT_FDCWD, target, W_OK, AT_EACCESS)) /* renaming would not ask */
        return kd_fail_errno(out_why, "cannot write '%s'", args->path);
    folder_of(folder, target);
    draft d;
    const char *temp_dir = args->temp_dir ? args->temp_dir : folder;
    if (!draft_open(&d, temp_dir, args->mode ? args->mode : 0666))
        return kd_fail_errno(out_why, "cannot write '%s'", args->path);
    bool good = write_parts(d.fd, args) && (!exists || fchmod(d.fd, st.st_mode & 07777) == 0) &&
                (!args->sync || fsync(d.fd) == 0) && draft_publish(&d, target, temp_dir);
    kd_status status = good ? KD_OK : kd_fail_errno(out_why, "cannot write '%s'", args->path);
    draft_close(&d);
    if (good && args->sync) { /* the name too; a file system that cannot sync folders is no failure */
        int fd = open_retry(folder, O_RDONLY | O_DIRECTORY, 0);
        if (fd >= 0) {
            fsync(fd);
            close(fd);
        }
    }
    return status;
}

kd_status kd_dir_make(const char *path, unsigned mode, kd_failure *out_why)
{
    size_t n = strlen(path);
    if (n == 0 || n >= PATH_MAX) {
        errno = n ? ENAMETOOLONG : ENOENT;
        return kd_fail_errno(out_why, "cannot make the folder '%s'", path);
    }
    char part[PATH_MAX];
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char saved = part[i];
        part[i] = '\0';
        if (mkdir(part, (mode_t)mode) && errno != EEXIST && !(errno == EROFS && access(part, F_OK) == 0))
            return kd_fail_errno(out_why, "cannot make the folder '%s'", part);
        part[i] = saved;
    }
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return KD_OK;
    errno = ENOTDIR;
    return kd_fail(out_why, KD_ERR_IO, "cannot make the folder '%s': something else has that name", path);
}

char *kd_cache_dir(void)
{
    static const struct {
        const char *variable, *below;
    } PLACES[] = {{"KDSL_CACHE_DIR", ""}, {"XDG_CACHE_HOME", "/kdsl"}, {"HOME", "/.cache/kdsl"}};
    for (unsigned i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        const char *value = getenv(PLACES[i].variable);
        if (!value || !value[0] || (i > 0 && value[0] != '/')) /* the XDG rules: ignore a relative path */
            continue;
        size_t n = strlen(value) + strlen(PLACES[i].below) + 1;
        char *path = malloc(n);
        if (path)
            snprintf(path, n, "%s%s", value, PLACES[i].below);
        return path;
    }
    return NULL;
}
