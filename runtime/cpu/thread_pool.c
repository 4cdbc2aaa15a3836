/* thread_pool.c - chunks of a grid, claimed by whoever is free.
 *
 * A running kernel has a slot of the pool, which lives as long as the pool, so that a worker that comes late finds no dangling
 * pointer. The slot's state is one word: a generation, which makes each use of the slot different, and the number of chunks that
 * nobody has claimed. A worker that counts it down by compare-and-swap owns a chunk, and only then reads the rest of the slot: the
 * caller does not leave before that chunk is done. A worker that is put aside anywhere else holds nothing.
 *
 * Small grids: waking a sleeping worker costs the caller a system call, and the worker tens of microseconds. So the caller begins
 * alone where the last launch of the kernel says that all of it takes less, and shares what is left if it takes longer this time.
 */
#include "runtime/cpu/thread_pool.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <xmmintrin.h>

enum {
    N_SLOTS = 64,          /* kernels at the same time that workers help with; one bit each in kd_pool.used */
    CHUNKS_PER_THREAD = 8, /* so that the last chunks of unequal ones end at about the same time */
    CHUNK_BITS = 16,
    MAX_CHUNKS = (1 << CHUNK_BITS) - 1,
    WAKE_AT_ONCE = 2, /* each woken worker wakes as many again: waking all costs the caller a call for each */
    WORKER_STACK_BYTES = 2 << 20,
};
/* Nanoseconds. Measured on 2 cores of an EPYC in a virtual machine, where a wake-up is slow; the commits that set them have figures. */
enum {
    MIN_CHUNK_NS = 5000, /* claiming a chunk costs 20 to 200 ns */
    ALONE_NS = 8000, /* a grid that takes less is not worth another thread's help */
    ALONE_ASLEEP_NS =
        45000, /* nor one that takes less than this where all are asleep: waking takes 20000, 7000 of them the caller's */
    BUSY_NS = 50000, /* but where the last kernel ended less than this ago, more will follow, and workers stay awake */
    WORKER_SPIN_NS = 20000, /* how long a worker without work looks for more before it sleeps */
    CALLER_SPIN_NS = 5000, /* how long the caller watches the last chunks before it sleeps */
};
#define DEFAULT_MXCSR 0x1f80u /* round to nearest, subnormals kept, no exceptions: what kernels are compiled for */

typedef struct slot {
    _Alignas(64) _Atomic uint64_t state; /* generation << CHUNK_BITS | chunks that nobody claimed */
    _Atomic size_t scratch_bytes; /* read before claiming: a worker without memory does not claim */
    _Alignas(64) _Atomic uint32_t n_done; /* chunks; the caller sleeps on it */
    _Atomic uint32_t caller_sleeps;
    _Atomic uint32_t failed;
    /* Fixed while chunks are left or running: */
    _Alignas(64) kd_cpu_entry *entry;
    const void *args;
    const uint32_t *grid;
    uint64_t first, n_programs; /* the chunks divide these among them */
    uint32_t n_chunks;
    kd_scratch scratch; /* of the caller */
} slot;

typedef struct worker {
    kd_pool *pool;
    pthread_t thread;
    _Atomic int cpu; /* where it fell asleep */
    kd_scratch scratch;
} worker;

struct kd_pool {
    slot slots[N_SLOTS];
    _Alignas(64) _Atomic uint64_t used; /* slots that have a caller */
    _Atomic uint64_t shared; /* those of them that workers may look at */
    _Alignas(64) _Atomic uint32_t epoch; /* counts what workers should look at; they sleep on it */
    _Atomic uint32_t n_sleeping, stop;
    _Atomic uint64_t last_end_ns; /* of the last kernel */
    _Atomic int caller_cpu; /* where the last caller ran: a worker there takes its time if it spins */
    _Atomic uint32_t n_workers, is_growing;
    unsigned n_threads;
    cpu_set_t processors;
    bool has_processors;
    worker *workers; /* n_threads - 1 */
    /* A page that the system clears in a child process: 0 means that the workers are in another process. */
    _Atomic uint32_t *life;
    bool life_is_wiped; /* else the process id tells */
    _Atomic int owner;
};

