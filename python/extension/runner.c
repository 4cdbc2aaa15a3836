/* runner.c - calls a compiled graph with torch's tensors, as directly as Python allows.
 *
 * Parameters and buffers are constants of the compiled graph, read where they lie. Which tensors they are, and that nobody has changed
 * them since, is checked at each call: by identity, address and version (a number that PyTorch raises at each change in place). Those that
 * have changed in place are packed again. For other weights, or those that lie elsewhere now, the graph is compiled anew; the same graph may
 * serve several modules of one class in turn, so each set of weights has a variant. Weights are referred to weakly: who drops a model gets
 * its memory back.
 *
 * Writes through tensor.data leave address and version as they are, so some bytes of each weight are compared too: a change of the whole
 * weight shows. */
#include "extension.h"

#include <string.h>

#define N_SAMPLES 4

typedef struct weight {
    Py_ssize_t arg;
    PyObject *name; /* of the graph's input */
    PyObject *tensor; /* borrowed: when it dies, ref says so and the variant goes */
    PyObject *ref;
    kd_py_state state;
    bool is_torchs; /* kd_py_tensor_is_torchs */
    Py_ssize_t n_bytes;
    uint64_t samples[N_SAMPLES];
} weight;

typedef struct input {
    Py_ssize_t arg;
    PyObject *dtype, *shape, *stride;
} input;

typedef struct variant {
    struct variant *next;
    kd_py_executable *executable;
    weight *weights;
    input *inputs;
    Py_ssize_t n_weights, n_inputs;
    unsigned n_users; /* runs that are under way */
    bool is_dropped;
} variant;

typedef struct runner {
    PyObject_HEAD PyObject *make; /* make(args, changed): an Executable, [(arg, bytes, name)] of its weights, [(arg, dtype, shape, stride)] of its inputs */
    PyObject *on_death; /* on_death(ref): calls forget(ref) */
    PyObject *relayout; /* relayout(tensor, dtype, shape, stride): the same elements as the graph wants them */
    PyObject *outputs; /* of the graph: (function, arguments) that make an empty tensor */
    PyObject *results; /* what a call returns: the number of an output, ~the number of an argument, or None */
    variant *variants;
    Py_ssize_t n_args;
} runner;

/* ---- variants ---- */

static void free_variant(variant *v)
{
    for (Py_ssize_t i = 0; v->weights && i < v->n_weights; i++) {
        Py_XDECREF(v->weights[i].ref);
        Py_XDECREF(v->weights[i].name);
    }
    for (Py_ssize_t i = 0; v->inputs && i < v->n_inputs; i++) {
        Py_XDECREF(v->inputs[i].dtype);
        Py_XDECREF(v->inputs[i].shape);
        Py_XDECREF(v->inputs[i].stride);
    }
    Py_XDECREF(v->executable);
    PyMem_Free(v->weights);
    PyMem_Free(v->inputs);
    PyMem_Free(v);
}

static void release_variant(variant *v)
{
    if (--v->n_users == 0 && v->is_dropped)
        free_variant(v);
}

static void drop_variant(runner *r, variant *gone)
{
    for (variant **at = &r->variants; *at; at = &(*at)->next) {
        if (*at != gone)
            continue;
        *at = gone->next;
        gone->is_dropped = true;
        gone->n_users++;
        release_variant(gone);
        return;
    }
}

static void drop_variants(runner *r)
{
    while (r->variants)
        drop_variant(r, r->variants);
}

/* Where samples of n bytes of a weight are: all over it, its last ones among them. */
static size_t sample_place(Py_ssize_t n_bytes, size_t n, unsigned i)
{
    size_t last = (size_t)n_bytes - n;
    return i == N_SAMPLES - 1 ? last : last / (N_SAMPLES - 1) * i;
}

static size_t sample_bytes(Py_ssize_t n_bytes)
{
    return n_bytes < (Py_ssize_t)sizeof(uint64_t) ? (size_t)n_bytes : sizeof(uint64_t);
}

