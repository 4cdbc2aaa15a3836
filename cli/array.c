/* array.c - arrays from files and generators. */
#include "cli/array.h"
#include "base/float.h"
#include "base/nearest.h"
#include "base/npy.h"
#include "base/scalar.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

void kd_array_release(kd_array *array)
{
    free(array->owned);
    *array = (kd_array){0};
}

/* ---- text ---- */

typedef enum generator { GEN_ZEROS, GEN_ONES, GEN_EMPTY, GEN_ARANGE, GEN_RAND, GEN_RANDN, GEN_RANDINT, N_GENERATORS } generator;

static const char *const GENERATORS[N_GENERATORS] = {"zeros", "ones", "empty", "arange", "rand", "randn", "randint"};

static bool generator_of(const char *text, generator *out, const char **out_rest)
{
    size_t n = strcspn(text, ":(");
    for (int g = 0; g < N_GENERATORS && text[n]; g++)
        if (kd_str_is((kd_str){text, n}, GENERATORS[g])) {
            *out = (generator)g;
            *out_rest = text + n;
            return true;
        }
    return false;
}

/* How many characters of a name there are at the start. */
static size_t name_length(kd_str text)
{
    size_t n = 0;
    while (n < text.len && (isalnum((unsigned char)text.ptr[n]) || text.ptr[n] == '_'))
        n++;
    return n;
}

/* The colon of NAME:TYPE[SHAPE] or NAME(...):TYPE[SHAPE]; NULL: it is none. A call such as ones(3) is an expression. */
static const char *type_colon(const char *text)
{
    const char *p = text + name_length(kd_str_of(text));
    if (p > text && *p == '(') {
        p = strchr(p, ')');
        p = p ? p + 1 : text;
    }
    return p > text && *p == ':' ? p : NULL;
}

bool kd_array_is_value(const char *text)
{
    generator g;
    const char *rest, *colon = type_colon(text);
    kd_scalar type;
    if (text[0] == '@' || (colon && generator_of(text, &g, &rest)))
        return true;
    const char *bracket = colon ? strchr(colon, '[') : NULL; /* of a generator that there is not */
    return bracket && kd_scalar_parse((kd_str){colon + 1, (size_t)(bracket - colon - 1)}, &type);
}

typedef struct spec {
    const char *text; /* all of it, for messages */
    generator generator;
    double numbers[2]; /* of randint(lo, hi) */
    unsigned n_numbers;
    uint64_t seed;
    kd_array_eval *eval;
    void *user;
} spec;

static kd_str trimmed(const char *from, const char *to)
{
    while (from < to && *from == ' ')
        from++;
    while (from < to && to[-1] == ' ')
        to--;
    return (kd_str){from, (size_t)(to - from)};
}

/* The pieces between commas of from..to, not inside brackets. Calls each; stops on failure. */
static kd_status each_piece(const char *from, const char *to, kd_status (*visit)(void *user, kd_str piece, kd_failure *out_why), void *user,
                            kd_failure *out_why)
{
    int depth = 0;
    const char *start = from;
    for (const char *p = from; p <= to; p++) {
        if (p < to && (*p == '(' || *p == '['))
            depth++;
        else if (p < to && (*p == ')' || *p == ']'))
            depth--;
        else if (p == to || (*p == ',' && depth == 0)) {
            kd_str piece = trimmed(start, p);
            if (p == to && piece.len == 0)
                break; /* nothing, or a trailing comma */
            kd_status status = visit(user, piece, out_why);
            if (status != KD_OK)
                return status;
            start = p + 1;
        }
    }
    return KD_OK;
}

static kd_status visit_generator_argument(void *user, kd_str piece, kd_failure *out_why)
{
    spec *s = user;
    bool is_seed = kd_str_starts_with(piece, "seed=");
    kd_str text = is_seed ? (kd_str){piece.ptr + 5, piece.len - 5} : piece;
    double number;
    size_t n_name = name_length(piece);
    if (!is_seed && n_name && n_name + 1 < piece.len && piece.ptr[n_name] == '=' && piece.ptr[n_name + 1] != '=')
        return kd_fail(out_why, KD_ERR_ARGUMENT, "'%s' has no '%.*s'; expected seed=N", GENERATORS[s->generator], (int)n_name, piece.ptr);
    if (!s->eval(s->user, text, &number))
        return KD_ERR_REPORTED;
    if (!(fabs(number) <= 0x1p62))
        return kd_fail(out_why, KD_ERR_ARGUMENT, "a number here lies between -2^62 and 2^62, but '%.*s' is %g", KD_STR_ARG(text), number);
    if (is_seed)
        s->seed = (uint64_t)(int64_t)number;
    else if (s->generator == GEN_RANDINT && s->n_numbers < 2)
        s->numbers[s->n_numbers++] = number;
    else
        return kd_fail(out_why, KD_ERR_ARGUMENT, "'%s' does not take the number '%.*s'", GENERATORS[s->generator], KD_STR_ARG(piece));
    return KD_OK;
}

