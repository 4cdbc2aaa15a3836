/* launch.c - from arguments to a packed struct: checks, and the layout that kd_kernel_desc gives. */
#include "runtime/device_impl.h"
#include "base/float.h"
#include "base/scalar.h"

#include <stdlib.h>
#include <string.h>

kd_arg kd_arg_float(kd_scalar type, double value)
{
    kd_arg arg = {.n_bytes = 0};
    arg.bits = kd_float_encode(value, type, KD_FLOAT_NEAREST_EVEN);
    return arg;
}

/* The bits that the kernel sees. */
static uint64_t scalar_bits(const kd_kernel_arg *want, const kd_arg *arg)
{
    if (want->type == KD_I1)
        return arg->bits != 0;
    return want->size_bytes == 8 ? arg->bits : arg->bits & ((1ull << 8 * want->size_bytes) - 1);
}

static bool is_signed(const kd_kernel_arg *want)
{
    return !want->is_pointer && !kd_scalar_is_unsigned(want->type);
}

/* The bits of a signed type as a number. */
static int64_t signed_value(const kd_kernel_arg *want, uint64_t bits)
{
    unsigned unused = 64 - 8 * want->size_bytes;
    return (int64_t)(bits << unused) >> unused;
}

static bool is_divisible(const kd_kernel_arg *want, uint64_t bits)
{
    uint64_t by = want->divisible_by;
    if ((by & (by - 1)) == 0) /* two's complement: the low bits tell, whatever the sign */
        return (bits & (by - 1)) == 0;
    return is_signed(want) ? signed_value(want, bits) % (int64_t)by == 0 : bits % by == 0;
}

/* ---- overlap ---- */

typedef struct extent {
    uintptr_t begin, end; /* end is one past the last byte, or the end of the address space */
} extent;

static extent extent_of(const kd_arg *arg)
{
    uintptr_t begin = (uintptr_t)arg->ptr, end;
    if (__builtin_add_overflow(begin, arg->n_bytes, &end)) /* unknown: from there on */
        end = UINTPTR_MAX;
    return (extent){begin, end};
}

static bool extents_meet(const kd_arg *a, const kd_arg *b)
{
    if (a->n_bytes == 0 || b->n_bytes == 0)
        return false;
    if (a->n_bytes == KD_SIZE_UNKNOWN || b->n_bytes == KD_SIZE_UNKNOWN)
        return true; /* strides may be negative */
    extent x = extent_of(a), y = extent_of(b);
    return x.begin < y.end && y.begin < x.end;
}

/* How the buffers meet; out_i and out_j: the first pair of the worst kind. */
static kd_alias find_alias(const kd_kernel_desc *desc, const kd_arg *args, uint32_t *out_i, uint32_t *out_j)
{
    kd_alias worst = KD_ALIAS_NONE;
    for (uint32_t i = 0; i < desc->n_args; i++) {
        if (!desc->args[i].is_pointer || !desc->args[i].is_written)
            continue;
        for (uint32_t j = 0; j < desc->n_args; j++) {
            bool seen = j <= i && desc->args[j].is_written; /* the pair came up the other way round */
            if (seen || !desc->args[j].is_pointer || !extents_meet(&args[i], &args[j]))
                continue;
            bool same = args[i].ptr == args[j].ptr && args[i].n_bytes == args[j].n_bytes && args[i].n_bytes != KD_SIZE_UNKNOWN;
            kd_alias alias = same ? KD_ALIAS_IDENTICAL : KD_ALIAS_OVERLAP;
            if (alias > worst) {
                worst = alias;
                *out_i = i;
                *out_j = j;
            }
        }
    }
    return worst;
}

kd_alias kd_kernel_args_alias(const kd_kernel_desc *desc, const kd_arg *args, unsigned n_args)
{
    uint32_t i, j;
    return n_args == desc->n_args ? find_alias(desc, args, &i, &j) : KD_ALIAS_OVERLAP;
}

/* ---- checks ---- */

