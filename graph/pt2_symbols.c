/* pt2_symbols.c - programs with variable shapes: what the symbols in their extents stand for.
 *
 * An extent that varies is a symbol, and what depends on it is an expression in SymPy's notation for programs:
 * "Mul(Integer(8), Symbol('s0', positive=True, integer=True))". kdsl compiles for known shapes. So each symbol gets a number before anything else
 * is read: from the shapes that the caller gives, else from the example that the program was exported with; each expression then becomes a
 * number where it is read.
 *
 * Source of the functions' meaning: torch/utils/_sympy/functions.py. */
#include "graph/pt2.h"

#include "base/number.h"
#include "graph/ir.h"

#include <inttypes.h>
#include <math.h>

enum { MAX_EXPRESSION_DEPTH = 64, MAX_FUNCTION_ARGS = 64 };

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";

/* Up to here each integer is a double. */
static const double EXACT_LIMIT = 9007199254740992.0;

/* ---- expressions ---- */

typedef struct expression {
    kd_pt2 *p;
    const char *at;
    unsigned depth;
    const char *unknown; /* the first symbol without a number, or a function that kdsl does not know */
    const double *trial; /* where set: the number of that symbol */
    bool is_bad; /* no expression at all */
} expression;

typedef enum function { SUM, PRODUCT, MAXIMUM, MINIMUM, POWER, FLOOR_DIV, TRUE_DIV, MODULO, FLOOR_DIV_MODULO, SAME, TRUNCATE, CEIL, FLOOR, ROUND, ROOT,
                        EQUAL, UNEQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, ALL, ANY, NOT } function;

static const struct {
    const char *name;
    function function;
    unsigned n_args; /* 0: one or more */
} FUNCTIONS[] = {
    {"Add", SUM, 0},
    {"Mul", PRODUCT, 0},
    {"Max", MAXIMUM, 0},
    {"Min", MINIMUM, 0},
    {"Pow", POWER, 2},
    {"PowByNatural", POWER, 2},
    {"FloatPow", POWER, 2},
    {"FloorDiv", FLOOR_DIV, 2},
    {"CleanDiv", FLOOR_DIV, 2},
    {"CeilDiv", CEIL, 2},
    {"IntTrueDiv", TRUE_DIV, 2},
    {"FloatTrueDiv", TRUE_DIV, 2},
    {"Rational", TRUE_DIV, 2},
    {"Mod", MODULO, 2},
    {"PythonMod", MODULO, 2},
    {"ModularIndexing", FLOOR_DIV_MODULO, 3},
    {"Integer", SAME, 1},
    {"Float", SAME, 1},
    {"ToFloat", SAME, 1},
    {"Identity", SAME, 1},
    {"TruncToInt", TRUNCATE, 1},
    {"TruncToFloat", TRUNCATE, 1},
    {"CeilToInt", CEIL, 1},
    {"FloorToInt", FLOOR, 1},
    {"RoundToInt", ROUND, 1},
    {"OpaqueUnaryFn_sqrt", ROOT, 1},
    {"Equality", EQUAL, 2},
    {"Unequality", UNEQUAL, 2},
    {"StrictLessThan", LESS, 2},
    {"LessThan", LESS_EQUAL, 2},
    {"StrictGreaterThan", GREATER, 2},
    {"GreaterThan", GREATER_EQUAL, 2},
    {"And", ALL, 0},
    {"Or", ANY, 0},
    {"Not", NOT, 1},
};

/* Python's: rounded down, the remainder has the divisor's sign. */
static double floor_mod(double a, double b)
{
    return a - b * floor(a / b);
}

static double fold(function f, double a, double b)
{
    switch (f) {
    case SUM: return a + b;
    case PRODUCT: return a * b;
    case MAXIMUM: return a > b ? a : b;
    case MINIMUM: return a < b ? a : b;
    case ALL: return a != 0 && b != 0;
    default: return a != 0 || b != 0;
    }
}

