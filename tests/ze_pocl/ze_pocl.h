/* ze_pocl.h - a Level Zero driver for tests: it looks like an Intel GPU of the kind that one asks for, and runs SPIR-V on the CPU with PoCL.
 *
 *     ZE_ENABLE_ALT_DRIVERS=$PWD/build/tests/libze_pocl.so ZE_POCL=device=pvc,fail=17 kdsl run ... --device level_zero
 *
 * ZE_POCL is a list of KEY=VALUE:
 *     device=NAME    a name of base/gpu_devices.def (bmg)              devices=N    so many of them (1)
 *     memory=BYTES   of each device (4294967296)                       slm=BYTES, group=N, sizes=MASK   instead of what the kind has
 *     without=WORD   f64, dpas, block2d, extensions, in-order, ip: what the driver does not report or take
 *     spill=BYTES    kernels built without large registers report so many
 *     fail=N         the N-th call, counted from 1, fails              result=HEX   with this result (7ffffffe)
 *     lose=N         the N-th call and all later ones find the device lost
 *     trace=1        every call on standard error
 *     platform=TEXT  the OpenCL platform with TEXT in its name, not PoCL: Intel's for CPUs (PyPI's intel-opencl-rt, OCL_ICD_VENDORS=FOLDER with
 *                    a .icd file) is a second opinion where PoCL is wrong, and compiles faster
 * When the process ends, objects that nobody destroyed are reported on standard error, and a fail=N that no call reached.
 *
 *     driver.c  the tables that the loader asks for     device.c  what the device claims to be      fault.c  ZE_POCL, failing calls, leaks
 *     work.c    memory, command lists, events           module.c  modules and kernels               spirv.c  what a SPIR-V module says of itself
 *     link.c    gives a module functions of emulation/: what Intel's GPUs do and PoCL lacks */
#ifndef KD_TESTS_ZE_POCL_H
#define KD_TESTS_ZE_POCL_H

#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <level_zero/ze_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALL ze_result_t ZE_APICALL

/* ---- fault.c ---- */

typedef struct zp_options {
    char device[16], platform[32];
    uint64_t n_devices, memory, slm, group, sizes, spill, fail, result, lose;
    bool trace, no_f64, no_dpas, no_block2d, no_extensions, no_in_order, no_ip;
} zp_options;

extern zp_options zp_option;

/* Counts a call: not 0 where it is to fail. Functions that end something do their work all the same. */
ze_result_t zp_enter(const char *call);
#define ENTER()                                  \
    do {                                         \
        ze_result_t fault_ = zp_enter(__func__); \
        if (fault_)                              \
            return fault_;                       \
    } while (0)

/* For a test in the same process, which finds them with dlsym: other options, and calls counted from 0 again; calls since then; objects that
 * are alive. */
ZE_APIEXPORT void ze_pocl_set(const char *options);
ZE_APIEXPORT uint64_t ze_pocl_calls(void);
ZE_APIEXPORT int ze_pocl_alive(void);

typedef enum zp_kind { ZP_CONTEXT, ZP_LIST, ZP_POOL, ZP_EVENT, ZP_MODULE, ZP_LOG, ZP_KERNEL, ZP_MEMORY, ZP_N_KINDS } zp_kind;
void zp_count(zp_kind kind, int by);

/* Keeps what went wrong for zeDriverGetLastErrorDescription, of this thread. */
ze_result_t zp_fail(ze_result_t result, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *zp_last_error(void);

/* ---- device.c ---- */

typedef struct zp_cl {
    cl_device_id device;
    cl_context context;
} zp_cl;

/* OpenCL, opened once; NULL: PoCL is not there. */
const zp_cl *zp_open(void);
uint32_t zp_max_group(void);

/* ---- work.c ---- */

/* Whether an address is in memory of this driver. */
bool zp_is_memory(const void *address);

/* ---- spirv.c ---- */

enum { ZP_MAX_PARAMS = 256 };

typedef struct zp_entry {
    uint32_t n_params;
    struct {
        bool is_pointer, is_local;
        uint32_t n_bytes; /* of a scalar or vector; 0: not known */
    } params[ZP_MAX_PARAMS];
    uint32_t local_size[3], sub_group_size; /* 0: not required */
} zp_entry;

/* Whether the words are SPIR-V that ends where an instruction ends. */
bool zp_spirv_is_whole(const uint32_t *words, size_t n_words);

/* link.c: links the emulation to a module that needs some of it; the words are for free(). */
bool zp_link(uint32_t **words, size_t *n_words);

/* The kernel of that name; false: there is none, or the words are no SPIR-V. */
bool zp_spirv_entry(const uint32_t *words, size_t n_words, const char *name, zp_entry *out);

#endif
