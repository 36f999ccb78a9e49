/* SPDX-License-Identifier: Apache-2.0 */
#include "sample-tokens/schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/failure.h"
#include "base/memory.h"
#include "base/progress.h"
#include "cpu/pages.h"
#include "sample-tokens/take.h"

struct place {
    struct take take;
    size_t job;
    bool busy;
    double started;
    const struct condition *admitted; /* the engine's slot holds what it computed of this condition */
    const int32_t *chroma;            /* and this melody */
};

enum job_state { JOB_WAITS, JOB_READY, JOB_ENDED }; /* ready: the setup's sizes are enough for it */

/* Jobs are done in rounds: one, unless --memory holds some of them only without the others. */
struct schedule {
    struct tool_run *run;
    struct setup *setup;
    struct engine_settings start; /* without the sizes of any job */
    struct engine *engine;        /* of the present round */
    struct sampler sampler;
    struct place *places;         /* [slots when the round began]; those past the present slots wait for a free one */
    int room;                     /* of places */
    bool halved;                  /* the batch, in the present round */
    enum job_state *states;       /* [jobs] */
    size_t next;                  /* no ready job before this one */
};

/* before the engine is opened */

/* A job's plan: as its result by --jobs, else as a table on stdout. */
static json_t *show_plan(const struct tool_run *run, struct setup *setup, const struct take *take, const struct engine_settings *sizes);

/* A job's files are read and checked, and read again when it is its turn: thousands of jobs are not kept in memory.
 * Raises the setup's sizes to what it needs, if that fits; if it does only without the jobs before it, it waits. */
static enum job_state survey_job(struct schedule *schedule, const struct request *request, json_t **plan)
{
    struct setup *setup = schedule->setup;
    struct take take = {0};
    struct engine_settings alone = schedule->start, together = setup->settings;
    enum job_state state = JOB_ENDED;
    if (take_open(&take, request, &setup->model) == 0) {
        take_require(&take, &alone);
        take_require(&take, &together);
        if (setup_holds(setup, &together)) {
            setup->settings = together;
            state = JOB_READY;
        } else if (setup_holds(setup, &alone)) {
            state = JOB_WAITS;
        } else {
            *plan = setup->options->dry_run ? show_plan(schedule->run, setup, &take, &alone) : NULL;
            setup_fits(setup, &alone, take_seconds(&take), take_prompt(&take));
        }
    }
    take_release(&take);
    return state;
}

/* The next round's jobs. Returns how many are ready, and 0 when none is left. */
static size_t survey(struct schedule *schedule)
{
    struct tool_run *run = schedule->run;
    size_t count = 0;
    schedule->setup->settings = schedule->start;
    schedule->next = 0;
    for (size_t i = 0; i < run->count; i++) {
        json_t *plan = NULL;
        if (schedule->states[i] != JOB_WAITS)
            continue;
        schedule->states[i] = tool_job_begin(run, i) ? survey_job(schedule, tool_job(run, i), &plan) : JOB_ENDED;
        count += schedule->states[i] == JOB_READY;
        if (failed())
            tool_job_end(run, i, plan);
    }
    if (count)
        schedule->setup->settings.slots = setup_choose_batch(schedule->setup, &schedule->setup->settings, count);
    return count;
}

/* jobs in and out of slots */

/* What of the engine decides the tokens. */
static json_t *engine_recipe(const struct setup *setup)
{
    const struct engine_settings *settings = &setup->settings;
    json_t *recipe = json_pack("{s:s, s:s, s:s, s:s}", "engine", setup->engine->name, "device",
                               settings->device.kind == DEVICE_CPU ? "cpu" : "cuda", "weights", storage_name(settings->weights),
                               "cache", storage_name(settings->cache));
    if (setup->engine->add_recipe)
        setup->engine->add_recipe(settings, recipe);
    return recipe;
}

static void write_result(const struct setup *setup, const struct take *take)
{
    json_t *engine = engine_recipe(setup), *recipe = take_recipe(take, setup->identity, engine);
    take_write(take, recipe);
    json_decref(recipe);
    json_decref(engine);
}

/* Ends a place's job, as failed if a failure is recorded. */
static void end_job(struct schedule *schedule, struct place *place)
{
    double seconds = clock_seconds() - place->started;
    json_t *result = NULL;
    if (!failed())
        write_result(schedule->setup, &place->take);
    if (!failed())
        result = json_pack("{s:I, s:I, s:f}", "frames", (json_int_t)place->take.total, "steps", (json_int_t)place->take.steps,
                           "steps_per_second", (double)place->take.steps / seconds);
    take_release(&place->take);
    place->busy = false;
    tool_job_end(schedule->run, place->job, result);
}

/* A track that had to leave its slot when the batch was halved into a free place; false: none waits. */
static bool resume_job(struct schedule *schedule, struct place *place)
{
    for (struct place *waiting = schedule->places + schedule->setup->settings.slots; waiting < schedule->places + schedule->room; waiting++) {
        if (!waiting->busy)
            continue;
        *place = *waiting;
        waiting->busy = false;
        return true;
    }
    return false;
}

