/* emit.c - the module and the kernel function around a kernel of the simt level, and LLVM's passes over them. */
#include "targets/spirv/spirv_impl.h"

#include "base/bug.h"
#include "targets/spirv/translate.h"

#include <llvm-c/BitWriter.h>

/* ---- builtins ---- */

LLVMValueRef kd_spirv_call(kd_emitter *e, const char *name, LLVMTypeRef result, LLVMValueRef *args, unsigned n_args, kd_emit_effect effect)
{
    return kd_emit_call(e, name, result, args, n_args, effect);
}

const char *kd_spirv_letter(const kd_emitter *e, LLVMTypeRef type, bool uns)
{
    if (type == e->f32)
        return "f";
    if (type == e->f64)
        return "d";
    switch (LLVMGetIntTypeWidth(type)) {
    case 8:
        return uns ? "h" : "c";
    case 16:
        return uns ? "t" : "s";
    case 32:
        return uns ? "j" : "i";
    default:
        return uns ? "m" : "l";
    }
}

LLVMValueRef kd_spirv_alloca(kd_emitter *e, LLVMTypeRef elem, unsigned n, unsigned align)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b), entry = LLVMGetEntryBasicBlock(e->func);
    LLVMValueRef first = LLVMGetFirstInstruction(entry);
    if (first)
        LLVMPositionBuilderBefore(e->b, first);
    else
        LLVMPositionBuilderAtEnd(e->b, entry);
    LLVMValueRef place = LLVMBuildAlloca(e->b, LLVMArrayType2(elem, n), "");
    LLVMSetAlignment(place, align);
    LLVMPositionBuilderAtEnd(e->b, here);
    return place;
}

/* ---- ops ---- */

static bool emit_own(kd_emitter *e, const kd_op *op)
{
    switch (op->code) {
    case KD_OP_math:
        kd_spirv_math(e, op);
        return true;
    case KD_OP_div:
        if (kd_type_elem(kd_op_operand(op, 0)->type)->scalar != KD_F32 || kd_div_exact(op))
            return false;
        kd_spirv_divide(e, op);
        return true;
    case KD_OP_min:
    case KD_OP_max:
        if (!kd_type_is_float_like(kd_op_operand(op, 0)->type))
            return false;
        kd_spirv_min_max(e, op);
        return true;
    case KD_OP_mulhi:
        kd_spirv_mulhi(e, op);
        return true;
    case KD_OP_rem:
        if (!kd_type_is_float_like(kd_op_operand(op, 0)->type))
            return false;
        kd_spirv_rem(e, op);
        return true;
    case KD_OP_atomic:
    case KD_OP_atomic_cas:
    case KD_OP_gpu_atomic_cas:
    case KD_OP_gpu_slm_atomic:
        kd_spirv_atomic(e, op);
        return true;
    case KD_OP_gpu_dpas:
    case KD_OP_gpu_block2d_load:
    case KD_OP_gpu_block2d_store:
    case KD_OP_gpu_block2d_prefetch:
        kd_spirv_matrix(e, op);
        return true;
    default:
        return kd_spirv_simt_op(e, op);
    }
}

static LLVMValueRef f32_to_bf16(kd_emitter *e, LLVMValueRef *args, void *user)
{
    return kd_spirv_call(e, "_Z32intel_convert_bfloat16_as_ushortf", e->i16, args, 1, KD_CALL_PURE);
}

static kd_emit_dialect dialect_of(const kd_gpu_device *device)
{
    return (kd_emit_dialect){.op = emit_own, .global_space = KD_SPACE_GLOBAL, .buffer_space = KD_SPACE_LOCAL, .call_conv = KD_SPIR_FUNC,
                             .has_half = true, .has_f64 = device->has_f64, .f32_to_bf16 = device->has_bf16_convert ? f32_to_bf16 : NULL};
}

/* ---- the function ---- */

static void set_metadata(kd_emitter *e, const char *name, const unsigned *values, unsigned n)
{
    LLVMMetadataRef numbers[3];
    for (unsigned i = 0; i < n; i++)
        numbers[i] = LLVMValueAsMetadata(LLVMConstInt(e->i32, values[i], false));
    unsigned kind = LLVMGetMDKindIDInContext(e->llvm, name, (unsigned)strlen(name));
    LLVMGlobalSetMetadata(e->func, kind, LLVMMDNodeInContext2(e->llvm, numbers, n));
}

static void set_param_attribute(kd_emitter *e, unsigned i, const char *name, uint64_t value)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(e->func, i + 1, LLVMCreateEnumAttribute(e->llvm, kind, value));
}

