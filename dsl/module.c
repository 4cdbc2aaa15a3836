/* module.c - names at the top level of files: found when the file is read, evaluated when somebody asks.
 *
 * Nothing here is an error by itself: what only Python can compute becomes KD_D_UNKNOWN with the reason, and is reported where a kernel
 * needs it. Of several definitions of a name the last one counts, but for those under a condition that is known to be false. */
#include "base/bug.h"
#include "dsl/lower_impl.h"

typedef struct kd_definition {
    const kd_item *item;
    const kd_import *import; /* IMPORT: which of the statement's names */
} kd_definition;

typedef struct kd_global {
    KD_VEC(kd_definition) definitions;
    enum { NOT_YET, BUSY, DONE } state;
    kd_dval value;
} kd_global;

struct kd_dmodule {
    kd_module_ast *ast;
    kd_map names; /* -> kd_global */
    KD_VEC(const kd_import *) stars;
    kd_scope *scope;
    bool busy_with_stars;
};

const kd_map *kd_dmodule_names(const kd_dmodule *module)
{
    return &module->names;
}

kd_scope *kd_dmodule_scope(kd_dmodule *module)
{
    return module->scope;
}

static const char BY_PYTHON[] = "is computed by Python when the file is imported, and kdsl cannot know it";

static kd_dval unknown(kd_lower *lw, kd_loc loc, const char *why)
{
    return (kd_dval){.kind = KD_D_UNKNOWN, .loc = loc, .text = kd_str_of(why)};
}

/* ---- the index of a file ---- */

static void define(kd_lower *lw, kd_dmodule *m, kd_str name, const kd_item *item, const kd_import *import)
{
    kd_global **place = (kd_global **)kd_map_at(&m->names, name);
    if (!*place)
        *place = kd_arena_new(lw->arena, kd_global);
    kd_vec_push(lw->arena, &(*place)->definitions, (kd_definition){item, import});
}

static void define_target(kd_lower *lw, kd_dmodule *m, const kd_expr *target, const kd_item *item)
{
    if (target->kind == KD_EXPR_NAME)
        define(lw, m, target->text, item, NULL);
    else if (target->kind == KD_EXPR_TUPLE || target->kind == KD_EXPR_LIST)
        for (unsigned i = 0; i < target->n_items; i++)
            define_target(lw, m, target->items[i], item);
    else if (target->kind == KD_EXPR_STAR)
        define_target(lw, m, target->a, item);
}

static void define_item(kd_lower *lw, kd_dmodule *m, const kd_item *item)
{
    switch (item->kind) {
    case KD_ITEM_FUNCTION:
        define(lw, m, item->function->name, item, NULL);
        break;
    case KD_ITEM_CLASS:
        define(lw, m, item->class_->name, item, NULL);
        break;
    case KD_ITEM_ASSIGN:
        if (item->stmt->kind == KD_STMT_ANNOTATED && !item->stmt->value)
            break;
        for (unsigned i = 0; i < item->stmt->n_targets; i++)
            define_target(lw, m, item->stmt->targets[i], item);
        break;
    case KD_ITEM_IMPORT:
        for (unsigned i = 0; i < item->stmt->n_imports; i++) {
            const kd_import *import = &item->stmt->imports[i];
            if (kd_str_is(import->name, "*"))
                kd_vec_push(lw->arena, &m->stars, import);
            else
                define(lw, m, import->bound_as, item, import);
        }
        break;
    case KD_ITEM_SKIPPED:
        if (item->name.len)
            define(lw, m, item->name, item, NULL);
        break;
    }
}

kd_dmodule *kd_dmodule_of(kd_lower *lw, kd_module_ast *ast)
{
    if (!lw->modules.arena)
        lw->modules = kd_map_in(lw->arena);
    kd_dmodule *m = kd_map_get_ptr(&lw->modules, ast);
    if (m)
        return m;
    m = kd_arena_new(lw->arena, kd_dmodule);
    m->ast = ast;
    m->names = kd_map_in(lw->arena);
    m->scope = kd_scope_create(lw, NULL, m, NULL);
    m->scope->is_python = m->scope->is_module = true;
    *kd_map_at_ptr(&lw->modules, ast) = m;
    for (const kd_item *item = ast->items; item; item = item->next)
        define_item(lw, m, item);
    return m;
}

