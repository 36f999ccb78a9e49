/* SPDX-License-Identifier: Apache-2.0 */
#include "encode-audio/tune.h"

#include <stdlib.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/progress.h"
#include "formats/audio.h"
#include "formats/stage.h"
#include "nn/budget.h"

/* How a piece falls into windows, in samples of the reference. */
struct layout {
    int64_t windows, length, stride;
};

static struct layout layout_of(const struct model *model, const struct request *request)
{
    int64_t frames = request->duration > 0 ? frames_of_seconds(request->duration, model->frame_rate_hz) : 1;
    int64_t beyond = frames - model->window_frames, stride = model->stride_frames;
    struct layout layout = {.windows = 1 + (beyond > 0 ? (beyond + stride - 1) / stride : 0)};
    layout.length = model->window_frames * CHROMA_RATE_HZ / model->frame_rate_hz;
    layout.stride = stride * CHROMA_RATE_HZ / model->frame_rate_hz;
    return layout;
}

/* Samples of the reference that any window may use, if it has so many. */
static int64_t samples_used(const struct layout *layout)
{
    return (layout->windows - 1) * layout->stride + layout->length;
}

int tune_fits(const struct model *model, const struct request *request, int64_t memory)
{
    struct layout layout = layout_of(model, request);
    int64_t samples = samples_used(&layout) + (layout.windows > 1 ? layout.length : 0);
    struct memory_plan plan = {0};
    struct budget budget;
    memory_plan_add(&plan, "samples", samples * (int64_t)sizeof(float));
    chroma_plan(&plan);
    if (budget_open(&budget, (struct device){DEVICE_CPU, 0}, memory))
        return -1;
    if (budget_holds(&budget, &plan))
        return 0;
    char *advice = budget_advice(&budget, &plan, NULL);
    budget_refuse(&budget, &plan, advice, "the melody of a piece of %lld window%s", (long long)layout.windows, layout.windows == 1 ? "" : "s");
    free(advice);
    return -1;
}

/* The beginning of the reference, at most `most` samples; yours. NULL on failure. */
static float *read_reference(const char *path, int64_t most, int64_t *count)
{
    struct audio_source *source = audio_source_open(path, CHROMA_RATE_HZ, 1);
    int64_t got = 0, capacity = 0;
    float *samples = NULL;
    if (!source)
        return NULL;
    *count = 0;
    do {
        if (*count == capacity) {
            capacity = capacity ? 2 * capacity : 1 << 16;
            capacity = capacity < most ? capacity : most;
            samples = reallocate(samples, (size_t)capacity, sizeof *samples);
        }
        got = audio_source_read(source, samples + *count, capacity - *count);
        *count += got > 0 ? got : 0;
    } while (got > 0 && *count < most);
    audio_source_close(source);
    if (got >= 0 && *count > 0)
        return samples;
    if (got >= 0)
        fail("'%s' holds no sound", path);
    free(samples);
    return NULL;
}

/* `made` frames, cut or repeated to `wanted`. */
static void match_length(const int32_t *bins, int64_t made, int32_t *row, int64_t wanted)
{
    for (int64_t t = 0; t < wanted; t++)
        row[t] = bins[t % made];
}

static int fill_windows(const struct chroma *chroma, const struct layout *layout, const float *samples, int64_t count, struct melody *melody)
{
    int64_t length = layout->windows > 1 ? layout->length : count;
    float *extended = layout->windows > 1 ? allocate((size_t)length, sizeof *extended) : NULL;
    int32_t *bins = allocate((size_t)chroma_frames(length), sizeof *bins);
    for (int64_t w = 0; w < layout->windows && !failed(); w++) {
        for (int64_t i = 0; extended && i < length; i++)
            extended[i] = samples[(w * layout->stride + i) % count];
        chroma_bins(chroma, extended ? extended : samples, length, bins);
        match_length(bins, chroma_frames(length), melody->chroma + w * melody->frames, melody->frames);
        progress_step("chroma", w + 1, layout->windows);
    }
    free(extended);
    free(bins);
    return failed() ? -1 : 0;
}

static json_t *recipe_of(const struct model *model, const char *identity, const struct request *request, int64_t windows)
{
    json_t *recipe = request_recipe(request, model, identity);
    if (recipe)
        json_object_update_new(recipe, json_pack("{s:I, s:I, s:I, s:I}", "windows", (json_int_t)windows, "frame_rate",
                                                 (json_int_t)model->frame_rate_hz, "window_frames", (json_int_t)model->window_frames,
                                                 "stride_frames", (json_int_t)model->stride_frames));
    return recipe;
}

json_t *tune_encode(const struct chroma *chroma, const struct model *model, const char *identity, const struct request *request)
{
    struct layout layout = layout_of(model, request);
    struct melody melody = {.windows = layout.windows, .frames = model->language.chroma_frames};
    int64_t count;
    json_t *result = NULL;
    float *samples = read_reference(request->input, samples_used(&layout), &count);
    if (!samples)
        return NULL;
    melody.chroma = allocate((size_t)(melody.windows * melody.frames), sizeof *melody.chroma);
    if (fill_windows(chroma, &layout, samples, count, &melody) == 0 &&
        (melody.recipe = recipe_of(model, identity, request, melody.windows)) != NULL &&
        melody_write(&melody, "encode-audio", request->output) == 0)
        result = json_pack("{s:I, s:I}", "windows", (json_int_t)melody.windows, "frames", (json_int_t)melody.frames);
    melody_release(&melody);
    free(samples);
    return result;
}
