/* simt_ops.c - the plain ops of a work-item: where it stands, what it says to others of its sub-group and work-group, SLM, loads and
 * stores, vectors. */
#include "targets/spirv/spirv_impl.h"

#include "base/bug.h"

#include <stdio.h>

/* ---- where it stands ---- */

static LLVMValueRef group_id(kd_emitter *e, const char *name, int64_t axis)
{
    LLVMValueRef arg = LLVMConstInt(e->i32, (uint64_t)axis, false);
    return LLVMBuildTrunc(e->b, kd_spirv_call(e, name, e->i64, &arg, 1, KD_CALL_PURE), e->i32, "");
}

static LLVMValueRef sub_group_value(kd_emitter *e, const char *name)
{
    return kd_spirv_call(e, name, e->i32, NULL, 0, KD_CALL_PURE);
}

/* ---- shuffles: of 32 and 64 bits, which every consumer has; of f32 as it is, so that Intel's compiler sees a butterfly of sums or maxima
 * and makes a few instructions of it, whose result it knows to be the same in all lanes ---- */

typedef struct shuffle {
    const char *name; /* with %s for the type */
    LLVMValueRef lane;
} shuffle;

static LLVMValueRef shuffle_scalar(kd_emitter *e, LLVMValueRef *args, void *user)
{
    const shuffle *how = user;
    LLVMValueRef v = args[0];
    LLVMTypeRef type = LLVMTypeOf(v);
    bool is_ptr = LLVMGetTypeKind(type) == LLVMPointerTypeKind, is_int = LLVMGetTypeKind(type) == LLVMIntegerTypeKind;
    char name[64];
    if (type == e->f32) {
        snprintf(name, sizeof name, how->name, "f");
        return kd_spirv_call(e, name, type, (LLVMValueRef[]){v, how->lane}, 2, KD_CALL_CONVERGENT_PURE);
    }
    LLVMTypeRef bits = is_ptr || type == e->f64 ? e->i64 : type;
    LLVMTypeRef wide = bits == e->i64 ? e->i64 : e->i32;
    v = is_ptr ? LLVMBuildPtrToInt(e->b, v, bits, "") : is_int ? v : LLVMBuildBitCast(e->b, v, bits, "");
    if (bits != wide)
        v = LLVMBuildZExt(e->b, v, wide, "");
    snprintf(name, sizeof name, how->name, wide == e->i64 ? "l" : "i");
    LLVMValueRef both[] = {v, how->lane};
    v = kd_spirv_call(e, name, wide, both, 2, KD_CALL_CONVERGENT_PURE);
    if (bits != wide)
        v = LLVMBuildTrunc(e->b, v, bits, "");
    return is_ptr ? LLVMBuildIntToPtr(e->b, v, type, "") : is_int ? v : LLVMBuildBitCast(e->b, v, type, "");
}

/* Of vectors of narrow elements, as many as fit are moved at once. */
static LLVMValueRef shuffled(kd_emitter *e, LLVMValueRef v, shuffle how)
{
    LLVMTypeRef type = LLVMTypeOf(v);
    if (LLVMGetTypeKind(type) == LLVMVectorTypeKind && LLVMGetTypeKind(LLVMGetElementType(type)) == LLVMIntegerTypeKind) {
        unsigned bits = LLVMGetIntTypeWidth(LLVMGetElementType(type)), all = bits * LLVMGetVectorSize(type);
        if (bits > 1 && bits < 32 && all % 32 == 0) {
            LLVMValueRef words = LLVMBuildBitCast(e->b, v, all == 32 ? e->i32 : LLVMVectorType(e->i32, all / 32), "");
            return LLVMBuildBitCast(e->b, kd_emit_each_lane(e, &words, 1, shuffle_scalar, &how), type, "");
        }
    }
    return kd_emit_each_lane(e, &v, 1, shuffle_scalar, &how);
}

/* ---- barriers ---- */

enum { SCOPE_WORKGROUP = 2, ACQUIRE_RELEASE = 0x8, OF_LOCAL = 0x100, OF_GLOBAL = 0x200 };