static double apply(function f, const double *x, unsigned n)
{
    switch (f) {
    case POWER: return pow(x[0], x[1]);
    case FLOOR_DIV: return floor(x[0] / x[1]);
    case TRUE_DIV: return x[0] / x[1];
    case MODULO: return floor_mod(x[0], x[1]);
    case FLOOR_DIV_MODULO: return floor_mod(floor(x[0] / x[1]), x[2]);
    case SAME: return x[0];
    case TRUNCATE: return trunc(x[0]);
    case CEIL: return ceil(n == 2 ? x[0] / x[1] : x[0]);
    case FLOOR: return floor(x[0]);
    case ROUND: return nearbyint(x[0]); /* half to even, as Python */
    case ROOT: return sqrt(x[0]);
    case EQUAL: return x[0] == x[1];
    case UNEQUAL: return x[0] != x[1];
    case LESS: return x[0] < x[1];
    case LESS_EQUAL: return x[0] <= x[1];
    case GREATER: return x[0] > x[1];
    case GREATER_EQUAL: return x[0] >= x[1];
    case NOT: return x[0] == 0;
    default: break;
    }
    double sum = f == ALL || f == ANY ? x[0] != 0 : x[0];
    for (unsigned i = 1; i < n; i++)
        sum = fold(f, sum, x[i]);
    return sum;
}

static double bad(expression *e)
{
    e->is_bad = true;
    return 0;
}

static double unknown(expression *e, kd_str name)
{
    e->unknown = e->unknown ? e->unknown : kd_arena_strndup(e->p->arena, name.ptr, name.len);
    return 0;
}

static bool takes(expression *e, char c)
{
    e->at += strspn(e->at, " ");
    return *e->at == c ? e->at++, true : false;
}

static kd_str take_word(expression *e, const char *letters)
{
    e->at += strspn(e->at, " ");
    kd_str word = {e->at, strspn(e->at, letters)};
    e->at += word.len;
    return word;
}

/* 's0' */
static kd_str take_quoted(expression *e)
{
    kd_str none = {0};
    if (!takes(e, '\''))
        return none;
    kd_str text = {e->at, strcspn(e->at, "'")};
    e->at += text.len;
    return takes(e, '\'') ? text : none;
}

static double number_of_symbol(expression *e, kd_str name)
{
    const double *number = kd_map_get(&e->p->symbols, name);
    if (number)
        return *number;
    (void)unknown(e, name);
    return e->trial && strncmp(name.ptr, e->unknown, name.len) == 0 && !e->unknown[name.len] ? *e->trial : 0;
}

static double evaluate(expression *e);

/* "positive=True": how SymPy writes a number, or what it assumes of a symbol. */
static bool skip_keyword(expression *e)
{
    const char *word = e->at + strspn(e->at, " ");
    size_t len = strspn(word, LETTERS);
    if (!len || word[len] != '=')
        return false;
    e->at = word + len + strcspn(word + len, ",)");
    return true;
}

/* What is behind "NAME(", with the ')'. */
static double evaluate_call(expression *e, kd_str name)
{
    static const unsigned N_FUNCTIONS = sizeof FUNCTIONS / sizeof *FUNCTIONS;
    double args[MAX_FUNCTION_ARGS];
    unsigned n = 0, i = 0;
    kd_str symbol = kd_str_equal(name, kd_str_of("Symbol")) ? take_quoted(e) : (kd_str){0};
    bool more = !symbol.len || takes(e, ',');
    while (more && !e->is_bad) {
        if (!skip_keyword(e) && n < MAX_FUNCTION_ARGS)
            args[n++] = evaluate(e);
        more = takes(e, ',');
    }
    if (e->is_bad || !takes(e, ')'))
        return bad(e);
    if (symbol.len)
        return number_of_symbol(e, symbol);
    while (i < N_FUNCTIONS && !kd_str_equal(name, kd_str_of(FUNCTIONS[i].name)))
        i++;
    if (i == N_FUNCTIONS)
        return unknown(e, name);
    return !n || n == MAX_FUNCTION_ARGS || (FUNCTIONS[i].n_args && n != FUNCTIONS[i].n_args) ? bad(e)
                                                                                             : apply(FUNCTIONS[i].function, args, n);
}

