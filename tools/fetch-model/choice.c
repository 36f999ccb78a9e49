/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch-model/choice.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "fetch-model/download.h"

/* A pointer at a codec is some hundred bytes, a codec 236 MB. */
enum { POINTER_MAX_BYTES = 1 << 16, INDEX_MAX_BYTES = 1 << 26, MOST_SHARDS = 1000 };

enum { MODEL, TEXT_ENCODER, CODEC }; /* repositories of a choice */

static const char CODEC_ID[] = "facebook/encodec_32khz"; /* what every published pointer points at */

/* One form under examination. */
struct form {
    struct choice choice;
    struct text missing; /* 'A', 'B' */
};

static void add(struct choice *choice, struct file *file)
{
    choice->files = grow(choice->files, choice->count, &choice->capacity, sizeof *choice->files);
    choice->files[choice->count++] = file;
}

/* A companion's files are told with its name. */
static void add_missing(struct form *form, const struct repository *repository, const char *name)
{
    bool own = repository == form->choice.repositories[MODEL];
    text_appendf(&form->missing, "%s'%s%s%s'", form->missing.length ? ", " : "", own ? "" : repository->id, own ? "" : "/", name);
}

/* Adds the file if it is there. */
static bool take(struct form *form, struct repository *repository, const char *name)
{
    struct file *file = repository_file(repository, name);
    if (file && file->present)
        add(&form->choice, file);
    return file && file->present;
}

static bool need(struct form *form, struct repository *repository, const char *name)
{
    bool there = take(form, repository, name);
    if (!there)
        add_missing(form, repository, name);
    return there;
}

/* shards */

/* The index is small and says which files there are: it is fetched at once, though linked only if it is chosen. */
static json_t *read_index(struct file *file)
{
    if (file->size > INDEX_MAX_BYTES) {
        fail("'%s' of '%s' is too large for an index", file->name, file->repository->id);
        return NULL;
    }
    if (!file->whole && download(file, NULL))
        return NULL;
    char *path = repository_content(file);
    json_t *index = json_read(path, INDEX_MAX_BYTES), *map = json_incref(json_object_get(index, "weight_map"));
    if (!failed() && !json_object_size(map))
        fail("'%s' names no weights", path);
    json_decref(index);
    free(path);
    return map;
}

static bool is_chosen(const struct form *form, const char *name)
{
    for (size_t i = 0; i < form->choice.count; i++)
        if (strcmp(form->choice.files[i]->name, name) == 0)
            return true;
    return false;
}

static void need_shards(struct form *form, struct file *index)
{
    json_t *map = read_index(index), *value;
    const char *key;
    json_object_foreach(map, key, value) {
        const char *name = json_string_value(value);
        if (!name || !hub_is_plain_name(name, strlen(name))) {
            fail("'%s' of '%s' names a file '%s', which is no plain name", index->name, index->repository->id, name ? name : "");
            break;
        }
        if (form->choice.count > MOST_SHARDS)
            fail("'%s' of '%s' names more than %d files", index->name, index->repository->id, MOST_SHARDS);
        if (failed() || (!is_chosen(form, name) && !need(form, index->repository, name) && failed()))
            break;
    }
    json_decref(map);
}

/* NAME, or NAME.index.json and what it names. */
static bool take_weights(struct form *form, struct repository *repository, const char *name)
{
    if (take(form, repository, name))
        return true;
    char *index = format_string("%s.index.json", name);
    bool sharded = take(form, repository, index);
    if (sharded)
        need_shards(form, form->choice.files[form->choice.count - 1]);
    free(index);
    return sharded;
}

static void need_weights(struct form *form, struct repository *repository)
{
    if (!take_weights(form, repository, "model.safetensors") && !take_weights(form, repository, "pytorch_model.bin"))
        add_missing(form, repository, "model.safetensors");
}

/* forms */

static const char *text_encoder_of(const char *id)
{
    return has_prefix(id, "facebook/audiogen-") ? "t5-large" : "t5-base";
}

/* The text encoders have had two names, "t5-base" and "google-t5/t5-base": the one that is in the cache, else the first. */
static char *name_in_cache(const char *root, const char *id)
{
    char *later = format_string("google-t5/%s", id), *folder = hub_folder(root, later), *commit = hub_commit(folder, "main");
    bool there = commit != NULL;
    failure_clear(); /* a damaged reference is as good as none */
    free(folder);
    free(commit);
    if (there)
        return later;
    free(later);
    return copy_string(id);
}

/* config.json is asked for first: most repositories without it have none of the others. */
static void examine_transformers(struct form *form)
{
    struct repository *repository = form->choice.repositories[MODEL];
    if (!need(form, repository, "config.json"))
        return;
    take(form, repository, "generation_config.json");
    take(form, repository, "preprocessor_config.json");
    need(form, repository, "spiece.model");
    need_weights(form, repository);
}

