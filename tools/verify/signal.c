/* SPDX-License-Identifier: Apache-2.0
 * Clipped: at least CLIP_RUN samples in a row of one sign at or above full scale, which is 32767/32768 in 16 bits (less half
 * a step) and 1 in float: a peak that merely touches full scale has one or two. Stuck: within HELD_WITHIN of the value
 * it began at.
 */
#include "verify/signal.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"

enum { CLIP_RUN = 3 };
static const float FULL_SCALE = 32766.5f / 32768.0f;
static const float HELD_WITHIN = 1e-4f; /* -80 dBFS: below the noise that a lossy codec leaves around a constant */

struct signal_channel {
    double sum;
    bool clip_positive;
    int64_t clip_run;
    float held;
    struct stretch hold;
};

void signal_begin(struct signal *signal, int channels, int64_t rate_hz)
{
    *signal = (struct signal){.channels = channels, .rate_hz = rate_hz, .clipped_first = -1};
    signal->state = allocate((size_t)channels, sizeof *signal->state);
}

static void keep_longer(struct stretch *longest, struct stretch candidate)
{
    if (candidate.frames > longest->frames)
        *longest = candidate;
}

static void add_clip(struct signal *signal, struct signal_channel *channel, float sample, int64_t frame)
{
    if (fabsf(sample) < FULL_SCALE) {
        channel->clip_run = 0;
        return;
    }
    bool positive = sample > 0;
    channel->clip_run = channel->clip_run && positive == channel->clip_positive ? channel->clip_run + 1 : 1;
    channel->clip_positive = positive;
    if (channel->clip_run < CLIP_RUN)
        return;
    signal->clipped += channel->clip_run == CLIP_RUN ? CLIP_RUN : 1;
    if (signal->clipped_first < 0)
        signal->clipped_first = frame - CLIP_RUN + 1;
}

static void end_hold(struct signal *signal, const struct signal_channel *channel)
{
    if (fabsf(channel->held) >= SILENCE_LEVEL)
        keep_longer(&signal->stuck, channel->hold);
}

static void add_hold(struct signal *signal, struct signal_channel *channel, float sample, int64_t frame)
{
    if (channel->hold.frames && fabsf(sample - channel->held) <= HELD_WITHIN) {
        channel->hold.frames++;
        return;
    }
    end_hold(signal, channel);
    channel->held = sample;
    channel->hold = (struct stretch){frame, 1};
}

static void add_silence(struct signal *signal, bool silent, int64_t frame)
{
    if (silent) {
        if (!signal->tail.frames++)
            signal->tail.start = frame;
    } else if (signal->tail.frames) {
        keep_longer(&signal->silence, signal->tail);
        signal->tail = (struct stretch){0};
    }
}

static void add_frame(struct signal *signal, const float *frame)
{
    bool silent = true;
    for (int c = 0; c < signal->channels; c++) {
        struct signal_channel *channel = &signal->state[c];
        bool finite = isfinite(frame[c]);
        float sample = finite ? frame[c] : 0;
        signal->not_finite += !finite;
        silent = silent && fabsf(sample) < SILENCE_LEVEL;
        channel->sum += sample;
        add_clip(signal, channel, sample, signal->frames);
        add_hold(signal, channel, sample, signal->frames);
    }
    add_silence(signal, silent, signal->frames);
    signal->frames++;
}

void signal_add(struct signal *signal, const float *samples, int64_t frames)
{
    for (int64_t i = 0; i < frames; i++)
        add_frame(signal, samples + i * signal->channels);
}

void signal_end(struct signal *signal)
{
    for (int c = 0; c < signal->channels && signal->frames; c++) {
        double mean = signal->state[c].sum / (double)signal->frames;
        if (fabs(mean) > fabs(signal->dc))
            signal->dc = mean;
        end_hold(signal, &signal->state[c]);
    }
}

void signal_release(struct signal *signal)
{
    free(signal->state);
    signal->state = NULL;
}
