/* codegen_open.c - finds libkdsl-codegen.so in the folder that libkdsl itself came from: the build folder, or where it is installed.
 *
 * Loading LLVM costs a process 20 ms and more, so nothing links to that library: a kernel from the cache never comes here. */
#include "dsl/codegen_open.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const kd_codegen *codegen;
static kd_failure failure;

static void open_codegen(void)
{
    char path[PATH_MAX];
    Dl_info self;
    if (!dladdr(&once, &self) || !realpath(self.dli_fname, path)) {
        kd_fail(&failure, KD_ERR_NOT_FOUND, "cannot tell where libkdsl was loaded from");
        return;
    }
    char *slash = strrchr(path, '/');
    size_t room = sizeof path - (size_t)(slash + 1 - path);
    if ((size_t)snprintf(slash + 1, room, "libkdsl-codegen.so") >= room) {
        kd_fail(&failure, KD_ERR_NOT_FOUND, "the path of libkdsl-codegen.so is too long");
        return;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        kd_fail(&failure, KD_ERR_NOT_FOUND, "cannot load the code generator: %s", dlerror());
        return;
    }
    const kd_codegen *(*entry)(void);
    *(void **)&entry = dlsym(library, "kd_codegen_entry");
    const kd_codegen *found = entry ? entry() : NULL;
    if (!found || found->abi != KD_CODEGEN_ABI) {
        kd_fail(&failure, KD_ERR_UNSUPPORTED, "'%s' belongs to another version of kdsl", path);
        dlclose(library);
        return;
    }
    codegen = found;
}

const kd_codegen *kd_codegen_open(kd_failure *out_why)
{
    pthread_once(&once, open_codegen);
    if (!codegen && out_why)
        *out_why = failure;
    return codegen;
}