typedef struct shape_walk {
    spec *s;
    kd_array *array;
} shape_walk;

static kd_status visit_extent(void *user, kd_str piece, kd_failure *out_why)
{
    shape_walk *w = user;
    double extent;
    if (!w->s->eval(w->s->user, piece, &extent))
        return KD_ERR_REPORTED;
    if (extent >= 9e15)
        return kd_fail(out_why, KD_ERR_MEMORY, "an array of this size does not fit into memory");
    if (!(extent >= 0) || extent != floor(extent))
        return kd_fail(out_why, KD_ERR_ARGUMENT, "an extent is a whole number from 0 on, but '%.*s' is %g", KD_STR_ARG(piece), extent);
    if (w->array->n_dims == KD_ARRAY_MAX_DIMS)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "an array has at most %d axes", KD_ARRAY_MAX_DIMS);
    w->array->shape[w->array->n_dims++] = (uint64_t)extent;
    return KD_OK;
}

static kd_status allocate(kd_array *array, kd_failure *out_why)
{
    uint64_t n = 1, n_bytes;
    bool too_large = false;
    for (unsigned i = 0; i < array->n_dims; i++)
        too_large |= __builtin_mul_overflow(n, array->shape[i], &n);
    too_large |= __builtin_mul_overflow(n, (uint64_t)kd_scalar_bytes(array->type), &n_bytes) || n_bytes > INT64_MAX - 64;
    array->n_elems = n;
    array->n_bytes = too_large ? 0 : n_bytes;
    /* calloc, so that zeros cost nothing until they are touched */
    array->owned = too_large ? NULL : calloc(n_bytes + 64, 1);
    if (!array->owned)
        return kd_fail(out_why, KD_ERR_MEMORY, "an array of this size does not fit into memory");
    array->data = (void *)(((uintptr_t)array->owned + 63) & ~(uintptr_t)63);
    return KD_OK;
}

/* ---- numbers ---- */

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014): a good stream from any seed. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double next_uniform(uint64_t *state) /* [0, 1) */
{
    return (double)(next_random(state) >> 11) * 0x1p-53;
}

