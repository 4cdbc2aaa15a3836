/* codegen_open.h - opens the compiler half, libkdsl-codegen, when a kernel must be compiled. */
#ifndef KD_DSL_CODEGEN_OPEN_H
#define KD_DSL_CODEGEN_OPEN_H

#include "base/failure.h"
#include "targets/codegen.h"

/* The library beside libkdsl, loaded on the first call and kept. NULL: it is missing or of another build; out_why says so. Thread-safe. */
const kd_codegen *kd_codegen_open(kd_failure *out_why);

#endif
