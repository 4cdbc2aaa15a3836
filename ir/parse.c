/* parse.c - text to IR, driven by the table of ops. See text.h for the form.
 *
 * A value must be defined before it is used, so one pass suffices. A function with a mistake is left out and reading goes on with the next
 * one; what was read is verified at the end. Line ends matter in one place: an op's operands begin on its line, and the op ends with it. */
#include "ir/builder.h"
#include "ir/ir_impl.h"
#include "ir/read.h"
#include "ir/text.h"

enum { MAX_DEPTH = 200 }; /* regions inside regions; printing and passes recurse as deep */

typedef KD_VEC(kd_value *) value_list;

/* ---- values ---- */

/* Reads '%name' (what stands here is '%'). */
static bool take_value_name(kd_reader *p, kd_str *out)
{
    const char *from = p->at;
    if (!kd_read_expect(p, "%", "in front of a value's name"))
        return false;
    *out = kd_read_name(p);
    if (out->len)
        return true;
    kd_error(p->diags, kd_read_loc_from(p, from), "expected a name after '%%'");
    return false;
}

static bool bind(kd_reader *p, kd_str name, kd_loc loc, kd_value *value)
{
    void **place = kd_map_at(&p->names, name);
    kd_binding *earlier = *place;
    if (earlier) {
        kd_error(p->diags, loc, "'%%%.*s' is defined twice in this function", KD_STR_ARG(name));
        kd_note(p->diags, earlier->loc, "the first definition");
        return false;
    }
    kd_binding *b = kd_arena_new(p->arena, kd_binding);
    *b = (kd_binding){name, value, loc, false};
    *place = b;
    kd_vec_push(p->arena, &p->scope, b);
    bool is_number = true;
    for (size_t i = 0; i < name.len; i++)
        is_number &= kd_read_is_digit(name.ptr[i]);
    value->name = is_number ? NULL : kd_arena_strndup(p->arena, name.ptr, name.len);
    return true;
}

static kd_value *lookup(kd_reader *p, kd_str name, kd_loc loc)
{
    kd_binding *b = kd_map_get(&p->names, name);
    if (b && !b->ended)
        return b->value;
    if (b) {
        kd_error(p->diags, loc, "'%%%.*s' is not visible here: its region has ended", KD_STR_ARG(name));
        kd_note(p->diags, b->loc, "defined here");
        return NULL;
    }
    kd_nearest nearest = kd_nearest_to(name);
    for (unsigned i = p->scope.n; i > 0 && p->scope.n - i < 2000; i--)
        kd_nearest_try(&nearest, p->scope.data[i - 1]->name);
    kd_error(p->diags, loc, "'%%%.*s' is not defined%s", KD_STR_ARG(name),
             nearest.best.len ? kd_arena_printf(p->arena, "; did you mean '%%%.*s'?", KD_STR_ARG(nearest.best)) : "");
    return NULL;
}

/* ---- ops ---- */

typedef struct op_parts {
    const char *from; /* where the op begins */
    const kd_op_info *info;
    KD_VEC(kd_str) result_names;
    KD_VEC(kd_loc) result_locs;
    value_list operands;
    kd_type_list types;
    kd_attr attrs[KD_MAX_ATTR_INFOS];
    kd_literal number; /* the key of a constant */
    const char *number_from;
} op_parts;

static bool parse_block(kd_reader *p, kd_op *parent, unsigned region);

static bool parse_result_names(kd_reader *p, op_parts *o)
{
    do {
        kd_read_peek(p);
        const char *from = p->at;
        kd_str name;
        if (!take_value_name(p, &name))
            return false;
        kd_vec_push(p->arena, &o->result_names, name);
        kd_vec_push(p->arena, &o->result_locs, kd_read_loc_from(p, from));
    } while (kd_read_accept(p, ","));
    return kd_read_expect(p, "=", "after the results' names");
}

static bool parse_mnemonic(kd_reader *p, op_parts *o)
{
    kd_read_peek(p);
    const char *from = p->at;
    kd_str word = kd_read_word(p);
    kd_nearest nearest = kd_nearest_to(word);
    for (unsigned i = 0; i < KD_N_OPS; i++) {
        if (i == KD_OP_module || i == KD_OP_func)
            continue;
        if (kd_str_is(word, kd_op_infos[i].mnemonic)) {
            o->info = &kd_op_infos[i];
            return true;
        }
        kd_nearest_try(&nearest, kd_str_of(kd_op_infos[i].mnemonic));
    }
    kd_loc loc = kd_read_loc_from(p, from);
    p->at = from;
    if (word.len)
        kd_error(p->diags, loc, "unknown op '%.*s'%s", KD_STR_ARG(word), kd_nearest_hint(p->arena, &nearest));
    else {
        const char *what = kd_read_found(p);
        kd_error(p->diags, kd_read_loc_here(p), "expected an op, but found %s", what);
    }
    return false;
}

