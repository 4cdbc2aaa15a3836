/* ahead.h - kernels that other threads compile while the calling one makes an executable's primitives.
 *
 *     ahead = kd_ahead_start(&options, requests, n, 1);
 *     status = kd_ahead_take(ahead, i, &compiled);       // KD_ERR_NOT_FOUND: nobody has begun with it, so the caller compiles it
 *     kd_ahead_destroy(ahead);
 */
#ifndef KD_GRAPH_AHEAD_H
#define KD_GRAPH_AHEAD_H

#include "dsl/kdsl.h"

typedef struct kd_ahead kd_ahead;

/* The requests, and what they point to, must stay. NULL: no thread could be started, or memory ran out. */
kd_ahead *kd_ahead_start(const kd_compiler_options *options, const kd_compile_request *requests, unsigned n, unsigned n_threads);
/* Each request once; waits where a thread has begun with it. What has failed there is not found either: who compiles it again learns why. */
kd_status kd_ahead_take(kd_ahead *ahead, unsigned i, kd_compiled **out_compiled);
/* Waits for what has begun. ahead may be NULL. */
void kd_ahead_destroy(kd_ahead *ahead);

#endif
