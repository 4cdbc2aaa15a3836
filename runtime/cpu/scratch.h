/* scratch.h - memory that one thread uses while it runs kernels. */
#ifndef KD_RUNTIME_CPU_SCRATCH_H
#define KD_RUNTIME_CPU_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialized: nothing yet. */
typedef struct kd_scratch {
    void *data; /* n_bytes of memory, aligned to 64; an inaccessible page follows */
    size_t n_bytes;
    void *mapping;
    size_t mapping_bytes;
} kd_scratch;

/* Makes room for n_bytes; the content is lost where it grows. False: no memory, and the old room is gone. */
bool kd_scratch_reserve(kd_scratch *scratch, size_t n_bytes);
void kd_scratch_release(kd_scratch *scratch);

#endif
