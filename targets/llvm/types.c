/* types.c - LLVM types for IR types, constants, splats, calls: the small tools of emission. */
#include "targets/llvm/emit.h"

#include "base/bug.h"

void kd_emit_init_types(kd_emitter *e)
{
    e->i1 = LLVMInt1TypeInContext(e->llvm);
    e->i8 = LLVMInt8TypeInContext(e->llvm);
    e->i16 = LLVMInt16TypeInContext(e->llvm);
    e->i32 = LLVMInt32TypeInContext(e->llvm);
    e->i64 = LLVMInt64TypeInContext(e->llvm);
    e->f32 = LLVMFloatTypeInContext(e->llvm);
    e->f64 = LLVMDoubleTypeInContext(e->llvm);
    e->ptr = LLVMPointerTypeInContext(e->llvm, e->dialect->global_space);
    e->buffer = LLVMPointerTypeInContext(e->llvm, e->dialect->buffer_space);
}

LLVMTypeRef kd_emit_elem_type(const kd_emitter *e, const kd_type *type)
{
    const kd_type *elem = kd_type_elem(type);
    if (elem->kind == KD_TYPE_PTR)
        return e->ptr;
    switch (elem->scalar) {
    case KD_I1:
        return e->i1;
    case KD_F32:
        return e->f32;
    case KD_F64:
        return e->f64;
    default:
        return LLVMIntTypeInContext(e->llvm, kd_scalar_bits(elem->scalar));
    }
}

unsigned kd_emit_lanes(const kd_type *type)
{
    return type->kind == KD_TYPE_TILE ? (unsigned)type->n_elems : 0;
}

LLVMTypeRef kd_emit_wide(LLVMTypeRef elem, unsigned lanes)
{
    return lanes ? LLVMVectorType(elem, lanes) : elem;
}

LLVMTypeRef kd_emit_type(const kd_emitter *e, const kd_type *type)
{
    if (type->kind == KD_TYPE_BUFFER)
        return e->buffer;
    return kd_emit_wide(kd_emit_elem_type(e, type), kd_emit_lanes(type));
}

static unsigned lanes_of(LLVMValueRef v)
{
    LLVMTypeRef type = LLVMTypeOf(v);
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetVectorSize(type) : 0;
}

LLVMTypeRef kd_emit_like(LLVMValueRef v, LLVMTypeRef elem)
{
    return kd_emit_wide(elem, lanes_of(v));
}

static LLVMValueRef constant_splat(LLVMValueRef scalar, unsigned lanes)
{
    LLVMValueRef all[256];
    if (!lanes)
        return scalar;
    KD_ASSERT(lanes <= 256);
    for (unsigned i = 0; i < lanes; i++)
        all[i] = scalar;
    return LLVMConstVector(all, lanes);
}

LLVMValueRef kd_emit_constant_of(LLVMTypeRef type, uint64_t bits)
{
    if (LLVMGetTypeKind(type) == LLVMVectorTypeKind)
        return constant_splat(LLVMConstInt(LLVMGetElementType(type), bits, false), LLVMGetVectorSize(type));
    return LLVMConstInt(type, bits, false);
}

LLVMValueRef kd_emit_int_like(LLVMValueRef v, LLVMTypeRef elem, uint64_t value)
{
    return constant_splat(LLVMConstInt(elem, value, false), lanes_of(v));
}

LLVMValueRef kd_emit_float_like(LLVMValueRef v, LLVMTypeRef elem, double value)
{
    return constant_splat(LLVMConstReal(elem, value), lanes_of(v));
}

LLVMValueRef kd_emit_splat(kd_emitter *e, LLVMValueRef scalar, unsigned lanes)
{
    if (!lanes)
        return scalar;
    if (LLVMIsConstant(scalar) && (LLVMIsAConstantInt(scalar) || LLVMIsAConstantFP(scalar)))
        return constant_splat(scalar, lanes);
    LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(scalar), lanes);
    LLVMValueRef one = LLVMBuildInsertElement(e->b, LLVMGetPoison(type), scalar, LLVMConstInt(e->i32, 0, false), "");
    return LLVMBuildShuffleVector(e->b, one, LLVMGetPoison(type), LLVMConstNull(LLVMVectorType(e->i32, lanes)), "");
}

