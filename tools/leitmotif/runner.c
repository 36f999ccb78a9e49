/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/runner.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failure.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "leitmotif/batch.h"
#include "leitmotif/interrupt.h"

enum { LARGEST_BATCH = 64, MOST_CALLS = 64, GRACE_SECONDS = 10, IDLE_MS = -1, STOPPING_MS = 200 };

/* All jobs of a neural stage and a model that are still to run: what one call of its program will do. */
struct call {
    const struct stage *stage;
    const struct plan_model *model;
    size_t ready, blocked; /* blocked: waits for another call or program */
};

struct runner {
    struct plan *plan;
    struct store *store;
    const struct runner_options *options;
    struct job **pending;   /* not settled; in the plan's order */
    size_t pending_count;
    size_t settled_count, job_count; /* of those that this run is about */
    struct batch **batches; /* running */
    size_t batch_count, batch_capacity;
    size_t shown_job;       /* of the neural program whose progress is shown; 0: all jobs together are */
    const struct batch *shown_batch;
    char *last_note;        /* of a program, as shown */
    bool stopping;          /* nothing new is started, children were told to end */
    double kill_at;
    int signals_passed;
};

/* states */

static bool is_there(const struct job *job)
{
    return job->state == JOB_STORED || job->state == JOB_MADE;
}

static bool is_ready(const struct job *job)
{
    for (size_t i = 0; i < job->input_count; i++)
        if (!is_there(job->inputs[i]))
            return false;
    return job->state == JOB_WAITING;
}

static bool same_call(const struct job *a, const struct job *b)
{
    return a->stage == b->stage && a->model == b->model;
}

/* Waits for something that its own call will not make. */
static bool is_blocked(const struct job *job)
{
    for (size_t i = 0; i < job->input_count; i++)
        if (!is_there(job->inputs[i]) && !same_call(job, job->inputs[i]))
            return true;
    return false;
}

static bool is_held_up(const struct job *job)
{
    for (size_t i = 0; i < job->input_count; i++)
        if (job->inputs[i]->state == JOB_FAILED || job->inputs[i]->state == JOB_HELD_UP)
            return job->state == JOB_WAITING;
    return false;
}

static void show_settled(struct runner *runner, const char *stage)
{
    for (size_t i = 0; i < runner->batch_count; i++)
        if (runner->batches[i]->stage->neural)
            return; /* whose own progress is shown */
    if (runner->shown_job)
        progress_job(1, 1, NULL);
    runner->shown_job = 0;
    progress_step(stage, (int64_t)runner->settled_count, (int64_t)runner->job_count);
}

static void stop(struct runner *runner, int signal_number)
{
    runner->stopping = true;
    runner->kill_at = clock_seconds() + GRACE_SECONDS;
    for (size_t i = 0; i < runner->batch_count; i++)
        process_signal(&runner->batches[i]->process, signal_number);
}

static void job_settled(void *context, struct job *job)
{
    struct runner *runner = context;
    runner->settled_count++;
    show_settled(runner, job->stage->program);
    runner->options->finished(runner->options->context, job);
    bool bad = job->state == JOB_FAILED || json_is_false(json_object_get(job->made_by, "passed"));
    if (bad && runner->options->fail_fast && !runner->stopping)
        stop(runner, SIGTERM);
}

/* Drops what is settled; what depends on a failure is settled here. Inputs come before what needs them: one pass. */
static void sweep(struct runner *runner)
{
    size_t kept = 0;
    for (size_t i = 0; i < runner->pending_count; i++) {
        struct job *job = runner->pending[i];
        if (is_held_up(job)) {
            job->state = JOB_HELD_UP;
            job_settled(runner, job);
        }
        if (job->state == JOB_WAITING || job->state == JOB_RUNNING)
            runner->pending[kept++] = job;
    }
    runner->pending_count = kept;
}

/* progress */