static double evaluate_inside(expression *e)
{
    double number;
    kd_str word = take_word(e, LETTERS);
    if (!word.len) {
        kd_str text = take_quoted(e); /* Float('0.5', precision=53) */
        text = text.len ? text : take_word(e, "-0123456789");
        return kd_double_parse(text, &number) ? number : bad(e);
    }
    if (takes(e, '('))
        return evaluate_call(e, word);
    if (kd_str_equal(word, kd_str_of("true")) || kd_str_equal(word, kd_str_of("false")))
        return word.ptr[0] == 't';
    return unknown(e, word);
}

static double evaluate(expression *e)
{
    if (++e->depth > MAX_EXPRESSION_DEPTH)
        return bad(e);
    double number = evaluate_inside(e);
    e->depth--;
    return number;
}

/* All of a text. */
static double evaluate_text(expression *e, const char *text)
{
    e->at = text;
    double number = evaluate(e);
    return *e->at ? bad(e) : number;
}

/* An expression that is an extent or stride of the value 'name'. */
static kd_status number_of_text(kd_pt2 *p, const char *name, const char *text, double *out)
{
    expression e = {.p = p};
    *out = evaluate_text(&e, text);
    if (e.unknown)
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "an extent of the value '%s' depends on '%.80s', which is known at run time only", name,
                          e.unknown);
    if (e.is_bad || !(fabs(*out) < EXACT_LIMIT))
        return kd_pt2_bad(p, KD_ERR_DAMAGED, "an extent of the value '%s' is '%.80s', which makes no sense", name, text);
    return KD_OK;
}

/* ---- what the file has ---- */

static const char *expression_of(yyjson_val *v)
{
    return yyjson_get_str(yyjson_obj_get(yyjson_obj_get(v, "as_expr"), "expr_str"));
}

kd_status kd_pt2_extent(kd_pt2 *p, const char *name, yyjson_val *v, int64_t *out)
{
    const char *text = expression_of(v);
    double number;
    if (text) {
        kd_status status = number_of_text(p, name, text, &number);
        if (status)
            return status;
    } else {
        v = yyjson_obj_get(v, "as_int");
        number = yyjson_is_int(v) ? (double)yyjson_get_sint(v) : -1;
    }
    if (!(number >= 0 && number < (double)(1ll << KD_TENSOR_MAX_EXTENT_BITS)) || number != floor(number))
        return kd_pt2_bad(p, KD_ERR_DAMAGED, "an extent of the value '%s' is no number from 0 to 2^%d", name,
                          KD_TENSOR_MAX_EXTENT_BITS);
    *out = (int64_t)number;
    return KD_OK;
}

/* What a table of the file says of a value: {"as_int": 3}, {"as_expr": {...}}. False: only a run tells. */
static bool known_number(kd_pt2 *p, yyjson_val *v, double *out)
{
    const char *text = expression_of(v), *tag;
    expression e = {.p = p};
    if (text) {
        *out = evaluate_text(&e, text);
        return !e.unknown && !e.is_bad && fabs(*out) < EXACT_LIMIT;
    }
    v = kd_pt2_only_member(v, &tag);
    *out = yyjson_is_bool(v) ? yyjson_get_bool(v) : yyjson_get_num(v);
    return yyjson_is_bool(v) || yyjson_is_num(v);
}