enum { LIFE_FORKED, LIFE_BEING_RESET, LIFE_GOOD };

/* ---- waiting ---- */

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int n)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Waits for *word to become other than value. False: it did not within the time. */
static bool spin_while(_Atomic uint32_t *word, uint32_t value, uint64_t limit_ns)
{
    uint64_t end = now_ns() + limit_ns;
    do {
        for (int i = 0; i < 32; i++) {
            if (atomic_load_explicit(word, memory_order_acquire) != value)
                return true;
            _mm_pause();
        }
    } while (now_ns() < end);
    return false;
}

/* ---- chunks ---- */

/* Takes a chunk. 0: none is left, or no memory for it; else the chunk's number from 1. */
static uint32_t claim(slot *s, kd_scratch *scratch)
{
    uint64_t state = atomic_load_explicit(&s->state, memory_order_acquire);
    while (state & MAX_CHUNKS) {
        if (!kd_scratch_reserve(scratch, atomic_load_explicit(&s->scratch_bytes, memory_order_relaxed)))
            return 0;
        if (atomic_compare_exchange_weak_explicit(&s->state, &state, state - 1, memory_order_acq_rel, memory_order_acquire))
            return (uint32_t)(state & MAX_CHUNKS);
    }
    return 0;
}

/* Runs a claimed chunk, and returns how many program instances it had. After the last line the slot may belong to another kernel.
 */
static uint64_t run_chunk(slot *s, uint32_t number, kd_scratch *scratch)
{
    uint32_t n_chunks = s->n_chunks, index = n_chunks - number;
    uint64_t each = s->n_programs / n_chunks, rest = s->n_programs % n_chunks; /* the first rest chunks have one more */
    uint64_t begin = s->first + index * each + (index < rest ? index : rest), n = each + (index < rest);
    if (!atomic_load_explicit(&s->failed, memory_order_relaxed) && s->entry(s->args, s->grid, begin, begin + n, scratch->data))
        atomic_store_explicit(&s->failed, 1, memory_order_relaxed);
    if (atomic_fetch_add(&s->n_done, 1) + 1 == n_chunks && atomic_load(&s->caller_sleeps))
        futex_wake(&s->n_done, 1);
    return n;
}

/* ---- workers ---- */

static void wake_workers(kd_pool *pool)
{
    if (atomic_load(&pool->n_sleeping))
        futex_wake(&pool->epoch, WAKE_AT_ONCE);
}

/* Helps with one kernel as long as it has chunks. False: it had none. */
static bool help(kd_pool *pool, slot *s, kd_scratch *scratch)
{
    uint32_t number = claim(s, scratch);
    if (!number)
        return false;
    if (number > 1)
        wake_workers(pool);
    do
        run_chunk(s, number, scratch);
    while ((number = claim(s, scratch)));
    return true;
}

static bool help_all(kd_pool *pool, kd_scratch *scratch)
{
    bool helped = false;
    for (uint64_t left = atomic_load_explicit(&pool->shared, memory_order_acquire); left; left &= left - 1)
        helped |= help(pool, &pool->slots[__builtin_ctzll(left)], scratch);
    return helped;
}

/* The system often wakes a worker on the processor of the thread that woke it (Linux does not look for an idle one when the others
 * were busy a moment ago), where it takes the time that it should save. So a worker that finds itself there leaves that processor to the
 * caller, for this launch and those that follow from there. */
static void send_away(kd_pool *pool, pthread_t thread, int cpu)
{
    cpu_set_t others = pool->processors;
    CPU_CLR(cpu, &others);
    if (pool->has_processors && CPU_COUNT(&others) > 0)
        pthread_setaffinity_np(thread, sizeof others, &others);
}

static int keep_out_of_the_way(kd_pool *pool)
{
    int cpu = sched_getcpu();
    if (cpu >= 0 && cpu < CPU_SETSIZE && cpu == atomic_load_explicit(&pool->caller_cpu, memory_order_relaxed))
        send_away(pool, pthread_self(), cpu);
    return cpu;
}

