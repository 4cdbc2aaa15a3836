/* print.c - IR to text. One op a line: results, mnemonic, key, operands, attributes, types of results, regions.
 *
 * Two passes over a function: the first gives every value its name, the second writes. */
#include "base/float.h"
#include "base/map.h"
#include "base/number.h"
#include "ir/text.h"

#include <math.h>

/* ---- names ---- */

typedef struct value_name {
    const kd_value *value;
    const char *text; /* NULL: the number */
    unsigned len, number;
} value_name;

typedef struct printer {
    kd_strbuf *out;
    kd_arena *arena;
    value_name *names; /* open addressing by the value's address */
    unsigned n_names, n_slots;
    kd_map taken; /* text of a name -> the last suffix that was tried for it */
    unsigned next_number;
    kd_print_note *note; /* or NULL */
    void *note_user;
} printer;

static value_name *name_slot(const printer *p, const kd_value *value)
{
    uint64_t hash = (uint64_t)(uintptr_t)value * UINT64_C(0x9e3779b97f4a7c15);
    unsigned mask = p->n_slots - 1, slot = (unsigned)(hash >> 32) & mask;
    while (p->names[slot].value && p->names[slot].value != value)
        slot = (slot + 1) & mask;
    return &p->names[slot];
}

static void grow_names(printer *p)
{
    value_name *old = p->names;
    unsigned n_old = p->n_slots;
    p->n_slots = n_old ? n_old * 4 : 64;
    p->names = kd_arena_array(p->arena, value_name, p->n_slots);
    for (unsigned i = 0; i < n_old; i++)
        if (old[i].value)
            *name_slot(p, old[i].value) = old[i];
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '$';
}

/* The name with characters that the text cannot hold replaced; it never looks like a number. */
static const char *clean_name(printer *p, const char *name)
{
    bool clean = !(name[0] >= '0' && name[0] <= '9');
    for (const char *c = name; *c; c++)
        clean &= is_name_char(*c);
    if (clean)
        return name;
    size_t n = strlen(name), at = 0;
    char *text = kd_arena_alloc(p->arena, n + 2);
    if (name[0] >= '0' && name[0] <= '9')
        text[at++] = '_';
    for (size_t i = 0; i < n; i++)
        text[at++] = is_name_char(name[i]) ? name[i] : '_';
    return text;
}

static const char *unique_name(printer *p, const char *wanted)
{
    void **last = kd_map_at(&p->taken, kd_str_of(wanted));
    if (!*last) {
        *last = (void *)(uintptr_t)1;
        return wanted;
    }
    uintptr_t suffix = (uintptr_t)*last;
    const char *name = NULL;
    do
        name = kd_arena_printf(p->arena, "%s_%zu", wanted, (size_t)suffix++);
    while (kd_map_get(&p->taken, kd_str_of(name)));
    *kd_map_at(&p->taken, kd_str_of(wanted)) = (void *)suffix;
    *kd_map_at(&p->taken, kd_str_of(name)) = (void *)(uintptr_t)1;
    return name;
}

static void name_value(printer *p, const kd_value *value)
{
    if ((p->n_names + 1) * 2 > p->n_slots)
        grow_names(p);
    value_name *slot = name_slot(p, value);
    if (slot->value)
        return;
    p->n_names++;
    slot->value = value;
    if (value->name && value->name[0]) {
        slot->text = unique_name(p, clean_name(p, value->name));
        slot->len = (unsigned)strlen(slot->text);
    } else {
        slot->number = p->next_number++;
    }
}

static void name_block(printer *p, const kd_block *block)
{
    for (unsigned i = 0; i < block->n_args; i++)
        name_value(p, block->args[i]);
    KD_FOREACH_OP (op, block) {
        for (unsigned i = 0; i < op->n_results; i++)
            name_value(p, &op->results[i]);
        for (unsigned r = 0; r < op->n_regions; r++)
            name_block(p, op->regions[r]);
    }
}

static void forget_names(printer *p)
{
    if (p->n_names)
        memset(p->names, 0, p->n_slots * sizeof *p->names);
    p->n_names = p->next_number = 0;
    p->taken = kd_map_in(p->arena);
}

