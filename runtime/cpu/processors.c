/* processors.c - asks the system and the processor. */
#include "runtime/cpu/processors.h"
#include "base/file.h"

#include <cpuid.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The processors that a limit of the control group is worth, rounded up; UINT_MAX: no limit. */
static unsigned quota_in(const char *folder)
{
    char path[PATH_MAX], *text;
    size_t n_bytes;
    long long quota, period;
    unsigned worth = UINT_MAX;
    if (snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", folder) >= (int)sizeof path ||
        kd_file_read(path, 256, &text, &n_bytes, NULL))
        return worth;
    if (sscanf(text, "%lld %lld", &quota, &period) == 2 && quota > 0 && period > 0 &&
        quota / period < INT_MAX) /* "max 100000": none */
        worth = (unsigned)((quota + period - 1) / period);
    free(text);
    return worth;
}

/* The least of the limits on the process's control group (version 2) and those above it. Source: Linux, cgroup-v2.rst, "cpu.max".
 */
static unsigned cgroup_quota(void)
{
    char *text;
    size_t n_bytes;
    if (kd_file_read("/proc/self/cgroup", 64 << 10, &text, &n_bytes, NULL))
        return UINT_MAX;
    unsigned least = UINT_MAX;
    char *folder = strstr(text, "0::/");
    if (folder && (folder == text || folder[-1] == '\n')) {
        folder += 3;
        folder[strcspn(folder, "\n")] = '\0';
        for (;;) {
            char *slash = strrchr(folder, '/');
            if (slash && !slash[1]) /* the root is written as "/", and is "" in a path */
                *slash = '\0';
            unsigned worth = quota_in(folder);
            least = worth < least ? worth : least;
            if (!folder[0])
                break;
            *strrchr(folder, '/') = '\0';
        }
    }
    free(text);
    return least;
}

kd_status kd_processors_count(unsigned *out_n, kd_failure *out_why)
{
    const char *wanted = getenv("KDSL_NUM_THREADS");
    if (wanted && wanted[0]) {
        char *end;
        errno = 0;
        long n = strtol(wanted, &end, 10);
        if (errno || *end || n < 1 || n > KD_MAX_THREADS)
            return kd_fail(out_why, KD_ERR_ARGUMENT, "KDSL_NUM_THREADS is '%s'; expected a number from 1 to %d", wanted,
                           KD_MAX_THREADS);
        *out_n = (unsigned)n;
        return KD_OK;
    }
    cpu_set_t set;
    long n =
        sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN); /* more than 1024: fails */
    unsigned quota = cgroup_quota(), count = n < 1 ? 1 : n > KD_MAX_THREADS ? KD_MAX_THREADS : (unsigned)n;
    *out_n = count < quota ? count : quota;
    return KD_OK;
}

void kd_processor_name(char *out, size_t n_out)
{
    unsigned words[12] = {0};
    char name[sizeof words + 1] = {0};
    for (unsigned i = 0; i < 3; i++)
        __get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]);
    memcpy(name, words, sizeof words);
    size_t length = strlen(name), skip = strspn(name, " ");
    while (length > skip && name[length - 1] == ' ')
        name[--length] = '\0';
    snprintf(out, n_out, "%s", length > skip ? name + skip : "x86-64");
}

uint64_t kd_memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}
