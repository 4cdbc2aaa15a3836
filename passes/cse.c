/* cse.c - compute each pure value once.
 *
 *     %0 = kd.add %x, %y : i32
 *     %1 = kd.add %y, %x : i32     ==>   %1 goes, its readers read %0
 *
 * A value is looked for in the op's block and in those around it; the functions of kd.reduce, kd.scan and kd.map see only their own, so
 * that they stay self-contained. Loads are not merged: that would need to know what is written in between.
 * Cost: one walk, one hash table. */
#include "base/map.h"
#include "base/vec.h"
#include "ir/ir.h"
#include "passes/pass.h"

typedef struct entry {
    kd_op *op;
    uint64_t hash;
    struct entry *next; /* in its bucket */
} entry;

typedef struct table {
    kd_arena *arena;
    entry **buckets;
    unsigned n_buckets;
    KD_VEC(entry *) entries; /* visible ones, outermost first */
    bool changed;
} table;

static uint64_t attr_hash(const kd_attr_info *info, const kd_attr *attr, uint64_t seed)
{
    switch (info->kind) {
    case KD_ATTR_TEXT:
        return kd_hash_bytes(attr->as_kd_text.ptr, attr->as_kd_text.len, seed);
    case KD_ATTR_INTS:
        return kd_hash_bytes(attr->as_kd_ints.data, attr->as_kd_ints.n * sizeof *attr->as_kd_ints.data, seed);
    case KD_ATTR_NUMBER:
        return seed ^ (uint64_t)attr->as_kd_number.i * 31;
    case KD_ATTR_INT:
        return seed ^ (uint64_t)attr->as_kd_int * 31;
    case KD_ATTR_FLAG:
        return seed ^ (uint64_t)attr->as_kd_flag;
    case KD_ATTR_ENUM:
        return seed ^ (uint64_t)attr->as_kd_pred * 31;
    }
    return seed;
}

static bool attr_equal(const kd_attr_info *info, const kd_attr *a, const kd_attr *b)
{
    switch (info->kind) {
    case KD_ATTR_TEXT:
        return kd_str_equal(a->as_kd_text, b->as_kd_text);
    case KD_ATTR_INTS:
        return a->as_kd_ints.n == b->as_kd_ints.n &&
               (a->as_kd_ints.n == 0 || memcmp(a->as_kd_ints.data, b->as_kd_ints.data, a->as_kd_ints.n * sizeof *a->as_kd_ints.data) == 0);
    case KD_ATTR_NUMBER: /* bits: -0 is not 0, NaN is NaN */
        return a->as_kd_number.is_float == b->as_kd_number.is_float && memcmp(&a->as_kd_number.i, &b->as_kd_number.i, sizeof(int64_t)) == 0;
    case KD_ATTR_INT:
        return a->as_kd_int == b->as_kd_int;
    case KD_ATTR_FLAG:
        return a->as_kd_flag == b->as_kd_flag;
    case KD_ATTR_ENUM:
        return a->as_kd_pred == b->as_kd_pred;
    }
    return false;
}

static uint64_t op_hash(const kd_op *op)
{
    uint64_t hash = kd_hash_bytes(&op->code, sizeof op->code, op->n_operands);
    const kd_op_info *info = kd_op_get_info(op);
    uint64_t operands = 0;
    for (unsigned i = 0; i < op->n_operands; i++) {
        uint64_t one = (uint64_t)(uintptr_t)op->operands[i].value * UINT64_C(0x9e3779b97f4a7c15);
        operands += one ^ (one >> 29); /* in any order, for those that commute */
        if (!(info->traits & KD_COMMUTES))
            operands = operands * 31;
    }
    hash ^= operands;
    for (unsigned i = 0; i < op->n_results; i++)
        hash = hash * 31 + (uint64_t)(uintptr_t)op->results[i].type;
    for (unsigned i = 0; i < info->n_attrs; i++)
        hash = attr_hash(&info->attrs[i], &op->attrs[i], hash);
    return hash ^ (hash >> 32);
}

/* ---- equality ---- */

static bool op_equal(table *t, const kd_op *a, const kd_op *b, kd_map *same);

static bool value_equal(const kd_value *a, const kd_value *b, const kd_map *same)
{
    return a == b || (a && same && kd_map_get_ptr(same, a) == b);
}