/* ---- words ---- */

static void put(printer *p, const char *text)
{
    kd_strbuf_puts(p->out, text);
}

static void put_unsigned(printer *p, uint64_t value, bool negative)
{
    char digits[24], *at = digits + sizeof digits;
    do
        *--at = (char)('0' + value % 10);
    while (value /= 10);
    if (negative)
        *--at = '-';
    kd_strbuf_append(p->out, at, (size_t)(digits + sizeof digits - at));
}

static void put_int(printer *p, int64_t value)
{
    put_unsigned(p, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
}

static void put_value(printer *p, const kd_value *value)
{
    if (!value) {
        put(p, "_");
        return;
    }
    const value_name *name = p->n_slots ? name_slot(p, value) : NULL;
    put(p, "%");
    if (!name || !name->value)
        put(p, "<not in this function>"); /* only broken IR, which is printed to show what is wrong with it */
    else if (name->text)
        kd_strbuf_append(p->out, name->text, name->len);
    else
        put_unsigned(p, name->number, false);
}

static void put_string(printer *p, kd_str text)
{
    put(p, "\"");
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\')
            kd_strbuf_append(p->out, (char[]){'\\', (char)c}, 2);
        else if (c == '\n')
            put(p, "\\n");
        else if (c < 0x20 || c >= 0x7f)
            kd_strbuf_printf(p->out, "\\x%02x", c);
        else
            kd_strbuf_append(p->out, &text.ptr[i], 1);
    }
    put(p, "\"");
}

/* @name, or @"any text" where it is not made of name characters. */
static void put_symbol(printer *p, kd_str name)
{
    bool plain = name.len > 0;
    for (size_t i = 0; i < name.len; i++)
        plain &= is_name_char(name.ptr[i]);
    put(p, "@");
    if (plain)
        kd_strbuf_append(p->out, name.ptr, name.len);
    else
        put_string(p, name);
}

void kd_print_number(kd_strbuf *out, kd_number number, const kd_type *type)
{
    const kd_type *elem = kd_type_elem(type);
    printer p = {.out = out};
    bool is_float = elem->kind == KD_TYPE_SCALAR && kd_scalar_is_float(elem->scalar);
    if (!number.is_float) {
        bool negative = number.i < 0 && !(elem->kind == KD_TYPE_PTR || kd_scalar_is_unsigned(elem->scalar));
        put_unsigned(&p, negative ? 0 - (uint64_t)number.i : (uint64_t)number.i, negative);
    } else if (isnan(number.f)) {
        put(&p, signbit(number.f) ? "-nan" : "nan");
    } else if (isinf(number.f)) {
        put(&p, number.f < 0 ? "-inf" : "inf");
    } else if (fabs(number.f) < 1e15 && number.f == floor(number.f)) {
        put_unsigned(&p, (uint64_t)fabs(number.f), signbit(number.f));
        put(&p, ".0");
    } else {
        /* The fewest digits that give the number again once they are rounded to the type. %g drops zeros at the end, so few tries do. */
        unsigned bits = is_float ? kd_scalar_bits(elem->scalar) : 64;
        char text[KD_MAX_DOUBLE_TEXT];
        for (int digits = bits <= 16 ? 2 : bits == 32 ? 6 : 15; digits <= 17; digits++) {
            double again = 0;
            kd_double_format(text, number.f, digits);
            kd_double_parse(kd_str_of(text), &again);
            if (digits == 17 || (is_float ? kd_float_round(again, elem->scalar, KD_FLOAT_NEAREST_EVEN) : again) == number.f)
                break;
        }
        put(&p, text);
        if (!strpbrk(text, ".e"))
            put(&p, ".0");
    }
}

static void put_types(printer *p, const kd_value *results, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        put(p, i ? ", " : " : ");
        put(p, results[i].type->text);
    }
}

/* ---- attributes ---- */

