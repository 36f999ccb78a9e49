/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/codec-plan.h"

#include <stdlib.h>

/* What the C heap was seen to grow by on a CPU, rounded up. A stage's widest step holds its input, the activated and the
 * padded copy, the result and what libtorch lays out anew for its kernels; pieces of different sizes leave holes between
 * them. A CPU's kernels are compiled when first used. */
enum { COPIES_OF_A_STAGE = 12, KERNEL_BYTES = 8 << 20 };

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

struct chunking codec_chunking(int64_t chunk)
{
    return (struct chunking){.chunk = chunk, .block = CHUNKS_IN_A_BLOCK * chunk};
}

/* A block is never shorter than the first kernel, so that a clip shorter than its padding is one block. */
static int64_t least_chunk(const struct codec_config *codec)
{
    return larger(CHUNK_LEAST_FRAMES, geometry_divide_up(codec->kernel, CHUNKS_IN_A_BLOCK));
}

bool codec_halve_chunking(const struct codec_config *codec, struct chunking *chunking)
{
    int64_t before = chunking->chunk;
    *chunking = codec_chunking(larger(before / 2, least_chunk(codec)));
    return chunking->chunk < before;
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

void codec_plan_shared(struct memory_plan *plan, const struct codec_config *codec, int64_t own_floats, int64_t window, struct device device)
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
    else /* a GPU's library has the LSTM's weights in one piece: copied at the beginning, or for each block */
        memory_plan_add(plan, "libraries", size * geometry_lstm_floats(codec) + budget_workspaces(device));
}

int codec_choose_chunking(codec_planner *planner, const struct codec_config *codec, int64_t channels, const struct budget *budget,
                          const char *what, struct chunking *chunking, struct memory_plan *plan)
{
    int64_t least = least_chunk(codec), chunk = larger(CHUNK_DEFAULT_FRAMES, least);
    for (;; chunk--) {
        *chunking = codec_chunking(chunk);
        *plan = (struct memory_plan){0};
        planner(plan, codec, channels, *chunking, budget->device);
        if (budget_holds(budget, plan))
            return 0;
        if (chunk == least)
            break;
    }
    char *advice = budget_advice(budget, plan, NULL);
    budget_refuse(budget, plan, advice, "%s", what);
    free(advice);
    return -1;
}
