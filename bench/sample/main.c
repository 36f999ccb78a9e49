/* SPDX-License-Identifier: Apache-2.0
 * sample - how fast the language model's engines step, and what share of the read bandwidth of the machine, or of a GPU's copy
 * bandwidth, that is. One job is one type of weights.
 */
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/tool.h"
#include "protocol.h"

static const struct engine_operations *const ENGINES[] = {&ENGINE_CPU, &ENGINE_TORCH};

static const char *const WEIGHTS[] = {"f32", "f16", "int8", NULL};
static const char *const CACHES[] = {"f16", "f32", NULL};

struct options {
    char *model, *engine, *device;
};

#define JOB(field) .scope = SCOPE_JOB, .offset = offsetof(struct protocol, field)
#define PROCESS(field) .scope = SCOPE_PROCESS, .offset = offsetof(struct options, field)

static const struct setting SETTINGS[] = {
    {.name = "model", .type = SETTING_STRING, PROCESS(model), .argument = "MODEL", .help = "what to measure: a folder or a name"},
    {.name = "engine", .type = SETTING_STRING, PROCESS(engine), .argument = "cpu|torch", .help = "cpu or torch (default: cpu on a CPU)"},
    {.name = "device", .type = SETTING_STRING, PROCESS(device), .argument = "auto|cpu|cuda[:N]", .help = "where to compute (default: cpu)"},
    {.name = "weights", .type = SETTING_CHOICE, JOB(weights), .argument = "f32|f16|int8", .choices = WEIGHTS, .help = "how weights are kept"},
    {.name = "cache", .type = SETTING_CHOICE, JOB(cache), .argument = "f16|f32", .choices = CACHES,
     .help = "how keys and values are kept (default: f16)"},
    {.name = "tracks", .type = SETTING_LIST, JOB(tracks_given), .argument = "N",
     .help = "tracks at once; repeatable, rising (default: 1 2 4 8 16)"},
    {.name = "text", .type = SETTING_LIST, JOB(texts_given), .argument = "N", .help = "tokens of the text; repeatable (default: 10 150)"},
    {.name = "frames", .type = SETTING_INTEGER, JOB(frames), .argument = "N", .help = "length of a track (default: 500)", .minimum = 1,
     .maximum = 1e6},
    {.name = "late", .type = SETTING_INTEGER, JOB(late), .argument = "FRAME",
     .help = "measure one track from this frame on too; 0: not (default: 1400)", .maximum = 1e9},
    {.name = "window", .type = SETTING_INTEGER, JOB(window), .argument = "STEPS",
     .help = "steps to time where not all are (default: 16)", .minimum = 2, .maximum = 10000},
    {.name = "buffer", .type = SETTING_SIZE, JOB(buffer), .argument = "SIZE",
     .help = "memory to measure bandwidth with, far larger than the caches (default: 512M)"},
    {0},
};

static void defaults(void *process, void *job)
{
    (void)process;
    if (job)
        protocol_defaults(job);
}

static bool on_cpu(const struct options *options)
{
    return !options->device || strcmp(options->device, "cpu") == 0;
}

static const struct engine_operations *engine_of(const struct options *options)
{
    const char *name = options->engine ? options->engine : on_cpu(options) ? "cpu" : "torch";
    for (size_t i = 0; i < COUNT_OF(ENGINES); i++)
        if (strcmp(ENGINES[i]->name, name) == 0)
            return ENGINES[i];
    misuse("there is no engine '%s': cpu and torch are there", name);
    return NULL;
}

static int check(const void *process, void *job)
{
    const struct options *options = process;
    const struct protocol *protocol = job;
    if (!options->model)
        return misuse("--model is missing: what to measure");
    if (!protocol->weights)
        return misuse("--weights is missing: how weights are kept");
    const struct engine_operations *operations = engine_of(options);
    if (operations == &ENGINE_TORCH && strcmp(protocol->weights, "int8") == 0)
        return misuse("'--weights int8' is engine cpu's");
    if (operations == &ENGINE_CPU && !on_cpu(options))
        return misuse("'--engine cpu' cannot use device '%s'", options->device);
    if (device_check(options->device))
        return -1;
    return operations ? protocol_check(job) : -1;
}

static void run_jobs(struct tool_run *run, const struct engine_operations *operations, const struct model *model, struct device device)
{
    for (size_t i = 0; i < run->count; i++) {
        json_t *result = NULL;
        if (!tool_job_begin(run, i))
            continue;
        struct checkpoint *checkpoint = checkpoint_open(model->folder);
        if (checkpoint)
            result = protocol_run(tool_job(run, i), operations, model, checkpoint, device, run->threads);
        checkpoint_close(checkpoint);
        tool_job_end(run, i, result);
    }
}

static int work(struct tool_run *run)
{
    const struct options *options = run->process;
    const struct engine_operations *operations = engine_of(options);
    struct device device = {DEVICE_CPU, 0};
    struct model model = {0};
    if (operations == &ENGINE_TORCH && device_open(on_cpu(options) ? "cpu" : options->device, run->threads, 0, &device))
        return -1;
    if (model_open(&model, options->model) == 0)
        run_jobs(run, operations, &model, device);
    model_release(&model);
    return failed() ? -1 : 0;
}

int main(int argc, char **argv)
{
    static const struct tool TOOL = {
        .name = "sample",
        .purpose = "Measure the steps of a language model, and the read bandwidth of the machine beside them.",
        .usage = "--model MODEL --weights f32|f16|int8",
        .notes = "Prints one JSON object; docs/performance.md explains its figures.",
        .settings = SETTINGS,
        .job_size = sizeof(struct protocol),
        .process_size = sizeof(struct options),
        .defaults = defaults,
        .check = check,
        .work = work,
        .keeps_result = true,
    };
    return tool_main(&TOOL, argc, argv);
}
