/* verify.c - the rules that hold for every op: its row in ops.def, the place of its operands' definitions, the end of its regions, and the
 * lists of readers. The rules of single ops are in verify_ops.c. */
#include "ir/verify_impl.h"
#include "base/arena.h"
#include "ir/ir_impl.h"
#include "ir/text.h"

#include <stdarg.h>

bool kd_verify_fail(kd_verifier *v, const kd_op *op, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    kd_error(v->diags, op->loc, "%s", kd_arena_vprintf(v->module->arena, format, args));
    va_end(args);
    if (v->shows_text) {
        kd_strbuf text = kd_strbuf_in(v->module->arena);
        kd_print_op(op, &text);
        const char *line = kd_strbuf_text(&text);
        kd_note(v->diags, op->loc, "in: %.*s", (int)strcspn(line, "\n"), line);
    }
    return false;
}

static bool fits(kd_constraint constraint, const kd_type *t)
{
    bool is_tile = t->kind == KD_TYPE_TILE, is_scalar = !is_tile && t->kind != KD_TYPE_BUFFER, is_like = t->kind != KD_TYPE_BUFFER;
    switch (constraint) {
    case KD_IS_ANY:
        return true;
    case KD_IS_SCALAR:
        return is_scalar;
    case KD_IS_INT_SCALAR:
        return is_scalar && kd_type_is_int_like(t);
    case KD_IS_BOOL_SCALAR:
        return is_scalar && kd_type_is_bool_like(t);
    case KD_IS_TILE:
        return is_tile;
    case KD_IS_FLOAT_TILE:
        return is_tile && kd_type_is_float_like(t);
    case KD_IS_INT_TILE:
        return is_tile && kd_type_is_int_like(t);
    case KD_IS_PTR_LIKE:
        return is_like && kd_type_is_ptr_like(t);
    case KD_IS_INT_LIKE:
        return is_like && kd_type_is_int_like(t);
    case KD_IS_FLOAT_LIKE:
        return is_like && kd_type_is_float_like(t);
    case KD_IS_BOOL_LIKE:
        return is_like && kd_type_is_bool_like(t);
    case KD_IS_NUM_LIKE:
        return is_like && !kd_type_is_ptr_like(t);
    case KD_IS_BUFFER:
        return t->kind == KD_TYPE_BUFFER;
    }
    return false;
}

static const char *constraint_text(kd_constraint constraint)
{
    static const char *const TEXTS[] = {
        [KD_IS_ANY] = "anything",
        [KD_IS_SCALAR] = "a scalar or pointer",
        [KD_IS_INT_SCALAR] = "an integer scalar",
        [KD_IS_BOOL_SCALAR] = "an i1 scalar",
        [KD_IS_TILE] = "a tile",
        [KD_IS_FLOAT_TILE] = "a tile of floats",
        [KD_IS_INT_TILE] = "a tile of integers",
        [KD_IS_PTR_LIKE] = "a pointer or a tile of pointers",
        [KD_IS_INT_LIKE] = "an integer or a tile of integers",
        [KD_IS_FLOAT_LIKE] = "a float or a tile of floats",
        [KD_IS_BOOL_LIKE] = "i1 or a tile of i1",
        [KD_IS_NUM_LIKE] = "a number or a tile of numbers",
        [KD_IS_BUFFER] = "a buffer",
    };
    return TEXTS[constraint];
}

/* The table's entry of operand i; the last one stands for all of a variadic list. */
static const kd_operand_info *operand_info(const kd_op_info *info, unsigned i)
{
    return &info->operands[i < info->n_operands ? i : info->n_operands - 1];
}

static const char *operand_name(kd_verifier *v, const kd_op *op, unsigned i)
{
    const kd_op_info *info = kd_op_get_info(op);
    const kd_operand_info *operand = operand_info(info, i);
    return operand->kind == KD_OPERAND_VARIADIC ? kd_arena_printf(v->module->arena, "%s[%u]", operand->name, i - (info->n_operands - 1)) : operand->name;
}

static bool check_operands(kd_verifier *v, const kd_op *op)
{
    const kd_op_info *info = kd_op_get_info(op);
    bool is_variadic = info->n_operands && info->operands[info->n_operands - 1].kind == KD_OPERAND_VARIADIC;
    unsigned n_fixed = info->n_operands - is_variadic;
    if (is_variadic ? op->n_operands < n_fixed : op->n_operands != n_fixed)
        return kd_verify_fail(v, op, "'%s' has %s%u operand%s, but %u are given", info->mnemonic, is_variadic ? "at least " : "", n_fixed,
                              n_fixed == 1 ? "" : "s", op->n_operands);
    for (unsigned i = 0; i < op->n_operands; i++) {
        const kd_operand_info *operand = operand_info(info, i);
        const kd_value *value = op->operands[i].value;
        if (!value && operand->kind != KD_OPERAND_OPTIONAL)
            return kd_verify_fail(v, op, "operand '%s' of '%s' is missing", operand_name(v, op, i), info->mnemonic);
        if (value && !fits(operand->constraint, value->type))
            return kd_verify_fail(v, op, "operand '%s' of '%s' must be %s, but is %s", operand_name(v, op, i), info->mnemonic,
                                  constraint_text(operand->constraint), value->type->text);
    }
    return true;
}