static double next_normal(uint64_t *state) /* Box and Muller */
{
    double u = 1 - next_uniform(state), v = next_uniform(state);
    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

static void put(kd_array *array, uint64_t i, double value)
{
    unsigned n_bytes = kd_scalar_bytes(array->type);
    uint64_t bits;
    if (kd_scalar_is_float(array->type))
        bits = kd_float_encode(value, array->type, KD_FLOAT_NEAREST_EVEN);
    else if (array->type == KD_I1)
        bits = value != 0;
    else
        bits = value < 0 ? (uint64_t)(int64_t)value : (uint64_t)value;
    memcpy((char *)array->data + i * n_bytes, &bits, n_bytes); /* x86 and every other target of ours is little-endian */
}

double kd_array_get(const kd_array *array, uint64_t i)
{
    unsigned n_bytes = kd_scalar_bytes(array->type), n_bits = n_bytes * 8;
    uint64_t bits = 0;
    memcpy(&bits, (const char *)array->data + i * n_bytes, n_bytes);
    if (kd_scalar_is_float(array->type))
        return kd_float_decode(bits, array->type);
    if (array->type == KD_I1)
        return bits != 0;
    if (kd_scalar_is_unsigned(array->type))
        return (double)bits;
    return (double)((int64_t)(bits << (64 - n_bits)) >> (64 - n_bits));
}

static void generate(kd_array *array, const spec *s)
{
    uint64_t state = s->seed;
    if (s->generator == GEN_ZEROS || s->generator == GEN_EMPTY)
        return;
    for (uint64_t i = 0; i < array->n_elems; i++) {
        double value = 1;
        if (s->generator == GEN_ARANGE)
            value = (double)i;
        else if (s->generator == GEN_RAND)
            value = next_uniform(&state);
        else if (s->generator == GEN_RANDN)
            value = next_normal(&state);
        else if (s->generator == GEN_RANDINT)
            value = s->numbers[0] + floor(next_uniform(&state) * (s->numbers[1] - s->numbers[0]));
        put(array, i, value);
    }
}

/* ---- the two forms of a VALUE ---- */

static kd_status unknown_type(kd_str text, kd_failure *out_why)
{
    return kd_fail(out_why, KD_ERR_ARGUMENT, "'%.*s' is not an element type; expected f32, f16, bf16, i32, i64, u8, fp8e4nv ...", KD_STR_ARG(text));
}

static kd_status copy_npy(const kd_npy *npy, kd_array *out, kd_failure *out_why)
{
    kd_array array = {.type = npy->type, .n_dims = npy->n_dims, .n_elems = npy->n_elems, .n_bytes = npy->n_bytes};
    memcpy(array.shape, npy->shape, npy->n_dims * sizeof *npy->shape);
    kd_status status = allocate(&array, out_why);
    if (status != KD_OK)
        return status;
    memcpy(array.data, npy->data, npy->n_bytes);
    *out = array;
    return KD_OK;
}

/* An .npy file. type: what raw bytes of its width are, where the file does not say. */
static kd_status read_array(const char *path, kd_scalar type, kd_array *out, kd_failure *out_why)
{
    kd_npy npy;
    kd_status status = kd_npy_read(path, &npy, out_why);
    if (status != KD_OK)
        return status;
    if (!npy.has_type)
        status = kd_npy_retype(&npy, type, out_why);
    if (status == KD_OK)
        status = copy_npy(&npy, out, out_why);
    kd_npy_release(&npy);
    return status;
}

static kd_status from_file(const char *path, kd_array *out, kd_failure *out_why)
{
    size_t n = strlen(path);
    const char *colon = strrchr(path, ':');
    kd_scalar type = KD_F32;
    bool retype = colon && !strchr(colon, '/') && !strchr(colon, '.');
    if (retype) {
        kd_str name = kd_str_of(colon + 1);
        if (!kd_scalar_parse(name, &type))
            return unknown_type(name, out_why);
        n = (size_t)(colon - path);
    }
    char *file = strndup(path, n);
    if (!file)
        return kd_fail(out_why, KD_ERR_MEMORY, "out of memory");
    kd_npy npy;
    kd_status status = kd_npy_read(file, &npy, out_why);
    free(file);
    if (status != KD_OK)
        return status;
    if (retype)
        status = kd_npy_retype(&npy, type, out_why);
    else if (!npy.has_type)
        status = kd_fail(out_why, KD_ERR_ARGUMENT, "'%s' has raw elements of %u bytes; say what they are: @%s:%s", path, npy.item_bytes, path,
                         npy.item_bytes == 2 ? "bf16" : "fp8e4nv");
    if (status == KD_OK)
        status = copy_npy(&npy, out, out_why);
    kd_npy_release(&npy);
    return status;
}

static kd_status from_generator(spec *s, const char *rest, kd_array *out, kd_failure *out_why)
{
    kd_status status = KD_OK;
    if (*rest == '(') {
        const char *close = strchr(rest, ')');
        status = each_piece(rest + 1, close, visit_generator_argument, s, out_why);
        rest = close + 1;
    }
    if (status != KD_OK)
        return status;
    if (s->generator == GEN_RANDINT && (s->n_numbers != 2 || !(s->numbers[0] < s->numbers[1])))
        return kd_fail(out_why, KD_ERR_ARGUMENT, "randint needs bounds, lowest and one past the highest: randint(0, 10):i32[8]");
    rest++; /* the colon */
    size_t n = strcspn(rest, "[");
    kd_str type = trimmed(rest, rest + n);
    if (!kd_scalar_parse(type, &out->type))
        return unknown_type(type, out_why);
    size_t len = strlen(rest);
    if (rest[n] != '[' || rest[len - 1] != ']')
        return kd_fail(out_why, KD_ERR_ARGUMENT, "expected a shape behind the type, as in %s:%.*s[1024, 64]", GENERATORS[s->generator],
                       KD_STR_ARG(type));
    shape_walk walk = {s, out};
    status = each_piece(rest + n + 1, rest + len - 1, visit_extent, &walk, out_why);
    if (status == KD_OK)
        status = allocate(out, out_why);
    if (status == KD_OK)
        generate(out, s);
    return status;
}

static kd_status unknown_generator(const char *text, kd_failure *out_why)
{
    kd_str name = {text, name_length(kd_str_of(text))};
    kd_nearest nearest = kd_nearest_to(name);
    for (int g = 0; g < N_GENERATORS; g++)
        kd_nearest_try(&nearest, kd_str_of(GENERATORS[g]));
    if (nearest.best.len)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "there is no array '%.*s'; did you mean '%.*s'?", KD_STR_ARG(name), KD_STR_ARG(nearest.best));
    return kd_fail(out_why, KD_ERR_ARGUMENT, "there is no array '%.*s'; expected zeros, ones, empty, arange, rand, randn or randint", KD_STR_ARG(name));
}

