/* object.c - from an LLVM module to machine code or text. */
#include "targets/llvm/object.h"

#include "base/bug.h"

#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>

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

static kd_str copy(kd_arena *arena, const char *text, size_t n_bytes)
{
    char *own = kd_arena_alloc(arena, n_bytes + 1);
    memcpy(own, text, n_bytes);
    return (kd_str){own, n_bytes};
}

static bool emit_code(kd_emitter *e, bool asm_text, kd_arena *arena, kd_str *out, kd_strbuf *why)
{
    char *message = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(e->backend, e->module, asm_text ? LLVMAssemblyFile : LLVMObjectFile, &message, &e->code)) {
        kd_strbuf_puts(why, message ? kd_emit_keep_text(e, message) : "no code");
        return false;
    }
    *out = copy(arena, LLVMGetBufferStart(e->code), LLVMGetBufferSize(e->code));
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
    e->backend = create_machine(e->machine, opt_level);
    if (!e->backend) {
        kd_strbuf_puts(why, "this LLVM has no x86-64 backend");
        return false;
    }
    kd_emit_open(e, triple);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(e->backend);
    LLVMSetModuleDataLayout(e->module, layout);
    LLVMDisposeTargetData(layout);
    kd_emit_entry(e, func, arg_offsets);
    if (!kd_emit_verify(e, why) || !kd_emit_optimize(e, pipeline(opt_level), why))
        return false;
    if (kind != KD_OBJECT_LLVM)
        return emit_code(e, kind == KD_OBJECT_ASM, arena, out, why);
    *out = kd_emit_text(e, arena);
    return true;
}

static char *host_cpu, *host_features;

static void find_host(void)
{
    host_cpu = LLVMGetHostCPUName();
    host_features = LLVMGetHostCPUFeatures();
}

void kd_object_host(const char **out_cpu, const char **out_features)
{
    static pthread_once_t asked = PTHREAD_ONCE_INIT;
    pthread_once(&asked, find_host);
    *out_cpu = host_cpu;
    *out_features = host_features;
}