static bool is_default(const kd_attr_info *info, const kd_attr *attr)
{
    switch (info->kind) {
    case KD_ATTR_INT:
        return attr->as_kd_int == 0;
    case KD_ATTR_FLAG:
        return !attr->as_kd_flag;
    case KD_ATTR_TEXT:
        return attr->as_kd_text.len == 0;
    case KD_ATTR_INTS:
        return attr->as_kd_ints.n == 0;
    case KD_ATTR_ENUM:
        return attr->as_kd_pred == 0;
    case KD_ATTR_NUMBER:
        return false;
    }
    return false;
}

static void put_attr_value(printer *p, const kd_op *op, const kd_attr_info *info, const kd_attr *attr)
{
    switch (info->kind) {
    case KD_ATTR_INT:
        put_int(p, attr->as_kd_int);
        break;
    case KD_ATTR_FLAG:
        break;
    case KD_ATTR_TEXT:
        put_string(p, attr->as_kd_text);
        break;
    case KD_ATTR_INTS:
        put(p, "[");
        for (unsigned i = 0; i < attr->as_kd_ints.n; i++) {
            put(p, i ? ", " : "");
            put_int(p, attr->as_kd_ints.data[i]);
        }
        put(p, "]");
        break;
    case KD_ATTR_ENUM:
        put(p, info->enum_texts[attr->as_kd_pred]);
        break;
    case KD_ATTR_NUMBER:
        kd_print_number(p->out, attr->as_kd_number, op->results[0].type);
        break;
    }
}

/* The key of an op that has one stands right after the mnemonic, unless it is an integer: 'kd.cmp lt', 'kd.constant 1.5', 'kd.call @f'. */
static void put_key(printer *p, const kd_op *op, const kd_attr_info *info, const kd_attr *attr)
{
    put(p, " ");
    if (info->kind == KD_ATTR_TEXT)
        put_symbol(p, attr->as_kd_text);
    else
        put_attr_value(p, op, info, attr);
}

static void put_attrs(printer *p, const kd_op *op)
{
    const kd_op_info *info = kd_op_get_info(op);
    bool any = false;
    for (unsigned i = 0; i < info->n_attrs; i++) {
        const kd_attr_info *a = &info->attrs[i];
        if (a->is_key ? a->kind != KD_ATTR_INT : is_default(a, &op->attrs[i]))
            continue;
        put(p, any ? ", " : " {");
        any = true;
        put(p, a->name);
        if (a->kind != KD_ATTR_FLAG) {
            put(p, " = ");
            put_attr_value(p, op, a, &op->attrs[i]);
        }
    }
    if (any)
        put(p, "}");
}

/* ---- ops ---- */

static void put_op(printer *p, const kd_op *op, unsigned indent);

static void put_indent(printer *p, unsigned indent)
{
    static const char SPACES[] = "                                ";
    for (unsigned n = indent * 2; n > 0;) {
        unsigned some = n < sizeof SPACES - 1 ? n : (unsigned)sizeof SPACES - 1;
        kd_strbuf_append(p->out, SPACES, some);
        n -= some;
    }
}

static void put_note(printer *p, const kd_value *value, unsigned indent)
{
    kd_strbuf text = kd_strbuf_in(p->arena);
    p->note(value, &text, p->note_user);
    if (text.len == 0)
        return;
    put_indent(p, indent);
    put(p, "// ");
    put_value(p, value);
    put(p, ": ");
    kd_strbuf_append(p->out, text.ptr, text.len);
    put(p, "\n");
}

static void put_result_notes(printer *p, const kd_op *op, unsigned indent)
{
    for (unsigned i = 0; p->note && i < op->n_results; i++)
        put_note(p, &op->results[i], indent);
}

static void put_block(printer *p, const kd_block *block, unsigned indent)
{
    put(p, " {\n");
    if (block->index == 0)
        put_result_notes(p, block->parent, indent + 1);
    if (block->n_args && block->parent->code != KD_OP_func) {
        put_indent(p, indent);
        for (unsigned i = 0; i < block->n_args; i++) {
            put(p, i ? ", " : "^(");
            put_value(p, block->args[i]);
            put(p, ": ");
            put(p, block->args[i]->type->text);
        }
        put(p, "):\n");
    }
    for (unsigned i = 0; p->note && i < block->n_args; i++)
        put_note(p, block->args[i], indent + 1);
    KD_FOREACH_OP (op, block)
        put_op(p, op, indent + 1);
    put_indent(p, indent);
    put(p, "}");
}

