/* module.c - modules and kernels: SPIR-V to PoCL. "Machine code" is the SPIR-V again, with the flags that it was built with. */
#include "driver.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char NATIVE[8] = "zePOCL1";

struct _ze_module_handle_t {
    cl_program program;
    uint32_t *words;
    size_t n_words;
    bool large_registers;
};
struct _ze_module_build_log_handle_t {
    char *text;
};
struct _ze_kernel_handle_t {
    ze_module_handle_t module;
    cl_kernel kernel;
    zp_entry entry;
    uint32_t group[3];
    uint64_t is_set[ZP_MAX_PARAMS / 64];
};

/* ---- building ---- */

/* As Intel's compiler does: unknown options are errors. */
static const char *unknown_flag(const char *flags, char word[128])
{
    static const char *const known[] = {"-cl-intel-128-GRF-per-thread",
                                        "-cl-intel-256-GRF-per-thread",
                                        "-cl-intel-enable-auto-large-GRF-mode",
                                        "-cl-fp32-correctly-rounded-divide-sqrt",
                                        "-cl-opt-disable",
                                        "-ze-opt-large-register-file"};
    for (const char *p = flags + strspn(flags, " "); *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " "), i = 0;
        while (i < sizeof known / sizeof *known && (strncmp(p, known[i], n) || known[i][n]))
            i++;
        if (i == sizeof known / sizeof *known) {
            snprintf(word, 128, "%.*s", (int)n, p);
            return word;
        }
        p += n;
    }
    return NULL;
}

static ze_module_build_log_handle_t make_log(const char *text)
{
    ze_module_build_log_handle_t log = malloc(sizeof *log);
    log->text = strdup(text);
    zp_count(ZP_LOG, 1);
    return log;
}

static char *program_log(cl_program program)
{
    size_t n = 0;
    clGetProgramBuildInfo(program, zp_open()->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &n);
    char *text = calloc(1, n + 1);
    if (n)
        clGetProgramBuildInfo(program, zp_open()->device, CL_PROGRAM_BUILD_LOG, n, text, NULL);
    return text;
}

/* Programs that were built, for modules of the same words: a test makes the same module a thousand times. */
typedef struct built {
    struct built *next;
    cl_program program;
    size_t n_words;
    uint32_t words[];
} built;
static built *all_built;
static pthread_mutex_t built_lock = PTHREAD_MUTEX_INITIALIZER;

static cl_program find_built(const uint32_t *words, size_t n_words)
{
    for (const built *b = all_built; b; b = b->next)
        if (b->n_words == n_words && memcmp(b->words, words, n_words * 4) == 0)
            return b->program;
    return NULL;
}

static void remember(const uint32_t *words, size_t n_words, cl_program program)
{
    built *b = malloc(sizeof *b + n_words * 4);
    *b = (built){.next = all_built, .program = program, .n_words = n_words};
    memcpy(b->words, words, n_words * 4);
    all_built = b;
}

/* Under the lock. NULL: it cannot be built, and *out_said is what to put into the log, for free(). */
static cl_program build_program(const uint32_t *words, size_t n_words, char **out_said)
{
    cl_program program = find_built(words, n_words);
    if (program)
        return program;
    cl_int error = CL_SUCCESS;
    uint32_t *linked = malloc(n_words * 4);
    size_t n_linked = n_words;
    memcpy(linked, words, n_words * 4);
    bool good = zp_spirv_is_whole(words, n_words) && zp_link(&linked, &n_linked);
    if (good)
        program = clCreateProgramWithIL(zp_open()->context, linked, n_linked * 4, &error);
    free(linked);
    if (!good || !program || error) {
        *out_said = strdup("error: the input is no SPIR-V, or the emulation cannot be linked to it");
        return NULL;
    }
    error = clBuildProgram(program, 1, &zp_open()->device, "", NULL, NULL);
    if (!error) {
        remember(words, n_words, program);
        return program;
    }
    *out_said = program_log(program);
    if (!**out_said) {
        free(*out_said);
        *out_said = strdup("error: PoCL cannot build this module");
    }
    clReleaseProgram(program);
    return NULL;
}

