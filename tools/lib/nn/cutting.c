/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/cutting.h"

#include <stdlib.h>

#include "base/failure.h"
#include "base/progress.h"

/* What the C heap was seen to grow by on a CPU, rounded up. A stage's widest step holds its input, the activated and the
 * padded copy, the result and what libtorch lays out anew for its kernels; pieces of different sizes leave holes between
 * them. A CPU's kernels are compiled when first used. */
enum { COPIES_OF_A_STAGE = 12, KERNEL_BYTES = 8 << 20 };

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

struct chunking chunking_of(int64_t chunk)
{
    return (struct chunking){.chunk = chunk, .block = CHUNKS_IN_A_BLOCK * chunk};
}

/* A block is never shorter than the first kernel, so that a clip shorter than its padding is one block. */
static int64_t least_chunk(const struct codec_config *codec)
{
    return larger(CHUNK_LEAST_FRAMES, geometry_divide_up(codec->kernel, CHUNKS_IN_A_BLOCK));
}

static int64_t widest_stage(const struct codec_config *codec, int64_t window)
{
    int64_t widest = 0, length = window;
    for (int stage = 0; stage < codec->ratio_count; stage++) {
        length *= codec->ratios[stage];
        widest = larger(widest, geometry_channels(codec, stage) * length);
    }
    return widest;
}

void cutting_plan_shared(struct memory_plan *plan, const struct codec_config *codec, int64_t own_floats, int64_t window,
                         struct device device)
{
    const int64_t size = sizeof(float);
    int64_t floats = geometry_codebook_floats(codec) + geometry_lstm_floats(codec) + own_floats;
    for (int stage = 0; stage < codec->ratio_count; stage++)
        floats += geometry_stage_floats(codec, stage);
    memory_plan_add(plan, "weights", size * floats);
    memory_plan_add(plan, "loading", size * geometry_reading_floats(codec));
    memory_plan_add(plan, "chunks", size * COPIES_OF_A_STAGE * widest_stage(codec, window));
    if (device.kind == DEVICE_CPU)
        memory_plan_add(plan, "kernels", KERNEL_BYTES);
    else /* among them the LSTM's weights once more, in one piece */
        memory_plan_add(plan, "libraries", size * geometry_lstm_floats(codec) + budget_workspaces(device));
}

/* Makes the plan of a chunk. */
static bool holds(struct cutting *cutting, int64_t chunk)
{
    cutting->chunking = chunking_of(chunk);
    cutting->plan = (struct memory_plan){0};
    cutting->planner(&cutting->plan, cutting->codec, cutting->channels, cutting->chunking, cutting->budget.device);
    return budget_holds(&cutting->budget, &cutting->plan);
}

int cutting_open(struct cutting *cutting, struct device device, int64_t memory)
{
    int64_t least = least_chunk(cutting->codec), chunk = larger(CHUNK_DEFAULT_FRAMES, least);
    if (budget_open(&cutting->budget, device, memory))
        return -1;
    while (!holds(cutting, chunk) && chunk > least)
        chunk--;
    if (budget_holds(&cutting->budget, &cutting->plan))
        return 0;
    char *advice = budget_advice(&cutting->budget, &cutting->plan, NULL);
    budget_refuse(&cutting->budget, &cutting->plan, advice, "%s", cutting->what);
    free(advice);
    return -1;
}

bool cutting_again(struct cutting *cutting)
{
    int64_t before = cutting->chunking.chunk, half = larger(before / 2, least_chunk(cutting->codec));
    if (!failed() || !device_refused_memory() || cutting->halved || half == before)
        return false;
    note("%s refused memory within the plan (%s): %s once more in chunks of %lld frames instead of %lld", device_text(cutting->budget.device),
         failure_text(), cutting->what, (long long)half, (long long)before);
    failure_clear();
    holds(cutting, half);
    cutting->halved = true;
    return true;
}

int cutting_refused(const struct cutting *cutting)
{
    return budget_refused(&cutting->budget, &cutting->plan, "%s", cutting->what);
}
