/* SPDX-License-Identifier: Apache-2.0
 * transcode's limiter and the master that uses it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "transcode/limiter.h"
#include "transcode/master.h"

enum { RATE_HZ = 44100, FRAMES = 3 * RATE_HZ };

/* Deterministic noise in [-1, 1). */
static double noise(void)
{
    static uint32_t seed = 1;
    seed = seed * 1664525u + 1013904223u;
    return (double)(int32_t)seed / 2147483648.0;
}

static float drum(int64_t n)
{
    return (float)(0.6 * noise() * exp(-8.0 * (double)(n % (RATE_HZ / 2)) / RATE_HZ) + 0.2 * sin(0.02 * (double)n));
}

static struct sound drums(int channels)
{
    struct sound sound = {allocate((size_t)(FRAMES * channels), sizeof(float)), FRAMES, channels, RATE_HZ};
    for (int64_t n = 0; n < FRAMES; n++)
        for (int c = 0; c < channels; c++)
            sound.samples[n * channels + c] = drum(n);
    return sound;
}

static double largest(const float *values, int64_t count)
{
    double peak = 0;
    for (int64_t i = 0; i < count; i++)
        peak = fmax(peak, fabs(values[i]));
    return peak;
}

/* A quarter of the rate at 45 degrees has its peaks between samples. */
static void test_peaks_between_samples(void **state)
{
    (void)state;
    float *samples = allocate(FRAMES, sizeof *samples);
    for (int64_t n = 0; n < FRAMES; n++)
        samples[n] = (float)(0.7 * sin(M_PI / 2 * (double)n + M_PI / 4));
    float *peaks = limiter_peaks(samples, FRAMES, 1);
    for (int64_t n = 100; n < FRAMES - 100; n++) /* a crest in every second interval */
        assert_true(fabs(peaks[n % 2 ? n - 1 : n] - 0.7) < 1e-4);
    free(samples);
    free(peaks);
}

/* Below the ceiling nothing changes but the gain. */
static void test_below_the_ceiling(void **state)
{
    (void)state;
    struct sound sound = drums(2);
    float *peaks = limiter_peaks(sound.samples, FRAMES, 2), *output = allocate(FRAMES * 2, sizeof *output);
    double peak = largest(peaks, FRAMES);
    assert_true(limiter_apply(sound.samples, peaks, FRAMES, 2, RATE_HZ, 0.5, peak * 0.5001, output) == 1);
    for (int64_t i = 0; i < FRAMES * 2; i++)
        assert_true(output[i] == sound.samples[i] * 0.5f);
    sound_release(&sound);
    free(peaks);
    free(output);
}

/* No excess measured: samples 9e-5 below the ceiling, between samples 0.0000 dB above it. */
static void test_the_ceiling_holds(void **state)
{
    (void)state;
    struct sound sound = drums(2);
    float *peaks = limiter_peaks(sound.samples, FRAMES, 2), *output = allocate(FRAMES * 2, sizeof *output);
    for (double gain = 1; gain < 20; gain *= 3) {
        double smallest = limiter_apply(sound.samples, peaks, FRAMES, 2, RATE_HZ, gain, 0.5, output);
        float *limited = limiter_peaks(output, FRAMES, 2);
        assert_true(smallest < 1 && fabs(smallest * gain * largest(peaks, FRAMES) - 0.5) < 1e-4);
        assert_true(largest(output, FRAMES * 2) <= 0.5 + 1e-6);
        assert_true(20 * log10(largest(limited, FRAMES) / 0.5) < 0.01);
        free(limited);
    }
    sound_release(&sound);
    free(peaks);
    free(output);
}

/* A gain, not a clipper: the output over the input moves by less than 1 % (measured 0.32 %) from frame to frame, is the
 * same for both channels, and comes back to 1 after the release. */
