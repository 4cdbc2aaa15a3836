/* run_fault.c - what 'kdsl run' says where a kernel touches memory that is none of its arrays', as far as the processor notices.
 *
 * The message is written by a signal handler, on the thread that ran into the fault: it uses what was put down before, and nothing that locks. */
#include "cli/run_impl.h"

#include <signal.h>
#include <unistd.h>

enum { MAX_WATCHED = 64 };

typedef struct watched {
    const char *name;
    uintptr_t begin, end;
} watched;

static watched arrays[MAX_WATCHED];
static unsigned n_arrays;
static const char *kernel_name;

static const int SIGNALS[] = {SIGSEGV, SIGBUS};
enum { N_SIGNALS = sizeof SIGNALS / sizeof *SIGNALS };
static struct sigaction before[N_SIGNALS];

static void put(const char *text)
{
    size_t n = strlen(text);
    while (n) {
        ssize_t written = write(STDERR_FILENO, text, n);
        if (written <= 0)
            return;
        text += written;
        n -= (size_t)written;
    }
}

static void put_number(uintptr_t v)
{
    char digits[24];
    unsigned at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    put(digits + at);
}

/* ": 40 bytes behind the end of 'x'". */
static void put_nearest(uintptr_t address)
{
    const watched *nearest = NULL;
    uintptr_t least = UINTPTR_MAX;
    for (unsigned i = 0; i < n_arrays; i++) {
        uintptr_t distance = address < arrays[i].begin ? arrays[i].begin - address : address - arrays[i].end;
        if (distance < least) {
            least = distance;
            nearest = &arrays[i];
        }
    }
    if (!nearest)
        return;
    put(": ");
    put_number(least);
    put(address < nearest->begin ? " bytes before '" : " bytes behind the end of '");
    put(nearest->name);
    put("'");
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    if (ftrylockfile(stdout) == 0) /* what the kernel has printed so far tells where it was */
        fflush_unlocked(stdout);
    put("kdsl: error: kernel '");
    put(kernel_name);
    put("' reads or writes memory that is in none of its arrays");
    if (info->si_code > 0 && info->si_addr)
        put_nearest((uintptr_t)info->si_addr);
    put("\n");
    _exit(KD_EXIT_KERNEL);
}

void run_fault_watch(run_args *args)
{
    kernel_name = args->kernel->name;
    n_arrays = 0;
    for (unsigned i = 0; i < args->n && n_arrays < MAX_WATCHED; i++) {
        const run_arg *arg = &args->data[i];
        if (arg->is_array)
            arrays[n_arrays++] = (watched){arg->name, (uintptr_t)arg->array.data, (uintptr_t)arg->array.data + arg->array.n_bytes};
    }
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    for (unsigned i = 0; i < N_SIGNALS; i++)
        sigaction(SIGNALS[i], &action, &before[i]);
}

void run_fault_forget(void)
{
    for (unsigned i = 0; i < N_SIGNALS; i++)
        sigaction(SIGNALS[i], &before[i], NULL);
}