static kd_status check_arg(const kd_kernel_desc *desc, const kd_kernel_arg *want, const kd_arg *arg, kd_failure *out_why)
{
    if (want->is_pointer && !arg->ptr && arg->n_bytes)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "argument '%s' of kernel '%s' is NULL", want->name, desc->name);
    if (want->divisible_by == 1)
        return KD_OK;
    uint64_t bits = want->is_pointer ? (uintptr_t)arg->ptr : scalar_bits(want, arg);
    if (is_divisible(want, bits))
        return KD_OK;
    if (want->is_pointer)
        return kd_fail(out_why, KD_ERR_ARGUMENT,
                       "argument '%s' of kernel '%s' is at %p, but this code needs an address divisible by %u", want->name,
                       desc->name, arg->ptr, want->divisible_by);
    long long value = is_signed(want) ? (long long)signed_value(want, bits) : (long long)bits;
    return kd_fail(out_why, KD_ERR_ARGUMENT,
                   is_signed(want) ? "argument '%s' of kernel '%s' is %lld, but this code needs a value divisible by %u"
                                   : "argument '%s' of kernel '%s' is %llu, but this code needs a value divisible by %u",
                   want->name, desc->name, value, want->divisible_by);
}

static kd_status check_all(const kd_kernel_desc *desc, const kd_arg *args, kd_failure *out_why)
{
    for (uint32_t i = 0; i < desc->n_args; i++) {
        kd_status status = check_arg(desc, &desc->args[i], &args[i], out_why);
        if (status)
            return status;
    }
    uint32_t i = 0, j = 0;
    if (desc->needs_disjoint && find_alias(desc, args, &i, &j) != KD_ALIAS_NONE)
        return kd_fail(out_why, KD_ERR_ARGUMENT,
                       "arguments '%s' and '%s' of kernel '%s' share memory, but this code needs them apart", desc->args[i].name,
                       desc->args[j].name, desc->name);
    return KD_OK;
}

static kd_status check_count(const kd_kernel_desc *desc, const kd_arg *args, unsigned n_args, kd_failure *out_why)
{
    if (n_args != desc->n_args || (n_args && !args))
        return kd_fail(out_why, KD_ERR_ARGUMENT, "kernel '%s' takes %u argument%s, but was given %u", desc->name, desc->n_args,
                       desc->n_args == 1 ? "" : "s", args ? n_args : 0);
    return KD_OK;
}

kd_status kd_kernel_args_check(const kd_kernel_desc *desc, const kd_arg *args, unsigned n_args, kd_failure *out_why)
{
    kd_status status = check_count(desc, args, n_args, out_why);
    return status ? status : check_all(desc, args, out_why);
}

/* ---- launch ---- */

static void pack(const kd_kernel_desc *desc, const kd_arg *args, unsigned char *out)
{
    for (uint32_t i = 0; i < desc->n_args; i++) {
        const kd_kernel_arg *want = &desc->args[i];
        uint64_t bits = want->is_pointer ? (uintptr_t)args[i].ptr : scalar_bits(want, &args[i]);
        memcpy(out + want->offset_bytes, &bits, want->size_bytes); /* little-endian: the low bytes come first */
    }
}

kd_status kd_kernel_launch(kd_queue *queue, kd_kernel *kernel, const uint32_t grid[3], const kd_arg *args, unsigned n_args,
                           kd_event **out_done)
{
    if (!queue || !kernel || !grid)
        return KD_ERR_ARGUMENT;
    kd_device *device = queue->device;
    const kd_kernel_desc *desc = kernel->desc;
    if (kernel->device != device)
        return kd_fail(kd_device_why(device), KD_ERR_ARGUMENT, "kernel '%s' was loaded on another device", desc->name);
    kd_failure why;
    kd_status status = kd_kernel_args_check(desc, args, n_args, &why);
    if (status) /* the thread's own place for it is looked up only now: a launch is to be cheap */
        return kd_fail(kd_device_why(device), status, "%s", why.text);
    uint64_t n_programs = (uint64_t)grid[0] * grid[1]; /* of 32-bit numbers: fits */
    if (__builtin_mul_overflow(n_programs, (uint64_t)grid[2], &n_programs) || n_programs > INT64_MAX)
        return kd_fail(kd_device_why(device), KD_ERR_ARGUMENT,
                       "the grid of kernel '%s' has %u x %u x %u programs, more than 2^63 - 1", desc->name, grid[0], grid[1],
                       grid[2]);
    if (n_programs == 0 && !out_done)
        return KD_OK;
    _Alignas(64) unsigned char on_stack[512] = {0}; /* zero: no stray bytes between the arguments */
    unsigned char *packed = on_stack;
    if (desc->args_size_bytes > sizeof on_stack && !(packed = calloc(1, desc->args_size_bytes)))
        return kd_fail(kd_device_why(device), KD_ERR_MEMORY, "no memory for the arguments of kernel '%s'", desc->name);
    pack(desc, args, packed);
    status = device->ops->kernel_launch(queue, kernel, grid, n_programs, packed, out_done);
    if (packed != on_stack)
        free(packed);
    return status;
}