static void barrier(kd_emitter *e, bool global)
{
    uint64_t semantics = ACQUIRE_RELEASE | OF_LOCAL | (global ? OF_GLOBAL : 0);
    LLVMValueRef scope = LLVMConstInt(e->i32, SCOPE_WORKGROUP, false);
    LLVMValueRef args[] = {scope, scope, LLVMConstInt(e->i32, semantics, false)};
    kd_spirv_call(e, "_Z22__spirv_ControlBarrierjjj", LLVMVoidTypeInContext(e->llvm), args, 3, KD_CALL_CONVERGENT);
}

/* ---- memory ---- */

static LLVMTypeRef memory_type(kd_emitter *e, const kd_type *type)
{
    return kd_emit_wide(kd_emit_memory_elem(e, type), kd_emit_lanes(type));
}

static LLVMValueRef optional(kd_emitter *e, const kd_value *v)
{
    return v ? kd_emit_get(e, v) : NULL;
}

static unsigned alignment(int64_t asked, const kd_type *type)
{
    unsigned least = kd_emit_elem_bytes(type);
    return asked > least ? (unsigned)asked : least;
}

/* One of kd.load and gpu.load. */
typedef struct read {
    const kd_op *op;
    const kd_value *ptr, *mask, *other;
    unsigned align;
    bool is_volatile;
    kd_cache cache;
    kd_evict evict;
    LLVMValueRef instead, v;
} read;

static bool read_of(const kd_op *op, read *out)
{
    if (op->code == KD_OP_gpu_load)
        *out = (read){.op = op, .ptr = kd_gpu_load_ptr(op), .mask = kd_gpu_load_mask(op), .other = kd_gpu_load_other(op),
                      .align = alignment(kd_gpu_load_align_bytes(op), kd_op_result(op, 0)->type), .is_volatile = kd_gpu_load_is_volatile(op),
                      .cache = kd_gpu_load_cache(op), .evict = kd_gpu_load_evict(op)};
    else if (op->code == KD_OP_load)
        *out = (read){.op = op, .ptr = kd_load_ptr(op), .mask = kd_load_mask(op), .other = kd_load_other(op),
                      .align = kd_emit_elem_bytes(kd_op_result(op, 0)->type), .is_volatile = kd_load_is_volatile(op),
                      .cache = kd_load_cache(op), .evict = kd_load_evict(op)};
    else
        return false;
    return true;
}

static bool is_known(const kd_emitter *e, const kd_value *v)
{
    return !v || kd_map_get_ptr(&e->values, v);
}

enum { MAX_READS = 8, MAX_AHEAD = 128 };

/* Reads of one mask share a branch: those that follow before anything is written, and whose operands are there. */
static unsigned find_reads(const kd_emitter *e, const kd_op *op, read out[MAX_READS])
{
    unsigned n = 0;
    bool first = read_of(op, &out[n++]);
    KD_ASSERT(first);
    if (!out[0].mask || out[0].is_volatile)
        return n;
    op = op->next;
    for (unsigned ahead = 0; op && n < MAX_READS && ahead < MAX_AHEAD && !kd_op_has(op, KD_WRITES) && !op->n_regions; op = op->next, ahead++)
        if (read_of(op, &out[n]) && out[n].mask == out[0].mask && !out[n].is_volatile && is_known(e, out[n].ptr) && is_known(e, out[n].other) &&
            !is_known(e, kd_op_result(op, 0)))
            n++;
    return n;
}

static void load(kd_emitter *e, const kd_op *op)
{
    read reads[MAX_READS];
    if (is_known(e, kd_op_result(op, 0)))
        return; /* with an earlier one */
    unsigned n = find_reads(e, op, reads);
    for (unsigned i = 0; i < n; i++) {
        const kd_type *type = kd_op_result(reads[i].op, 0)->type;
        reads[i].instead = reads[i].other ? kd_emit_to_memory(e, kd_emit_get(e, reads[i].other), type) : LLVMConstNull(memory_type(e, type));
    }
    kd_emit_guard guard = kd_emit_guard_begin(e, optional(e, reads[0].mask));
    for (unsigned i = 0; i < n; i++) {
        reads[i].v = kd_emit_plain_load(e, LLVMTypeOf(reads[i].instead), kd_emit_get(e, reads[i].ptr), reads[i].align, reads[i].is_volatile);
        kd_spirv_hint(e, reads[i].v, reads[i].cache, reads[i].evict);
    }
    kd_emit_guard_leave(e, &guard);
    for (unsigned i = 0; i < n; i++)
        reads[i].v = kd_emit_guard_value(e, &guard, reads[i].v, reads[i].instead);
    for (unsigned i = 0; i < n; i++) {
        const kd_value *result = kd_op_result(reads[i].op, 0);
        kd_emit_set(e, result, kd_emit_to_register(e, reads[i].v, result->type));
    }
}