kd_status kd_array_make(const char *text, uint64_t seed, kd_array_eval *eval, void *user, kd_array *out, kd_failure *out_why)
{
    kd_array array = {0};
    spec s = {.text = text, .seed = seed, .eval = eval, .user = user};
    const char *rest = NULL;
    kd_status status;
    if (text[0] == '@')
        status = from_file(text + 1, &array, out_why);
    else if (generator_of(text, &s.generator, &rest))
        status = from_generator(&s, rest, &array, out_why);
    else
        status = unknown_generator(text, out_why);
    if (status == KD_OK)
        *out = array;
    else
        kd_array_release(&array);
    return status;
}

/* ---- showing and comparing ---- */

enum { EDGE_ITEMS = 3, MAX_SHOWN = 1000, MAX_COLUMN = 100 };

typedef char number_text[32];

static int write_number(const kd_array *array, uint64_t i, number_text out)
{
    double v = kd_array_get(array, i);
    size_t n = sizeof(number_text);
    if (array->type == KD_I1)
        return snprintf(out, n, "%s", v != 0 ? "True" : "False");
    if (isnan(v))
        return snprintf(out, n, "nan"); /* printf shows the sign */
    if (kd_scalar_is_float(array->type))
        return snprintf(out, n, array->type == KD_F64 ? "%.10g" : "%.6g", v);
    if (array->type == KD_U64)
        return snprintf(out, n, "%llu", (unsigned long long)((const uint64_t *)array->data)[i]);
    if (array->type == KD_I64)
        return snprintf(out, n, "%lld", (long long)((const int64_t *)array->data)[i]);
    return snprintf(out, n, "%.0f", v);
}

typedef struct printing {
    const kd_array *array;
    bool shorten;
    bool is_block; /* several lines: numbers stand below each other */
    int width;     /* of the widest number that is shown */
    FILE *out; /* NULL: measuring */
    unsigned column;
} printing;

static void print_number(printing *p, uint64_t i)
{
    number_text text;
    int n = write_number(p->array, i, text);
    if (!p->out) {
        p->width = n > p->width ? n : p->width;
        return;
    }
    int width = p->is_block ? p->width : 0;
    p->column += (unsigned)(n > width ? n : width);
    fprintf(p->out, "%*s", width, text);
}

static void print_text(printing *p, const char *text, unsigned indent)
{
    if (!p->out)
        return;
    fprintf(p->out, "%s%*s", text, (int)indent, "");
    p->column = text[0] == '\n' ? indent : p->column + (unsigned)strlen(text) + indent;
}

static void print_axis(printing *p, unsigned axis, uint64_t at, uint64_t stride)
{
    if (axis == p->array->n_dims) {
        print_number(p, at);
        return;
    }
    uint64_t n = p->array->shape[axis];
    bool inner = axis + 1 == p->array->n_dims;
    print_text(p, "[", 0);
    for (uint64_t i = 0; i < n; i++) {
        bool wraps = inner && p->column + 2 + (unsigned)p->width > MAX_COLUMN;
        if (i && inner)
            print_text(p, wraps ? "," : ", ", 0);
        if (i && (!inner || wraps))
            print_text(p, "\n", axis + 1);
        if (p->shorten && i == EDGE_ITEMS && n > 2 * EDGE_ITEMS) {
            print_text(p, "...", 0);
            i = n - EDGE_ITEMS - 1;
            continue;
        }
        print_axis(p, axis + 1, at + i * (stride / n), stride / n);
    }
    print_text(p, "]", 0);
}

