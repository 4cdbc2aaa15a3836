/* symbols.h - the functions outside that kernel code may call. */
#ifndef KD_RUNTIME_CPU_SYMBOLS_H
#define KD_RUNTIME_CPU_SYMBOLS_H

/* The address of a function by name: libm's and libmvec's, the compiler's own helpers, and a few of libc. NULL: none of those. */
void *kd_cpu_symbol(const char *name);

#endif
