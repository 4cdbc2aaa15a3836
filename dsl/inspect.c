/* inspect.c - the jit functions of a file: parameters, literal configs, heuristics. From the syntax alone. */
#include "base/map.h"
#include "base/nearest.h"
#include "base/vec.h"
#include "dsl/inspect_impl.h"

#include <stdlib.h>

typedef struct inspector {
    kd_arena *arena;
    kd_diags *diags;
    bool loud;
    const kd_module_ast *module;
    kd_map called; /* names that some function of the file calls */
} inspector;

typedef KD_VEC(kd_kernel_info) kd_kernel_list;
typedef KD_VEC(const kd_function *) kd_function_list;

static const char *expr_text(inspector *in, const kd_expr *e)
{
    kd_strbuf text = kd_strbuf_in(in->arena);
    kd_ast_print_expr(e, &text);
    return kd_strbuf_text(&text);
}

static const char *c_str(inspector *in, kd_str s)
{
    return kd_arena_strndup(in->arena, s.ptr, s.len);
}

/* The last name of a decorator: jit of triton.jit and of triton.jit(do_not_specialize=..). */
static kd_str last_name(const kd_expr *e)
{
    if (e->kind == KD_EXPR_CALL)
        e = e->a;
    return e->kind == KD_EXPR_NAME || e->kind == KD_EXPR_ATTRIBUTE ? e->text : (kd_str){0};
}

static const kd_expr *decorator_named(const kd_function *f, const char *name)
{
    for (unsigned i = 0; i < f->n_decorators; i++)
        if (kd_str_is(last_name(f->decorators[i]), name))
            return f->decorators[i];
    return NULL;
}

static const kd_expr *keyword(const kd_expr *call, const char *name)
{
    for (unsigned i = 0; i < call->n_keywords; i++)
        if (kd_str_is(call->keywords[i].name, name))
            return call->keywords[i].value;
    return NULL;
}

/* An argument by position or by name, or NULL. A name of the file that is assigned once stands for its value. */
static const kd_expr *argument(inspector *in, const kd_expr *call, unsigned position, const char *name)
{
    const kd_expr *e = position < call->n_items ? call->items[position] : keyword(call, name);
    if (!e || e->kind != KD_EXPR_NAME)
        return e;
    const kd_expr *value = NULL;
    for (const kd_item *item = in->module->items; item; item = item->next)
        if (item->kind == KD_ITEM_ASSIGN && item->stmt->value && item->stmt->targets[0]->kind == KD_EXPR_NAME &&
            kd_str_equal(item->stmt->targets[0]->text, e->text))
            value = item->stmt->value;
    return value ? value : e;
}

/* ---- who calls whom ---- */

static void note_calls(inspector *in, const kd_expr *e)
{
    if (!e)
        return;
    if (e->kind == KD_EXPR_CALL && e->a->kind == KD_EXPR_NAME)
        *kd_map_at(&in->called, e->a->text) = in;
    if (e->kind != KD_EXPR_LAMBDA) {
        note_calls(in, e->a);
        note_calls(in, e->b);
        note_calls(in, e->c);
    }
    for (unsigned i = 0; i < e->n_items; i++)
        note_calls(in, e->items[i]);
    for (unsigned i = 0; i < e->n_keywords; i++)
        note_calls(in, e->keywords[i].value);
}

/* Notes the calls of a block, and tells whether it returns a value. */
static bool scan_block(inspector *in, const kd_block_ast *block)
{
    bool returns = false;
    for (unsigned i = 0; i < block->n; i++) {
        const kd_stmt *s = block->stmts[i];
        note_calls(in, s->value);
        note_calls(in, s->message);
        returns |= s->kind == KD_STMT_RETURN && s->value && s->value->kind != KD_EXPR_NONE;
        returns |= scan_block(in, &s->body);
        returns |= scan_block(in, &s->orelse);
    }
    return returns;
}

/* ---- parameters ---- */

static bool is_constexpr_annotation(const kd_expr *e)
{
    return e && (kd_str_is(last_name(e), "constexpr") || (e->kind == KD_EXPR_STRING && strstr(e->text.ptr ? e->text.ptr : "", "constexpr")));
}

