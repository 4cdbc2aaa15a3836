/* array.h - the arrays that 'kdsl run' makes, reads, compares and saves. */
#ifndef KD_CLI_ARRAY_H
#define KD_CLI_ARRAY_H

#include "base/arena.h"
#include "base/failure.h"
#include "base/kernel_desc.h"
#include "base/str.h"
#include "cli/cli.h"

#include <stdio.h>

enum { KD_ARRAY_MAX_DIMS = 32 };

/* Row-major. data is malloc'ed. */
typedef struct kd_array {
    kd_scalar type;
    unsigned n_dims;
    uint64_t shape[KD_ARRAY_MAX_DIMS];
    uint64_t n_elems;
    size_t n_bytes;
    void *data;
    void *owned; /* for free() */
} kd_array;

void kd_array_release(kd_array *array);

/* Whether a VALUE of the command line is an array: "@x.npy", "zeros:f32[8]", "rand(seed=1):f32[8]". */
bool kd_array_is_value(const char *text);

/* How an extent or a generator's number is evaluated: Python's expression over the other arguments. False: reported. */
typedef bool kd_array_eval(void *user, kd_str text, double *out);

/* Makes the array that a VALUE describes. seed: for generators without one of their own. KD_ERR_ARGUMENT with the sentence for text that
 * makes no sense; statuses of kd_npy_read for files; KD_ERR_REPORTED where eval reported. */
kd_status kd_array_make(const char *text, uint64_t seed, kd_array_eval *eval, void *user, kd_array *out, kd_failure *out_why);

/* An element as a number (floats decoded), for people and comparisons. */
double kd_array_get(const kd_array *array, uint64_t i);

/* As NumPy would print it, shortened where it is long. */
void kd_array_print(const kd_array *array, const char *name, FILE *out);

typedef struct kd_array_difference {
    uint64_t n_different;
    uint64_t first;  /* linear index */
    double got, expected;
    double max_error; /* largest absolute difference of numbers */
} kd_array_difference;

typedef struct kd_tolerance {
    double rtol, atol;
} kd_tolerance;

/* For --expect NAME=PATH: |got - expected| <= atol + rtol * |expected|; NaN equals NaN; integers likewise. Reports what is wrong; *out says how
 * much where the exit status is KD_EXIT_OK or KD_EXIT_DIFFERS. */
kd_exit kd_array_expect(kd_arena *arena, const char *name, const kd_array *got, const char *path, kd_tolerance tolerance, kd_array_difference *out);

#endif
