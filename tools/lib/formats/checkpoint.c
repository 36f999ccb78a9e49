/* SPDX-License-Identifier: Apache-2.0
 * All tensors of all files in one table, sorted by name. An index ("weight_map": tensor -> shard) must say exactly
 * what the shards hold: a shard of another model, or a tensor in two shards, is found here.
 */
#include "formats/checkpoint.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "formats/audiocraft-names.h"
#include "formats/torch-file.h"

struct entry {
    struct array array;
    bool taken, ignored;
};

/* One of the two is open. */
struct weight_file {
    struct safetensors *safetensors;
    struct torch_file *torch;
};

struct checkpoint {
    char *folder;
    struct weight_file *files;
    size_t file_count, file_capacity;
    char **names;              /* of entries */
    struct entry *entries;     /* sorted by name */
    size_t count, capacity, name_capacity;
};

static size_t file_count(const struct weight_file *file)
{
    return file->torch ? torch_file_count(file->torch) : safetensors_count(file->safetensors);
}

static const struct array *file_array(const struct weight_file *file, size_t index)
{
    return file->torch ? torch_file_array(file->torch, index) : safetensors_array(file->safetensors, index);
}

static const struct array *file_find(const struct weight_file *file, const char *name)
{
    return file->torch ? torch_file_find(file->torch, name) : safetensors_find(file->safetensors, name);
}

/* The opened file, kept in the checkpoint until the next one is opened; NULL on failure. */
static const struct weight_file *open_file(struct checkpoint *checkpoint, const char *path)
{
    struct weight_file file = {0};
    if (has_suffix(path, ".bin"))
        file.torch = torch_file_open(path);
    else
        file.safetensors = safetensors_open(path);
    if (!file.torch && !file.safetensors)
        return NULL;
    checkpoint->files = grow(checkpoint->files, checkpoint->file_count, &checkpoint->file_capacity, sizeof *checkpoint->files);
    checkpoint->files[checkpoint->file_count] = file;
    return &checkpoint->files[checkpoint->file_count++];
}

/* Everything in the shard must be mapped to it. */
static int check_shard(const struct weight_file *shard, const json_t *map, const char *path)
{
    for (size_t i = 0; i < file_count(shard); i++) {
        const char *name = file_array(shard, i)->name, *mapped = json_string_value(json_object_get(map, name));
        if (!mapped || strcmp(mapped, path_name(path)) != 0)
            return fail("'%s': tensor '%.200s' is not there by the index", path, name);
    }
    return 0;
}

/* Everything mapped to the shard must be in it. */
static int check_map(const struct weight_file *shard, json_t *map, const char *path)
{
    const char *name;
    json_t *mapped;
    json_object_foreach(map, name, mapped)
        if (strcmp(json_string_value(mapped), path_name(path)) == 0 && !file_find(shard, name))
            return fail("'%s': tensor '%.200s' is missing, but in the index", path, name);
    return 0;
}

/* Owns the name. */
static void add_entry(struct checkpoint *checkpoint, const struct array *array, char *name)
{
    size_t i = checkpoint->count;
    checkpoint->entries = grow(checkpoint->entries, i, &checkpoint->capacity, sizeof *checkpoint->entries);
    checkpoint->names = grow(checkpoint->names, i, &checkpoint->name_capacity, sizeof *checkpoint->names);
    checkpoint->entries[i] = (struct entry){.array = *array};
    checkpoint->entries[i].array.name = checkpoint->names[i] = name;
    checkpoint->count++;
}

/* Part `index` of `count` of the rows, in place. */
static struct array rows_of(const struct array *array, int index, int count)
{
    struct array part = *array;
    part.shape[0] /= count;
    part.bytes /= (size_t)count;
    part.data = (const char *)array->data + (size_t)index * part.bytes;
    return part;
}

/* The array under the name, or the names, that transformers' layout has for it. */
static int add_array(struct checkpoint *checkpoint, const struct array *array, enum naming naming)
{
    char *names[NAMES_PER_TENSOR];
    int count = audiocraft_names(naming, array->name, names);
    bool divisible = count <= 1 || (array->rank > 0 && array->shape[0] % count == 0);
    for (int i = 0; i < count; i++) {
        struct array part = divisible && count > 1 ? rows_of(array, i, count) : *array;
        add_entry(checkpoint, &part, names[i]);
    }
    if (count < 0)
        return -1;
    return divisible ? 0 : fail("tensor '%s' is %s, not three matrices", array->name, shape_text(array->rank, array->shape));
}