/* The end of the last SLM buffer of a block and what is in it. */
static uint64_t end_of_slm(const kd_block *block)
{
    uint64_t n_bytes = 0;
    KD_FOREACH_OP (op, block) {
        uint64_t end = 0;
        if (op->code == KD_OP_gpu_slm) {
            const kd_type *type = kd_op_result(op, 0)->type;
            end = (uint64_t)kd_gpu_slm_offset_bytes(op) + (uint64_t)type->n_elems * kd_emit_elem_bytes(type);
        }
        n_bytes = end > n_bytes ? end : n_bytes;
        for (unsigned r = 0; r < op->n_regions; r++)
            if ((end = end_of_slm(kd_op_region(op, r))) > n_bytes)
                n_bytes = end;
    }
    return n_bytes;
}

/* SLM is one global: the places of the buffers in it are given. */
static void make_slm(kd_spirv *s, const kd_block *body)
{
    uint64_t n_bytes = end_of_slm(body);
    if (!n_bytes)
        return;
    kd_emitter *e = &s->e;
    LLVMTypeRef type = LLVMArrayType2(e->i8, n_bytes);
    s->slm = LLVMAddGlobalInAddressSpace(e->module, type, "slm", KD_SPACE_LOCAL);
    LLVMSetInitializer(s->slm, LLVMGetUndef(type));
    LLVMSetLinkage(s->slm, LLVMInternalLinkage);
    LLVMSetAlignment(s->slm, 64);
}

static LLVMValueRef parameter(kd_emitter *e, const kd_value *arg, unsigned i)
{
    LLVMValueRef v = LLVMGetParam(e->func, i);
    if (arg->name)
        LLVMSetValueName2(v, arg->name, strlen(arg->name));
    return kd_emit_to_register(e, v, arg->type);
}

static void find_global_barrier(kd_op *op, void *found)
{
    *(bool *)found |= op->code == KD_OP_gpu_barrier && kd_gpu_barrier_global(op);
}

/* Whether pointers are noalias: what goes through one parameter is not reached in another way. Other work-items reach it too, where they meet
 * at a barrier: LLVM would take a load behind it for the one before. */
static bool is_private_to_lanes(const kd_op *func)
{
    bool meet = false;
    kd_op_walk((kd_op *)func, find_global_barrier, &meet);
    return !meet;
}

static void emit_kernel(kd_spirv *s, const kd_op *func, bool disjoint)
{
    kd_emitter *e = &s->e;
    disjoint = disjoint && is_private_to_lanes(func);
    const kd_block *body = kd_op_region(func, 0);
    kd_ints divisibility = kd_func_divisibility(func);
    kd_text name = kd_func_name(func);
    LLVMTypeRef *params = kd_arena_array(e->arena, LLVMTypeRef, body->n_args);
    for (unsigned i = 0; i < body->n_args; i++)
        params[i] = kd_emit_memory_elem(e, body->args[i]->type);
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->llvm), params, body->n_args, false);
    e->func = LLVMAddFunction(e->module, kd_arena_strndup(e->arena, name.ptr, name.len), type);
    LLVMSetFunctionCallConv(e->func, KD_SPIR_KERNEL);
    const kd_gpu_config *config = s->config;
    set_metadata(e, "reqd_work_group_size", (unsigned[]){config->sub_group_size * config->n_sub_groups, 1, 1}, 3);
    set_metadata(e, "intel_reqd_sub_group_size", &config->sub_group_size, 1);
    make_slm(s, body);
    LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->llvm, e->func, "entry"));
    for (unsigned i = 0; i < body->n_args; i++) {
        const kd_type *arg = body->args[i]->type;
        if (arg->kind == KD_TYPE_PTR) {
            uint64_t known = i < divisibility.n ? (uint64_t)divisibility.data[i] : 0, least = kd_emit_elem_bytes(arg->elem);
            uint64_t align = known ? known & -known : 0;
            set_param_attribute(e, i, "align", align > least ? align : least);
            if (disjoint)
                set_param_attribute(e, i, "noalias", 0);
        }
        kd_emit_set(e, body->args[i], parameter(e, body->args[i], i));
    }
    /* What comes later is put at the start of this block; the body goes to one of its own. */
    LLVMBasicBlockRef start = LLVMAppendBasicBlockInContext(e->llvm, e->func, "body");
    LLVMBuildBr(e->b, start);
    LLVMPositionBuilderAtEnd(e->b, start);
    kd_emit_block(e, body);
    LLVMBuildRetVoid(e->b);
}