static bool parse_key(kd_reader *p, op_parts *o, unsigned i)
{
    const kd_attr_info *key = &o->info->attrs[i];
    if (key->kind == KD_ATTR_TEXT)
        return kd_read_symbol(p, &o->attrs[i].as_kd_text);
    if (key->kind == KD_ATTR_ENUM)
        return kd_read_enum(p, key, o->info->mnemonic, &o->attrs[i]);
    kd_read_peek(p);
    o->number_from = p->at;
    return kd_read_literal(p, &o->number);
}

/* Absent operands become NULL, and those left out at the end are added. */
static bool parse_operands(kd_reader *p, op_parts *o)
{
    const kd_op_info *info = o->info;
    bool is_variadic = info->n_operands && info->operands[info->n_operands - 1].kind == KD_OPERAND_VARIADIC;
    unsigned n_fixed = info->n_operands - is_variadic;
    char c = kd_read_peek(p);
    if (c == '%' || c == '_')
        do {
            kd_read_skip_space(p);
            const char *from = p->at;
            kd_value *value = NULL;
            unsigned i = o->operands.n;
            if (i >= n_fixed && !is_variadic) {
                kd_error(p->diags, kd_read_loc_from(p, from), "'%s' has %u operand%s at most", info->mnemonic, n_fixed, n_fixed == 1 ? "" : "s");
                return false;
            }
            if (kd_read_accept(p, "_")) {
                if (i >= n_fixed || info->operands[i].kind != KD_OPERAND_OPTIONAL) {
                    kd_error(p->diags, kd_read_loc_from(p, from), "operand '%s' of '%s' cannot be left out", info->operands[i < n_fixed ? i : n_fixed].name,
                             info->mnemonic);
                    return false;
                }
            } else {
                kd_str name;
                if (!take_value_name(p, &name) || !(value = lookup(p, name, kd_read_loc_from(p, from))))
                    return false;
            }
            kd_vec_push(p->arena, &o->operands, value);
        } while (kd_read_accept(p, ","));
    while (o->operands.n < n_fixed) {
        if (info->operands[o->operands.n].kind != KD_OPERAND_OPTIONAL) {
            kd_error(p->diags, kd_read_loc_here(p), "'%s' needs operand '%s'", info->mnemonic, info->operands[o->operands.n].name);
            return false;
        }
        kd_vec_push(p->arena, &o->operands, NULL);
    }
    return true;
}

static bool parse_result_types(kd_reader *p, op_parts *o)
{
    if (kd_read_accept(p, ":") && !kd_read_types(p, &o->types))
        return false;
    unsigned n = o->result_names.n;
    if (n != o->types.n) {
        if (o->types.n == 0)
            kd_error(p->diags, kd_read_loc_here(p), "'%s' has %s: write ': TYPE' behind it", o->info->mnemonic, n == 1 ? "a result" : "results");
        else
            kd_error(p->diags, kd_read_loc_from(p, o->from), "'%s' has %u result name%s and %u type%s", o->info->mnemonic, n, n == 1 ? "" : "s", o->types.n,
                     o->types.n == 1 ? "" : "s");
        return false;
    }
    if (!o->info->results_variadic && n != o->info->n_results) {
        kd_error(p->diags, kd_read_loc_from(p, o->from), "'%s' has %s, but %u %s named", o->info->mnemonic,
                 o->info->n_results ? "one result" : "no result", n, n == 1 ? "is" : "are");
        return false;
    }
    return true;
}

/* Whether '{' opens attributes: a name without a dot follows; ops and arguments begin otherwise. */
static bool attrs_follow(kd_reader *p)
{
    if (kd_read_peek(p) != '{')
        return false;
    kd_reader ahead = *p;
    ahead.at++;
    if (!kd_read_is_word_start(kd_read_peek(&ahead)))
        return false;
    kd_str word = kd_read_name(&ahead);
    return !memchr(word.ptr, '.', word.len);
}

