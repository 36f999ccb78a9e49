/* SPDX-License-Identifier: Apache-2.0
 * Resampling by libswresample: the soxr engine (passband to 95 % of the lower Nyquist frequency, 28 bits) where this
 * libav has it, else libswresample's own polyphase filter, made as long as quality asks.
 */
#include <stdlib.h>
#include <string.h>

#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>

#include "base/failure.h"
#include "base/memory.h"
#include "formats/audio-libav.h"
#include "formats/audio.h"

enum { CHUNK_FRAMES = 1 << 15 };

static const struct engine {
    const char *name;
    int id;
    double cutoff;
} ENGINES[] = {{"soxr", SWR_ENGINE_SOXR, 0.95}, {"swr", SWR_ENGINE_SWR, 0.97}};

static SwrContext *open_engine(const struct engine *engine, int channels, int64_t from_hz, int64_t to_hz)
{
    SwrContext *context = NULL;
    AVChannelLayout layout;
    av_channel_layout_default(&layout, channels);
    int code = swr_alloc_set_opts2(&context, &layout, AV_SAMPLE_FMT_FLT, (int)to_hz, &layout, AV_SAMPLE_FMT_FLT, (int)from_hz, 0, NULL);
    if (code >= 0) {
        av_opt_set_int(context, "resampler", engine->id, 0);
        av_opt_set_double(context, "precision", 28, 0);
        av_opt_set_double(context, "cutoff", engine->cutoff, 0);
        av_opt_set_int(context, "filter_size", 128, 0);
        av_opt_set_int(context, "exact_rational", 1, 0);
        av_opt_set_double(context, "kaiser_beta", 12, 0);
        code = swr_init(context);
    }
    if (code < 0)
        swr_free(&context);
    return context;
}

struct SwrContext *resampler_open(int channels, int64_t from_hz, int64_t to_hz)
{
    libav_begin();
    for (size_t i = 0; i < COUNT_OF(ENGINES) && from_hz <= INT32_MAX; i++) {
        SwrContext *context = open_engine(&ENGINES[i], channels, from_hz, to_hz);
        if (context)
            return context;
    }
    fail("cannot resample from %lld to %lld Hz: libswresample refuses", (long long)from_hz, (long long)to_hz);
    return NULL;
}

/* After its end the input goes on as silence, until the filter's delay is made up for. */
static int convert(SwrContext *context, const float *samples, int64_t frames, float *output, int64_t total, int channels)
{
    float *silence = allocate((size_t)CHUNK_FRAMES * (size_t)channels, sizeof(*silence));
    int64_t done = 0;
    int got = 0;
    for (int64_t at = 0; got >= 0 && done < total; at += CHUNK_FRAMES) {
        int64_t left = frames - at;
        const uint8_t *in = (const uint8_t *)(left > 0 ? samples + at * channels : silence);
        uint8_t *out = (uint8_t *)(output + done * channels);
        int count = left > 0 && left < CHUNK_FRAMES ? (int)left : CHUNK_FRAMES;
        int room = total - done < INT32_MAX ? (int)(total - done) : INT32_MAX;
        got = swr_convert(context, &out, room, &in, count);
        done += got;
    }
    free(silence);
    return got;
}

float *resample_by(const char *engine, const float *samples, int64_t frames, int channels, int64_t from_hz, int64_t to_hz,
                   int64_t *out_frames)
{
    const struct engine *chosen = strcmp(engine, ENGINES[0].name) ? &ENGINES[1] : &ENGINES[0];
    SwrContext *context = open_engine(chosen, channels, from_hz, to_hz);
    if (!context)
        return NULL;
    *out_frames = av_rescale_rnd(frames, to_hz, from_hz, AV_ROUND_NEAR_INF);
    float *output = allocate((size_t)(*out_frames * channels), sizeof(*output));
    int code = convert(context, samples, frames, output, *out_frames, channels);
    swr_free(&context);
    if (code < 0) {
        fail("cannot resample from %lld to %lld Hz: %s", (long long)from_hz, (long long)to_hz, libav_reason(code));
        free(output);
        return NULL;
    }
    return output;
}

float *audio_resample(const float *samples, int64_t frames, int channels, int64_t from_hz, int64_t to_hz, int64_t *out_frames)
{
    if (from_hz <= 0 || to_hz <= 0 || from_hz > INT32_MAX || to_hz > INT32_MAX) {
        fail("cannot resample from %lld to %lld Hz", (long long)from_hz, (long long)to_hz);
        return NULL;
    }
    if (from_hz == to_hz) {
        float *copy = allocate((size_t)(frames * channels), sizeof(*copy));
        memcpy(copy, samples, (size_t)(frames * channels) * sizeof(*copy));
        *out_frames = frames;
        return copy;
    }
    libav_begin();
    for (size_t i = 0; i < COUNT_OF(ENGINES); i++) {
        float *output = resample_by(ENGINES[i].name, samples, frames, channels, from_hz, to_hz, out_frames);
        if (output || failed())
            return output;
    }
    fail("cannot resample from %lld to %lld Hz: libswresample refuses", (long long)from_hz, (long long)to_hz);
    return NULL;
}
