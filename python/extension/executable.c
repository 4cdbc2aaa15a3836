/* executable.c - a compiled graph as a Python object. */
#include "extension.h"

#include <stdlib.h>

struct kd_py_idle {
    kd_session *session;
    kd_py_idle *next;
};

static kd_py_module *module_of(PyObject *self)
{
    return PyType_GetModuleState(Py_TYPE(self));
}

/* ---- compiling ---- */

/* ((name, address, bytes), ...). For PyMem_Free; NULL: an exception is set. The names are those of the Python objects. */
static kd_graph_memory *read_memory(PyObject *sequence, unsigned *out_n)
{
    Py_ssize_t n = PySequence_Size(sequence);
    kd_graph_memory *memory = n < 0 ? NULL : kd_py_calloc(n, sizeof *memory);
    for (Py_ssize_t i = 0; memory && i < n; i++) {
        PyObject *item = PySequence_GetItem(sequence, i), *address = NULL;
        Py_ssize_t n_bytes = 0;
        bool good = item && PyArg_ParseTuple(item, "sOn", &memory[i].name, &address, &n_bytes);
        if (good)
            memory[i].data = PyLong_AsVoidPtr(address);
        memory[i].n_bytes = (size_t)n_bytes;
        Py_XDECREF(item);
        if (!good || PyErr_Occurred()) {
            PyMem_Free(memory);
            return NULL;
        }
    }
    *out_n = (unsigned)n;
    return memory;
}

PyObject *kd_py_compile(PyObject *self, PyObject *args)
{
    const char *text, *name;
    Py_ssize_t n_bytes;
    PyObject *given, *sequence = NULL;
    int cache = 1, fusion = 1, keep = 0;
    kd_graph_options options = {0};
    if (!PyArg_ParseTuple(args, "Us|OzIppzp:compile", &given, &name, &sequence, &options.device, &options.n_threads, &cache, &fusion,
                          &options.cache_dir, &keep) ||
        !(text = PyUnicode_AsUTF8AndSize(given, &n_bytes)))
        return NULL;
    options.no_cache = !cache;
    options.no_fusion = !fusion;
    kd_py_module *m = PyModule_GetState(self);
    kd_graph_weights weights = {0};
    kd_graph_memory *memory = NULL;
    if (sequence && !(weights.memory = memory = read_memory(sequence, &weights.n_memory)))
        return NULL;
    kd_py_executable *e = PyObject_New(kd_py_executable, m->executable);
    if (!e) {
        PyMem_Free(memory);
        return NULL;
    }
    e->graph = NULL;
    e->exe = NULL;
    e->idle = NULL;
    e->n_running = 0;
    kd_failure why = {{0}};
    kd_status status;
    Py_BEGIN_ALLOW_THREADS status = keep ? kd_executable_open_text(text, (size_t)n_bytes, name, &weights, &options, &e->exe, &why)
                                         : kd_graph_parse(text, (size_t)n_bytes, name, &weights, &e->graph, &why);
    if (status == KD_OK && !keep)
        status = kd_graph_compile(e->graph, &options, &e->exe, &why);
    Py_END_ALLOW_THREADS PyMem_Free(memory);
    if (status == KD_OK)
        return (PyObject *)e;
    Py_DECREF(e);
    return kd_py_raise(m, status, &why);
}

static void destroy(PyObject *self)
{
    kd_py_executable *e = (kd_py_executable *)self;
    PyTypeObject *type = Py_TYPE(self);
    while (e->idle) {
        kd_py_idle *gone = e->idle;
        e->idle = gone->next;
        kd_session_destroy(gone->session);
        free(gone);
    }
    kd_executable_destroy(e->exe);
    kd_graph_destroy(e->graph);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* ---- running ---- */

/* Takes an idle session, or makes one. The interpreter's lock guards the list. */
static kd_py_idle *take_session(kd_py_executable *e, const kd_py_module *module)
{
    kd_py_idle *taken = e->idle;
    if (taken) {
        e->idle = taken->next;
        return taken;
    }
    kd_failure why = {{0}};
    taken = calloc(1, sizeof *taken);
    kd_status status = taken ? kd_session_create(e->exe, &taken->session, &why) : KD_ERR_MEMORY;
    if (status == KD_OK)
        return taken;
    free(taken);
    kd_py_raise(module, status, &why);
    return NULL;
}

static bool run_timed(kd_py_executable *e, const kd_py_module *module, const void *const *inputs, void *const *outputs,
                      uint64_t *out_step_ns)
{
    kd_py_idle *taken = take_session(e, module);
    if (!taken)
        return false;
    kd_failure why = {{0}};
    kd_status status;
    e->n_running++;
    Py_BEGIN_ALLOW_THREADS status = kd_session_run_timed(taken->session, inputs, outputs, out_step_ns, &why);
    Py_END_ALLOW_THREADS e->n_running--;
    taken->next = e->idle;
    e->idle = taken;
    if (status)
        kd_py_raise(module, status, &why);
    return status == KD_OK;
}

bool kd_py_executable_run(kd_py_executable *e, const kd_py_module *module, const void *const *inputs, void *const *outputs)
{
    return run_timed(e, module, inputs, outputs, NULL);
}

/* The interpreter's lock keeps runs from beginning meanwhile. */
bool kd_py_executable_update(kd_py_executable *e, const char *const *names, unsigned n_names)
{
    return e->n_running == 0 && kd_executable_update_weights(e->exe, names, n_names, NULL) == KD_OK;
}

/* A sequence of n addresses. For PyMem_Free; NULL: an exception is set. */
static void **read_addresses(PyObject *sequence, unsigned n, const char *what)
{
    if (PySequence_Size(sequence) != (Py_ssize_t)n) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_ValueError, "the graph has %u %s, but %zd were given", n, what, PySequence_Size(sequence));
        return NULL;
    }
    void **addresses = kd_py_calloc((Py_ssize_t)n, sizeof *addresses);
    for (unsigned i = 0; addresses && i < n; i++) {
        PyObject *item = PySequence_GetItem(sequence, (Py_ssize_t)i);
        addresses[i] = item ? PyLong_AsVoidPtr(item) : NULL;
        Py_XDECREF(item);
    }
    if (addresses && !PyErr_Occurred())
        return addresses;
    PyMem_Free(addresses);
    return NULL;
}

