/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/machine.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/progress.h"
#include "leitmotif/interrupt.h"
#include "leitmotif/runner.h"
#include "leitmotif/stages.h"

const char *const render_progress_names[] = {"auto", "bar", "json", "none", NULL}; /* in the order of enum progress_mode */

const char *render_workspace(const struct render_options *options)
{
    const char *variable = getenv("LEITMOTIF_WORKSPACE");
    if (options->workspace)
        return options->workspace;
    return variable && variable[0] ? variable : "workspace";
}

static int check_device(const char *device)
{
    int64_t number;
    if (!device || !strcmp(device, "auto") || !strcmp(device, "cpu") || !strcmp(device, "cuda"))
        return 0;
    if (has_prefix(device, "cuda:") && parse_integer(device + 5, &number) == 0 && number >= 0)
        return 0;
    return misuse("'--device %s': expected auto, cpu, cuda or cuda:N", device);
}

/* Jobs name their files in JSON. */
static int check_workspace(const char *workspace)
{
    if (workspace[0] && utf8_valid(workspace, strlen(workspace)))
        return 0;
    return misuse("'--workspace %s': is %s", workspace, workspace[0] ? "not valid UTF-8" : "empty");
}

static enum progress_mode progress_mode(const struct render_options *options)
{
    enum progress_mode mode = PROGRESS_AUTO;
    while (options->progress && strcmp(options->progress, render_progress_names[mode]))
        mode++;
    return mode;
}

static void replace_models(struct project *project, const char *model)
{
    for (size_t i = 0; i < project->take_count; i++) {
        free(project->takes[i].model);
        project->takes[i].model = copy_string(model);
    }
}

int render_prepare(const struct render_options *options, struct project *project)
{
    if (check_device(options->device) || check_workspace(render_workspace(options)))
        return -1;
    progress_start(progress_mode(options));
    if (options->quiet)
        progress_quiet();
    if (options->model)
        replace_models(project, options->model);
    return 0;
}

int render_read(const struct render_options *options, const char *path, struct project *project)
{
    int status = project_read(project, path);
    if (status == 0)
        status = render_prepare(options, project);
    if (status == 0)
        status = project_check_models(project);
    progress_end();
    fputs(text_string(&project->problems), stderr);
    return status;
}

/* Hashes of models are remembered with the results, so that they outlive a container. */
static void remember_hashes(const char *workspace)
{
    char *folder = path_join(workspace, "store");
    setenv("LEITMOTIF_CACHE", folder, 0);
    free(folder);
}

static int plan_and_lock(struct render *render, const struct string_list *tracks)
{
    const struct plan_options options = {.device = render->options->device, .tracks = tracks};
    remember_hashes(render_workspace(render->options));
    if (plan_make(&render->plan, render->project, &options) || store_lock(&render->store))
        return -1;
    plan_look(&render->plan, &render->store, render->options->force);
    return runner_check(&render->plan);
}

int render_open(struct render *render, const struct render_options *options, struct project *project, const struct string_list *tracks)
{
    render->options = options;
    render->project = project;
    store_init(&render->store, render_workspace(options));
    if (plan_and_lock(render, tracks))
        return -1;
    render->takes = allocate(project->take_count + 1, sizeof *render->takes);
    for (size_t i = 0; i < project->take_count; i++) {
        render->takes[i].take = &project->takes[i];
        render->takes[i].status = TAKE_NOT_MADE;
    }
    return 0;
}

/* takes as they come to their end */

static void tell_failed(struct render *render, struct take_report *report, char *reason)
{
    report->status = TAKE_FAILED;
    report->reason = reason;
    render->failed_count++;
    progress_end();
    fprintf(stderr, "leitmotif: '%s' failed: %s\n", report->take->name, reason);
}

static void end_take(struct render *render, const struct plan_take *take, enum take_status status)
{
    struct take_report *report = &render->takes[take - render->plan.takes];
    char *reason = take_reason(take);
    progress_end();
    if (!reason) {
        report->status = status;
        if (render->publish(render->context, take, report)) {
            reason = copy_string(failure_text());
            failure_clear();
        }
    }
    if (reason)
        tell_failed(render, report, reason);
}