/* ---- evaluation without a word ---- */

kd_builder kd_builder_nowhere(kd_lower *lw)
{
    kd_module *module = kd_module_create(lw->ctx, lw->arena);
    return kd_builder_at_end(module, kd_op_region(module->op, 0));
}

static const char *python_only(kd_lower *lw, kd_diags *quiet)
{
    const kd_diag *d = kd_diags_first(quiet);
    if (!d)
        return BY_PYTHON;
    const char *inner = strstr(d->message, BY_PYTHON); /* of a value made of such values: one reason is enough */
    return inner ? inner : kd_arena_printf(lw->arena, "%s (%s)", BY_PYTHON, d->message);
}

/* What an evaluation that nobody may notice puts aside. */
typedef struct outside {
    kd_diags *diags;
    kd_builder b;
    kd_scope *scope;
} outside;

static outside go_inside(kd_lower *lw, kd_scope *scope, kd_diags *sink)
{
    outside saved = {lw->diags, lw->b, lw->scope};
    lw->diags = sink;
    lw->b = kd_builder_nowhere(lw);
    lw->scope = scope;
    return saved;
}

static void come_back(kd_lower *lw, outside saved)
{
    lw->diags = saved.diags;
    lw->b = saved.b;
    lw->scope = saved.scope;
}

kd_dval kd_eval_into(kd_lower *lw, kd_scope *scope, const kd_expr *e, kd_diags *sink)
{
    outside saved = go_inside(lw, scope, sink);
    kd_dval v = kd_eval(lw, e);
    come_back(lw, saved);
    return kd_diags_n_errors(sink) ? KD_D_ERR : v;
}

kd_dval kd_eval_quietly(kd_lower *lw, kd_scope *scope, const kd_expr *e)
{
    kd_diags *quiet = kd_diags_create_beside(lw->arena, lw->diags);
    kd_dval v = kd_eval_into(lw, scope, e, quiet);
    if (!kd_d_is_static(v))
        return unknown(lw, e->loc, lw->stopped ? "took too long to compute" : python_only(lw, quiet));
    return v;
}

kd_dval kd_call_quietly(kd_lower *lw, kd_scope *scope, kd_dval callee, const kd_darg *args, unsigned n_args)
{
    kd_diags *quiet = kd_diags_create_beside(lw->arena, lw->diags);
    outside saved = go_inside(lw, scope, quiet);
    kd_dval v = kd_call(lw, KD_NO_LOC, callee, args, n_args);
    come_back(lw, saved);
    return kd_diags_n_errors(quiet) || !kd_d_is_static(v) ? KD_D_ERR : v;
}

/* ---- imports ---- */

static kd_str last_part(kd_str dotted)
{
    for (size_t i = dotted.len; i > 0; i--)
        if (dotted.ptr[i - 1] == '.')
            return (kd_str){dotted.ptr + i, dotted.len - i};
    return dotted;
}

/* Every spelling of the math library: triton.language.extra.cuda.libdevice, triton.language.math of old, FlagGems' shim. */
static bool is_libdevice(kd_str dotted)
{
    kd_str last = last_part(dotted);
    return kd_str_is(last, "libdevice") || kd_str_is(last, "tl_extra_shim") || kd_str_is(last, "tldevice");
}

static kd_dval namespace_value(const char *name)
{
    return (kd_dval){.kind = KD_D_MODULE, .mod = {.namespace_ = name}};
}

static kd_str join_dotted(kd_lower *lw, kd_str module, kd_str name)
{
    if (!module.len)
        return name;
    return kd_str_of(kd_arena_printf(lw->arena, "%.*s.%.*s", KD_STR_ARG(module), KD_STR_ARG(name)));
}

static kd_dmodule *find_module(kd_lower *lw, kd_dmodule *importer, unsigned level, kd_str dotted)
{
    if (!lw->resolver)
        return NULL;
    kd_module_ast *ast = lw->resolver->find_module(lw->resolver, importer->ast, level, dotted);
    return ast ? kd_dmodule_of(lw, ast) : NULL;
}

/* Modules of other projects that our library stands in for: their name here. */
static kd_str std_module(kd_str dotted)
{
    static const char *const ALIASES[][2] = {
        {"torch._inductor.runtime.triton_helpers", "kdsl.triton_helpers"},
        {"torch._inductor.triton_helpers", "kdsl.triton_helpers"},
    };
    for (size_t i = 0; i < sizeof ALIASES / sizeof *ALIASES; i++)
        if (kd_str_is(dotted, ALIASES[i][0]))
            return kd_str_of(ALIASES[i][1]);
    return dotted;
}

