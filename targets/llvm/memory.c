/* memory.c - loads and stores, buffers in the scratch memory, atomics, and the lanes of vectors.
 *
 * Lanes whose mask is false touch no memory: vectors use LLVM's masked operations, scalars a branch. */
#include "targets/llvm/emit.h"

#include "base/bug.h"

#include <llvm/Config/llvm-config.h>

static LLVMValueRef all_lanes(kd_emitter *e, unsigned lanes)
{
    return kd_emit_constant_of(LLVMVectorType(e->i1, lanes), 1);
}

static LLVMValueRef masked(kd_emitter *e, const char *name, LLVMTypeRef *overloads, LLVMValueRef *args, unsigned n_args,
                           unsigned align_at, unsigned align)
{
#if LLVM_VERSION_MAJOR >= 22
    /* The alignment is an attribute of the pointer, not an argument. */
    for (unsigned i = align_at; i + 1 < n_args; i++)
        args[i] = args[i + 1];
    n_args--;
    LLVMValueRef call = kd_emit_intrinsic(e, name, overloads, 2, args, n_args);
    unsigned kind = LLVMGetEnumAttributeKindForName("align", 5);
    LLVMAddCallSiteAttribute(call, align_at, LLVMCreateEnumAttribute(e->llvm, kind, align));
    return call;
#else
    args[align_at] = LLVMConstInt(e->i32, align, false);
    return kd_emit_intrinsic(e, name, overloads, 2, args, n_args);
#endif
}

/* Whether the machine has gathers (scatters) of such elements. Where it has not, LLVM would make a branch for each lane of the mask. */
static bool has_gather(const kd_emitter *e, LLVMTypeRef elem, bool scatter)
{
    bool wide = elem == e->i32 || elem == e->i64 || elem == e->f32 || elem == e->f64 || elem == e->ptr;
    return wide && (e->machine->has_avx512 || (e->machine->has_avx2 && !scatter));
}

/* Memory that belongs to nobody: where lanes go that are off. */
static LLVMValueRef nowhere(kd_emitter *e)
{
    if (!e->nowhere) {
        LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b), entry = LLVMGetEntryBasicBlock(e->func);
        LLVMPositionBuilderBefore(e->b, LLVMGetFirstInstruction(entry));
        e->nowhere = LLVMBuildAlloca(e->b, e->i64, "nowhere");
        LLVMPositionBuilderAtEnd(e->b, here);
    }
    return e->nowhere;
}

static LLVMValueRef lane_of(kd_emitter *e, LLVMValueRef v, unsigned i)
{
    return LLVMBuildExtractElement(e->b, v, LLVMConstInt(e->i32, i, false), "");
}

static LLVMValueRef only_where(kd_emitter *e, LLVMValueRef ptrs, LLVMValueRef mask)
{
    return mask == all_lanes(e, LLVMGetVectorSize(LLVMTypeOf(ptrs)))
               ? ptrs
               : LLVMBuildSelect(e->b, mask, ptrs, kd_emit_splat(e, nowhere(e), LLVMGetVectorSize(LLVMTypeOf(ptrs))), "");
}

static LLVMValueRef gather_lanes(kd_emitter *e, LLVMTypeRef type, LLVMValueRef ptrs, LLVMValueRef mask, LLVMValueRef other,
                                 unsigned align)
{
    LLVMValueRef from = only_where(e, ptrs, mask), v = LLVMGetPoison(type);
    for (unsigned i = 0; i < LLVMGetVectorSize(type); i++) {
        LLVMValueRef one = kd_emit_plain_load(e, LLVMGetElementType(type), lane_of(e, from, i), align, false);
        v = LLVMBuildInsertElement(e->b, v, one, LLVMConstInt(e->i32, i, false), "");
    }
    return from == ptrs ? v : LLVMBuildSelect(e->b, mask, v, other, "");
}

static void scatter_lanes(kd_emitter *e, LLVMValueRef value, LLVMValueRef ptrs, LLVMValueRef mask, unsigned align)
{
    LLVMValueRef to = only_where(e, ptrs, mask);
    for (unsigned i = 0; i < LLVMGetVectorSize(LLVMTypeOf(value)); i++)
        kd_emit_plain_store(e, lane_of(e, value, i), lane_of(e, to, i), align);
}