/* A type that fixes a parameter: int, 'i32', tl.int64, '*u64'. NULL: it says nothing. Source: triton's runtime/jit.py, _normalize_ty. */
static const char *annotation_type(inspector *in, const kd_expr *e)
{
    if (!e)
        return NULL;
    kd_str name = e->kind == KD_EXPR_STRING ? e->text : last_name(e);
    kd_scalar scalar;
    if (kd_str_is(name, "bool"))
        return "i1";
    if (kd_str_is(name, "float"))
        return "f32";
    if (name.len && name.ptr[0] == '*')
        return c_str(in, name);
    return !kd_str_is(name, "int") && kd_scalar_parse(name, &scalar) ? kd_scalar_name(scalar) : NULL;
}

static bool listed(const kd_expr *list, const kd_param *param, unsigned index)
{
    for (unsigned i = 0; list && (list->kind == KD_EXPR_LIST || list->kind == KD_EXPR_TUPLE) && i < list->n_items; i++) {
        const kd_expr *e = list->items[i];
        if ((e->kind == KD_EXPR_STRING && kd_str_equal(e->text, param->name)) || (e->kind == KD_EXPR_INT && e->integer == (__int128)index))
            return true;
    }
    return false;
}

static void inspect_params(inspector *in, const kd_function *f, const kd_expr *jit, kd_kernel_info *out)
{
    kd_param_info *params = kd_arena_array(in->arena, kd_param_info, f->n_params);
    const kd_expr *fixed = jit->kind == KD_EXPR_CALL ? keyword(jit, "do_not_specialize") : NULL;
    for (unsigned i = 0; i < f->n_params; i++) {
        const kd_param *p = &f->params[i];
        params[i] = (kd_param_info){
            .name = c_str(in, p->name),
            .is_constexpr = is_constexpr_annotation(p->annotation),
            .no_specialize = listed(fixed, p, i),
            .default_text = p->default_value ? expr_text(in, p->default_value) : NULL,
        };
        params[i].type = params[i].is_constexpr ? NULL : annotation_type(in, p->annotation);
    }
    out->params = params;
    out->n_params = f->n_params;
}

/* ---- configs and heuristics ---- */

static bool inspect_config(inspector *in, const kd_expr *e, kd_config_info *out)
{
    if (e->kind != KD_EXPR_CALL || !kd_str_is(last_name(e), "Config"))
        return false;
    const kd_expr *values = argument(in, e, 0, "kwargs");
    const kd_expr *warps = argument(in, e, 1, "num_warps"), *stages = argument(in, e, 2, "num_stages");
    if (!values || values->kind != KD_EXPR_DICT || (warps && warps->kind != KD_EXPR_INT) || (stages && stages->kind != KD_EXPR_INT))
        return false;
    unsigned n = values->n_items / 2;
    const char **names = kd_arena_array(in->arena, const char *, n), **texts = kd_arena_array(in->arena, const char *, n);
    for (unsigned i = 0; i < n; i++) {
        const kd_expr *key = values->items[2 * i];
        if (!key || key->kind != KD_EXPR_STRING)
            return false;
        names[i] = c_str(in, key->text);
        texts[i] = expr_text(in, values->items[2 * i + 1]);
    }
    *out = (kd_config_info){.names = names, .values = texts, .n = n};
    out->num_warps = warps ? (unsigned)warps->integer : 0;
    out->num_stages = stages ? (unsigned)stages->integer : 0;
    return true;
}

static void inspect_configs(inspector *in, const kd_function *f, kd_kernel_info *out)
{
    const kd_expr *autotune = decorator_named(f, "autotune");
    const kd_expr *list = autotune && autotune->kind == KD_EXPR_CALL ? argument(in, autotune, 0, "configs") : NULL;
    if (!list)
        return;
    if (list->kind != KD_EXPR_LIST) {
        out->has_other_configs = true;
        return;
    }
    kd_config_info *configs = kd_arena_array(in->arena, kd_config_info, list->n_items);
    for (unsigned i = 0; i < list->n_items; i++) {
        if (inspect_config(in, list->items[i], &configs[out->n_configs]))
            out->n_configs++;
        else
            out->has_other_configs = true;
    }
    out->configs = configs;
}

/* Whether the evaluator can tell the value: None tests, arithmetic, comparisons, conditions, and calls of a few functions over
 * dict['NAME']. */