/* ---- the module ---- */

static const char triple[] = "spir64-unknown-unknown";
static const char layout[] =
    "e-i64:64-v16:16-v24:32-v32:32-v48:64-v96:128-v192:256-v256:256-v512:512-v1024:1024-n8:16:32:64";

static void add_version(kd_emitter *e, const char *name, unsigned a, unsigned b)
{
    LLVMMetadataRef numbers[] = {LLVMValueAsMetadata(LLVMConstInt(e->i32, a, false)), LLVMValueAsMetadata(LLVMConstInt(e->i32, b, false))};
    LLVMMetadataRef node = LLVMMDNodeInContext2(e->llvm, numbers, 2);
    LLVMAddNamedMetadataOperand(e->module, name, LLVMMetadataAsValue(e->llvm, node));
}

static void open_module(kd_emitter *e)
{
    kd_emit_open(e, triple);
    LLVMSetDataLayout(e->module, layout);
    add_version(e, "opencl.spir.version", 2, 0);
    add_version(e, "spirv.Source", 3, 102000); /* OpenCL C 1.2: its semantics of printf and of fmin are meant */
}

/* The scalars of the simt level come with their invariants hoisted and their loops unrolled. No vectorizer: it would make vectors that
 * SPIR-V lacks. */
static const char *pipeline(unsigned opt_level)
{
    if (opt_level == 0)
        return "function(instcombine<no-verify-fixpoint>)"; /* arithmetic on i1 would be wrong SPIR-V */
    return "function(early-cse,instcombine<no-verify-fixpoint>,simplifycfg,loop-mssa(licm),early-cse<memssa>,"
           "instcombine<no-verify-fixpoint>,simplifycfg,loop-mssa(licm),infer-alignment,adce)";
}

static bool translate(kd_emitter *e, kd_emit kind, kd_arena *arena, kd_str *out, kd_strbuf *why)
{
    e->code = LLVMWriteBitcodeToMemoryBuffer(e->module);
    kd_str bitcode = {LLVMGetBufferStart(e->code), LLVMGetBufferSize(e->code)};
    char *bytes;
    size_t n_bytes;
    bool ok = kd_spirv_translate(bitcode, kind == KD_EMIT_ASM ? KD_TRANSLATE_TEXT : 0, &bytes, &n_bytes);
    kd_emit_keep_text(e, bytes);
    if (ok)
        *out = (kd_str){kd_arena_strndup(arena, bytes, n_bytes), n_bytes};
    else
        kd_strbuf_append(why, bytes, n_bytes);
    return ok;
}

static bool emit(kd_spirv *s, const kd_codegen_job *job, const kd_op *func, kd_strbuf *why)
{
    kd_emitter *e = &s->e;
    open_module(e);
    emit_kernel(s, func, job->options->assume_disjoint);
    if (!kd_emit_verify(e, why) || !kd_emit_optimize(e, pipeline(job->options->opt_level), why))
        return false;
    if (!kd_spirv_widen(e)) { /* again, without the pass that makes them */
        kd_emit_release(e);
        *e = (kd_emitter){.dialect = e->dialect, .arena = e->arena, .values = kd_map_in(e->arena), .diags = e->diags};
        s->slm = NULL;
        s->guard = (kd_spirv_guard){NULL};
        open_module(e);
        emit_kernel(s, func, job->options->assume_disjoint);
        if (!kd_emit_optimize(e, "function(early-cse,simplifycfg,loop-mssa(licm),early-cse<memssa>,infer-alignment,adce)", why))
            return false;
    }
    kd_spirv_place_hints(e);
    if (job->emit != KD_EMIT_LLVM)
        return translate(e, job->emit, job->arena, &job->out->bytes, why);
    job->out->bytes = kd_emit_text(e, job->arena);
    return true;
}

kd_status kd_spirv_emit(kd_codegen_job *job, const kd_op *func, const kd_gpu_config *config)
{
    kd_spirv *s = kd_arena_new(job->scratch, kd_spirv);
    *s = (kd_spirv){.e = {.dialect = &s->dialect, .arena = job->scratch, .values = kd_map_in(job->scratch), .diags = job->diags},
                    .dialect = dialect_of(config->device), .config = config};
    job->emitter = &s->e;
    kd_strbuf why = kd_strbuf_in(job->scratch);
    if (emit(s, job, func, &why))
        return KD_OK;
    kd_error(job->diags, func->loc, "code generation failed: %s", kd_strbuf_text(&why));
    return KD_ERR_REPORTED;
}
