/* cache.c - a folder of entries.
 *
 *     kernels/0 ... kernels/f     entries, by the first digit of their key: KEY.kdk
 *     kernels/f/size              what the entries of that part take, roughly (the stores since the last count are added up)
 *     kernels/tmp                 files in the making, where the file system has no unnamed files
 *
 * Each part may take a sixteenth of the cache's limit. When a store passes that, the part is counted again and its entries that
 * were not used for longest go, until a fifth of its room is free: the work is bounded by one part, and comes once in many stores.
 * An entry's time of modification is its last use. */
#include "runtime/cache.h"
#include "runtime/cache_entry.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    N_PARTS = 16,
    KEY_DIGITS = 32,
    TOUCH_AFTER_S = 60,      /* a last use is noted when the noted one is older */
    OLD_TEMP_S = 3600,       /* a temporary file of that age has no writer any more */
    COUNT_AGAIN_AFTER = 256, /* stores: the sum drifts, since processes that find it locked do not wait */
    DISK_BLOCK_BYTES = 4096,
};
#define DEFAULT_LIMIT_BYTES ((uint64_t)1 << 30)
#define MAX_SOURCE_BYTES ((size_t)64 << 20)
#define ENTRY_SUFFIX ".kdk"

struct kd_cache {
    char *folder;
    uint64_t limit_bytes;
    _Atomic bool is_clean; /* old temporary files were looked for */
};

/* ---- opening ---- */

/* "512", "64K", "100M", "2G". */
static bool parse_size(const char *text, uint64_t *out)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    unsigned shift = *end == 'K' || *end == 'k' ? 10 : *end == 'M' || *end == 'm' ? 20 : *end == 'G' || *end == 'g' ? 30 : 0;
    if (errno || end[shift > 0] || n > UINT64_MAX >> shift)
        return false;
    *out = n << shift;
    return true;
}

static kd_status choose_limit(const kd_cache_options *options, uint64_t *out, kd_failure *out_why)
{
    const char *wanted = getenv("KDSL_CACHE_SIZE");
    *out = DEFAULT_LIMIT_BYTES;
    if (options && options->limit_bytes) {
        *out = options->limit_bytes;
    } else if (wanted && wanted[0]) {
        if (!parse_size(wanted, out))
            return kd_fail(out_why, KD_ERR_ARGUMENT, "KDSL_CACHE_SIZE is '%s'; expected a number of bytes, or one with K, M or G",
                           wanted);
        if (*out == 0)
            return kd_fail(out_why, KD_ERR_UNSUPPORTED, "KDSL_CACHE_SIZE is 0: no cache is wanted");
    }
    return KD_OK;
}

static char *join(const char *folder, const char *name)
{
    size_t n = strlen(folder) + strlen(name) + 2;
    char *path = malloc(n);
    if (path)
        snprintf(path, n, "%s/%s", folder, name);
    return path;
}

static kd_status choose_folder(const kd_cache_options *options, char **out, kd_failure *out_why)
{
    char *parent = options && options->folder ? NULL : kd_cache_dir();
    if (!parent && !(options && options->folder))
        return kd_fail(out_why, KD_ERR_NOT_FOUND, "there is no place for a cache: neither KDSL_CACHE_DIR nor HOME is set");
    *out = parent ? join(parent, "kernels") : strdup(options->folder);
    free(parent);
    return *out ? KD_OK : kd_fail(out_why, KD_ERR_MEMORY, "no memory for the cache");
}

/* Others must not be able to put code into the folder. Good where it does not exist. */
static kd_status check_owner(const char *folder, kd_failure *out_why)
{
    struct stat st;
    if (lstat(folder, &st))
        return errno == ENOENT || errno == ENOTDIR ? KD_OK : kd_fail_errno(out_why, "cannot use the cache '%s'", folder);
    if (!S_ISDIR(st.st_mode))
        return kd_fail(out_why, KD_ERR_UNSUPPORTED, "cannot use the cache '%s': it is not a folder", folder);
    if (st.st_uid != geteuid())
        return kd_fail(out_why, KD_ERR_UNSUPPORTED, "cannot use the cache '%s': it belongs to another user", folder);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return kd_fail(out_why, KD_ERR_UNSUPPORTED, "cannot use the cache '%s': other users may write to it", folder);
    return KD_OK;
}

