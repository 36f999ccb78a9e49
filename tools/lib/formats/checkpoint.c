/* SPDX-License-Identifier: Apache-2.0
 * All tensors of all shards in one table, sorted by name. The index ("weight_map": tensor -> shard) must say exactly
 * what the shards hold: a shard of another model, or a tensor in two shards, is found here.
 */
#include "formats/checkpoint.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#define WEIGHTS_FILE "model.safetensors"
#define INDEX_FILE "model.safetensors.index.json"

enum { INDEX_MAX_BYTES = 16 << 20 };

struct entry {
    const struct array *array;
    bool taken, ignored;
};

struct checkpoint {
    char *folder;
    struct safetensors **shards;
    size_t shard_count;
    struct entry *entries; /* sorted by name */
    size_t count;
};

static bool holds(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    bool found = file_exists(path);
    free(path);
    return found;
}

bool checkpoint_present(const char *folder)
{
    return holds(folder, WEIGHTS_FILE) || holds(folder, INDEX_FILE);
}

int checkpoint_missing(const char *folder)
{
    static const struct {
        const char *name, *advice;
    } others[] = {
        {"state_dict.bin", "audiocraft's layout, which this version does not read; take the model in transformers' layout"},
        {"pytorch_model.bin", "which this version does not read; convert the model by transformers' save_pretrained"},
        {"pytorch_model.bin.index.json", "which this version does not read; convert the model by transformers' save_pretrained"},
    };
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (holds(folder, others[i].name))
            return fail("'%s' holds no '" WEIGHTS_FILE "' but '%s', %s", folder, others[i].name, others[i].advice);
    return fail("'%s' holds no weights: neither '" WEIGHTS_FILE "' nor '" INDEX_FILE "'; fetch the model again", folder);
}

static int check_shard_name(const char *name)
{
    if (!name || !name[0] || name[0] == '.' || strchr(name, '/'))
        return fail("weight_map names '%.100s', which is no plain file name", name ? name : "");
    return 0;
}

/* The map of tensor names to shard names; a new reference. */
static json_t *read_map(const char *path)
{
    json_t *index = json_read(path, INDEX_MAX_BYTES);
    if (!index)
        return NULL;
    json_t *map = json_incref(json_object_get(index, "weight_map")), *shard;
    const char *name;
    json_decref(index);
    int result = json_is_object(map) && json_object_size(map) ? 0 : fail("no weight_map");
    json_object_foreach(map, name, shard)
        if (result == 0)
            result = check_shard_name(json_string_value(shard));
    if (result == 0)
        return map;
    failure_within("'%s'", path);
    json_decref(map);
    return NULL;
}

static int by_text(const void *left, const void *right)
{
    return strcmp(json_string_value(*(json_t *const *)left), json_string_value(*(json_t *const *)right));
}

/* The shard names of a map, each once, sorted: so that every folder is opened in one order. */
static json_t *shard_names(json_t *map)
{
    size_t count = 0, total = json_object_size(map);
    json_t **all = allocate(total, sizeof *all), *names = json_array(), *shard;
    const char *tensor;
    json_object_foreach(map, tensor, shard)
        all[count++] = shard;
    qsort(all, count, sizeof *all, by_text);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || by_text(&all[i - 1], &all[i]))
            json_array_append(names, all[i]);
    free(all);
    return names;
}

/* The map of a sharded folder, NULL for a single file (no failure) or on failure. */
static json_t *folder_map(const char *folder)
{
    if (holds(folder, WEIGHTS_FILE))
        return NULL;
    char *path = path_join(folder, INDEX_FILE);
    json_t *map = file_exists(path) ? read_map(path) : NULL;
    if (!map && !failed())
        checkpoint_missing(folder);
    free(path);
    return map;
}

json_t *checkpoint_files(const char *folder)
{
    json_t *map = folder_map(folder);
    if (map) {
        json_t *names = shard_names(map);
        json_array_append_new(names, json_string(INDEX_FILE));
        json_decref(map);
        return names;
    }
    return failed() ? NULL : json_pack("[s]", WEIGHTS_FILE);
}

static int open_shard(struct checkpoint *checkpoint, const char *name)
{
    char *path = path_join(checkpoint->folder, name);
    struct safetensors *shard = safetensors_open(path);
    free(path);
    if (!shard)
        return -1;
    checkpoint->shards[checkpoint->shard_count++] = shard;
    return 0;
}

/* Everything in the shard must be mapped to it. */
static int check_shard(const struct safetensors *shard, const json_t *map, const char *folder, const char *shard_name)
{
    for (size_t i = 0; i < safetensors_count(shard); i++) {
        const char *name = safetensors_array(shard, i)->name;
        const char *mapped = json_string_value(json_object_get(map, name));
        if (!mapped || strcmp(mapped, shard_name) != 0)
            return fail("'%s/%s': tensor '%.200s' is not there by '" INDEX_FILE "'", folder, shard_name, name);
    }
    return 0;
}

/* Everything mapped to the shard must be in it. */
static int check_map(const struct safetensors *shard, json_t *map, const char *folder, const char *shard_name)
{
    const char *name;
    json_t *mapped;
    json_object_foreach(map, name, mapped)
        if (strcmp(json_string_value(mapped), shard_name) == 0 && !safetensors_find(shard, name))
            return fail("'%s/%s': tensor '%.200s' is missing, but in '" INDEX_FILE "'", folder, shard_name, name);
    return 0;
}

