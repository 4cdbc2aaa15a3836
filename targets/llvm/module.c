/* module.c - the LLVM module of an emitter: made, checked, optimized, released. */
#include "targets/llvm/emit.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Transforms/PassBuilder.h>

void kd_emit_open(kd_emitter *e, const char *triple)
{
    e->llvm = LLVMContextCreate();
    e->module = LLVMModuleCreateWithNameInContext("kernel", e->llvm);
    e->b = LLVMCreateBuilderInContext(e->llvm);
    LLVMSetTarget(e->module, triple);
    kd_emit_init_types(e);
}

const char *kd_emit_keep_text(kd_emitter *e, char *text)
{
    if (e->text)
        LLVMDisposeMessage(e->text);
    return e->text = text;
}

bool kd_emit_verify(kd_emitter *e, kd_strbuf *why)
{
    char *message = NULL; /* wrong IR would abort the process in the backend */
    bool broken = LLVMVerifyModule(e->module, LLVMReturnStatusAction, &message);
    kd_emit_keep_text(e, message);
    if (broken)
        kd_strbuf_puts(why, message);
    return !broken;
}

bool kd_emit_optimize(kd_emitter *e, const char *passes, kd_strbuf *why)
{
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(e->module, passes, e->backend, options);
    LLVMDisposePassBuilderOptions(options);
    if (!error)
        return true;
    char *text = LLVMGetErrorMessage(error);
    kd_emit_keep_text(e, LLVMCreateMessage(text));
    LLVMDisposeErrorMessage(text);
    kd_strbuf_puts(why, e->text);
    return false;
}

kd_str kd_emit_text(kd_emitter *e, kd_arena *arena)
{
    return kd_str_of(kd_arena_strdup(arena, kd_emit_keep_text(e, LLVMPrintModuleToString(e->module))));
}

void kd_emit_release(kd_emitter *e)
{
    if (e->code)
        LLVMDisposeMemoryBuffer(e->code);
    if (e->text)
        LLVMDisposeMessage(e->text);
    if (e->b)
        LLVMDisposeBuilder(e->b);
    if (e->module)
        LLVMDisposeModule(e->module);
    if (e->llvm)
        LLVMContextDispose(e->llvm);
    if (e->backend)
        LLVMDisposeTargetMachine(e->backend);
}
