#include "base/nearest.h"

#include <strings.h>

kd_nearest kd_nearest_to(kd_str wanted)
{
    return (kd_nearest){.wanted = wanted, .limit = wanted.len < 3 ? 0 : wanted.len < 4 ? 1 : wanted.len < 8 ? 2 : 3};
}

/* Whether all letters of a stand in b, in order. */
static bool is_within(kd_str a, kd_str b)
{
    size_t at = 0;
    for (size_t i = 0; i < b.len && at < a.len; i++)
        at += a.ptr[at] == b.ptr[i];
    return at == a.len;
}

void kd_nearest_try(kd_nearest *nearest, kd_str candidate)
{
    if (!candidate.len)
        return;
    kd_str wanted = nearest->wanted;
    bool same_letters = candidate.len == wanted.len && strncasecmp(candidate.ptr, wanted.ptr, candidate.len) == 0;
    unsigned d = same_letters ? 0 : kd_str_distance(wanted, candidate, nearest->limit);
    bool is_nearer = d < nearest->limit || !nearest->best.len || (is_within(wanted, candidate) && !is_within(wanted, nearest->best));
    if (d <= nearest->limit && is_nearer) {
        nearest->limit = d;
        nearest->best = candidate;
    }
}

const char *kd_nearest_hint(kd_arena *arena, const kd_nearest *nearest)
{
    return nearest->best.len ? kd_arena_printf(arena, "; did you mean '%.*s'?", KD_STR_ARG(nearest->best)) : "";
}
