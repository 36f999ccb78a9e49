/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "leitmotif/stages.h"

/* jobs */

struct job *job_new(const struct plan_take *take, const struct stage *stage)
{
    struct job *job = allocate(1, sizeof *job);
    job->stage = stage;
    job->model = stage->neural ? take->model : NULL;
    job->label = take->take->name;
    job->name = copy_string(stage->program);
    recipe_begin(&job->writing, job->model ? json_string_value(json_object_get(job->model->arguments, stage->program)) : NULL);
    return job;
}

void job_input(struct job *job, const char *option, struct job *from, const char *file)
{
    recipe_input(&job->writing, option, from->key, file ? file : from->stage->file);
    job->inputs = grow(job->inputs, job->input_count, &job->input_capacity, sizeof *job->inputs);
    job->inputs[job->input_count++] = from;
}

struct recipe *job_options(struct job *job)
{
    recipe_options(&job->writing, job->model ? job->model->identity : NULL);
    return &job->writing;
}

static void job_free(struct job *job)
{
    json_decref(job->made_by);
    free(job->recipe);
    free(job->name);
    free(job->inputs);
    free(job->takes);
    free(job->error);
    free(job);
}

static struct job *find_job(const struct plan *plan, const char *key)
{
    const json_t *number = json_object_get(plan->by_key, key);
    return number ? plan->jobs[json_integer_value(number)] : NULL;
}

static void link_take(struct plan_take *take, struct job *job)
{
    take->jobs = grow(take->jobs, take->job_count, &take->job_capacity, sizeof *take->jobs);
    take->jobs[take->job_count++] = job;
    job->takes = grow(job->takes, job->take_count, &job->take_capacity, sizeof *job->takes);
    job->takes[job->take_count++] = take;
    job->wanted = job->wanted || take->wanted;
}

struct job *plan_add(struct plan *plan, struct plan_take *take, struct job *job)
{
    job->recipe = recipe_end(&job->writing, job->stage->program, job->stage->version, job->key);
    struct job *known = find_job(plan, job->key);
    if (known) {
        job_free(job);
        job = known;
    } else {
        json_object_set_new_nocheck(plan->by_key, job->key, json_integer((json_int_t)plan->job_count));
        plan->jobs = grow(plan->jobs, plan->job_count, &plan->job_capacity, sizeof *plan->jobs);
        plan->jobs[plan->job_count++] = job;
    }
    link_take(take, job);
    return job;
}

/* models */

static struct plan_model *find_model(const struct plan *plan, const char *request)
{
    for (size_t i = 0; i < plan->model_count; i++)
        if (strcmp(plan->models[i]->request, request) == 0)
            return plan->models[i];
    return NULL;
}

static struct plan_model *add_model(struct plan *plan, const char *request, const struct plan_options *options)
{
    struct plan_model *fresh = allocate(1, sizeof *fresh);
    fresh->request = copy_string(request);
    fresh->arguments = stages_arguments(options);
    plan->models = grow(plan->models, plan->model_count, &plan->model_capacity, sizeof *plan->models);
    plan->models[plan->model_count++] = fresh;
    return fresh;
}

/* Opened at its first use; one that could not be opened, or whose sound does not fit the outputs, fails each time. */
static struct plan_model *use_model(struct plan *plan, const char *request, const struct plan_options *options)
{
    struct plan_model *used = find_model(plan, request);
    if (!used)
        used = add_model(plan, request, options);
    if (used->identity)
        return used;
    model_release(&used->model);
    if (model_open(&used->model, request) == 0 && project_check_outputs(plan->project, &used->model) == 0)
        used->identity = model_identity(&used->model);
    return used->identity ? used : NULL;
}

static void model_free(struct plan_model *used)
{
    model_release(&used->model);
    json_decref(used->arguments);
    free(used->identity);
    free(used->request);
    free(used);
}

/* what was asked for */

static bool selects(const char *name, const struct take *take)
{
    return strcmp(name, take->track) == 0 || strcmp(name, take->name) == 0;
}

static int refuse_track(const struct project *project, const char *name)
{
    const char **known = allocate(2 * project->take_count + 1, sizeof *known);
    for (size_t i = 0; i < project->take_count; i++) {
        known[2 * i] = project->takes[i].track;
        known[2 * i + 1] = project->takes[i].name;
    }
    misuse("'%s' has no track '%s'%s", project->path, name, did_you_mean(name, known, 2 * project->take_count));
    free(known);
    return -1;
}