static void show_progress(void *context, const struct batch *batch, const json_t *line)
{
    struct runner *runner = context;
    long long job, done, total;
    if (!batch->stage->neural || json_member_integer(line, "job", 1, &job) || json_member_integer(line, "done", 0, &done) ||
        json_member_integer(line, "total", 0, &total) || job < 1 || (size_t)job > batch->count) {
        failure_clear();
        return;
    }
    if (runner->shown_batch != batch || runner->shown_job != (size_t)job)
        progress_job((size_t)job, batch->count, batch->jobs[job - 1]->label);
    runner->shown_batch = batch;
    runner->shown_job = (size_t)job;
    progress_step(batch->stage->program, done, total);
}

/* Four programs have the same to say of the device, though each as far as it looked, in brackets: once is enough. */
static void show_note(void *context, const char *text)
{
    struct runner *runner = context;
    if (runner->last_note && strncmp(runner->last_note, text, strcspn(text, "(")) == 0)
        return;
    note("%s", text);
    free(runner->last_note);
    runner->last_note = copy_string(text);
}

/* starting */

static void start(struct runner *runner, struct job **jobs, size_t count)
{
    struct batch *batch = allocate(1, sizeof *batch);
    *batch = (struct batch){.store = runner->store, .options = runner->options, .context = runner,
                            .settled = job_settled, .progress = show_progress, .note = show_note,
                            .process = {.output.descriptor = -1, .errors.descriptor = -1}};
    runner->batches = grow(runner->batches, runner->batch_count, &runner->batch_capacity, sizeof *runner->batches);
    runner->batches[runner->batch_count++] = batch;
    batch_start(batch, jobs, count);
}

/* Up to `most` ready jobs of the same call as `like`. */
static void start_like(struct runner *runner, const struct job *like, size_t most)
{
    struct job **jobs = allocate(runner->pending_count, sizeof *jobs);
    size_t count = 0;
    for (size_t i = 0; i < runner->pending_count && count < most; i++)
        if (same_call(runner->pending[i], like) && is_ready(runner->pending[i]))
            jobs[count++] = runner->pending[i];
    start(runner, jobs, count);
}

static size_t running(const struct runner *runner, bool neural)
{
    size_t count = 0;
    for (size_t i = 0; i < runner->batch_count; i++)
        count += runner->batches[i]->stage->neural == neural;
    return count;
}

static struct call *find_call(struct call *calls, size_t *count, const struct job *job)
{
    for (size_t i = 0; i < *count; i++)
        if (calls[i].stage == job->stage && calls[i].model == job->model)
            return &calls[i];
    if (*count == MOST_CALLS)
        return NULL;
    calls[*count] = (struct call){.stage = job->stage, .model = job->model};
    return &calls[(*count)++];
}

static size_t count_calls(const struct runner *runner, struct call *calls)
{
    size_t count = 0;
    for (size_t i = 0; i < runner->pending_count; i++) {
        const struct job *job = runner->pending[i];
        struct call *call = job->stage->neural ? find_call(calls, &count, job) : NULL;
        if (call) {
            call->ready += is_ready(job);
            call->blocked += is_blocked(job);
        }
    }
    return count;
}

/* The latest stage (stages are in one table, in order) that can do all its jobs at once: what comes after it starts
 * soonest. When every one waits for another, one that can do some. */
static const struct call *choose_call(const struct runner *runner, const struct call *calls, size_t count)
{
    const struct call *best = NULL, *some = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!calls[i].ready)
            continue;
        some = &calls[i];
        if (!calls[i].blocked && (!best || calls[i].stage > best->stage))
            best = &calls[i];
    }
    return best || runner->batch_count ? best : some;
}

static void start_neural(struct runner *runner)
{
    struct call calls[MOST_CALLS];
    const struct call *chosen = choose_call(runner, calls, count_calls(runner, calls));
    if (!chosen)
        return;
    const struct job like = {.stage = chosen->stage, .model = chosen->model};
    start_like(runner, &like, runner->pending_count);
}