/* A whole module: built in or a file. KD_D_ERROR: there is none. */
static kd_dval whole_module(kd_lower *lw, kd_dmodule *importer, unsigned level, kd_str dotted)
{
    if (level == 0) {
        const char *namespace_ = kd_builtin_namespace(dotted);
        if (namespace_)
            return namespace_value(namespace_);
        if (is_libdevice(dotted))
            return namespace_value("libdevice");
        dotted = std_module(dotted);
    }
    kd_dmodule *m = find_module(lw, importer, level, dotted);
    return m ? (kd_dval){.kind = KD_D_MODULE, .mod = {.module = m}} : KD_D_ERR;
}

/* A module of Python's world that kernel files import for their host code. */
static bool is_host_module(kd_str dotted)
{
    static const char *const host[] = {"torch", "numpy", "os", "sys", "typing", "functools", "itertools", "dataclasses", "enum", "collections", "importlib",
                                       "warnings", "logging", "packaging", "einops", "transformers", "contextlib", "inspect", "time", "abc", "operator", "copy"};
    for (size_t i = 0; i < sizeof host / sizeof *host; i++) {
        size_t n = strlen(host[i]);
        if (kd_str_starts_with(dotted, host[i]) && (dotted.len == n || dotted.ptr[n] == '.'))
            return true;
    }
    return false;
}

static const char LEVELS[] = "................"; /* of a relative import: as many as its level */

static kd_dval missing_module(kd_lower *lw, const kd_import *import)
{
    kd_str m = import->module;
    if (!import->level && is_host_module(m))
        return unknown(lw, import->loc, kd_arena_printf(lw->arena, "belongs to Python's module '%.*s', which kernels cannot use", KD_STR_ARG(m)));
    return unknown(lw, import->loc, kd_arena_printf(lw->arena, "comes from the module '%.*s%.*s', which is not found; -I DIR names the folder that holds it",
                                                    (int)import->level, LEVELS, KD_STR_ARG(m)));
}

static kd_dval import_value(kd_lower *lw, kd_dmodule *m, const kd_import *import)
{
    if (!import->name.len) { /* import a.b: binds a */
        kd_dval v = whole_module(lw, m, 0, import->module);
        return kd_d_is_error(v) ? missing_module(lw, import) : v;
    }
    kd_str dotted = join_dotted(lw, import->module, import->name);
    if (is_libdevice(dotted) || is_libdevice(import->bound_as))
        return namespace_value("libdevice");
    const char *hint = NULL;
    kd_dval from = whole_module(lw, m, import->level, import->module), v = KD_D_ERR;
    if (from.kind == KD_D_MODULE && from.mod.namespace_)
        v = kd_builtin_lookup(lw, from.mod.namespace_, import->name, &hint);
    else if (from.kind == KD_D_MODULE && from.mod.module != m)
        v = kd_dmodule_lookup(lw, from.mod.module, import->name, &hint);
    if (!kd_d_is_error(v))
        return v;
    v = whole_module(lw, m, import->level, dotted);
    if (!kd_d_is_error(v))
        return v;
    if (kd_d_is_error(from) || (from.mod.namespace_ && is_host_module(import->module)))
        return missing_module(lw, import);
    return unknown(lw, import->loc, kd_arena_printf(lw->arena, "is imported from '%.*s%.*s', which has no such name%s", (int)import->level, LEVELS,
                                                    KD_STR_ARG(import->module), hint ? kd_arena_printf(lw->arena, "; did you mean '%s'?", hint) : ""));
}

void kd_lower_import(kd_lower *lw, const kd_stmt *s)
{
    for (unsigned i = 0; i < s->n_imports; i++) {
        const kd_import *import = &s->imports[i];
        if (kd_str_is(import->name, "*"))
            kd_error(lw->diags, import->loc, "'import *' inside a function");
        else
            kd_scope_set(lw, lw->scope, import->bound_as, import_value(lw, lw->scope->module, import), import->loc);
    }
}

/* ---- definitions ---- */

