/* inspect_impl.h - inspection and evaluation without a compiler around them. */
#ifndef KD_DSL_INSPECT_IMPL_H
#define KD_DSL_INSPECT_IMPL_H

#include "dsl/inspect.h"
#include "parser/parser.h"

/* What a parsed file offers. Bodies are parsed to tell kernels from helpers. Their errors go to diags if loud; else bodies with errors stay
 * unparsed, and who needs one later reports them. */
const kd_file_info *kd_inspect_module(kd_arena *arena, kd_diags *diags, bool loud, const kd_module_ast *module);
/* NULL: reported to diags. */
const kd_kernel_info *kd_inspect_find(kd_arena *arena, kd_diags *diags, const kd_file_info *info, const char *path, const char *kernel);

/* False: reported to diags, or a callback of the scope has said no to a name that it knows. */
bool kd_eval_text(kd_arena *arena, kd_diags *diags, const char *what, const char *text, const kd_eval_scope *scope, kd_eval_value *out);

#endif