/* KD_SAME_TYPES, KD_ELEMENTWISE, and the result's rule. The condition of a select has the operands' shape, but its own type. */
static bool check_types(kd_verifier *v, const kd_op *op)
{
    const kd_op_info *info = kd_op_get_info(op);
    if (info->results_variadic ? false : op->n_results != info->n_results)
        return kd_verify_fail(v, op, "'%s' has %u result%s, but %u are given", info->mnemonic, info->n_results, info->n_results == 1 ? "" : "s",
                              op->n_results);
    for (unsigned i = 1; kd_op_has(op, KD_SAME_TYPES) && i < op->n_operands; i++)
        if (op->operands[i].value->type != op->operands[0].value->type)
            return kd_verify_fail(v, op, "'%s' needs operands of one type, but '%s' is %s and '%s' is %s", info->mnemonic, operand_name(v, op, 0),
                                  op->operands[0].value->type->text, operand_name(v, op, i), op->operands[i].value->type->text);
    if (kd_op_has(op, KD_ELEMENTWISE) && op->n_operands) {
        const kd_type *first = op->operands[0].value->type;
        for (unsigned i = 1; i < op->n_operands; i++)
            if (op->operands[i].value && !kd_type_same_shape(op->operands[i].value->type, first))
                return kd_verify_fail(v, op, "'%s' needs operands of one shape, but '%s' is %s and '%s' is %s", info->mnemonic,
                                      operand_name(v, op, 0), first->text, operand_name(v, op, i), op->operands[i].value->type->text);
        for (unsigned i = 0; i < op->n_results; i++)
            if (!kd_type_same_shape(op->results[i].type, first))
                return kd_verify_fail(v, op, "the result of '%s' has the shape of its operands, but is %s where '%s' is %s", info->mnemonic,
                                      op->results[i].type->text, operand_name(v, op, 0), first->text);
    }
    if (info->n_results && info->result_rule != KD_RESULT_GIVEN) {
        unsigned i = kd_op_info_operand(info, info->result_operand);
        if (i >= op->n_operands)
            return kd_verify_fail(v, op, "'%s' needs operands", info->mnemonic);
        const kd_type *want = op->operands[i].value->type;
        if (info->result_rule == KD_RESULT_BOOL_OF)
            want = kd_type_with_scalar(v->module->ctx, want, KD_I1);
        if (op->results[0].type != want)
            return kd_verify_fail(v, op, "the result of '%s' is %s, but %s is written", info->mnemonic, want->text, op->results[0].type->text);
    }
    return true;
}

static unsigned n_enum_values(const kd_attr_info *info)
{
    unsigned n = 0;
    while (info->enum_texts[n])
        n++;
    return n;
}

static bool check_attrs(kd_verifier *v, const kd_op *op)
{
    const kd_op_info *info = kd_op_get_info(op);
    for (unsigned i = 0; i < info->n_attrs; i++)
        if (info->attrs[i].kind == KD_ATTR_ENUM && (unsigned)op->attrs[i].as_kd_pred >= n_enum_values(&info->attrs[i]))
            return kd_verify_fail(v, op, "'%s' has a broken attribute '%s'", info->mnemonic, info->attrs[i].name);
    return true;
}

/* How a region must end: kd.return in functions, kd.condition where a while decides, else kd.yield. */
static kd_opcode terminator_of(const kd_op *parent, unsigned region)
{
    return parent->code == KD_OP_func ? KD_OP_return : parent->code == KD_OP_while && region == 0 ? KD_OP_condition : KD_OP_yield;
}

static bool check_regions(kd_verifier *v, const kd_op *op)
{
    const kd_op_info *info = kd_op_get_info(op);
    if (op->n_regions != info->n_regions)
        return kd_verify_fail(v, op, "'%s' has %u region%s, but %u are given", info->mnemonic, info->n_regions, info->n_regions == 1 ? "" : "s",
                              op->n_regions);
    for (unsigned r = 0; r < op->n_regions && op->code != KD_OP_module; r++) {
        kd_opcode want = terminator_of(op, r);
        const kd_op *last = op->regions[r]->last;
        if (!last || last->code != want)
            return kd_verify_fail(v, last ? last : op, "a region of '%s' ends in '%s'%s%s%s", info->mnemonic, kd_op_infos[want].mnemonic,
                                  last ? ", but this one ends in '" : ", but this one is empty", last ? kd_op_get_info(last)->mnemonic : "",
                                  last ? "'" : "");
    }
    return true;
}

static bool check_op(kd_verifier *v, const kd_op *op)
{
    return check_operands(v, op) && check_types(v, op) && check_attrs(v, op) && check_regions(v, op) && kd_verify_layouts(v, op) &&
           kd_verify_op_rules(v, op);
}

/* ---- places ---- */

