/* extension.h - kdsl._kdsl, the C half of the Python package: graphs are compiled and run here, and torch's tensors are touched only by the
 * names of their Python methods, so that one binary serves all versions of PyTorch and of Python (the limited API). */
#ifndef KD_PYTHON_EXTENSION_H
#define KD_PYTHON_EXTENSION_H

/* No '#' in formats of arguments: how Python reads it differs between versions, so that one binary could not serve all. */
#include <Python.h>

#include <graph/graph.h>

/* What the module holds for its types. */
typedef struct kd_py_module {
    PyObject *error, *unsupported; /* exceptions: kdsl.Error and kdsl.UnsupportedError */
    PyTypeObject *executable, *runner;
    PyObject *data_ptr, *version, *dtype, *shape, *stride, *is_contiguous; /* names of a tensor's methods and properties */
    PyObject *torchs[2], *torch_version, *torch_is_contiguous; /* torch's own types, and what is behind those names there */
    descrgetfunc get_torch_version;
    void *(*torch_data)(PyObject *tensor); /* ends the process where a tensor has no memory; NULL: unknown, and so are the others */
} kd_py_module;

extern PyType_Spec kd_py_executable_spec, kd_py_runner_spec;

/* Sets the exception that goes with a status. Returns NULL. */
PyObject *kd_py_raise(const kd_py_module *module, kd_status status, const kd_failure *why);

/* Zeroed room for n items and one more, for PyMem_Free. Raises MemoryError, and returns NULL. */
void *kd_py_calloc(Py_ssize_t n, size_t item_bytes);

/* ---- executables ---- */

typedef struct kd_py_idle kd_py_idle; /* a session that nobody uses */

/* A compiled graph. Threads that run it at the same time take a session each; sessions are kept for the next run. */
typedef struct kd_py_executable {
    PyObject_HEAD kd_graph *graph; /* NULL: exe has its own */
    kd_executable *exe;
    kd_py_idle *idle;
    unsigned n_running;
} kd_py_executable;

/* compile(text, name, memory, device, n_threads, cache, fusion, cache_dir, keep). keep: the executable may come from the cache, and is kept there. */
PyObject *kd_py_compile(PyObject *self, PyObject *args);

/* Runs with the interpreter released. Raises, and returns false. */
bool kd_py_executable_run(kd_py_executable *executable, const kd_py_module *module, const void *const *inputs,
                          void *const *outputs);

/* kd_executable_update_weights. False, and no exception: it runs at the moment, or cannot; it must be compiled anew then. */
bool kd_py_executable_update(kd_py_executable *executable, const char *const *names, unsigned n_names);

/* ---- tensor.c: what is asked of tensors. They raise, and return false. ---- */

/* What shows that a tensor is as it was. */
typedef struct kd_py_state {
    void *data;
    long long version; /* torch raises it at each change in place */
    unsigned n_dims;   /* 0: it is contiguous */
    int64_t strides[KD_TENSOR_MAX_DIMS];
} kd_py_state;

/* How many of them it holds: no weight has more. */
unsigned kd_py_state_n_strides(const kd_py_state *state);

/* use_torch(base, types, address) */
PyObject *kd_py_use_torch(PyObject *self, PyObject *args);
/* The address that data_ptr() gives. */
bool kd_py_tensor_data(const kd_py_module *module, PyObject *tensor, void **out_data);
/* Whether it is of one of torch's own types, which are asked faster, if it has an address. */
bool kd_py_tensor_is_torchs(const kd_py_module *module, PyObject *tensor);
bool kd_py_tensor_state(const kd_py_module *module, PyObject *tensor, bool is_torchs, kd_py_state *out);

#endif
