/* The thread pool: every program once, whatever the number of threads, callers and processes. */
#include "runtime/cpu/thread_pool.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmmintrin.h>

#include <cmocka.h>

#include "sanitizer_options.h"

/* ---- kernels ---- */

typedef struct count_args {
    _Atomic uint32_t *counts;
    unsigned work; /* rounds of idle arithmetic */
} count_args;

static int32_t count(const void *args, const uint32_t grid[3], uint64_t first, uint64_t last, void *scratch)
{
    const count_args *a = args;
    for (uint64_t p = first; p < last; p++) {
        for (volatile unsigned i = 0; i < a->work; i++)
            ;
        atomic_fetch_add(&a->counts[p], 1);
    }
    return 0;
}

typedef struct sums_args {
    double *out;
    int n;
} sums_args;

static int32_t sums(const void *args, const uint32_t grid[3], uint64_t first, uint64_t last, void *scratch)
{
    const sums_args *a = args;
    for (uint64_t p = first; p < last; p++) {
        double sum = 0;
        for (int i = 1; i <= a->n; i++)
            sum += 1.0 / (double)((uint64_t)i + p % 7);
        volatile double tiny = 0x1p-1070; /* 0 where subnormals are flushed */
        a->out[p] = sum + tiny * 4.0 / 0x1p-1070;
    }
    return 0;
}

static int32_t fails_at_100(const void *args, const uint32_t grid[3], uint64_t first, uint64_t last, void *scratch)
{
    count(args, grid, first, last, scratch);
    return first <= 100 && last > 100;
}

/* The scratch memory belongs to one thread at a time. */
static int32_t owns_scratch(const void *args, const uint32_t grid[3], uint64_t first, uint64_t last, void *scratch)
{
    const count_args *a = args;
    volatile uint64_t *words = scratch;
    for (uint64_t p = first; p < last; p++) {
        for (unsigned i = 0; i < 8; i++)
            words[i] = p;
        for (volatile unsigned i = 0; i < a->work; i++)
            ;
        bool good = (uintptr_t)scratch % 64 == 0;
        for (unsigned i = 0; i < 8; i++)
            good &= words[i] == p;
        atomic_fetch_add(&a->counts[p], good);
    }
    return 0;
}

/* ---- helpers ---- */

static kd_pool *make_pool(unsigned n_threads)
{
    kd_pool *pool = NULL;
    assert_int_equal(kd_pool_create(n_threads, &pool), KD_OK);
    assert_int_equal(kd_pool_n_threads(pool), n_threads);
    return pool;
}

static kd_status run(kd_pool *pool, kd_cpu_entry *entry, const void *args, uint64_t n, size_t scratch_bytes, uint64_t *program_ps,
                     bool *out_failed)
{
    uint32_t grid[3] = {(uint32_t)n, 1, 1};
    kd_pool_work work = {
        .entry = entry, .args = args, .grid = grid, .n_programs = n, .scratch_bytes = scratch_bytes, .program_ps = *program_ps};
    kd_status status = kd_pool_run(pool, &work, out_failed);
    *program_ps = work.program_ps;
    return status;
}

/* True: n programs ran, each once. */
static bool counts_are_right(kd_pool *pool, kd_cpu_entry *entry, uint64_t n, unsigned work, size_t scratch_bytes,
                             uint64_t *program_ps)
{
    count_args args = {calloc(n, sizeof *args.counts), work};
    bool failed = false, good = args.counts && !run(pool, entry, &args, n, scratch_bytes, program_ps, &failed) && !failed;
    for (uint64_t p = 0; good && p < n; p++)
        good = args.counts[p] == 1;
    free(args.counts);
    return good;
}

/* ---- tests ---- */

static void runs_every_program_once(void **state)
{
    static const uint64_t SIZES[] = {1, 2, 3, 7, 8, 15, 16, 17, 63, 64, 100, 1000, 4097, 100003};
    for (unsigned n_threads = 1; n_threads <= 9; n_threads += 2) {
        kd_pool *pool = make_pool(n_threads);
        for (unsigned i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
            uint64_t ps = 0;
            for (int round = 0; round < 4; round++) /* the first knows no speed; later ones may run alone */
                assert_true(counts_are_right(pool, count, SIZES[i], round == 2 ? 2000 : 0, 0, &ps));
            assert_true(ps > 0);
        }
        kd_pool_destroy(pool);
    }
    kd_pool_destroy(NULL);
}