/* And a caller that has moved to where a worker sleeps, and may only run there now, sends it away before it wakes. */
static void take_processor(kd_pool *pool)
{
    int cpu = sched_getcpu();
    if (cpu < 0 || cpu >= CPU_SETSIZE || atomic_exchange_explicit(&pool->caller_cpu, cpu, memory_order_relaxed) == cpu)
        return;
    for (unsigned i = 0; i < atomic_load(&pool->n_workers); i++)
        if (atomic_load_explicit(&pool->workers[i].cpu, memory_order_relaxed) == cpu)
            send_away(pool, pool->workers[i].thread, cpu);
}

static void *worker_main(void *user)
{
    worker *w = user;
    kd_pool *pool = w->pool;
    _mm_setcsr(DEFAULT_MXCSR);
    while (!atomic_load(&pool->stop)) {
        uint32_t epoch = atomic_load(&pool->epoch);
        int cpu = keep_out_of_the_way(pool);
        if (help_all(pool, &w->scratch) || spin_while(&pool->epoch, epoch, WORKER_SPIN_NS))
            continue;
        atomic_store_explicit(&w->cpu, cpu, memory_order_relaxed);
        atomic_fetch_add(&pool->n_sleeping, 1);
        if (!atomic_load(&pool->stop))
            futex_wait(&pool->epoch, epoch); /* returns at once where there is news since */
        atomic_fetch_sub(&pool->n_sleeping, 1);
    }
    return NULL;
}

/* The signals that the program's own threads handle stay theirs; those of a fault come where the fault is. */
static void block_signals(sigset_t *out_old)
{
    static const int FAULTS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t set;
    sigfillset(&set);
    for (unsigned i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++)
        sigdelset(&set, FAULTS[i]);
    pthread_sigmask(SIG_SETMASK, &set, out_old);
}

/* Starts workers until there are n. Where the system gives no more threads, fewer do the work. */
static void grow(kd_pool *pool, unsigned n)
{
    if (n > pool->n_threads - 1)
        n = pool->n_threads - 1;
    if (atomic_load(&pool->n_workers) >= n || atomic_exchange(&pool->is_growing, 1))
        return;
    sigset_t old;
    block_signals(&old);
    pthread_attr_t attr;
    bool has_attr = pthread_attr_init(&attr) == 0;
    if (has_attr) {
        pthread_attr_setstacksize(&attr, WORKER_STACK_BYTES);
        if (pool->has_processors)
            pthread_attr_setaffinity_np(&attr, sizeof pool->processors, &pool->processors);
    }
    for (unsigned i = atomic_load(&pool->n_workers); i < n; i++) {
        worker *w = &pool->workers[i];
        w->pool = pool;
        atomic_store(&w->cpu, -1);
        if (pthread_create(&w->thread, has_attr ? &attr : NULL, worker_main, w))
            break;
        pthread_setname_np(w->thread, "kdsl");
        atomic_store(&pool->n_workers, i + 1);
    }
    if (has_attr)
        pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    atomic_store(&pool->is_growing, 0);
}

/* ---- the pool ---- */

static void set_up_life(kd_pool *pool)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *life = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pool->life = life == MAP_FAILED ? NULL : life;
    pool->life_is_wiped = pool->life && madvise(life, page, MADV_WIPEONFORK) == 0;
    if (pool->life)
        atomic_store(pool->life, LIFE_GOOD);
    atomic_store(&pool->owner, (int)getpid());
}

kd_status kd_pool_create(unsigned n_threads, kd_pool **out_pool)
{
    if (n_threads == 0)
        n_threads = 1;
    kd_pool *pool = aligned_alloc(_Alignof(kd_pool), sizeof *pool);
    if (!pool)
        return KD_ERR_MEMORY;
    memset(pool, 0, sizeof *pool);
    pool->n_threads = n_threads;
    atomic_store(&pool->caller_cpu, -1);
    pool->workers = calloc(n_threads, sizeof *pool->workers);
    set_up_life(pool);
    if (!pool->workers || !pool->life) {
        kd_pool_destroy(pool);
        return KD_ERR_MEMORY;
    }
    pool->has_processors = sched_getaffinity(0, sizeof pool->processors, &pool->processors) == 0;
    *out_pool = pool;
    return KD_OK;
}

