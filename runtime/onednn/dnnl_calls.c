/* dnnl_calls.c - opens oneDNN. */
#include "runtime/onednn/dnnl_calls.h"

#include <dlfcn.h>

/* Upstream's name, Debian 13's, and that of the development package: version 3 is one interface. */
static const char *const LIBRARIES[] = {"libdnnl.so.3", "libdnnl.so.3.6", "libdnnl.so"};

static void *open_library(void)
{
    void *library = NULL;
    for (unsigned i = 0; i < sizeof LIBRARIES / sizeof *LIBRARIES && !library;
         i++) /* it stays loaded: libgomp's threads run code of it */
        library = dlopen(LIBRARIES[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    return library;
}

kd_status kd_dnnl_open(kd_dnnl_calls *out, kd_failure *out_why)
{
    void *library = open_library();
    if (!library)
        return kd_fail(out_why, KD_ERR_NOT_FOUND,
                       "convolutions and matrix products need oneDNN, which is not there (%s); Debian's package is libdnnl3.6",
                       dlerror());
    const char *missing = NULL;
#define KD_DNNL_FIND(name)                                       \
    if (!(out->name = (__typeof__(&name))dlsym(library, #name))) \
        missing = #name;
    KD_DNNL_CALLS(KD_DNNL_FIND)
#undef KD_DNNL_FIND
    dlclose(library);
    return missing ? kd_fail(out_why, KD_ERR_UNSUPPORTED, "this version of oneDNN has no function %s", missing) : KD_OK;
}
