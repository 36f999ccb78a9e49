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

/* Hashed once, however many jobs name it. */
static const char *hash_of(struct plan *plan, const char *path)
{
    char hash[HASH_HEX_SIZE];
    const json_t *known = json_object_get(plan->file_hashes, path);
    if (!known && hash_file(path, hash))
        return NULL;
    if (!known)
        json_object_set_new(plan->file_hashes, path, json_string(hash));
    return json_string_value(json_object_get(plan->file_hashes, path));
}

void job_file_input(struct plan *plan, struct job *job, const char *option, const char *path)
{
    const char *hash = hash_of(plan, path);
    if (!hash)
        return;
    recipe_file(&job->writing, option, hash);
    job->files = grow(job->files, job->file_count, &job->file_capacity, sizeof *job->files);
    struct job_file *file = &job->files[job->file_count++];
    *file = (struct job_file){.option = option, .path = path};
    memcpy(file->hash, hash, sizeof file->hash);
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
    free(job->files);
    free(job->takes);
    free(job->error);
    free(job);
}

static struct job *find_job(const struct plan *plan, const char *key)
{
    const json_t *number = json_object_get(plan->by_key, key);
    return number ? plan->jobs[json_integer_value(number)] : NULL;
}

/* Two sections with one prompt share its job. Takes are planned one after another: it would be the job's last. */
static void link_take(struct plan_take *take, struct job *job)
{
    if (job->take_count && job->takes[job->take_count - 1] == take)
        return;
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

/* Opened at its first use; one that could not be opened fails each time. */
static struct plan_model *use_model(struct plan *plan, const char *request, const struct plan_options *options)
{
    struct plan_model *used = find_model(plan, request);
    if (!used)
        used = add_model(plan, request, options);
    if (used->identity)
        return used;
    model_release(&used->model);
    if (model_open(&used->model, request) == 0)
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

static void mark_needed(struct plan *plan)
{
    for (size_t i = 0; i < plan->take_count; i++)
        for (struct plan_take *take = plan->takes[i].wanted ? plan->takes[i].earlier : NULL; take && !take->needed; take = take->earlier)
            take->needed = true;
}

/* The models of takes that nobody asked for may be missing: such takes have no jobs, nor have those that continue them. */
static int plan_take(struct plan *plan, struct plan_take *take, const struct plan_options *options)
{
    take->planned = true;
    take->model = use_model(plan, take->take->model, options);
    if (!take->model && (take->wanted || take->needed))
        return -1;
    failure_clear();
    if (take->model && (!take->earlier || take->earlier->tokens))
        stages_plan_take(plan, take);
    return failed() ? -1 : 0;
}

/* What a take continues is planned before it. chain: room for all takes. */
static int plan_chain(struct plan *plan, struct plan_take *take, struct plan_take **chain, const struct plan_options *options)
{
    size_t count = 0;
    for (; take && !take->planned; take = take->earlier)
        chain[count++] = take;
    while (count)
        if (plan_take(plan, chain[--count], options))
            return -1;
    return 0;
}

static int plan_takes(struct plan *plan, const struct plan_options *options)
{
    struct plan_take **chain = allocate(plan->take_count + 1, sizeof *chain);
    int result = 0;
    for (size_t i = 0; i < plan->take_count && result == 0; i++)
        result = plan_chain(plan, &plan->takes[i], chain, options);
    free(chain);
    return result;
}

static void list_takes(struct plan *plan)
{
    const struct project *project = plan->project;
    plan->takes = allocate(project->take_count + 1, sizeof *plan->takes);
    plan->take_count = project->take_count;
    for (size_t i = 0; i < plan->take_count; i++) {
        const struct take *take = &project->takes[i];
        plan->takes[i].take = take;
        plan->takes[i].earlier = take->earlier ? &plan->takes[take->earlier - project->takes] : NULL;
        stages_name_files(project, &plan->takes[i]);
    }
}

int plan_make(struct plan *plan, const struct project *project, const struct plan_options *options)
{
    *plan = (struct plan){.project = project, .by_key = json_object(), .file_hashes = json_object()};
    list_takes(plan);
    if (select_takes(plan, options->tracks))
        return -1;
    mark_needed(plan);
    return plan_takes(plan, options);
}

/* Forced, whatever belongs to a requested take is made again. A stored result's recipe is in the store: none is kept here. */
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

/* From the last job to the first, for a job comes after its inputs. */
static void want_inputs(struct plan *plan)
{
    for (size_t i = plan->job_count; i-- > 0;) {
        const struct job *job = plan->jobs[i];
        for (size_t j = 0; job->wanted && job->state == JOB_WAITING && j < job->input_count; j++)
            job->inputs[j]->wanted = true;
    }
}

void plan_look(struct plan *plan, const struct store *store, bool force)
{
    bool empty = !folder_exists(store->folder);
    for (size_t i = 0; i < plan->job_count; i++) {
        plan->jobs[i]->state = JOB_WAITING;
        if (!empty)
            look_up(plan->jobs[i], store, force);
    }
    want_inputs(plan);
}

void plan_release(struct plan *plan)
{
    for (size_t i = 0; i < plan->job_count; i++)
        job_free(plan->jobs[i]);
    for (size_t i = 0; i < plan->take_count; i++) {
        free(plan->takes[i].jobs);
        free(plan->takes[i].conditions);
        string_list_release(&plan->takes[i].files);
    }
    for (size_t i = 0; i < plan->model_count; i++)
        model_free(plan->models[i]);
    free(plan->jobs);
    free(plan->takes);
    free(plan->models);
    json_decref(plan->by_key);
    json_decref(plan->file_hashes);
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

/* A take that it continues could not be made: the nearest one that failed by itself. */
static char *earlier_reason(const struct plan_take *take)
{
    for (const struct plan_take *earlier = take->earlier; earlier; earlier = earlier->earlier)
        for (size_t i = 0; i < earlier->job_count; i++)
            if (earlier->jobs[i]->state == JOB_FAILED)
                return format_string("'%s', which it continues: %s: %s", earlier->take->name, earlier->jobs[i]->name,
                                     earlier->jobs[i]->error);
    return copy_string("a result of another take, which it needs, failed");
}

char *take_reason(const struct plan_take *take)
{
    for (size_t i = 0; i < take->job_count; i++) {
        char *reason = job_reason(take->jobs[i]);
        if (reason)
            return reason;
    }
    return take_complete(take) ? NULL : earlier_reason(take);
}

void take_visit(const struct plan_take *take, job_visit visit, void *context)
{
    for (size_t i = 0; i < take->condition_count; i++) {
        const struct job *job = take->conditions[i];
        char *name = i ? format_string("%s section %zu", job->name, i + 1) : copy_string(job->name);
        visit(context, name, job);
        free(name);
    }
    for (size_t i = 0; i < take->job_count; i++)
        if (take->jobs[i]->stage != take->conditions[0]->stage)
            visit(context, take->jobs[i]->name, take->jobs[i]);
}

static void add_key(void *context, const char *name, const struct job *job)
{
    json_object_set_new(context, name, json_string(job->key));
}

json_t *take_keys(const struct plan_take *take)
{
    json_t *keys = json_object();
    take_visit(take, add_key, keys);
    return keys;
}
