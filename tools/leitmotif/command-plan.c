/* SPDX-License-Identifier: Apache-2.0
 * leitmotif plan FILE [TRACK...]: what render would run, and why. Writes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "leitmotif/command.h"
#include "leitmotif/publish.h"
#include "leitmotif/recipe.h"
#include "leitmotif/render.h"

static const struct setting settings[] = {
    {RENDER_SETTING(model, SETTING_STRING), .argument = "MODEL", .help = "for every track, whatever the file says"},
    {RENDER_SETTING(device, SETTING_STRING), .argument = "auto|cpu|cuda[:N]", .help = "where the models would run (default: auto)"},
    {RENDER_SETTING(workspace, SETTING_STRING), .argument = "FOLDER",
     .help = "where results are kept (default: $LEITMOTIF_WORKSPACE, else ./workspace)"},
    {RENDER_SETTING(force, SETTING_FLAG), .help = "as render --force would do"},
    {0},
};

struct explanation {
    struct plan plan;
    struct store store;
    char *folder;        /* WORKSPACE/TITLE */
    json_t *last;        /* {take: {job's name: key}} of the last render, or NULL */
    size_t to_make, to_copy;
    bool force;
};

static bool waits(const struct job *job)
{
    return job->wanted && job->state == JOB_WAITING;
}

static size_t waiting_jobs(const struct plan_take *take)
{
    size_t count = 0;
    for (size_t i = 0; i < take->job_count; i++)
        count += waits(take->jobs[i]);
    return count;
}

struct changes {          /* of one take */
    const struct store *store;
    const json_t *before; /* its keys in the last render, or NULL */
    bool any;
    struct text why;
};

/* What differs between this job and the one that the last render made in its place, unless another job of the take has said
 * the same. */
static void explain_job(void *context, const char *name, const struct job *job)
{
    struct changes *changes = context;
    const char *key = json_string_value(json_object_get(changes->before, name));
    struct text lines = {0};
    if (!waits(job) || (key && !strcmp(key, job->key)))
        return;
    changes->any = true;
    char *recipe = key ? store_recipe(changes->store, key) : NULL;
    if (recipe)
        recipe_difference(recipe, job->recipe, &lines);
    if (!strstr(text_string(&changes->why), text_string(&lines)))
        text_append(&changes->why, text_string(&lines));
    text_release(&lines);
    free(recipe);
}

static const char *summary(const struct explanation *explanation, const struct changes *changes)
{
    if (explanation->force)
        return "forced";
    if (!changes->before)
        return "not made yet";
    return changes->any ? "its recipe changed" : "no longer stored, or not finished by the last render";
}

/* "NAME: make (why): encode-text, sample-tokens" and the recipe lines that differ. */
static void explain_take(const struct explanation *explanation, const struct plan_take *take)
{
    struct changes changes = {.store = &explanation->store, .before = json_object_get(explanation->last, take->take->name)};
    const char *separator = "", *last_program = "";
    take_visit(take, explain_job, &changes);
    printf("%s: make%s, %s: ", take->take->name, take->wanted ? "" : " what others need of it", summary(explanation, &changes));
    for (size_t i = 0; i < take->job_count; i++) {
        const struct job *job = take->jobs[i];
        if (!waits(job))
            continue;
        if (strcmp(job->stage->program, last_program))
            printf("%s%s", separator, job->stage->program);
        last_program = job->stage->program;
        separator = ", ";
    }
    printf("\n%s", text_string(&changes.why));
    text_release(&changes.why);
}

static bool copy_needed(const struct explanation *explanation, const struct plan_take *take)
{
    bool needed = false;
    for (size_t i = 0; i < take->files.count && !needed; i++) {
        char *stored = store_path(&explanation->store, take->release->key, take->files.items[i]);
        char *place = path_join(explanation->folder, take->files.items[i]);
        needed = publish_needed(stored, place);
        free(stored);
        free(place);
    }
    return needed;
}

static void explain_stored(struct explanation *explanation, const struct plan_take *take)
{
    char *reason = take_reason(take);
    if (reason)
        printf("%s: failed before, and would again: %s\n", take->take->name, reason);
    else if (copy_needed(explanation, take))
        printf("%s: copy its release files\n", take->take->name);
    else
        printf("%s: up to date\n", take->take->name);
    free(reason);
}

