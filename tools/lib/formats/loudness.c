/* SPDX-License-Identifier: Apache-2.0 */
#include <ebur128.h>
#include <math.h>
#include <stdlib.h>

#include "base/failure.h"
#include "base/memory.h"
#include "formats/loudness.h"

enum { BLOCK_FRAMES = 1 << 16 };

static double decibels(double linear)
{
    return linear > 0 ? 20 * log10(linear) : -HUGE_VAL;
}

struct loudness_meter {
    ebur128_state *state;
    unsigned channels;
};

static struct loudness_meter *open_meter(int channels, int64_t rate_hz, int mode)
{
    if (channels < 1 || channels > 2) {
        fail("cannot measure the loudness of %d channels: 1 or 2 are supported", channels);
        return NULL;
    }
    if (rate_hz < 16 || rate_hz > 2822400) { /* libebur128's own range */
        fail("cannot measure loudness at %lld Hz", (long long)rate_hz);
        return NULL;
    }
    struct loudness_meter *meter = allocate(1, sizeof *meter);
    meter->channels = (unsigned)channels;
    meter->state = ebur128_init(meter->channels, (unsigned long)rate_hz, mode);
    if (!meter->state) {
        fail("out of memory while measuring loudness");
        loudness_close(meter);
        return NULL;
    }
    if (channels == 1)
        ebur128_set_channel(meter->state, 0, EBUR128_LEFT); /* one channel of weight 1, not two of them */
    return meter;
}

struct loudness_meter *loudness_open(int channels, int64_t rate_hz)
{
    return open_meter(channels, rate_hz, EBUR128_MODE_I | EBUR128_MODE_TRUE_PEAK | EBUR128_MODE_SAMPLE_PEAK);
}

int loudness_add(struct loudness_meter *meter, const float *samples, int64_t frames)
{
    for (int64_t at = 0; at < frames; at += BLOCK_FRAMES) {
        int64_t count = frames - at < BLOCK_FRAMES ? frames - at : BLOCK_FRAMES;
        if (ebur128_add_frames_float(meter->state, samples + at * meter->channels, (size_t)count) != EBUR128_SUCCESS)
            return fail("out of memory while measuring loudness");
    }
    return 0;
}

int loudness_result(const struct loudness_meter *meter, struct loudness *loudness)
{
    double true_peak = 0;
    loudness->sample_peak = 0;
    if (ebur128_loudness_global(meter->state, &loudness->integrated_lufs) != EBUR128_SUCCESS)
        return fail("out of memory while measuring loudness");
    for (unsigned c = 0; c < meter->channels; c++) {
        double peak = 0;
        if (ebur128_true_peak(meter->state, c, &peak) == EBUR128_SUCCESS)
            true_peak = fmax(true_peak, peak);
        if (ebur128_sample_peak(meter->state, c, &peak) == EBUR128_SUCCESS)
            loudness->sample_peak = fmax(loudness->sample_peak, peak);
    }
    loudness->true_peak_dbtp = decibels(fmax(true_peak, loudness->sample_peak));
    return 0;
}

void loudness_close(struct loudness_meter *meter)
{
    if (meter && meter->state)
        ebur128_destroy(&meter->state);
    free(meter);
}

int loudness_measure(const float *samples, int64_t frames, int channels, int64_t rate_hz, struct loudness *loudness)
{
    struct loudness_meter *meter = loudness_open(channels, rate_hz);
    int result = meter && loudness_add(meter, samples, frames) == 0 ? loudness_result(meter, loudness) : -1;
    loudness_close(meter);
    return result;
}

int loudness_integrated(const float *samples, int64_t frames, int channels, int64_t rate_hz, double *integrated_lufs)
{
    struct loudness_meter *meter = open_meter(channels, rate_hz, EBUR128_MODE_I);
    int result = meter ? loudness_add(meter, samples, frames) : -1;
    if (result == 0 && ebur128_loudness_global(meter->state, integrated_lufs) != EBUR128_SUCCESS)
        result = fail("out of memory while measuring loudness");
    loudness_close(meter);
    return result;
}
