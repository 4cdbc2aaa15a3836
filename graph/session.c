/* session.c - runs an executable: a list of steps whose arguments stand ready, but for the caller's pointers. */
#include "graph/executable.h"

#include "base/scalar.h"
#include "runtime/cpu/queue_team.h"

#include <stdlib.h>
#include <time.h>

/* An argument that changes from run to run: of a kernel, or of a primitive. */
typedef struct patch {
    kd_arg *arg;
    kd_primitive_call *call;
    unsigned slot;
    bool is_output;
    unsigned number;
    size_t offset;
} patch;

struct kd_session {
    kd_executable *exe;
    kd_queue *queue;
    kd_team *team; /* oneDNN's threads, which run the kernels too; NULL: the device's own do */
    char *memory; /* the arena, and behind it the scratch memory of primitives */
    kd_arg *args; /* of all steps, one behind the other */
    kd_primitive_call **calls; /* by step; NULL: a kernel */
    patch *patches;
    unsigned n_patches;
};

void kd_session_destroy(kd_session *session)
{
    if (!session)
        return;
    for (unsigned i = 0; session->calls && i < session->exe->steps.n; i++)
        kd_primitive_call_destroy(session->calls[i]);
    kd_queue_destroy(session->queue);
    kd_team_destroy(session->team);
    if (session->memory)
        kd_memory_free(session->exe->device, session->memory);
    free(session->calls);
    free(session->args);
    free(session->patches);
    free(session);
}

static void bind(kd_session *s, const kd_operand *operand, kd_primitive_call *call, kd_arg *arg)
{
    const kd_buffer *b = operand->buffer;
    const char *data = b->place == KD_PLACE_ARENA ? s->memory + b->offset : b->place == KD_PLACE_CONSTANT ? b->value->data : NULL;
    *arg = kd_arg_ptr(data, kd_tensor_n_bytes(&b->type));
    if (call && data)
        kd_primitive_call_bind(call, operand->slot, data + operand->offset);
    if (b->place == KD_PLACE_INPUT || b->place == KD_PLACE_OUTPUT)
        s->patches[s->n_patches++] = (patch){arg, call, operand->slot, b->place == KD_PLACE_OUTPUT, b->number, operand->offset};
}

static kd_status bind_steps(kd_session *s, kd_failure *out_why)
{
    const kd_executable *exe = s->exe;
    kd_arg *arg = s->args;
    for (unsigned i = 0; i < exe->steps.n; i++) {
        const kd_step *step = &exe->steps.data[i];
        kd_status status =
            step->primitive ? kd_primitive_call_create(step->primitive, s->memory + exe->plan->arena_bytes, &s->calls[i], out_why)
                            : KD_OK;
        if (status)
            return status;
        for (unsigned k = 0; k < step->n_operands; k++)
            bind(s, &step->operands[k], s->calls[i], arg++);
    }
    return KD_OK;
}

static kd_status create_queue(kd_session *s)
{
    kd_status status = kd_queue_create(s->exe->device, &s->queue);
    if (status || !s->exe->onednn)
        return status;
    status = kd_onednn_team_create(s->exe->onednn, s->exe->n_threads, &s->team);
    if (status == KD_OK)
        kd_cpu_queue_use_team(s->queue, s->team);
    return status == KD_ERR_UNSUPPORTED ? KD_OK : status;
}

kd_status kd_session_create(kd_executable *executable, kd_session **out_session, kd_failure *out_why)
{
    if (!executable || !out_session)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "executable and out_session must not be NULL");
    size_t n_args = 0, n_bytes = executable->plan->arena_bytes + executable->scratch_bytes;
    for (unsigned i = 0; i < executable->steps.n; i++)
        n_args += executable->steps.data[i].n_operands;
    kd_session *s = calloc(1, sizeof *s);
    if (!s)
        return kd_fail(out_why, KD_ERR_MEMORY, "out of memory");
    s->exe = executable;
    s->args = calloc(n_args + 1, sizeof *s->args);
    s->patches = calloc(n_args + 1, sizeof *s->patches);
    s->calls = calloc(executable->steps.n + 1, sizeof(kd_primitive_call *));
    kd_status status = s->args && s->patches && s->calls ? KD_OK : kd_fail(out_why, KD_ERR_MEMORY, "out of memory");
    if (status == KD_OK) {
        status = create_queue(s);
        if (status)
            kd_fail(out_why, status, "cannot start %u threads for a graph", executable->n_threads);
    }
    if (status == KD_OK) {
        status = kd_memory_alloc(executable->device, n_bytes, (void **)&s->memory);
        if (status)
            kd_fail(out_why, status, "cannot get %zu bytes for the values of a graph", n_bytes);
    }
    if (status == KD_OK)
        status = bind_steps(s, out_why);
    if (status)
        kd_session_destroy(s);
    else
        *out_session = s;
    return status;
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

/* oneDNN knows nothing of the queue: what stands there comes first. */
static kd_status run_step(kd_session *session, unsigned i, const kd_arg *args, kd_failure *out_why)
{
    const kd_step *step = &session->exe->steps.data[i];
    kd_status status = KD_OK;
    if (step->kernel)
        status = kd_kernel_launch(session->queue, step->kernel, step->grid, args, step->n_operands, NULL);
    else if (step->primitive)
        status = kd_queue_finish(session->queue);
    if (status)
        return kd_fail(out_why, status, "%s: %s", step->info.nodes, kd_device_error(session->exe->device));
    if (!step->primitive)
        return KD_OK;
    status = kd_primitive_call_run(session->calls[i]);
    return status ? kd_fail(out_why, status, "%s: oneDNN's %s failed", step->info.nodes, step->info.name) : KD_OK;
}

static void bind_callers_memory(kd_session *session, const void *const *inputs, void *const *outputs)
{
    for (unsigned i = 0; i < session->n_patches; i++) {
        const patch *p = &session->patches[i];
        const char *data = p->is_output ? outputs[p->number] : inputs[p->number];
        p->arg->ptr = data;
        if (p->call)
            kd_primitive_call_bind(p->call, p->slot, data + p->offset);
    }
}

static kd_status finish(kd_session *session, kd_failure *out_why)
{
    kd_status status = kd_queue_finish(session->queue);
    return status ? kd_fail(out_why, status, "%s", kd_device_error(session->exe->device)) : KD_OK;
}

static kd_status run_steps(kd_session *session, uint64_t *out_step_ns, kd_failure *out_why)
{
    const kd_executable *exe = session->exe;
    kd_status status = KD_OK;
    const kd_arg *args = session->args;
    uint64_t before = out_step_ns ? now_ns() : 0;
    for (unsigned i = 0; i < exe->steps.n && status == KD_OK; i++) {
        status = run_step(session, i, args, out_why);
        args += exe->steps.data[i].n_operands;
        if (out_step_ns && status == KD_OK) {
            status = finish(session, out_why);
            uint64_t after = now_ns();
            out_step_ns[i] = after - before;
            before = after;
        }
    }
    return status ? status : finish(session, out_why);
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
    bind_callers_memory(session, inputs, outputs);
    unsigned n_threads = exe->onednn ? kd_onednn_set_threads(exe->onednn, exe->n_threads) : 0;
    status = run_steps(session, out_step_ns, out_why);
    if (exe->onednn)
        kd_onednn_set_threads(exe->onednn, n_threads);
    return status;
}

kd_status kd_session_run(kd_session *session, const void *const *inputs, void *const *outputs, kd_failure *out_why)
{
    return kd_session_run_timed(session, inputs, outputs, NULL, out_why);
}