static bool parse_op(kd_reader *p, kd_builder *b)
{
    op_parts o = {.from = p->at};
    if (kd_read_peek(p) == '%' && !parse_result_names(p, &o))
        return false;
    if (!parse_mnemonic(p, &o))
        return false;
    const kd_op_info *info = o.info;
    unsigned seen = 0;
    for (unsigned i = 0; i < info->n_attrs; i++)
        if (info->attrs[i].is_key && info->attrs[i].kind != KD_ATTR_INT) {
            seen |= 1u << i;
            if (!parse_key(p, &o, i))
                return false;
        }
    if (!parse_operands(p, &o))
        return false;
    if (attrs_follow(p) && kd_read_accept(p, "{") && !kd_read_attrs(p, info, o.attrs, &seen))
        return false;
    for (unsigned i = 0; i < info->n_attrs; i++)
        if (info->attrs[i].is_key && !(seen & 1u << i)) {
            kd_error(p->diags, kd_read_loc_from(p, o.from), "'%s' needs its attribute '%s'", info->mnemonic, info->attrs[i].name);
            return false;
        }
    if (!parse_result_types(p, &o))
        return false;
    kd_opcode code = (kd_opcode)(info - kd_op_infos);
    if (code == KD_OP_constant && !kd_read_convert(p, &o.number, o.number_from, o.types.data[0], &o.attrs[0].as_kd_number))
        return false;
    kd_op *op = kd_build_op(b, code, kd_read_loc_from(p, o.from), o.operands.data, o.operands.n, o.types.data, o.types.n, o.attrs);
    for (unsigned r = 0; r < info->n_regions; r++) {
        if (r && !kd_read_expect(p, code == KD_OP_if ? "else" : "do", "in front of the second region"))
            return false;
        if (!parse_block(p, op, r))
            return false;
    }
    for (unsigned i = 0; i < op->n_results; i++)
        if (!bind(p, o.result_names.data[i], o.result_locs.data[i], &op->results[i]))
            return false;
    char c = kd_read_peek(p);
    if (c && c != '}') {
        const char *what = kd_read_found(p);
        kd_error(p->diags, kd_read_loc_here(p), "expected the end of the line, but found %s", what);
        return false;
    }
    return true;
}

/* "name: type" */
static bool parse_arg(kd_reader *p, kd_block *block)
{
    kd_read_skip_space(p);
    const char *from = p->at;
    kd_str name;
    if (!take_value_name(p, &name))
        return false;
    kd_loc loc = kd_read_loc_from(p, from);
    if (!kd_read_expect(p, ":", "after the argument's name"))
        return false;
    const kd_type *type = kd_read_type(p);
    return type && bind(p, name, loc, kd_block_add_arg(p->module, block, type, NULL));
}

/* Ops up to '}', which is read too. */
static bool parse_ops(kd_reader *p, kd_block *block, const char *open)
{
    kd_builder b = kd_builder_at_end(p->module, block);
    for (;;) {
        kd_read_skip_space(p);
        if (p->at == p->end) {
            kd_error(p->diags, kd_read_loc_here(p), "expected '}', but found the end of the file");
            kd_note(p->diags, (kd_loc){p->source, (uint32_t)(open - p->begin), (uint32_t)(open - p->begin) + 1}, "to match this '{'");
            return false;
        }
        if (kd_read_accept(p, "}"))
            return true;
        if (!parse_op(p, &b))
            return false;
    }
}

static void end_scope(kd_reader *p, unsigned n_outer)
{
    while (p->scope.n > n_outer)
        kd_vec_pop(&p->scope)->ended = true;
}

static bool parse_block(kd_reader *p, kd_op *parent, unsigned region)
{
    kd_block *block = parent->regions[region];
    unsigned n_outer = p->scope.n;
    kd_read_peek(p);
    const char *open = p->at;
    if (p->depth >= MAX_DEPTH) {
        kd_error(p->diags, kd_read_loc_here(p), "regions are nested more than %d deep", MAX_DEPTH);
        return false;
    }
    if (!kd_read_expect(p, "{", "in front of the region"))
        return false;
    p->depth++;
    kd_read_skip_space(p);
    if (kd_read_accept(p, "^")) {
        if (!kd_read_expect(p, "(", "after '^'"))
            return false;
        do
            if (!parse_arg(p, block))
                return false;
        while (kd_read_accept(p, ","));
        if (!kd_read_expect(p, ")", "at the end of the region's arguments") || !kd_read_expect(p, ":", "after the region's arguments"))
            return false;
    }
    if (!parse_ops(p, block, open))
        return false;
    p->depth--;
    end_scope(p, n_outer);
    return true;
}

/* ---- functions ---- */