static void read_samples(const void *data, Py_ssize_t n_bytes, uint64_t out_samples[N_SAMPLES])
{
    size_t n = sample_bytes(n_bytes);
    memset(out_samples, 0, N_SAMPLES * sizeof *out_samples);
    for (unsigned i = 0; i < N_SAMPLES && n; i++)
        memcpy(&out_samples[i], (const char *)data + sample_place(n_bytes, n, i), n);
}

/* Nobody else reads packed weights where they came from, so they are in no cache. */
static void prefetch_samples(const weight *w)
{
    for (unsigned i = 0; i < N_SAMPLES; i++)
        __builtin_prefetch((const char *)w->state.data + sample_place(w->n_bytes, sample_bytes(w->n_bytes), i));
}

/* tensor.data = other leaves the version, and perhaps the address. */
static bool has_same_strides(const kd_py_state *a, const kd_py_state *b)
{
    return a->n_dims == b->n_dims && memcmp(a->strides, b->strides, kd_py_state_n_strides(a) * sizeof *a->strides) == 0;
}

/* Weights of a variant: others, the same in other strides, the same with other elements or elsewhere, as they were; FAILED: an exception is set. */
typedef enum match { OTHER, MOVED, CHANGED, SAME, FAILED } match;

static match compare(const kd_py_module *m, const variant *v, PyObject *args)
{
    match found = SAME;
    for (Py_ssize_t i = 0; i < v->n_weights; i++) {
        if (v->weights[i].tensor != PyTuple_GetItem(args, v->weights[i].arg))
            return OTHER;
        prefetch_samples(&v->weights[i]);
    }
    for (Py_ssize_t i = 0; i < v->n_weights; i++) {
        const weight *w = &v->weights[i];
        kd_py_state now;
        uint64_t samples[N_SAMPLES];
        if (!kd_py_tensor_state(m, PyTuple_GetItem(args, w->arg), w->is_torchs, &now))
            return FAILED;
        if (!has_same_strides(&now, &w->state))
            return MOVED;
        if (now.data == w->state.data && now.version == w->state.version) {
            read_samples(now.data, w->n_bytes, samples);
            if (memcmp(samples, w->samples, sizeof samples) == 0)
                continue;
        }
        found = CHANGED;
    }
    return found;
}

/* Takes over what has changed in place since the variant was made. False: weights lie elsewhere now, or an exception is set. */
static bool refresh(const kd_py_module *m, variant *v, PyObject *args)
{
    const char **names = kd_py_calloc(v->n_weights, sizeof *names);
    unsigned n = 0;
    bool good = names;
    for (Py_ssize_t i = 0; i < v->n_weights && good; i++) {
        weight *w = &v->weights[i], now = *w;
        good = kd_py_tensor_state(m, PyTuple_GetItem(args, w->arg), w->is_torchs, &now.state) && now.state.data == w->state.data;
        if (!good)
            break;
        read_samples(now.state.data, now.n_bytes, now.samples);
        if (now.state.version == w->state.version && memcmp(now.samples, w->samples, sizeof now.samples) == 0)
            continue;
        *w = now;
        names[n++] = PyUnicode_AsUTF8AndSize(w->name, NULL);
        good = names[n - 1];
    }
    good = good && !v->is_dropped && kd_py_executable_update(v->executable, names, n);
    PyMem_Free(names);
    return good;
}

