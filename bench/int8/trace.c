/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "sample-tokens/take.h"

int trace_settings(struct engine_settings *settings, const struct model *model, const struct request *request)
{
    struct take take = {0};
    *settings = (struct engine_settings){.slots = 1};
    if (take_open(&take, request, model) == 0 && take.windows.count > 1)
        misuse("'--duration %g' is longer than one window of '%s'", request->duration, model->name);
    if (!failed())
        take_require(&take, settings);
    take_release(&take);
    return failed() ? -1 : 0;
}

static int64_t numbers(const struct trace *trace) /* of a column */
{
    return trace->rows * trace->codebooks * trace->vocabulary;
}

static void take_memory(struct trace *trace)
{
    trace->ids = allocate((size_t)(trace->columns * trace->codebooks), sizeof *trace->ids);
    trace->chosen = allocate((size_t)(trace->columns * trace->codebooks), sizeof *trace->chosen);
    trace->logits = allocate((size_t)(trace->columns * numbers(trace)), sizeof *trace->logits);
}

static void start(struct trace *trace, const struct take *take)
{
    const struct language_config *config = &take->model->language;
    *trace = (struct trace){.columns = take->steps, .rows = take_guided(take) ? 2 : 1, .codebooks = config->codebooks,
                            .vocabulary = config->vocabulary, .guidance = take->guidance};
    take_memory(trace);
    for (int64_t i = 0; i < trace->columns * trace->codebooks; i++) {
        int64_t frame = delay_frame(&take->pattern, i / trace->codebooks + 1, i % trace->codebooks);
        trace->chosen[i] = frame >= 0 && frame < take->total;
    }
}

/* The column after those that are there; sampler: of the one who draws, else NULL and the ids are there. */
static int step(struct trace *trace, int64_t column, struct engine *engine, struct take *take, struct sampler *sampler)
{
    int32_t *ids = trace->ids + column * trace->codebooks;
    struct engine_feed feed = {.columns = 1, .ids = ids};
    if (sampler) {
        take_feed(take, &feed);
        memcpy(ids, feed.ids, (size_t)trace->codebooks * sizeof *ids);
    }
    if (ENGINE_CPU.step(engine, &feed, 1))
        return -1;
    memcpy(trace->logits + column * numbers(trace), feed.logits, (size_t)numbers(trace) * sizeof *feed.logits);
    return sampler ? take_accept(take, sampler, &feed) : 0;
}

int trace_make(struct trace *trace, struct engine *engine, const struct model *model, const struct request *request,
               const struct trace *drawn)
{
    struct take take = {0};
    struct sampler sampler;
    sampler_init(&sampler, (size_t)model->language.vocabulary);
    if (take_open(&take, request, model) == 0) {
        start(trace, &take);
        if (drawn)
            memcpy(trace->ids, drawn->ids, (size_t)(trace->columns * trace->codebooks) * sizeof *trace->ids);
        ENGINE_CPU.admit(engine, 0, take_condition(&take), take_chroma(&take), take_guided(&take));
        for (int64_t column = 0; column < trace->columns && !failed(); column++)
            step(trace, column, engine, &take, drawn ? NULL : &sampler);
    }
    take_release(&take);
    sampler_release(&sampler);
    return failed() ? -1 : 0;
}

void trace_warm(struct trace *trace, const struct trace *drawn, double temperature)
{
    int64_t places = drawn->columns * drawn->codebooks;
    *trace = *drawn;
    take_memory(trace);
    memcpy(trace->ids, drawn->ids, (size_t)places * sizeof *trace->ids);
    memcpy(trace->chosen, drawn->chosen, (size_t)places * sizeof *trace->chosen);
    for (int64_t i = 0; i < drawn->columns * numbers(drawn); i++)
        trace->logits[i] = (float)(drawn->logits[i] / temperature);
}

void trace_release(struct trace *trace)
{
    free(trace->ids);
    free(trace->chosen);
    free(trace->logits);
    *trace = (struct trace){0};
}