unsigned kd_pool_n_threads(const kd_pool *pool)
{
    return pool->n_threads;
}

static void release_scratch(kd_pool *pool)
{
    for (unsigned i = 0; i < N_SLOTS; i++)
        kd_scratch_release(&pool->slots[i].scratch);
    for (unsigned i = 0; pool->workers && i + 1 < pool->n_threads; i++)
        kd_scratch_release(&pool->workers[i].scratch);
}

/* In a child process: the workers are gone, and what they and other threads were doing is over. */
static void reset_after_fork(kd_pool *pool)
{
    release_scratch(pool);
    for (unsigned i = 0; i < N_SLOTS; i++)
        atomic_store(&pool->slots[i].state, 0);
    atomic_store(&pool->used, 0);
    atomic_store(&pool->shared, 0);
    atomic_store(&pool->n_sleeping, 0);
    atomic_store(&pool->n_workers, 0);
    atomic_store(&pool->is_growing, 0);
    atomic_store(&pool->owner, (int)getpid());
}

static bool is_in_another_process(kd_pool *pool)
{
    if (pool->life_is_wiped)
        return atomic_load_explicit(pool->life, memory_order_acquire) != LIFE_GOOD;
    return atomic_load(&pool->owner) != (int)getpid();
}

static void adopt(kd_pool *pool)
{
    uint32_t forked = LIFE_FORKED;
    if (!pool->life_is_wiped) /* without the page, two threads of a child that launch first at once are not told apart */
        reset_after_fork(pool);
    else if (atomic_compare_exchange_strong(pool->life, &forked, LIFE_BEING_RESET)) {
        reset_after_fork(pool);
        atomic_store(pool->life, LIFE_GOOD);
    } else
        while (atomic_load(pool->life) != LIFE_GOOD)
            sched_yield();
}

void kd_pool_destroy(kd_pool *pool)
{
    if (!pool)
        return;
    if (pool->life && !is_in_another_process(pool)) {
        atomic_store(&pool->stop, 1);
        atomic_fetch_add(&pool->epoch, 1);
        futex_wake(&pool->epoch, INT_MAX);
        for (unsigned i = 0; i < atomic_load(&pool->n_workers); i++)
            pthread_join(pool->workers[i].thread, NULL);
    }
    release_scratch(pool);
    if (pool->life)
        munmap((void *)pool->life, (size_t)sysconf(_SC_PAGESIZE));
    free(pool->workers);
    free(pool);
}

/* ---- teams ---- */

kd_status kd_team_create(unsigned n_threads, kd_team **out_team)
{
    kd_team *team = calloc(1, sizeof *team);
    kd_scratch *scratch = calloc(n_threads, sizeof *scratch);
    if (!team || !scratch) {
        free(team);
        free(scratch);
        return KD_ERR_MEMORY;
    }
    *team = (kd_team){.n_threads = n_threads, .scratch = scratch};
    *out_team = team;
    return KD_OK;
}

void kd_team_destroy(kd_team *team)
{
    for (unsigned i = 0; team && i < team->n_threads; i++)
        kd_scratch_release(&team->scratch[i]);
    if (team)
        free(team->scratch);
    free(team);
}

/* ---- running ---- */

static slot *slot_take(kd_pool *pool)
{
    uint64_t used = atomic_load_explicit(&pool->used, memory_order_relaxed);
    while (~used) {
        int i = __builtin_ctzll(~used);
        if (atomic_compare_exchange_weak_explicit(&pool->used, &used, used | 1ull << i, memory_order_acquire, memory_order_relaxed))
            return &pool->slots[i];
    }
    return NULL;
}

static void slot_give_back(kd_pool *pool, slot *s)
{
    atomic_fetch_and_explicit(&pool->used, ~(1ull << (s - pool->slots)), memory_order_release);
}

/* What one launch of a kernel has learnt about its speed. */
typedef struct pace {
    uint64_t n_programs, time_ns; /* of the calling thread */
    uint64_t end_ns; /* when it had no more to do */
} pace;

