/* beside.h - for tests in C: the test driver, which lies beside their programs. */
#ifndef KD_TESTS_ZE_POCL_BESIDE_H
#define KD_TESTS_ZE_POCL_BESIDE_H

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lets the Level Zero loader find the driver: it reads the variable when it is opened. The path stays valid. */
static inline const char *use_ze_pocl(void)
{
    static char path[PATH_MAX + 32];
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
    path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    strcpy(slash ? slash + 1 : path, "libze_pocl.so");
    setenv("ZE_ENABLE_ALT_DRIVERS", path, 1);
    return path;
}

#endif
