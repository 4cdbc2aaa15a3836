/* key.h - what determines the object of a request, as a key in a store of kernels. */
#ifndef KD_DSL_KEY_H
#define KD_DSL_KEY_H

#include "base/hash.h"
#include "dsl/kdsl.h"

/* Before a line of the source is read. False: it is not to be kept (no object is wanted, or the file cannot be read). */
bool kd_request_key(const kd_compile_request *request, kd_hash *out);
/* What code for "cpu" depends on: the processor's model and features. */
void kd_hash_add_processor(kd_hash *key);
/* The version and the build of the compiler. */
void kd_hash_add_compiler(kd_hash *key);
/* For free(); NULL: no memory, or no working folder. */
char *kd_absolute_path(const char *path);

#endif
