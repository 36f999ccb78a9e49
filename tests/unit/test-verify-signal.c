/* SPDX-License-Identifier: Apache-2.0
 * verify's signal statistics and its measures of repetition, on made-up samples and codes.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "verify/repetition.h"
#include "verify/signal.h"

enum { RATE_HZ = 1000 };

/* The statistics of samples, added in blocks of `block` frames: they must not depend on it. */
static struct signal statistics_in_blocks(const float *samples, int64_t frames, int channels, int64_t block)
{
    struct signal signal;
    signal_begin(&signal, channels, RATE_HZ);
    for (int64_t at = 0; at < frames; at += block)
        signal_add(&signal, samples + at * channels, frames - at < block ? frames - at : block);
    signal_end(&signal);
    signal_release(&signal);
    return signal;
}

static struct signal statistics(const float *samples, int64_t frames, int channels)
{
    struct signal whole = statistics_in_blocks(samples, frames, channels, frames + 1);
    struct signal parts = statistics_in_blocks(samples, frames, channels, 7);
    assert_int_equal(whole.frames, parts.frames);
    assert_int_equal(whole.silence.frames, parts.silence.frames);
    assert_int_equal(whole.tail.start, parts.tail.start);
    assert_int_equal(whole.clipped, parts.clipped);
    assert_int_equal(whole.stuck.start, parts.stuck.start);
    assert_int_equal(whole.stuck.frames, parts.stuck.frames);
    assert_true(whole.dc == parts.dc);
    return whole;
}

static void fill_sine(float *samples, int64_t frames, float amplitude)
{
    for (int64_t i = 0; i < frames; i++)
        samples[i] = amplitude * sinf(0.9f * (float)i + 0.1f);
}

static void fill(float *samples, int64_t from, int64_t to, float value)
{
    for (int64_t i = from; i < to; i++)
        samples[i] = value;
}

static void a_sine_has_nothing_wrong(void **state)
{
    float samples[1000];
    (void)state;
    fill_sine(samples, 1000, 1.0f); /* touches full scale, never for three samples */
    struct signal signal = statistics(samples, 1000, 1);
    assert_int_equal(signal.frames, 1000);
    assert_int_equal(signal.not_finite, 0);
    assert_int_equal(signal.clipped, 0);
    assert_int_equal(signal.clipped_first, -1);
    assert_true(signal.silence.frames <= 1);
    assert_true(signal.stuck.frames <= 2);
    assert_true(fabs(signal.dc) < 0.01);
}

static void silence_is_below_60_db_in_all_channels(void **state)
{
    float samples[2000];
    (void)state;
    for (int i = 0; i < 1000; i++) {
        samples[2 * i] = i >= 100 && i < 400 ? 0.0009f : 0.3f;
        samples[2 * i + 1] = i >= 200 && i < 500 ? -0.0009f : 0.3f;
    }
    struct signal signal = statistics(samples, 1000, 2);
    assert_int_equal(signal.silence.start, 200);
    assert_int_equal(signal.silence.frames, 200);
    assert_int_equal(signal.tail.frames, 0);
    samples[2 * 300] = 0.0011f; /* one sample above breaks it */
    signal = statistics(samples, 1000, 2);
    assert_int_equal(signal.silence.frames, 100);
}

static void silence_at_the_end_is_the_tail(void **state)
{
    float samples[1000];
    (void)state;
    fill_sine(samples, 1000, 0.5f);
    fill(samples, 100, 150, 0);
    fill(samples, 700, 1000, 0);
    struct signal signal = statistics(samples, 1000, 1);
    assert_int_equal(signal.silence.frames, 50);
    assert_int_equal(signal.tail.start, 700);
    assert_int_equal(signal.tail.frames, 300);
}

static void all_silence_is_tail(void **state)
{
    float samples[500] = {0};
    (void)state;
    struct signal signal = statistics(samples, 500, 1);
    assert_int_equal(signal.silence.frames, 0);
    assert_int_equal(signal.tail.frames, 500);
    assert_int_equal(signal.stuck.frames, 0); /* silence is not a stuck value */
}

static void clipping_needs_three_samples_of_one_sign(void **state)
{
    float samples[1000];
    (void)state;
    fill_sine(samples, 1000, 0.5f);
    fill(samples, 10, 12, 1.0f);
    samples[20] = 1.0f;
    samples[21] = -1.0f;
    samples[22] = 1.0f;
    assert_int_equal(statistics(samples, 1000, 1).clipped, 0);
    fill(samples, 33, 38, -32767.0f / 32768.0f);
    fill(samples, 50, 53, 1.7f);
    struct signal signal = statistics(samples, 1000, 1);
    assert_int_equal(signal.clipped, 8);
    assert_int_equal(signal.clipped_first, 33);
    fill(samples, 33, 38, -32766.0f / 32768.0f); /* a step below full scale in 16 bits */
    assert_int_equal(statistics(samples, 1000, 1).clipped, 3);
}

static void clipping_is_seen_in_each_channel(void **state)
{
    float samples[2000];
    (void)state;
    for (int i = 0; i < 1000; i++) {
        samples[2 * i] = 0.4f * sinf((float)i);
        samples[2 * i + 1] = i >= 300 && i < 304 ? 1.0f : 0.4f * sinf((float)i);
    }
    struct signal signal = statistics(samples, 1000, 2);
    assert_int_equal(signal.clipped, 4);
    assert_int_equal(signal.clipped_first, 300);
}

