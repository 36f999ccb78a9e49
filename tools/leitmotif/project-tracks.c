/* SPDX-License-Identifier: Apache-2.0
 * The tracks: of a project resolved to takes: defaults below each track's own settings, variations numbered, seeds
 * settled, and no two results with one name. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "leitmotif/project-schema.h"

enum { MAX_VARIATIONS = 1000, MAX_TAKES = 100000, MAX_NAME = 200 };

/* NULL, or why a name cannot be a file's: what titles and tracks have in common. */
const char *name_refused(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    if (!*name)
        return "is empty";
    if (*name == '.')
        return "begins with a dot";
    if (name[strspn(name, allowed)])
        return "may only have letters, digits, '_', '.' and '-'";
    return strlen(name) > MAX_NAME ? "is longer than 200 characters" : NULL;
}

/* --- models ------------------------------------------------------------------------------------------------------ */

/* A folder's path is relative to the YAML file; a short name or hub id stays as it is. */
static void resolve_model(struct reading *reading, const struct yaml_node *value, char **model)
{
    char *path = path_join(reading->project->folder, *model);
    if (strchr(*model, '/') && folder_exists(path)) {
        free(*model);
        *model = path;
        return;
    }
    if (**model == '/' || **model == '.')
        problem_add(&reading->problems, value->line, value->column, "model '%s': there is no folder '%s'", *model, path);
    else if (!**model)
        problem_add(&reading->problems, value->line, value->column, "'model' is empty; give a name such as small, or a folder");
    free(path);
}

void read_model(struct reading *reading, const struct yaml_node *value, void *target)
{
    struct project *project = target;
    resolve_model(reading, value, &project->model);
    reading->model = value;
}

void read_track_model(struct reading *reading, const struct yaml_node *value, void *target)
{
    struct track_settings *settings = target;
    resolve_model(reading, value, &settings->model);
}

/* --- outside files ----------------------------------------------------------------------------------------------- */

char *file_named(struct reading *reading, const struct yaml_node *value, const char *key)
{
    char *path = path_join(reading->project->folder, value->text);
    int descriptor = file_open(path);
    if (descriptor >= 0)
        close(descriptor);
    if (descriptor >= 0 && utf8_valid(path, strlen(path)))
        return path;
    problem_add(&reading->problems, value->line, value->column, "'%s': %s", key,
                failed() ? failure_text() : "the project's folder has a name that is not valid UTF-8; rename it");
    failure_clear();
    free(path);
    return NULL;
}

void read_melody(struct reading *reading, const struct yaml_node *value, void *target)
{
    struct track_settings *settings = target;
    settings->melody_value = value;
    settings->melody_file = file_named(reading, value, "melody");
}

/* What it names is known when all tracks are (project-continue.c). */
void read_continue(struct reading *reading, const struct yaml_node *value, void *target)
{
    struct track_settings *settings = target;
    (void)reading;
    settings->continue_value = value;
}

/* --- takes ------------------------------------------------------------------------------------------------------- */

void read_variations(struct reading *reading, const struct yaml_node *value, void *target)
{
    static const struct field count = {.name = "variations", .type = FIELD_INTEGER, .minimum = 1, .maximum = MAX_VARIATIONS,
                                       .offset = offsetof(struct track_settings, variations)};
    if (value->kind == YAML_LIST)
        problem_add(&reading->problems, value->line, value->column,
                    "'variations' as a list is not supported by this version; give how many");
    else
        field_read(reading, &count, value, target);
}

struct track {                /* one entry of tracks: */
    const struct yaml_node *key, *value;
    struct track_settings settings;
};

/* Without a seed of its own a take's seed comes from the file's; variations of a track with one count up from it. */
static int64_t seed_of(const struct reading *reading, const struct track *track, int variation)
{
    if (track->settings.seed >= 0)
        return track->settings.seed + (variation ? variation - 1 : 0);
    return take_seed(reading->project->seed, track->key->text, variation, 0);
}

static const struct yaml_node *model_place(const struct reading *reading, const struct track *track)
{
    const struct yaml_node *own = track->value->kind == YAML_MAP ? yaml_member(track->value, "model") : NULL;
    return own ? own : reading->model;
}

static char *copy_or_null(const char *string)
{
    return string ? copy_string(string) : NULL;
}

/* Where the take's outside inputs stand. */
static void add_places(struct take *take, const struct track_settings *settings)
{
    if (settings->melody_value) {
        take->melody_line = settings->melody_value->line;
        take->melody_column = settings->melody_value->column;
    }
    if (settings->continue_value) {
        take->continue_line = settings->continue_value->line;
        take->continue_column = settings->continue_value->column;
    }
}