void kd_array_print(const kd_array *array, const char *name, FILE *out)
{
    fprintf(out, "%s: %s[", name, kd_scalar_name(array->type));
    for (unsigned i = 0; i < array->n_dims; i++)
        fprintf(out, "%s%llu", i ? ", " : "", (unsigned long long)array->shape[i]);
    fputs("]\n", out);
    printing p = {.array = array, .shorten = array->n_elems > MAX_SHOWN};
    if (array->n_elems) {
        print_axis(&p, 0, 0, array->n_elems);
        p.is_block = array->n_dims > 1 || (!p.shorten && array->n_elems * (uint64_t)(p.width + 2) > MAX_COLUMN);
        p.out = out;
        print_axis(&p, 0, 0, array->n_elems);
    } else {
        fputs("[]", out);
    }
    fputc('\n', out);
}

/* "f32[3, 4]". */
static const char *type_text(kd_arena *arena, const kd_array *array)
{
    kd_strbuf text = kd_strbuf_in(arena);
    kd_strbuf_printf(&text, "%s[", kd_scalar_name(array->type));
    for (unsigned d = 0; d < array->n_dims; d++)
        kd_strbuf_printf(&text, "%s%llu", d ? ", " : "", (unsigned long long)array->shape[d]);
    kd_strbuf_puts(&text, "]");
    return kd_strbuf_text(&text);
}

/* "[3, 0, 17]" of a linear index. */
static const char *index_text(kd_arena *arena, const kd_array *array, uint64_t i)
{
    uint64_t stride = array->n_elems;
    kd_strbuf text = kd_strbuf_in(arena);
    kd_strbuf_puts(&text, "[");
    for (unsigned d = 0; d < array->n_dims; d++) {
        stride /= array->shape[d];
        kd_strbuf_printf(&text, "%s%llu", d ? ", " : "", (unsigned long long)(i / stride));
        i %= stride;
    }
    kd_strbuf_puts(&text, "]");
    return kd_strbuf_text(&text);
}

static bool same_shape(const kd_array *a, const kd_array *b)
{
    return a->n_dims == b->n_dims && memcmp(a->shape, b->shape, a->n_dims * sizeof *a->shape) == 0;
}

static kd_array_difference compare(const kd_array *got, const kd_array *expected, kd_tolerance tolerance)
{
    kd_array_difference out = {0};
    bool exact = got->type == expected->type && kd_scalar_is_int(got->type);
    for (uint64_t i = 0; i < got->n_elems; i++) {
        double g = kd_array_get(got, i), e = kd_array_get(expected, i), error = fabs(g - e);
        bool equal = g == e || (isnan(g) && isnan(e)) || (isfinite(e) && error <= tolerance.atol + tolerance.rtol * fabs(e));
        if (exact && g == e) { /* 64-bit integers do not fit a double */
            unsigned n = kd_scalar_bytes(got->type);
            equal = memcmp((char *)got->data + i * n, (char *)expected->data + i * n, n) == 0 || tolerance.rtol > 0 || tolerance.atol > 0;
        }
        if (error > out.max_error)
            out.max_error = error;
        if (equal)
            continue;
        if (!out.n_different++) {
            out.first = i;
            out.got = g;
            out.expected = e;
        }
    }
    return out;
}

kd_exit kd_array_expect(kd_arena *arena, const char *name, const kd_array *got, const char *path, kd_tolerance tolerance, kd_array_difference *out)
{
    kd_array expected = {0};
    kd_failure why = {0};
    /* A saved array of a type that NumPy lacks comes back as raw bytes, and is what it is compared with. */
    kd_status status = read_array(path, got->type, &expected, &why);
    if (status == KD_OK && !same_shape(got, &expected))
        status = kd_fail(&why, KD_ERR_ARGUMENT, "the file has %s, but '%s' is %s", type_text(arena, &expected), name, type_text(arena, got));
    if (status == KD_OK)
        *out = compare(got, &expected, tolerance);
    kd_array_release(&expected);
    if (status != KD_OK) {
        kd_cli_error("--expect %s=%s: %s", name, path, why.text);
        return kd_cli_exit_of(status);
    }
    if (!out->n_different)
        return KD_EXIT_OK;
    kd_cli_error("'%s' differs from '%s' in %llu of %llu elements; the first at %s: %.9g instead of %.9g; largest error %.3g", name, path,
                 (unsigned long long)out->n_different, (unsigned long long)got->n_elems, index_text(arena, got, out->first), out->got,
                 out->expected, out->max_error);
    return KD_EXIT_DIFFERS;
}