static unsigned number_ops(kd_op *root, unsigned next)
{
    for (unsigned r = 0; r < root->n_regions; r++)
        KD_FOREACH_OP (op, root->regions[r]) {
            op->mark = next++;
            next = number_ops(op, next);
        }
    return next;
}

/* Whether the value is defined before the op: earlier in a block around it, within the same function. Needs number_ops. */
static bool is_visible(const kd_value *value, const kd_op *op)
{
    const kd_block *home = value->def ? value->def->block : value->owner;
    for (const kd_op *at = op; at && at->block; at = at->block->parent) {
        if (at->code == KD_OP_func)
            return false;
        if (at->block == home)
            return !value->def || value->def->mark < at->mark;
    }
    return false;
}

static bool check_place(kd_verifier *v, const kd_op *op, bool is_last)
{
    const char *mnemonic = kd_op_get_info(op)->mnemonic;
    bool good = true;
    if ((op->code == KD_OP_func) != (op->block->parent->code == KD_OP_module))
        good = kd_verify_fail(v, op, "%s", op->code == KD_OP_func ? "a function stands inside another op" : "an op stands outside functions");
    if (op->code == KD_OP_module)
        good = kd_verify_fail(v, op, "a module stands inside another op");
    if (kd_op_has(op, KD_TERMINATOR) && !is_last)
        good = kd_verify_fail(v, op, "'%s' ends a region, but ops follow it", mnemonic);
    for (unsigned i = 0; i < op->n_operands; i++)
        if (op->operands[i].value && !is_visible(op->operands[i].value, op))
            good = kd_verify_fail(v, op, "operand '%s' of '%s' is not defined before it", operand_name(v, op, i), mnemonic);
    return good;
}

/* ---- readers ---- */

typedef struct use_counts {
    size_t operands, listed;
    bool broken;
} use_counts;

static void count_readers(use_counts *c, const kd_value *value)
{
    for (const kd_use *use = value->uses; use && !c->broken; use = use->next) {
        c->listed++;
        c->broken = use->value != value || !use->user || use < use->user->operands || use >= use->user->operands + use->user->n_operands;
    }
}

static void count_block(use_counts *c, const kd_block *block)
{
    for (unsigned i = 0; i < block->n_args; i++) {
        c->broken |= block->args[i]->owner != block || block->args[i]->index != i || block->args[i]->def;
        count_readers(c, block->args[i]);
    }
    KD_FOREACH_OP (op, block) {
        c->broken |= op->block != block || (op->next ? op->next->prev != op : block->last != op);
        for (unsigned i = 0; i < op->n_operands; i++) {
            const kd_use *use = &op->operands[i];
            c->operands += use->value != NULL;
            c->broken |= use->value && (use->user != op || *use->link != use);
        }
        for (unsigned i = 0; i < op->n_results; i++) {
            c->broken |= op->results[i].def != op || op->results[i].index != i || op->results[i].owner;
            count_readers(c, &op->results[i]);
        }
        for (unsigned r = 0; r < op->n_regions; r++) {
            c->broken |= op->regions[r]->parent != op || op->regions[r]->index != r;
            count_block(c, op->regions[r]);
        }
    }
}

/* Every operand is in the list of its value, and nothing else is. Cheaper than looking each one up: the counts must agree. */
static bool check_readers(kd_verifier *v)
{
    use_counts counts = {0};
    count_block(&counts, v->module->op->regions[0]);
    if (!counts.broken && counts.listed == counts.operands)
        return true;
    if (counts.broken)
        kd_error(v->diags, KD_NO_LOC, "the links between ops and values are broken");
    else
        kd_error(v->diags, KD_NO_LOC, "values list %zu readers, but ops have %zu operands", counts.listed, counts.operands);
    return false;
}

/* ---- modules ---- */

static bool check_block(kd_verifier *v, const kd_block *block)
{
    bool good = true;
    KD_FOREACH_OP (op, block) {
        good &= check_place(v, op, !op->next) && check_op(v, op);
        for (unsigned r = 0; r < op->n_regions; r++)
            good &= check_block(v, op->regions[r]);
    }
    return good;
}

static bool verify(const kd_module *module, kd_diags *diags, bool shows_text, bool complete)
{
    kd_verifier v = {module, diags, shows_text, complete, kd_map_in(module->arena)};
    if (!check_readers(&v))
        return false;
    bool good = true;
    KD_FOREACH_OP (func, module->op->regions[0]) {
        if (func->code != KD_OP_func)
            continue;
        void **place = kd_map_at(&v.funcs, kd_func_name(func));
        if (*place)
            good = kd_verify_fail(&v, func, "function '@%.*s' is defined twice", KD_STR_ARG(kd_func_name(func)));
        *place = func;
    }
    number_ops(module->op, 0);
    return good & check_block(&v, module->op->regions[0]);
}

bool kd_verify_parsed(const kd_module *module, kd_diags *diags, bool complete)
{
    return verify(module, diags, false, complete);
}

bool kd_verify_module(const kd_module *module, kd_diags *diags)
{
    return verify(module, diags, true, true);
}