static int add_file(struct checkpoint *checkpoint, const struct source *source, const char *name, json_t *map)
{
    char *path = path_join(source->folder, name);
    const struct weight_file *file = open_file(checkpoint, path);
    int result = file ? 0 : -1;
    if (file && map && (check_shard(file, map, path) || check_map(file, map, path)))
        result = -1;
    for (size_t i = 0; result == 0 && i < file_count(file); i++)
        if (add_array(checkpoint, file_array(file, i), source->naming))
            result = failure_within("'%s'", path);
    free(path);
    return result;
}

static int add_source(struct checkpoint *checkpoint, const struct source *source)
{
    bool sharded = has_suffix(source->weights, ".index.json");
    char *index = path_join(source->folder, source->weights);
    json_t *files = sources_files(source), *map = sharded && files ? sources_map(index) : NULL;
    size_t count = json_array_size(files) - (sharded && files ? 1 : 0);
    int result = files && (map || !sharded) ? 0 : -1;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = add_file(checkpoint, source, json_string_value(json_array_get(files, i)), map);
    json_decref(files);
    json_decref(map);
    free(index);
    return result;
}

static int by_name(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    return strcmp(a->array.name, b->array.name);
}

static int sort_entries(struct checkpoint *checkpoint)
{
    if (checkpoint->count)
        qsort(checkpoint->entries, checkpoint->count, sizeof *checkpoint->entries, by_name);
    for (size_t i = 1; i < checkpoint->count; i++)
        if (by_name(&checkpoint->entries[i - 1], &checkpoint->entries[i]) == 0)
            return fail("'%s': tensor '%.200s' is there twice", checkpoint->folder, checkpoint->entries[i].array.name);
    return 0;
}

static int add_sources(struct checkpoint *checkpoint)
{
    struct sources sources = {0};
    int result = sources_find(&sources, checkpoint->folder);
    for (size_t i = 0; result == 0 && i < sources.count; i++)
        result = add_source(checkpoint, &sources.items[i]);
    sources_release(&sources);
    return result;
}

struct checkpoint *checkpoint_open(const char *folder)
{
    struct checkpoint *checkpoint = allocate(1, sizeof *checkpoint);
    checkpoint->folder = copy_string(folder);
    if (add_sources(checkpoint) == 0 && sort_entries(checkpoint) == 0)
        return checkpoint;
    checkpoint_close(checkpoint);
    return NULL;
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    for (size_t i = 0; i < checkpoint->count; i++)
        free(checkpoint->names[i]);
    for (size_t i = 0; i < checkpoint->file_count; i++) {
        safetensors_close(checkpoint->files[i].safetensors);
        torch_file_close(checkpoint->files[i].torch);
    }
    free(checkpoint->files);
    free(checkpoint->names);
    free(checkpoint->entries);
    free(checkpoint->folder);
    free(checkpoint);
}

static struct entry *find(const struct checkpoint *checkpoint, const char *name)
{
    const struct entry key = {.array = {.name = name}};
    return checkpoint->count ? bsearch(&key, checkpoint->entries, checkpoint->count, sizeof key, by_name) : NULL;
}

bool checkpoint_has(const struct checkpoint *checkpoint, const char *name)
{
    return find(checkpoint, name) != NULL;
}

const struct array *checkpoint_peek(const struct checkpoint *checkpoint, const char *name)
{
    const struct entry *entry = find(checkpoint, name);
    return entry ? &entry->array : NULL;
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
    if (check_array(&entry->array, rank, shape)) {
        failure_within("'%s'", checkpoint->folder);
        return NULL;
    }
    entry->taken = true;
    return &entry->array;
}

void checkpoint_ignore(struct checkpoint *checkpoint, const char *pattern)
{
    for (size_t i = 0; i < checkpoint->count; i++)
        if (fnmatch(pattern, checkpoint->entries[i].array.name, 0) == 0)
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
        bool ours = has_prefix(entry->array.name, prefix);
        if (entry->taken || entry->ignored || (!ours && below_known_prefix(entry->array.name)))
            continue;
        if (count++ == 0)
            first = entry->array.name;
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
