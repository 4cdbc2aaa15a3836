/* team.c - the threads that oneDNN's primitives run on, for our kernels between them. */
#include "runtime/onednn/onednn_impl.h"

typedef struct region {
    const kd_gomp_calls *gomp;
    void (*work)(void *arg, unsigned index);
    void *arg;
} region;

static void run_member(void *user)
{
    const region *r = user;
    r->work(r->arg, (unsigned)r->gomp->get_thread_num());
}

static void run_team(const kd_team *team, void (*work)(void *arg, unsigned index), void *arg)
{
    const kd_onednn *onednn = team->user;
    region r = {&onednn->dnnl.gomp, work, arg};
    r.gomp->parallel(run_member, &r, team->n_threads, 0);
}

kd_status kd_onednn_team_create(kd_onednn *onednn, unsigned n_threads, kd_team **out_team)
{
    if (!onednn->dnnl.gomp.parallel)
        return KD_ERR_UNSUPPORTED;
    kd_status status = kd_team_create(n_threads, out_team);
    if (status)
        return status;
    (*out_team)->run = run_team;
    (*out_team)->user = onednn;
    return KD_OK;
}

unsigned kd_onednn_set_threads(const kd_onednn *onednn, unsigned n_threads)
{
    const kd_gomp_calls *gomp = &onednn->dnnl.gomp;
    int before = gomp->parallel ? gomp->get_max_threads() : 0;
    if (before > 0 && n_threads && (unsigned)before != n_threads)
        gomp->set_num_threads((int)n_threads);
    return before > 0 ? (unsigned)before : 0;
}
