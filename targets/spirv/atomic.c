/* atomic.c - atomics, as SPIR-V's own instructions, which say which memory is ordered for whom. What a device lacks becomes attempts with
 * compare-and-exchange: floats that it cannot add, and elements of less than 32 bits, of which the word around them is exchanged. */
#include "targets/spirv/spirv_impl.h"

#include "base/bug.h"

#include <stdio.h>

enum { SCOPE_SYSTEM = 0, SCOPE_DEVICE = 1, SCOPE_WORKGROUP = 2 };
enum { ACQUIRE = 0x2, RELEASE = 0x4, ACQUIRE_RELEASE = 0x8, OF_LOCAL = 0x100, OF_GLOBAL = 0x200 };

typedef struct access {
    const kd_type *type; /* of the element */
    kd_atomic_op kind;
    unsigned space, scope, semantics;
    LLVMValueRef ptr, value; /* value: NULL for compare-and-exchange */
    /* Elements of less than 32 bits: where they are in the word. */
    LLVMValueRef shift, mask;
} access;

static unsigned semantics_of(kd_mem_order order, unsigned memory)
{
    switch (order) {
    case KD_ORDER_RELAXED:
        return 0;
    case KD_ORDER_ACQUIRE:
        return ACQUIRE | memory;
    case KD_ORDER_RELEASE:
        return RELEASE | memory;
    default:
        return ACQUIRE_RELEASE | memory;
    }
}

static unsigned scope_of(kd_mem_scope scope)
{
    return scope == KD_SCOPE_CTA ? SCOPE_WORKGROUP : scope == KD_SCOPE_SYS ? SCOPE_SYSTEM : SCOPE_DEVICE;
}

static LLVMValueRef k32(kd_emitter *e, unsigned n)
{
    return LLVMConstInt(e->i32, n, false);
}

static LLVMValueRef instruction(kd_emitter *e, const access *a, const char *name, LLVMValueRef ptr, LLVMValueRef v)
{
    const char *letter = kd_spirv_letter(e, LLVMTypeOf(v), false);
    char mangled[80], whole[48];
    snprintf(whole, sizeof whole, "__spirv_Atomic%s", name);
    snprintf(mangled, sizeof mangled, "_Z%zu%sPU3AS%u%sjj%s", strlen(whole), whole, a->space, letter, letter);
    LLVMValueRef args[] = {ptr, k32(e, a->scope), k32(e, a->semantics), v};
    return kd_spirv_call(e, mangled, LLVMTypeOf(v), args, 4, KD_CALL_ANY);
}

static LLVMValueRef compare_exchange(kd_emitter *e, const access *a, LLVMValueRef ptr, LLVMValueRef expected, LLVMValueRef desired)
{
    const char *letter = kd_spirv_letter(e, LLVMTypeOf(desired), false);
    char name[80];
    snprintf(name, sizeof name, "_Z29__spirv_AtomicCompareExchangePU3AS%u%sjjj%s%s", a->space, letter, letter, letter);
    unsigned failure = a->semantics & (ACQUIRE_RELEASE | ACQUIRE) ? ACQUIRE | (a->semantics & (OF_LOCAL | OF_GLOBAL)) : 0;
    LLVMValueRef args[] = {ptr, k32(e, a->scope), k32(e, a->semantics), k32(e, failure), desired, expected};
    return kd_spirv_call(e, name, LLVMTypeOf(desired), args, 6, KD_CALL_ANY);
}

/* ---- what the device has ---- */