static void dc_is_the_worst_channels_mean(void **state)
{
    float samples[2000];
    (void)state;
    for (int i = 0; i < 1000; i++) {
        samples[2 * i] = 0.02f + (i % 2 ? 0.3f : -0.3f);
        samples[2 * i + 1] = -0.11f + (i % 2 ? 0.3f : -0.3f);
    }
    assert_true(fabs(statistics(samples, 1000, 2).dc + 0.11) < 1e-6);
}

static void a_held_value_is_stuck(void **state)
{
    float samples[1000];
    (void)state;
    fill_sine(samples, 1000, 0.5f);
    fill(samples, 200, 600, 0.25f);
    fill(samples, 700, 1000, -0.5f);
    samples[300] += 0.00005f; /* what a lossy codec leaves */
    struct signal signal = statistics(samples, 1000, 1);
    assert_int_equal(signal.stuck.start, 200);
    assert_int_equal(signal.stuck.frames, 400);
    samples[300] += 0.001f;
    signal = statistics(samples, 1000, 1);
    assert_int_equal(signal.stuck.start, 700); /* up to the end */
    assert_int_equal(signal.stuck.frames, 300);
}

static void numbers_that_are_not_finite_are_counted(void **state)
{
    float samples[1000];
    (void)state;
    fill_sine(samples, 1000, 0.5f);
    samples[5] = NAN;
    samples[6] = INFINITY;
    samples[900] = -INFINITY;
    struct signal signal = statistics(samples, 1000, 1);
    assert_int_equal(signal.not_finite, 3);
    assert_true(isfinite(signal.dc));
    assert_int_equal(signal.clipped, 0);
}

/* codes */

enum { FRAMES = 300, CODEBOOKS = 2 };

static struct codes varied(int32_t *codes)
{
    for (int t = 0; t < FRAMES; t++) {
        codes[t] = t % 7; /* alone it repeats; with the other it does not */
        codes[FRAMES + t] = t;
    }
    return (struct codes){codes, CODEBOOKS, FRAMES};
}

static void copy_column(int32_t *codes, int to, int from)
{
    for (int k = 0; k < CODEBOOKS; k++)
        codes[k * FRAMES + to] = codes[k * FRAMES + from];
}

static void varied_codes_have_no_loop(void **state)
{
    int32_t values[CODEBOOKS * FRAMES];
    struct codes codes = varied(values);
    (void)state;
    for (int period = 1; period < FRAMES; period++)
        assert_int_equal(longest_loop(&codes, period).frames, 0);
}

static void a_stuck_frame_is_a_loop_of_one(void **state)
{
    int32_t values[CODEBOOKS * FRAMES];
    struct codes codes = varied(values);
    (void)state;
    for (int t = 101; t < 150; t++)
        copy_column(values, t, 100);
    struct loop loop = longest_loop(&codes, 1);
    assert_int_equal(loop.start, 100);
    assert_int_equal(loop.frames, 50);
    values[FRAMES + 120]++; /* another codebook still moves */
    assert_int_equal(longest_loop(&codes, 1).frames, 29);
}

static void a_loop_has_its_exact_period(void **state)
{
    int32_t values[CODEBOOKS * FRAMES];
    struct codes codes = varied(values);
    (void)state;
    for (int t = 45; t < FRAMES; t++)
        copy_column(values, t, t - 5);
    struct loop loop = longest_loop(&codes, 5);
    assert_int_equal(loop.start, 40);
    assert_int_equal(loop.frames, FRAMES - 40); /* up to the end */
    assert_int_equal(longest_loop(&codes, 4).frames, 0);
    assert_int_equal(longest_loop(&codes, 10).frames, FRAMES - 40);
}

static void different_frames_are_counted_in_the_poorest_window(void **state)
{
    int32_t values[CODEBOOKS * FRAMES];
    struct codes codes = varied(values);
    int64_t start = -1;
    (void)state;
    assert_int_equal(fewest_distinct(&codes, 50, &start), MOST_DISTINCT);
    for (int t = 103; t < 160; t++)
        copy_column(values, t, 100 + 7 * t / 4 % 3); /* three frames in no simple order */
    assert_int_equal(fewest_distinct(&codes, 50, &start), 3);
    assert_int_equal(start, 100);
    assert_int_equal(fewest_distinct(&codes, 62, &start), 5);
    assert_int_equal(fewest_distinct(&codes, FRAMES, &start), MOST_DISTINCT);
    assert_int_equal(start, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sine_has_nothing_wrong),
        cmocka_unit_test(silence_is_below_60_db_in_all_channels),
        cmocka_unit_test(silence_at_the_end_is_the_tail),
        cmocka_unit_test(all_silence_is_tail),
        cmocka_unit_test(clipping_needs_three_samples_of_one_sign),
        cmocka_unit_test(clipping_is_seen_in_each_channel),
        cmocka_unit_test(dc_is_the_worst_channels_mean),
        cmocka_unit_test(a_held_value_is_stuck),
        cmocka_unit_test(numbers_that_are_not_finite_are_counted),
        cmocka_unit_test(varied_codes_have_no_loop),
        cmocka_unit_test(a_stuck_frame_is_a_loop_of_one),
        cmocka_unit_test(a_loop_has_its_exact_period),
        cmocka_unit_test(different_frames_are_counted_in_the_poorest_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
