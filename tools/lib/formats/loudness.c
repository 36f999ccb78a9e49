/* SPDX-License-Identifier: Apache-2.0 */
#include <ebur128.h>
#include <math.h>

#include "base/failure.h"
#include "formats/loudness.h"

enum { BLOCK_FRAMES = 1 << 16 };

static double decibels(double linear)
{
    return linear > 0 ? 20 * log10(linear) : -HUGE_VAL;
}

static int add_all(ebur128_state *state, const float *samples, int64_t frames, int channels)
{
    for (int64_t at = 0; at < frames; at += BLOCK_FRAMES) {
        int64_t count = frames - at < BLOCK_FRAMES ? frames - at : BLOCK_FRAMES;
        if (ebur128_add_frames_float(state, samples + at * channels, (size_t)count) != EBUR128_SUCCESS)
            return fail("out of memory while measuring loudness");
    }
    return 0;
}

static int collect(ebur128_state *state, int channels, struct loudness *loudness)
{
    double true_peak = 0;
    loudness->sample_peak = 0;
    if (ebur128_loudness_global(state, &loudness->integrated_lufs) != EBUR128_SUCCESS)
        return fail("out of memory while measuring loudness");
    for (unsigned c = 0; c < (unsigned)channels; c++) {
        double peak = 0;
        if (ebur128_true_peak(state, c, &peak) == EBUR128_SUCCESS)
            true_peak = fmax(true_peak, peak);
        if (ebur128_sample_peak(state, c, &peak) == EBUR128_SUCCESS)
            loudness->sample_peak = fmax(loudness->sample_peak, peak);
    }
    loudness->true_peak_dbtp = decibels(fmax(true_peak, loudness->sample_peak));
    return 0;
}

int loudness_measure(const float *samples, int64_t frames, int channels, int64_t rate_hz, struct loudness *loudness)
{
    if (channels < 1 || channels > 2)
        return fail("cannot measure the loudness of %d channels: 1 or 2 are supported", channels);
    if (rate_hz < 16 || rate_hz > 2822400) /* libebur128's own range */
        return fail("cannot measure loudness at %lld Hz", (long long)rate_hz);
    ebur128_state *state = ebur128_init((unsigned)channels, (unsigned long)rate_hz,
                                        EBUR128_MODE_I | EBUR128_MODE_TRUE_PEAK | EBUR128_MODE_SAMPLE_PEAK);
    if (!state)
        return fail("out of memory while measuring loudness");
    if (channels == 1)
        ebur128_set_channel(state, 0, EBUR128_LEFT); /* one channel of weight 1, not two of them */
    int result = add_all(state, samples, frames, channels);
    if (result == 0)
        result = collect(state, channels, loudness);
    ebur128_destroy(&state);
    return result;
}
