/* run_memory.c - the arrays of 'kdsl run' in the memory of a GPU. */
#include "cli/run_impl.h"

/* The first argument that is the same array: arrays that are two arguments have one place. */
static unsigned first_of(kd_array *const *arrays, unsigned i)
{
    unsigned k = 0;
    while (arrays[k] != arrays[i])
        k++;
    return k;
}

kd_status run_memory_make(run_memory *m, kd_device *device, kd_queue *queue, kd_arena *arena, kd_array *const *arrays,
                          kd_arg *packed, unsigned n)
{
    *m = (run_memory){.device = device, .queue = queue, .arrays = arrays, .n = n, .places = kd_arena_array(arena, void *, n)};
    for (unsigned i = 0; i < n; i++) {
        if (!arrays[i])
            continue;
        unsigned first = first_of(arrays, i);
        kd_status status = first == i ? kd_memory_alloc(device, arrays[i]->n_bytes, &m->places[i]) : KD_OK;
        if (status)
            return status;
        packed[i].ptr = m->places[first];
    }
    return KD_OK;
}

void run_memory_release(run_memory *m)
{
    if (m->n)
        (void)kd_queue_finish(m->queue); /* where something failed, copies to it may be on their way still */
    for (unsigned i = 0; i < m->n; i++)
        kd_memory_free(m->device, m->places[i]);
}

kd_status run_memory_upload(const run_memory *m)
{
    kd_status status = KD_OK;
    for (unsigned i = 0; i < m->n && !status; i++)
        if (m->places[i])
            status = kd_queue_copy(m->queue, m->places[i], m->arrays[i]->data, m->arrays[i]->n_bytes, NULL);
    return status;
}

kd_status run_memory_download(const run_memory *m, const kd_kernel_desc *desc)
{
    kd_status status = KD_OK;
    for (unsigned i = 0; i < m->n && !status; i++)
        if (m->arrays[i] && desc->args[i].is_written)
            status = kd_queue_copy(m->queue, m->arrays[i]->data, m->places[first_of(m->arrays, i)], m->arrays[i]->n_bytes, NULL);
    return status ? status : kd_queue_finish(m->queue);
}
