/* matrix.c - the systolic array, and the messages that move rectangles between global memory and a sub-group's registers.
 *
 * Names: OpenCL's where it has them (cl_intel_subgroup_matrix_multiply_accumulate, cl_intel_subgroup_2d_block_io), SPIR-V's for shapes
 * that OpenCL lacks. A rectangle of more elements a work-item than a vector may have stays in its memory: gpu.unpack reads it from there,
 * and Intel's compiler makes registers of it. */
#include "targets/spirv/spirv_impl.h"

#include "base/bug.h"

#include <stdio.h>

/* ---- dpas ---- */

typedef struct dpas_name {
    const char *elem, *function, *a, *b; /* a, b: letters of the operands' elements in mangled names */
} dpas_name;

static const dpas_name dpas_names[] = {
    {"bf16", "intel_sub_group_bf16_bf16_matrix_mad_k16", "s", "i"}, {"f16", "intel_sub_group_f16_f16_matrix_mad_k16", "s", "i"},
    {"tf32", "intel_sub_group_tf32_tf32_matrix_mad_k8", "f", "f"},  {"i8", "intel_sub_group_i8_i8_matrix_mad_k32", "s", "i"},
    {"u8", "intel_sub_group_u8_u8_matrix_mad_k32", "t", "j"},
};

static const dpas_name *find_dpas(kd_text elem)
{
    for (size_t i = 0; i < sizeof dpas_names / sizeof *dpas_names; i++)
        if (strlen(dpas_names[i].elem) == elem.len && memcmp(dpas_names[i].elem, elem.ptr, elem.len) == 0)
            return &dpas_names[i];
    return NULL;
}

/* One type in a mangled name, which says an earlier one again as S_, S0_ ... . */
typedef struct mangler {
    char text[128];
    size_t n;
    char seen[4][16];
    unsigned n_seen;
} mangler;

static void mangle(mangler *m, LLVMTypeRef type, const char *letter)
{
    char vector[16];
    if (LLVMGetTypeKind(type) != LLVMVectorTypeKind) {
        m->n += (size_t)snprintf(m->text + m->n, sizeof m->text - m->n, "%s", letter);
        return;
    }
    snprintf(vector, sizeof vector, "Dv%u_%s", LLVMGetVectorSize(type), letter);
    for (unsigned i = 0; i < m->n_seen; i++) {
        if (strcmp(m->seen[i], vector) == 0) {
            m->n += (size_t)snprintf(m->text + m->n, sizeof m->text - m->n, i ? "S%u_" : "S_", i - 1);
            return;
        }
    }
    snprintf(m->seen[m->n_seen++], sizeof m->seen[0], "%s", vector);
    m->n += (size_t)snprintf(m->text + m->n, sizeof m->text - m->n, "%s", vector);
}

/* The accumulator's letter: f32 f, f16 Dh (carried as i16 by us: s where bf16), i32 i. */
static void emit_dpas(kd_emitter *e, const kd_op *op)
{
    const dpas_name *name = find_dpas(kd_gpu_dpas_elem(op));
    LLVMValueRef args[] = {kd_emit_get(e, kd_gpu_dpas_a(op)), kd_emit_get(e, kd_gpu_dpas_b(op)), kd_emit_get(e, kd_gpu_dpas_acc(op))};
    kd_scalar acc = kd_type_elem(kd_gpu_dpas_acc(op)->type)->scalar;
    KD_ASSERT(name);
    LLVMTypeRef type = LLVMTypeOf(args[2]), a = LLVMTypeOf(args[0]);
    bool wide_a = LLVMGetTypeKind(a) == LLVMVectorTypeKind && LLVMGetElementType(a) == e->i32; /* sub-groups of 8 lanes */
    if (acc == KD_F16)
        args[2] = LLVMBuildBitCast(e->b, args[2], kd_emit_like(args[2], LLVMHalfTypeInContext(e->llvm)), "");
    mangler m = {.n = 0};
    m.n = (size_t)snprintf(m.text, sizeof m.text, "_Z%zu%s", strlen(name->function), name->function);
    mangle(&m, a, wide_a ? name->b : name->a);
    mangle(&m, LLVMTypeOf(args[1]), name->b);
    mangle(&m, LLVMTypeOf(args[2]), acc == KD_F32 ? "f" : acc == KD_F16 ? "Dh" : acc == KD_I32 ? "i" : "s");
    LLVMValueRef d = kd_spirv_call(e, m.text, LLVMTypeOf(args[2]), args, 3, KD_CALL_CONVERGENT_PURE);
    kd_emit_set(e, kd_op_result(op, 0), acc == KD_F16 ? LLVMBuildBitCast(e->b, d, type, "") : d);
}

