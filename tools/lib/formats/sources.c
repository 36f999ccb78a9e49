/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/sources.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "formats/audiocraft-config.h"
#include "formats/model-parts.h"

enum { INDEX_MAX_BYTES = 16 << 20 };

static bool holds(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    bool found = file_exists(path);
    free(path);
    return found;
}

const char *sources_weights(const char *folder)
{
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                        "pytorch_model.bin.index.json"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (holds(folder, names[i]))
            return names[i];
    return NULL;
}

static int check_shard_name(const char *name)
{
    if (!name || !name[0] || name[0] == '.' || strchr(name, '/'))
        return fail("weight_map names '%.100s', which is no plain file name", name ? name : "");
    return 0;
}

json_t *sources_map(const char *path)
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

json_t *sources_files(const struct source *source)
{
    if (!has_suffix(source->weights, ".index.json"))
        return json_pack("[s]", source->weights);
    char *index = path_join(source->folder, source->weights);
    json_t *map = sources_map(index), *names = map ? shard_names(map) : NULL;
    if (names)
        json_array_append_new(names, json_string(source->weights));
    json_decref(map);
    free(index);
    return names;
}

/* Owns label and folder. */
static void add(struct sources *sources, enum naming naming, char *folder, char *label, const char *weights)
{
    sources->items[sources->count++] = (struct source){naming, folder, label, weights};
}

/* A part by its hub id, beside the model or in a cache. */
static int add_part(struct sources *sources, enum naming naming, const char *id, const char *beside)
{
    char *folder = model_part_find(id, beside);
    if (!folder)
        return -1;
    add(sources, naming, folder, copy_string(path_name(id)), sources_weights(folder));
    return 0;
}

/* The tokenizer belongs to the text encoder; some repositories hold it beside the language model. */
static char *tokenizer_of(const char *text_folder, const char *folder)
{
    return path_join(holds(text_folder, "spiece.model") ? text_folder : folder, "spiece.model");
}

static int find_audiocraft(struct sources *sources, const char *folder)
{
    char *text = NULL, *codec = NULL;
    int result = audiocraft_parts(folder, &text, &codec);
    sources->audiocraft = true;
    if (result == 0) {
        add(sources, NAMES_AUDIOCRAFT_LANGUAGE, copy_string(folder), copy_string(""), AUDIOCRAFT_LANGUAGE_FILE);
        if (codec)
            result = add_part(sources, NAMES_ENCODEC, codec, folder);
        else
            add(sources, NAMES_AUDIOCRAFT_CODEC, copy_string(folder), copy_string(""), AUDIOCRAFT_CODEC_FILE);
    }
    if (result == 0 && add_part(sources, NAMES_TEXT, text, folder))
        result = -1;
    free(text);
    free(codec);
    if (result == 0)
        sources->tokenizer = tokenizer_of(sources->items[sources->count - 1].folder, folder);
    else
        sources_release(sources);
    return result;
}

static int find_transformers(struct sources *sources, const char *folder, const char *weights)
{
    add(sources, NAMES_MODEL, copy_string(folder), copy_string(""), weights);
    sources->tokenizer = path_join(folder, "spiece.model");
    return 0;
}

/* Of all weights; what cannot be looked at counts as nothing and fails when it is opened. */
static int64_t total_bytes(const struct sources *sources)
{
    int64_t total = 0;
    for (size_t i = 0; i < sources->count; i++) {
        json_t *files = sources_files(&sources->items[i]);
        for (size_t j = 0; j < json_array_size(files); j++) {
            struct stat status;
            char *path = path_join(sources->items[i].folder, json_string_value(json_array_get(files, j)));
            if (stat(path, &status) == 0)
                total += status.st_size;
            free(path);
        }
        json_decref(files);
    }
    return total;
}

/* audiocraft's layout if it is whole and has fewer bytes: published, it is float16 where transformers' is float32. */
static int find_smaller(struct sources *sources, const char *folder, const char *weights)
{
    struct sources other = {0};
    bool whole = find_audiocraft(sources, folder) == 0;
    failure_clear();
    find_transformers(&other, folder, weights);
    bool smaller = whole && total_bytes(sources) < total_bytes(&other);
    failure_clear();
    sources_release(smaller ? &other : sources);
    if (!smaller)
        *sources = other;
    return 0;
}

int sources_find(struct sources *sources, const char *folder)
{
    const char *weights = sources_weights(folder);
    bool audiocraft = holds(folder, AUDIOCRAFT_LANGUAGE_FILE) && holds(folder, AUDIOCRAFT_CODEC_FILE);
    *sources = (struct sources){0};
    if (failed())
        return -1;
    if (weights && audiocraft && holds(folder, "config.json"))
        return find_smaller(sources, folder, weights);
    if (audiocraft)
        return find_audiocraft(sources, folder);
    if (weights)
        return find_transformers(sources, folder, weights);
    if (holds(folder, AUDIOCRAFT_LANGUAGE_FILE))
        return fail("'%s' holds '" AUDIOCRAFT_LANGUAGE_FILE "' but no '" AUDIOCRAFT_CODEC_FILE "'; fetch the model again", folder);
    return fail("'%s' holds no weights: neither 'model.safetensors' nor 'pytorch_model.bin', in one file or in shards with an "
                "index, nor '" AUDIOCRAFT_LANGUAGE_FILE "'; fetch the model again", folder);
}

void sources_release(struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        free(sources->items[i].folder);
        free(sources->items[i].label);
    }
    free(sources->tokenizer);
    *sources = (struct sources){0};
}
