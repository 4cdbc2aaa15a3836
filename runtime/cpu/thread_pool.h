/* thread_pool.h - runs the program instances of a kernel on several threads.
 *
 * The calling thread claims chunks of the grid like any worker, and at the end waits only for chunks that a worker has begun: a
 * worker that the system has put aside delays nobody. Several threads may run kernels at the same time, and a process that forked
 * may go on using the pool: the child starts workers of its own. Which thread runs what does not change what a program instance
 * computes. */
#ifndef KD_RUNTIME_CPU_THREAD_POOL_H
#define KD_RUNTIME_CPU_THREAD_POOL_H

#include "base/kernel_desc.h"
#include "base/status.h"
#include "runtime/cpu/scratch.h"

typedef struct kd_pool kd_pool;

/* n_threads counts the calling thread: 1 never starts a worker. Workers start when there is work for them, and may run on the
 * processors that the thread that makes the pool may run on. KD_ERR_MEMORY. */
kd_status kd_pool_create(unsigned n_threads, kd_pool **out_pool);
/* No kernel is running. */
void kd_pool_destroy(kd_pool *pool);
unsigned kd_pool_n_threads(const kd_pool *pool);

/* Threads of another library, which run kernels in the pool's place: where one program alternates between two pools, the workers of
 * each take the processors of the other's while they wait for more. */
typedef struct kd_team {
    /* Calls work(arg, index) on each thread, the caller among them, and returns when all have returned. index is below n_threads. */
    void (*run)(const struct kd_team *team, void (*work)(void *arg, unsigned index), void *arg);
    void *user;
    unsigned n_threads;
    kd_scratch *scratch; /* of each thread */
} kd_team;

/* KD_ERR_MEMORY. */
kd_status kd_team_create(unsigned n_threads, kd_team **out_team);
void kd_team_destroy(kd_team *team);

typedef struct kd_pool_work {
    kd_cpu_entry *entry;
    const void *args;
    const uint32_t *grid; /* 3 extents */
    uint64_t n_programs;  /* their product */
    size_t scratch_bytes; /* for each thread */
    /* How long one program instance took the last time, in picoseconds, 0: unknown. Decides whether waking workers is worth it. */
    uint64_t program_ps;
    const kd_team *team; /* NULL: the pool's workers */
} kd_pool_work;

/* Runs all program instances and writes the measured time back to work->program_ps. *out_failed: a device_assert failed, and some
 * instances did not run. KD_ERR_MEMORY: no scratch memory; nothing ran. */
kd_status kd_pool_run(kd_pool *pool, kd_pool_work *work, bool *out_failed);

#endif
