/* pickle.c - a machine for pickles that knows tensors only. Opcodes: pickletools.py of CPython; what torch.save writes: torch/serialization.py
 * and torch/_utils.py. */
#include "graph/pickle.h"

#include "base/scalar.h"
#include "base/vec.h"

#include <stdint.h>

typedef enum kind { NOTHING, MARK, NUMBER, TEXT, TUPLE, DICTIONARY, FUNCTION, STORAGE, TENSOR } kind;

typedef struct item {
    kind kind;
    int64_t number; /* NUMBER; STORAGE: of its elements */
    kd_str text; /* TEXT; FUNCTION: its name; STORAGE: its key */
    kd_scalar type; /* STORAGE */
    struct items *items; /* TUPLE and lists: elements; DICTIONARY: keys and values in turn */
    kd_pickled_tensor *tensor;
} item;

typedef struct items {
    KD_VEC(item) v;
} items;

typedef struct machine {
    kd_arena *arena;
    const char *name;
    const kd_zip *zip;
    kd_str folder; /* of the archive's files, with '/' */
    const unsigned char *at, *end;
    items stack, memo;
    kd_failure *why;
} machine;

static kd_status damaged(machine *m, const char *what)
{
    return kd_fail(m->why, KD_ERR_DAMAGED, "%s: the pickle is damaged: %s", m->name, what);
}

static void push(machine *m, item i)
{
    kd_vec_push(m->arena, &m->stack.v, i);
}

static bool take(machine *m, size_t n, const unsigned char **out)
{
    if ((size_t)(m->end - m->at) < n)
        return false;
    *out = m->at;
    m->at += n;
    return true;
}

/* Little-endian, n <= 8. */
static bool take_number(machine *m, unsigned n, uint64_t *out)
{
    const unsigned char *bytes;
    if (!take(m, n, &bytes))
        return false;
    *out = 0;
    for (unsigned i = n; i-- > 0;)
        *out = *out << 8 | bytes[i];
    return true;
}

static bool take_text(machine *m, unsigned n_length_bytes, kd_str *out)
{
    uint64_t n;
    const unsigned char *bytes;
    if (!take_number(m, n_length_bytes, &n) || n > SIZE_MAX || !take(m, (size_t)n, &bytes))
        return false;
    *out = (kd_str){(const char *)bytes, (size_t)n};
    return true;
}

static bool take_line(machine *m, kd_str *out)
{
    const unsigned char *end = memchr(m->at, '\n', (size_t)(m->end - m->at));
    if (!end)
        return false;
    *out = (kd_str){(const char *)m->at, (size_t)(end - m->at)};
    m->at = end + 1;
    return true;
}

static bool pop(machine *m, kind wanted, item *out)
{
    if (!m->stack.v.n || kd_vec_last(&m->stack.v).kind != wanted)
        return false;
    *out = kd_vec_pop(&m->stack.v);
    return true;
}

/* The newest n items as a tuple. */
static bool make_tuple(machine *m, unsigned n)
{
    if (m->stack.v.n < n)
        return false;
    items *list = kd_arena_new(m->arena, items);
    for (unsigned i = m->stack.v.n - n; i < m->stack.v.n; i++)
        kd_vec_push(m->arena, &list->v, m->stack.v.data[i]);
    m->stack.v.n -= n;
    push(m, (item){.kind = TUPLE, .items = list});
    return true;
}

/* The number of items above the newest mark, which goes. */
static bool count_to_mark(machine *m, unsigned *out_n)
{
    unsigned n = 0;
    while (n < m->stack.v.n && m->stack.v.data[m->stack.v.n - 1 - n].kind != MARK)
        n++;
    if (n == m->stack.v.n)
        return false;
    unsigned mark = m->stack.v.n - 1 - n;
    memmove(m->stack.v.data + mark, m->stack.v.data + mark + 1, n * sizeof *m->stack.v.data);
    m->stack.v.n--;
    *out_n = n;
    return true;
}