static LLVMValueRef store(kd_emitter *e, const kd_value *ptr, const kd_value *value, const kd_value *mask, unsigned align)
{
    LLVMValueRef v = kd_emit_to_memory(e, kd_emit_get(e, value), value->type);
    return kd_spirv_store(e, v, kd_emit_get(e, ptr), align, optional(e, mask));
}

static void slm_buffer(kd_emitter *e, const kd_op *op)
{
    LLVMValueRef offset = LLVMConstInt(e->i32, (uint64_t)kd_gpu_slm_offset_bytes(op), false);
    kd_emit_set(e, kd_op_result(op, 0), LLVMBuildInBoundsGEP2(e->b, e->i8, kd_spirv_of(e)->slm, &offset, 1, ""));
}

static LLVMValueRef slm_place(kd_emitter *e, const kd_value *buffer, const kd_value *index)
{
    LLVMValueRef at = kd_emit_get(e, index);
    LLVMTypeRef unit = LLVMIntTypeInContext(e->llvm, 8 * kd_emit_elem_bytes(buffer->type));
    return LLVMBuildInBoundsGEP2(e->b, unit, kd_emit_get(e, buffer), &at, 1, "");
}

/* Vectors lie at multiples of their length. */
static unsigned slm_align(const kd_type *type)
{
    unsigned n_bytes = kd_emit_elem_bytes(type) * (unsigned)type->n_elems;
    return n_bytes < 16 ? n_bytes & -n_bytes : 16;
}

/* Buffers of another element type than the values hold their bytes. */
static void slm_read(kd_emitter *e, const kd_op *op)
{
    const kd_type *type = kd_op_result(op, 0)->type;
    LLVMValueRef place = slm_place(e, kd_gpu_slm_read_buffer(op), kd_gpu_slm_read_index(op));
    LLVMValueRef v = kd_emit_plain_load(e, memory_type(e, type), place, slm_align(type), false);
    kd_emit_set(e, kd_op_result(op, 0), kd_emit_to_register(e, v, type));
}

static void slm_write(kd_emitter *e, const kd_op *op)
{
    const kd_value *value = kd_gpu_slm_write_value(op);
    LLVMValueRef v = kd_emit_to_memory(e, kd_emit_get(e, value), value->type);
    LLVMValueRef place = slm_place(e, kd_gpu_slm_write_buffer(op), kd_gpu_slm_write_index(op));
    kd_spirv_store(e, v, place, slm_align(value->type), optional(e, kd_gpu_slm_write_mask(op)));
}

/* ---- vectors ---- */

static LLVMValueRef element(kd_emitter *e, LLVMValueRef vector, unsigned i)
{
    if (LLVMGetTypeKind(LLVMTypeOf(vector)) != LLVMVectorTypeKind) /* a scalar is its only one */
        return vector;
    return LLVMBuildExtractElement(e->b, vector, LLVMConstInt(e->i32, i, false), "");
}

/* The elements that one operand adds. */
static unsigned put_part(kd_emitter *e, LLVMValueRef *vector, unsigned at, LLVMValueRef part)
{
    bool is_vector = LLVMGetTypeKind(LLVMTypeOf(part)) == LLVMVectorTypeKind;
    unsigned n = is_vector ? LLVMGetVectorSize(LLVMTypeOf(part)) : 1;
    if (LLVMTypeOf(part) == LLVMTypeOf(*vector)) { /* all of it, or a scalar */
        *vector = part;
        return n;
    }
    for (unsigned i = 0; i < n; i++)
        *vector = LLVMBuildInsertElement(e->b, *vector, is_vector ? element(e, part, i) : part, LLVMConstInt(e->i32, at + i, false), "");
    return n;
}