/* The words of a module, SPIR-V or "machine code", for free(). */
static uint32_t *input_words(const ze_module_desc_t *desc, size_t *out_n_words, bool *out_large)
{
    const uint8_t *bytes = desc->pInputModule;
    size_t n = desc->inputSize;
    *out_large = desc->pBuildFlags && strstr(desc->pBuildFlags, "256-GRF");
    if (desc->format == ZE_MODULE_FORMAT_NATIVE) {
        if (n < 16 || memcmp(bytes, NATIVE, 8) != 0)
            return NULL;
        *out_large = bytes[8];
        bytes += 16;
        n -= 16;
    }
    if (n < 20 || n % 4)
        return NULL;
    uint32_t *words = malloc(n);
    memcpy(words, bytes, n);
    *out_n_words = n / 4;
    return words;
}

CALL zp_module_create(ze_context_handle_t context, ze_device_handle_t device, const ze_module_desc_t *desc, ze_module_handle_t *out,
                      ze_module_build_log_handle_t *log)
{
    ENTER();
    char word[128], *said = NULL;
    if (unknown_flag(desc->pBuildFlags ? desc->pBuildFlags : "", word)) {
        if (log) {
            char text[160];
            snprintf(text, sizeof text, "error: unknown option '%s'", word);
            *log = make_log(text);
        }
        return ZE_RESULT_ERROR_MODULE_BUILD_FAILURE;
    }
    ze_module_handle_t module = calloc(1, sizeof *module);
    module->words = input_words(desc, &module->n_words, &module->large_registers);
    if (!module->words) {
        free(module);
        return desc->format == ZE_MODULE_FORMAT_NATIVE ? ZE_RESULT_ERROR_INVALID_NATIVE_BINARY
                                                       : ZE_RESULT_ERROR_MODULE_BUILD_FAILURE;
    }
    pthread_mutex_lock(&built_lock);
    module->program = build_program(module->words, module->n_words, &said);
    pthread_mutex_unlock(&built_lock);
    if (log)
        *log = make_log(said ? said : "");
    free(said);
    if (!module->program) {
        free(module->words);
        free(module);
        return ZE_RESULT_ERROR_MODULE_BUILD_FAILURE;
    }
    zp_count(ZP_MODULE, 1);
    *out = module;
    return ZE_RESULT_SUCCESS;
}

CALL zp_module_destroy(ze_module_handle_t module)
{
    free(module->words);
    free(module);
    zp_count(ZP_MODULE, -1);
    return zp_enter(__func__);
}

CALL zp_module_native(ze_module_handle_t module, size_t *n_bytes, uint8_t *bytes)
{
    ENTER();
    if (bytes) {
        memset(bytes, 0, 16);
        memcpy(bytes, NATIVE, 8);
        bytes[8] = module->large_registers;
        memcpy(bytes + 16, module->words, module->n_words * 4);
    }
    *n_bytes = 16 + module->n_words * 4;
    return ZE_RESULT_SUCCESS;
}

CALL zp_log_string(ze_module_build_log_handle_t log, size_t *n_bytes, char *text)
{
    ENTER();
    size_t n = strlen(log->text) + 1;
    if (text)
        memcpy(text, log->text, *n_bytes < n ? *n_bytes : n);
    *n_bytes = n;
    return ZE_RESULT_SUCCESS;
}

CALL zp_log_destroy(ze_module_build_log_handle_t log)
{
    free(log->text);
    free(log);
    zp_count(ZP_LOG, -1);
    return zp_enter(__func__);
}

/* ---- kernels ---- */

CALL zp_kernel_create(ze_module_handle_t module, const ze_kernel_desc_t *desc, ze_kernel_handle_t *out)
{
    ENTER();
    ze_kernel_handle_t kernel = calloc(1, sizeof *kernel);
    cl_int error = CL_SUCCESS;
    kernel->module = module;
    if (!zp_spirv_entry(module->words, module->n_words, desc->pKernelName, &kernel->entry) ||
        !(kernel->kernel = clCreateKernel(module->program, desc->pKernelName, &error)) || error) {
        free(kernel);
        return zp_fail(ZE_RESULT_ERROR_INVALID_KERNEL_NAME, "the module has no kernel '%s'", desc->pKernelName);
    }
    zp_count(ZP_KERNEL, 1);
    *out = kernel;
    return ZE_RESULT_SUCCESS;
}

CALL zp_kernel_destroy(ze_kernel_handle_t kernel)
{
    clReleaseKernel(kernel->kernel);
    free(kernel);
    zp_count(ZP_KERNEL, -1);
    return zp_enter(__func__);
}

