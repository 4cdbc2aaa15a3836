/* symbols.c - resolves what kernel code calls.
 *
 * libc is a list: what code generators insert by themselves, and what device_print and device_assert become. A kernel that was
 * taken from a file has no business with the rest. The libraries are those that a program linked with `cc kernel.o -lm` would use.
 */
#include "runtime/cpu/symbols.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUNCTION(name) {#name, (void *)name}

static const struct {
    const char *name;
    void *address;
} LIBC[] = {
    FUNCTION(memcpy),  FUNCTION(memmove), FUNCTION(memset), FUNCTION(memcmp),  FUNCTION(strlen),
    FUNCTION(printf),  FUNCTION(putchar), FUNCTION(puts),   FUNCTION(dprintf), FUNCTION(snprintf),
    FUNCTION(fprintf), FUNCTION(fputs),   FUNCTION(fputc),  FUNCTION(fwrite),  FUNCTION(fflush),
    FUNCTION(write),   FUNCTION(abort),   FUNCTION(malloc), FUNCTION(calloc),  FUNCTION(free),
};

/* A function of the library itself: dlsym would also find those of the libraries that it needs. The library is not closed: code
 * that calls it may live as long as the process, and the system counts it once. */
static void *find_in(const char *library, const char *name)
{
    void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL), *address = handle ? dlsym(handle, name) : NULL;
    struct link_map *map;
    Dl_info info;
    if (!address || dlinfo(handle, RTLD_DI_LINKMAP, &map) || !dladdr(address, &info))
        return NULL;
    return (uintptr_t)info.dli_fbase == (uintptr_t)map->l_addr ? address : NULL;
}

void *kd_cpu_symbol(const char *name)
{
    for (unsigned i = 0; i < sizeof LIBC / sizeof *LIBC; i++)
        if (!strcmp(name, LIBC[i].name))
            return LIBC[i].address;
    if (!strcmp(name, "stderr"))
        return &stderr;
    if (!strcmp(name, "stdout"))
        return &stdout;
    if (!strncmp(name, "_ZGV", 4)) /* the vector function ABI's names: _ZGVeN16v_expf */
        return find_in("libmvec.so.1", name);
    if (!strncmp(name, "Sleef_", 6))
        return find_in("libsleef.so.3", name);
    if (!strncmp(name, "__", 2)) { /* half precision without hardware for it, 128-bit integers; also __exp_finite and the like */
        void *address = find_in("libgcc_s.so.1", name);
        if (address)
            return address;
    }
    return find_in("libm.so.6", name);
}