kd_status kd_cache_open(const kd_cache_options *options, kd_cache **out_cache, kd_failure *out_why)
{
    kd_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return kd_fail(out_why, KD_ERR_MEMORY, "no memory for the cache");
    kd_status status = choose_limit(options, &cache->limit_bytes, out_why);
    if (!status)
        status = choose_folder(options, &cache->folder, out_why);
    if (!status)
        status = check_owner(cache->folder, out_why);
    if (status)
        kd_cache_close(cache);
    else
        *out_cache = cache;
    return status;
}

void kd_cache_close(kd_cache *cache)
{
    if (!cache)
        return;
    free(cache->folder);
    free(cache);
}

const char *kd_cache_folder(const kd_cache *cache)
{
    return cache->folder;
}

uint64_t kd_cache_limit_bytes(const kd_cache *cache)
{
    return cache->limit_bytes;
}

/* ---- names ---- */

static bool part_path(const kd_cache *cache, unsigned part, const char *name, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/%x%s%s", cache->folder, part, name[0] ? "/" : "", name);
    return n > 0 && n < PATH_MAX;
}

static unsigned part_of(kd_hash key)
{
    return (unsigned)(key.high >> 60);
}

static bool entry_path(const kd_cache *cache, kd_hash key, char out[PATH_MAX])
{
    char name[KEY_DIGITS + sizeof ENTRY_SUFFIX];
    kd_hash_print(key, name);
    strcpy(name + KEY_DIGITS, ENTRY_SUFFIX);
    return part_path(cache, part_of(key), name, out);
}

/* Whether a file of a part is an entry, and of which key. */
static bool is_entry(const char *name, kd_hash *out_key)
{
    if (strlen(name) != KEY_DIGITS + strlen(ENTRY_SUFFIX) || strcmp(name + KEY_DIGITS, ENTRY_SUFFIX) != 0)
        return false;
    uint64_t words[2] = {0, 0};
    for (unsigned i = 0; i < KEY_DIGITS; i++) {
        char c = name[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        words[i / 16] = words[i / 16] << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *out_key = (kd_hash){.low = words[1], .high = words[0]};
    return true;
}

static uint64_t bytes_on_disk(uint64_t n_bytes)
{
    return (n_bytes + DISK_BLOCK_BYTES - 1) / DISK_BLOCK_BYTES * DISK_BLOCK_BYTES;
}

/* ---- finding ---- */

/* The bytes of a file that is ours alone. */
static kd_status read_own_file(const char *path, unsigned char **out_bytes, size_t *out_n_bytes, struct stat *out_st, int *out_fd)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); /* neither links nor pipes */
    if (fd < 0)
        return KD_ERR_NOT_FOUND;
    kd_status status = KD_ERR_NOT_FOUND;
    unsigned char *bytes = NULL;
    size_t n = 0;
    if (fstat(fd, out_st) == 0 && S_ISREG(out_st->st_mode) && out_st->st_uid == geteuid() &&
        !(out_st->st_mode & (S_IWGRP | S_IWOTH)) && out_st->st_size >= KD_ENTRY_HEADER_BYTES &&
        (uint64_t)out_st->st_size <= KD_ENTRY_MAX_BYTES) {
        bytes = malloc((size_t)out_st->st_size);
        status = bytes ? KD_OK : KD_ERR_MEMORY;
    }
    while (!status && n < (size_t)out_st->st_size) {
        ssize_t got = read(fd, bytes + n, (size_t)out_st->st_size - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            status = KD_ERR_NOT_FOUND;
        else
            n += (size_t)got;
    }
    if (status) {
        free(bytes);
        close(fd);
        return status;
    }
    *out_bytes = bytes;
    *out_n_bytes = n;
    *out_fd = fd;
    return KD_OK;
}

/* Whether the files that the compiler read are as they were. */
static bool files_are_unchanged(const kd_entry *entry)
{
    const unsigned char *at = entry->files;
    for (unsigned i = 0; i < entry->n_files; i++) {
        kd_entry_file file = kd_entry_next_file(&at);
        char path[PATH_MAX];
        if (file.path_bytes >= sizeof path)
            return false;
        memcpy(path, file.path, file.path_bytes);
        path[file.path_bytes] = '\0';
        if (!file.exists) {
            struct stat st;
            if (stat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR))
                return false;
        } else {
            kd_hash now;
            if (kd_hash_file(path, MAX_SOURCE_BYTES, &now, NULL) || !kd_hash_equal(now, file.content))
                return false;
        }
    }
    return true;
}

static void note_use(int fd, const struct stat *st)
{
    if (time(NULL) - st->st_mtime >= TOUCH_AFTER_S)
        futimens(fd, (const struct timespec[2]){{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}});
}