/* The next job that is ready into a free place; false: none is left. */
static bool start_job(struct schedule *schedule, struct place *place)
{
    struct tool_run *run = schedule->run;
    while (schedule->next < run->count) {
        size_t job = schedule->next++;
        if (schedule->states[job] != JOB_READY)
            continue;
        schedule->states[job] = JOB_ENDED;
        if (!tool_job_begin(run, job))
            continue;
        *place = (struct place){.job = job, .busy = true, .started = clock_seconds()};
        if (take_open(&place->take, tool_job(run, job), &schedule->setup->model) == 0 &&
            take_check_sizes(&place->take, &schedule->setup->settings) == 0)
            return true;
        end_job(schedule, place);
    }
    return false;
}

/* Prepares the slot when a window begins: under a new condition or melody, or once more under the same. */
static int begin_window(struct schedule *schedule, struct place *place, int slot)
{
    const struct engine_operations *operations = schedule->setup->engine;
    const struct condition *condition = take_condition(&place->take);
    const int32_t *chroma = take_chroma(&place->take);
    if (place->admitted == condition && place->chroma == chroma) {
        operations->restart(schedule->engine, slot);
        return 0;
    }
    place->admitted = condition;
    place->chroma = chroma;
    return operations->admit(schedule->engine, slot, condition, chroma, take_guided(&place->take));
}

/* Memory may be refused within the plan all the same: to a device's libraries, to other programs. */
static bool may_halve(const struct schedule *schedule)
{
    bool refused = failed() && (device_refused_memory() || pages_refused());
    return refused && !schedule->halved && schedule->setup->settings.slots > 1;
}

/* After a failure that halves nothing: what was needed, if memory was refused. */
static void explain_refusal(const struct schedule *schedule)
{
    struct setup *setup = schedule->setup;
    struct memory_plan plan = {0};
    if (failed() && device_refused_memory() && setup_plan(setup, &setup->settings, &plan) == 0)
        budget_refused(&setup->budget, &plan, "'%s' in %s", setup->model.name, storage_name(setup->settings.weights));
}

/* The feeds of the next step. 0: there are none, or may_halve() now. */
static int collect_feeds(struct schedule *schedule, struct engine_feed *feeds)
{
    int count = 0;
    for (int slot = 0; slot < schedule->setup->settings.slots; slot++) {
        struct place *place = &schedule->places[slot];
        if (!place->busy && !resume_job(schedule, place) && !start_job(schedule, place))
            continue;
        if (take_window_begins(&place->take) && begin_window(schedule, place, slot)) {
            if (may_halve(schedule))
                return 0;
            explain_refusal(schedule);
            end_job(schedule, place);
            continue;
        }
        feeds[count].slot = slot;
        take_feed(&place->take, &feeds[count++]);
    }
    return count;
}

static void show_progress(const struct schedule *schedule)
{
    int64_t done = 0, total = 0;
    for (int i = 0; i < schedule->room; i++) {
        if (!schedule->places[i].busy)
            continue;
        done += schedule->places[i].take.steps_done;
        total += schedule->places[i].take.steps;
    }
    if (total)
        progress_step("sample", done, total);
}

static void accept_feeds(struct schedule *schedule, struct engine_feed *feeds, int count)
{
    for (int i = 0; i < count; i++) {
        struct place *place = &schedule->places[feeds[i].slot];
        bool ended = take_accept(&place->take, &schedule->sampler, &feeds[i]) || take_finished(&place->take);
        show_progress(schedule);
        if (ended)
            end_job(schedule, place);
    }
}

/* A failed step fails every track that was part of it. */
static void fail_feeds(struct schedule *schedule, const struct engine_feed *feeds, int count)
{
    char *text = copy_string(failure_text());
    for (int i = 0; i < count; i++) {
        if (!failed())
            fail("%s", text);
        end_job(schedule, &schedule->places[feeds[i].slot]);
    }
    free(text);
}

static int open_engine(struct schedule *schedule)
{
    struct setup *setup = schedule->setup;
    schedule->engine = setup->engine->open(&setup->model, setup->checkpoint, &setup->settings);
    return schedule->engine ? 0 : -1;
}

/* Half the batch, after a refused allocation. */
static void halve(struct schedule *schedule)
{
    struct engine_settings *settings = &schedule->setup->settings;
    note("%s; going on with %d track%s at once instead of %d", failure_text(), settings->slots / 2, settings->slots < 4 ? "" : "s",
         settings->slots);
    failure_clear();
    settings->slots /= 2;
    schedule->halved = true;
}

/* The engine anew, for half as many; every track goes back to the beginning of its window, which gives the same tokens again. */
static int shrink(struct schedule *schedule)
{
    schedule->setup->engine->close(schedule->engine);
    halve(schedule);
    for (int i = 0; i < schedule->room; i++) {
        if (schedule->places[i].busy)
            take_rewind(&schedule->places[i].take);
        schedule->places[i].admitted = NULL;
    }
    return open_engine(schedule);
}

static bool all_done(const struct schedule *schedule)
{
    for (int i = 0; i < schedule->room; i++)
        if (schedule->places[i].busy)
            return false;
    return schedule->next >= schedule->run->count;
}

