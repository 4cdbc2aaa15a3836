/* machine.c - which processors we know, and what their code may use. */
#include "targets/cpu/machine.h"
#include "targets/llvm/object.h"

#include <stdlib.h>

typedef struct known_cpu {
    const char *name;
    unsigned vector_bytes; /* 16: SSE4.2; 32: AVX2, FMA, F16C; 64: AVX-512 F, BW, DQ, VL besides */
} known_cpu;

static const known_cpu cpus[] = {
    {"x86-64-v2", 16},     {"x86-64-v3", 32},      {"x86-64-v4", 64},   {"nehalem", 16},        {"westmere", 16},       {"sandybridge", 16},
    {"ivybridge", 16},     {"haswell", 32},        {"broadwell", 32},   {"skylake", 32},        {"skylake-avx512", 64}, {"cascadelake", 64},
    {"cooperlake", 64},    {"icelake-client", 64}, {"tigerlake", 64},   {"icelake-server", 64}, {"rocketlake", 64},     {"sapphirerapids", 64},
    {"emeraldrapids", 64}, {"graniterapids", 64},  {"alderlake", 32},   {"raptorlake", 32},     {"meteorlake", 32},     {"arrowlake", 32},
    {"lunarlake", 32},     {"znver1", 32},         {"znver2", 32},      {"znver3", 32},         {"znver4", 64},         {"znver5", 64},
};

static void allow(kd_machine *m, unsigned vector_bytes)
{
    m->vector_bytes = vector_bytes;
    m->has_avx2 = m->has_fma = m->has_f16c = vector_bytes >= 32;
    m->has_avx512 = vector_bytes >= 64;
}

static bool has(const char *features, const char *feature)
{
    size_t n = strlen(feature);
    for (const char *at = features; (at = strstr(at, feature)); at += n)
        if (at > features && at[-1] == '+' && (at[n] == ',' || !at[n]))
            return true;
    return false;
}

/* The features say it: a virtual machine may hide some of its processor's. */
static bool find_host(kd_machine *m, kd_arena *arena)
{
    kd_object_host(&m->cpu, &m->features);
    const char *f = m->features;
    bool v2 = has(f, "sse4.2") && has(f, "ssse3") && has(f, "popcnt"), v3 = v2 && has(f, "avx2") && has(f, "fma") && has(f, "f16c");
    bool v4 = v3 && has(f, "avx512f") && has(f, "avx512bw") && has(f, "avx512dq") && has(f, "avx512vl");
    allow(m, v4 ? 64 : v3 ? 32 : 16);
    m->name = kd_arena_printf(arena, "cpu:%s+%08x", m->cpu, (unsigned)kd_hash_bytes(f, strlen(f), 0));
    return v2;
}

bool kd_machine_find(const char *target, kd_arena *arena, kd_machine *out)
{
    kd_machine m = {.features = ""};
    kd_str text = kd_str_of(target);
    if (!kd_str_starts_with(text, "cpu"))
        return false;
    if (text.len == 3 || kd_str_is(text, "cpu:host")) {
        if (!find_host(&m, arena))
            return false;
        *out = m;
        return true;
    }
    if (text.ptr[3] != ':')
        return false;
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
        if (kd_str_is(text, kd_arena_printf(arena, "cpu:%s", cpus[i].name))) {
            m.cpu = cpus[i].name;
            m.name = kd_arena_strdup(arena, target);
            allow(&m, cpus[i].vector_bytes);
            *out = m;
            return true;
        }
    }
    if (find_host(&m, arena) && kd_str_is(text, m.name)) { /* the spelled-out name of this machine */
        *out = m;
        return true;
    }
    return false;
}
