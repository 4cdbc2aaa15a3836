/* processors.h - what the machine offers to this process. */
#ifndef KD_RUNTIME_CPU_PROCESSORS_H
#define KD_RUNTIME_CPU_PROCESSORS_H

#include "base/failure.h"

#include <stddef.h>
#include <stdint.h>

enum { KD_MAX_THREADS = 4096 };

/* $KDSL_NUM_THREADS, or the processors that the calling thread may run on, less where a container may not use all of their time.
 * KD_ERR_ARGUMENT: the variable is no number from 1 to KD_MAX_THREADS. */
kd_status kd_processors_count(unsigned *out_n, kd_failure *out_why);
/* The processor's name as it gives it, without padding. */
void kd_processor_name(char *out, size_t n_out);
uint64_t kd_memory_bytes(void);

#endif
