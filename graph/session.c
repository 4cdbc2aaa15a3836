/* session.c - runs an executable: a list of steps whose arguments stand ready, but for the caller's pointers. */
#include "graph/executable.h"

#include "base/scalar.h"

#include <stdlib.h>
#include <time.h>

/* An argument that changes from run to run. */
typedef struct patch {
    kd_arg *arg;
    bool is_output;
    unsigned number;
} patch;

struct kd_session {
    kd_executable *exe;
    kd_queue *queue;
    char *memory;   /* the arena */
    kd_arg *args;   /* of all steps, one behind the other */
    patch *patches;
    unsigned n_patches;
};

void kd_session_destroy(kd_session *session)
{
    if (!session)
        return;
    kd_queue_destroy(session->queue);
    if (session->memory)
        kd_memory_free(session->exe->device, session->memory);
    free(session->args);
    free(session->patches);
    free(session);
}

static void bind(kd_session *s, const kd_buffer *b, kd_arg *arg)
{
    *arg = kd_arg_ptr(NULL, kd_tensor_n_bytes(&b->type));
    if (b->place == KD_PLACE_ARENA)
        arg->ptr = s->memory + b->offset;
    else if (b->place == KD_PLACE_CONSTANT)
        arg->ptr = b->value->data;
    else
        s->patches[s->n_patches++] = (patch){arg, b->place == KD_PLACE_OUTPUT, b->number};
}

kd_status kd_session_create(kd_executable *executable, kd_session **out_session, kd_failure *out_why)
{
    if (!executable || !out_session)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "executable and out_session must not be NULL");
    size_t n_args = 0;
    for (unsigned i = 0; i < executable->steps.n; i++)
        n_args += executable->steps.data[i].n_buffers;
    kd_session *s = calloc(1, sizeof *s);
    if (!s)
        return kd_fail(out_why, KD_ERR_MEMORY, "out of memory");
    s->exe = executable;
    s->args = calloc(n_args + 1, sizeof *s->args);
    s->patches = calloc(n_args + 1, sizeof *s->patches);
    kd_status status = s->args && s->patches ? KD_OK : KD_ERR_MEMORY;
    if (status == KD_OK)
        status = kd_queue_create(executable->device, &s->queue);
    if (status == KD_OK)
        status = kd_memory_alloc(executable->device, executable->plan->arena_bytes, (void **)&s->memory);
    if (status) {
        kd_session_destroy(s);
        return kd_fail(out_why, status, "cannot get %zu bytes for the values of a graph", executable->plan->arena_bytes);
    }
    kd_arg *arg = s->args;
    for (unsigned i = 0; i < executable->steps.n; i++)
        for (unsigned k = 0; k < executable->steps.data[i].n_buffers; k++)
            bind(s, executable->steps.data[i].buffers[k], arg++);
    *out_session = s;
    return KD_OK;
}

/* ---- a run ---- */

static bool overlap(const char *a, size_t n_a, const char *b, size_t n_b)
{
    return n_a && n_b && a < b + n_b && b < a + n_a;
}

/* The kernels rely on it that what they write is nothing else that they use. */
static kd_status check_pointers(const kd_executable *exe, const void *const *inputs, void *const *outputs, kd_failure *out_why)
{
    if ((exe->inputs.n && !inputs) || !outputs)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "inputs and outputs must not be NULL");
    for (unsigned i = 0; i < exe->inputs.n; i++)
        if (!inputs[i] && kd_tensor_n_bytes(&exe->inputs.data[i].type))
            return kd_fail(out_why, KD_ERR_ARGUMENT, "input %u, '%s', is NULL", i, exe->inputs.data[i].name);
    for (unsigned o = 0; o < exe->outputs.n; o++) {
        const kd_tensor_info *out = &exe->outputs.data[o];
        size_t n_bytes = kd_tensor_n_bytes(&out->type);
        if (!outputs[o] && n_bytes)
            return kd_fail(out_why, KD_ERR_ARGUMENT, "output %u, '%s', is NULL", o, out->name);
        for (unsigned i = 0; i < exe->inputs.n; i++)
            if (overlap(outputs[o], n_bytes, inputs[i], kd_tensor_n_bytes(&exe->inputs.data[i].type)))
                return kd_fail(out_why, KD_ERR_ARGUMENT, "output '%s' overlaps input '%s'", out->name, exe->inputs.data[i].name);
        for (unsigned k = 0; k < o; k++)
            if (overlap(outputs[o], n_bytes, outputs[k], kd_tensor_n_bytes(&exe->outputs.data[k].type)))
                return kd_fail(out_why, KD_ERR_ARGUMENT, "outputs '%s' and '%s' overlap", exe->outputs.data[k].name, out->name);
    }
    return KD_OK;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

kd_status kd_session_run_timed(kd_session *session, const void *const *inputs, void *const *outputs, uint64_t *out_step_ns,
                               kd_failure *out_why)
{
    if (!session)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "session must not be NULL");
    const kd_executable *exe = session->exe;
    kd_status status = check_pointers(exe, inputs, outputs, out_why);
    if (status)
        return status;
    for (unsigned i = 0; i < session->n_patches; i++) {
        const patch *p = &session->patches[i];
        p->arg->ptr = p->is_output ? outputs[p->number] : inputs[p->number];
    }
    const kd_arg *args = session->args;
    uint64_t before = out_step_ns ? now_ns() : 0;
    for (unsigned i = 0; i < exe->steps.n && status == KD_OK; i++) {
        const kd_step *step = &exe->steps.data[i];
        if (step->kernel)
            status = kd_kernel_launch(session->queue, step->kernel, step->grid, args, step->n_buffers, NULL);
        args += step->n_buffers;
        if (out_step_ns && status == KD_OK) {
            status = kd_queue_finish(session->queue);
            uint64_t after = now_ns();
            out_step_ns[i] = after - before;
            before = after;
        }
    }
    if (status == KD_OK)
        status = kd_queue_finish(session->queue);
    return status ? kd_fail(out_why, status, "%s", kd_device_error(exe->device)) : KD_OK;
}

kd_status kd_session_run(kd_session *session, const void *const *inputs, void *const *outputs, kd_failure *out_why)
{
    return kd_session_run_timed(session, inputs, outputs, NULL, out_why);
}
