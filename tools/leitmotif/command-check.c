/* SPDX-License-Identifier: Apache-2.0
 * leitmotif check FILE [--show]: everything wrong with a project, or what it will make. */
#include <stdio.h>

#include "leitmotif/command.h"
#include "leitmotif/project.h"

struct check_options {
    bool show;
};

static const struct setting settings[] = {
    {.name = "show", .type = SETTING_FLAG, .scope = SCOPE_JOB, .offset = offsetof(struct check_options, show),
     .help = "print the project as it was understood: every result with all its settings, as JSON"},
    {0},
};

static size_t track_count(const struct project *project)
{
    size_t count = 0;
    for (size_t i = 0; i < project->take_count; i++)
        count += project->takes[i].variation <= 1;
    return count;
}

static void print_summary(const struct project *project)
{
    size_t tracks = track_count(project), results = project->take_count;
    printf("%s: ok, %zu track%s, %zu result%s\n", project->path, tracks, tracks == 1 ? "" : "s", results, results == 1 ? "" : "s");
}

static void print_project(const struct project *project)
{
    json_t *value = project_settings(project), *results = json_array();
    for (size_t i = 0; i < project->take_count; i++)
        json_array_append_new(results, take_settings(&project->takes[i]));
    json_object_set_new(value, "results", results);
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    putchar('\n');
    json_decref(value);
}

/* Problems are lines of their own, for editors; a summary of them would be one line too many. */
static int check(const void *options, const struct string_list *arguments)
{
    const struct check_options *check_options = options;
    struct project project;
    if (arguments->count != 1)
        return misuse("check takes one FILE; see 'leitmotif check --help'");
    int status = project_read(&project, arguments->items[0]);
    if (status == 0)
        status = project_check_models(&project);
    if (status == 0)
        (check_options->show ? print_project : print_summary)(&project);
    else if (project.problem_count)
        status = EXIT_MISUSE;
    fputs(text_string(&project.problems), stderr);
    fputs(text_string(&project.warnings), stderr);
    project_release(&project);
    return status;
}

const struct command check_command = {
    .name = "check",
    .text = {
        .program = "leitmotif check",
        .usage = "[--show] FILE",
        .purpose = "tells everything that is wrong with a project's YAML, as file:line:column: text",
        .notes = "A model that is not on this machine is a warning. Every key: docs/yaml.md.",
    },
    .settings = settings,
    .options_size = sizeof(struct check_options),
    .run = check,
};