kd_status kd_cache_find(kd_cache *cache, kd_hash key, kd_cached_kernel *out)
{
    char path[PATH_MAX];
    unsigned char *bytes;
    size_t n_bytes;
    struct stat st;
    int fd;
    if (!entry_path(cache, key, path))
        return KD_ERR_NOT_FOUND;
    kd_status status = read_own_file(path, &bytes, &n_bytes, &st, &fd);
    if (status)
        return status;
    kd_entry entry;
    status = kd_entry_decode(bytes, n_bytes, &key, &entry);
    if (!status && !files_are_unchanged(&entry)) {
        free(entry.desc);
        status = KD_ERR_NOT_FOUND;
    }
    if (!status)
        note_use(fd, &st);
    close(fd);
    if (status) {
        free(bytes);
        return status == KD_ERR_DAMAGED ? KD_ERR_NOT_FOUND : status;
    }
    *out = (kd_cached_kernel){.desc = entry.desc, .code = entry.code, .n_code_bytes = entry.n_code_bytes, .owner = bytes};
    return KD_OK;
}

void kd_cached_kernel_release(kd_cached_kernel *kernel)
{
    if (!kernel)
        return;
    free((void *)kernel->desc);
    free(kernel->owner);
    *kernel = (kd_cached_kernel){0};
}

/* ---- for the compiler ---- */

static kd_status find_in(void *self, kd_hash key, kd_cached_kernel *out)
{
    return kd_cache_find(self, key, out);
}

static kd_status keep_in(void *self, kd_hash key, const kd_kernel_desc *desc, const void *code, size_t n_code_bytes, const kd_cache_file *files,
                         unsigned n_files)
{
    return kd_cache_store(self, key, desc, code, n_code_bytes, files, n_files, NULL);
}

kd_kernel_store kd_cache_as_store(kd_cache *cache)
{
    return (kd_kernel_store){cache, find_in, kd_cached_kernel_release, keep_in};
}

/* ---- keeping the size ---- */

typedef struct found {
    char name[KEY_DIGITS + sizeof ENTRY_SUFFIX];
    struct timespec used_at;
    uint64_t n_bytes;
} found;

typedef struct inventory {
    found *entries;
    size_t n, capacity;
    uint64_t n_bytes;
} inventory;

static bool inventory_add(inventory *list, const char *name, const struct stat *st)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 256;
        found *grown = reallocarray(list->entries, capacity, sizeof *grown);
        if (!grown)
            return false;
        list->entries = grown;
        list->capacity = capacity;
    }
    found *f = &list->entries[list->n++];
    strcpy(f->name, name);
    f->used_at = st->st_mtim;
    f->n_bytes = bytes_on_disk((uint64_t)st->st_size);
    list->n_bytes += f->n_bytes;
    return true;
}

static int by_last_use(const void *a, const void *b)
{
    const found *x = a, *y = b;
    if (x->used_at.tv_sec != y->used_at.tv_sec)
        return x->used_at.tv_sec < y->used_at.tv_sec ? -1 : 1;
    return x->used_at.tv_nsec < y->used_at.tv_nsec ? -1 : x->used_at.tv_nsec > y->used_at.tv_nsec;
}

/* The entries of a part. False: no memory, or the part cannot be read. */
static bool take_inventory(DIR *dir, inventory *list)
{
    for (struct dirent *d; (d = readdir(dir));) {
        struct stat st;
        kd_hash key;
        if (is_entry(d->d_name, &key) && fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            !inventory_add(list, d->d_name, &st))
            return false;
    }
    return true;
}

/* Counts the part, and removes its oldest entries where they are more than limit_bytes. Returns what they take now. */
static uint64_t trim_part(const char *path, uint64_t limit_bytes)
{
    DIR *dir = opendir(path);
    inventory list = {0};
    if (dir && take_inventory(dir, &list) && list.n_bytes > limit_bytes) {
        qsort(list.entries, list.n, sizeof *list.entries, by_last_use);
        for (size_t i = 0; i < list.n && list.n_bytes > limit_bytes - limit_bytes / 5; i++)
            if (unlinkat(dirfd(dir), list.entries[i].name, 0) == 0 || errno == ENOENT)
                list.n_bytes -= list.entries[i].n_bytes;
    }
    if (dir)
        closedir(dir);
    free(list.entries);
    return list.n_bytes;
}

typedef struct part_sum {
    uint64_t n_bytes, n_stores; /* stores since the part was counted */
    uint64_t check;             /* n_bytes ^ n_stores ^ SUM_CHECK */
} part_sum;
#define SUM_CHECK 0x6b64736c2d73756dull

