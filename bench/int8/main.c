/* SPDX-License-Identifier: Apache-2.0
 * int8 - what --weights int8 loses: the logits of engine cpu with int8 weights held against those with exact ones, over the
 * same tokens; and what each of its roundings, and some that it does not do, would lose alone.
 */
#include <stdio.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/tool.h"
#include "divergence.h"
#include "rounding.h"

struct options {
    char *model;
};

#define JOB(field) .scope = SCOPE_JOB, .offset = offsetof(struct request, field)
#define PROCESS(field) .scope = SCOPE_PROCESS, .offset = offsetof(struct options, field)

static const struct setting SETTINGS[] = {
    {.name = "model", .type = SETTING_STRING, PROCESS(model), .argument = "MODEL", .help = "what to measure: a folder or a name"},
    {.name = "condition", .type = SETTING_STRING, JOB(condition), .argument = "FILE", .help = "what encode-text wrote for it"},
    {.name = "duration", .type = SETTING_NUMBER, JOB(duration), .argument = "SECONDS", .help = "one window at most (default: 5)",
     .above = true, .maximum = 60},
    {.name = "seed", .type = SETTING_INTEGER, JOB(seed), .argument = "N", .help = "of the tokens (default: 0)", .maximum = 1e9},
    {0},
};

static void defaults(void *process, void *job)
{
    (void)process;
    if (!job)
        return;
    request_defaults(job);
    ((struct request *)job)->duration = 5;
}

static int check(const void *process, void *job)
{
    const struct options *options = process;
    return options->model ? request_check(job, false) : misuse("--model is missing: what to measure");
}

/* What a user would hardly hear, to hold the others against. */
static const double WARMER_TEMPERATURE = 1.01;

/* The first one draws the tokens, and has exact weights; WARMER is computed from it. */
enum { EXACT, WARMER, HALF_CACHE, INT8, INT8_HALF_CACHE, BYTES, ROUNDED, CLIPPED, ATTENTION, FEED_FORWARD, HEADS, NOT_HEADS, WAYS };

static const struct way {
    enum element_type weights, cache;
    unsigned parts; /* of round_weights; weights are float32 */
    enum scale_by scale_by;
    bool bytes;     /* round_activations */
} WAY[WAYS] = {
    [EXACT] = {ELEMENT_F16, ELEMENT_F32, 0, 0, false},
    [HALF_CACHE] = {ELEMENT_F16, ELEMENT_F16, 0, 0, false},
    [INT8] = {ELEMENT_I8, ELEMENT_F32, 0, 0, false},
    [INT8_HALF_CACHE] = {ELEMENT_I8, ELEMENT_F16, 0, 0, false},
    [BYTES] = {ELEMENT_I8, ELEMENT_F32, 0, 0, true},
    [ROUNDED] = {ELEMENT_F32, ELEMENT_F32, ROUND_ALL, SCALE_BY_LARGEST, false},
    [CLIPPED] = {ELEMENT_F32, ELEMENT_F32, ROUND_ALL, SCALE_BY_LEAST_SQUARES, false},
    [ATTENTION] = {ELEMENT_F32, ELEMENT_F32, ROUND_ATTENTION, SCALE_BY_LARGEST, false},
    [FEED_FORWARD] = {ELEMENT_F32, ELEMENT_F32, ROUND_FEED_FORWARD, SCALE_BY_LARGEST, false},
    [HEADS] = {ELEMENT_F32, ELEMENT_F32, ROUND_HEADS, SCALE_BY_LARGEST, false},
    [NOT_HEADS] = {ELEMENT_F32, ELEMENT_F32, ROUND_ALL & ~ROUND_HEADS, SCALE_BY_LARGEST, false},
};

