/* report.c - what kernels say to people: prints, and asserts that fail. */
#include "targets/llvm/emit.h"

static LLVMValueRef call_variadic(kd_emitter *e, const char *name, LLVMTypeRef *params, unsigned n_params, LLVMValueRef *args, unsigned n_args)
{
    LLVMTypeRef type = LLVMFunctionType(e->i32, params, n_params, true);
    LLVMValueRef fn = LLVMGetNamedFunction(e->module, name);
    if (!fn)
        fn = LLVMAddFunction(e->module, name, type);
    return LLVMBuildCall2(e->b, type, fn, args, n_args, "");
}

/* A C printf conversion for a value; *v becomes what is passed. */
static const char *conversion(kd_emitter *e, const kd_type *type, bool hex, LLVMValueRef *v)
{
    if (type->kind == KD_TYPE_PTR)
        return "%p";
    kd_scalar s = type->scalar;
    unsigned bits = kd_scalar_bits(s);
    if (kd_scalar_is_float(s)) {
        if (s == KD_F32 && e->dialect->has_f64)
            *v = LLVMBuildFPExt(e->b, *v, e->f64, "");
        return "%f";
    }
    LLVMTypeRef wide = bits == 64 ? e->i64 : e->i32;
    *v = kd_scalar_is_unsigned(s) || hex ? LLVMBuildZExt(e->b, *v, wide, "") : LLVMBuildSExt(e->b, *v, wide, "");
    if (hex)
        return bits == 64 ? "0x%016lx" : bits == 32 ? "0x%08x" : bits == 16 ? "0x%04x" : "0x%02x";
    if (kd_scalar_is_unsigned(s))
        return bits == 64 ? "%lu" : "%u";
    return bits == 64 ? "%ld" : "%d";
}

static void append_escaped(kd_strbuf *out, kd_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '%')
            kd_strbuf_puts(out, "%");
        kd_strbuf_append(out, text.ptr + i, 1);
    }
}

const char *kd_emit_print_format(kd_emitter *e, const kd_op *op, unsigned first, kd_text prefix, bool hex, LLVMValueRef *args,
                                 unsigned *out_n_args)
{
    unsigned n = 1;
    kd_strbuf format = kd_strbuf_in(e->arena);
    kd_strbuf_puts(&format, "pid (%d, %d, %d) idx (");
    for (unsigned axis = 0; axis < 3; axis++)
        args[n++] = e->pid[axis];
    for (unsigned i = first + 1; i < op->n_operands; i++) {
        LLVMValueRef index = kd_emit_get(e, kd_op_operand(op, i));
        kd_strbuf_puts(&format, i > first + 1 ? ", %d" : "%d");
        args[n++] = LLVMTypeOf(index) == e->i64 ? LLVMBuildTrunc(e->b, index, e->i32, "") : index;
    }
    kd_strbuf_puts(&format, ") ");
    append_escaped(&format, prefix);
    if (op->n_operands > first) {
        LLVMValueRef v = kd_emit_get(e, kd_op_operand(op, first));
        const char *how = conversion(e, kd_op_operand(op, first)->type, hex, &v);
        kd_strbuf_printf(&format, "%s", how);
        args[n++] = v;
    }
    kd_strbuf_puts(&format, "\n");
    *out_n_args = n;
    return kd_strbuf_text(&format);
}

static void emit_print(kd_emitter *e, const kd_op *op)
{
    LLVMValueRef args[KD_MAX_PRINT_ARGS];
    unsigned n;
    args[0] = LLVMBuildGlobalStringPtr(e->b, kd_emit_print_format(e, op, 0, kd_cpu_print_prefix(op), kd_cpu_print_hex(op), args, &n), "");
    call_variadic(e, "printf", &e->ptr, 1, args, n);
}

static void emit_assert(kd_emitter *e, const kd_op *op)
{
    LLVMBasicBlockRef fail = LLVMAppendBasicBlockInContext(e->llvm, e->func, "fail"), go_on = LLVMAppendBasicBlockInContext(e->llvm, e->func, "");
    LLVMBuildCondBr(e->b, kd_emit_get(e, kd_assert_condition(op)), go_on, fail);
    LLVMPositionBuilderAtEnd(e->b, fail);
    kd_place place = e->diags ? kd_loc_place(e->diags, op->loc) : (kd_place){0};
    kd_strbuf text = kd_strbuf_in(e->arena);
    if (place.line)
        kd_strbuf_printf(&text, "%s:%u:%u: ", place.source->path, place.line, place.column);
    kd_strbuf_puts(&text, "assertion failed in program (%d, %d, %d)");
    if (kd_assert_message(op).len) {
        kd_strbuf_puts(&text, ": ");
        append_escaped(&text, kd_assert_message(op));
    }
    kd_strbuf_puts(&text, "\n");
    LLVMTypeRef params[] = {e->i32, e->ptr};
    LLVMValueRef args[] = {LLVMConstInt(e->i32, 2, false), LLVMBuildGlobalStringPtr(e->b, kd_strbuf_text(&text), ""), e->pid[0], e->pid[1], e->pid[2]};
    call_variadic(e, "dprintf", params, 2, args, 5);
    LLVMBuildRet(e->b, LLVMConstInt(e->i32, 1, false));
    LLVMPositionBuilderAtEnd(e->b, go_on);
}

void kd_emit_report(kd_emitter *e, const kd_op *op)
{
    if (op->code == KD_OP_assert)
        emit_assert(e, op);
    else
        emit_print(e, op);
}