static PyObject *list_times(const uint64_t *ns, unsigned n)
{
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (unsigned i = 0; list && i < n; i++) {
        PyObject *item = PyLong_FromUnsignedLongLong(ns[i]);
        if (!item || PyList_SetItem(list, (Py_ssize_t)i, item))
            Py_CLEAR(list);
    }
    return list;
}

/* run(inputs, outputs): on memory at these addresses. The time of each step, in nanoseconds. */
static PyObject *run(PyObject *self, PyObject *args)
{
    kd_py_executable *e = (kd_py_executable *)self;
    PyObject *in, *out, *result = NULL;
    if (!PyArg_ParseTuple(args, "OO:run", &in, &out))
        return NULL;
    unsigned n_steps = kd_executable_n_steps(e->exe);
    void **inputs = read_addresses(in, kd_executable_n_inputs(e->exe), "inputs");
    void **outputs = inputs ? read_addresses(out, kd_executable_n_outputs(e->exe), "outputs") : NULL;
    uint64_t *ns = outputs ? kd_py_calloc((Py_ssize_t)n_steps, sizeof *ns) : NULL;
    if (ns && run_timed(e, module_of(self), (const void *const *)inputs, outputs, ns))
        result = list_times(ns, n_steps);
    PyMem_Free(inputs);
    PyMem_Free(outputs);
    PyMem_Free(ns);
    return result;
}

/* ---- queries ---- */

static PyObject *extents(const int64_t *numbers, unsigned n)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)n);
    for (unsigned i = 0; tuple && i < n; i++) {
        PyObject *item = PyLong_FromLongLong(numbers[i]);
        if (!item || PyTuple_SetItem(tuple, (Py_ssize_t)i, item))
            Py_CLEAR(tuple);
    }
    return tuple;
}

static PyObject *list_tensors(const kd_executable *exe, unsigned n,
                              const kd_tensor_info *(*query)(const kd_executable *exe, unsigned index))
{
    PyObject *list = PyList_New(0);
    for (unsigned i = 0; list && i < n; i++) {
        const kd_tensor_info *info = query(exe, i);
        PyObject *item = Py_BuildValue("(sNNn)", info->name, extents(info->type.shape, info->type.n_dims),
                                       extents(info->type.strides, info->type.n_dims), (Py_ssize_t)kd_tensor_n_bytes(&info->type));
        if (!item || PyList_Append(list, item))
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *get_inputs(PyObject *self, void *unused)
{
    const kd_executable *exe = ((kd_py_executable *)self)->exe;
    return list_tensors(exe, kd_executable_n_inputs(exe), kd_executable_input);
}

static PyObject *get_outputs(PyObject *self, void *unused)
{
    const kd_executable *exe = ((kd_py_executable *)self)->exe;
    return list_tensors(exe, kd_executable_n_outputs(exe), kd_executable_output);
}

static PyObject *get_steps(PyObject *self, void *unused)
{
    const kd_executable *exe = ((kd_py_executable *)self)->exe;
    PyObject *list = PyList_New(0);
    for (unsigned i = 0; list && i < kd_executable_n_steps(exe); i++) {
        const kd_step_info *s = kd_executable_step(exe, i);
        PyObject *item = Py_BuildValue("{s:s,s:s,s:s,s:z,s:K,s:K}", "kind", s->kind, "name", s->name, "nodes", s->nodes, "source",
                                       s->source, "read_bytes", (unsigned long long)s->n_read_bytes, "written_bytes",
                                       (unsigned long long)s->n_written_bytes);
        if (!item || PyList_Append(list, item))
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *get_arena_bytes(PyObject *self, void *unused)
{
    return PyLong_FromSize_t(kd_executable_arena_bytes(((kd_py_executable *)self)->exe));
}

static PyObject *get_is_loaded(PyObject *self, void *unused)
{
    return PyBool_FromLong(kd_executable_is_loaded(((kd_py_executable *)self)->exe));
}

static PyMethodDef METHODS[] = {
    {"run", run, METH_VARARGS, "run(inputs, outputs): runs on memory at these addresses; how many nanoseconds each step took"},
    {0}};

static PyGetSetDef PROPERTIES[] = {
    {"inputs", get_inputs, NULL, "[(name, shape, strides, bytes)] of what run() reads", NULL},
    {"outputs", get_outputs, NULL, "[(name, shape, strides, bytes)] of what run() writes", NULL},
    {"steps", get_steps, NULL, "the steps of a run, a dict each", NULL},
    {"arena_bytes", get_arena_bytes, NULL, "memory that each thread needs for the values between steps", NULL},
    {"is_loaded", get_is_loaded, NULL, "whether a former process, or call, compiled it", NULL},
    {0}};

static PyType_Slot SLOTS[] = {{Py_tp_dealloc, destroy}, {Py_tp_methods, METHODS}, {Py_tp_getset, PROPERTIES}, {0}};

PyType_Spec kd_py_executable_spec = {.name = "kdsl._kdsl.Executable",
                                     .basicsize = sizeof(kd_py_executable),
                                     .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                     .slots = SLOTS};
