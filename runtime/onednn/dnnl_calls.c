/* dnnl_calls.c - opens oneDNN. */
#include "runtime/onednn/dnnl_calls.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>

/* Upstream's name, Debian 13's, and that of the development package: version 3 is one interface. */
static const char *const LIBRARIES[] = {"libdnnl.so.3", "libdnnl.so.3.6", "libdnnl.so"};

/* How often a thread of GNU OpenMP looks for work before it sleeps; it reads this once, when it is loaded. Its own number, 300000, takes
 * milliseconds: on a processor that others want too each primitive then waits for a thread that has used its time up with looking. ResNet-50 on
 * two cores: the same time as with its own number on a quiet machine, a quarter of it beside other programs. */
static const char SPIN_COUNT[] = "5000";

static bool is_spinning_chosen(void)
{
    void *loaded = dlopen("libgomp.so.1", RTLD_NOW | RTLD_NOLOAD);
    if (loaded)
        dlclose(loaded);
    return loaded || getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT");
}

static void *open_library(void)
{
    void *library = NULL;
    bool choose = !is_spinning_chosen();
    if (choose)
        setenv("GOMP_SPINCOUNT", SPIN_COUNT, 1);
    for (unsigned i = 0; i < sizeof LIBRARIES / sizeof *LIBRARIES && !library;
         i++) /* it stays loaded: libgomp's threads run code of it */
        library = dlopen(LIBRARIES[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (choose)
        unsetenv("GOMP_SPINCOUNT");
    return library;
}

static void find_gomp(void *library, kd_gomp_calls *out)
{
    *(void **)&out->parallel = dlsym(library, "GOMP_parallel");
    *(void **)&out->get_thread_num = dlsym(library, "omp_get_thread_num");
    *(void **)&out->get_max_threads = dlsym(library, "omp_get_max_threads");
    *(void **)&out->set_num_threads = dlsym(library, "omp_set_num_threads");
    if (!out->get_thread_num || !out->get_max_threads || !out->set_num_threads)
        out->parallel = NULL;
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
    find_gomp(library, &out->gomp);
    dlclose(library);
    return missing ? kd_fail(out_why, KD_ERR_UNSUPPORTED, "this version of oneDNN has no function %s", missing) : KD_OK;
}
