/* constants.c - weights on a device whose kernels do not read the host's memory: copied once, for all sessions. */
#include "graph/executable.h"

enum { ALIGNMENT = 64 };

static size_t padded(const kd_buffer *b)
{
    return (kd_tensor_n_bytes(&b->type) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static kd_status upload(kd_executable *exe, kd_queue *queue, kd_buffer_filter *is_wanted, void *user)
{
    char *to = exe->constants;
    for (unsigned i = 0; i < exe->plan->buffers.n; i++) {
        kd_buffer *b = exe->plan->buffers.data[i];
        if (!b->host)
            continue;
        kd_status status = KD_OK;
        if (!is_wanted || is_wanted(user, b))
            status = kd_queue_copy(queue, to, b->host, kd_tensor_n_bytes(&b->type), NULL);
        if (status)
            return status;
        b->data = to;
        to += padded(b);
    }
    return kd_queue_finish(queue);
}

kd_status kd_executable_upload_constants(kd_executable *exe, kd_buffer_filter *is_wanted, void *user, kd_failure *out_why)
{
    size_t n_bytes = 0;
    kd_queue *queue = NULL;
    for (unsigned i = 0; i < exe->plan->buffers.n; i++)
        n_bytes += exe->plan->buffers.data[i]->host ? padded(exe->plan->buffers.data[i]) : 0;
    if (!n_bytes || !exe->device)
        return KD_OK;
    kd_status status = exe->constants ? KD_OK : kd_memory_alloc(exe->device, n_bytes, &exe->constants);
    if (status == KD_OK)
        status = kd_queue_create(exe->device, &queue);
    if (status == KD_OK)
        status = upload(exe, queue, is_wanted, user);
    if (status)
        kd_fail(out_why, status, "cannot bring %zu bytes of weights to the device: %s", n_bytes, kd_device_error(exe->device));
    kd_queue_destroy(queue);
    return status;
}