/* 0 when all jobs have ended, well or not; -1 when there is no engine any more. */
static int run_jobs(struct schedule *schedule)
{
    struct engine_feed feeds[MOST_SLOTS];
    for (;;) {
        int count = collect_feeds(schedule, feeds);
        bool stepped = count == 0 || schedule->setup->engine->step(schedule->engine, feeds, count) == 0;
        if (may_halve(schedule)) {
            if (shrink(schedule))
                return -1;
        } else if (!stepped) {
            explain_refusal(schedule);
            fail_feeds(schedule, feeds, count);
        } else if (count) {
            accept_feeds(schedule, feeds, count);
        } else if (all_done(schedule)) {
            return 0;
        }
    }
}

/* After what kept the engine from going on: the tracks on their way fail of it, and then all others. */
static void fail_all(struct schedule *schedule)
{
    struct engine_feed feeds[MOST_SLOTS];
    int count = 0;
    for (int i = 0; i < schedule->room; i++)
        if (schedule->places[i].busy)
            feeds[count++].slot = i;
    char *text = copy_string(failure_text());
    fail_feeds(schedule, feeds, count);
    fail("%s", text);
    free(text);
}

static int run_round(struct schedule *schedule)
{
    schedule->halved = false;
    schedule->room = schedule->setup->settings.slots;
    if (open_engine(schedule) && may_halve(schedule)) {
        halve(schedule);
        open_engine(schedule);
    }
    explain_refusal(schedule);
    if (!schedule->engine)
        return -1;
    schedule->places = allocate((size_t)schedule->room, sizeof *schedule->places);
    int result = run_jobs(schedule);
    explain_refusal(schedule);
    if (result)
        fail_all(schedule);
    free(schedule->places);
    schedule->setup->engine->close(schedule->engine);
    return result;
}

static struct schedule schedule_of(struct tool_run *run, struct setup *setup)
{
    return (struct schedule){.run = run, .setup = setup, .start = setup->settings, .states = allocate(run->count, sizeof(enum job_state))};
}

int schedule_run(struct tool_run *run, struct setup *setup)
{
    struct schedule schedule = schedule_of(run, setup);
    int result = 0;
    sampler_init(&schedule.sampler, (size_t)setup->model.language.vocabulary);
    while (result == 0 && survey(&schedule))
        result = run_round(&schedule);
    sampler_release(&schedule.sampler);
    free(schedule.states);
    return result;
}

/* plans */

static void print_plan(const struct setup *setup, const struct engine_settings *sizes, const struct memory_plan *plan, const struct take *take)
{
    printf("model     %s\n", setup->model.name);
    printf("engine    %s on %s, weights %s, cache %s, batch %d\n", setup->engine->name, device_text(sizes->device),
           storage_name(sizes->weights), storage_name(sizes->cache), sizes->slots);
    if (sizes->device.kind != DEVICE_CPU) {
        char *limit = budget_limit(&setup->budget);
        printf("memory    %s\n", limit);
        free(limit);
    }
    printf("work      %" PRId64 " frames in %zu window%s, %" PRId64 " steps of %" PRId64 " row%s\n\n", take->total, take->windows.count,
           take->windows.count == 1 ? "" : "s", take->steps, sizes->rows, sizes->rows == 1 ? "" : "s");
    memory_plan_print(plan, stdout);
}

static json_t *plan_json(const struct setup *setup, const struct engine_settings *sizes, const struct memory_plan *plan, const struct take *take)
{
    json_t *result = engine_recipe(setup);
    json_object_set_new(result, "batch", json_integer(sizes->slots));
    json_object_set_new(result, "frames", json_integer(take->total));
    json_object_set_new(result, "windows", json_integer((json_int_t)take->windows.count));
    json_object_set_new(result, "steps", json_integer(take->steps));
    json_object_set_new(result, "memory", memory_plan_json(plan));
    return result;
}

static json_t *show_plan(const struct tool_run *run, struct setup *setup, const struct take *take, const struct engine_settings *sizes)
{
    struct memory_plan plan = {0};
    if (setup_plan(setup, sizes, &plan))
        return NULL;
    if (run->by_jobs)
        return plan_json(setup, sizes, &plan, take);
    print_plan(setup, sizes, &plan, take);
    return NULL;
}

static json_t *show_ready(const struct schedule *schedule, size_t job)
{
    struct take take = {0};
    json_t *plan = NULL;
    if (take_open(&take, tool_job(schedule->run, job), &schedule->setup->model) == 0)
        plan = show_plan(schedule->run, schedule->setup, &take, &schedule->setup->settings);
    take_release(&take);
    return plan;
}

void schedule_print_plans(struct tool_run *run, struct setup *setup)
{
    struct schedule schedule = schedule_of(run, setup);
    while (survey(&schedule))
        for (size_t i = 0; i < run->count; i++) {
            if (schedule.states[i] != JOB_READY)
                continue;
            schedule.states[i] = JOB_ENDED;
            tool_job_end(run, i, show_ready(&schedule, i));
        }
    free(schedule.states);
}