static LLVMValueRef masked_load(kd_emitter *e, LLVMTypeRef type, LLVMValueRef ptr, LLVMValueRef mask, LLVMValueRef other,
                                unsigned align)
{
    LLVMTypeRef overloads[] = {type, LLVMTypeOf(ptr)};
    bool gather = LLVMGetTypeKind(LLVMTypeOf(ptr)) == LLVMVectorTypeKind;
    if (gather && !has_gather(e, LLVMGetElementType(type), false))
        return gather_lanes(e, type, ptr, mask, other, align);
    LLVMValueRef args[] = {ptr, NULL, mask, other};
    return masked(e, gather ? "llvm.masked.gather" : "llvm.masked.load", overloads, args, 4, 1, align);
}

static void masked_store(kd_emitter *e, LLVMValueRef value, LLVMValueRef ptr, LLVMValueRef mask, unsigned align)
{
    LLVMTypeRef overloads[] = {LLVMTypeOf(value), LLVMTypeOf(ptr)};
    bool scatter = LLVMGetTypeKind(LLVMTypeOf(ptr)) == LLVMVectorTypeKind;
    if (scatter && !has_gather(e, LLVMGetElementType(LLVMTypeOf(value)), true)) {
        scatter_lanes(e, value, ptr, mask, align);
        return;
    }
    LLVMValueRef args[] = {value, ptr, NULL, mask};
    masked(e, scatter ? "llvm.masked.scatter" : "llvm.masked.store", overloads, args, 4, 2, align);
}

/* ---- buffers ---- */

static LLVMValueRef buffer_place(kd_emitter *e, const kd_value *buffer, const kd_value *index)
{
    LLVMValueRef at = kd_emit_get(e, index);
    LLVMTypeRef unit = LLVMIntTypeInContext(e->llvm, 8 * kd_emit_elem_bytes(buffer->type));
    return LLVMBuildInBoundsGEP2(e->b, unit, kd_emit_get(e, buffer), &at, 1, "");
}

static void emit_buffer(kd_emitter *e, const kd_op *op)
{
    LLVMValueRef offset = LLVMConstInt(e->i64, (uint64_t)kd_cpu_buffer_offset_bytes(op), false);
    kd_emit_set(e, kd_op_result(op, 0), LLVMBuildInBoundsGEP2(e->b, e->i8, e->scratch, &offset, 1, ""));
}

static void emit_read(kd_emitter *e, const kd_op *op)
{
    const kd_type *type = kd_op_result(op, 0)->type;
    unsigned lanes = kd_emit_lanes(type), align = kd_emit_elem_bytes(type);
    LLVMValueRef place = buffer_place(e, kd_cpu_read_buffer(op), kd_cpu_read_index(op)), v;
    LLVMTypeRef mem = kd_emit_wide(kd_emit_memory_elem(e, type), lanes);
    if (kd_emit_lanes(kd_cpu_read_index(op)->type))
        v = masked_load(e, mem, place, all_lanes(e, lanes), LLVMGetPoison(mem), align);
    else
        v = kd_emit_plain_load(e, mem, place, align, false);
    kd_emit_set(e, kd_op_result(op, 0), kd_emit_to_register(e, v, type));
}

static void emit_write(kd_emitter *e, const kd_op *op)
{
    const kd_type *type = kd_cpu_write_value(op)->type;
    LLVMValueRef v = kd_emit_to_memory(e, kd_emit_get(e, kd_cpu_write_value(op)), type);
    LLVMValueRef place = buffer_place(e, kd_cpu_write_buffer(op), kd_cpu_write_index(op));
    if (kd_emit_lanes(kd_cpu_write_index(op)->type))
        masked_store(e, v, place, all_lanes(e, kd_emit_lanes(type)), kd_emit_elem_bytes(type));
    else
        kd_emit_plain_store(e, v, place, kd_emit_elem_bytes(type));
}

/* ---- loads and stores ---- */