/* Runs program instances on the calling thread only, from *first on, until all are done, one fails, or time is up. The steps grow,
 * so that the clock costs little and yet a kernel that got slower since the last launch is noticed early. */
static bool run_alone(const kd_pool_work *work, void *scratch, uint64_t limit_ns, uint64_t *first, pace *pace)
{
    uint64_t begin_ns = now_ns(), step = limit_ns == UINT64_MAX ? work->n_programs : 1;
    bool failed = false;
    while (*first < work->n_programs && !failed && pace->time_ns < limit_ns) {
        uint64_t n = work->n_programs - *first < step ? work->n_programs - *first : step;
        failed = work->entry(work->args, work->grid, *first, *first + n, scratch) != 0;
        *first += n;
        pace->n_programs += n;
        pace->end_ns = now_ns();
        pace->time_ns = pace->end_ns - begin_ns;
        step *= 2;
    }
    return failed;
}

static unsigned n_threads(const kd_pool *pool, const kd_pool_work *work)
{
    return work->team ? work->team->n_threads : pool->n_threads;
}

static uint32_t choose_n_chunks(const kd_pool *pool, const kd_pool_work *work, uint64_t n_programs)
{
    uint64_t threads = n_threads(pool, work), n = threads * CHUNKS_PER_THREAD;
    if (work->program_ps) {
        uint64_t programs_each = MIN_CHUNK_NS * 1000ull / work->program_ps + 1, most = n_programs / programs_each;
        if (n > most)
            n = most > threads ? most : threads;
    }
    if (n > n_programs)
        n = n_programs;
    return (uint32_t)(n > MAX_CHUNKS ? MAX_CHUNKS : n);
}

static void wait_for_workers(slot *s)
{
    uint32_t done;
    while ((done = atomic_load(&s->n_done)) != s->n_chunks) {
        if (spin_while(&s->n_done, done, CALLER_SPIN_NS))
            continue;
        atomic_store(&s->caller_sleeps, 1);
        futex_wait(&s->n_done, done); /* returns at once where a chunk is done since */
        atomic_store(&s->caller_sleeps, 0);
    }
}

/* Claims chunks until none is left, the first one being claimed already. */
static void run_chunks(slot *s, uint32_t number, kd_scratch *scratch, pace *pace)
{
    uint64_t begin_ns = now_ns(), n_programs = 0;
    do
        n_programs += run_chunk(s, number, scratch);
    while ((number = claim(s, scratch)));
    pace->n_programs += n_programs;
    pace->end_ns = now_ns();
    pace->time_ns += pace->end_ns - begin_ns;
}

typedef struct team_work {
    slot *slot;
    const kd_team *team;
    pace *pace;
} team_work;

static void help_as_team(void *arg, unsigned index)
{
    const team_work *w = arg;
    unsigned mxcsr = _mm_getcsr();
    _mm_setcsr(DEFAULT_MXCSR);
    if (index == 0)
        run_chunks(w->slot, w->slot->n_chunks, &w->slot->scratch, w->pace);
    else
        for (uint32_t number; (number = claim(w->slot, &w->team->scratch[index]));)
            run_chunk(w->slot, number, &w->team->scratch[index]);
    _mm_setcsr(mxcsr);
}

/* Shares the program instances from first on with the workers, or a team. */
static bool run_shared(kd_pool *pool, slot *s, const kd_pool_work *work, uint64_t first, pace *pace)
{
    uint64_t bit = 1ull << (s - pool->slots), generation = atomic_load_explicit(&s->state, memory_order_relaxed) >> CHUNK_BITS;
    s->entry = work->entry;
    s->args = work->args;
    s->grid = work->grid;
    s->first = first;
    s->n_programs = work->n_programs - first;
    s->n_chunks = choose_n_chunks(pool, work, s->n_programs);
    atomic_store_explicit(&s->scratch_bytes, work->scratch_bytes, memory_order_relaxed);
    atomic_store_explicit(&s->n_done, 0, memory_order_relaxed);
    atomic_store_explicit(&s->failed, 0, memory_order_relaxed);
    uint32_t number = s->n_chunks; /* the caller's first: it always learns how long one takes */
    atomic_store_explicit(&s->state, (generation + 1) << CHUNK_BITS | (number - 1), memory_order_release);
    if (work->team) {
        work->team->run(work->team, help_as_team, &(team_work){s, work->team, pace});
        return atomic_load(&s->failed) != 0;
    }
    take_processor(pool);
    grow(pool, number - 1);
    atomic_fetch_or(&pool->shared, bit);
    atomic_fetch_add(&pool->epoch, 1);
    if (number > 1)
        wake_workers(pool);
    run_chunks(s, number, &s->scratch, pace);
    wait_for_workers(s);
    atomic_fetch_and(&pool->shared, ~bit);
    return atomic_load(&s->failed) != 0;
}