static const char *instruction_name(const kd_emitter *e, const access *a)
{
    const kd_gpu_device *device = kd_spirv_of((kd_emitter *)e)->config->device;
    kd_scalar s = a->type->scalar;
    bool uns = kd_scalar_is_unsigned(s), global = a->space == KD_SPACE_GLOBAL;
    if (kd_scalar_bits(s) < 32)
        return NULL;
    if (kd_scalar_is_float(s) && a->kind != KD_ATOMIC_XCHG) {
        bool has = global && (s == KD_F32 ? device->has_f32_atomic_add : device->has_f64_atomics && a->kind == KD_ATOMIC_ADD);
        if (!has)
            return NULL;
        return a->kind == KD_ATOMIC_ADD ? "FAddEXT" : a->kind == KD_ATOMIC_MIN ? "FMinEXT" : "FMaxEXT";
    }
    switch (a->kind) {
    case KD_ATOMIC_ADD:
        return "IAdd";
    case KD_ATOMIC_MIN:
        return uns ? "UMin" : "SMin";
    case KD_ATOMIC_MAX:
        return uns ? "UMax" : "SMax";
    case KD_ATOMIC_AND:
        return "And";
    case KD_ATOMIC_OR:
        return "Or";
    case KD_ATOMIC_XOR:
        return "Xor";
    default:
        return "Exchange";
    }
}

/* ---- what it lacks ---- */

/* One step of the operation, on registers: what is to be stored where old was found. */
static LLVMValueRef combined(kd_emitter *e, const access *a, LLVMValueRef old)
{
    kd_scalar s = a->type->scalar;
    LLVMValueRef v = a->value, x = old;
    bool narrow = s == KD_F16 || s == KD_BF16, half = s == KD_F16, f = kd_scalar_is_float(s), uns = kd_scalar_is_unsigned(s);
    if (narrow && a->kind != KD_ATOMIC_XCHG) {
        x = kd_emit_narrow_to_f32(e, x, half);
        v = kd_emit_narrow_to_f32(e, v, half);
    }
    switch (a->kind) {
    case KD_ATOMIC_ADD:
        v = f ? LLVMBuildFAdd(e->b, x, v, "") : LLVMBuildAdd(e->b, x, v, "");
        break;
    case KD_ATOMIC_MIN:
    case KD_ATOMIC_MAX: {
        bool max = a->kind == KD_ATOMIC_MAX;
        LLVMValueRef keeps = f ? LLVMBuildFCmp(e->b, max ? LLVMRealUGE : LLVMRealULE, x, v, "")
                               : LLVMBuildICmp(e->b, max ? (uns ? LLVMIntUGE : LLVMIntSGE) : (uns ? LLVMIntULE : LLVMIntSLE), x, v, "");
        if (f) /* a NaN loses against a number */
            keeps = LLVMBuildAnd(e->b, keeps, LLVMBuildFCmp(e->b, LLVMRealORD, x, x, ""), "");
        v = LLVMBuildSelect(e->b, keeps, x, v, "");
        break;
    }
    case KD_ATOMIC_AND:
        v = LLVMBuildAnd(e->b, x, v, "");
        break;
    case KD_ATOMIC_OR:
        v = LLVMBuildOr(e->b, x, v, "");
        break;
    case KD_ATOMIC_XOR:
        v = LLVMBuildXor(e->b, x, v, "");
        break;
    default:
        break;
    }
    return narrow && a->kind != KD_ATOMIC_XCHG ? kd_emit_f32_to_narrow(e, v, half) : v;
}

static LLVMTypeRef bits_type(const kd_emitter *e, LLVMTypeRef type)
{
    return type == e->f32 ? e->i32 : type == e->f64 ? e->i64 : type;
}

static LLVMValueRef bits_of(kd_emitter *e, LLVMValueRef v)
{
    return LLVMBuildBitCast(e->b, v, bits_type(e, LLVMTypeOf(v)), "");
}

/* The element in a word, and the word with another element. */
static LLVMValueRef element_of(kd_emitter *e, const access *a, LLVMValueRef word)
{
    LLVMTypeRef elem = kd_emit_memory_elem(e, a->type);
    if (!a->shift)
        return LLVMBuildBitCast(e->b, word, elem, "");
    return LLVMBuildTrunc(e->b, LLVMBuildLShr(e->b, word, a->shift, ""), elem, "");
}