static void gives_the_same_bits_for_any_number_of_threads(void **state)
{
    enum { N = 500 };
    static double want[N], got[N];
    unsigned old = _mm_getcsr();
    for (unsigned n_threads = 1; n_threads <= 5; n_threads++) {
        kd_pool *pool = make_pool(n_threads);
        for (int round = 0; round < 3; round++) {
            uint64_t ps = 0;
            bool failed;
            _mm_setcsr(round == 1 ? old | 0x8040 : round == 2 ? old | 0x6000 : old); /* flush to zero; round toward zero */
            unsigned mine = _mm_getcsr();
            kd_status status = run(pool, sums, &(sums_args){got, 1000}, N, 0, &ps, &failed);
            bool kept = _mm_getcsr() == mine;
            _mm_setcsr(old);
            assert_int_equal(status, KD_OK);
            assert_true(kept);
            if (n_threads == 1 && round == 0)
                memcpy(want, got, sizeof want);
            assert_memory_equal(want, got, sizeof want);
        }
        kd_pool_destroy(pool);
    }
}

static void stops_after_a_failure(void **state)
{
    enum { N = 100000 };
    kd_pool *pool = make_pool(3);
    count_args args = {calloc(N, sizeof *args.counts), 100};
    uint64_t ps = 0, n_ran = 0;
    bool failed = false;
    assert_int_equal(run(pool, fails_at_100, &args, N, 0, &ps, &failed), KD_OK);
    assert_true(failed);
    for (int p = 0; p < N; p++) {
        assert_true(args.counts[p] <= 1);
        n_ran += args.counts[p];
    }
    assert_true(n_ran < N);
    assert_true(counts_are_right(pool, count, 1000, 10, 0, &ps)); /* and goes on with the next */
    free(args.counts);
    kd_pool_destroy(pool);
}

static void keeps_scratch_apart(void **state)
{
    kd_pool *pool = make_pool(4);
    uint64_t ps = 0;
    for (size_t n_bytes = 64; n_bytes < 3 << 20; n_bytes = n_bytes * 3 + 1)
        assert_true(counts_are_right(pool, owns_scratch, 300, 500, n_bytes, &ps));
    bool failed = true;
    count_args args = {NULL, 0};
    assert_int_equal(run(pool, owns_scratch, &args, 10, SIZE_MAX - 100, &ps, &failed), KD_ERR_MEMORY);
    assert_false(failed);
    assert_int_equal(run(pool, owns_scratch, &args, 10, (size_t)1 << 50, &ps, &failed), KD_ERR_MEMORY);
    assert_true(counts_are_right(pool, owns_scratch, 300, 10, 64, &ps));
    kd_pool_destroy(pool);
}

typedef struct member {
    void (*work)(void *arg, unsigned index);
    void *arg;
    unsigned index;
} member;

static void *member_main(void *user)
{
    member *m = user;
    m->work(m->arg, m->index);
    return NULL;
}

/* A library whose threads are new each time. */
static void run_members(const kd_team *team, void (*work)(void *arg, unsigned index), void *arg)
{
    member members[4];
    pthread_t threads[4];
    ++*(unsigned *)team->user;
    for (unsigned i = 0; i < team->n_threads; i++)
        members[i] = (member){work, arg, i};
    for (unsigned i = 1; i < team->n_threads; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, member_main, &members[i]), 0);
    member_main(&members[0]);
    for (unsigned i = 1; i < team->n_threads; i++)
        pthread_join(threads[i], NULL);
}

