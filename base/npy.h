/* npy.h - NumPy's .npy files: one array each, little-endian.
 *
 * Types that NumPy lacks travel as others of their width: bf16 as '|V2' (raw bytes), fp8 as 'u1'; the reader of the file says what
 * they are (kd_npy_retype). Source: numpy/lib/format.py, format versions 1.0, 2.0 and 3.0. */
#ifndef KD_BASE_NPY_H
#define KD_BASE_NPY_H

#include "base/failure.h"
#include "base/kernel_desc.h"

enum { KD_NPY_MAX_DIMS = 32 };

typedef struct kd_npy {
    char descr[16]; /* the file's element type as NumPy spells it: "<f4", "|V2" */
    bool has_type;  /* false: raw bytes, item_bytes to an element, until kd_npy_retype */
    kd_scalar type; /* b1 is i1 */
    unsigned item_bytes;
    unsigned n_dims; /* 0: a single value */
    uint64_t shape[KD_NPY_MAX_DIMS];
    uint64_t n_elems; /* 1 where n_dims is 0 */
    size_t n_bytes;
    void *data; /* row-major, whatever the file's order; aligned to 64; never NULL */
} kd_npy;

/* Frees what a read gave, and clears it. */
void kd_npy_release(kd_npy *npy);

/* KD_ERR_DAMAGED: not an .npy file, cut off, or followed by other bytes.  KD_ERR_UNSUPPORTED: an element type or byte order that
 * kdsl has no use for.  KD_ERR_NOT_FOUND, KD_ERR_IO, KD_ERR_MEMORY. */
kd_status kd_npy_read(const char *path, kd_npy *out, kd_failure *out_why);

/* The same from memory; name stands for the path in failures. */
kd_status kd_npy_parse(const void *bytes, size_t n_bytes, const char *name, kd_npy *out, kd_failure *out_why);

/* Takes the bytes for elements of another type of the same width. KD_ERR_ARGUMENT: the widths differ. */
kd_status kd_npy_retype(kd_npy *npy, kd_scalar type, kd_failure *out_why);

/* Writes a row-major array at once, as kd_file_write does; data may be NULL where there are no elements. */
kd_status kd_npy_write(const char *path, kd_scalar type, unsigned n_dims, const uint64_t *shape, const void *data,
                       kd_failure *out_why);

#endif