/* A gather that finds its addresses consecutive (a column index modulo a size, say) loads them as a vector. */
static LLVMValueRef gather(kd_emitter *e, LLVMTypeRef mem, LLVMValueRef ptrs, LLVMValueRef mask, LLVMValueRef other, unsigned bytes)
{
    unsigned lanes = LLVMGetVectorSize(mem);
    if (lanes < 4)
        return masked_load(e, mem, ptrs, mask, other, bytes);
    LLVMBasicBlockRef blocks[2], ends[2], join = LLVMAppendBasicBlockInContext(e->llvm, e->func, "");
    LLVMTypeRef wide = LLVMVectorType(e->i64, lanes);
    LLVMValueRef first = LLVMBuildExtractElement(e->b, ptrs, LLVMConstInt(e->i32, 0, false), "");
    LLVMValueRef steps[256], values[2];
    for (unsigned i = 0; i < lanes; i++)
        steps[i] = LLVMConstInt(e->i64, (uint64_t)i * bytes, false);
    LLVMValueRef expected =
        LLVMBuildAdd(e->b, kd_emit_splat(e, LLVMBuildPtrToInt(e->b, first, e->i64, ""), lanes), LLVMConstVector(steps, lanes), "");
    LLVMValueRef differs = LLVMBuildICmp(e->b, LLVMIntNE, LLVMBuildPtrToInt(e->b, ptrs, wide, ""), expected, "");
    LLVMTypeRef masks = LLVMTypeOf(differs);
    LLVMValueRef any = kd_emit_intrinsic(e, "llvm.vector.reduce.or", &masks, 1, &differs, 1);
    for (unsigned i = 0; i < 2; i++)
        blocks[i] = LLVMAppendBasicBlockInContext(e->llvm, e->func, "");
    LLVMBuildCondBr(e->b, any, blocks[0], blocks[1]);
    for (unsigned i = 0; i < 2; i++) {
        LLVMPositionBuilderAtEnd(e->b, blocks[i]);
        values[i] = masked_load(e, mem, i ? first : ptrs, mask, other, bytes);
        ends[i] = LLVMGetInsertBlock(e->b);
        LLVMBuildBr(e->b, join);
    }
    LLVMPositionBuilderAtEnd(e->b, join);
    LLVMValueRef phi = LLVMBuildPhi(e->b, mem, "");
    LLVMAddIncoming(phi, values, ends, 2);
    return phi;
}

static void emit_load(kd_emitter *e, const kd_op *op)
{
    bool wide = op->code == KD_OP_cpu_load;
    const kd_type *type = kd_op_result(op, 0)->type;
    const kd_value *mask = wide ? kd_cpu_load_mask(op) : kd_load_mask(op),
                   *other = wide ? kd_cpu_load_other(op) : kd_load_other(op);
    bool is_volatile = wide ? kd_cpu_load_is_volatile(op) : kd_load_is_volatile(op);
    unsigned lanes = kd_emit_lanes(type), align = kd_emit_elem_bytes(type);
    LLVMValueRef ptr = kd_emit_get(e, kd_op_operand(op, 0)), v;
    LLVMTypeRef mem = kd_emit_wide(kd_emit_memory_elem(e, type), lanes);
    LLVMValueRef instead = other ? kd_emit_to_memory(e, kd_emit_get(e, other), type) : LLVMConstNull(mem);
    if (lanes && !wide) {
        v = gather(e, mem, ptr, mask ? kd_emit_get(e, mask) : all_lanes(e, lanes), instead, align);
    } else if (lanes && mask) {
        v = masked_load(e, mem, ptr, kd_emit_get(e, mask), instead, align);
    } else if (mask) {
        kd_emit_guard guard = kd_emit_guard_begin(e, kd_emit_get(e, mask));
        v = kd_emit_guard_end(e, guard, kd_emit_plain_load(e, mem, ptr, align, is_volatile), instead);
    } else {
        v = kd_emit_plain_load(e, mem, ptr, align, is_volatile);
    }
    kd_emit_set(e, kd_op_result(op, 0), kd_emit_to_register(e, v, type));
}

