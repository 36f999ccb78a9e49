/* SPDX-License-Identifier: Apache-2.0 */
#include "sample-tokens/setup.h"

#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "cpu/pool.h"
#include "libtorch/finder.h"

/* Tracks at once that `auto` takes at most. On a CPU: guided, two rows each, they fill the blocks of MOST_ROWS rows that weights
 * are read for once; from there on more tracks gain nothing (docs/performance.md). On a GPU: they fill the rows that every
 * product has there, so that no track's numbers depend on how many there are (docs/engine-torch.md). */
enum { AUTO_SLOTS_CPU = 16, AUTO_SLOTS_GPU = 8 };

static bool is(const char *option, const char *value)
{
    return option && strcmp(option, value) == 0;
}

const char *storage_name(enum element_type type)
{
    return type == ELEMENT_I8 ? "int8" : type == ELEMENT_F16 ? "f16" : "f32";
}

static bool automatic(const char *option)
{
    return !option || is(option, "auto");
}

/* "auto" or 1 .. MOST_SLOTS; auto begins with one: see setup_choose_batch. */
static int batch_parse(const char *text, int *slots)
{
    int64_t number = 1;
    if (!automatic(text) && parse_integer(text, &number))
        return misuse("'--batch %s': expected auto or a number", text);
    if (number < 1 || number > MOST_SLOTS)
        return misuse("'--batch %s': must be between 1 and %d", text, MOST_SLOTS);
    *slots = (int)number;
    return 0;
}

int options_check(const struct options *options)
{
    int slots;
    if (!options->model)
        return misuse("--model is missing: a folder, a short name (small, medium, demo, ...) or a hub id");
    if (device_check(options->device) || batch_parse(options->batch, &slots))
        return -1;
    if (is(options->engine, "cpu") && !automatic(options->device) && !is(options->device, "cpu"))
        return misuse("'--engine cpu' cannot use device '%s': say --engine torch, or --device cpu", options->device);
    if (is(options->engine, "torch") && is(options->weights, "int8"))
        return misuse("'--weights int8' is engine cpu's: say --engine cpu, or --weights f16");
    return 0;
}

/* Engine cpu needs no libtorch, so that is not even looked for where no GPU can be expected: lacks_gpu says why. */
static bool settled_on_cpu(const struct options *options, const char *lacks_gpu)
{
    if (is(options->engine, "torch"))
        return options->dry_run && is(options->device, "cpu");
    return is(options->engine, "cpu") || is(options->device, "cpu") || (automatic(options->device) && lacks_gpu);
}

static int open_device(struct setup *setup, const struct options *options, int threads)
{
    char *lacks_gpu = automatic(options->device) ? libtorch_lacks_gpu() : NULL;
    bool settled = settled_on_cpu(options, lacks_gpu);
    setup->settings.device = (struct device){DEVICE_CPU, 0};
    if (settled && is(options->device, "auto"))
        note("device auto: cpu (%s)", lacks_gpu ? lacks_gpu : "engine cpu was asked for");
    free(lacks_gpu);
    return settled ? 0 : device_open(options->device, threads, options->memory, &setup->settings.device);
}

static int resolve(struct setup *setup, const struct options *options, int threads)
{
    struct engine_settings *settings = &setup->settings;
    bool torch = is(options->engine, "torch") || settings->device.kind != DEVICE_CPU;
    setup->engine = torch ? &ENGINE_TORCH : &ENGINE_CPU;
    if (torch && is(options->weights, "int8"))
        return misuse("'--weights int8' is engine cpu's, and device '%s' is used: say --device cpu, or --weights f16",
                      device_text(settings->device));
    settings->weights = is(options->weights, "int8") ? ELEMENT_I8 : ELEMENT_F16;
    if (is(options->weights, "f32") || (automatic(options->weights) && torch && settings->device.kind == DEVICE_CPU))
        settings->weights = ELEMENT_F32;
    settings->cache = is(options->cache, "f32") ? ELEMENT_F32 : ELEMENT_F16;
    settings->threads = threads < MOST_THREADS ? threads : MOST_THREADS; /* as many as a pool has at most */
    return batch_parse(options->batch, &settings->slots);
}

int setup_open(struct setup *setup, const struct options *options, int threads)
{
    setup->options = options;
    if (model_open(&setup->model, options->model))
        return -1;
    if (open_device(setup, options, threads))
        return -1;
    if (resolve(setup, options, threads))
        return -1;
    if (budget_open(&setup->budget, setup->settings.device, options->memory))
        return -1;
    setup->checkpoint = checkpoint_open(setup->model.folder);
    if (!setup->checkpoint)
        return -1;
    if (!options->dry_run)
        setup->identity = model_identity(&setup->model);
    return failed() ? -1 : 0;
}

void setup_close(struct setup *setup)
{
    checkpoint_close(setup->checkpoint);
    model_release(&setup->model);
    free(setup->identity);
    *setup = (struct setup){0};
}