/* Elements narrower than those of the vector: the first are the low bits. */
static LLVMValueRef next_word(kd_emitter *e, const kd_op *op, unsigned *part, LLVMTypeRef word, unsigned n_in_word)
{
    LLVMValueRef v = LLVMGetPoison(LLVMVectorType(kd_emit_elem_type(e, kd_op_operand(op, *part)->type), n_in_word));
    for (unsigned at = 0; at < n_in_word; (*part)++)
        at += put_part(e, &v, at, kd_emit_get(e, kd_op_operand(op, *part)));
    return LLVMBuildBitCast(e->b, v, word, "");
}

static void pack(kd_emitter *e, const kd_op *op)
{
    const kd_type *type = kd_op_result(op, 0)->type;
    LLVMTypeRef elem = kd_emit_elem_type(e, type);
    unsigned n_in_word = kd_type_elem_bits(type) / kd_type_elem_bits(kd_op_operand(op, 0)->type), at = 0;
    LLVMValueRef v = LLVMGetPoison(kd_emit_type(e, type));
    for (unsigned part = 0; part < op->n_operands;)
        at += put_part(e, &v, at, n_in_word > 1 ? next_word(e, op, &part, elem, n_in_word) : kd_emit_get(e, kd_op_operand(op, part++)));
    kd_emit_set(e, kd_op_result(op, 0), v);
}

/* n_bits of a vector, from bit `at` on, as that type. */
static LLVMValueRef bits_from(kd_emitter *e, LLVMValueRef v, unsigned elem_bits, unsigned at, unsigned n_bits, LLVMTypeRef type)
{
    LLVMValueRef part = element(e, v, at / elem_bits);
    if (n_bits < elem_bits) {
        LLVMTypeRef narrow = LLVMVectorType(LLVMIntTypeInContext(e->llvm, n_bits), elem_bits / n_bits);
        part = element(e, LLVMBuildBitCast(e->b, part, narrow, ""), at % elem_bits / n_bits);
    } else if (n_bits > elem_bits) {
        part = kd_emit_slice(e, v, at / elem_bits, n_bits / elem_bits);
    }
    return LLVMTypeOf(part) == type ? part : LLVMBuildBitCast(e->b, part, type, "");
}

/* A vector that is too long for LLVM is a place in memory (matrix.c), from which the parts are read. */
static void unpack(kd_emitter *e, const kd_op *op)
{
    const kd_type *type = kd_gpu_unpack_vector(op)->type;
    LLVMValueRef v = kd_emit_get(e, kd_gpu_unpack_vector(op));
    bool in_memory = LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMPointerTypeKind;
    unsigned at = 0;
    for (unsigned i = 0; i < op->n_results; i++) {
        const kd_type *part = kd_op_result(op, i)->type;
        LLVMTypeRef part_type = kd_emit_type(e, part);
        unsigned n_bits = kd_type_elem_bits(part) * (unsigned)part->n_elems;
        if (in_memory) {
            unsigned bytes = at / 8, align = bytes ? bytes & -bytes : 64;
            LLVMValueRef offset = LLVMConstInt(e->i32, bytes, false), place = LLVMBuildInBoundsGEP2(e->b, e->i8, v, &offset, 1, "");
            kd_emit_set(e, kd_op_result(op, i), kd_emit_plain_load(e, part_type, place, align < 64 ? align : 64, false));
        } else {
            kd_emit_set(e, kd_op_result(op, i), bits_from(e, v, kd_type_elem_bits(type), at, n_bits, part_type));
        }
        at += n_bits;
    }
}

/* ---- for people ---- */