static LLVMValueRef word_with(kd_emitter *e, const access *a, LLVMValueRef word, LLVMValueRef element)
{
    if (!a->shift)
        return bits_of(e, element);
    LLVMValueRef placed = LLVMBuildShl(e->b, LLVMBuildZExt(e->b, element, e->i32, ""), a->shift, "");
    return LLVMBuildOr(e->b, LLVMBuildAnd(e->b, word, LLVMBuildNot(e->b, a->mask, ""), ""), placed, "");
}

static kd_emit_attempt attempt_update(kd_emitter *e, LLVMValueRef word, void *user)
{
    const access *a = user;
    LLVMValueRef next = word_with(e, a, word, combined(e, a, element_of(e, a, word)));
    LLVMValueRef found = compare_exchange(e, a, a->ptr, word, next);
    return (kd_emit_attempt){found, LLVMBuildICmp(e->b, LLVMIntEQ, found, word, "")};
}

/* Makes ptr that of the word which holds the element. */
static void find_word(kd_emitter *e, access *a)
{
    unsigned bits = kd_scalar_bits(a->type->scalar) < 8 ? 8 : kd_scalar_bits(a->type->scalar);
    if (bits >= 32)
        return;
    LLVMValueRef address = LLVMBuildTrunc(e->b, LLVMBuildPtrToInt(e->b, a->ptr, e->i64, ""), e->i32, "");
    LLVMValueRef byte = LLVMBuildAnd(e->b, address, k32(e, 3), ""), back = LLVMBuildNeg(e->b, byte, "");
    a->ptr = LLVMBuildGEP2(e->b, e->i8, a->ptr, &back, 1, "");
    a->shift = LLVMBuildShl(e->b, byte, k32(e, 3), "");
    a->mask = LLVMBuildShl(e->b, k32(e, (1u << bits) - 1), a->shift, "");
}

static LLVMValueRef update_by_attempts(kd_emitter *e, access *a)
{
    find_word(e, a);
    LLVMTypeRef word = a->shift ? e->i32 : bits_type(e, LLVMTypeOf(a->value));
    LLVMValueRef first = kd_emit_plain_load(e, word, a->ptr, LLVMGetIntTypeWidth(word) / 8, false);
    return element_of(e, a, kd_emit_retry(e, first, attempt_update, a));
}

static LLVMValueRef update(kd_emitter *e, access *a)
{
    const char *name = instruction_name(e, a);
    if (!name)
        return update_by_attempts(e, a);
    LLVMTypeRef type = LLVMTypeOf(a->value);
    bool exchange = a->kind == KD_ATOMIC_XCHG;
    LLVMValueRef old = instruction(e, a, name, a->ptr, exchange ? bits_of(e, a->value) : a->value);
    return exchange ? LLVMBuildBitCast(e->b, old, type, "") : old;
}

/* ---- compare-and-exchange by the author ---- */

typedef struct exchange {
    const access *a;
    LLVMValueRef expected, desired;
} exchange;

/* Done where the element differs, or the exchange worked: another element of the word may have changed in between. */
static kd_emit_attempt attempt_exchange(kd_emitter *e, LLVMValueRef word, void *user)
{
    const exchange *x = user;
    LLVMValueRef differs = LLVMBuildICmp(e->b, LLVMIntNE, element_of(e, x->a, word), x->expected, "");
    LLVMValueRef next = LLVMBuildSelect(e->b, differs, word, word_with(e, x->a, word, x->desired), "");
    LLVMValueRef found = compare_exchange(e, x->a, x->a->ptr, word, next);
    return (kd_emit_attempt){found, LLVMBuildICmp(e->b, LLVMIntEQ, found, word, "")};
}

static LLVMValueRef exchange_if(kd_emitter *e, access *a, LLVMValueRef expected, LLVMValueRef desired)
{
    find_word(e, a);
    if (!a->shift) {
        LLVMValueRef old = compare_exchange(e, a, a->ptr, bits_of(e, expected), bits_of(e, desired));
        return LLVMBuildBitCast(e->b, old, LLVMTypeOf(desired), "");
    }
    exchange x = {a, expected, desired};
    LLVMValueRef first = kd_emit_plain_load(e, e->i32, a->ptr, 4, false);
    return element_of(e, a, kd_emit_retry(e, first, attempt_exchange, &x));
}