LLVMValueRef kd_emit_get(kd_emitter *e, const kd_value *value)
{
    LLVMValueRef v = kd_map_get_ptr(&e->values, value);
    KD_ASSERT(v);
    return v;
}

void kd_emit_set(kd_emitter *e, const kd_value *value, LLVMValueRef v)
{
    KD_ASSERT(v);
    *kd_map_at_ptr(&e->values, value) = v;
}

LLVMValueRef kd_emit_intrinsic(kd_emitter *e, const char *name, LLVMTypeRef *overloads, unsigned n_overloads, LLVMValueRef *args, unsigned n_args)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    KD_ASSERT(id);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->module, id, overloads, n_overloads);
    return LLVMBuildCall2(e->b, LLVMGlobalGetValueType(fn), fn, args, n_args, "");
}

static void add_attribute(kd_emitter *e, LLVMValueRef fn, const char *name, uint64_t value)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(e->llvm, kind, value));
}

LLVMValueRef kd_emit_call(kd_emitter *e, const char *name, LLVMTypeRef result, LLVMValueRef *args, unsigned n_args, kd_emit_effect effect)
{
    LLVMValueRef fn = LLVMGetNamedFunction(e->module, name);
    if (!fn) {
        enum { MAX_ARGS = 10 }; /* __spirv_Subgroup2DBlockLoadTransformINTEL */
        LLVMTypeRef params[MAX_ARGS];
        KD_ASSERT(n_args <= MAX_ARGS);
        for (unsigned i = 0; i < n_args; i++)
            params[i] = LLVMTypeOf(args[i]);
        fn = LLVMAddFunction(e->module, name, LLVMFunctionType(result, params, n_args, false));
        add_attribute(e, fn, "nounwind", 0);
        if (effect == KD_CALL_PURE || effect == KD_CALL_CONVERGENT_PURE) {
            add_attribute(e, fn, "willreturn", 0);
            add_attribute(e, fn, "memory", 0); /* none */
        }
        if (effect >= KD_CALL_CONVERGENT)
            add_attribute(e, fn, "convergent", 0);
        LLVMSetFunctionCallConv(fn, e->dialect->call_conv);
    }
    LLVMValueRef call = LLVMBuildCall2(e->b, LLVMGlobalGetValueType(fn), fn, args, n_args, "");
    LLVMSetInstructionCallConv(call, e->dialect->call_conv);
    return call;
}

LLVMValueRef kd_emit_each_lane(kd_emitter *e, LLVMValueRef *args, unsigned n_args, kd_emit_lane_fn *fn, void *user)
{
    unsigned lanes = lanes_of(args[0]);
    if (!lanes)
        return fn(e, args, user);
    LLVMValueRef result = NULL;
    for (unsigned l = 0; l < lanes; l++) {
        LLVMValueRef lane = LLVMConstInt(e->i32, l, false), scalars[4];
        KD_ASSERT(n_args <= 4);
        for (unsigned i = 0; i < n_args; i++)
            scalars[i] = LLVMBuildExtractElement(e->b, args[i], lane, "");
        LLVMValueRef one = fn(e, scalars, user);
        if (!result)
            result = LLVMGetPoison(LLVMVectorType(LLVMTypeOf(one), lanes));
        result = LLVMBuildInsertElement(e->b, result, one, lane, "");
    }
    return result;
}

LLVMValueRef kd_emit_slice(kd_emitter *e, LLVMValueRef v, unsigned first, unsigned n)
{
    LLVMValueRef picks[256];
    for (unsigned i = 0; i < n; i++)
        picks[i] = LLVMConstInt(e->i32, first + i, false);
    return LLVMBuildShuffleVector(e->b, v, LLVMGetPoison(LLVMTypeOf(v)), LLVMConstVector(picks, n), "");
}

LLVMValueRef kd_emit_concat(kd_emitter *e, LLVMValueRef *parts, unsigned n_parts)
{
    if (n_parts == 1)
        return parts[0];
    LLVMValueRef lower = kd_emit_concat(e, parts, n_parts / 2), upper = kd_emit_concat(e, parts + n_parts / 2, n_parts / 2);
    unsigned lanes = lanes_of(lower);
    LLVMValueRef picks[256];
    for (unsigned i = 0; i < 2 * lanes; i++)
        picks[i] = LLVMConstInt(e->i32, i, false);
    return LLVMBuildShuffleVector(e->b, lower, upper, LLVMConstVector(picks, 2 * lanes), "");
}