static bool is_simple(const kd_expr *e, kd_str dict)
{
    static const char *const CALLS[] = {"min", "max", "abs", "int", "float", "bool", "len", "cdiv", "next_power_of_2"};
    if (!e)
        return true;
    switch (e->kind) {
    case KD_EXPR_INT: case KD_EXPR_FLOAT: case KD_EXPR_STRING: case KD_EXPR_TRUE: case KD_EXPR_FALSE: case KD_EXPR_NONE: return true;
    case KD_EXPR_SUBSCRIPT:
        return e->a->kind == KD_EXPR_NAME && kd_str_equal(e->a->text, dict) && e->n_items == 1 && e->items[0]->kind == KD_EXPR_STRING;
    case KD_EXPR_CALL: {
        bool known = false;
        for (unsigned i = 0; i < sizeof CALLS / sizeof *CALLS; i++)
            known |= kd_str_is(last_name(e), CALLS[i]);
        if (!known || e->n_keywords || (e->a->kind == KD_EXPR_ATTRIBUTE && !(e->a->a->kind == KD_EXPR_NAME && kd_str_is(e->a->a->text, "triton"))))
            return false;
        break;
    }
    case KD_EXPR_UNARY: case KD_EXPR_BINARY: case KD_EXPR_TERNARY:
        if (!is_simple(e->a, dict) || !is_simple(e->b, dict) || !is_simple(e->c, dict))
            return false;
        break;
    case KD_EXPR_AND: case KD_EXPR_OR: case KD_EXPR_COMPARE: case KD_EXPR_TUPLE: break;
    default: return false;
    }
    for (unsigned i = 0; i < e->n_items; i++)
        if (!is_simple(e->items[i], dict))
            return false;
    return true;
}

static void inspect_heuristics(inspector *in, const kd_function *f, kd_kernel_info *out)
{
    KD_VEC(kd_heuristic_info) found = {0};
    for (unsigned d = 0; d < f->n_decorators; d++) {
        const kd_expr *decorator = f->decorators[d];
        if (decorator->kind != KD_EXPR_CALL || !kd_str_is(last_name(decorator), "heuristics"))
            continue;
        const kd_expr *values = argument(in, decorator, 0, "values");
        for (unsigned i = 0; values && values->kind == KD_EXPR_DICT && i + 1 < values->n_items; i += 2) {
            const kd_expr *key = values->items[i], *value = values->items[i + 1];
            if (!key || key->kind != KD_EXPR_STRING)
                continue;
            kd_heuristic_info h = {.name = c_str(in, key->text)};
            if (value->kind == KD_EXPR_LAMBDA && value->function->n_params == 1 && value->function->body.n == 1) {
                kd_str dict = value->function->params[0].name;
                const kd_expr *body = value->function->body.stmts[0]->value;
                if (is_simple(body, dict)) {
                    h.dict = c_str(in, dict);
                    h.expression = expr_text(in, body);
                }
            }
            kd_vec_push(in->arena, &found, h);
        }
    }
    out->heuristics = found.data;
    out->n_heuristics = found.n;
}

/* ---- files ---- */

static const char *first_line(inspector *in, kd_str doc)
{
    while (doc.len && (doc.ptr[0] == ' ' || doc.ptr[0] == '\n' || doc.ptr[0] == '\t' || doc.ptr[0] == '\r'))
        doc = (kd_str){doc.ptr + 1, doc.len - 1};
    const char *end = doc.len ? memchr(doc.ptr, '\n', doc.len) : NULL;
    if (end)
        doc.len = (size_t)(end - doc.ptr);
    return doc.len ? c_str(in, doc) : NULL;
}

/* Of a file, or of a class in it. */
static void inspect_items(inspector *in, const kd_item *items, kd_kernel_list *kernels, kd_function_list *functions)
{
    for (const kd_item *item = items; item; item = item->next) {
        if (item->kind == KD_ITEM_CLASS)
            inspect_items(in, item->class_->items, kernels, functions);
        const kd_function *f = item->kind == KD_ITEM_FUNCTION ? item->function : NULL;
        const kd_expr *jit = f ? decorator_named(f, "jit") : NULL;
        if (!jit)
            continue;
        kd_kernel_info info = {.name = c_str(in, f->name), .line = f->line};
        kd_function_parse_body(item->function, in->diags);
        info.is_kernel = !scan_block(in, &f->body);
        info.doc = first_line(in, f->docstring);
        inspect_params(in, f, jit, &info);
        inspect_configs(in, f, &info);
        inspect_heuristics(in, f, &info);
        if (!in->loud && f->body_bad)
            kd_function_forget_body(item->function);
        kd_vec_push(in->arena, kernels, info);
        kd_vec_push(in->arena, functions, f);
    }
}

