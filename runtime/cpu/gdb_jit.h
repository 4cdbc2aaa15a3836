/* gdb_jit.h - tells a debugger about code that was made at run time. */
#ifndef KD_RUNTIME_CPU_GDB_JIT_H
#define KD_RUNTIME_CPU_GDB_JIT_H

#include <stddef.h>

typedef struct kd_gdb_entry kd_gdb_entry;

/* object: an ELF object whose section headers have the addresses of the loaded sections; a block for free(), which the entry takes.
 * NULL where memory runs out: then the debugger does not hear of it, and nothing else is lost. */
kd_gdb_entry *kd_gdb_register(void *object, size_t n_bytes);
void kd_gdb_unregister(kd_gdb_entry *entry);

#endif