static bool fill_variant(const runner *r, const kd_py_module *m, variant *v, PyObject *args, PyObject *weights, PyObject *inputs)
{
    for (Py_ssize_t i = 0; i < v->n_weights; i++) {
        weight *w = &v->weights[i];
        if (!PyArg_ParseTuple(PyList_GetItem(weights, i), "nnU", &w->arg, &w->n_bytes, &w->name))
            return false;
        Py_INCREF(w->name);
        w->tensor = PyTuple_GetItem(args, w->arg);
        w->ref = w->tensor ? PyWeakref_NewRef(w->tensor, r->on_death) : NULL;
        if (!w->ref || !kd_py_tensor_state(m, w->tensor, false, &w->state)) /* raises where there is no address */
            return false;
        w->is_torchs = kd_py_tensor_is_torchs(m, w->tensor);
        read_samples(w->state.data, w->n_bytes, w->samples);
    }
    for (Py_ssize_t i = 0; i < v->n_inputs; i++) {
        input *in = &v->inputs[i];
        if (!PyArg_ParseTuple(PyList_GetItem(inputs, i), "nOOO", &in->arg, &in->dtype, &in->shape, &in->stride))
            return false;
        Py_INCREF(in->dtype);
        Py_INCREF(in->shape);
        Py_INCREF(in->stride);
    }
    return true;
}

/* What has no weights fits all of them, so it stands last. */
static void insert_variant(runner *r, variant *v)
{
    variant **at = &r->variants;
    while (*at && v->n_weights == 0)
        at = &(*at)->next;
    v->next = *at;
    *at = v;
}

/* Asks Python for an executable for these weights. changed: what there was for them is out of date. */
static variant *make_variant(runner *r, const kd_py_module *m, PyObject *args, bool changed)
{
    PyObject *made = PyObject_CallFunctionObjArgs(r->make, args, changed ? Py_True : Py_False, NULL), *executable, *weights, *inputs;
    variant *v = made ? kd_py_calloc(0, sizeof *v) : NULL;
    bool good = v && PyArg_ParseTuple(made, "O!O!O!", m->executable, &executable, &PyList_Type, &weights, &PyList_Type, &inputs);
    if (good) {
        Py_INCREF(executable);
        v->executable = (kd_py_executable *)executable;
        v->n_weights = PyList_Size(weights);
        v->n_inputs = PyList_Size(inputs);
        v->weights = kd_py_calloc(v->n_weights, sizeof *v->weights);
        v->inputs = v->weights ? kd_py_calloc(v->n_inputs, sizeof *v->inputs) : NULL;
        good = v->inputs && fill_variant(r, m, v, args, weights, inputs);
    }
    Py_XDECREF(made);
    if (good) {
        insert_variant(r, v);
        return v;
    }
    if (v)
        free_variant(v);
    return NULL;
}

/* The variant for the weights among the arguments, held for a run. NULL: an exception is set. Comparing may run Python, and so drop
 * variants, this one among them: then the search begins again. */
static variant *find_variant(runner *r, const kd_py_module *m, PyObject *args)
{
    bool changed = false;
    for (variant *v = r->variants, *next; v; v = next) {
        v->n_users++;
        match match = compare(m, v, args);
        if (match == CHANGED && refresh(m, v, args))
            match = SAME;
        if (PyErr_Occurred())
            match = FAILED;
        bool was_dropped = v->is_dropped;
        if (match == SAME && !was_dropped)
            return v;
        next = was_dropped ? r->variants : v->next;
        if ((match == CHANGED || match == MOVED) && !was_dropped) {
            changed = true;
            drop_variant(r, v);
        }
        release_variant(v);
        if (match == FAILED)
            return NULL;
    }
    variant *made = make_variant(r, m, args, changed);
    if (made)
        made->n_users++;
    return made;
}

/* ---- a call ---- */

/* One call's pointers, and what keeps them valid. */
typedef struct call {
    const kd_py_module *module;
    PyObject *args, *tensors, *held; /* lists: the outputs, copies of inputs */
    void **inputs, **outputs;
} call;

/* The same object, or equal. */
static int same(PyObject *a, PyObject *b)
{
    return a == b ? 1 : PyObject_RichCompareBool(a, b, Py_EQ);
}

/* Whether a tensor is as the graph was compiled for; -1: an exception is set. */
static int fits(const kd_py_module *m, const input *in, PyObject *tensor)
{
    PyObject *dtype = PyObject_GetAttr(tensor, m->dtype), *shape = dtype ? PyObject_GetAttr(tensor, m->shape) : NULL;
    PyObject *stride = shape ? PyObject_CallMethodObjArgs(tensor, m->stride, NULL) : NULL;
    int good = stride ? dtype == in->dtype : -1;
    if (good == 1)
        good = same(shape, in->shape);
    if (good == 1)
        good = same(stride, in->stride);
    Py_XDECREF(dtype);
    Py_XDECREF(shape);
    Py_XDECREF(stride);
    return good;
}

