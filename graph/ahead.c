/* ahead.c - threads that compile kernels, each with a compiler of its own. They take the first that nobody has begun with. */
#include "graph/ahead.h"

#include <pthread.h>
#include <stdlib.h>

typedef enum state { STATE_FREE, STATE_BEGUN, STATE_DONE } state;

typedef struct job {
    const kd_compile_request *request;
    state state;
    kd_compiled *compiled; /* NULL: it failed, or was taken */
} job;

enum { MAX_THREADS = 8 };

struct kd_ahead {
    pthread_mutex_t lock;
    pthread_cond_t done;
    kd_compiler_options options;
    job *jobs;
    unsigned n_jobs;
    bool ends;
    pthread_t threads[MAX_THREADS];
    unsigned n_threads;
};

static job *next_job(kd_ahead *ahead)
{
    for (unsigned i = 0; i < ahead->n_jobs && !ahead->ends; i++)
        if (ahead->jobs[i].state == STATE_FREE)
            return &ahead->jobs[i];
    return NULL;
}

static void *work(void *user)
{
    kd_ahead *ahead = user;
    kd_compiler *compiler;
    if (kd_compiler_create(&ahead->options, &compiler))
        return NULL;
    pthread_mutex_lock(&ahead->lock);
    for (job *j; (j = next_job(ahead));) {
        kd_compiled *compiled = NULL;
        j->state = STATE_BEGUN;
        pthread_mutex_unlock(&ahead->lock);
        kd_status status = kd_compile(compiler, j->request, &compiled);
        pthread_mutex_lock(&ahead->lock);
        j->compiled = status ? NULL : compiled;
        j->state = STATE_DONE;
        pthread_cond_broadcast(&ahead->done);
    }
    pthread_mutex_unlock(&ahead->lock);
    kd_compiler_destroy(compiler);
    return NULL;
}

kd_ahead *kd_ahead_start(const kd_compiler_options *options, const kd_compile_request *requests, unsigned n, unsigned n_threads)
{
    kd_ahead *ahead = calloc(1, sizeof *ahead);
    job *jobs = calloc(n + 1, sizeof *jobs);
    if (!ahead || !jobs) {
        free(ahead);
        free(jobs);
        return NULL;
    }
    for (unsigned i = 0; i < n; i++)
        jobs[i].request = &requests[i];
    ahead->options = *options;
    ahead->jobs = jobs;
    ahead->n_jobs = n;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->done, NULL);
    while (ahead->n_threads < n_threads && ahead->n_threads < MAX_THREADS &&
           pthread_create(&ahead->threads[ahead->n_threads], NULL, work, ahead) == 0)
        ahead->n_threads++;
    if (ahead->n_threads)
        return ahead;
    kd_ahead_destroy(ahead);
    return NULL;
}

kd_status kd_ahead_take(kd_ahead *ahead, unsigned i, kd_compiled **out_compiled)
{
    job *j = &ahead->jobs[i];
    pthread_mutex_lock(&ahead->lock);
    while (j->state == STATE_BEGUN)
        pthread_cond_wait(&ahead->done, &ahead->lock);
    j->state = STATE_DONE; /* by the caller, where nobody has begun */
    *out_compiled = j->compiled;
    j->compiled = NULL;
    pthread_mutex_unlock(&ahead->lock);
    return *out_compiled ? KD_OK : KD_ERR_NOT_FOUND;
}

void kd_ahead_destroy(kd_ahead *ahead)
{
    if (!ahead)
        return;
    pthread_mutex_lock(&ahead->lock);
    ahead->ends = true;
    pthread_mutex_unlock(&ahead->lock);
    for (unsigned i = 0; i < ahead->n_threads; i++)
        pthread_join(ahead->threads[i], NULL);
    for (unsigned i = 0; i < ahead->n_jobs; i++)
        kd_compiled_destroy(ahead->jobs[i].compiled);
    pthread_cond_destroy(&ahead->done);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead->jobs);
    free(ahead);
}
