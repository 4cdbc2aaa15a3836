/* pass.h - passes over the IR, and the pipelines that run them. How to add a pass: README.md. */
#ifndef KD_PASSES_PASS_H
#define KD_PASSES_PASS_H

#include "base/failure.h"
#include "ir/ir.h"

typedef enum kd_pass_result {
    KD_PASS_UNCHANGED,
    KD_PASS_CHANGED,
    KD_PASS_FAILED, /* reported to the diagnostics */
} kd_pass_result;

typedef enum kd_pass_scope { KD_ON_FUNC, KD_ON_MODULE } kd_pass_scope;

enum kd_pass_keeps { KD_KEEPS_NOTHING = 0, KD_KEEPS_REGIONS = 1 << 0 };

/* What a pass may use. Passes have no other state. */
typedef struct kd_pass_ctx {
    kd_module *module;
    kd_arena *scratch; /* gone when the pass returns */
    kd_diags *diags;
    kd_strbuf *log;   /* for passes that print what an analysis found; may be NULL */
    unsigned max_ops; /* passes that copy ops stop with an error before the module has more */
    const struct kd_gpu_config *gpu; /* gpu_config.h; NULL where the code is for the CPU */
} kd_pass_ctx;

typedef kd_pass_result kd_pass_fn(kd_pass_ctx *px, kd_op *root); /* root: the func op, or the module op */

typedef struct kd_pass_info {
    const char *name; /* "lower_block_access"; on the command line with '-' */
    kd_pass_scope scope;
    unsigned keeps;
    const char *summary;
    kd_pass_fn *run;
} kd_pass_info;

#define KD_PASS(id, scope, keeps, summary) kd_pass_fn kd_pass_##id;
#include "passes/passes.def"

extern const kd_pass_info kd_pass_infos[];
extern const unsigned kd_n_passes;

/* What every target runs first on what the front end makes. */
extern const char kd_default_pipeline[];
/* What comes after it for GPUs: from tiles to tiles with layouts. Passes that are not named here may not know layouts (canonicalize). */
extern const char kd_gpu_pipeline[];

enum { KD_DEFAULT_MAX_OPS = 500000 };

typedef struct kd_pipeline_options {
    const char *print_after; /* a pass, or "all": its result goes to the log as text */
    bool print_changed;      /* as print_after=all, but only where a pass changed something */
    const char *stop_after;  /* the last pass to run */
    bool time_passes;        /* a table in the log */
    bool verify;             /* after each pass; always in builds with KD_VERIFY */
    unsigned max_ops;        /* 0: KD_DEFAULT_MAX_OPS */
    const struct kd_gpu_config *gpu; /* for passes of the gpu level */
    kd_strbuf *log;          /* may be NULL where nothing is to be logged */
    kd_arena *scratch;       /* is reset after each pass; NULL: one of its own, within the module's budget */
    const kd_pass_info *more_passes; /* a target's own, known by name as ours are */
    unsigned n_more_passes;
} kd_pipeline_options;

/* Runs passes by their names, as "inline,canonicalize,cse"; "default" stands for kd_default_pipeline, "gpu" for kd_gpu_pipeline.
 * KD_ERR_ARGUMENT: no such pass (why says which). KD_ERR_REPORTED: a pass failed. KD_ERR_MEMORY: the module's budget is spent, and the IR in
 * any state. A pass that breaks the IR, or that changes it and says it did not, is a bug and aborts. */
kd_status kd_pipeline_run(kd_module *module, const char *passes, const kd_pipeline_options *options, kd_diags *diags, kd_failure *out_why);

#endif
