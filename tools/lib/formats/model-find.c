/* SPDX-License-Identifier: Apache-2.0
 * Lookup. A hub id is kept in a cache root as models--OWNER--NAME/ with refs/main (a commit) and
 * snapshots/COMMIT/FILE, links into blobs/; a link whose blob is missing counts as no file. audiocraft's cache and
 * model-cache/ use the same layout; model-cache/ holds plain folders NAME/ as well.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "formats/checkpoint.h"
#include "formats/model-parts.h"

enum { REFERENCE_MAX_BYTES = 256, ROOTS_MAX = 6 };

static const struct {
    const char *name, *id;
} known[] = {
    {"small", "facebook/musicgen-small"},
    {"medium", "facebook/musicgen-medium"},
    {"large", "facebook/musicgen-large"},
    {"melody", "facebook/musicgen-melody"},
    {"melody-large", "facebook/musicgen-melody-large"},
    {"stereo-small", "facebook/musicgen-stereo-small"},
    {"stereo-medium", "facebook/musicgen-stereo-medium"},
    {"stereo-large", "facebook/musicgen-stereo-large"},
    {"stereo-melody", "facebook/musicgen-stereo-melody"},
    {"stereo-melody-large", "facebook/musicgen-stereo-melody-large"},
    {"audiogen-medium", "facebook/audiogen-medium"},
    {"demo", NULL}, /* comes with the project, in model-cache/demo */
};

static bool is_known(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(known[i].name, name) == 0)
            return true;
    return false;
}

static const char *suggestion(const char *name)
{
    const char *names[COUNT_OF(known)];
    for (size_t i = 0; i < COUNT_OF(known); i++)
        names[i] = known[i].name;
    return did_you_mean(name, names, COUNT_OF(known));
}

/* A name as the hub allows it, so that it stays one folder below a root. */
static bool is_plain_name(const char *name, size_t length)
{
    if (length == 0 || name[0] == '.' || name[0] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
            return false;
    return true;
}

static bool is_hub_id(const char *request)
{
    const char *slash = strchr(request, '/');
    return slash && is_plain_name(request, (size_t)(slash - request)) && is_plain_name(slash + 1, strlen(slash + 1));
}

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
    return !is_known(request) && request[0] && folder_exists(request);
}

/* By the request alone. */
static char *id_of_name(const char *request)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(known[i].name, request) == 0)
            return copy_string(known[i].id);
    return is_hub_id(request) && !model_is_folder(request) ? copy_string(request) : NULL;
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
    struct text places;    /* for the failure: 'A', 'B' */
    char *found, *incomplete;
};

static bool is_model(const char *folder)
{
    char *configuration = path_join(folder, "config.json");
    bool whole = file_exists(configuration) && checkpoint_present(folder);
    free(configuration);
    return whole;
}

/* Takes the folder if it is a model; remembers the first that exists but is none. Owns folder. */
static void consider(struct search *search, char *folder)
{
    if (!folder || search->found || !folder_exists(folder)) {
        free(folder);
        return;
    }
    char **place = is_model(folder) ? &search->found : &search->incomplete;
    if (*place)
        free(folder);
    else
        *place = folder;
}

/* The commit that refs/main names, yours; NULL without one, or with a failure when it is no commit's name. */
static char *read_reference(const char *repository)
{
    char *path = path_join(repository, "refs/main"), *commit = NULL;
    struct text content = {0};
    if (file_exists(path) && file_read(path, REFERENCE_MAX_BYTES, &content) == 0) {
        while (content.length && isspace((unsigned char)content.data[content.length - 1]))
            content.data[--content.length] = 0;
        if (is_plain_name(text_string(&content), content.length))
            commit = copy_string(text_string(&content));
        else
            fail("'%s' names no commit; fetch the model again", path);
    }
    text_release(&content);
    free(path);
    return commit;
}

/* root/models--OWNER--NAME/snapshots/COMMIT, yours; NULL when the root does not know the id. */
static char *snapshot_folder(const char *root, const char *id)
{
    const char *slash = strchr(id, '/');
    char *repository = format_string("%s/models--%.*s--%s", root, (int)(slash - id), id, slash + 1);
    char *commit = read_reference(repository);
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

/* $variable/below as a root, if the variable is set. */
static bool search_variable(struct search *search, const char *variable, const char *below)
{
    const char *value = getenv(variable);
    if (!value || !value[0])
        return false;
    char *root = below[0] ? path_join(value, below) : copy_string(value);
    search_root(search, root, false);
    free(root);
    return true;
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
    if (search->id) {
        if (!search_variable(search, "HF_HUB_CACHE", ""))
            search_variable(search, "HUGGINGFACE_HUB_CACHE", ""); /* its older name */
        search_variable(search, "HF_HOME", "hub");
        if (!search_variable(search, "XDG_CACHE_HOME", "huggingface/hub"))
            search_variable(search, "HOME", ".cache/huggingface/hub");
        search_variable(search, "AUDIOCRAFT_CACHE_DIR", "");
    }
    search_model_cache(search);
}

static int explain_incomplete(const char *folder)
{
    if (!checkpoint_present(folder))
        return checkpoint_missing(folder);
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
                "and fetch it with: fetch-model NAME", request, suggestion(request), places);
}

static char *find_by_name(const char *request)
{
    char *id = id_of_name(request);
    struct search search = {.id = id, .name = strchr(request, '/') ? NULL : request};
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
    if (is_hub_id(request) || is_plain_name(request, strlen(request)))
        return find_by_name(request);
    if (strchr(request, '/'))
        fail("model folder '%s' does not exist", request);
    else
        fail("'%s' is no model; give a folder, a short name such as 'small', or a hub id", request);
    return NULL;
}