void kd_pt2_find_numbers(kd_pt2 *p, yyjson_val *graph)
{
    static const struct {
        const char *table;
        kd_pt2_number_kind kind;
    } TABLES[] = {{"sym_int_values", KD_PT2_INT}, {"sym_bool_values", KD_PT2_BOOL}, {"sym_float_values", KD_PT2_FLOAT}};
    for (unsigned i = 0; i < 3; i++) {
        yyjson_val *table = yyjson_obj_get(graph, TABLES[i].table), *name;
        for (yyjson_obj_iter names = yyjson_obj_iter_with(table); (name = yyjson_obj_iter_next(&names));) {
            kd_pt2_number *n = kd_arena_new(p->arena, kd_pt2_number);
            n->kind = TABLES[i].kind;
            if (known_number(p, yyjson_obj_iter_get_val(name), &n->value) && (n->kind == KD_PT2_FLOAT || n->value == floor(n->value)))
                *kd_map_at(&p->numbers, kd_str_of(yyjson_get_str(name))) = n;
        }
    }
}

const kd_pt2_number *kd_pt2_number_named(const kd_pt2 *p, yyjson_val *v)
{
    const char *name = yyjson_get_str(yyjson_obj_get(v, "as_name"));
    return name ? kd_map_get(&p->numbers, kd_str_of(name)) : NULL;
}

/* ---- what symbols stand for ---- */

/* A tensor that the caller passes. */
typedef struct input {
    const char *name;
    yyjson_val *sizes;
    bool varies;
    const kd_input_shape *given; /* NULL: the caller does not say */
} input;

static kd_status wrong_shape(kd_pt2 *p, const input *in, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *what = kd_arena_vprintf(p->arena, format, args);
    va_end(args);
    return kd_pt2_bad(p, KD_ERR_ARGUMENT, "the input '%s' of the shape %s: %s", in->name,
                      kd_pt2_list(p, in->given->shape, in->given->n_dims), what);
}

/* A lower bound of 2 is what exporters put down where nothing is said; PyTorch does not check it either.
 * Source: torch/_export/utils.py, _check_input_constraints_for_graph. */
static bool is_in_range(const kd_pt2 *p, const char *symbol, double number, const char **out_range)
{
    enum { LEAST_CHECKED = 3 };
    yyjson_val *range = yyjson_obj_get(yyjson_obj_get(yyjson_doc_get_root(p->doc), "range_constraints"), symbol);
    yyjson_val *min = yyjson_obj_get(range, "min_val"), *max = yyjson_obj_get(range, "max_val");
    double low = yyjson_is_int(min) && yyjson_get_num(min) >= LEAST_CHECKED ? yyjson_get_num(min) : 0;
    double high = yyjson_is_int(max) ? yyjson_get_num(max) : INFINITY;
    *out_range = isinf(high) ? kd_arena_printf(p->arena, "at least %.0f", low)
                 : low == 0  ? kd_arena_printf(p->arena, "at most %.0f", high)
                             : kd_arena_printf(p->arena, "%.0f to %.0f", low, high);
    return number >= low && number <= high;
}

/* The symbol for which an expression is extent; SymPy's expressions of extents grow evenly with it, or the caller's shape does not fit. */
static double solve(expression *e, const char *text, double extent)
{
    const double trials[2] = {0, 1};
    double results[2];
    for (unsigned i = 0; i < 2; i++) {
        e->trial = &trials[i];
        results[i] = evaluate_text(e, text);
    }
    return (extent - results[0]) / (results[1] - results[0]);
}

/* Dimension d of an input, which is an expression, has this extent: if one symbol in it has no number, that is known now. */
static kd_status bind_extent(kd_pt2 *p, const input *in, const char *text, double extent)
{
    const char *range;
    expression e = {.p = p};
    (void)evaluate_text(&e, text);
    const char *symbol = e.unknown;
    if (!symbol || e.is_bad)
        return KD_OK; /* compared, or complained of, where the type is read */
    double *number = kd_arena_new(p->arena, double);
    *number = solve(&e, text, extent);
    if (!(*number >= 0 && *number < EXACT_LIMIT) || *number != floor(*number))
        return in->given ? wrong_shape(p, in, "no extent of the program makes %.0f", extent) : KD_OK;
    if (in->given && !is_in_range(p, symbol, *number, &range))
        return wrong_shape(p, in, "the program takes %s where this has %.0f", range, *number);
    *kd_map_at(&p->symbols, kd_str_of(symbol)) = number;
    return KD_OK;
}