/* The newest n items become part of the list or dictionary below them. */
static bool add_to_container(machine *m, unsigned n, bool pairs)
{
    if (m->stack.v.n <= n)
        return false;
    const item *container = &m->stack.v.data[m->stack.v.n - 1 - n];
    if (container->kind != (pairs ? DICTIONARY : TUPLE) || (pairs && n % 2))
        return false;
    for (unsigned i = m->stack.v.n - n; i < m->stack.v.n; i++)
        kd_vec_push(m->arena, &container->items->v, m->stack.v.data[i]);
    m->stack.v.n -= n;
    return true;
}

static bool remember(machine *m, uint64_t index)
{
    if (!m->stack.v.n || index > (uint64_t)(m->end - m->at) + m->memo.v.n)
        return false;
    while (m->memo.v.n <= index)
        kd_vec_push(m->arena, &m->memo.v, (item){0});
    m->memo.v.data[index] = kd_vec_last(&m->stack.v);
    return true;
}

static bool recall(machine *m, uint64_t index)
{
    if (index >= m->memo.v.n)
        return false;
    push(m, m->memo.v.data[index]);
    return true;
}

/* ---- the calls that make tensors ---- */

static bool storage_type(kd_str name, kd_scalar *out)
{
    static const struct {
        const char *name;
        kd_scalar type;
    } TYPES[] = {{"FloatStorage", KD_F32}, {"DoubleStorage", KD_F64}, {"HalfStorage", KD_F16},  {"BFloat16Storage", KD_BF16},
                 {"LongStorage", KD_I64},  {"IntStorage", KD_I32},    {"ShortStorage", KD_I16}, {"CharStorage", KD_I8},
                 {"ByteStorage", KD_U8},   {"BoolStorage", KD_I1}};
    for (unsigned i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (name.len > 6 && kd_str_starts_with(name, "torch.") && kd_str_is((kd_str){name.ptr + 6, name.len - 6}, TYPES[i].name)) {
            *out = TYPES[i].type;
            return true;
        }
    return false;
}

/* ('storage', torch.FloatStorage, '0', 'cpu', 8192) */
static kd_status make_storage(machine *m)
{
    item tuple;
    if (!pop(m, TUPLE, &tuple) || tuple.items->v.n < 5)
        return damaged(m, "a storage is not described by five values");
    const item *parts = tuple.items->v.data;
    item storage = {.kind = STORAGE, .text = parts[2].text, .number = parts[4].number};
    if (parts[0].kind != TEXT || !kd_str_is(parts[0].text, "storage") || parts[1].kind != FUNCTION || parts[2].kind != TEXT ||
        parts[4].kind != NUMBER || parts[4].number < 0)
        return damaged(m, "a storage is described in another way than by torch.save");
    if (!storage_type(parts[1].text, &storage.type))
        return kd_fail(m->why, KD_ERR_UNSUPPORTED, "%s: tensors of the kind %.*s are not supported", m->name,
                       KD_STR_ARG(parts[1].text));
    push(m, storage);
    return KD_OK;
}

static bool take_numbers(const item *tuple, int64_t out[KD_TENSOR_MAX_DIMS], unsigned *out_n)
{
    if (tuple->kind != TUPLE || tuple->items->v.n > KD_TENSOR_MAX_DIMS)
        return false;
    for (unsigned i = 0; i < tuple->items->v.n; i++) {
        out[i] = tuple->items->v.data[i].number;
        if (tuple->items->v.data[i].kind != NUMBER || out[i] < 0 || out[i] >> 40)
            return false;
    }
    *out_n = tuple->items->v.n;
    return true;
}

/* (storage, offset, sizes, strides, ...) */
static kd_status make_tensor(machine *m, const items *args)
{
    kd_pickled_tensor *t = kd_arena_new(m->arena, kd_pickled_tensor);
    unsigned n_strides;
    const item *a = args->v.data;
    if (args->v.n < 4 || a[0].kind != STORAGE || a[1].kind != NUMBER || a[1].number < 0 ||
        !take_numbers(&a[2], t->type.shape, &t->type.n_dims) || !take_numbers(&a[3], t->type.strides, &n_strides) ||
        n_strides != t->type.n_dims)
        return damaged(m, "a tensor is described in another way than by torch.save");
    t->type.type = a[0].type;
    kd_str file = {kd_arena_printf(m->arena, "%.*sdata/%.*s", KD_STR_ARG(m->folder), KD_STR_ARG(a[0].text)), 0};
    file.len = strlen(file.ptr);
    const kd_zip_file *found = kd_zip_find(m->zip, file);
    uint64_t offset, size = kd_scalar_bytes(a[0].type);
    if (!found || !found->data)
        return kd_fail(m->why, KD_ERR_DAMAGED, "%s: the file '%s' is %s", m->name, file.ptr, found ? "compressed" : "missing");
    if (__builtin_mul_overflow((uint64_t)a[1].number, size, &offset) || offset > found->n_bytes)
        return kd_fail(m->why, KD_ERR_DAMAGED, "%s: a tensor begins beyond the end of '%s'", m->name, file.ptr);
    t->data = (const char *)found->data + offset;
    t->n_bytes = found->n_bytes - (size_t)offset;
    push(m, (item){.kind = TENSOR, .tensor = t});
    return KD_OK;
}

static bool is_function(const item *i, const char *name)
{
    return i->kind == FUNCTION && kd_str_is(i->text, name);
}

/* (function, class, its arguments, attributes): a tensor with attributes of its own, as torch.compile gives to buffers that it has seen. */
static kd_status make_tensor_of_class(machine *m, const items *args)
{
    const item *a = args->v.data;
    if (args->v.n < 3 || !is_function(&a[0], "torch._utils._rebuild_tensor_v2") || a[1].kind != FUNCTION || a[2].kind != TUPLE)
        return damaged(m, "a tensor of a class is described in another way than by torch.save");
    if (!is_function(&a[1], "torch.Tensor"))
        return kd_fail(m->why, KD_ERR_UNSUPPORTED, "%s: tensors of the class %.*s are not supported", m->name, KD_STR_ARG(a[1].text));
    return make_tensor(m, a[2].items);
}

static kd_status call(machine *m)
{
    item args, function;
    if (!pop(m, TUPLE, &args) || !pop(m, FUNCTION, &function))
        return damaged(m, "it calls what is no function");
    if (kd_str_is(function.text, "torch._utils._rebuild_tensor_v2"))
        return make_tensor(m, args.items);
    if (kd_str_is(function.text, "torch._tensor._rebuild_from_type_v2"))
        return make_tensor_of_class(m, args.items);
    if (kd_str_is(function.text, "torch._utils._rebuild_parameter") ||
        kd_str_is(function.text, "torch._utils._rebuild_parameter_with_state")) {
        if (!args.items->v.n || args.items->v.data[0].kind != TENSOR)
            return damaged(m, "a parameter is no tensor");
        push(m, args.items->v.data[0]);
        return KD_OK;
    }
    if (kd_str_is(function.text, "collections.OrderedDict") && !args.items->v.n) {
        push(m, (item){.kind = DICTIONARY, .items = kd_arena_new(m->arena, items)});
        return KD_OK;
    }
    return kd_fail(m->why, KD_ERR_UNSUPPORTED, "%s: the pickle calls '%.*s', but tensors alone are read, and nothing is run",
                   m->name, KD_STR_ARG(function.text));
}

/* ---- opcodes ---- */

static bool push_function(machine *m, kd_str module, kd_str name)
{
    kd_str text = {kd_arena_printf(m->arena, "%.*s.%.*s", KD_STR_ARG(module), KD_STR_ARG(name)), 0};
    text.len = strlen(text.ptr);
    push(m, (item){.kind = FUNCTION, .text = text});
    return true;
}

static bool push_text(machine *m, unsigned n_length_bytes)
{
    item i = {.kind = TEXT};
    if (!take_text(m, n_length_bytes, &i.text))
        return false;
    push(m, i);
    return true;
}

static bool push_number(machine *m, unsigned n_bytes, bool is_signed)
{
    uint64_t number;
    if (!take_number(m, n_bytes, &number))
        return false;
    push(m, (item){.kind = NUMBER, .number = is_signed ? (int32_t)(uint32_t)number : (int64_t)number});
    return true;
}

/* Two's complement of so many bytes. */
static bool push_long(machine *m)
{
    uint64_t n, number = 0;
    const unsigned char *bytes;
    if (!take_number(m, 1, &n) || n > 8 || !take(m, (size_t)n, &bytes))
        return false;
    for (uint64_t i = 0; i < 8; i++)
        number |= (uint64_t)(i < n ? bytes[i] : n && bytes[n - 1] & 0x80 ? 0xff : 0) << 8 * i;
    push(m, (item){.kind = NUMBER, .number = (int64_t)number});
    return true;
}

static bool push_empty(machine *m, kind kind)
{
    push(m, (item){.kind = kind, .items = kd_arena_new(m->arena, items)});
    return true;
}

static bool stack_global(machine *m)
{
    item name, module;
    return pop(m, TEXT, &name) && pop(m, TEXT, &module) && push_function(m, module.text, name.text);
}

/* Opcodes that put one thing onto the stack, or note one. False: the bytes do not suffice; *out_known: whether it is one of these. */
static bool push_opcode(machine *m, unsigned char opcode, bool *out_known)
{
    uint64_t index;
    kd_str module, name;
    const unsigned char *unused;
    *out_known = true;
    switch (opcode) {
    case 0x80: return take(m, 1, &unused); /* PROTO */
    case 0x95: return take(m, 8, &unused); /* FRAME */
    case '(': push(m, (item){.kind = MARK}); return true;
    case 'N': push(m, (item){.kind = NOTHING}); return true;
    case 0x88: push(m, (item){.kind = NUMBER, .number = 1}); return true; /* NEWTRUE */
    case 0x89: push(m, (item){.kind = NUMBER}); return true; /* NEWFALSE */
    case 'J': return push_number(m, 4, true);
    case 'K': return push_number(m, 1, false);
    case 'M': return push_number(m, 2, false);
    case 0x8a: return push_long(m);
    case 'G': push(m, (item){.kind = NOTHING}); return take(m, 8, &unused); /* a float: of no use here */
    case 'X': return push_text(m, 4);
    case 0x8c: return push_text(m, 1);
    case 0x8d: return push_text(m, 8);
    case '}': return push_empty(m, DICTIONARY);
    case ']':
    case ')': return push_empty(m, TUPLE);
    case 'c': return take_line(m, &module) && take_line(m, &name) && push_function(m, module, name);
    case 0x93: return stack_global(m);
    case 'q': return take_number(m, 1, &index) && remember(m, index);
    case 'r': return take_number(m, 4, &index) && remember(m, index);
    case 0x94: return remember(m, m->memo.v.n); /* MEMOIZE */
    case 'h': return take_number(m, 1, &index) && recall(m, index);
    case 'j': return take_number(m, 4, &index) && recall(m, index);
    default: *out_known = false; return true;
    }
}

/* Opcodes that take things from the stack. */
static bool combine_opcode(machine *m, unsigned char opcode, bool *out_known)
{
    unsigned n;
    *out_known = true;
    switch (opcode) {
    case 't': return count_to_mark(m, &n) && make_tuple(m, n);
    case 0x85: return make_tuple(m, 1);
    case 0x86: return make_tuple(m, 2);
    case 0x87: return make_tuple(m, 3);
    case 'a': return add_to_container(m, 1, false);
    case 'e': return count_to_mark(m, &n) && add_to_container(m, n, false);
    case 's': return add_to_container(m, 2, true);
    case 'u': return count_to_mark(m, &n) && add_to_container(m, n, true);
    case 'b': /* BUILD: attributes of an object, such as _metadata of a state_dict */
    case '0': return m->stack.v.n && (m->stack.v.n--, true);
    default: *out_known = false; return true;
    }
}

static kd_status run(machine *m)
{
    while (m->at < m->end) {
        unsigned char opcode = *m->at++;
        bool known, good = push_opcode(m, opcode, &known);
        kd_status status = KD_OK;
        if (opcode == '.')
            return KD_OK;
        if (!known && opcode == 'R')
            status = call(m);
        else if (!known && opcode == 'Q')
            status = make_storage(m);
        else if (!known)
            good = combine_opcode(m, opcode, &known);
        if (status)
            return status;
        if (!known && opcode != 'R' && opcode != 'Q')
            return kd_fail(m->why, KD_ERR_UNSUPPORTED, "%s: the pickle has the opcode 0x%02x, which tensors do not need", m->name,
                           opcode);
        if (!good)
            return damaged(m, "a value is missing, or of another kind");
    }
    return damaged(m, "it is cut short");
}

/* ---- the archive ---- */

/* torch.save puts all files into a folder, whose name varies. */
static kd_status find_pickle(machine *m, const kd_zip_file **out)
{
    for (unsigned i = 0; i < m->zip->n_files; i++) {
        const kd_zip_file *f = &m->zip->files[i];
        static const char NAME[] = "data.pkl";
        size_t n = sizeof NAME - 1;
        if (f->name.len > n && memcmp(f->name.ptr + f->name.len - n, NAME, n) == 0 && f->name.ptr[f->name.len - n - 1] == '/') {
            m->folder = (kd_str){f->name.ptr, f->name.len - n};
            *out = f;
            return f->data ? KD_OK
                           : kd_fail(m->why, KD_ERR_UNSUPPORTED, "%s: the file '%.*s' is compressed", m->name, KD_STR_ARG(f->name));
        }
    }
    return kd_fail(m->why, KD_ERR_DAMAGED, "%s: the file 'data.pkl' is missing", m->name);
}

static kd_status list_tensors(machine *m, const kd_pickled_tensor **out_tensors, unsigned *out_n)
{
    item dictionary;
    if (!pop(m, DICTIONARY, &dictionary))
        return kd_fail(m->why, KD_ERR_UNSUPPORTED, "%s: the pickle is no dictionary of tensors", m->name);
    unsigned n = dictionary.items->v.n / 2;
    kd_pickled_tensor *tensors = kd_arena_array(m->arena, kd_pickled_tensor, n);
    for (unsigned i = 0; i < n; i++) {
        const item *key = &dictionary.items->v.data[2 * i], *value = key + 1;
        if (key->kind != TEXT || value->kind != TENSOR)
            return kd_fail(m->why, KD_ERR_UNSUPPORTED, "%s: '%.*s' is no tensor", m->name, KD_STR_ARG(key->text));
        tensors[i] = *value->tensor;
        tensors[i].name = key->text;
    }
    *out_tensors = tensors;
    *out_n = n;
    return KD_OK;
}

kd_status kd_pickle_read(kd_arena *arena, const char *name, const void *data, size_t n_bytes, const kd_pickled_tensor **out_tensors,
                         unsigned *out_n, kd_failure *out_why)
{
    kd_zip zip;
    const kd_zip_file *pickle = NULL;
    machine m = {.arena = arena, .name = name, .zip = &zip, .why = out_why};
    kd_status status = kd_zip_open(arena, name, data, n_bytes, &zip, out_why);
    if (status == KD_OK)
        status = find_pickle(&m, &pickle);
    if (status)
        return status;
    kd_str order = {kd_arena_printf(arena, "%.*sbyteorder", KD_STR_ARG(m.folder)), 0};
    order.len = strlen(order.ptr);
    const kd_zip_file *byte_order = kd_zip_find(&zip, order);
    if (byte_order && byte_order->data && !kd_str_is((kd_str){byte_order->data, byte_order->n_bytes}, "little"))
        return kd_fail(out_why, KD_ERR_UNSUPPORTED, "%s: the numbers are in big-endian order", name);
    m.at = pickle->data;
    m.end = m.at + pickle->n_bytes;
    status = run(&m);
    return status ? status : list_tensors(&m, out_tensors, out_n);
}