int setup_plan(struct setup *setup, const struct engine_settings *settings, struct memory_plan *plan)
{
    struct memory_plan *weights = &setup->weights[settings->weights == ELEMENT_F32 ? 0 : settings->weights == ELEMENT_F16 ? 1 : 2];
    if (weights->count == 0 && setup->engine->plan_weights(&setup->model, setup->checkpoint, settings->weights, weights))
        return -1;
    *plan = *weights;
    setup->engine->plan_work(&setup->model, settings, plan);
    if (settings->device.kind != DEVICE_CPU)
        memory_plan_add(plan, "libraries", budget_workspaces(settings->device));
    return 0;
}

/* what would fit */

bool setup_holds(struct setup *setup, const struct engine_settings *settings)
{
    struct memory_plan plan = {0};
    if (setup->budget.allowed == INT64_MAX)
        return true;
    return setup_plan(setup, settings, &plan) == 0 && budget_holds(&setup->budget, &plan);
}

/* The most whole seconds of one track that fit, in its first window, which begins with `prompt` frames; 0: none. */
static int64_t longest_fit(struct setup *setup, struct engine_settings settings, double seconds, int64_t prompt)
{
    int64_t rate = setup->model.frame_rate_hz, room = (setup->model.window_frames - prompt) / rate;
    int64_t low = 0, high = (int64_t)seconds < room ? (int64_t)seconds : room;
    settings.prefill = prompt + 1;
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        settings.positions = prompt + middle * rate + setup->model.language.codebooks;
        if (setup_holds(setup, &settings))
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* More --memory, where that is all that lacks. */
static char *nothing_fits(struct setup *setup, const struct engine_settings *settings)
{
    const struct budget *budget = &setup->budget;
    struct memory_plan plan = {0};
    setup_plan(setup, settings, &plan);
    char *more = budget->by_option && memory_plan_total(&plan) <= budget->there ? budget_advice(budget, &plan, NULL) : NULL;
    char *text = format_string("no setting makes it fit: use a smaller model%s%s", more ? ", or " : "",
                               more ? more : budget->device.kind == DEVICE_CPU ? "" : ", or --device cpu");
    free(more);
    return text;
}

/* The least loss first: fewer at once, then what keeps every number exact, then the cache, then int8, then the duration.
 * Yours. */
static char *advice(struct setup *setup, struct engine_settings settings, double seconds, int64_t prompt)
{
    const char *weights = "", *cache = "", *batch = settings.slots > 1 ? " --batch 1" : "";
    struct engine_settings exact;
    settings.slots = 1;
    if (*batch && setup_holds(setup, &settings))
        return format_string("try%s", batch);
    if (settings.weights == ELEMENT_F32) {
        settings.weights = ELEMENT_F16;
        weights = " --weights f16";
    }
    if (*weights && setup_holds(setup, &settings))
        return format_string("try%s%s", weights, batch);
    if (settings.cache == ELEMENT_F32) {
        settings.cache = ELEMENT_F16;
        cache = " --cache f16";
    }
    if (*cache && setup_holds(setup, &settings))
        return format_string("try%s%s%s", weights, cache, batch);
    exact = settings;
    settings.weights = ELEMENT_I8;
    if (setup->engine == &ENGINE_CPU && setup_holds(setup, &settings))
        return format_string("try --weights int8%s%s", cache, batch);
    int64_t shorter = longest_fit(setup, exact, seconds, prompt);
    if (shorter)
        return format_string("try --duration %lld%s%s%s", (long long)shorter, weights, cache, batch);
    return nothing_fits(setup, &exact);
}

int setup_choose_batch(struct setup *setup, const struct engine_settings *sizes, size_t jobs)
{
    struct engine_settings settings = *sizes;
    bool on_cpu = settings.device.kind == DEVICE_CPU;
    size_t most = on_cpu ? AUTO_SLOTS_CPU : AUTO_SLOTS_GPU;
    if (!automatic(setup->options->batch) || (on_cpu && setup->engine != &ENGINE_CPU))
        return sizes->slots;
    settings.slots = (int)(jobs < most ? jobs : most);
    for (; settings.slots > 1; settings.slots--) {
        struct memory_plan plan = {0};
        if (setup_plan(setup, &settings, &plan) || memory_plan_total(&plan) <= setup->budget.sensible)
            break;
    }
    return settings.slots;
}

int setup_fits(struct setup *setup, const struct engine_settings *settings, double seconds, int64_t prompt)
{
    struct memory_plan plan = {0};
    if (setup_holds(setup, settings))
        return 0;
    if (setup_plan(setup, settings, &plan))
        return -1;
    char *needed = memory_text(memory_plan_total(&plan)), *limit = budget_limit(&setup->budget);
    char *tracks = settings->slots == 1 ? copy_string("one track") : format_string("%d tracks", settings->slots);
    char *what = advice(setup, *settings, seconds, prompt);
    fail("'%s' in %s needs %s for %s of %g s; %s; %s", setup->model.name, storage_name(settings->weights), needed, tracks, seconds,
         limit, what);
    free(needed);
    free(limit);
    free(tracks);
    free(what);
    return -1;
}