static bool parse_param(kd_reader *p, kd_block *body, int64_t *out_divisibility)
{
    if (!parse_arg(p, body))
        return false;
    *out_divisibility = 0;
    return !kd_read_accept(p, "{") || (kd_read_expect(p, "divisibility", "as a parameter's attribute") && kd_read_expect(p, "=", "after the attribute's name") &&
                               kd_read_int(p, out_divisibility) && kd_read_expect(p, "}", "at the end of the attributes"));
}

static bool check_return_types(kd_reader *p, const kd_op *func, const kd_type_list *types, kd_loc loc)
{
    const kd_op *end = func->regions[0]->last;
    if (!end || end->code != KD_OP_return)
        return true; /* the verifier says so */
    bool same = end->n_operands == types->n;
    for (unsigned i = 0; i < types->n && same; i++)
        same = end->operands[i].value->type == types->data[i];
    if (same)
        return true;
    kd_error(p->diags, loc, "these are not the types that kd.return gives");
    kd_note(p->diags, end->loc, "returned here");
    return false;
}

static bool parse_func(kd_reader *p)
{
    p->names = kd_map_in(p->arena);
    p->scope.n = 0;
    p->depth = 0;
    const char *from = p->at;
    kd_str word = kd_read_word(p), name;
    if (!kd_str_is(word, "func")) {
        p->at = from;
        const char *what = kd_read_found(p);
        kd_error(p->diags, kd_read_loc_here(p), "expected 'func', but found %s", what);
        return false;
    }
    if (!kd_read_symbol(p, &name))
        return false;
    kd_loc loc = kd_read_loc_from(p, from);
    kd_op *earlier = kd_map_get(&p->funcs, name);
    if (earlier) {
        kd_error(p->diags, loc, "function '@%.*s' is defined twice", KD_STR_ARG(name));
        kd_note(p->diags, earlier->loc, "the first definition");
        return false;
    }
    kd_builder b = kd_builder_at_end(p->module, p->module->op->regions[0]);
    kd_op *func = kd_build_func(&b, (kd_func_args){.loc = loc, .name = name});
    *kd_map_at(&p->funcs, kd_func_name(func)) = func;
    kd_block *body = func->regions[0];
    KD_VEC(int64_t) divisibility = {0};
    bool any_hint = false, good = kd_read_expect(p, "(", "after the function's name");
    kd_read_skip_space(p);
    if (good && !kd_read_accept(p, ")")) {
        do {
            int64_t hint = 0;
            good = parse_param(p, body, &hint);
            kd_vec_push(p->arena, &divisibility, hint);
            any_hint |= hint != 0;
        } while (good && kd_read_accept(p, ","));
        kd_read_skip_space(p);
        good = good && kd_read_expect(p, ")", "at the end of the parameters");
    }
    kd_type_list types = {0};
    bool says_types = good && kd_read_accept(p, "->");
    kd_read_peek(p);
    const char *types_from = p->at;
    good = good && (!says_types || kd_read_types(p, &types));
    kd_loc types_loc = kd_read_loc_from(p, types_from);
    if (good && kd_read_accept(p, "kernel"))
        kd_func_set_kernel(func, true);
    if (any_hint)
        kd_func_set_divisibility(func, (kd_ints){divisibility.data, divisibility.n});
    good = good && parse_block(p, func, 0) && (!says_types || check_return_types(p, func, &types, types_loc));
    if (!good)
        kd_op_erase(func);
    return good;
}

/* After a mistake in what began at 'from': to the next line that begins a function. */
static void skip_to_func(kd_reader *p, const char *from)
{
    while (p->at < p->end && !(p->at > from && p->at[-1] == '\n' && p->end - p->at >= 5 && memcmp(p->at, "func ", 5) == 0))
        p->at++;
}

kd_module *kd_parse_ir(kd_context *ctx, kd_arena *arena, kd_diags *diags, uint32_t source)
{
    const kd_source *text = kd_source_get(diags, source);
    if (text->text.len >= UINT32_MAX) {
        kd_error(diags, (kd_loc){source, 0, 0}, "the file is larger than 4 GB");
        return NULL;
    }
    kd_reader p = {.module = kd_module_create(ctx, arena), .arena = arena, .diags = diags, .source = source, .funcs = kd_map_in(arena)};
    p.begin = p.at = p.last = text->text.len ? text->text.ptr : "";
    p.end = p.begin + text->text.len;
    bool good = true;
    for (kd_read_skip_space(&p); p.at < p.end; kd_read_skip_space(&p)) {
        const char *from = p.at;
        if (!parse_func(&p)) {
            good = false;
            skip_to_func(&p, from);
        }
    }
    good &= kd_verify_parsed(p.module, diags, good);
    return good ? p.module : NULL;
}
