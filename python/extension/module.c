/* module.c - the module kdsl._kdsl. */
#include "extension.h"

PyObject *kd_py_raise(const kd_py_module *module, kd_status status, const kd_failure *why)
{
    PyObject *type = status == KD_ERR_MEMORY        ? PyExc_MemoryError
                     : status == KD_ERR_ARGUMENT    ? PyExc_ValueError
                     : status == KD_ERR_UNSUPPORTED ? module->unsupported
                                                    : module->error;
    PyErr_SetString(type, why->text[0] ? why->text : kd_status_text(status));
    return NULL;
}

void *kd_py_calloc(Py_ssize_t n, size_t item_bytes)
{
    void *room = PyMem_Calloc((size_t)n + 1, item_bytes);
    return room ? room : PyErr_NoMemory();
}

static void note_refused(void *user, const char *node, kd_status status, const char *why)
{
    PyObject *item = PyErr_Occurred() ? NULL : Py_BuildValue("(ss)", node, why);
    if (item)
        PyList_Append(user, item);
    Py_XDECREF(item);
}

/* check(text, name): the nodes of a graph that cannot be compiled, each with a sentence that says why. */
static PyObject *check(PyObject *self, PyObject *args)
{
    const char *text, *name;
    Py_ssize_t n_bytes;
    PyObject *given;
    kd_failure why = {{0}};
    if (!PyArg_ParseTuple(args, "Us:check", &given, &name) || !(text = PyUnicode_AsUTF8AndSize(given, &n_bytes)))
        return NULL;
    PyObject *refused = PyList_New(0);
    if (!refused)
        return NULL;
    kd_status status = kd_graph_check(text, (size_t)n_bytes, name, note_refused, refused, &why);
    if (status && !PyErr_Occurred())
        kd_py_raise(PyModule_GetState(self), status, &why);
    if (PyErr_Occurred())
        Py_CLEAR(refused);
    return refused;
}

/* ops(): the names of all ops that graphs may have. */
static PyObject *list_ops(PyObject *self, PyObject *args)
{
    PyObject *names = PyList_New(0);
    for (unsigned i = 0; names && kd_graph_op_name(i); i++) {
        PyObject *name = PyUnicode_FromString(kd_graph_op_name(i));
        if (!name || PyList_Append(names, name) < 0)
            Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

static PyMethodDef METHODS[] = {
    {"ops", list_ops, METH_NOARGS, "ops(): the names of the ops that graphs may have"},
    {"check", check, METH_VARARGS, "check(text, name): [(node, why)] of the nodes of a graph that kdsl cannot compile"},
    {"compile", kd_py_compile, METH_VARARGS,
     "compile(text, name, memory=(), device=None, n_threads=0, cache=True, fusion=True, cache_dir=None, keep=False): an Executable\n\n"
     "text is a graph in the kg format; memory lists its constants as (name, address, bytes), which must outlive the executable."},
    {"use_torch", kd_py_use_torch, METH_VARARGS, "use_torch(base, types, address): how tensors of these types are asked"},
    {0}};

static bool add_exception(PyObject *module, const char *name, PyObject *base, const char *doc, PyObject **out)
{
    char full[64];
    snprintf(full, sizeof full, "kdsl.%s", name);
    *out = PyErr_NewExceptionWithDoc(full, doc, base, NULL);
    return *out && PyModule_AddObjectRef(module, name, *out) == 0;
}

static bool add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **out)
{
    *out = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *out && PyModule_AddType(module, *out) == 0;
}

static int fill_module(PyObject *module)
{
    kd_py_module *m = PyModule_GetState(module);
    bool good = add_exception(module, "Error", PyExc_RuntimeError, "A graph cannot be compiled or run.", &m->error) &&
                add_exception(module, "UnsupportedError", m->error, "An op, a type or a device that kdsl does not know.",
                              &m->unsupported) &&
                add_type(module, &kd_py_executable_spec, &m->executable) && add_type(module, &kd_py_runner_spec, &m->runner) &&
                (m->dtype = PyUnicode_InternFromString("dtype")) && (m->data_ptr = PyUnicode_InternFromString("data_ptr")) &&
                (m->version = PyUnicode_InternFromString("_version")) && (m->shape = PyUnicode_InternFromString("shape")) &&
                (m->stride = PyUnicode_InternFromString("stride")) && (m->is_contiguous = PyUnicode_InternFromString("is_contiguous"));
    return good ? 0 : -1;
}

static int visit_module(PyObject *module, visitproc visit, void *arg)
{
    kd_py_module *m = PyModule_GetState(module);
    Py_VISIT(m->error);
    Py_VISIT(m->unsupported);
    Py_VISIT(m->executable);
    Py_VISIT(m->runner);
    Py_VISIT(m->torchs[0]);
    Py_VISIT(m->torchs[1]);
    Py_VISIT(m->torch_version);
    Py_VISIT(m->torch_is_contiguous);
    return 0;
}

static int clear_module(PyObject *module)
{
    kd_py_module *m = PyModule_GetState(module);
    Py_CLEAR(m->error);
    Py_CLEAR(m->unsupported);
    Py_CLEAR(m->executable);
    Py_CLEAR(m->runner);
    Py_CLEAR(m->data_ptr);
    Py_CLEAR(m->version);
    Py_CLEAR(m->dtype);
    Py_CLEAR(m->shape);
    Py_CLEAR(m->stride);
    Py_CLEAR(m->is_contiguous);
    m->torch_data = NULL;
    Py_CLEAR(m->torchs[0]);
    Py_CLEAR(m->torchs[1]);
    Py_CLEAR(m->torch_version);
    Py_CLEAR(m->torch_is_contiguous);
    return 0;
}

static PyModuleDef_Slot SLOTS[] = {{Py_mod_exec, fill_module}, {0}};

static PyModuleDef DEFINITION = {
    PyModuleDef_HEAD_INIT,          .m_name = "kdsl._kdsl",  .m_doc = "The C half of kdsl's Python package.",
    .m_size = sizeof(kd_py_module), .m_methods = METHODS,    .m_slots = SLOTS,
    .m_traverse = visit_module,     .m_clear = clear_module,
};

PyMODINIT_FUNC PyInit__kdsl(void);

PyMODINIT_FUNC PyInit__kdsl(void)
{
    return PyModuleDef_Init(&DEFINITION);
}
