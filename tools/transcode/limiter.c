/* SPDX-License-Identifier: Apache-2.0
 * Between frames the signal is the band-limited one: windowed-sinc interpolation at 1/8 steps, 16 samples on either side
 * (ITU-R BS.1770-4, annex 2, asks for 4 times; 8 misses at most 0.17 dB at the highest frequency).
 */
#include "transcode/limiter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { PHASES = 8, HALF_TAPS = 16, TAPS = 2 * HALF_TAPS, BLOCK_FRAMES = 256 };
static const double KAISER_BETA = 8, LOOK_AHEAD_SECONDS = 0.005, RELEASE_SECONDS = 0.1;

/* Modified Bessel function of order zero, by its power series. */
static double bessel(double x)
{
    double sum = 1, term = 1;
    for (int k = 1; term > 1e-12 * sum; k++) {
        term *= x * x / (4.0 * k * k);
        sum += term;
    }
    return sum;
}

/* taps[phase - 1][i]: the weight of sample n - HALF_TAPS + 1 + i in the value at n + phase / PHASES. */
static void make_taps(float taps[PHASES - 1][TAPS])
{
    for (int phase = 1; phase < PHASES; phase++)
        for (int i = 0; i < TAPS; i++) {
            double distance = i - (HALF_TAPS - 1) - (double)phase / PHASES, place = distance / HALF_TAPS;
            double window = bessel(KAISER_BETA * sqrt(1 - place * place)) / bessel(KAISER_BETA);
            taps[phase - 1][i] = (float)(sin(M_PI * distance) / (M_PI * distance) * window);
        }
}

/* fmaxf would be a call, and keep the loops below from becoming vector code. */
static float larger(float a, float b)
{
    return a > b ? a : b;
}

/* Raises peaks[0 .. BLOCK_FRAMES) to those of one channel; x[-HALF_TAPS + 1 .. BLOCK_FRAMES + HALF_TAPS] can be read. */
static void raise_block(const float *x, float taps[PHASES - 1][TAPS], float *peaks)
{
    for (int n = 0; n < BLOCK_FRAMES; n++)
        peaks[n] = larger(peaks[n], fabsf(x[n]));
    for (int phase = 0; phase < PHASES - 1; phase++) {
        float between[BLOCK_FRAMES] = {0};
        for (int i = 0; i < TAPS; i++) {
            const float *shifted = x + i - (HALF_TAPS - 1);
            float weight = taps[phase][i];
            for (int n = 0; n < BLOCK_FRAMES; n++)
                between[n] += weight * shifted[n];
        }
        for (int n = 0; n < BLOCK_FRAMES; n++)
            peaks[n] = larger(peaks[n], fabsf(between[n]));
    }
}

float *limiter_peaks(const float *samples, int64_t frames, int channels)
{
    int64_t padded = (frames + BLOCK_FRAMES - 1) / BLOCK_FRAMES * BLOCK_FRAMES;
    float taps[PHASES - 1][TAPS];
    float *peaks = allocate((size_t)padded, sizeof(*peaks));
    float *channel = allocate((size_t)(padded + TAPS), sizeof(*channel)); /* silence before and after */
    make_taps(taps);
    for (int c = 0; c < channels; c++) {
        for (int64_t n = 0; n < frames; n++)
            channel[HALF_TAPS + n] = samples[n * channels + c];
        for (int64_t n = 0; n < padded; n += BLOCK_FRAMES)
            raise_block(channel + HALF_TAPS + n, taps, peaks + n);
    }
    free(channel);
    return peaks;
}

/* envelope[n] = the smallest needed[k] with |k - n| <= reach. The candidates, ascending from the oldest, in a queue. */
static void hold_minimum(const float *needed, int64_t frames, int64_t reach, float *envelope)
{
    int64_t *queue = allocate((size_t)frames, sizeof(*queue)), first = 0, end = 0, next = 0;
    for (int64_t n = 0; n < frames; n++) {
        for (; next < frames && next <= n + reach; next++) {
            while (end > first && needed[queue[end - 1]] >= needed[next])
                end--;
            queue[end++] = next;
        }
        while (queue[first] < n - reach)
            first++;
        envelope[n] = needed[queue[first]];
    }
    free(queue);
}

static void release_slowly(float *envelope, int64_t frames, int64_t rate_hz)
{
    double step = 1 - exp(-1 / (RELEASE_SECONDS * (double)rate_hz)), value = 1;
    for (int64_t n = 0; n < frames; n++) {
        value += (1 - value) * step;
        if (value > envelope[n])
            value = envelope[n];
        envelope[n] = (float)value;
    }
}

/* The mean over |k - n| <= reach, the ends going on as they are. Sums are of distances from 1, so that 1 stays exactly 1. */
static void smooth(float *envelope, int64_t frames, int64_t reach)
{
    float *mean = allocate((size_t)frames, sizeof(*mean));
    double sum = 0;
    for (int64_t k = -reach; k <= reach; k++)
        sum += 1.0 - envelope[k < 0 ? 0 : k >= frames ? frames - 1 : k];
    for (int64_t n = 0; n < frames; n++) {
        int64_t leaves = n - reach, enters = n + reach + 1;
        mean[n] = (float)(1.0 - sum / (double)(2 * reach + 1));
        sum += envelope[leaves < 0 ? 0 : leaves] - (double)envelope[enters >= frames ? frames - 1 : enters];
    }
    memcpy(envelope, mean, (size_t)frames * sizeof(*mean));
    free(mean);
}

/* Two means of half the look-ahead make a window of triangular shape; what they reach, and the interpolation's half
 * length, is held before. */
static double make_envelope(const float *peaks, int64_t frames, int64_t rate_hz, double gain, double ceiling, float *envelope)
{
    int64_t half = (int64_t)(LOOK_AHEAD_SECONDS / 2 * (double)rate_hz);
    float *needed = allocate((size_t)frames, sizeof(*needed));
    double smallest = 1;
    for (int64_t n = 0; n < frames; n++) {
        needed[n] = peaks[n] * gain > ceiling ? (float)(ceiling / (peaks[n] * gain)) : 1;
        if (needed[n] < smallest)
            smallest = needed[n];
    }
    hold_minimum(needed, frames, 2 * half + HALF_TAPS, envelope);
    release_slowly(envelope, frames, rate_hz);
    smooth(envelope, frames, half);
    smooth(envelope, frames, half);
    free(needed);
    return smallest;
}

double limiter_apply(const float *samples, const float *peaks, int64_t frames, int channels, int64_t rate_hz, double gain,
                     double ceiling, float *output)
{
    if (frames == 0)
        return 1;
    float *envelope = allocate((size_t)frames, sizeof(*envelope));
    double smallest = make_envelope(peaks, frames, rate_hz, gain, ceiling, envelope);
    for (int64_t n = 0; n < frames; n++)
        for (int c = 0; c < channels; c++)
            output[n * channels + c] = (float)(samples[n * channels + c] * (gain * envelope[n]));
    free(envelope);
    return smallest;
}
