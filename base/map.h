/* map.h - a hash map from text or pointers to pointers, in an arena. Iteration is in the order of insertion. */
#ifndef KD_BASE_MAP_H
#define KD_BASE_MAP_H

#include "base/str.h"

#include <stdint.h>

typedef struct kd_map_entry {
    kd_str key; /* pointer keys: ptr is the key itself, len is SIZE_MAX */
    void *value;
} kd_map_entry;

typedef struct kd_map {
    kd_arena *arena;
    kd_map_entry *entries; /* n_entries of them, in the order of insertion */
    uint32_t *slots;       /* index into entries + 1, or 0 */
    unsigned n_entries, entry_capacity, n_slots;
} kd_map;

static inline kd_map kd_map_in(kd_arena *arena)
{
    return (kd_map){.arena = arena};
}

/* The value of a key, or NULL. */
void *kd_map_get(const kd_map *map, kd_str key);
void *kd_map_get_ptr(const kd_map *map, const void *key);
/* The place of a key's value, made (NULL) where it does not exist. Valid until the next kd_map_at. The key's text is not copied. */
void **kd_map_at(kd_map *map, kd_str key);
void **kd_map_at_ptr(kd_map *map, const void *key);

/* A hash for tables of other shapes. */
uint64_t kd_hash_bytes(const void *data, size_t n_bytes, uint64_t seed);

#endif