static const struct comparison {
    const char *name;
    int reference, other;
} COMPARISONS[] = {
    {"int8, cache f32", EXACT, INT8},
    {"int8, cache f16 (both)", HALF_CACHE, INT8_HALF_CACHE},
    {"cache f16 alone", EXACT, HALF_CACHE},
    {"temperature 1.01 instead", EXACT, WARMER},
    {"int8's weights alone", EXACT, ROUNDED},
    {"16-bit activations alone", ROUNDED, INT8},
    {"8-bit activations instead", EXACT, BYTES},
    {"scales by least squares", EXACT, CLIPPED},
    {"attention alone", EXACT, ATTENTION},
    {"feed-forward alone", EXACT, FEED_FORWARD},
    {"heads alone", EXACT, HEADS},
    {"all but the heads", EXACT, NOT_HEADS},
};

/* Engines are open one at a time: their traces are kept. */
static int make(struct trace *traces, int way, const struct model *model, const struct request *request, int threads)
{
    struct engine_settings settings;
    struct checkpoint *checkpoint = checkpoint_open(model->folder);
    struct engine *engine = NULL;
    if (checkpoint && trace_settings(&settings, model, request) == 0) {
        settings.threads = threads;
        settings.weights = WAY[way].weights;
        settings.cache = WAY[way].cache;
        engine = ENGINE_CPU.open(model, checkpoint, &settings);
    }
    if (engine && WAY[way].parts)
        round_weights(engine, WAY[way].parts, WAY[way].scale_by);
    if (engine && WAY[way].bytes)
        round_activations(engine);
    if (engine)
        trace_make(&traces[way], engine, model, request, way == EXACT ? NULL : &traces[EXACT]);
    ENGINE_CPU.close(engine);
    checkpoint_close(checkpoint);
    return failed() ? -1 : 0;
}

static void print(const struct trace *traces, const char *model)
{
    static const char *const KINDS[LOGITS_KINDS] = {"with", "without", "guided"};
    const struct trace *exact = &traces[EXACT];
    printf("%s: %lld columns, %lld codebooks of %lld tokens, guidance %g\n", model, (long long)exact->columns,
           (long long)exact->codebooks, (long long)exact->vocabulary, exact->guidance);
    printf("%-26s %-8s %8s %12s %10s %10s %10s %8s\n", "", "logits", "number", "relative RMS", "KL mean", "KL 99 %", "KL most", "greedy");
    for (size_t i = 0; i < COUNT_OF(COMPARISONS); i++)
        for (int kind = 0; kind < (exact->rows == 2 ? LOGITS_KINDS : 1); kind++) {
            struct divergence d = divergence_of(&traces[COMPARISONS[i].reference], &traces[COMPARISONS[i].other], kind);
            printf("%-26s %-8s %8lld %12.2e %10.2e %10.2e %10.2e %7.2f%%\n", COMPARISONS[i].name, KINDS[kind],
                   (long long)d.distributions, d.relative_rms, d.kl_mean, d.kl_99, d.kl_largest, d.same_greedy * 100);
        }
}

static int measure(const struct model *model, const struct request *request, int threads)
{
    struct trace traces[WAYS] = {{0}};
    for (int way = 0; way < WAYS && !failed(); way++)
        if (way == WARMER)
            trace_warm(&traces[way], &traces[EXACT], WARMER_TEMPERATURE);
        else
            make(traces, way, model, request, threads);
    if (!failed())
        print(traces, model->name);
    for (int way = 0; way < WAYS; way++)
        trace_release(&traces[way]);
    return failed() ? -1 : 0;
}

static int work(struct tool_run *run)
{
    const struct options *options = run->process;
    struct model model = {0};
    if (model_open(&model, options->model) == 0)
        for (size_t i = 0; i < run->count; i++)
            if (tool_job_begin(run, i)) {
                measure(&model, tool_job(run, i), run->threads);
                tool_job_end(run, i, NULL);
            }
    model_release(&model);
    return failed() ? -1 : 0;
}

int main(int argc, char **argv)
{
    static const struct tool TOOL = {
        .name = "int8",
        .purpose = "Measure what int8 weights change in the distributions of the next token.",
        .usage = "--model MODEL --condition FILE",
        .notes = "Prints a table; docs/int8.md explains it.",
        .settings = SETTINGS,
        .job_size = sizeof(struct request),
        .process_size = sizeof(struct options),
        .defaults = defaults,
        .check = check,
        .work = work,
    };
    return tool_main(&TOOL, argc, argv);
}