static int select_takes(struct plan *plan, const struct string_list *names)
{
    bool all = !names || names->count == 0;
    for (size_t t = 0; t < plan->take_count; t++)
        plan->takes[t].wanted = all;
    for (size_t n = 0; !all && n < names->count; n++) {
        size_t found = 0;
        for (size_t t = 0; t < plan->take_count; t++)
            if (selects(names->items[n], plan->takes[t].take)) {
                plan->takes[t].wanted = true;
                found++;
            }
        if (!found)
            return refuse_track(plan->project, names->items[n]);
    }
    return 0;
}

/* The models of takes that nobody asked for may be missing: such takes have no jobs. */
static int plan_take(struct plan *plan, struct plan_take *take, const struct plan_options *options)
{
    take->model = use_model(plan, take->take->model, options);
    if (!take->model && take->wanted)
        return -1;
    failure_clear();
    if (take->model)
        stages_plan_take(plan, take);
    return 0;
}

int plan_make(struct plan *plan, const struct project *project, const struct plan_options *options)
{
    *plan = (struct plan){.project = project, .by_key = json_object()};
    plan->takes = allocate(project->take_count + 1, sizeof *plan->takes);
    plan->take_count = project->take_count;
    for (size_t i = 0; i < plan->take_count; i++) {
        plan->takes[i].take = &project->takes[i];
        stages_name_files(project, &plan->takes[i]);
    }
    if (select_takes(plan, options->tracks))
        return -1;
    for (size_t i = 0; i < plan->take_count; i++)
        if (plan_take(plan, &plan->takes[i], options))
            return -1;
    return 0;
}

/* Forced, whatever a requested take needs is made again. A stored result's recipe is in the store: none is kept here. */
static void look_up(struct job *job, const struct store *store, bool force)
{
    json_t *result = force && job->wanted ? NULL : store_result(store, job->key);
    if (!result)
        return;
    job->state = JOB_STORED;
    job->made_by = json_incref(json_object_get(result, "tool"));
    free(job->recipe);
    job->recipe = NULL;
    json_decref(result);
}

void plan_look(struct plan *plan, const struct store *store, bool force)
{
    bool empty = !folder_exists(store->folder);
    for (size_t i = 0; i < plan->job_count; i++) {
        plan->jobs[i]->state = JOB_WAITING;
        if (!empty)
            look_up(plan->jobs[i], store, force);
    }
}

void plan_release(struct plan *plan)
{
    for (size_t i = 0; i < plan->job_count; i++)
        job_free(plan->jobs[i]);
    for (size_t i = 0; i < plan->take_count; i++) {
        free(plan->takes[i].jobs);
        string_list_release(&plan->takes[i].files);
    }
    for (size_t i = 0; i < plan->model_count; i++)
        model_free(plan->models[i]);
    free(plan->jobs);
    free(plan->takes);
    free(plan->models);
    json_decref(plan->by_key);
    *plan = (struct plan){0};
}

/* outcomes */

bool take_complete(const struct plan_take *take)
{
    for (size_t i = 0; i < take->job_count; i++)
        if (take->jobs[i]->state != JOB_STORED && take->jobs[i]->state != JOB_MADE)
            return false;
    return take->job_count > 0;
}

/* What verify found bad, in the words that its program printed. */
static char *verdict_reason(const struct job *job)
{
    if (!json_is_false(json_object_get(job->made_by, "passed")))
        return NULL;
    struct text reason = {0};
    size_t i;
    json_t *finding;
    text_appendf(&reason, "%s:", job->name);
    json_array_foreach(json_object_get(job->made_by, "findings"), i, finding)
        if (strcmp(json_member_string(finding, "status", ""), "failed") == 0)
            text_appendf(&reason, "%s %s", has_suffix(text_string(&reason), ":") ? "" : ";", json_member_string(finding, "message", "bad"));
    return text_take(&reason);
}

static char *job_reason(const struct job *job)
{
    switch (job->state) {
    case JOB_STORED:
    case JOB_MADE:
        return verdict_reason(job);
    case JOB_FAILED:
        return format_string("%s: %s", job->name, job->error);
    case JOB_HELD_UP:
        return NULL; /* the job that failed says why */
    default:
        return format_string("%s: stopped before it was made", job->name);
    }
}

char *take_reason(const struct plan_take *take)
{
    for (size_t i = 0; i < take->job_count; i++) {
        char *reason = job_reason(take->jobs[i]);
        if (reason)
            return reason;
    }
    return take_complete(take) ? NULL : copy_string("a result of another take, which it needs, failed");
}

json_t *take_keys(const struct plan_take *take)
{
    json_t *keys = json_object();
    for (size_t i = 0; i < take->job_count; i++)
        json_object_set_new(keys, take->jobs[i]->name, json_string(take->jobs[i]->key));
    return keys;
}