CALL zp_kernel_group_size(ze_kernel_handle_t kernel, uint32_t x, uint32_t y, uint32_t z)
{
    ENTER();
    const uint32_t size[3] = {x, y, z}, *required = kernel->entry.local_size;
    if ((uint64_t)x * y * z > zp_max_group() || (required[0] && memcmp(size, required, sizeof size) != 0))
        return zp_fail(ZE_RESULT_ERROR_INVALID_GROUP_SIZE_DIMENSION, "the kernel requires %u x %u x %u", required[0], required[1],
                       required[2]);
    memcpy(kernel->group, size, sizeof size);
    return ZE_RESULT_SUCCESS;
}

CALL zp_kernel_argument(ze_kernel_handle_t kernel, uint32_t index, size_t n_bytes, const void *value)
{
    ENTER();
    if (index >= kernel->entry.n_params)
        return zp_fail(ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_INDEX, "the kernel has %u parameters", kernel->entry.n_params);
    bool is_pointer = kernel->entry.params[index].is_pointer, is_local = kernel->entry.params[index].is_local;
    uint32_t want = kernel->entry.params[index].n_bytes;
    cl_int error;
    if (is_local) {
        error = clSetKernelArg(kernel->kernel, index, n_bytes, NULL);
    } else if (is_pointer) {
        void *pointer = NULL;
        if (n_bytes != sizeof pointer)
            return zp_fail(ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_SIZE, "parameter %u is a pointer", index);
        if (value)
            memcpy(&pointer, value, sizeof pointer);
        if (pointer && !zp_is_memory(pointer))
            return zp_fail(ZE_RESULT_ERROR_INVALID_ARGUMENT, "%p is no memory of this driver", pointer);
        error = clSetKernelArgSVMPointer(kernel->kernel, index, pointer);
    } else {
        if (want && n_bytes != want)
            return zp_fail(ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_SIZE, "parameter %u has %u bytes", index, want);
        error = clSetKernelArg(kernel->kernel, index, n_bytes, value);
    }
    if (error)
        return zp_fail(ZE_RESULT_ERROR_UNKNOWN, "setting parameter %u returned %d", index, error);
    kernel->is_set[index / 64] |= 1ull << index % 64;
    return ZE_RESULT_SUCCESS;
}

CALL zp_kernel_indirect_access(ze_kernel_handle_t kernel, ze_kernel_indirect_access_flags_t flags)
{
    ENTER();
    cl_bool yes = CL_TRUE;
    clSetKernelExecInfo(kernel->kernel, CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM, sizeof yes, &yes);
    return ZE_RESULT_SUCCESS;
}

CALL zp_kernel_properties(ze_kernel_handle_t kernel, ze_kernel_properties_t *p)
{
    ENTER();
    cl_ulong local = 0;
    clGetKernelWorkGroupInfo(kernel->kernel, zp_open()->device, CL_KERNEL_LOCAL_MEM_SIZE, sizeof local, &local, NULL);
    p->numKernelArgs = kernel->entry.n_params;
    p->requiredGroupSizeX = kernel->entry.local_size[0];
    p->requiredGroupSizeY = kernel->entry.local_size[1];
    p->requiredGroupSizeZ = kernel->entry.local_size[2];
    p->requiredNumSubGroups = 0;
    p->requiredSubgroupSize = kernel->entry.sub_group_size;
    p->maxSubgroupSize = 32;
    p->maxNumSubgroups = 64;
    p->localMemSize = (uint32_t)local;
    p->privateMemSize = 0;
    p->spillMemSize = kernel->module->large_registers ? 0 : (uint32_t)zp_option.spill;
    return ZE_RESULT_SUCCESS;
}

ze_result_t zp_kernel_enqueue(ze_kernel_handle_t kernel, cl_command_queue queue, const ze_group_count_t *groups,
                              cl_event *out_event)
{
    for (uint32_t i = 0; i < kernel->entry.n_params; i++)
        if (!(kernel->is_set[i / 64] >> i % 64 & 1))
            return zp_fail(ZE_RESULT_ERROR_INVALID_ARGUMENT, "parameter %u is not set", i);
    const uint32_t *g = kernel->group;
    const size_t local[3] = {g[0], g[1], g[2]};
    const size_t global[3] = {(size_t)groups->groupCountX * g[0], (size_t)groups->groupCountY * g[1],
                              (size_t)groups->groupCountZ * g[2]};
    cl_int error = clEnqueueNDRangeKernel(queue, kernel->kernel, 3, NULL, global, local, 0, NULL, out_event);
    return error ? zp_fail(error == CL_OUT_OF_HOST_MEMORY ? ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY : ZE_RESULT_ERROR_UNKNOWN,
                           "clEnqueueNDRangeKernel returned %d", error)
                 : ZE_RESULT_SUCCESS;
}
