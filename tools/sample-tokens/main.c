/* SPDX-License-Identifier: Apache-2.0
 * sample-tokens - a condition to tokens: MusicGen's language model, any length, one track or many.
 */
#include "base/failure.h"
#include "base/memory.h"
#include "base/tool.h"
#include "sample-tokens/schedule.h"
#include "sample-tokens/request.h"

#define LONGEST_SECONDS 14400.0
#define LARGEST_SEED 0x1p63 /* 2^63 - 1 as a double */

#define JOB(field) .scope = SCOPE_JOB, .offset = offsetof(struct request, field)
#define PROCESS(field) .scope = SCOPE_PROCESS, .offset = offsetof(struct options, field)

static const char *const WEIGHTS[] = {"auto", "f32", "f16", "int8", NULL};
static const char *const CACHES[] = {"f16", "f32", NULL};
static const char *const ENGINES[] = {"auto", "torch", "cpu", NULL};

static const struct setting SETTINGS[] = {
    {.name = "condition", .type = SETTING_STRING, JOB(condition), .argument = "FILE", .help = "what encode-text wrote"},
    {.name = "section", .type = SETTING_LIST, JOB(sections), .argument = "START=FILE",
     .help = "another condition from START new seconds on, to the frame; repeatable"},
    {.name = "continue", .type = SETTING_STRING, JOB(earlier), .argument = "FILE",
     .help = "tokens to go on after: the result is old plus new"},
    {.name = "melody", .type = SETTING_STRING, JOB(melody), .argument = "FILE",
     .help = "what encode-audio --as melody wrote, for melody models to follow"},
    {.name = "output", .type = SETTING_STRING, JOB(output), .argument = "FILE", .help = "the tokens file to write"},
    {.name = "duration", .type = SETTING_NUMBER, JOB(duration), .argument = "SECONDS", .help = "new seconds (default: 10)",
     .minimum = 0, .above = true, .maximum = LONGEST_SECONDS},
    {.name = "seed", .type = SETTING_INTEGER, JOB(seed), .argument = "N", .help = "0 to 2^63-1 (default: 0)", .maximum = LARGEST_SEED},
    {.name = "temperature", .type = SETTING_NUMBER, JOB(temperature), .argument = "T", .help = "0: greedy (default: 1)", .maximum = 100},
    {.name = "top-k", .type = SETTING_INTEGER, JOB(top_k), .argument = "N", .help = "draw among the N likeliest; 0: off (default: 250)",
     .maximum = 1e9},
    {.name = "top-p", .type = SETTING_NUMBER, JOB(top_p), .argument = "P",
     .help = "draw among the likeliest that reach the share P; 0: off (default: 0)", .maximum = 1},
    {.name = "guidance", .type = SETTING_NUMBER, JOB(guidance), .argument = "G",
     .help = "how much the condition weighs; 1: plain, at half the work (default: the model's, mostly 3)", .maximum = 100},
    {.name = "greedy", .type = SETTING_FLAG, JOB(greedy), .help = "always the likeliest token"},
    {.name = "extend-stride", .type = SETTING_NUMBER, JOB(extend_stride), .argument = "SECONDS",
     .help = "step from window to window of longer pieces (default: the model's, mostly 18)", .above = true, .maximum = LONGEST_SECONDS},
    {.name = "model", .type = SETTING_STRING, PROCESS(model), .argument = "MODEL",
     .help = "a folder, a short name (small, medium, demo, ...) or a hub id"},
    {.name = "device", .type = SETTING_STRING, PROCESS(device), .argument = "auto|cpu|cuda[:N]", .help = "where to compute (default: auto)"},
    {.name = "memory", .type = SETTING_SIZE, PROCESS(memory), .argument = "SIZE",
     .help = "most to allocate for weights, caches and work, such as 6G"},
    {.name = "weights", .type = SETTING_CHOICE, PROCESS(weights), .argument = "auto|f32|f16|int8", .choices = WEIGHTS,
     .help = "how weights are kept; auto: f16, which is exact; int8: faster and smaller, not exact (default: auto)"},
    {.name = "cache", .type = SETTING_CHOICE, PROCESS(cache), .argument = "f16|f32", .choices = CACHES,
     .help = "how keys and values are kept; f32 is exact (default: f16)"},
    {.name = "batch", .type = SETTING_STRING, PROCESS(batch), .argument = "auto|N", .help = "tracks at once; auto: as many as are worth it and fit (default: auto)"},
    {.name = "engine", .type = SETTING_CHOICE, PROCESS(engine), .argument = "auto|torch|cpu", .choices = ENGINES,
     .help = "what computes; auto: cpu on a CPU, torch on a GPU (default: auto)"},
    {.name = "dry-run", .type = SETTING_FLAG, PROCESS(dry_run), .help = "print what would be allocated, and do nothing"},
    {0},
};

static void defaults(void *process, void *job)
{
    (void)process;
    if (job)
        request_defaults(job);
}

static int check(const void *process, void *job)
{
    const struct options *options = process;
    return options_check(options) || request_check(job, !options->dry_run) ? -1 : 0;
}

static int outputs(const void *job, void (*each)(void *context, const char *path), void *context)
{
    const struct request *request = job;
    if (request->output)
        each(context, request->output);
    return 0;
}

static int work(struct tool_run *run)
{
    const struct options *options = run->process;
    struct setup setup = {0};
    int result = setup_open(&setup, options, run->threads);
    if (result == 0 && options->dry_run)
        schedule_print_plans(run, &setup);
    else if (result == 0)
        result = schedule_run(run, &setup);
    setup_close(&setup);
    return result;
}

int main(int argc, char **argv)
{
    static const struct tool TOOL = {
        .name = "sample-tokens",
        .purpose = "Turn conditions into tokens with MusicGen's language model; any length, one track or many.",
        .usage = "--model MODEL --condition FILE --output FILE [--duration SECONDS] [--seed N]",
        .notes = "The same seed, settings and model give the same tokens; docs/sampling.md says how each one is drawn.",
        .settings = SETTINGS,
        .job_size = sizeof(struct request),
        .process_size = sizeof(struct options),
        .defaults = defaults,
        .check = check,
        .outputs = outputs,
        .work = work,
    };
    return tool_main(&TOOL, argc, argv);
}