static void explain_removals(const struct explanation *explanation)
{
    struct string_list leftovers = {0};
    json_t *kept = json_object();
    for (size_t t = 0; t < explanation->plan.take_count; t++)
        for (size_t i = 0; i < explanation->plan.takes[t].files.count; i++)
            json_object_set_new(kept, explanation->plan.takes[t].files.items[i], json_true());
    publish_leftovers(explanation->folder, kept, &leftovers);
    for (size_t i = 0; i < leftovers.count; i++)
        printf("remove '%s/%s'\n", explanation->folder, leftovers.items[i]);
    string_list_release(&leftovers);
    json_decref(kept);
}

/* {program: waiting jobs}; new reference. */
static json_t *count_programs(const struct plan *plan)
{
    json_t *programs = json_object();
    for (size_t i = 0; i < plan->job_count; i++) {
        const char *program = plan->jobs[i]->stage->program;
        if (waits(plan->jobs[i]))
            json_object_set_new(programs, program, json_integer(json_integer_value(json_object_get(programs, program)) + 1));
    }
    return programs;
}

static void print_totals(const struct explanation *explanation, size_t asked)
{
    const char *program, *separator = ": ";
    json_t *programs = count_programs(&explanation->plan), *count;
    printf("%zu of %zu results to make", explanation->to_make, asked);
    json_object_foreach(programs, program, count) {
        printf("%s%s %lld", separator, program, (long long)json_integer_value(count));
        separator = ", ";
    }
    printf("\n");
    json_decref(programs);
}

static void explain(struct explanation *explanation)
{
    size_t asked = 0;
    for (size_t i = 0; i < explanation->plan.take_count; i++) {
        const struct plan_take *take = &explanation->plan.takes[i];
        bool make = waiting_jobs(take) && (take->wanted || take->needed);
        asked += take->wanted;
        explanation->to_make += take->wanted && make;
        if (make)
            explain_take(explanation, take);
        else if (take->wanted)
            explain_stored(explanation, take);
    }
    explain_removals(explanation);
    print_totals(explanation, asked);
}

/* Only where a render has made it: nothing is written here. */
static void use_remembered_hashes(const struct store *store)
{
    char *folder = path_join(store->folder, "file-hash");
    if (folder_exists(folder))
        setenv("LEITMOTIF_CACHE", store->folder, 0);
    free(folder);
}

static int plan_project(const struct render_options *options, const struct project *project, const struct string_list *tracks)
{
    struct explanation explanation = {.force = options->force};
    const struct plan_options plan_options = {.device = options->device, .tracks = tracks};
    store_init(&explanation.store, render_workspace(options));
    use_remembered_hashes(&explanation.store);
    int status = plan_make(&explanation.plan, project, &plan_options);
    if (status == 0) {
        json_t *record = store_render(&explanation.store, project->title);
        explanation.last = json_object_get(record, "takes");
        explanation.folder = path_join(render_workspace(options), project->title);
        plan_look(&explanation.plan, &explanation.store, options->force);
        explain(&explanation);
        json_decref(record);
    }
    plan_release(&explanation.plan);
    store_release(&explanation.store);
    free(explanation.folder);
    return status;
}

static int plan_command_run(const void *options, const struct string_list *arguments)
{
    struct project project;
    if (arguments->count == 0)
        return misuse("plan takes a FILE; see 'leitmotif plan --help'");
    const struct string_list tracks = {.items = arguments->items + 1, .count = arguments->count - 1};
    int status = render_read(options, arguments->items[0], &project);
    if (status == 0)
        status = plan_project(options, &project, &tracks);
    project_release(&project);
    return status;
}

const struct command plan_command = {
    .name = "plan",
    .text = {
        .program = "leitmotif plan",
        .usage = "[OPTION...] FILE [TRACK...]",
        .purpose = "tells what render would run, and why; writes nothing",
    },
    .settings = settings,
    .options_size = sizeof(struct render_options),
    .run = plan_command_run,
};
