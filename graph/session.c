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
    char *staging; /* on a GPU: a place for each input and output, which are copied; NULL: the caller's memory is used */
    const void **inputs, **outputs; /* where steps find them in this run */
    const void **all_inputs; /* the caller's, and behind them the states' */
    void **all_outputs;
    char *states; /* the values of states; NULL: there are none */
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
    if (session->staging)
        kd_memory_free(session->exe->device, session->staging);
    if (session->states)
        kd_memory_free(session->exe->device, session->states);
    free(session->inputs);
    free(session->outputs);
    free(session->all_inputs);
    free(session->all_outputs);
    free(session->calls);
    free(session->args);
    free(session->patches);
    free(session);
}

static void bind(kd_session *s, const kd_operand *operand, kd_primitive_call *call, kd_arg *arg)
{
    const kd_buffer *b = operand->buffer;
    const char *data = b->place == KD_PLACE_ARENA ? s->memory + b->offset : b->place == KD_PLACE_CONSTANT ? b->data : NULL;
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

static size_t padded(size_t n_bytes)
{
    enum { ALIGNMENT = 64 };
    return (n_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Of inputs and outputs. */
static size_t staging_bytes(const kd_executable *exe)
{
    size_t n = 0;
    for (unsigned i = 0; i < exe->inputs.n; i++)
        n += padded(kd_tensor_n_bytes(&exe->inputs.data[i].type));
    for (unsigned i = 0; i < exe->outputs.n; i++)
        n += padded(kd_tensor_n_bytes(&exe->outputs.data[i].type));
    return n;
}

static kd_status get_memory(kd_session *s, kd_failure *out_why)
{
    kd_executable *exe = s->exe;
    size_t n_bytes = exe->plan->arena_bytes + exe->scratch_bytes, n_staging = exe->plan->on_gpu ? staging_bytes(exe) : 0;
    kd_status status = kd_memory_alloc(exe->device, n_bytes, (void **)&s->memory);
    if (status == KD_OK && n_staging)
        status = kd_memory_alloc(exe->device, n_bytes = n_staging, (void **)&s->staging);
    return status ? kd_fail(out_why, status, "cannot get %zu bytes for the values of a graph: %s", n_bytes,
                            kd_device_error(exe->device))
                  : KD_OK;
}

/* Two places for each state: what it is in a run, and what it becomes by it. */
static kd_status create_states(kd_session *s, kd_failure *out_why)
{
    const kd_executable *exe = s->exe;
    unsigned first_in = kd_executable_n_inputs(exe), first_out = kd_executable_n_outputs(exe);
    size_t n_bytes = 0;
    for (unsigned i = 0; i < exe->n_states; i++)
        n_bytes += 2 * padded(kd_tensor_n_bytes(&exe->inputs.data[first_in + i].type));
    kd_status status = n_bytes ? kd_memory_alloc(exe->device, n_bytes, (void **)&s->states) : KD_OK;
    char *place = s->states;
    for (unsigned i = 0; i < exe->n_states && status == KD_OK; i++) {
        size_t n = kd_tensor_n_bytes(&exe->inputs.data[first_in + i].type);
        s->all_inputs[first_in + i] = place;
        s->all_outputs[first_out + i] = place + padded(n);
        place += 2 * padded(n);
        for (unsigned k = 0; k < 2 && n && status == KD_OK; k++) /* twice: what lies between elements is not written by runs */
            status = kd_queue_copy(s->queue, place - (2 - k) * padded(n), exe->graph->states.data[i].data, n, NULL);
    }
    if (status == KD_OK && n_bytes)
        status = kd_queue_finish(s->queue);
    return status ? kd_fail(out_why, status, "cannot make %zu bytes of state: %s", n_bytes, kd_device_error(exe->device)) : KD_OK;
}

/* What the states became is what they are from now on. */
static void swap_states(kd_session *s)
{
    const void **now = s->all_inputs + kd_executable_n_inputs(s->exe);
    void **next = s->all_outputs + kd_executable_n_outputs(s->exe);
    for (unsigned i = 0; i < s->exe->n_states; i++) {
        void *old = (void *)(uintptr_t)now[i];
        now[i] = next[i];
        next[i] = old;
    }
}

kd_status kd_session_create(kd_executable *executable, kd_session **out_session, kd_failure *out_why)
{
    if (!executable || !out_session)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "executable and out_session must not be NULL");
    if (!executable->device)
        return kd_fail(out_why, KD_ERR_UNSUPPORTED, "this graph was compiled for %s, not for a device of this machine", executable->target);
    size_t n_args = 0;
    for (unsigned i = 0; i < executable->steps.n; i++)
        n_args += executable->steps.data[i].n_operands;
    kd_session *s = calloc(1, sizeof *s);
    if (!s)
        return kd_fail(out_why, KD_ERR_MEMORY, "out of memory");
    s->exe = executable;
    s->args = calloc(n_args + 1, sizeof *s->args);
    s->patches = calloc(n_args + 1, sizeof *s->patches);
    s->calls = calloc(executable->steps.n + 1, sizeof(kd_primitive_call *));
    s->inputs = calloc(executable->inputs.n + 1, sizeof(void *));
    s->outputs = calloc(executable->outputs.n + 1, sizeof(void *));
    s->all_inputs = calloc(executable->inputs.n + 1, sizeof(void *));
    s->all_outputs = calloc(executable->outputs.n + 1, sizeof(void *));
    bool has_memory = s->args && s->patches && s->calls && s->inputs && s->outputs && s->all_inputs && s->all_outputs;
    kd_status status = has_memory ? KD_OK : kd_fail(out_why, KD_ERR_MEMORY, "out of memory");
    if (status == KD_OK) {
        status = create_queue(s);
        if (status && executable->plan->on_gpu)
            kd_fail(out_why, status, "%s", kd_device_error(executable->device));
        else if (status)
            kd_fail(out_why, status, "cannot start %u threads for a graph: %s", executable->n_threads,
                    kd_device_error(executable->device));
    }
    if (status == KD_OK)
        status = get_memory(s, out_why);
    if (status == KD_OK)
        status = create_states(s, out_why);
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

static void bind_callers_memory(kd_session *session)
{
    for (unsigned i = 0; i < session->n_patches; i++) {
        const patch *p = &session->patches[i];
        const char *data = p->is_output ? session->outputs[p->number] : session->inputs[p->number];
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

/* Kernels find it there, and where they rely on it that memory begins. */
static bool is_usable(const kd_session *s, const void *memory)
{
    return !s->staging || (kd_memory_is_usable(s->exe->device, memory) && (uintptr_t)memory % 16 == 0);
}

/* The caller's memory, or what stands for it in the staging area. */
static kd_status bring_inputs(kd_session *s, const void *const *inputs, void *const *outputs)
{
    const kd_executable *exe = s->exe;
    kd_status status = KD_OK;
    char *place = s->staging;
    for (unsigned i = 0; i < exe->inputs.n && status == KD_OK; i++) {
        size_t n_bytes = kd_tensor_n_bytes(&exe->inputs.data[i].type);
        s->inputs[i] = inputs[i];
        if (is_usable(s, inputs[i]))
            continue;
        s->inputs[i] = place;
        status = kd_queue_copy(s->queue, place, inputs[i], n_bytes, NULL);
        place += padded(n_bytes);
    }
    for (unsigned i = 0; i < exe->outputs.n && status == KD_OK; i++) {
        const kd_tensor_type *t = &exe->outputs.data[i].type;
        s->outputs[i] = outputs[i];
        if (is_usable(s, outputs[i]))
            continue;
        s->outputs[i] = place;
        if (!kd_tensor_is_dense(t)) /* what lies between its elements is the caller's */
            status = kd_queue_copy(s->queue, place, outputs[i], kd_tensor_n_bytes(t), NULL);
        place += padded(kd_tensor_n_bytes(t));
    }
    return status;
}

static kd_status take_outputs(kd_session *s, void *const *outputs)
{
    kd_status status = KD_OK;
    for (unsigned i = 0; i < s->exe->outputs.n && status == KD_OK; i++)
        if (s->outputs[i] != outputs[i])
            status = kd_queue_copy(s->queue, outputs[i], s->outputs[i], kd_tensor_n_bytes(&s->exe->outputs.data[i].type), NULL);
    return status;
}

static kd_status run_steps(kd_session *session, uint64_t *out_step_ns, kd_failure *out_why)
{
    const kd_executable *exe = session->exe;
    const kd_arg *args = session->args;
    kd_status status = out_step_ns ? finish(session, out_why) : KD_OK;
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
    return status;
}

/* Whatever fails, nothing touches the caller's memory afterwards. */
static kd_status run_once(kd_session *session, const void *const *inputs, void *const *outputs, uint64_t *out_step_ns,
                          kd_failure *out_why)
{
    kd_device *device = session->exe->device;
    kd_status status = bring_inputs(session, inputs, outputs);
    if (status)
        kd_fail(out_why, status, "the inputs: %s", kd_device_error(device));
    if (status == KD_OK) {
        bind_callers_memory(session);
        status = run_steps(session, out_step_ns, out_why);
    }
    if (status == KD_OK) {
        status = take_outputs(session, outputs);
        if (status)
            kd_fail(out_why, status, "the outputs: %s", kd_device_error(device));
    }
    if (status == KD_OK)
        return finish(session, out_why);
    (void)kd_queue_finish(session->queue);
    return status;
}

kd_status kd_session_run_timed(kd_session *session, const void *const *inputs, void *const *outputs, uint64_t *out_step_ns,
                               kd_failure *out_why)
{
    if (!session)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "session must not be NULL");
    const kd_executable *exe = session->exe;
    unsigned n_inputs = kd_executable_n_inputs(exe), n_outputs = kd_executable_n_outputs(exe);
    if ((n_inputs && !inputs) || (n_outputs && !outputs))
        return kd_fail(out_why, KD_ERR_ARGUMENT, "inputs and outputs must not be NULL");
    if (exe->n_states) {
        for (unsigned i = 0; i < n_inputs; i++)
            session->all_inputs[i] = inputs[i];
        for (unsigned i = 0; i < n_outputs; i++)
            session->all_outputs[i] = outputs[i];
        inputs = session->all_inputs;
        outputs = session->all_outputs;
    }
    kd_status status = check_pointers(exe, inputs, outputs, out_why);
    if (status)
        return status;
    unsigned n_threads = exe->onednn ? kd_onednn_set_threads(exe->onednn, exe->n_threads) : 0;
    status = run_once(session, inputs, outputs, out_step_ns, out_why);
    if (exe->onednn)
        kd_onednn_set_threads(exe->onednn, n_threads);
    if (status == KD_OK)
        swap_states(session);
    return status;
}

kd_status kd_session_run(kd_session *session, const void *const *inputs, void *const *outputs, kd_failure *out_why)
{
    return kd_session_run_timed(session, inputs, outputs, NULL, out_why);
}
