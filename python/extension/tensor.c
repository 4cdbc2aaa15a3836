/* tensor.c - what torch's tensors tell of themselves.
 *
 * By the names of their Python methods, which all tensors have. As calls ask each weight, torch's own types are asked through the functions
 * behind those names, and for the address through a C function that torch has for Inductor's programs: that takes half as long. */
#include "extension.h"

/* use_torch(base, types, address): the type that has the methods of tensors, the two types whose instances use them as they are, and where torch's
 * C function is that gives a tensor's address; 0: this torch has none. */
PyObject *kd_py_use_torch(PyObject *self, PyObject *args)
{
    kd_py_module *m = PyModule_GetState(self);
    PyObject *base, *types, *address;
    if (!PyArg_ParseTuple(args, "OO!O:use_torch", &base, &PyTuple_Type, &types, &address))
        return NULL;
    void *data = PyLong_AsVoidPtr(address);
    PyObject *version = PyErr_Occurred() ? NULL : PyObject_GetAttrString(base, "_version");
    PyObject *is_contiguous = version ? PyObject_GetAttrString(base, "is_contiguous") : NULL;
    descrgetfunc get = is_contiguous ? (descrgetfunc)PyType_GetSlot(Py_TYPE(version), Py_tp_descr_get) : NULL;
    if (get && data && PyTuple_Size(types) == 2) {
        for (unsigned i = 0; i < 2; i++)
            m->torchs[i] = Py_NewRef(PyTuple_GetItem(types, i));
        m->torch_version = Py_NewRef(version);
        m->torch_is_contiguous = Py_NewRef(is_contiguous);
        m->get_torch_version = get;
        m->torch_data = (void *(*)(PyObject *))(uintptr_t)data;
    }
    Py_XDECREF(version);
    Py_XDECREF(is_contiguous);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

bool kd_py_tensor_is_torchs(const kd_py_module *m, PyObject *tensor)
{
    PyObject *type = (PyObject *)Py_TYPE(tensor);
    return m->torch_data && (type == m->torchs[0] || type == m->torchs[1]);
}

bool kd_py_tensor_data(const kd_py_module *m, PyObject *tensor, void **out_data)
{
    PyObject *address = PyObject_CallMethodObjArgs(tensor, m->data_ptr, NULL);
    if (!address)
        return false;
    *out_data = PyLong_AsVoidPtr(address);
    Py_DECREF(address);
    return !PyErr_Occurred();
}

static bool read_version(PyObject *version, long long *out)
{
    *out = version ? PyLong_AsLongLong(version) : -1;
    Py_XDECREF(version);
    return *out != -1 || !PyErr_Occurred();
}

unsigned kd_py_state_n_strides(const kd_py_state *state)
{
    return state->n_dims < KD_TENSOR_MAX_DIMS ? state->n_dims : KD_TENSOR_MAX_DIMS;
}

static bool read_strides(PyObject *stride, kd_py_state *out)
{
    Py_ssize_t n = stride ? PyTuple_Size(stride) : -1;
    bool good = n >= 0;
    out->n_dims = good ? (unsigned)n : 0;
    for (unsigned i = 0; i < kd_py_state_n_strides(out) && good; i++) {
        out->strides[i] = PyLong_AsLongLong(PyTuple_GetItem(stride, i));
        good = out->strides[i] != -1 || !PyErr_Occurred();
    }
    Py_XDECREF(stride);
    return good;
}

/* is_contiguous: what the tensor says, or NULL. */
static bool read_layout(const kd_py_module *m, PyObject *tensor, PyObject *is_contiguous, kd_py_state *out)
{
    out->n_dims = 0;
    bool good = is_contiguous && (is_contiguous == Py_True || read_strides(PyObject_CallMethodObjArgs(tensor, m->stride, NULL), out));
    Py_XDECREF(is_contiguous);
    return good;
}

bool kd_py_tensor_state(const kd_py_module *m, PyObject *tensor, bool is_torchs, kd_py_state *out)
{
    if (!is_torchs)
        return read_version(PyObject_GetAttr(tensor, m->version), &out->version) && kd_py_tensor_data(m, tensor, &out->data) &&
               read_layout(m, tensor, PyObject_CallMethodObjArgs(tensor, m->is_contiguous, NULL), out);
    out->data = m->torch_data(tensor);
    return read_version(m->get_torch_version(m->torch_version, tensor, (PyObject *)Py_TYPE(tensor)), &out->version) &&
           read_layout(m, tensor, PyObject_CallFunctionObjArgs(m->torch_is_contiguous, tensor, NULL), out);
}