/* ---- 2D blocks ---- */

typedef struct rectangle {
    unsigned elem_bits, width, rows, count;
    LLVMValueRef base, width_bytes, height, pitch_bytes, place;
} rectangle;

static rectangle rectangle_of(kd_emitter *e, unsigned elem_bits, kd_ints shape, const kd_value *base, LLVMValueRef *surface)
{
    KD_ASSERT(shape.n == 3);
    LLVMValueRef at = LLVMGetUndef(LLVMVectorType(e->i32, 2));
    for (unsigned i = 0; i < 2; i++)
        at = LLVMBuildInsertElement(e->b, at, surface[3 + i], LLVMConstInt(e->i32, i, false), "");
    return (rectangle){.elem_bits = elem_bits, .width = (unsigned)shape.data[0], .rows = (unsigned)shape.data[1], .count = (unsigned)shape.data[2],
                       .base = kd_emit_get(e, base), .width_bytes = surface[0], .height = surface[1], .pitch_bytes = surface[2], .place = at};
}

/* Whether OpenCL has a function for that shape. */
static bool opencl_has(const rectangle *r, kd_block2d_mode mode)
{
    switch (mode) {
    case KD_BLOCK2D_TRANSFORM:
        return r->width == 16 && (r->elem_bits == 16 ? r->rows >= 16 && r->count <= 2 : r->rows == 32 && r->count == 1);
    case KD_BLOCK2D_TRANSPOSE: return r->width == 8 && r->rows == 16;
    default: return true;
    }
}

static const char *const opencl_whats[] = {
    [KD_BLOCK2D_PLAIN] = "read", [KD_BLOCK2D_TRANSFORM] = "read_transform", [KD_BLOCK2D_TRANSPOSE] = "read_transpose"};

/* base, width, height, pitch, place and, where there is one, the work-item's memory. */
static void call_opencl(kd_emitter *e, const rectangle *r, const char *what, LLVMTypeRef elem, LLVMValueRef memory)
{
    char function[96], name[160];
    snprintf(function, sizeof function, "intel_sub_group_2d_block_%s_%ub_%ur%ux%uc", what, r->elem_bits, r->rows, r->width,
             r->count);
    const char *letter = !elem ? "" : elem == e->i8 ? "Ph" : elem == e->i16 ? "Pt" : elem == e->i64 ? "Pm" : "Pj";
    snprintf(name, sizeof name, "_Z%zu%sPU3AS1viiiDv2_i%s", strlen(function), function, letter);
    LLVMValueRef args[] = {r->base, r->width_bytes, r->height, r->pitch_bytes, r->place, memory};
    kd_spirv_call(e, name, LLVMVoidTypeInContext(e->llvm), args, memory ? 6 : 5, KD_CALL_CONVERGENT);
}

/* The functions of SPV_INTEL_2d_block_io take any shape: bytes of an element, width, rows, count. Newer compilers know them. */
static void call_spirv(kd_emitter *e, const rectangle *r, const char *what, LLVMValueRef memory)
{
    char function[96], name[160];
    snprintf(function, sizeof function, "__spirv_Subgroup2DBlockLoad%sINTEL", what);
    snprintf(name, sizeof name, "_Z%zu%siiiiPU3AS1viiiDv2_iPv", strlen(function), function);
    LLVMValueRef args[] = {LLVMConstInt(e->i32, r->elem_bits / 8, false),
                           LLVMConstInt(e->i32, r->width, false),
                           LLVMConstInt(e->i32, r->rows, false),
                           LLVMConstInt(e->i32, r->count, false),
                           r->base,
                           r->width_bytes,
                           r->height,
                           r->pitch_bytes,
                           r->place,
                           memory};
    kd_spirv_call(e, name, LLVMVoidTypeInContext(e->llvm), args, 10, KD_CALL_CONVERGENT);
}