static bool is_decorator(const kd_expr *d, const char *name)
{
    if (d->kind == KD_EXPR_CALL)
        d = d->a;
    return (d->kind == KD_EXPR_NAME || d->kind == KD_EXPR_ATTRIBUTE) && kd_str_is(d->text, name);
}

kd_dval kd_function_value(kd_lower *lw, const kd_function *function, kd_dmodule *module)
{
    bool is_jit = kd_function_is_jit(function);
    for (unsigned i = 0; i < function->n_decorators; i++)
        if (is_decorator(function->decorators[i], "constexpr_function") || is_decorator(function->decorators[i], "constexpr"))
            is_jit = false;
    return (kd_dval){.kind = KD_D_FUNCTION, .loc = function->loc, .fn = {.function = function, .module = module, .is_python = !is_jit}};
}

/* The part of a value that goes to a name in the targets of an assignment; a and b of 'a, b = ...'. */
static bool take_part(kd_lower *lw, const kd_expr *target, kd_dval value, kd_str name, kd_dval *out)
{
    if (target->kind == KD_EXPR_NAME) {
        *out = value;
        return kd_str_equal(target->text, name);
    }
    if (target->kind != KD_EXPR_TUPLE && target->kind != KD_EXPR_LIST)
        return false;
    for (unsigned i = 0; i < target->n_items; i++) {
        kd_dval part = value.kind == KD_D_TUPLE && value.tuple.n == target->n_items ? value.tuple.items[i]
                                                                                    : unknown(lw, target->loc, BY_PYTHON);
        if (take_part(lw, target->items[i], part, name, out))
            return true;
    }
    return false;
}

static kd_dval assigned_value(kd_lower *lw, kd_dmodule *m, const kd_stmt *s, kd_str name)
{
    if (s->kind == KD_STMT_AUGMENTED)
        return unknown(lw, s->loc, BY_PYTHON);
    kd_dval value = kd_eval_quietly(lw, m->scope, s->value), part = KD_D_ERR;
    for (unsigned i = 0; i < s->n_targets; i++)
        if (take_part(lw, s->targets[i], value, name, &part))
            return part;
    return unknown(lw, s->loc, BY_PYTHON);
}

static kd_dval definition_value(kd_lower *lw, kd_dmodule *m, kd_definition d, kd_str name)
{
    switch (d.item->kind) {
    case KD_ITEM_FUNCTION:
        return kd_function_value(lw, d.item->function, m);
    case KD_ITEM_CLASS:
        return (kd_dval){.kind = KD_D_CLASS, .loc = d.item->loc, .cls = {.class_ = d.item->class_, .module = m}};
    case KD_ITEM_ASSIGN:
        return assigned_value(lw, m, d.item->stmt, name);
    case KD_ITEM_IMPORT:
        return import_value(lw, m, d.import);
    case KD_ITEM_SKIPPED:
        break;
    }
    return unknown(lw, d.item->loc, BY_PYTHON);
}

/* False only where the conditions around a definition are known not to hold. */
static bool may_count(kd_lower *lw, kd_dmodule *m, const kd_item *item)
{
    if (!item->condition)
        return true;
    kd_dval v = kd_eval_quietly(lw, m->scope, item->condition);
    switch (v.kind) {
    case KD_D_BOOL:
    case KD_D_INT:
        return v.integer != 0;
    case KD_D_NONE:
        return false;
    default:
        return true;
    }
}

/* Something a kernel can use. After a failed import, 'except' branches often leave None or a stand-in. */
static bool is_useful(kd_dval v)
{
    return v.kind != KD_D_UNKNOWN && v.kind != KD_D_NONE && v.kind != KD_D_ERROR;
}

/* Where the jit function is missing, files define a Python function that raises, or gives None. */
static bool is_stand_in(kd_dval v)
{
    return v.kind == KD_D_FUNCTION && v.fn.is_python && !v.fn.function->n_decorators;
}

static kd_dval global_value(kd_lower *lw, kd_dmodule *m, kd_global *g, kd_str name)
{
    kd_dval last = KD_D_ERR;
    for (unsigned i = g->definitions.n; i > 0; i--) {
        kd_definition d = g->definitions.data[i - 1];
        if (!may_count(lw, m, d.item))
            continue;
        kd_dval v = definition_value(lw, m, d, name);
        if (is_useful(v) && !is_stand_in(v))
            return v;
        if (kd_d_is_error(last) || (is_useful(v) && !is_useful(last)))
            last = v;
    }
    return last;
}