static void test_the_gain_is_smooth(void **state)
{
    (void)state;
    float *samples = allocate(FRAMES * 2, sizeof *samples), *output = allocate(FRAMES * 2, sizeof *output);
    for (int64_t n = 0; n < FRAMES; n++) {
        samples[2 * n] = n > 30000 && n < 30100 ? 0.9f : 0.1f;
        samples[2 * n + 1] = 0.1f;
    }
    float *peaks = limiter_peaks(samples, FRAMES, 2);
    limiter_apply(samples, peaks, FRAMES, 2, RATE_HZ, 1, 0.3, output);
    double before = 1;
    for (int64_t n = 0; n < FRAMES; n++) {
        double gain = output[2 * n + 1] / samples[2 * n + 1];
        assert_true(fabs(output[2 * n] / samples[2 * n] - gain) < 1e-6);
        assert_true(fabs(gain - before) < 0.01);
        before = gain;
    }
    assert_true(fabs(before - 1) < 1e-6);
    assert_true(output[2 * 29000] == 0.1f && output[2 * 30050] <= 0.3f);
    free(samples);
    free(peaks);
    free(output);
}

static void check_master(int channels, double target_lufs, double ceiling_dbtp)
{
    struct sound sound = drums(channels);
    struct level level = {.target_lufs = target_lufs, .ceiling_dbtp = ceiling_dbtp};
    struct master master;
    assert_int_equal(master_open(&master, &sound, &level), 0);
    assert_true(fabs(master.after.integrated_lufs - target_lufs) <= 0.06);
    assert_true(master.after.true_peak_dbtp <= ceiling_dbtp);
    master_release(&master);
}

/* Loudness within 0.05 LU (measured 0.032) although the limiter takes 0 to 5 dB, and the ceiling kept. */
static void test_loudness_under_a_ceiling(void **state)
{
    (void)state;
    check_master(2, -23, -1);
    check_master(2, -14, -1);
    check_master(1, -14, -3);
    check_master(2, -9, -1);
}

/* Clicks have next to no loudness: the limiter stops at its limit, and says so by what is missing. */
static void test_what_the_ceiling_does_not_allow(void **state)
{
    (void)state;
    struct sound sound = {allocate(FRAMES, sizeof(float)), FRAMES, 1, RATE_HZ};
    struct level level = {.target_lufs = -10, .ceiling_dbtp = -1};
    struct master master;
    for (int64_t n = 0; n < FRAMES; n += RATE_HZ / 4)
        sound.samples[n] = 1;
    assert_int_equal(master_open(&master, &sound, &level), 0);
    assert_true(fabs(master.reduction_db - MASTER_MOST_REDUCTION_DB) < 0.02);
    assert_true(master.after.integrated_lufs < -11 && master.after.true_peak_dbtp <= -1);
    master_release(&master);
}

static void test_gain_alone(void **state)
{
    (void)state;
    struct sound sound = drums(1);
    float first = sound.samples[100];
    struct level level = {.target_lufs = NAN, .ceiling_dbtp = NAN, .gain_db = 20};
    struct master master;
    assert_int_equal(master_open(&master, &sound, &level), 0);
    assert_true(fabs(master.sound.samples[100] - 10 * first) < 1e-5);
    assert_true(master.reduction_db == 0);
    level.gain_db = 0;
    assert_int_equal(master_apply(&master, &level), 0);
    assert_true(master.sound.samples[100] == first);
    master_release(&master);
}

static void test_trim(void **state)
{
    (void)state;
    struct sound sound = {allocate(FRAMES * 2, sizeof(float)), FRAMES, 2, RATE_HZ};
    assert_false(sound_trim(&sound));
    sound.samples[2 * 10000 + 1] = 0.5f;
    sound.samples[2 * 20000] = -0.5f;
    sound.samples[2 * 5000] = 0.0009f; /* below -60 dBFS */
    assert_true(sound_trim(&sound));
    assert_int_equal(sound.frames, 441 + 10001 + 441);
    assert_true(sound.samples[2 * 441 + 1] == 0.5f && sound.samples[2 * (sound.frames - 442)] == -0.5f);
    sound_release(&sound);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peaks_between_samples),
        cmocka_unit_test(test_below_the_ceiling),
        cmocka_unit_test(test_the_ceiling_holds),
        cmocka_unit_test(test_the_gain_is_smooth),
        cmocka_unit_test(test_loudness_under_a_ceiling),
        cmocka_unit_test(test_what_the_ceiling_does_not_allow),
        cmocka_unit_test(test_gain_alone),
        cmocka_unit_test(test_trim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
