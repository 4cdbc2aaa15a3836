/* codegen.c - the way of a kernel through this folder: kd passes, loops, LLVM. */
#include "passes/pass.h"
#include "targets/codegen_impl.h"
#include "targets/cpu/lower.h"
#include "targets/cpu/machine.h"
#include "targets/llvm/object.h"

enum { MAX_SCRATCH_BYTES = 1 << 30 };

static kd_status lower(kd_codegen_job *job, const kd_machine *machine)
{
    const kd_codegen_options *options = job->options;
    kd_pipeline_options passes = {.print_after = options->print_after, .time_passes = options->time_passes, .log = options->log,
                                  .scratch = job->scratch};
    kd_failure why = {0};
    kd_status status = kd_pipeline_run(job->module, "inline,lower-block-access,default", &passes, job->diags, &why);
    if (status != KD_OK)
        return status;
    kd_codegen_report_time(job, "kd passes");
    kd_op *func = kd_codegen_kernel(job);
    if (!func)
        return KD_ERR_NOT_FOUND;
    kd_codegen_describe(job, func);
    job->out->desc.target = machine->name;
    job->out->desc.format = KD_CODE_ELF_X86_64;
    if (!kd_lower_to_loops(job->module, func, machine, options, job->diags, job->scratch))
        return KD_ERR_REPORTED;
    func = kd_codegen_kernel(job);
    uint64_t bytes = kd_scratch_assign(func, job->scratch);
    if (bytes > MAX_SCRATCH_BYTES) {
        kd_error(job->diags, func->loc, "the kernel needs %llu MiB of scratch memory for its tiles, more than the %d MiB that a thread may have",
                 (unsigned long long)(bytes >> 20), MAX_SCRATCH_BYTES >> 20);
        return KD_ERR_REPORTED;
    }
    job->out->desc.scratch_bytes = (uint32_t)bytes;
    kd_codegen_report_time(job, "loops");
    return KD_OK;
}

static kd_status compile(kd_codegen_job *job)
{
    kd_machine machine;
    if (!kd_machine_find(job->options->target ? job->options->target : "cpu", job->arena, &machine))
        return KD_ERR_UNSUPPORTED;
    kd_status status = lower(job, &machine);
    if (status != KD_OK)
        return status;
    if (job->emit == KD_EMIT_CPU)
        return kd_codegen_give_text(job);
    const kd_kernel_desc *desc = &job->out->desc;
    uint32_t *offsets = kd_arena_array(job->scratch, uint32_t, desc->n_args);
    for (unsigned i = 0; i < desc->n_args; i++)
        offsets[i] = desc->args[i].offset_bytes;
    kd_op *func = kd_codegen_kernel(job);
    kd_emitter *e = job->emitter = kd_arena_new(job->scratch, kd_emitter);
    *e = (kd_emitter){.dialect = machine.has_f16c ? &kd_emit_dialect_cpu_half : &kd_emit_dialect_cpu, .machine = &machine,
                      .arena = job->scratch, .values = kd_map_in(job->scratch), .diags = job->diags};
    kd_strbuf why = kd_strbuf_in(job->scratch);
    kd_object_kind kind = job->emit == KD_EMIT_LLVM ? KD_OBJECT_LLVM : job->emit == KD_EMIT_ASM ? KD_OBJECT_ASM : KD_OBJECT_ELF;
    if (!kd_object_emit(e, func, offsets, job->options->opt_level, kind, job->arena, &job->out->bytes, &why)) {
        kd_error(job->diags, func->loc, "code generation failed: %s", kd_strbuf_text(&why));
        return KD_ERR_REPORTED;
    }
    kd_codegen_report_time(job, "LLVM");
    return KD_OK;
}

static const char *target_name(const char *target, kd_arena *arena)
{
    kd_machine machine;
    return kd_machine_find(target, arena, &machine) ? machine.name : NULL;
}

const kd_target kd_target_cpu = {.prefix = "cpu", .compile = compile, .name = target_name};