const kd_file_info *kd_inspect_module(kd_arena *arena, kd_diags *diags, bool loud, const kd_module_ast *module)
{
    inspector in = {arena, loud ? diags : kd_diags_create_beside(arena, diags), loud, module, kd_map_in(arena)};
    kd_kernel_list kernels = {0};
    kd_function_list functions = {0};
    inspect_items(&in, module->items, &kernels, &functions);
    for (unsigned i = 0; i < kernels.n; i++)
        if (kd_map_get(&in.called, functions.data[i]->name))
            kernels.data[i].is_kernel = false;
    kd_file_info *info = kd_arena_new(arena, kd_file_info);
    *info = (kd_file_info){kernels.data, kernels.n};
    return info;
}

static const kd_kernel_info *by_name(const kd_file_info *info, const char *name, size_t n, long line)
{
    const kd_kernel_info *found = NULL;
    for (unsigned i = 0; i < info->n_kernels; i++)
        if (strlen(info->kernels[i].name) == n && memcmp(info->kernels[i].name, name, n) == 0 && (line < 0 || info->kernels[i].line == line))
            found = &info->kernels[i];
    return found;
}

/* The kernel as the command line names it: with its line, where another one has the name too. */
static void add_name(kd_strbuf *out, const kd_file_info *info, const kd_kernel_info *kernel)
{
    bool again = false;
    for (unsigned i = 0; i < info->n_kernels; i++)
        again |= &info->kernels[i] != kernel && strcmp(info->kernels[i].name, kernel->name) == 0;
    kd_strbuf_printf(out, again ? "%s'%s@%u'" : "%s'%s'", out->len ? ", " : "", kernel->name, kernel->line);
}

static void report_unknown(kd_arena *arena, kd_diags *diags, const kd_file_info *info, const char *path, const char *kernel, size_t n)
{
    kd_nearest nearest = kd_nearest_to((kd_str){kernel, n});
    kd_strbuf known = kd_strbuf_in(arena);
    for (unsigned i = 0; i < info->n_kernels; i++) {
        kd_nearest_try(&nearest, kd_str_of(info->kernels[i].name));
        if (info->kernels[i].is_kernel)
            add_name(&known, info, &info->kernels[i]);
    }
    if (nearest.best.len)
        kd_error(diags, KD_NO_LOC, "'%s' has no kernel '%.*s'%s", path, (int)n, kernel, kd_nearest_hint(arena, &nearest));
    else if (known.len)
        kd_error(diags, KD_NO_LOC, "'%s' has no kernel '%.*s'; it has %s", path, (int)n, kernel, kd_strbuf_text(&known));
    else
        kd_error(diags, KD_NO_LOC, "'%s' has no kernel '%.*s'", path, (int)n, kernel);
}

const kd_kernel_info *kd_inspect_find(kd_arena *arena, kd_diags *diags, const kd_file_info *info, const char *path, const char *kernel)
{
    if (kernel) {
        const char *at = strchr(kernel, '@');
        size_t n = at ? (size_t)(at - kernel) : strlen(kernel);
        long line = at ? strtol(at + 1, NULL, 10) : -1;
        const kd_kernel_info *found = by_name(info, kernel, n, line);
        if (!found && at && by_name(info, kernel, n, -1))
            kd_error(diags, KD_NO_LOC, "'%s' has no '%.*s' at line %ld; one starts at line %u", path, (int)n, kernel, line,
                     by_name(info, kernel, n, -1)->line);
        else if (!found)
            report_unknown(arena, diags, info, path, kernel, n);
        return found;
    }
    const kd_kernel_info *only = NULL;
    unsigned n = 0;
    kd_strbuf names = kd_strbuf_in(arena);
    for (unsigned i = 0; i < info->n_kernels; i++)
        if (info->kernels[i].is_kernel) {
            only = &info->kernels[i];
            add_name(&names, info, only);
            n++;
        }
    if (n == 1)
        return only;
    if (n)
        kd_error(diags, KD_NO_LOC, "'%s' has %u kernels; say which, as FILE:KERNEL: %s", path, n, kd_strbuf_text(&names));
    else
        kd_error(diags, KD_NO_LOC, "'%s' has no kernels: functions with @triton.jit that return no value", path);
    return NULL;
}