static void emit_exchange(kd_emitter *e, const kd_op *op, access a, const kd_value *expected, const kd_value *desired, const kd_value *mask)
{
    a.type = desired->type;
    kd_emit_guard guard = kd_emit_guard_begin(e, mask ? kd_emit_get(e, mask) : NULL);
    LLVMValueRef from = kd_emit_to_memory(e, kd_emit_get(e, expected), a.type), to = kd_emit_to_memory(e, kd_emit_get(e, desired), a.type);
    LLVMValueRef old = exchange_if(e, &a, from, to);
    old = kd_emit_guard_end(e, guard, old, LLVMConstNull(LLVMTypeOf(old)));
    kd_emit_set(e, kd_op_result(op, 0), kd_emit_to_register(e, old, a.type));
}

static void emit_update(kd_emitter *e, const kd_op *op, access a, const kd_value *value, const kd_value *mask)
{
    a.type = value->type;
    kd_emit_guard guard = kd_emit_guard_begin(e, mask ? kd_emit_get(e, mask) : NULL);
    a.value = kd_emit_to_memory(e, kd_emit_get(e, value), a.type);
    LLVMTypeRef type = LLVMTypeOf(a.value);
    LLVMValueRef old = kd_emit_guard_end(e, guard, update(e, &a), LLVMConstNull(type));
    kd_emit_set(e, kd_op_result(op, 0), kd_emit_to_register(e, old, a.type));
}

static access global_access(kd_emitter *e, const kd_value *ptr, kd_mem_order order, kd_mem_scope scope)
{
    return (access){.space = KD_SPACE_GLOBAL, .scope = scope_of(scope), .semantics = semantics_of(order, OF_GLOBAL), .ptr = kd_emit_get(e, ptr)};
}

static void emit_slm_atomic(kd_emitter *e, const kd_op *op)
{
    const kd_value *value = kd_gpu_slm_atomic_value(op);
    LLVMValueRef at = kd_emit_get(e, kd_gpu_slm_atomic_index(op)), buffer = kd_emit_get(e, kd_gpu_slm_atomic_buffer(op));
    access a = {.kind = kd_gpu_slm_atomic_kind(op), .space = KD_SPACE_LOCAL, .scope = SCOPE_WORKGROUP,
                .ptr = LLVMBuildInBoundsGEP2(e->b, kd_emit_memory_elem(e, value->type), buffer, &at, 1, "")};
    emit_update(e, op, a, value, kd_gpu_slm_atomic_mask(op));
}

void kd_spirv_atomic(kd_emitter *e, const kd_op *op)
{
    if (op->code == KD_OP_gpu_slm_atomic) {
        emit_slm_atomic(e, op);
    } else if (op->code == KD_OP_atomic) {
        access a = global_access(e, kd_atomic_ptr(op), kd_atomic_order(op), kd_atomic_scope(op));
        a.kind = kd_atomic_kind(op);
        emit_update(e, op, a, kd_atomic_value(op), kd_atomic_mask(op));
    } else if (op->code == KD_OP_atomic_cas) {
        access a = global_access(e, kd_atomic_cas_ptr(op), kd_atomic_cas_order(op), kd_atomic_cas_scope(op));
        emit_exchange(e, op, a, kd_atomic_cas_expected(op), kd_atomic_cas_desired(op), NULL);
    } else {
        access a = global_access(e, kd_gpu_atomic_cas_ptr(op), kd_gpu_atomic_cas_order(op), kd_gpu_atomic_cas_scope(op));
        emit_exchange(e, op, a, kd_gpu_atomic_cas_expected(op), kd_gpu_atomic_cas_desired(op), kd_gpu_atomic_cas_mask(op));
    }
}
