/* SPDX-License-Identifier: Apache-2.0
 * Loudness after EBU Tech 3341 (2016), table 1: the cases of mono and stereo.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/failure.h"
#include "base/memory.h"
#include "formats/loudness.h"

enum { RATE_HZ = 48000 };

struct stretch {
    double seconds, dbfs;
};

/* 1 kHz at these levels, one after the other, in all channels. */
static float *tone(const struct stretch *stretches, int count, int channels, int64_t *frames)
{
    *frames = 0;
    for (int s = 0; s < count; s++)
        *frames += (int64_t)(stretches[s].seconds * RATE_HZ);
    float *samples = allocate((size_t)(*frames * channels), sizeof *samples);
    for (int64_t n = 0, s = 0, end = (int64_t)(stretches[0].seconds * RATE_HZ); n < *frames; n++) {
        if (n == end)
            end += (int64_t)(stretches[++s].seconds * RATE_HZ);
        for (int c = 0; c < channels; c++)
            samples[n * channels + c] = (float)(pow(10, stretches[s].dbfs / 20) * sin(2 * M_PI * 1000 * (double)n / RATE_HZ));
    }
    return samples;
}

static double integrated(const struct stretch *stretches, int count, int channels)
{
    int64_t frames;
    struct loudness loudness;
    double alone;
    float *samples = tone(stretches, count, channels, &frames);
    assert_int_equal(loudness_measure(samples, frames, channels, RATE_HZ, &loudness), 0);
    assert_int_equal(loudness_integrated(samples, frames, channels, RATE_HZ, &alone), 0);
    assert_true(alone == loudness.integrated_lufs);
    free(samples);
    return loudness.integrated_lufs;
}

/* The standard's tolerance is 0.1 LU; measured -22.99, -32.99, -22.99, -22.99 (-23, -33, -23, -23). */
static void test_ebu_cases(void **state)
{
    (void)state;
    const struct stretch one[] = {{20, -23}}, two[] = {{20, -33}}, three[] = {{10, -36}, {60, -23}, {10, -36}};
    const struct stretch four[] = {{10, -72}, {10, -36}, {60, -23}, {10, -36}, {10, -72}};
    assert_true(fabs(integrated(one, 1, 2) + 23) <= 0.1);
    assert_true(fabs(integrated(two, 1, 2) + 33) <= 0.1);
    assert_true(fabs(integrated(three, 3, 2) + 23) <= 0.1);
    assert_true(fabs(integrated(four, 5, 2) + 23) <= 0.1);
}

/* One channel alone is 3.01 LU below two equal ones. */
static void test_mono_is_one_channel(void **state)
{
    (void)state;
    const struct stretch one[] = {{5, -23}};
    assert_true(fabs(integrated(one, 1, 1) + 26.01) <= 0.1);
}

static void test_what_has_no_loudness(void **state)
{
    (void)state;
    const struct stretch silence[] = {{1, -HUGE_VAL}}, moment[] = {{0.3, -10}};
    assert_true(integrated(silence, 1, 2) == -HUGE_VAL);
    assert_true(integrated(moment, 1, 2) == -HUGE_VAL);
}

/* A quarter of the rate at 45 degrees: all samples are 3.01 dB below the wave between them. Measured -6.01 dBTP. */
static void test_true_peak_is_between_samples(void **state)
{
    (void)state;
    enum { FRAMES = RATE_HZ };
    float *samples = allocate(FRAMES, sizeof *samples);
    struct loudness loudness;
    for (int n = 0; n < FRAMES; n++)
        samples[n] = (float)(0.5 * sin(M_PI / 2 * n + M_PI / 4) * fmin(1, fmin(n, FRAMES - n) / 1000.0));
    assert_int_equal(loudness_measure(samples, FRAMES, 1, RATE_HZ, &loudness), 0);
    assert_true(fabs(20 * log10(loudness.sample_peak) + 9.03) < 0.01);
    assert_true(fabs(loudness.true_peak_dbtp + 6.02) < 0.1);
    free(samples);
}

static void test_refusals(void **state)
{
    (void)state;
    float sample[3] = {0};
    struct loudness loudness;
    assert_int_equal(loudness_measure(sample, 1, 3, RATE_HZ, &loudness), -1);
    assert_non_null(strstr(failure_text(), "3 channels"));
    failure_clear();
    assert_int_equal(loudness_measure(sample, 1, 1, 0, &loudness), -1);
    assert_non_null(strstr(failure_text(), "0 Hz"));
    failure_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ebu_cases),
        cmocka_unit_test(test_mono_is_one_channel),
        cmocka_unit_test(test_what_has_no_loudness),
        cmocka_unit_test(test_true_peak_is_between_samples),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