static void get_surface(kd_emitter *e, const kd_op *op, unsigned first, LLVMValueRef out[5])
{
    KD_ASSERT(op->n_operands == first + 5);
    for (unsigned i = 0; i < 5; i++) {
        out[i] = kd_emit_get(e, kd_op_operand(op, first + i));
        if (LLVMTypeOf(out[i]) == e->i64)
            out[i] = LLVMBuildTrunc(e->b, out[i], e->i32, "");
    }
}

static void emit_block_load(kd_emitter *e, const kd_op *op)
{
    const kd_type *type = kd_op_result(op, 0)->type;
    LLVMValueRef surface[5];
    get_surface(e, op, 1, surface);
    rectangle r = rectangle_of(e, (unsigned)kd_gpu_block2d_load_elem_bits(op), kd_gpu_block2d_load_width_rows_count(op),
                               kd_gpu_block2d_load_base(op), surface);
    LLVMTypeRef elem = kd_emit_memory_elem(e, type);
    unsigned n = (unsigned)type->n_elems;
    LLVMTypeRef bits = LLVMIntTypeInContext(e->llvm, 8 * kd_emit_elem_bytes(type));
    LLVMValueRef memory = kd_spirv_alloca(e, bits, n, 64);
    kd_block2d_mode mode = kd_gpu_block2d_load_mode(op);
    if (opencl_has(&r, mode))
        call_opencl(e, &r, opencl_whats[mode], bits, memory);
    else
        call_spirv(e, &r, mode == KD_BLOCK2D_TRANSFORM ? "Transform" : "Transpose", memory);
    LLVMValueRef v = memory; /* read by gpu.unpack, where it is long; SPIR-V has no vectors of one element */
    if (n > 1 && n <= KD_MAX_VECTOR)
        v = kd_emit_plain_load(e, kd_emit_wide(elem, kd_emit_lanes(type)), memory, 64, false);
    kd_emit_set(e, kd_op_result(op, 0), v);
}

static void emit_block_store(kd_emitter *e, const kd_op *op)
{
    const kd_type *type = kd_gpu_block2d_store_value(op)->type;
    LLVMValueRef surface[5], v = kd_emit_get(e, kd_gpu_block2d_store_value(op));
    get_surface(e, op, 2, surface);
    rectangle r = rectangle_of(e, (unsigned)kd_gpu_block2d_store_elem_bits(op), kd_gpu_block2d_store_width_rows_count(op),
                               kd_gpu_block2d_store_base(op), surface);
    LLVMTypeRef bits = LLVMIntTypeInContext(e->llvm, 8 * kd_emit_elem_bytes(type));
    LLVMValueRef memory = kd_spirv_alloca(e, bits, (unsigned)type->n_elems, 64);
    kd_emit_plain_store(e, v, memory, 64);
    call_opencl(e, &r, "write", bits, memory);
}

static void emit_block_prefetch(kd_emitter *e, const kd_op *op)
{
    LLVMValueRef surface[5];
    get_surface(e, op, 1, surface);
    rectangle r = rectangle_of(e, (unsigned)kd_gpu_block2d_prefetch_elem_bits(op), kd_gpu_block2d_prefetch_width_rows_count(op),
                               kd_gpu_block2d_prefetch_base(op), surface);
    call_opencl(e, &r, "prefetch", NULL, NULL);
}

void kd_spirv_matrix(kd_emitter *e, const kd_op *op)
{
    switch (op->code) {
    case KD_OP_gpu_dpas:
        emit_dpas(e, op);
        break;
    case KD_OP_gpu_block2d_load:
        emit_block_load(e, op);
        break;
    case KD_OP_gpu_block2d_store:
        emit_block_store(e, op);
        break;
    case KD_OP_gpu_block2d_prefetch:
        emit_block_prefetch(e, op);
        break;
    default:
        KD_UNREACHABLE();
    }
}