/* The first ready job for the pool, and how many more like it are ready. */
static const struct job *next_of_pool(const struct runner *runner, size_t *count)
{
    const struct job *first = NULL;
    *count = 0;
    for (size_t i = 0; i < runner->pending_count; i++) {
        const struct job *job = runner->pending[i];
        if (job->stage->neural || (first && !same_call(first, job)) || !is_ready(job))
            continue;
        first = first ? first : job;
        (*count)++;
    }
    return first;
}

static void start_pool(struct runner *runner)
{
    size_t ready, places = (size_t)runner->options->threads;
    const struct job *next;
    while (!runner->stopping && running(runner, false) < places && (next = next_of_pool(runner, &ready))) {
        size_t share = (ready + places - 1) / places;
        start_like(runner, next, share < LARGEST_BATCH ? share : LARGEST_BATCH);
    }
}

static void start_ready(struct runner *runner)
{
    sweep(runner);
    if (!runner->stopping && !running(runner, true))
        start_neural(runner);
    if (!runner->stopping)
        start_pool(runner);
}

/* running */

static void collect(struct runner *runner)
{
    size_t kept = 0;
    for (size_t i = 0; i < runner->batch_count; i++)
        batch_look(runner->batches[i], runner->stopping);
    for (size_t i = 0; i < runner->batch_count; i++) {
        struct batch *batch = runner->batches[i];
        if (batch->ended) {
            batch_release(batch);
            free(batch);
        } else {
            runner->batches[kept++] = batch;
        }
    }
    runner->batch_count = kept;
}

static void wait_for_news(const struct runner *runner)
{
    struct pollfd *descriptors = allocate(2 * runner->batch_count + 1, sizeof *descriptors);
    int timeout = runner->stopping ? STOPPING_MS : IDLE_MS;
    for (size_t i = 0; i < runner->batch_count; i++) {
        const struct process *process = &runner->batches[i]->process;
        descriptors[2 * i] = (struct pollfd){.fd = process->output.descriptor, .events = POLLIN};
        descriptors[2 * i + 1] = (struct pollfd){.fd = process->errors.descriptor, .events = POLLIN};
        if (!process->pid)
            timeout = 0; /* it could not be started: nothing will come */
    }
    interrupt_poll(descriptors, 2 * runner->batch_count, timeout);
    free(descriptors);
}

/* A signal is passed on once; a second one, or none obeyed in time, is the last. */
static void pass_signals(struct runner *runner)
{
    if (interrupt_count() > runner->signals_passed) {
        stop(runner, runner->signals_passed ? SIGKILL : interrupt_signal());
        runner->signals_passed = interrupt_count();
    }
    if (runner->stopping && clock_seconds() > runner->kill_at)
        stop(runner, SIGKILL);
}

static void run_all(struct runner *runner)
{
    start_ready(runner);
    while (runner->batch_count) {
        wait_for_news(runner);
        pass_signals(runner);
        collect(runner);
        start_ready(runner);
    }
}

static void list_pending(struct runner *runner)
{
    runner->pending = allocate(runner->plan->job_count + 1, sizeof *runner->pending);
    for (size_t i = 0; i < runner->plan->job_count; i++)
        if (runner->plan->jobs[i]->wanted && runner->plan->jobs[i]->state == JOB_WAITING)
            runner->pending[runner->pending_count++] = runner->plan->jobs[i];
    runner->job_count = runner->pending_count;
}

int runner_check(const struct plan *plan)
{
    const struct stage *found = NULL;
    for (size_t i = 0; i < plan->job_count; i++) {
        const struct job *job = plan->jobs[i];
        if (!job->wanted || job->state != JOB_WAITING || job->stage == found)
            continue;
        char *path = process_find(job->stage->program);
        free(path);
        if (!path)
            return -1;
        found = job->stage;
    }
    return 0;
}

int runner_run(struct plan *plan, struct store *store, const struct runner_options *options)
{
    struct runner runner = {.plan = plan, .store = store, .options = options};
    interrupt_begin();
    list_pending(&runner);
    run_all(&runner);
    progress_end();
    free(runner.last_note);
    free(runner.pending);
    free(runner.batches);
    interrupt_end();
    return interrupt_signal();
}