/* Adds a new entry to the part's sum, and makes room where that is too much. Another process that holds the sum is not waited for.
 */
static void account(kd_cache *cache, unsigned part, uint64_t n_bytes)
{
    char path[PATH_MAX], folder[PATH_MAX];
    if (!part_path(cache, part, "size", path) || !part_path(cache, part, "", folder))
        return;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        part_sum sum;
        uint64_t limit = cache->limit_bytes / N_PARTS;
        bool known = pread(fd, &sum, sizeof sum, 0) == (ssize_t)sizeof sum && sum.check == (sum.n_bytes ^ sum.n_stores ^ SUM_CHECK);
        if (known) {
            sum.n_bytes += bytes_on_disk(n_bytes);
            sum.n_stores++;
        }
        if (!known || sum.n_bytes > limit || sum.n_stores > COUNT_AGAIN_AFTER)
            sum = (part_sum){.n_bytes = trim_part(folder, limit)};
        sum.check = sum.n_bytes ^ sum.n_stores ^ SUM_CHECK;
        if (pwrite(fd, &sum, sizeof sum, 0) != (ssize_t)sizeof sum && ftruncate(fd, 0)) {
            /* nothing more to be done: a sum that cannot be read is counted again */
        }
    }
    close(fd);
}

/* Temporary files of processes that were killed. */
static void remove_old_temps(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *d; (d = readdir(dir));) {
        struct stat st;
        if (kd_file_is_temp(d->d_name) && fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            time(NULL) - st.st_mtime > OLD_TEMP_S)
            unlinkat(dirfd(dir), d->d_name, 0);
    }
    closedir(dir);
}

/* ---- storing ---- */

/* Makes the folders that an entry needs, for their owner alone. */
static kd_status make_folders(kd_cache *cache, unsigned part, char out_temp[PATH_MAX], kd_failure *out_why)
{
    char folder[PATH_MAX];
    int n = snprintf(out_temp, PATH_MAX, "%s/tmp", cache->folder);
    if (!part_path(cache, part, "", folder) || n < 0 || n >= PATH_MAX)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "the path of the cache '%s' is too long", cache->folder);
    kd_status status = kd_dir_make(cache->folder, 0700, out_why);
    if (!status)
        status = check_owner(cache->folder, out_why);
    if (!status)
        status = kd_dir_make(folder, 0700, out_why);
    if (!status)
        status = kd_dir_make(out_temp, 0700, out_why);
    if (!status && !atomic_exchange(&cache->is_clean, true))
        remove_old_temps(out_temp);
    return status;
}

kd_status kd_cache_store(kd_cache *cache, kd_hash key, const kd_kernel_desc *desc, const void *code, size_t n_code_bytes,
                         const kd_cache_file *files, unsigned n_files, kd_failure *out_why)
{
    unsigned char *front;
    size_t n_front_bytes;
    char path[PATH_MAX], temp[PATH_MAX];
    kd_status status = kd_entry_encode(key, desc, code, n_code_bytes, files, n_files, &front, &n_front_bytes);
    if (status)
        return kd_fail(out_why, status, "kernel '%s' cannot be kept in the cache: %s", desc->name ? desc->name : "",
                       kd_status_text(status));
    uint64_t n_bytes = (uint64_t)n_front_bytes + n_code_bytes;
    if (n_bytes > KD_ENTRY_MAX_BYTES || bytes_on_disk(n_bytes) > cache->limit_bytes / N_PARTS)
        status = kd_fail(out_why, KD_ERR_UNSUPPORTED, "kernel '%s' has %llu bytes, too many for a cache of %llu", desc->name,
                         (unsigned long long)n_bytes, (unsigned long long)cache->limit_bytes);
    if (!status)
        status = make_folders(cache, part_of(key), temp, out_why);
    if (!status && !entry_path(cache, key, path))
        status = kd_fail(out_why, KD_ERR_ARGUMENT, "the path of the cache '%s' is too long", cache->folder);
    if (!status) {
        kd_str parts[] = {{(const char *)front, n_front_bytes}, {code, n_code_bytes}};
        status = kd_file_write(
            &(kd_file_write_args){.path = path, .parts = parts, .n_parts = 2, .mode = 0600, .replace = true, .temp_dir = temp},
            out_why);
    }
    free(front);
    if (!status)
        account(cache, part_of(key), n_bytes);
    return status;
}

/* ---- for people ---- */

typedef void visit_part(kd_cache *cache, DIR *dir, unsigned part, void *user);

