/* SPDX-License-Identifier: Apache-2.0
 * continue: a take goes on from another take of the project (a track's only one or its first variation, or a variation by
 * its own name), or from an audio file. Tracks come first: a file of the same name is written "./name". Chains have a
 * beginning and an end. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "leitmotif/project-schema.h"

#define LONGEST_SECONDS 14400.0 /* as of one take: what one WAV file holds */

enum { SHOWN_NAMES = 6 };

/* {name: number of the take}; a track's name is its first take's as well. */
static json_t *index_takes(const struct project *project)
{
    json_t *index = json_object();
    for (size_t i = 0; i < project->take_count; i++) {
        const struct take *take = &project->takes[i];
        json_object_set_new(index, take->name, json_integer((json_int_t)i));
        if (!json_object_get(index, take->track))
            json_object_set_new(index, take->track, json_integer((json_int_t)i));
    }
    return index;
}

static void tell(struct reading *reading, const struct take *take, const char *reason)
{
    if (take->variation <= 1) /* the others stand at the same place */
        problem_add(&reading->problems, take->continue_line, take->continue_column, "'continue': %s", reason);
}

static void tell_unknown(struct reading *reading, const struct take *take, const char *path)
{
    const struct project *project = reading->project;
    const char **names = allocate(2 * project->take_count + 1, sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < project->take_count; i++) {
        if (!strcmp(project->takes[i].track, take->track))
            continue; /* itself is never meant */
        names[count++] = project->takes[i].track;
        names[count++] = project->takes[i].name;
    }
    char *reason = format_string("there is no track '%s' and no file '%s'%s", take->continues, path,
                                 did_you_mean(take->continues, names, count));
    tell(reading, take, reason);
    free(reason);
    free(names);
}

/* A track that has no take is one with a problem of its own, which was told. */
static void link_take(struct reading *reading, const json_t *index, struct take *take)
{
    const json_t *number = json_object_get(index, take->continues);
    const struct yaml_node value = {.text = take->continues, .line = take->continue_line, .column = take->continue_column};
    char *path = path_join(reading->project->folder, take->continues);
    if (number)
        take->earlier = &reading->project->takes[json_integer_value(number)];
    else if (!yaml_member(reading->tracks, take->continues) && !file_exists(path))
        tell_unknown(reading, take, path);
    else if (!yaml_member(reading->tracks, take->continues))
        take->earlier_file = file_named(reading, &value, "continue");
    free(path);
}

/* --- chains ------------------------------------------------------------------------------------------------------- */

enum mark { UNSEEN, ON_PATH, DONE };

struct chains {                  /* by number of the take */
    struct reading *reading;
    struct take *takes;
    enum mark *marks;
    double *seconds;             /* with the takes that it continues */
    struct take **path;          /* being walked, from later to earlier */
    size_t depth;
};

/* The takes from path[from] on continue each other in a circle; told where the first of them in the file stands. */
static void tell_circle(struct chains *chains, size_t from)
{
    struct text reason = {0};
    size_t first = from, count = chains->depth - from;
    for (size_t i = from; i < chains->depth; i++)
        first = chains->path[i] < chains->path[first] ? i : first;
    text_append(&reason, "it goes round in a circle: ");
    for (size_t i = 0; i < count && i < SHOWN_NAMES; i++)
        text_appendf(&reason, "'%s' -> ", chains->path[from + (first - from + i) % count]->name);
    text_appendf(&reason, "%s'%s'; let one of them begin", count > SHOWN_NAMES ? "… -> " : "", chains->path[first]->name);
    tell(chains->reading, chains->path[first], text_string(&reason));
    text_release(&reason);
}

static void add_seconds(struct chains *chains, const struct take *take)
{
    size_t number = (size_t)(take - chains->takes);
    double before = take->earlier ? chains->seconds[take->earlier - chains->takes] : 0;
    chains->seconds[number] = before + take->duration;
    if (before > LONGEST_SECONDS || chains->seconds[number] <= LONGEST_SECONDS)
        return; /* told already, or fine */
    char *reason = format_string("with what it continues '%s' would be %g seconds long, more than %g", take->name,
                                 chains->seconds[number], LONGEST_SECONDS);
    tell(chains->reading, take, reason);
    free(reason);
}

/* From a take back to where its chain begins, or to a part that was walked before. */
static void walk(struct chains *chains, const struct take *start)
{
    const struct take *take = start;
    chains->depth = 0;
    while (take && chains->marks[take - chains->takes] == UNSEEN) {
        chains->marks[take - chains->takes] = ON_PATH;
        chains->path[chains->depth++] = &chains->takes[take - chains->takes];
        take = take->earlier;
    }
    for (size_t i = 0; take && i < chains->depth; i++)
        if (chains->path[i] == take) {
            tell_circle(chains, i);
            chains->path[chains->depth - 1]->earlier = NULL;
        }
    while (chains->depth) {
        const struct take *done = chains->path[--chains->depth];
        chains->marks[done - chains->takes] = DONE;
        add_seconds(chains, done);
    }
}

static void check_chains(struct reading *reading)
{
    size_t count = reading->project->take_count;
    struct chains chains = {
        .reading = reading,
        .takes = reading->project->takes,
        .marks = allocate(count + 1, sizeof *chains.marks),
        .seconds = allocate(count + 1, sizeof *chains.seconds),
        .path = allocate(count + 1, sizeof *chains.path),
    };
    for (size_t i = 0; i < count; i++)
        if (chains.takes[i].earlier)
            walk(&chains, &chains.takes[i]);
    free(chains.marks);
    free(chains.seconds);
    free(chains.path);
}

void takes_link(struct reading *reading)
{
    struct project *project = reading->project;
    bool any = false;
    for (size_t i = 0; i < project->take_count; i++)
        any = any || project->takes[i].continues;
    if (!any)
        return;
    json_t *index = index_takes(project);
    for (size_t i = 0; i < project->take_count; i++)
        if (project->takes[i].continues)
            link_take(reading, index, &project->takes[i]);
    json_decref(index);
    check_chains(reading);
}