static void put_func(printer *p, const kd_op *func, unsigned indent)
{
    const kd_block *body = func->regions[0];
    kd_ints divisibility = kd_func_divisibility(func);
    put(p, "func ");
    put_symbol(p, kd_func_name(func));
    put(p, "(");
    for (unsigned i = 0; i < body->n_args; i++) {
        put(p, i ? ", " : "");
        put_value(p, body->args[i]);
        put(p, ": ");
        put(p, body->args[i]->type->text);
        if (i < divisibility.n && divisibility.data[i] > 1) {
            put(p, " {divisibility = ");
            put_int(p, divisibility.data[i]);
            put(p, "}");
        }
    }
    put(p, ")");
    const kd_op *end = body->last;
    for (unsigned i = 0; end && end->code == KD_OP_return && i < end->n_operands; i++) {
        put(p, i ? ", " : " -> ");
        put(p, end->operands[i].value ? end->operands[i].value->type->text : "_");
    }
    if (kd_func_kernel(func))
        put(p, " kernel");
    put_block(p, body, indent);
}

static void put_op(printer *p, const kd_op *op, unsigned indent)
{
    const kd_op_info *info = kd_op_get_info(op);
    put_indent(p, indent);
    if (op->code == KD_OP_func) {
        put_func(p, op, indent);
        put(p, "\n");
        return;
    }
    for (unsigned i = 0; i < op->n_results; i++) {
        put(p, i ? ", " : "");
        put_value(p, &op->results[i]);
    }
    put(p, op->n_results ? " = " : "");
    put(p, info->mnemonic);
    for (unsigned i = 0; i < info->n_attrs; i++)
        if (info->attrs[i].is_key && info->attrs[i].kind != KD_ATTR_INT)
            put_key(p, op, &info->attrs[i], &op->attrs[i]);
    unsigned n = op->n_operands; /* absent ones at the end are left out */
    while (n > 0 && !op->operands[n - 1].value)
        n--;
    for (unsigned i = 0; i < n; i++) {
        put(p, i ? ", " : " ");
        put_value(p, op->operands[i].value);
    }
    put_attrs(p, op);
    put_types(p, op->results, op->n_results);
    for (unsigned r = 0; r < op->n_regions; r++) {
        if (r)
            put(p, op->code == KD_OP_if ? " else" : " do");
        put_block(p, op->regions[r], indent);
    }
    put(p, "\n");
    if (op->n_regions == 0)
        put_result_notes(p, op, indent);
}

void kd_print_module(const kd_module *module, kd_strbuf *out)
{
    printer p = {.out = out, .arena = out->arena};
    KD_FOREACH_OP (func, module->op->regions[0]) {
        forget_names(&p);
        for (unsigned r = 0; r < func->n_regions; r++)
            name_block(&p, func->regions[r]);
        if (func->prev)
            put(&p, "\n");
        put_op(&p, func, 0);
    }
}

void kd_print_op(const kd_op *op, kd_strbuf *out)
{
    printer p = {.out = out, .arena = out->arena};
    const kd_op *outermost = op; /* names are as in the whole function */
    while (outermost->code != KD_OP_func && outermost->block && outermost->block->parent)
        outermost = outermost->block->parent;
    forget_names(&p);
    for (unsigned i = 0; i < outermost->n_results; i++)
        name_value(&p, &outermost->results[i]);
    for (unsigned r = 0; r < outermost->n_regions; r++)
        name_block(&p, outermost->regions[r]);
    put_op(&p, op, 0);
}

void kd_print_func_notes(const kd_op *func, kd_strbuf *out, kd_print_note *note, void *user)
{
    printer p = {.out = out, .arena = out->arena, .note = note, .note_user = user};
    forget_names(&p);
    name_block(&p, func->regions[0]);
    put_op(&p, func, 0);
}

uint64_t kd_module_hash(const kd_module *module, kd_arena *scratch)
{
    kd_strbuf text = kd_strbuf_in(scratch);
    kd_print_module(module, &text);
    return kd_hash_bytes(text.ptr, text.len, 0);
}