static int open_shards(struct checkpoint *checkpoint, json_t *map, const json_t *names)
{
    checkpoint->shards = allocate(json_array_size(names), sizeof *checkpoint->shards);
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (open_shard(checkpoint, name))
            return -1;
        const struct safetensors *shard = checkpoint->shards[i];
        if (map && (check_shard(shard, map, checkpoint->folder, name) || check_map(shard, map, checkpoint->folder, name)))
            return -1;
    }
    return 0;
}

static int open_files(struct checkpoint *checkpoint)
{
    json_t *map = folder_map(checkpoint->folder);
    if (!map && failed())
        return -1;
    json_t *names = map ? shard_names(map) : json_pack("[s]", WEIGHTS_FILE);
    int result = open_shards(checkpoint, map, names);
    json_decref(names);
    json_decref(map);
    return result;
}

static int by_name(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    return strcmp(a->array->name, b->array->name);
}

static void list_entries(struct checkpoint *checkpoint)
{
    size_t total = 0;
    for (size_t i = 0; i < checkpoint->shard_count; i++)
        total += safetensors_count(checkpoint->shards[i]);
    checkpoint->entries = allocate(total, sizeof *checkpoint->entries);
    for (size_t i = 0; i < checkpoint->shard_count; i++)
        for (size_t j = 0; j < safetensors_count(checkpoint->shards[i]); j++)
            checkpoint->entries[checkpoint->count++].array = safetensors_array(checkpoint->shards[i], j);
    qsort(checkpoint->entries, checkpoint->count, sizeof *checkpoint->entries, by_name);
}

struct checkpoint *checkpoint_open(const char *folder)
{
    struct checkpoint *checkpoint = allocate(1, sizeof *checkpoint);
    checkpoint->folder = copy_string(folder);
    if (open_files(checkpoint)) {
        checkpoint_close(checkpoint);
        return NULL;
    }
    list_entries(checkpoint);
    return checkpoint;
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    for (size_t i = 0; i < checkpoint->shard_count; i++)
        safetensors_close(checkpoint->shards[i]);
    free(checkpoint->shards);
    free(checkpoint->entries);
    free(checkpoint->folder);
    free(checkpoint);
}

static struct entry *find(const struct checkpoint *checkpoint, const char *name)
{
    struct array wanted = {.name = name};
    struct entry key = {.array = &wanted};
    return checkpoint->count ? bsearch(&key, checkpoint->entries, checkpoint->count, sizeof key, by_name) : NULL;
}

bool checkpoint_has(const struct checkpoint *checkpoint, const char *name)
{
    return find(checkpoint, name) != NULL;
}

const struct array *checkpoint_peek(const struct checkpoint *checkpoint, const char *name)
{
    const struct entry *entry = find(checkpoint, name);
    return entry ? entry->array : NULL;
}

static int check_array(const struct array *array, int rank, const int64_t *shape)
{
    bool same = array->rank == rank;
    for (int i = 0; same && i < rank; i++)
        same = array->shape[i] == shape[i];
    if (!same)
        return fail("tensor '%s' is %s, expected %s", array->name, shape_text(array->rank, array->shape),
                    shape_text(rank, shape));
    if (array->type != ELEMENT_F32 && array->type != ELEMENT_F16 && array->type != ELEMENT_BF16)
        return fail("tensor '%s' holds %s, expected F32, F16 or BF16", array->name, element_name(array->type));
    return 0;
}

const struct array *checkpoint_take(struct checkpoint *checkpoint, int rank, const int64_t *shape, const char *name, ...)
{
    char full[256];
    va_list arguments;
    va_start(arguments, name);
    vsnprintf(full, sizeof full, name, arguments);
    va_end(arguments);
    struct entry *entry = find(checkpoint, full);
    if (!entry) {
        fail("'%s': tensor '%s' is missing", checkpoint->folder, full);
        return NULL;
    }
    if (check_array(entry->array, rank, shape)) {
        failure_within("'%s'", checkpoint->folder);
        return NULL;
    }
    entry->taken = true;
    return entry->array;
}

void checkpoint_ignore(struct checkpoint *checkpoint, const char *pattern)
{
    for (size_t i = 0; i < checkpoint->count; i++)
        if (fnmatch(pattern, checkpoint->entries[i].array->name, 0) == 0)
            checkpoint->entries[i].ignored = true;
}

static bool below_known_prefix(const char *name)
{
    static const char *const known[] = {"text_encoder.", "decoder.", "audio_encoder.", "enc_to_dec_proj.",
                                        "audio_enc_to_dec_proj."};
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (has_prefix(name, known[i]))
            return true;
    return false;
}

int checkpoint_finish(const struct checkpoint *checkpoint, const char *prefix)
{
    const char *first = NULL;
    size_t count = 0;
    for (size_t i = 0; i < checkpoint->count; i++) {
        const struct entry *entry = &checkpoint->entries[i];
        bool ours = has_prefix(entry->array->name, prefix);
        if (entry->taken || entry->ignored || (!ours && below_known_prefix(entry->array->name)))
            continue;
        if (count++ == 0)
            first = entry->array->name;
    }
    if (!count)
        return 0;
    return count == 1 ? fail("'%s': tensor '%.200s' is not known; the model is of another kind", checkpoint->folder, first)
                      : fail("'%s': %zu tensors are not known, the first is '%.200s'; the model is of another kind",
                             checkpoint->folder, count, first);
}

const char *checkpoint_folder(const struct checkpoint *checkpoint)
{
    return checkpoint->folder;
}