/* same: values inside the first region -> the equal ones inside the second */
static bool region_equal(table *t, const kd_block *a, const kd_block *b, kd_map *same)
{
    if (a->n_args != b->n_args)
        return false;
    for (unsigned i = 0; i < a->n_args; i++) {
        if (a->args[i]->type != b->args[i]->type)
            return false;
        *kd_map_at_ptr(same, a->args[i]) = b->args[i];
    }
    const kd_op *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next) {
        if (!op_equal(t, x, y, same))
            return false;
        for (unsigned i = 0; i < x->n_results; i++)
            *kd_map_at_ptr(same, &x->results[i]) = (void *)&y->results[i];
    }
    return !x && !y;
}

static bool op_equal(table *t, const kd_op *a, const kd_op *b, kd_map *same)
{
    const kd_op_info *info = kd_op_get_info(a);
    if (a->code != b->code || a->n_operands != b->n_operands || a->n_results != b->n_results)
        return false;
    for (unsigned i = 0; i < a->n_results; i++)
        if (a->results[i].type != b->results[i].type)
            return false;
    for (unsigned i = 0; i < info->n_attrs; i++)
        if (!attr_equal(&info->attrs[i], &a->attrs[i], &b->attrs[i]))
            return false;
    unsigned first = 0;
    if (info->traits & KD_COMMUTES) {
        const kd_value *a0 = kd_op_operand(a, 0), *a1 = kd_op_operand(a, 1), *b0 = kd_op_operand(b, 0), *b1 = kd_op_operand(b, 1);
        if (!(value_equal(a0, b0, same) && value_equal(a1, b1, same)) && !(value_equal(a0, b1, same) && value_equal(a1, b0, same)))
            return false;
        first = 2;
    }
    for (unsigned i = first; i < a->n_operands; i++)
        if (!value_equal(kd_op_operand(a, i), kd_op_operand(b, i), same))
            return false;
    kd_map inside = kd_map_in(t->arena);
    for (unsigned r = 0; r < a->n_regions; r++)
        if (!region_equal(t, a->regions[r], b->regions[r], same ? same : &inside))
            return false;
    return true;
}

/* ---- the table ---- */

static void grow(table *t)
{
    t->n_buckets = t->n_buckets ? t->n_buckets * 4 : 256;
    t->buckets = kd_arena_array(t->arena, entry *, t->n_buckets);
    for (unsigned i = 0; i < t->entries.n; i++) {
        entry *e = t->entries.data[i];
        entry **bucket = &t->buckets[e->hash & (t->n_buckets - 1)];
        e->next = *bucket;
        *bucket = e;
    }
}

/* An equal op that can be read here, or NULL after the op was noted. Entries before 'first' are outside of a self-contained function. */
static kd_op *find_or_note(table *t, kd_op *op, unsigned first)
{
    if (t->entries.n >= t->n_buckets)
        grow(t);
    uint64_t hash = op_hash(op);
    entry **bucket = &t->buckets[hash & (t->n_buckets - 1)];
    for (entry *e = *bucket; e; e = e->next)
        if (e->hash == hash && e->op->mark >= first && op_equal(t, e->op, op, NULL))
            return e->op;
    entry *e = kd_arena_new(t->arena, entry);
    *e = (entry){op, hash, *bucket};
    *bucket = e;
    op->mark = t->entries.n; /* its place among the entries tells in which scope it is */
    kd_vec_push(t->arena, &t->entries, e);
    return NULL;
}

/* The newest entries are the first of their buckets, so they can be taken away from the front. Rehashing keeps that order. */
static void leave_scope(table *t, unsigned n)
{
    while (t->entries.n > n) {
        entry *e = kd_vec_pop(&t->entries);
        t->buckets[e->hash & (t->n_buckets - 1)] = e->next;
    }
}

static void visit_block(table *t, kd_block *block, unsigned first)
{
    unsigned n = t->entries.n;
    KD_FOREACH_OP_SAFE (op, block) {
        bool is_pure = kd_op_has(op, KD_PURE) && kd_op_is_pure(op);
        for (unsigned r = 0; r < op->n_regions; r++)
            visit_block(t, op->regions[r], kd_op_has(op, KD_PURE) ? t->entries.n : first);
        if (!is_pure)
            continue;
        kd_op *earlier = find_or_note(t, op, first);
        if (!earlier)
            continue;
        for (unsigned i = 0; i < op->n_results; i++)
            if (!earlier->results[i].name)
                earlier->results[i].name = op->results[i].name;
        kd_op_replace(op, earlier);
        t->changed = true;
    }
    leave_scope(t, n);
}

kd_pass_result kd_pass_cse(kd_pass_ctx *px, kd_op *func)
{
    table t = {.arena = px->scratch};
    visit_block(&t, func->regions[0], 0);
    return t.changed ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
