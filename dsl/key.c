/* key.c - the key of a request in a store of kernels: the source, what it is compiled for, and the compiler itself. */
#include "dsl/key.h"
#include "base/gpu_device.h"

#include <cpuid.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_SOURCE_BYTES = 64 << 20 };

char *kd_absolute_path(const char *path)
{
    if (path[0] == '/')
        return strdup(path);
    char *folder = getcwd(NULL, 0), *whole = NULL;
    if (folder && asprintf(&whole, "%s/%s", folder, path) < 0)
        whole = NULL;
    free(folder);
    return whole;
}

static void add_path(kd_hash *key, const char *path)
{
    char *absolute = kd_absolute_path(path);
    kd_hash_add_text(key, absolute);
    free(absolute);
}

/* The processor's features decide what "cpu" means. Leaves as in the Intel and AMD manuals (CPUID): vendor, model, feature bits; not the
 * fields that differ from core to core. */
void kd_hash_add_processor(kd_hash *key)
{
    unsigned a, b, c, d;
    __cpuid(0, a, b, c, d);
    kd_hash_add(key, (unsigned[]){b, c, d}, 12);
    unsigned highest = a;
    __cpuid(1, a, b, c, d);
    kd_hash_add(key, (unsigned[]){a, c, d}, 12);
    for (unsigned sub = 0; highest >= 7 && sub < 2; sub++) {
        __cpuid_count(7, sub, a, b, c, d);
        kd_hash_add(key, (unsigned[]){a, b, c, d}, 16);
    }
    __cpuid(0x80000001, a, b, c, d);
    kd_hash_add(key, (unsigned[]){a, c, d}, 12);
}

/* Another build of the compiler may make other code of the same version: its files tell. */
static void add_library(kd_hash *key, const char *folder, size_t n, const char *name)
{
    char *path = NULL;
    struct stat st = {0};
    if (asprintf(&path, "%.*s%s", (int)n, folder, name) >= 0 && stat(path, &st) == 0) {
        kd_hash_add_u64(key, (uint64_t)st.st_size);
        kd_hash_add_u64(key, (uint64_t)st.st_mtim.tv_sec);
        kd_hash_add_u64(key, (uint64_t)st.st_mtim.tv_nsec);
    }
    free(path);
}

void kd_hash_add_compiler(kd_hash *key)
{
    Dl_info info;
    kd_hash_add_text(key, kd_version());
    if (!dladdr((void *)kd_version, &info) || !info.dli_fname)
        return;
    const char *slash = strrchr(info.dli_fname, '/');
    size_t n = slash ? (size_t)(slash - info.dli_fname) + 1 : 0;
    add_library(key, info.dli_fname, strlen(info.dli_fname), "");
    add_library(key, info.dli_fname, n, "libkdsl-codegen.so");
    add_library(key, info.dli_fname, n, "kdsl-spirv");
}

bool kd_request_key(const kd_compile_request *request, kd_hash *out)
{
    bool gpu = kd_target_is_gpu(request->target);
    bool object = !request->emit || strcmp(request->emit, "obj") == 0 || (gpu && strcmp(request->emit, "spirv") == 0);
    if (!object || request->print_after || request->time_passes)
        return false;
    kd_hash key = {0};
    if (request->text) {
        kd_hash_add_text(&key, request->text);
    } else {
        kd_hash content = {0};
        if (kd_hash_file(request->file, MAX_SOURCE_BYTES, &content, NULL) != KD_OK)
            return false;
        kd_hash_add(&key, &content, sizeof content);
    }
    add_path(&key, request->file ? request->file : "");
    kd_hash_add_text(&key, request->kernel);
    kd_hash_add_text(&key, request->signature);
    kd_hash_add_text(&key, request->target);
    kd_hash_add_u64(&key, request->n_include_dirs);
    for (unsigned i = 0; i < request->n_include_dirs; i++)
        add_path(&key, request->include_dirs[i]);
    const uint64_t numbers[] = {request->num_warps, request->num_stages, request->set_config ? 1 + (uint64_t)request->config : 0,
                                request->set_opt_level ? request->opt_level : 3, request->no_fusion, request->assume_disjoint, request->debug,
                                request->sub_group_size};
    kd_hash_add(&key, numbers, sizeof numbers);
    kd_hash_add_processor(&key);
    kd_hash_add_compiler(&key);
    *out = key;
    return true;
}