static bool bind_inputs(runner *r, const variant *v, call *c)
{
    for (Py_ssize_t i = 0; i < v->n_inputs; i++) {
        const input *in = &v->inputs[i];
        PyObject *tensor = PyTuple_GetItem(c->args, in->arg);
        int good = tensor ? fits(c->module, in, tensor) : -1;
        if (good < 0)
            return false;
        if (!good) {
            tensor = PyObject_CallFunctionObjArgs(r->relayout, tensor, in->dtype, in->shape, in->stride, NULL);
            bool kept = tensor && PyList_Append(c->held, tensor) == 0;
            Py_XDECREF(tensor);
            if (!kept)
                return false;
        }
        if (!kd_py_tensor_data(c->module, tensor, &c->inputs[i]))
            return false;
    }
    return true;
}

static bool make_outputs(runner *r, call *c)
{
    for (Py_ssize_t i = 0; i < PyList_Size(r->outputs); i++) {
        PyObject *function, *arguments;
        if (!PyArg_ParseTuple(PyList_GetItem(r->outputs, i), "OO!", &function, &PyTuple_Type, &arguments))
            return false;
        PyObject *tensor = PyObject_Call(function, arguments, NULL);
        bool good = tensor && PyList_Append(c->tensors, tensor) == 0;
        Py_XDECREF(tensor); /* the list has it */
        if (!good || !kd_py_tensor_data(c->module, tensor, &c->outputs[i]))
            return false;
    }
    return true;
}