static kd_dval lookup_in_stars(kd_lower *lw, kd_dmodule *m, kd_str name, const char **out_hint)
{
    if (m->busy_with_stars)
        return KD_D_ERR;
    m->busy_with_stars = true;
    kd_dval v = KD_D_ERR;
    for (unsigned i = m->stars.n; i > 0 && kd_d_is_error(v); i--) {
        const kd_import *import = m->stars.data[i - 1];
        kd_dval from = whole_module(lw, m, import->level, import->module);
        if (from.kind == KD_D_MODULE && from.mod.namespace_)
            v = kd_builtin_lookup(lw, from.mod.namespace_, name, out_hint);
        else if (from.kind == KD_D_MODULE && from.mod.module != m)
            v = kd_dmodule_lookup(lw, from.mod.module, name, out_hint);
    }
    m->busy_with_stars = false;
    return v;
}

kd_dval kd_dmodule_lookup(kd_lower *lw, kd_dmodule *m, kd_str name, const char **out_hint)
{
    kd_global *g = kd_map_get(&m->names, name);
    if (!g) {
        kd_dval v = lookup_in_stars(lw, m, name, out_hint);
        if (!kd_d_is_error(v) || *out_hint)
            return v;
        kd_nearest nearest = kd_nearest_to(name);
        for (unsigned i = 0; i < m->names.n_entries; i++)
            kd_nearest_try(&nearest, m->names.entries[i].key);
        if (nearest.best.len)
            *out_hint = kd_arena_strndup(lw->arena, nearest.best.ptr, nearest.best.len);
        return v;
    }
    if (g->state == DONE)
        return g->value;
    /* 'f = wrap(f)' asks for the definition before; files that import each other ask in circles. */
    if (g->state == BUSY) {
        for (unsigned i = g->definitions.n; i > 0; i--)
            if (g->definitions.data[i - 1].item->kind == KD_ITEM_FUNCTION)
                return kd_function_value(lw, g->definitions.data[i - 1].item->function, m);
        return unknown(lw, KD_NO_LOC, "is defined in terms of itself");
    }
    g->state = BUSY;
    g->value = global_value(lw, m, g, name);
    if (kd_d_is_error(g->value)) /* every definition stands under a condition that is false */
        g->value = unknown(lw, KD_NO_LOC, "is defined under conditions that do not hold");
    g->state = DONE;
    return g->value;
}

kd_dval kd_module_attribute(kd_lower *lw, kd_loc loc, kd_dval module, kd_str name)
{
    const char *hint = NULL;
    kd_dval v;
    if (module.mod.namespace_) {
        v = kd_builtin_lookup(lw, module.mod.namespace_, name, &hint);
        if (kd_d_is_error(v) && kd_str_is(name, "libdevice"))
            return namespace_value("libdevice");
    } else {
        v = kd_dmodule_lookup(lw, module.mod.module, name, &hint);
        if (kd_d_is_error(v)) {
            kd_dval sub = whole_module(lw, module.mod.module, 1, name);
            if (!kd_d_is_error(sub))
                return sub;
        }
    }
    if (v.kind == KD_D_UNKNOWN) {
        kd_error(lw->diags, loc, "'%.*s' %.*s", KD_STR_ARG(name), KD_STR_ARG(v.text));
        return KD_D_ERR;
    }
    if (kd_d_is_error(v)) {
        const char *of = module.mod.namespace_ ? module.mod.namespace_ : module.mod.module->ast->path;
        kd_error(lw->diags, loc, "'%s' has no '%.*s'%s", of, KD_STR_ARG(name),
                 hint ? kd_arena_printf(lw->arena, "; did you mean '%s'?", hint) : "");
    }
    return v;
}

kd_dval kd_std_value(kd_lower *lw, const char *dotted_module, const char *name)
{
    kd_module_ast *ast = lw->resolver->find_module(lw->resolver, NULL, 0, kd_str_of(dotted_module));
    KD_ASSERT(ast);
    const char *hint = NULL;
    kd_dval v = kd_dmodule_lookup(lw, kd_dmodule_of(lw, ast), kd_str_of(name), &hint);
    KD_ASSERT(!kd_d_is_error(v));
    return v;
}
