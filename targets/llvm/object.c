/* object.c - from an LLVM module to machine code or text. */
#include "targets/llvm/object.h"

#include "base/bug.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void initialize(void)
{
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
}

static const char triple[] = "x86_64-pc-linux-gnu";

/* LLVM's X86 backend registers itself in tables of the library, once in a process. */
static LLVMTargetRef x86(void)
{
    LLVMTargetRef target = NULL;
    char *message = NULL;
    pthread_once(&once, initialize);
    if (LLVMGetTargetFromTriple(triple, &target, &message)) {
        LLVMDisposeMessage(message);
        return NULL;
    }
    return target;
}

/* Our code comes with its invariants hoisted and its vectors made; what is left for LLVM is folding, and cleaning up around branches. */
static const char *pipeline(unsigned opt_level)
{
    if (opt_level == 0)
        return "verify";
    return "function(early-cse,instcombine<no-verify-fixpoint>,simplifycfg,loop-mssa(licm),early-cse<memssa>,instcombine<no-verify-fixpoint>,"
           "simplifycfg,loop-mssa(licm))";
}

static bool optimize(kd_emitter *e, LLVMTargetMachineRef machine, unsigned opt_level, kd_strbuf *why)
{
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(e->module, pipeline(opt_level), machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (!error)
        return true;
    char *text = LLVMGetErrorMessage(error);
    kd_strbuf_puts(why, text);
    LLVMDisposeErrorMessage(text);
    return false;
}

static kd_str copy(kd_arena *arena, const char *text, size_t n_bytes)
{
    char *own = kd_arena_alloc(arena, n_bytes + 1);
    memcpy(own, text, n_bytes);
    return (kd_str){own, n_bytes};
}

static bool emit_code(kd_emitter *e, LLVMTargetMachineRef machine, bool asm_text, kd_arena *arena, kd_str *out, kd_strbuf *why)
{
    LLVMMemoryBufferRef buffer = NULL;
    char *message = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, e->module, asm_text ? LLVMAssemblyFile : LLVMObjectFile, &message, &buffer)) {
        kd_strbuf_puts(why, message ? message : "no code");
        LLVMDisposeMessage(message);
        return false;
    }
    *out = copy(arena, LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer));
    LLVMDisposeMemoryBuffer(buffer);
    return true;
}

static LLVMTargetMachineRef create_machine(const kd_machine *m, unsigned opt_level)
{
    static const LLVMCodeGenOptLevel levels[] = {LLVMCodeGenLevelNone, LLVMCodeGenLevelLess, LLVMCodeGenLevelDefault, LLVMCodeGenLevelAggressive};
    LLVMTargetRef target = x86();
    if (!target)
        return NULL;
    return LLVMCreateTargetMachine(target, triple, m->cpu, m->features, levels[opt_level < 3 ? opt_level : 3], LLVMRelocPIC, LLVMCodeModelSmall);
}

bool kd_object_emit(kd_emitter *e, const kd_op *func, const uint32_t *arg_offsets, unsigned opt_level, kd_object_kind kind, kd_arena *arena,
                    kd_str *out, kd_strbuf *why)
{
    LLVMTargetMachineRef machine = create_machine(e->machine, opt_level);
    if (!machine) {
        kd_strbuf_puts(why, "this LLVM has no x86-64 backend");
        return false;
    }
    e->llvm = LLVMContextCreate();
    e->module = LLVMModuleCreateWithNameInContext("kernel", e->llvm);
    e->b = LLVMCreateBuilderInContext(e->llvm);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetModuleDataLayout(e->module, layout);
    LLVMDisposeTargetData(layout);
    LLVMSetTarget(e->module, triple);
    kd_emit_init_types(e);
    kd_emit_entry(e, func, arg_offsets);
    bool ok = true;
    char *message = NULL; /* wrong IR would abort the process in the backend */
    if (LLVMVerifyModule(e->module, LLVMReturnStatusAction, &message)) {
        kd_strbuf_puts(why, message);
        ok = false;
    }
    LLVMDisposeMessage(message);
    ok = ok && optimize(e, machine, opt_level, why);
    if (ok && kind == KD_OBJECT_LLVM) {
        char *text = LLVMPrintModuleToString(e->module);
        *out = copy(arena, text, strlen(text));
        LLVMDisposeMessage(text);
    } else if (ok) {
        ok = emit_code(e, machine, kind == KD_OBJECT_ASM, arena, out, why);
    }
    LLVMDisposeBuilder(e->b);
    LLVMDisposeModule(e->module);
    LLVMContextDispose(e->llvm);
    LLVMDisposeTargetMachine(machine);
    return ok;
}

void kd_object_host(kd_arena *arena, const char **out_cpu, const char **out_features)
{
    char *cpu = LLVMGetHostCPUName(), *features = LLVMGetHostCPUFeatures();
    *out_cpu = kd_arena_strdup(arena, cpu);
    *out_features = kd_arena_strdup(arena, features);
    LLVMDisposeMessage(cpu);
    LLVMDisposeMessage(features);
}