static PyObject *collect_results(const runner *r, const call *c)
{
    Py_ssize_t n = PyList_Size(r->results);
    PyObject *list = PyList_New(n);
    for (Py_ssize_t i = 0; list && i < n; i++) {
        PyObject *which = PyList_GetItem(r->results, i), *value = which;
        if (which != Py_None) {
            long number = PyLong_AsLong(which);
            value = number >= 0 ? PyList_GetItem(c->tensors, number) : PyTuple_GetItem(c->args, ~number);
        }
        Py_XINCREF(value);
        if (!value || PyList_SetItem(list, i, value))
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *call_runner(PyObject *self, PyObject *args, PyObject *names)
{
    runner *r = (runner *)self;
    call c = {.module = PyType_GetModuleState(Py_TYPE(self)), .args = args};
    PyObject *result = NULL;
    if (PyTuple_Size(args) != r->n_args || (names && PyDict_Size(names)))
        return PyErr_Format(PyExc_TypeError, "the graph has %zd arguments, but %zd were given", r->n_args, PyTuple_Size(args));
    variant *v = find_variant(r, c.module, args);
    if (!v)
        return NULL;
    c.tensors = PyList_New(0);
    c.held = c.tensors ? PyList_New(0) : NULL;
    c.inputs = c.held ? kd_py_calloc(v->n_inputs, sizeof *c.inputs) : NULL;
    c.outputs = c.inputs ? kd_py_calloc(PyList_Size(r->outputs), sizeof *c.outputs) : NULL;
    if (c.outputs && bind_inputs(r, v, &c) && make_outputs(r, &c) &&
        kd_py_executable_run(v->executable, c.module, (const void *const *)c.inputs, c.outputs))
        result = collect_results(r, &c);
    release_variant(v);
    PyMem_Free(c.inputs);
    PyMem_Free(c.outputs);
    Py_XDECREF(c.tensors);
    Py_XDECREF(c.held);
    return result;
}

/* ---- the object ---- */

static int init(PyObject *self, PyObject *args, PyObject *names)
{
    runner *r = (runner *)self;
    if (r->make || names) {
        PyErr_SetString(PyExc_TypeError, "Runner(n_args, make, on_death, relayout, outputs, results) is made once");
        return -1;
    }
    PyObject *make, *on_death, *relayout, *outputs, *results;
    if (!PyArg_ParseTuple(args, "nOOOO!O!:Runner", &r->n_args, &make, &on_death, &relayout, &PyList_Type, &outputs, &PyList_Type,
                          &results))
        return -1;
    r->make = Py_NewRef(make);
    r->on_death = Py_NewRef(on_death);
    r->relayout = Py_NewRef(relayout);
    r->outputs = Py_NewRef(outputs);
    r->results = Py_NewRef(results);
    return 0;
}

/* forget(ref): lets go of what was compiled for a weight that is gone. Whether there was anything. A reference is of one variant only. */
static PyObject *forget(PyObject *self, PyObject *ref)
{
    runner *r = (runner *)self;
    for (variant *v = r->variants; v; v = v->next)
        for (Py_ssize_t i = 0; i < v->n_weights; i++)
            if (v->weights[i].ref == ref) {
                drop_variant(r, v);
                Py_RETURN_TRUE;
            }
    Py_RETURN_FALSE;
}

/* drop(): lets go of all that was compiled. */
static PyObject *drop(PyObject *self, PyObject *unused)
{
    drop_variants((runner *)self);
    Py_RETURN_NONE;
}

static PyObject *get_executables(PyObject *self, void *unused)
{
    PyObject *list = PyList_New(0);
    for (variant *v = ((runner *)self)->variants; list && v; v = v->next)
        if (PyList_Append(list, (PyObject *)v->executable))
            Py_CLEAR(list);
    return list;
}

static int visit(PyObject *self, visitproc visit, void *arg)
{
    runner *r = (runner *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(r->make);
    Py_VISIT(r->on_death);
    Py_VISIT(r->relayout);
    Py_VISIT(r->outputs);
    Py_VISIT(r->results);
    for (variant *v = r->variants; v; v = v->next)
        for (Py_ssize_t i = 0; i < v->n_weights; i++)
            Py_VISIT(v->weights[i].ref);
    return 0;
}

static int clear(PyObject *self)
{
    runner *r = (runner *)self;
    drop_variants(r);
    Py_CLEAR(r->make);
    Py_CLEAR(r->on_death);
    Py_CLEAR(r->relayout);
    Py_CLEAR(r->outputs);
    Py_CLEAR(r->results);
    return 0;
}

static void destroy(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    clear(self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

/* prepare(args): compiles for the weights among the arguments; the other arguments do not matter. */
static PyObject *prepare(PyObject *self, PyObject *args)
{
    if (!PyTuple_Check(args) || PyTuple_Size(args) != ((runner *)self)->n_args) {
        PyErr_SetString(PyExc_TypeError, "prepare() takes a tuple with all arguments");
        return NULL;
    }
    if (!make_variant((runner *)self, PyType_GetModuleState(Py_TYPE(self)), args, false))
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef METHODS[] = {{"prepare", prepare, METH_O, "prepare(args): compiles for the weights among the arguments"},
                                {"forget", forget, METH_O, "forget(ref): lets go of what was compiled for a weight that is gone; whether there was anything"},
                                {"drop", drop, METH_NOARGS, "drop(): lets go of all that was compiled; the next call compiles again"},
                                {0}};
static PyGetSetDef PROPERTIES[] = {{"executables", get_executables, NULL, "what is compiled at the moment, newest first, and last what has no weights", NULL},
                                   {0}};

static PyType_Slot SLOTS[] = {{Py_tp_init, init},       {Py_tp_new, PyType_GenericNew}, {Py_tp_dealloc, destroy},
                              {Py_tp_traverse, visit},  {Py_tp_clear, clear},           {Py_tp_call, call_runner},
                              {Py_tp_methods, METHODS}, {Py_tp_getset, PROPERTIES},     {0}};

PyType_Spec kd_py_runner_spec = {
    .name = "kdsl._kdsl.Runner", .basicsize = sizeof(runner), .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .slots = SLOTS};