/* The text lies in constant memory, where OpenCL's printf wants it. */
static void print(kd_emitter *e, const kd_op *op)
{
    LLVMValueRef args[KD_MAX_PRINT_ARGS];
    unsigned n;
    kd_emit_guard guard = kd_emit_guard_begin(e, kd_emit_get(e, kd_gpu_print_mask(op)));
    for (unsigned axis = 0; axis < 3; axis++)
        e->pid[axis] = group_id(e, "_Z12get_group_idj", axis);
    const char *format = kd_emit_print_format(e, op, 1, kd_gpu_print_prefix(op), kd_gpu_print_hex(op), args, &n);
    LLVMValueRef text = LLVMConstStringInContext(e->llvm, format, (unsigned)strlen(format), false);
    LLVMValueRef global = LLVMAddGlobalInAddressSpace(e->module, LLVMTypeOf(text), "", KD_SPACE_CONSTANT);
    LLVMSetInitializer(global, text);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMInternalLinkage);
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr);
    args[0] = global;
    LLVMTypeRef place = LLVMTypeOf(global), type = LLVMFunctionType(e->i32, &place, 1, true);
    LLVMValueRef fn = LLVMGetNamedFunction(e->module, "printf");
    if (!fn)
        fn = LLVMAddFunction(e->module, "printf", type);
    LLVMSetFunctionCallConv(fn, KD_SPIR_FUNC);
    LLVMSetInstructionCallConv(LLVMBuildCall2(e->b, type, fn, args, n, ""), KD_SPIR_FUNC);
    kd_emit_guard_end(e, guard, NULL, NULL);
}

bool kd_spirv_simt_op(kd_emitter *e, const kd_op *op)
{
    LLVMValueRef v;
    switch (op->code) {
    case KD_OP_program_id:
        v = group_id(e, "_Z12get_group_idj", kd_program_id_axis(op));
        break;
    case KD_OP_num_programs:
        v = group_id(e, "_Z14get_num_groupsj", kd_num_programs_axis(op));
        break;
    case KD_OP_gpu_lane_id:
        v = sub_group_value(e, "_Z22get_sub_group_local_idv");
        break;
    case KD_OP_gpu_sub_group_id:
        v = sub_group_value(e, "_Z16get_sub_group_idv");
        break;
    case KD_OP_gpu_shuffle:
        v = shuffled(e, kd_emit_get(e, kd_gpu_shuffle_value(op)), (shuffle){"_Z17sub_group_shuffle%sj", kd_emit_get(e, kd_gpu_shuffle_lane(op))});
        break;
    case KD_OP_gpu_shuffle_xor:
        v = shuffled(e, kd_emit_get(e, kd_gpu_shuffle_xor_value(op)),
                     (shuffle){"_Z21sub_group_shuffle_xor%sj", LLVMConstInt(e->i32, (uint64_t)kd_gpu_shuffle_xor_mask(op), false)});
        break;
    case KD_OP_gpu_barrier:
        barrier(e, kd_gpu_barrier_global(op));
        return true;
    case KD_OP_barrier:
        barrier(e, true);
        return true;
    case KD_OP_gpu_slm:
        slm_buffer(e, op);
        return true;
    case KD_OP_gpu_slm_read:
        slm_read(e, op);
        return true;
    case KD_OP_gpu_slm_write:
        slm_write(e, op);
        return true;
    case KD_OP_load:
    case KD_OP_gpu_load:
        load(e, op);
        return true;
    case KD_OP_store:
        v = store(e, kd_store_ptr(op), kd_store_value(op), kd_store_mask(op), kd_emit_elem_bytes(kd_store_value(op)->type));
        kd_spirv_hint(e, v, kd_store_cache(op), kd_store_evict(op));
        return true;
    case KD_OP_gpu_store:
        v = store(e, kd_gpu_store_ptr(op), kd_gpu_store_value(op), kd_gpu_store_mask(op),
                  alignment(kd_gpu_store_align_bytes(op), kd_gpu_store_value(op)->type));
        kd_spirv_hint(e, v, kd_gpu_store_cache(op), kd_gpu_store_evict(op));
        return true;
    case KD_OP_gpu_pack:
        pack(e, op);
        return true;
    case KD_OP_gpu_unpack:
        unpack(e, op);
        return true;
    case KD_OP_splat:
        v = kd_emit_splat(e, kd_emit_get(e, kd_splat_scalar(op)), kd_emit_lanes(kd_op_result(op, 0)->type));
        break;
    case KD_OP_gpu_print:
        print(e, op);
        return true;
    default:
        return false;
    }
    kd_emit_set(e, kd_op_result(op, 0), v);
    return true;
}
