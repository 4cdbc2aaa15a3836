/* map.c - open addressing with linear probing over a dense array of entries. */
#include "base/map.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t kd_hash_bytes(const void *data, size_t n_bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, n_bytes, seed);
}

static uint64_t key_hash(kd_str key)
{
    return key.len == SIZE_MAX ? kd_hash_bytes(&key.ptr, sizeof key.ptr, 0) : kd_hash_bytes(key.ptr, key.len, 0);
}

static bool key_equal(kd_str a, kd_str b)
{
    return a.len == b.len && (a.len == SIZE_MAX ? a.ptr == b.ptr : kd_str_equal(a, b));
}

static unsigned find_slot(const kd_map *map, kd_str key)
{
    unsigned mask = map->n_slots - 1, slot = (unsigned)key_hash(key) & mask;
    while (map->slots[slot] && !key_equal(map->entries[map->slots[slot] - 1].key, key))
        slot = (slot + 1) & mask;
    return slot;
}

void *kd_map_get(const kd_map *map, kd_str key)
{
    if (!map->n_slots)
        return NULL;
    uint32_t at = map->slots[find_slot(map, key)];
    return at ? map->entries[at - 1].value : NULL;
}

static void grow(kd_map *map)
{
    unsigned n_slots = map->n_slots ? map->n_slots * 2 : 16;
    kd_map_entry *entries = kd_arena_array(map->arena, kd_map_entry, n_slots / 2);
    if (map->n_entries)
        memcpy(entries, map->entries, map->n_entries * sizeof *entries);
    map->entries = entries;
    map->entry_capacity = n_slots / 2;
    map->slots = kd_arena_array(map->arena, uint32_t, n_slots);
    map->n_slots = n_slots;
    for (unsigned i = 0; i < map->n_entries; i++)
        map->slots[find_slot(map, entries[i].key)] = i + 1;
}

void **kd_map_at(kd_map *map, kd_str key)
{
    if (map->n_slots) {
        uint32_t at = map->slots[find_slot(map, key)];
        if (at)
            return &map->entries[at - 1].value;
    }
    if (map->n_entries == map->entry_capacity)
        grow(map);
    map->entries[map->n_entries] = (kd_map_entry){key, NULL};
    map->slots[find_slot(map, key)] = ++map->n_entries;
    return &map->entries[map->n_entries - 1].value;
}

static kd_str ptr_key(const void *key)
{
    return (kd_str){key, SIZE_MAX};
}

void *kd_map_get_ptr(const kd_map *map, const void *key)
{
    return kd_map_get(map, ptr_key(key));
}

void **kd_map_at_ptr(kd_map *map, const void *key)
{
    return kd_map_at(map, ptr_key(key));
}