static kd_status bind_input(kd_pt2 *p, const input *in)
{
    yyjson_val *size;
    size_t d, n;
    if (in->given && in->varies && in->given->n_dims != yyjson_arr_size(in->sizes))
        return wrong_shape(p, in, "the program wants %zu dimensions", yyjson_arr_size(in->sizes));
    yyjson_arr_foreach(in->sizes, d, n, size)
    {
        const char *text = expression_of(size);
        yyjson_val *hint = yyjson_obj_get(yyjson_obj_get(yyjson_obj_get(size, "as_expr"), "hint"), "as_int");
        if (!text || (!in->given && !yyjson_is_int(hint)))
            continue;
        kd_status status = bind_extent(p, in, text, in->given ? (double)in->given->shape[d] : yyjson_get_num(hint));
        if (status)
            return status;
    }
    return KD_OK;
}

/* Whether all that the caller said is what the program has with these numbers. Fixed shapes are compared when the program runs. */
static kd_status compare_input(kd_pt2 *p, const input *in)
{
    int64_t shape[KD_TENSOR_MAX_DIMS];
    yyjson_val *size;
    size_t d, n;
    if (!in->given || !in->varies)
        return KD_OK;
    yyjson_arr_foreach(in->sizes, d, n, size)
    {
        kd_status status = kd_pt2_extent(p, in->name, size, &shape[d]);
        if (status)
            return status;
    }
    if (n && memcmp(shape, in->given->shape, n * sizeof *shape) != 0)
        return wrong_shape(p, in, "the program wants %s", kd_pt2_list(p, shape, (unsigned)n));
    return KD_OK;
}

static const kd_input_shape *given_shape(const kd_pt2 *p, const char *name, unsigned number, unsigned n_inputs)
{
    for (unsigned i = 0; p->shapes && i < p->shapes->n; i++) {
        const kd_input_shape *s = &p->shapes->data[i];
        unsigned at;
        if (strcmp(s->name, name) == 0 || (kd_tensor_number(s->name, 'x', n_inputs, &at) && at == number))
            return s;
    }
    return NULL;
}

static bool has_expression(yyjson_val *sizes)
{
    yyjson_val *size;
    size_t d, n;
    yyjson_arr_foreach(sizes, d, n, size)
    {
        if (expression_of(size))
            return true;
    }
    return false;
}

kd_status kd_pt2_bind_symbols(kd_pt2 *p, yyjson_val *input_specs)
{
    KD_VEC(input) inputs = {0};
    yyjson_val *spec;
    size_t i, max;
    yyjson_arr_foreach(input_specs, i, max, spec)
    {
        const char *name = kd_pt2_user_input(spec);
        yyjson_val *sizes = name ? yyjson_obj_get(yyjson_obj_get(p->metas, name), "sizes") : NULL;
        if (yyjson_is_arr(sizes) && yyjson_arr_size(sizes) <= KD_TENSOR_MAX_DIMS)
            kd_vec_push(p->arena, &inputs, (input){.name = name, .sizes = sizes, .varies = has_expression(sizes)});
    }
    kd_status status = KD_OK;
    for (unsigned k = 0; k < inputs.n; k++)
        inputs.data[k].given = given_shape(p, inputs.data[k].name, k, inputs.n);
    for (int said = 1; said >= 0; said--) /* what the caller says counts for more than the example */
        for (unsigned k = 0; k < inputs.n && status == KD_OK; k++)
            if ((inputs.data[k].given != NULL) == said)
                status = bind_input(p, &inputs.data[k]);
    for (unsigned k = 0; k < inputs.n && status == KD_OK; k++)
        status = compare_input(p, &inputs.data[k]);
    return status;
}