static void runs_on_a_team(void **state)
{
    kd_pool *pool = make_pool(2);
    kd_team *team = NULL;
    unsigned n_runs = 0;
    assert_int_equal(kd_team_create(4, &team), KD_OK);
    team->run = run_members;
    team->user = &n_runs;
    enum { N = 1000 };
    count_args args = {calloc(N, sizeof *args.counts), 5000};
    uint32_t grid[3] = {N, 1, 1};
    for (uint32_t round = 1; round <= 3; round++) {
        kd_pool_work work = {.entry = owns_scratch, .args = &args, .grid = grid, .n_programs = N, .scratch_bytes = 4096, .team = team};
        bool failed = true;
        assert_int_equal(kd_pool_run(pool, &work, &failed), KD_OK);
        assert_false(failed);
        assert_int_equal(n_runs, round);
        for (unsigned p = 0; p < N; p++)
            assert_int_equal(args.counts[p], round);
    }
    free(args.counts);
    kd_team_destroy(team);
    kd_team_destroy(NULL);
    kd_pool_destroy(pool);
}

typedef struct caller {
    kd_pool *pool;
    unsigned n_rounds, salt;
    bool good;
} caller;

static void *caller_main(void *user)
{
    caller *c = user;
    uint64_t ps = 0;
    c->good = true;
    for (unsigned i = 0; i < c->n_rounds && c->good; i++)
        c->good = counts_are_right(c->pool, i % 3 ? count : owns_scratch, 1 + (i * 37 + c->salt) % 400, i % 5 * 60,
                                   128 + i % 7 * 4096, &ps);
    return NULL;
}

static void serves_many_callers(void **state)
{
    enum { N = 80 }; /* more than the pool has slots for */
    kd_pool *pool = make_pool(3);
    caller callers[N];
    pthread_t threads[N];
    for (unsigned i = 0; i < N; i++) {
        callers[i] = (caller){pool, 60, i, false};
        assert_int_equal(pthread_create(&threads[i], NULL, caller_main, &callers[i]), 0);
    }
    for (unsigned i = 0; i < N; i++) {
        pthread_join(threads[i], NULL);
        assert_true(callers[i].good);
    }
    kd_pool_destroy(pool);
}

static void child_has_workers_of_its_own(void **state)
{
    kd_pool *pool = make_pool(4);
    uint64_t ps = 0;
    for (int round = 0; round < 20; round++) {
        assert_true(counts_are_right(pool, count, 1000, round % 2 ? 200 : 0, 256, &ps));
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            uint64_t child_ps = 0;
            bool good = true;
            for (int i = 0; i < 5; i++)
                good &= counts_are_right(pool, owns_scratch, 1000, 200, 256 << i, &child_ps);
            if (round % 3 == 0)
                kd_pool_destroy(pool);
            _exit(good ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    pid_t child = fork();
    if (child == 0) {
        kd_pool_destroy(pool); /* never used there */
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(counts_are_right(pool, count, 1000, 200, 0, &ps));
    kd_pool_destroy(pool);
}

static void fork_while_others_run(void **state)
{
    kd_pool *pool = make_pool(3);
    caller callers[3];
    pthread_t threads[3];
    for (unsigned i = 0; i < 3; i++) {
        callers[i] = (caller){pool, 400, i, false};
        assert_int_equal(pthread_create(&threads[i], NULL, caller_main, &callers[i]), 0);
    }
    for (int round = 0; round < 10; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            caller c = {pool, 5, 1, false};
            pthread_t other;
            caller d = {pool, 5, 2, false};
            bool has_other = pthread_create(&other, NULL, caller_main, &d) == 0; /* two threads adopt the pool at once */
            caller_main(&c);
            if (has_other)
                pthread_join(other, NULL);
            _exit(c.good && (!has_other || d.good) ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_true(callers[i].good);
    }
    kd_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_every_program_once), cmocka_unit_test(gives_the_same_bits_for_any_number_of_threads),
        cmocka_unit_test(stops_after_a_failure),   cmocka_unit_test(keeps_scratch_apart),
        cmocka_unit_test(serves_many_callers),     cmocka_unit_test(child_has_workers_of_its_own),
        cmocka_unit_test(fork_while_others_run),
        cmocka_unit_test(runs_on_a_team),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
