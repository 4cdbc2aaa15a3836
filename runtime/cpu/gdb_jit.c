/* gdb_jit.c - gdb's JIT interface: a list of objects at a name that gdb knows, and a function where it sets a breakpoint.
 *
 * The names, the layout and the fact that both are global are the interface. They are kept out of the dynamic symbol table (LLVM
 * exports the same names and has a lock of its own around them); gdb finds them in the ordinary one.
 * Source: gdb manual, "JIT Compilation Interface". */
#include "runtime/cpu/gdb_jit.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

struct kd_gdb_entry { /* gdb's jit_code_entry */
    kd_gdb_entry *next, *prev;
    const char *object;
    uint64_t n_bytes;
};

typedef enum action { JIT_NOACTION, JIT_REGISTER, JIT_UNREGISTER } action;

typedef struct descriptor {
    uint32_t version;
    uint32_t action;
    kd_gdb_entry *relevant, *first;
} descriptor;

#define HIDDEN __attribute__((visibility("hidden")))
HIDDEN extern descriptor __jit_debug_descriptor;
HIDDEN __attribute__((used)) descriptor __jit_debug_descriptor = {.version = 1};

HIDDEN void __jit_debug_register_code(void);
HIDDEN __attribute__((noinline, used)) void __jit_debug_register_code(void)
{
    __asm__ volatile("" ::: "memory"); /* keeps the call */
}

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

kd_gdb_entry *kd_gdb_register(void *object, size_t n_bytes)
{
    kd_gdb_entry *entry = calloc(1, sizeof *entry);
    if (!entry) {
        free(object);
        return NULL;
    }
    entry->object = object;
    entry->n_bytes = n_bytes;
    pthread_mutex_lock(&list_lock);
    entry->next = __jit_debug_descriptor.first;
    if (entry->next)
        entry->next->prev = entry;
    __jit_debug_descriptor.first = __jit_debug_descriptor.relevant = entry;
    __jit_debug_descriptor.action = JIT_REGISTER;
    __jit_debug_register_code();
    __jit_debug_descriptor.action = JIT_NOACTION;
    __jit_debug_descriptor.relevant = NULL;
    pthread_mutex_unlock(&list_lock);
    return entry;
}

void kd_gdb_unregister(kd_gdb_entry *entry)
{
    if (!entry)
        return;
    pthread_mutex_lock(&list_lock);
    if (entry->prev)
        entry->prev->next = entry->next;
    else
        __jit_debug_descriptor.first = entry->next;
    if (entry->next)
        entry->next->prev = entry->prev;
    __jit_debug_descriptor.relevant = entry;
    __jit_debug_descriptor.action = JIT_UNREGISTER;
    __jit_debug_register_code();
    __jit_debug_descriptor.action = JIT_NOACTION;
    __jit_debug_descriptor.relevant = NULL;
    pthread_mutex_unlock(&list_lock);
    free((void *)entry->object);
    free(entry);
}
