/* fault.c - what ZE_POCL asks for: calls that fail; and what is left behind in the end. */
#include "ze_pocl.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const zp_options DEFAULTS = {
    .device = "bmg", .platform = "Portable Computing Language", .n_devices = 1, .memory = 1ull << 32, .result = ZE_RESULT_ERROR_UNKNOWN};
zp_options zp_option = DEFAULTS;

static _Atomic uint64_t n_calls;
static _Atomic int alive[ZP_N_KINDS];
static const char *const kind_names[ZP_N_KINDS] = {"contexts", "command lists", "event pools", "events",
                                                   "modules",  "build logs",    "kernels",     "allocations"};
static _Thread_local char last_error[256];

static void set_without(const char *word)
{
    const struct {
        const char *word;
        bool *flag;
    } words[] = {{"f64", &zp_option.no_f64},           {"dpas", &zp_option.no_dpas},
                 {"block2d", &zp_option.no_block2d},   {"extensions", &zp_option.no_extensions},
                 {"in-order", &zp_option.no_in_order}, {"ip", &zp_option.no_ip}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i].word) == 0)
            *words[i].flag = true;
}

static void set_option(const char *key, const char *value)
{
    const struct {
        const char *key;
        uint64_t *value;
        int base;
    } numbers[] = {{"devices", &zp_option.n_devices, 10}, {"memory", &zp_option.memory, 10}, {"slm", &zp_option.slm, 10},
                   {"group", &zp_option.group, 10},       {"sizes", &zp_option.sizes, 10},   {"spill", &zp_option.spill, 10},
                   {"fail", &zp_option.fail, 10},         {"result", &zp_option.result, 16}, {"lose", &zp_option.lose, 10}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(key, numbers[i].key) == 0) {
            *numbers[i].value = strtoull(value, NULL, numbers[i].base);
            return;
        }
    if (strcmp(key, "device") == 0)
        snprintf(zp_option.device, sizeof zp_option.device, "%s", value);
    else if (strcmp(key, "platform") == 0)
        snprintf(zp_option.platform, sizeof zp_option.platform, "%s", value);
    else if (strcmp(key, "without") == 0)
        set_without(value);
    else if (strcmp(key, "trace") == 0)
        zp_option.trace = true;
    else
        fprintf(stderr, "ze_pocl: unknown key '%s' in ZE_POCL\n", key);
}

void ze_pocl_set(const char *text)
{
    zp_option = DEFAULTS;
    n_calls = 0;
    char *copy = text ? strdup(text) : NULL, *rest = copy;
    for (char *item; rest && (item = strsep(&rest, ",")) != NULL;) {
        char *equals = strchr(item, '=');
        if (equals) {
            *equals = '\0';
            set_option(item, equals + 1);
        }
    }
    free(copy);
}

uint64_t ze_pocl_calls(void)
{
    return n_calls;
}

int ze_pocl_alive(void)
{
    int n = 0;
    for (int i = 0; i < ZP_N_KINDS; i++)
        n += alive[i];
    return n;
}

__attribute__((constructor)) static void read_options(void)
{
    ze_pocl_set(getenv("ZE_POCL"));
}

__attribute__((destructor)) static void report(void)
{
    for (int i = 0; i < ZP_N_KINDS; i++)
        if (alive[i])
            fprintf(stderr, "ze_pocl: left behind: %d %s\n", alive[i], kind_names[i]);
    if (zp_option.fail > n_calls)
        fprintf(stderr, "ze_pocl: there were only %llu calls\n", (unsigned long long)n_calls);
}

void zp_count(zp_kind kind, int by)
{
    alive[kind] += by;
}

ze_result_t zp_enter(const char *call)
{
    uint64_t n = ++n_calls;
    ze_result_t result = ZE_RESULT_SUCCESS;
    if (n == zp_option.fail)
        result = zp_fail((ze_result_t)zp_option.result, "call %llu was to fail", (unsigned long long)n);
    if (zp_option.lose && n >= zp_option.lose)
        result = zp_fail(ZE_RESULT_ERROR_DEVICE_LOST, "the device fell off the bus");
    if (zp_option.trace)
        fprintf(stderr, "ze_pocl: call %llu %s%s\n", (unsigned long long)n, call, result ? " fails" : "");
    return result;
}

ze_result_t zp_fail(ze_result_t result, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(last_error, sizeof last_error, format, args);
    va_end(args);
    return result;
}

const char *zp_last_error(void)
{
    return last_error;
}