static void emit_store(kd_emitter *e, const kd_op *op)
{
    bool wide = op->code == KD_OP_cpu_store;
    const kd_value *value = wide ? kd_cpu_store_value(op) : kd_store_value(op),
                   *mask = wide ? kd_cpu_store_mask(op) : kd_store_mask(op);
    unsigned lanes = kd_emit_lanes(value->type), align = kd_emit_elem_bytes(value->type);
    LLVMValueRef ptr = kd_emit_get(e, kd_op_operand(op, 0)), v = kd_emit_to_memory(e, kd_emit_get(e, value), value->type);
    if (lanes && (mask || !wide)) {
        masked_store(e, v, ptr, mask ? kd_emit_get(e, mask) : all_lanes(e, lanes), align);
    } else if (mask) {
        kd_emit_guard guard = kd_emit_guard_begin(e, kd_emit_get(e, mask));
        kd_emit_plain_store(e, v, ptr, align);
        kd_emit_guard_end(e, guard, NULL, NULL);
    } else {
        kd_emit_plain_store(e, v, ptr, align);
    }
}

/* ---- atomics: scalars only ---- */

static LLVMAtomicOrdering ordering_of(kd_mem_order order)
{
    switch (order) {
    case KD_ORDER_ACQUIRE: return LLVMAtomicOrderingAcquire;
    case KD_ORDER_RELEASE: return LLVMAtomicOrderingRelease;
    case KD_ORDER_RELAXED: return LLVMAtomicOrderingMonotonic;
    default: return LLVMAtomicOrderingAcquireRelease;
    }
}

static LLVMValueRef compare_exchange(kd_emitter *e, LLVMValueRef ptr, LLVMValueRef expected, LLVMValueRef desired,
                                     LLVMAtomicOrdering order)
{
    LLVMAtomicOrdering failure = order == LLVMAtomicOrderingAcquireRelease ? LLVMAtomicOrderingAcquire
                                 : order == LLVMAtomicOrderingRelease      ? LLVMAtomicOrderingMonotonic
                                                                           : order;
    return LLVMBuildAtomicCmpXchg(e->b, ptr, expected, desired, order, failure, false);
}

typedef struct narrow_sum {
    LLVMValueRef ptr, addend;
    LLVMAtomicOrdering order;
    bool half;
} narrow_sum;

static kd_emit_attempt add_narrow(kd_emitter *e, LLVMValueRef old, void *user)
{
    const narrow_sum *n = user;
    LLVMValueRef a = kd_emit_narrow_to_f32(e, old, n->half), b = kd_emit_narrow_to_f32(e, n->addend, n->half);
    LLVMValueRef sum = kd_emit_f32_to_narrow(e, LLVMBuildFAdd(e->b, a, b, ""), n->half);
    LLVMValueRef result = compare_exchange(e, n->ptr, old, sum, n->order);
    return (kd_emit_attempt){LLVMBuildExtractValue(e->b, result, 0, ""), LLVMBuildExtractValue(e->b, result, 1, "")};
}

/* f16 and bf16 have no atomic instruction: compare and exchange until nobody came between. */
static LLVMValueRef narrow_float_add(kd_emitter *e, const kd_op *op, LLVMValueRef ptr, LLVMValueRef addend,
                                     LLVMAtomicOrdering order)
{
    narrow_sum n = {ptr, addend, order, kd_atomic_value(op)->type->scalar == KD_F16};
    return kd_emit_retry(e, kd_emit_plain_load(e, e->i16, ptr, 2, false), add_narrow, &n);
}