static kd_status each_part(kd_cache *cache, visit_part *visit, void *user, kd_failure *out_why)
{
    kd_status status = check_owner(cache->folder, out_why);
    for (unsigned part = 0; part < N_PARTS && !status; part++) {
        char path[PATH_MAX];
        if (!part_path(cache, part, "", path))
            return kd_fail(out_why, KD_ERR_ARGUMENT, "the path of the cache '%s' is too long", cache->folder);
        DIR *dir = opendir(path);
        if (dir) {
            visit(cache, dir, part, user);
            closedir(dir);
        } else if (errno != ENOENT && errno != ENOTDIR)
            status = kd_fail_errno(out_why, "cannot read the cache '%s'", path);
    }
    return status;
}

typedef struct list_args {
    void (*visit)(void *user, const kd_cache_info *info);
    void *user;
} list_args;

static void list_entry(kd_cache *cache, const list_args *args, unsigned part, const char *name, kd_hash key)
{
    char path[PATH_MAX];
    unsigned char *bytes;
    size_t n_bytes;
    struct stat st;
    int fd;
    kd_entry entry = {0};
    if (!part_path(cache, part, name, path))
        return;
    kd_cache_info info = {.key = key};
    bool readable = read_own_file(path, &bytes, &n_bytes, &st, &fd) == KD_OK;
    if (readable) {
        close(fd);
        if (kd_entry_decode(bytes, n_bytes, &key, &entry) == KD_OK) {
            info.kernel = entry.desc->name;
            info.target = entry.desc->target;
        }
    } else if (lstat(path, &st))
        return; /* it went meanwhile */
    info.n_bytes = bytes_on_disk((uint64_t)st.st_size);
    info.used_at = st.st_mtime;
    args->visit(args->user, &info);
    if (readable) {
        free(entry.desc);
        free(bytes);
    }
}

static void list_part(kd_cache *cache, DIR *dir, unsigned part, void *user)
{
    kd_hash key;
    for (struct dirent *d; (d = readdir(dir));)
        if (is_entry(d->d_name, &key))
            list_entry(cache, user, part, d->d_name, key);
}

kd_status kd_cache_list(kd_cache *cache, void (*visit)(void *user, const kd_cache_info *info), void *user, kd_failure *out_why)
{
    return each_part(cache, list_part, &(list_args){visit, user}, out_why);
}

typedef struct totals {
    uint64_t n_entries, n_bytes;
} totals;

static void measure_part(kd_cache *cache, DIR *dir, unsigned part, void *user)
{
    totals *t = user;
    struct stat st;
    kd_hash key;
    for (struct dirent *d; (d = readdir(dir));)
        if (is_entry(d->d_name, &key) && fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            t->n_entries++;
            t->n_bytes += bytes_on_disk((uint64_t)st.st_size);
        }
}

kd_status kd_cache_size(kd_cache *cache, uint64_t *out_n_entries, uint64_t *out_n_bytes, kd_failure *out_why)
{
    totals t = {0, 0};
    kd_status status = each_part(cache, measure_part, &t, out_why);
    if (status)
        return status;
    *out_n_entries = t.n_entries;
    *out_n_bytes = t.n_bytes;
    return KD_OK;
}

typedef struct clear_args {
    uint64_t n_removed;
    int error; /* errno of the first failure */
} clear_args;

static void clear_part(kd_cache *cache, DIR *dir, unsigned part, void *user)
{
    clear_args *args = user;
    kd_hash key;
    for (struct dirent *d; (d = readdir(dir));) {
        if (is_entry(d->d_name, &key)) {
            if (unlinkat(dirfd(dir), d->d_name, 0) == 0)
                args->n_removed++;
            else if (errno != ENOENT && !args->error)
                args->error = errno;
        } else if (!strcmp(d->d_name, "size"))
            unlinkat(dirfd(dir), d->d_name, 0);
    }
}

kd_status kd_cache_clear(kd_cache *cache, uint64_t *out_n_removed, kd_failure *out_why)
{
    clear_args args = {0, 0};
    kd_status status = each_part(cache, clear_part, &args, out_why);
    char temp[PATH_MAX];
    int n = snprintf(temp, sizeof temp, "%s/tmp", cache->folder);
    if (!status && n > 0 && n < PATH_MAX)
        remove_old_temps(temp);
    if (!status && args.error) {
        errno = args.error;
        status = kd_fail_errno(out_why, "cannot clear the cache '%s'", cache->folder);
    }
    if (!status && out_n_removed)
        *out_n_removed = args.n_removed;
    return status;
}
