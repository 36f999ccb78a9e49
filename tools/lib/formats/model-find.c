/* SPDX-License-Identifier: Apache-2.0
 * Lookup. audiocraft's cache and model-cache/ use the hub's layout as well; model-cache/ also holds plain folders NAME/.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "formats/hub.h"
#include "formats/model-parts.h"
#include "formats/sources.h"

/* ".../models--facebook--musicgen-small/snapshots/COMMIT" -> "facebook/musicgen-small" */
static char *id_of_snapshot(const char *folder)
{
    static const char start[] = "/models--";
    const char *repository = strstr(folder, start), *end = strstr(folder, "/snapshots/");
    if (!repository || !end || end < repository + strlen(start))
        return NULL;
    repository += strlen(start);
    char *id = copy_bytes(repository, (size_t)(end - repository)), *dashes = strstr(id, "--");
    if (dashes) {
        *dashes = '/';
        memmove(dashes + 1, dashes + 2, strlen(dashes + 2) + 1);
    }
    return id;
}

bool model_is_folder(const char *request)
{
    return !hub_name_known(request) && request[0] && folder_exists(request);
}

/* By the request alone. */
static char *id_of_name(const char *request)
{
    if (hub_name_known(request))
        return copy_string(hub_id_of_name(request));
    return hub_is_id(request) && !model_is_folder(request) ? copy_string(request) : NULL;
}

char *model_hub_id(const char *request, const char *folder)
{
    char *named = id_of_name(request);
    if (named)
        return named;
    char *real = realpath(folder, NULL), *id = real ? id_of_snapshot(real) : NULL;
    free(real);
    return id;
}

bool model_is_demo(const char *folder)
{
    char *place = project_find("model-cache/demo");
    char *demo = place ? realpath(place, NULL) : NULL, *real = realpath(folder, NULL);
    bool same = demo && real && strcmp(demo, real) == 0;
    free(place);
    free(demo);
    free(real);
    return same;
}

/* What a lookup has seen so far. */
struct search {
    const char *name, *id; /* the plain name or NULL; the hub id or NULL */
    bool (*whole)(const char *folder);
    struct text places;    /* for the failure: 'A', 'B' */
    char *found, *incomplete;
};

static bool holds(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    bool found = file_exists(path);
    free(path);
    return found;
}

/* transformers' layout: of a model, or of a part of one. */
static bool is_part(const char *folder)
{
    return holds(folder, "config.json") && sources_weights(folder);
}

static bool is_model(const char *folder)
{
    return is_part(folder) || (holds(folder, AUDIOCRAFT_LANGUAGE_FILE) && holds(folder, AUDIOCRAFT_CODEC_FILE));
}

/* Takes the folder if it is whole; remembers the first that exists but is not. Owns folder. */
static void consider(struct search *search, char *folder)
{
    if (!folder || search->found || !folder_exists(folder)) {
        free(folder);
        return;
    }
    char **place = search->whole(folder) ? &search->found : &search->incomplete;
    if (*place)
        free(folder);
    else
        *place = folder;
}

/* root/models--OWNER--NAME/snapshots/COMMIT, yours; NULL when the root does not know the id. */
static char *snapshot_folder(const char *root, const char *id)
{
    char *repository = hub_folder(root, id), *commit = hub_commit(repository, "main");
    char *snapshot = commit ? format_string("%s/snapshots/%s", repository, commit) : NULL;
    free(repository);
    free(commit);
    return snapshot;
}

static void search_root(struct search *search, const char *root, bool plain_folders)
{
    if (search->found || failed())
        return;
    text_appendf(&search->places, "%s'%s'", search->places.length ? ", " : "", root);
    if (plain_folders && search->name)
        consider(search, path_join(root, search->name));
    if (search->id)
        consider(search, snapshot_folder(root, search->id));
}

static void search_model_cache(struct search *search)
{
    char *project = project_folder(), *beside = project ? path_join(project, "model-cache") : NULL;
    if (beside)
        search_root(search, beside, true);
    if (!beside || strcmp(beside, "/opt/leitmotif/model-cache") != 0)
        search_root(search, "/opt/leitmotif/model-cache", true);
    free(beside);
    free(project);
}

static void search_everywhere(struct search *search)
{
    struct string_list roots = {0};
    if (search->id)
        hub_roots(&roots);
    for (size_t i = 0; i < roots.count; i++)
        search_root(search, roots.items[i], false);
    string_list_release(&roots);
    search_model_cache(search);
}

static int explain_incomplete(const char *folder)
{
    struct sources sources;
    if (sources_find(&sources, folder))
        return -1;
    sources_release(&sources);
    return fail("'%s' holds no 'config.json'; fetch the model again", folder);
}

static int explain_missing(const char *request, const struct search *search)
{
    const char *places = text_string(&search->places);
    if (search->incomplete)
        return explain_incomplete(search->incomplete);
    if (strcmp(request, "demo") == 0)
        return fail("model 'demo' is not in %s; it comes with the project's files", places);
    if (search->id)
        return fail("model '%s' is not in %s; fetch it with: fetch-model %s", request, places, request);
    return fail("model '%s' is not known%s and not in %s; give a folder, a short name such as 'small', or a hub id "
                "and fetch it with: fetch-model NAME", request, hub_name_suggestion(request), places);
}

static char *find_by_name(const char *request)
{
    char *id = id_of_name(request);
    struct search search = {.id = id, .name = strchr(request, '/') ? NULL : request, .whole = is_model};
    search_everywhere(&search);
    if (!search.found && !failed())
        explain_missing(request, &search);
    free(id);
    free(search.incomplete);
    text_release(&search.places);
    return search.found;
}

static char *find_folder(const char *request)
{
    if (is_model(request))
        return copy_string(request);
    explain_incomplete(request);
    return NULL;
}

char *model_find(const char *request)
{
    if (model_is_folder(request))
        return find_folder(request);
    if (hub_is_id(request) || hub_is_plain_name(request, strlen(request)))
        return find_by_name(request);
    if (strchr(request, '/'))
        fail("model folder '%s' does not exist", request);
    else
        fail("'%s' is no model; give a folder, a short name such as 'small', or a hub id", request);
    return NULL;
}

/* The text encoders have had two names on the hub: "t5-base" and "google-t5/t5-base". */
static char *other_name(const char *id)
{
    static const char owner[] = "google-t5/";
    if (has_prefix(id, owner))
        return copy_string(id + strlen(owner));
    return has_prefix(id, "t5-") ? format_string("%s%s", owner, id) : NULL;
}

char *model_part_find(const char *id, const char *beside)
{
    char *other = other_name(id), *near = path_join(beside, path_name(id));
    struct search search = {.id = id, .name = path_name(id), .whole = is_part};
    text_appendf(&search.places, "'%s'", near);
    consider(&search, near);
    search_everywhere(&search);
    if (other && !search.found) {
        struct text places = search.places;
        search.id = other;
        search.places = (struct text){0};
        search_everywhere(&search);
        text_release(&search.places);
        search.places = places;
    }
    if (!search.found && !failed())
        search.incomplete ? explain_incomplete(search.incomplete)
                          : fail("'%s' needs '%s', which is not in %s; fetch it with: fetch-model %s", beside, id,
                                 text_string(&search.places), id);
    free(other);
    free(search.incomplete);
    text_release(&search.places);
    return search.found;
}
