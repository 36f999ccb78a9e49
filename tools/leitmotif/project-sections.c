/* SPDX-License-Identifier: Apache-2.0
 * The sections: of a track. Their starts are sums of what people write in decimals, and become frames: they are added up in whole
 * nanoseconds, so that 0.1 and 0.2 make 0.3. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "leitmotif/project-schema.h"
#include "leitmotif/wording.h"

#define NANOSECONDS 1e9
#define LONGEST_SECONDS 14400.0 /* as of one take: what one WAV file holds */

enum { MAX_SECTIONS = 1000 };

/* Takes the entry's prompt. -1: something is wrong with it, which was told. */
static int read_section(struct reading *reading, const struct yaml_node *entry, struct section *section)
{
    struct section_settings settings = {.duration = NAN};
    size_t before = reading->problems.count;
    block_read(reading, &section_block, entry, entry, &settings);
    *section = (struct section){.prompt = settings.prompt, .duration = settings.duration, .line = entry->line, .column = entry->column};
    return reading->problems.count > before ? -1 : 0;
}

/* Starts, from the durations; returns the sum in seconds. */
static double set_starts(struct section_list *list)
{
    int64_t sum = 0; /* nanoseconds */
    for (size_t i = 0; i < list->count; i++) {
        list->items[i].start = (double)sum / NANOSECONDS;
        sum += llround(list->items[i].duration * NANOSECONDS);
    }
    return (double)sum / NANOSECONDS;
}

static int read_entries(struct reading *reading, const struct yaml_node *value, struct section_list *list)
{
    int status = 0;
    list->items = allocate(value->count, sizeof *list->items);
    for (; list->count < value->count; list->count++)
        if (read_section(reading, value->items[list->count], &list->items[list->count]))
            status = -1;
    return status;
}

static void keep(struct reading *reading, const struct section_list *list)
{
    struct project *project = reading->project;
    project->sections = grow(project->sections, project->section_list_count, &reading->section_capacity, sizeof *project->sections);
    project->sections[project->section_list_count++] = *list;
}

void read_sections(struct reading *reading, const struct yaml_node *value, void *target)
{
    struct track_settings *settings = target;
    struct section_list list = {0};
    double seconds;
    if (value->kind != YAML_LIST || !value->count)
        problem_add(&reading->problems, value->line, value->column,
                    "'sections' must be a list of at least one '{duration: …, prompt: …}'");
    else if (value->count > MAX_SECTIONS)
        problem_add(&reading->problems, value->line, value->column, "'sections': more than %d; let another track continue this one",
                    MAX_SECTIONS);
    else if (read_entries(reading, value, &list))
        section_list_release(&list);
    else if ((seconds = set_starts(&list)) > LONGEST_SECONDS) {
        problem_add(&reading->problems, value->line, value->column, "'sections' are %.12g seconds long together, more than %g", seconds,
                    LONGEST_SECONDS);
        section_list_release(&list);
    } else {
        keep(reading, &list);
        settings->sections = list;
        settings->duration = seconds;
    }
}

void sections_stand_alone(struct reading *reading, const struct yaml_node *track)
{
    for (size_t i = 0; i < track->count; i++) {
        const struct yaml_node *key = track->keys[i];
        if (!strcmp(key->text, "prompt") || !strcmp(key->text, "duration"))
            problem_add(&reading->problems, key->line, key->column,
                        "'%s' cannot stand beside 'sections', which have their own; remove one of the two", key->text);
    }
}

void section_list_release(struct section_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].prompt);
    free(list->items);
    *list = (struct section_list){0};
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

char *take_prompt(const struct take *take)
{
    struct text text = {0};
    if (take->prompt)
        return copy_string(take->prompt);
    for (size_t i = 0; i < take->section_count; i++) {
        const struct section *section = &take->sections[i];
        text_appendf(&text, "%s%s (", i ? " | " : "", *section->prompt ? section->prompt : "no prompt");
        append_number(&text, section->duration);
        text_append(&text, " s)");
    }
    return text_take(&text);
}

json_t *take_sections(const struct take *take)
{
    json_t *list = take->sections ? json_array() : json_null();
    for (size_t i = 0; i < take->section_count; i++)
        json_array_append_new(list, json_pack("{s:f, s:f, s:s}", "start", take->sections[i].start, "duration",
                                              take->sections[i].duration, "prompt", take->sections[i].prompt));
    return list;
}