static LLVMValueRef read_modify_write(kd_emitter *e, const kd_op *op, LLVMValueRef ptr, LLVMValueRef v)
{
    kd_scalar s = kd_atomic_value(op)->type->scalar;
    LLVMAtomicOrdering order = ordering_of(kd_atomic_order(op));
    bool f = kd_scalar_is_float(s), uns = kd_scalar_is_unsigned(s);
    if ((s == KD_F16 || s == KD_BF16) && kd_atomic_kind(op) == KD_ATOMIC_ADD)
        return narrow_float_add(e, op, ptr, v, order);
    LLVMAtomicRMWBinOp kind = LLVMAtomicRMWBinOpXchg;
    switch (kd_atomic_kind(op)) {
    case KD_ATOMIC_ADD: kind = f ? LLVMAtomicRMWBinOpFAdd : LLVMAtomicRMWBinOpAdd; break;
    case KD_ATOMIC_MIN: kind = f ? LLVMAtomicRMWBinOpFMin : uns ? LLVMAtomicRMWBinOpUMin : LLVMAtomicRMWBinOpMin; break;
    case KD_ATOMIC_MAX: kind = f ? LLVMAtomicRMWBinOpFMax : uns ? LLVMAtomicRMWBinOpUMax : LLVMAtomicRMWBinOpMax; break;
    case KD_ATOMIC_AND: kind = LLVMAtomicRMWBinOpAnd; break;
    case KD_ATOMIC_OR: kind = LLVMAtomicRMWBinOpOr; break;
    case KD_ATOMIC_XOR: kind = LLVMAtomicRMWBinOpXor; break;
    default: break;
    }
    return LLVMBuildAtomicRMW(e->b, kind, ptr, v, order, false);
}

static void emit_atomic(kd_emitter *e, const kd_op *op)
{
    const kd_type *type = kd_atomic_value(op)->type;
    LLVMValueRef ptr = kd_emit_get(e, kd_atomic_ptr(op)), v = kd_emit_to_memory(e, kd_emit_get(e, kd_atomic_value(op)), type), old;
    KD_ASSERT(!kd_emit_lanes(type));
    kd_emit_guard guard = kd_emit_guard_begin(e, kd_atomic_mask(op) ? kd_emit_get(e, kd_atomic_mask(op)) : NULL);
    old = read_modify_write(e, op, ptr, v);
    old = kd_emit_guard_end(e, guard, old, LLVMConstNull(LLVMTypeOf(old)));
    kd_emit_set(e, kd_op_result(op, 0), kd_emit_to_register(e, old, type));
}

static void emit_cas(kd_emitter *e, const kd_op *op)
{
    const kd_type *type = kd_atomic_cas_desired(op)->type;
    LLVMValueRef ptr = kd_emit_get(e, kd_atomic_cas_ptr(op));
    LLVMValueRef expected = kd_emit_to_memory(e, kd_emit_get(e, kd_atomic_cas_expected(op)), type);
    LLVMValueRef desired = kd_emit_to_memory(e, kd_emit_get(e, kd_atomic_cas_desired(op)), type);
    LLVMTypeRef real = LLVMTypeOf(desired), bits = real == e->f32 ? e->i32 : real == e->f64 ? e->i64 : real;
    if (bits != real) {
        expected = LLVMBuildBitCast(e->b, expected, bits, "");
        desired = LLVMBuildBitCast(e->b, desired, bits, "");
    }
    LLVMValueRef old =
        LLVMBuildExtractValue(e->b, compare_exchange(e, ptr, expected, desired, ordering_of(kd_atomic_cas_order(op))), 0, "");
    if (bits != real)
        old = LLVMBuildBitCast(e->b, old, real, "");
    kd_emit_set(e, kd_op_result(op, 0), kd_emit_to_register(e, old, type));
}

void kd_emit_memory(kd_emitter *e, const kd_op *op)
{
    switch (op->code) {
    case KD_OP_cpu_buffer: emit_buffer(e, op); break;
    case KD_OP_cpu_read: emit_read(e, op); break;
    case KD_OP_cpu_write: emit_write(e, op); break;
    case KD_OP_load:
    case KD_OP_cpu_load: emit_load(e, op); break;
    case KD_OP_store:
    case KD_OP_cpu_store: emit_store(e, op); break;
    case KD_OP_atomic: emit_atomic(e, op); break;
    case KD_OP_atomic_cas: emit_cas(e, op); break;
    default: KD_UNREACHABLE();
    }
}

/* ---- lanes ---- */