static void job_finished(void *context, struct job *job)
{
    struct render *render = context;
    const json_t *seconds = json_object_get(job->made_by, "seconds");
    for (size_t i = 0; i < job->take_count; i++) {
        struct plan_take *take = job->takes[i];
        if (job->state == JOB_MADE)
            render->takes[take - render->plan.takes].seconds += json_number_value(seconds);
        if (--take->unfinished == 0 && take->wanted)
            end_take(render, take, TAKE_MADE);
    }
}

static void count_unfinished(struct plan_take *take)
{
    take->unfinished = 0;
    for (size_t i = 0; i < take->job_count; i++)
        take->unfinished += take->jobs[i]->state == JOB_WAITING;
}

/* A take that nobody asked for, but that is there: the report tells of it all the same. */
static void mention(struct render *render, const struct plan_take *take, struct take_report *report)
{
    report->reason = take_reason(take);
    report->status = report->reason ? TAKE_FAILED : TAKE_REUSED;
    if (!report->reason && render->publish(render->context, take, report))
        report->status = TAKE_NOT_MADE;
    failure_clear();
}

/* Takes whose results were all there before. */
static void end_stored(struct render *render)
{
    for (size_t i = 0; i < render->plan.take_count; i++) {
        struct plan_take *take = &render->plan.takes[i];
        count_unfinished(take);
        render->asked_count += take->wanted;
        if (take->wanted && take->unfinished == 0)
            end_take(render, take, TAKE_REUSED);
        else if (take_complete(take))
            mention(render, take, &render->takes[i]);
    }
}

/* After --fail-fast: takes that were stopped on their way. */
static void end_stopped(struct render *render)
{
    for (size_t i = 0; i < render->plan.take_count; i++) {
        struct plan_take *take = &render->plan.takes[i];
        if (take->wanted && take->unfinished)
            tell_failed(render, &render->takes[i], take_reason(take));
    }
}

static int run_jobs(struct render *render)
{
    const struct render_options *options = render->options;
    char *memory = options->memory ? format_string("%lld", (long long)options->memory) : NULL;
    const struct runner_options runner = {
        .device = options->device,
        .memory = memory,
        .threads = options->threads ? (int)options->threads : processors_available(),
        .fail_fast = options->fail_fast,
        .show_progress = !options->quiet,
        .finished = job_finished,
        .context = render,
    };
    int signal_number = runner_run(&render->plan, &render->store, &runner);
    free(memory);
    return signal_number;
}

void render_run(struct render *render)
{
    int signal_number = 0;
    end_stored(render);
    if (!(render->options->fail_fast && render->failed_count))
        signal_number = run_jobs(render);
    if (signal_number) {
        store_release(&render->store);
        fflush(stdout);
        note("interrupted; what is made is kept, and the same command goes on from there");
        interrupt_die(signal_number);
    }
    end_stopped(render);
}

/* for the report */

static void add_made_by(void *context, const char *name, const struct job *job)
{
    if (job->made_by && !json_object_get(job->made_by, "findings"))
        json_object_set(context, name, job->made_by);
}

static json_t *made_by(const struct plan_take *take)
{
    json_t *all = json_object();
    take_visit(take, add_made_by, all);
    return all;
}

static json_t *findings(const struct plan_take *take)
{
    json_t *list = json_array();
    for (size_t i = 0; i < take->job_count; i++) {
        const struct job *job = take->jobs[i];
        const char *space = strchr(job->name, ' ');
        if (space && json_object_get(job->made_by, "findings"))
            json_array_append_new(list, json_pack("{s:s,s:O}", "file", space + 1, "verify", job->made_by));
    }
    return list;
}

static void describe(struct take_report *report, const struct plan_take *take)
{
    report->keys = take_keys(take);
    report->made_by = made_by(take);
    report->findings = findings(take);
    if (!take->model)
        return;
    report->model = take->model->model.name;
    report->licence = take->model->model.licence;
    report->guidance = stages_guidance(take);
}

void render_describe(struct render *render)
{
    for (size_t i = 0; i < render->plan.take_count; i++)
        describe(&render->takes[i], &render->plan.takes[i]);
}

static void release_take(struct take_report *report)
{
    free((char *)(uintptr_t)report->reason);
    json_decref(report->keys);
    json_decref(report->made_by);
    json_decref(report->findings);
    string_list_release(&report->files);
    string_list_release(&report->earlier_files);
}

void render_release(struct render *render)
{
    for (size_t i = 0; render->takes && i < render->plan.take_count; i++)
        release_take(&render->takes[i]);
    free(render->takes);
    plan_release(&render->plan);
    store_release(&render->store);
}