static void need_companion(struct form *form, int which, const char *id)
{
    const struct place *place = form->choice.repositories[MODEL]->place;
    if (failed())
        return;
    char *name = which == TEXT_ENCODER ? name_in_cache(place->root, id) : copy_string(id);
    struct repository *repository = repository_open(place, name, "main");
    free(name);
    form->choice.repositories[which] = repository;
    repository->optional = true; /* the model may have another form that is whole */
    need(form, repository, "config.json");
    if (which == TEXT_ENCODER)
        need(form, repository, "spiece.model");
    need_weights(form, repository);
}

static void examine_audiocraft(struct form *form)
{
    struct repository *repository = form->choice.repositories[MODEL];
    if (!need(form, repository, "state_dict.bin") || !need(form, repository, "compression_state_dict.bin"))
        return;
    struct file *codec = repository_file(repository, "compression_state_dict.bin");
    if (codec && codec->size <= POINTER_MAX_BYTES)
        need_companion(form, CODEC, CODEC_ID);
    need_companion(form, TEXT_ENCODER, text_encoder_of(repository->id));
}

static void examine_text_encoder(struct form *form)
{
    need(form, form->choice.repositories[MODEL], "config.json");
    need(form, form->choice.repositories[MODEL], "spiece.model");
    need_weights(form, form->choice.repositories[MODEL]);
}

static void examine_codec(struct form *form)
{
    need(form, form->choice.repositories[MODEL], "config.json");
    need_weights(form, form->choice.repositories[MODEL]);
}

/* choosing */

int64_t choice_bytes(const struct choice *choice)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < choice->count; i++)
        bytes += choice->files[i]->size;
    return bytes;
}

int64_t choice_bytes_to_come(const struct choice *choice)
{
    int64_t bytes = choice_bytes(choice);
    for (size_t i = 0; i < choice->count; i++)
        bytes -= download_have(choice->files[i]);
    return bytes;
}

static bool is_smaller(const struct choice *choice, const struct choice *than)
{
    int64_t bytes = choice_bytes_to_come(choice), others = choice_bytes_to_come(than);
    return bytes < others || (bytes == others && choice_bytes(choice) < choice_bytes(than));
}

static int explain(const struct repository *repository, const struct form *forms, size_t count)
{
    struct text missing = {0};
    for (size_t i = 0; i < count; i++)
        text_appendf(&missing, "%s%s", i ? "; or " : "", text_string(&forms[i].missing));
    if (repository->place->remote)
        fail("'%s' at '%s' holds no model in a form known here: it has no %s", repository->id, repository->place->remote->endpoint,
             text_string(&missing));
    else
        fail("'%s' is not whole in '%s' and nothing is fetched offline: missing is %s; run it without --offline and HF_HUB_OFFLINE",
             repository->id, repository->place->root, text_string(&missing));
    text_release(&missing);
    return -1;
}

typedef void examine_function(struct form *form);

static const char *const TEXT_ENCODERS[] = {"t5-", "google-t5/t5-"};

/* The forms an id can have, most usual first; returns how many. */
static size_t forms_of(const char *id, examine_function *examine[2])
{
    examine[0] = examine_transformers;
    examine[1] = examine_audiocraft;
    if (has_prefix(id, "facebook/encodec_"))
        examine[0] = examine_codec;
    else if (has_prefix(id, TEXT_ENCODERS[0]) || has_prefix(id, TEXT_ENCODERS[1]))
        examine[0] = examine_text_encoder;
    else
        return 2;
    return 1;
}

/* The choice takes the best whole form's files. */
static int take_best(struct choice *choice, struct form *forms, size_t count)
{
    struct form *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (!forms[i].missing.length && (!best || is_smaller(&forms[i].choice, &best->choice)))
            best = &forms[i];
    if (!best)
        return failed() ? -1 : explain(choice->repositories[MODEL], forms, count);
    choice->files = best->choice.files;
    choice->count = best->choice.count;
    choice->capacity = best->choice.capacity;
    best->choice.files = NULL;
    return 0;
}

int choice_make(struct choice *choice, const struct place *place, const char *id, const char *revision)
{
    examine_function *examine[2];
    struct form forms[2] = {0};
    size_t count = forms_of(id, examine);
    *choice = (struct choice){.repositories = {repository_open(place, id, revision)}};
    for (size_t i = 0; i < count; i++) {
        memcpy(forms[i].choice.repositories, choice->repositories, sizeof choice->repositories);
        examine[i](&forms[i]);
        memcpy(choice->repositories, forms[i].choice.repositories, sizeof choice->repositories);
    }
    int result = failed() ? -1 : take_best(choice, forms, count);
    for (size_t i = 0; i < count; i++) {
        free(forms[i].choice.files);
        text_release(&forms[i].missing);
    }
    return result;
}

void choice_release(struct choice *choice)
{
    for (size_t i = 0; i < MOST_REPOSITORIES; i++)
        repository_close(choice->repositories[i]);
    free(choice->files);
    *choice = (struct choice){0};
}
