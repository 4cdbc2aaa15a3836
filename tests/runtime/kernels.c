/* kernels.c - kernels as a code generator would make them, compiled in every way that the loader must understand (objects.py). */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL(name) int32_t name(const void *args, const uint32_t grid[3], uint64_t first, uint64_t last, void *scratch)

/* out[i] = x[i] + y[i], 64 elements a program */
KERNEL(add);
KERNEL(add)
{
    const struct {
        const float *x, *y;
        float *out;
        int32_t n;
    } *a = args;
    for (uint64_t p = first; p < last; p++)
        for (int64_t i = (int64_t)p * 64; i < (int64_t)p * 64 + 64 && i < a->n; i++)
            a->out[i] = a->x[i] + a->y[i];
    return 0;
}

/* out[p] = the program's three ids, as x + 1000 * (y + 1000 * z) */
KERNEL(ids);
KERNEL(ids)
{
    uint64_t *out = *(uint64_t *const *)args;
    for (uint64_t p = first; p < last; p++)
        out[p] = p % grid[0] + 1000 * (p / grid[0] % grid[1] + 1000 * (p / grid[0] / grid[1]));
    return 0;
}

/* Everything that needs a relocation: constants, tables of addresses, variables, common symbols, calls near and far. */
static const double table[] = {1.5, 2.5, 3.5, 4.5};
static int counter = 7;
static int zeros[1000];
int common_variable[10];
const char *const names[] = {"zero", "one", "two"};
__attribute__((noinline)) int near_function(int x);
int near_function(int x)
{
    return x * 3 + counter;
}
static int twice(int x)
{
    return 2 * x;
}
static int square(int x)
{
    return x * x;
}
static int (*const functions[])(int) = {near_function, twice, square};
int (*volatile function_pointer)(int) = square;
extern void nobody_has_this(void) __attribute__((weak));

__attribute__((noinline)) static int choose(int x)
{
    switch (x) { /* a jump table */
    case 0: return 10;
    case 1: return near_function(x);
    case 2: return 33;
    case 3: return zeros[5] + 1;
    case 4: return (int)strlen(names[2]);
    case 5: return 77;
    case 6: return twice(x);
    case 7: return abs(-9) + counter;
    default: return -1;
    }
}

extern __m128 _ZGVbN4v_expf(__m128);

KERNEL(relocations);
KERNEL(relocations)
{
    double *out = *(double *const *)args;
    float lanes[4];
    _mm_storeu_ps(lanes, _ZGVbN4v_expf(_mm_set1_ps(1.0f)));
    zeros[5] = 41;
    common_variable[3] = 5;
    out[0] = table[first & 3];
    out[1] = sin(out[0]) + exp2(out[0]);
    out[2] = functions[first % 3](4) + functions[(first + 1) % 3](4);
    out[3] = function_pointer(7);
    out[4] = 0;
    for (int i = 0; i < 9; i++)
        out[4] += choose(i);
    out[5] = lanes[0] + lanes[3];
    out[6] = common_variable[3] + zeros[5] + (nobody_has_this ? 1 : 0);
    out[7] = (names[1][0] == 'o') + (((uintptr_t)table & 7) == 0);
    return 0;
}

/* Fails in program 5. */
KERNEL(asserts);
KERNEL(asserts)
{
    uint8_t *ran = *(uint8_t *const *)args;
    for (uint64_t p = first; p < last; p++) {
        if (p == 5)
            return 1;
        ran[p] = 1;
    }
    return 0;
}

/* Fills its scratch memory, and says what it found wrong with it. */
KERNEL(uses_scratch);
KERNEL(uses_scratch)
{
    const struct {
        int32_t *out;
        uint64_t n_bytes;
    } *a = args;
    for (uint64_t p = first; p < last; p++) {
        int32_t wrong = ((uintptr_t)scratch & 63) != 0;
        unsigned char *s = scratch;
        memset(s, (int)(p & 255), a->n_bytes);
        for (uint64_t i = 0; i < a->n_bytes; i += 61)
            wrong += s[i] != (p & 255);
        a->out[p] = wrong;
    }
    return 0;
}

/* A sum whose result depends on the rounding mode and on subnormal numbers, and some work: n terms. */
KERNEL(sums);
KERNEL(sums)
{
    const struct {
        double *out;
        int32_t n;
    } *a = args;
    for (uint64_t p = first; p < last; p++) {
        double sum = 0x1p-1070 * (double)p;
        for (int32_t i = 1; i <= a->n; i++)
            sum += 1.0 / (double)(i + (int32_t)(p % 7));
        a->out[p] = sum + 0x1p-1070;
    }
    return 0;
}

/* Prints as device_print does. */
KERNEL(prints);
KERNEL(prints)
{
    printf("program %d of %u\n", (int)first, grid[0]);
    fflush(NULL);
    return 0;
}

KERNEL(empty);
KERNEL(empty)
{
    return 0;
}
