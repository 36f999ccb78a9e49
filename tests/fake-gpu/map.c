/* SPDX-License-Identifier: Apache-2.0
 * Pointers to pointers.
 */
#include <stdlib.h>

#include "fake.h"

struct entry {
    const void *key;
    void *value;
    struct entry *next;
};

static struct entry **place_of(const struct map *map, const void *key)
{
    uint64_t hash = (uint64_t)(uintptr_t)key * UINT64_C(0x9E3779B97F4A7C15);
    struct entry **place = (struct entry **)&map->buckets[hash >> 52];
    while (*place && (*place)->key != key)
        place = &(*place)->next;
    return place;
}

void *map_get(const struct map *map, const void *key)
{
    struct entry *entry = *place_of(map, key);
    return entry ? entry->value : NULL;
}

void map_put(struct map *map, const void *key, void *value)
{
    struct entry **place = place_of(map, key);
    if (!*place) {
        *place = calloc(1, sizeof **place);
        if (!*place)
            abort();
        (*place)->key = key;
    }
    (*place)->value = value;
}

void *map_take(struct map *map, const void *key)
{
    struct entry **place = place_of(map, key), *entry = *place;
    if (!entry)
        return NULL;
    void *value = entry->value;
    *place = entry->next;
    free(entry);
    return value;
}

void map_each(const struct map *map, void (*visit)(const void *key, void **value, void *context), void *context)
{
    for (size_t i = 0; i < sizeof map->buckets / sizeof *map->buckets; i++)
        for (struct entry *entry = map->buckets[i]; entry; entry = entry->next)
            visit(entry->key, &entry->value, context);
}