/* More kernels at once than the pool has slots for: no workers, and memory of its own. */
static kd_status run_without_slot(const kd_pool_work *work, bool *out_failed)
{
    kd_scratch scratch = {0};
    pace pace = {0};
    uint64_t first = 0;
    if (!kd_scratch_reserve(&scratch, work->scratch_bytes))
        return KD_ERR_MEMORY;
    *out_failed = run_alone(work, scratch.data, UINT64_MAX, &first, &pace);
    kd_scratch_release(&scratch);
    return KD_OK;
}

/* Whether other threads are worth calling for a kernel that is expected to take time_ps on one. */
static bool is_worth_sharing(kd_pool *pool, const kd_pool_work *work, uint64_t time_ps)
{
    if (time_ps < ALONE_NS * 1000ull)
        return false;
    if (work->team)
        return true;
    bool all_sleep = atomic_load_explicit(&pool->n_sleeping, memory_order_relaxed) >=
                     atomic_load_explicit(&pool->n_workers, memory_order_relaxed);
    if (!all_sleep || time_ps >= ALONE_ASLEEP_NS * 1000ull)
        return true;
    return now_ns() - atomic_load_explicit(&pool->last_end_ns, memory_order_relaxed) < BUSY_NS;
}

static uint64_t expected_ps(const kd_pool_work *work)
{
    uint64_t ps;
    bool unknown = !work->program_ps || __builtin_mul_overflow(work->program_ps, work->n_programs, &ps);
    return unknown ? UINT64_MAX : ps;
}

static kd_status run_in_slot(kd_pool *pool, slot *s, kd_pool_work *work, bool *out_failed)
{
    if (!kd_scratch_reserve(&s->scratch, work->scratch_bytes))
        return KD_ERR_MEMORY;
    pace pace = {0};
    uint64_t first = 0;
    bool failed = false, may_share = n_threads(pool, work) > 1 && work->n_programs > 1;
    if (!may_share || !is_worth_sharing(pool, work, expected_ps(work)))
        failed = run_alone(work, s->scratch.data, may_share ? 2 * ALONE_ASLEEP_NS : UINT64_MAX, &first, &pace);
    if (!failed && first < work->n_programs)
        failed = run_shared(pool, s, work, first, &pace);
    if (pace.n_programs && !failed) {
        uint64_t ps = (uint64_t)((double)pace.time_ns * 1000 / (double)pace.n_programs);
        work->program_ps = ps ? ps : 1;
    }
    atomic_store_explicit(&pool->last_end_ns, pace.end_ns, memory_order_relaxed);
    *out_failed = failed;
    return KD_OK;
}

kd_status kd_pool_run(kd_pool *pool, kd_pool_work *work, bool *out_failed)
{
    *out_failed = false;
    if (work->n_programs == 0)
        return KD_OK;
    if (is_in_another_process(pool))
        adopt(pool);
    unsigned mxcsr = _mm_getcsr();
    if (mxcsr != DEFAULT_MXCSR)
        _mm_setcsr(DEFAULT_MXCSR);
    slot *s = slot_take(pool);
    kd_status status = s ? run_in_slot(pool, s, work, out_failed) : run_without_slot(work, out_failed);
    if (s)
        slot_give_back(pool, s);
    if (mxcsr != DEFAULT_MXCSR)
        _mm_setcsr(mxcsr);
    return status;
}