static void add_take(struct reading *reading, const struct track *track, int variation)
{
    struct project *project = reading->project;
    const struct track_settings *settings = &track->settings;
    const struct yaml_node *model = model_place(reading, track);
    const char *name = track->key->text;
    project->takes = grow(project->takes, project->take_count, &reading->take_capacity, sizeof *project->takes);
    project->takes[project->take_count] = (struct take){
        .name = variation ? format_string("%s_%d", name, variation) : copy_string(name),
        .track = copy_string(name),
        .variation = variation,
        .prompt = copy_or_null(settings->prompt),
        .sections = settings->sections.items,
        .section_count = settings->sections.count,
        .model = copy_string(settings->model ? settings->model : project->model),
        .melody = copy_or_null(settings->melody),
        .melody_file = copy_or_null(settings->melody_file),
        .continues = copy_or_null(settings->continues),
        .duration = settings->duration,
        .temperature = settings->temperature,
        .top_p = settings->top_p,
        .guidance = settings->guidance,
        .top_k = settings->top_k,
        .seed = seed_of(reading, track, variation),
        .seed_explicit = settings->seed >= 0,
        .line = track->key->line,
        .column = track->key->column,
        .model_line = model ? model->line : 1,
        .model_column = model ? model->column : 1,
    };
    add_places(&project->takes[project->take_count++], settings);
}

static void add_takes(struct reading *reading, const struct track *track)
{
    int64_t variations = track->settings.variations;
    const struct yaml_node *key = track->key;
    if (variations && track->settings.seed > INT64_MAX - (variations - 1)) {
        problem_add(&reading->problems, key->line, key->column, "the variations of '%s' count up from its seed, which is too large",
                    key->text);
        return;
    }
    if (reading->project->take_count + (size_t)variations > MAX_TAKES) {
        problem_add(&reading->problems, key->line, key->column, "more than %d results; split the file", MAX_TAKES);
        return;
    }
    if (!variations)
        add_take(reading, track, 0);
    for (int i = 1; i <= variations; i++)
        add_take(reading, track, i);
}

static void read_track_map(struct reading *reading, struct track *track)
{
    const struct yaml_node *key = track->key, *map = track->value;
    block_read(reading, &track_block, map, key, &track->settings);
    if (map->kind != YAML_MAP)
        return; /* told */
    if (yaml_member(map, "sections"))
        sections_stand_alone(reading, map);
    else if (!yaml_member(map, "prompt"))
        problem_add(&reading->problems, key->line, key->column, "'prompt' is missing in track '%s'", key->text);
}

/* A track is a map, or for short only its prompt. */
static void read_track(struct reading *reading, const struct yaml_node *key, const struct yaml_node *value)
{
    struct track track = {key, value, reading->defaults};
    const char *reason = name_refused(key->text);
    if (reason)
        problem_add(&reading->problems, key->line, key->column, "the track's name '%s' %s", key->text, reason);
    if (yaml_null(value))
        problem_add(&reading->problems, key->line, key->column, "track '%s' has no prompt; give one: 'prompt: …'", key->text);
    else if (value->kind == YAML_TEXT)
        field_read(reading, track_block.fields, value, &track.settings);
    else
        read_track_map(reading, &track);
    if (track.settings.prompt || track.settings.sections.count)
        add_takes(reading, &track);
    free(track.settings.prompt);
    free(track.settings.model);
    free(track.settings.melody);
    free(track.settings.melody_file);
    free(track.settings.continues);
}

void read_tracks(struct reading *reading, const struct yaml_node *value, void *target)
{
    (void)target;
    if (value->kind != YAML_MAP || !value->count) {
        problem_add(&reading->problems, value->line, value->column, "'tracks' must be a map of at least one 'name: {prompt: …}'");
        return;
    }
    reading->tracks = value;
    for (size_t i = 0; i < value->count; i++)
        read_track(reading, value->keys[i], value->items[i]);
}

/* --- one name, one result ------------------------------------------------------------------------------------------ */

static int by_name(const void *left, const void *right)
{
    const struct take *a = *(struct take *const *)left, *b = *(struct take *const *)right;
    int order = strcmp(a->name, b->name);
    return order ? order : a < b ? -1 : 1;
}

void takes_check_names(struct reading *reading)
{
    struct project *project = reading->project;
    struct take **sorted = allocate(project->take_count + 1, sizeof *sorted);
    for (size_t i = 0; i < project->take_count; i++)
        sorted[i] = &project->takes[i];
    qsort(sorted, project->take_count, sizeof *sorted, by_name);
    for (size_t i = 1; i < project->take_count; i++) {
        const struct take *first = sorted[i - 1], *second = sorted[i];
        /* The same key twice is a duplicate key, which was told already. */
        if (!strcmp(first->name, second->name) && strcmp(first->track, second->track))
            problem_add(&reading->problems, second->line, second->column,
                        "track '%s' (line %d) and track '%s' would both make '%s'; rename one", first->track, first->line,
                        second->track, second->name);
    }
    free(sorted);
}
