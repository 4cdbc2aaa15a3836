/* queue_team.h - kernels of a queue on threads of another library. */
#ifndef KD_RUNTIME_CPU_QUEUE_TEAM_H
#define KD_RUNTIME_CPU_QUEUE_TEAM_H

#include "runtime/cpu/thread_pool.h"
#include "runtime/runtime.h"

/* Of the device cpu. The team outlives the queue, and runs one kernel at a time. */
void kd_cpu_queue_use_team(kd_queue *queue, const kd_team *team);

#endif
