/* SPDX-License-Identifier: Apache-2.0
 * A file as a model wants it: decoded, mixed, resampled block by block. The input goes on as silence after its end, until
 * the resampler's delay is made up for.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/mathematics.h>
#include <libswresample/swresample.h>

#include "base/failure.h"
#include "base/memory.h"
#include "formats/audio-libav.h"
#include "formats/audio.h"

enum { BLOCK_FRAMES = 1 << 14, MOST_OUT_FRAMES = 1 << 16, SPARE_FRAMES = 1 << 12 };

struct audio_source {
    struct audio *audio;
    SwrContext *resampler;         /* NULL: the file has the rate */
    char *path;
    int64_t from_hz, to_hz;
    int channels;                  /* of the result */
    int64_t block;                 /* frames of the file read at once */
    float *decoded, *mixed;        /* [block, the file's channels], [block, channels] */
    float *ready;                  /* [room, channels]: made, partly given */
    int64_t room, made, used;
    int64_t taken, given;          /* frames of the file so far; frames put into `ready` so far */
    bool ended;
};

static void prepare(struct audio_source *source)
{
    int64_t most = av_rescale(MOST_OUT_FRAMES, source->from_hz, source->to_hz);
    size_t channels = (size_t)source->channels;
    source->block = most < 1 ? 1 : most < BLOCK_FRAMES ? most : BLOCK_FRAMES;
    source->room = av_rescale_rnd(source->block, source->to_hz, source->from_hz, AV_ROUND_UP) + SPARE_FRAMES;
    source->decoded = allocate((size_t)(source->block * audio_info(source->audio)->channels), sizeof(float));
    source->mixed = allocate((size_t)source->block * channels, sizeof(float));
    source->ready = allocate((size_t)source->room * channels, sizeof(float));
}

struct audio_source *audio_source_open(const char *path, int64_t rate_hz, int channels)
{
    struct audio *audio = audio_open(path);
    if (!audio)
        return NULL;
    struct audio_source *source = allocate(1, sizeof *source);
    source->audio = audio;
    source->path = copy_string(path);
    source->from_hz = audio_info(audio)->rate_hz;
    source->to_hz = rate_hz;
    source->channels = channels;
    prepare(source);
    if (source->from_hz != rate_hz) {
        source->resampler = resampler_open(channels, source->from_hz, rate_hz);
        if (!source->resampler)
            failure_within("'%s'", path);
    }
    if (!failed())
        return source;
    audio_source_close(source);
    return NULL;
}

void audio_source_close(struct audio_source *source)
{
    if (!source)
        return;
    swr_free(&source->resampler);
    audio_close(source->audio);
    free(source->path);
    free(source->decoded);
    free(source->mixed);
    free(source->ready);
    free(source);
}

static int64_t converted(const struct audio_source *source, int64_t frames)
{
    return av_rescale_rnd(frames, source->to_hz, source->from_hz, AV_ROUND_DOWN);
}

int64_t audio_source_frames(const struct audio_source *source)
{
    int64_t declared = audio_info(source->audio)->frames;
    return declared < 0 ? -1 : converted(source, declared);
}

/* One from many: their mean. Two from many: the first two. Two from one: a copy. */
static void mix(const float *from, int from_channels, float *to, int to_channels, int64_t frames)
{
    for (int64_t i = 0; i < frames; i++, from += from_channels, to += to_channels) {
        float sum = 0;
        for (int c = 0; c < from_channels && to_channels == 1; c++)
            sum += from[c];
        for (int c = 0; c < to_channels; c++)
            to[c] = to_channels == 1 ? sum / (float)from_channels : from[from_channels == 1 ? 0 : c];
    }
}

/* The next frames of the file into `mixed`, or silence after its end. Returns how many, -1 on failure. */
static int64_t take_block(struct audio_source *source)
{
    int64_t samples, got = source->ended ? 0 : audio_read(source->audio, source->decoded, source->block);
    int channels = audio_info(source->audio)->channels;
    if (got < 0)
        return -1;
    samples = got * channels;
    for (int64_t i = 0; i < samples; i++)
        if (!isfinite(source->decoded[i]))
            return fail("'%s' holds a sample that is not a finite number, at frame %lld", source->path,
                        (long long)(source->taken + i / channels));
    mix(source->decoded, channels, source->mixed, source->channels, got);
    source->taken += got;
    if (got > 0)
        return got;
    source->ended = true;
    memset(source->mixed, 0, (size_t)(source->block * source->channels) * sizeof *source->mixed);
    return source->block;
}

/* Makes the next frames ready: how many, 0 at the end, -1 on failure. */
static int64_t make_ready(struct audio_source *source)
{
    int64_t count = take_block(source), left;
    source->made = source->used = 0;
    if (count < 0)
        return -1;
    if (!source->resampler) {
        source->made = source->ended ? 0 : count;
        memcpy(source->ready, source->mixed, (size_t)(source->made * source->channels) * sizeof *source->ready);
    } else {
        const uint8_t *in = (const uint8_t *)source->mixed;
        uint8_t *out = (uint8_t *)source->ready;
        source->made = swr_convert(source->resampler, &out, (int)source->room, &in, (int)count);
        if (source->made < 0)
            return fail("cannot resample '%s': %s", source->path, libav_reason((int)source->made));
    }
    left = converted(source, source->taken) - source->given;
    if (source->ended && source->made > left)
        source->made = left;
    source->given += source->made;
    return source->ended && left == 0 ? 0 : 1;
}

int64_t audio_source_read(struct audio_source *source, float *samples, int64_t frames)
{
    int64_t done = 0, more = 1;
    while (done < frames && more > 0) {
        int64_t left = source->made - source->used, count = left < frames - done ? left : frames - done;
        memcpy(samples + done * source->channels, source->ready + source->used * source->channels,
               (size_t)(count * source->channels) * sizeof *samples);
        source->used += count;
        done += count;
        if (done < frames)
            more = make_ready(source);
    }
    return more < 0 ? -1 : done;
}
