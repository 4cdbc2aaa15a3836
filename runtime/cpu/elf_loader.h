/* elf_loader.h - makes one relocatable x86-64 ELF object in memory callable. */
#ifndef KD_RUNTIME_CPU_ELF_LOADER_H
#define KD_RUNTIME_CPU_ELF_LOADER_H

#include "base/failure.h"

#include <stddef.h>

typedef struct kd_elf_image kd_elf_image;

/* The address of a function that the object needs but does not have; NULL: nobody has it. */
typedef void *kd_elf_resolver(void *user, const char *name);

/* Places the object's sections in one mapping, resolves its symbols, and makes code executable, constants read-only and data
 * writable, none of them two at once. Tells gdb. The bytes are not needed afterwards. KD_ERR_DAMAGED: not a relocatable x86-64 ELF
 * object, or one that contradicts itself; every offset in it is checked, but not what its code does when it runs.
 * KD_ERR_UNSUPPORTED: it needs an unknown symbol, thread-local variables, constructors or a relocation that compilers do not make
 * for such code.  KD_ERR_MEMORY. */
kd_status kd_elf_load(const void *bytes, size_t n_bytes, kd_elf_resolver *resolve, void *user, kd_elf_image **out_image,
                      kd_failure *out_why);
void kd_elf_unload(kd_elf_image *image);

/* The address of a function that the object has; NULL: it has none of that name. */
void *kd_elf_function(const kd_elf_image *image, const char *name);

#endif