static LLVMValueRef consecutive(kd_emitter *e, LLVMTypeRef elem, uint64_t start, unsigned lanes)
{
    LLVMValueRef all[256];
    KD_ASSERT(lanes <= 256);
    for (unsigned i = 0; i < lanes; i++)
        all[i] = LLVMConstInt(elem, start + i, false);
    return lanes ? LLVMConstVector(all, lanes) : LLVMConstInt(elem, start, false);
}

/* The count is brought into 0..lanes and compared in 32 bits: one broadcast and one comparison. */
static LLVMValueRef emit_prefix(kd_emitter *e, const kd_op *op)
{
    unsigned lanes = kd_emit_lanes(kd_op_result(op, 0)->type);
    LLVMValueRef count = kd_emit_get(e, kd_cpu_prefix_count(op)), most = LLVMConstInt(LLVMTypeOf(count), lanes, false);
    LLVMValueRef fits = LLVMBuildICmp(e->b, LLVMIntSLT, count, most, "");
    count = LLVMBuildSelect(e->b, fits, count, most, "");
    LLVMValueRef positive = LLVMBuildICmp(e->b, LLVMIntSGT, count, LLVMConstNull(LLVMTypeOf(count)), "");
    count = LLVMBuildSelect(e->b, positive, count, LLVMConstNull(LLVMTypeOf(count)), "");
    count = LLVMBuildTrunc(e->b, count, e->i32, "");
    return LLVMBuildICmp(e->b, LLVMIntULT, consecutive(e, e->i32, 0, lanes), kd_emit_splat(e, count, lanes), "");
}

/* Blocks of half the size change places across the diagonal, then blocks of a quarter, down to single elements. */
void kd_emit_transpose(kd_emitter *e, const kd_op *op)
{
    LLVMValueRef v[64], picks[2][64];
    unsigned n = op->n_operands;
    KD_ASSERT(n <= 64);
    for (unsigned i = 0; i < n; i++)
        v[i] = kd_emit_get(e, kd_cpu_transpose_rows(op, i));
    for (unsigned s = n / 2; s; s /= 2) {
        for (unsigned lane = 0; lane < n; lane++) {
            picks[0][lane] = LLVMConstInt(e->i32, lane & s ? n + lane - s : lane, false);
            picks[1][lane] = LLVMConstInt(e->i32, lane & s ? n + lane : lane + s, false);
        }
        LLVMValueRef first = LLVMConstVector(picks[0], n), second = LLVMConstVector(picks[1], n);
        for (unsigned i = 0; i < n; i++) {
            if (i & s)
                continue;
            LLVMValueRef a = v[i], b = v[i + s];
            v[i] = LLVMBuildShuffleVector(e->b, a, b, first, "");
            v[i + s] = LLVMBuildShuffleVector(e->b, a, b, second, "");
        }
    }
    for (unsigned i = 0; i < n; i++)
        kd_emit_set(e, kd_op_result(op, i), v[i]);
}

void kd_emit_lanes_op(kd_emitter *e, const kd_op *op)
{
    unsigned lanes = kd_emit_lanes(kd_op_result(op, 0)->type);
    LLVMValueRef v;
    switch (op->code) {
    case KD_OP_arange: v = consecutive(e, e->i32, (uint64_t)kd_arange_start(op), lanes); break;
    case KD_OP_splat: v = kd_emit_splat(e, kd_emit_get(e, kd_splat_scalar(op)), lanes); break;
    case KD_OP_cpu_prefix: v = emit_prefix(e, op); break;
    case KD_OP_cpu_half: {
        LLVMValueRef all = kd_emit_get(e, kd_cpu_half_vector(op));
        if (lanes)
            v = kd_emit_slice(e, all, kd_cpu_half_upper(op) ? lanes : 0, lanes);
        else
            v = LLVMBuildExtractElement(e->b, all, LLVMConstInt(e->i32, kd_cpu_half_upper(op), false), "");
        break;
    }
    case KD_OP_cpu_extract:
        v = LLVMBuildExtractElement(e->b, kd_emit_get(e, kd_cpu_extract_vector(op)), kd_emit_get(e, kd_cpu_extract_lane(op)), "");
        break;
    default: KD_UNREACHABLE();
    }
    kd_emit_set(e, kd_op_result(op, 0), v);
}
