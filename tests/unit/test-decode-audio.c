/* SPDX-License-Identifier: Apache-2.0
 * Parity of decode-audio with stored waves, whole and cut, and the arithmetic of cutting.
 * The model and the reference: $LEITMOTIF_PARITY (default tests/parity/tiny-text), as its README says.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/failure.h"
#include "base/memory.h"
#include "decode-audio/stream.h"
#include "device.h"
#include "formats/safetensors.h"

/* Largest differences seen, over this and ten other tiny models (stereo, 16 kHz, zero padding), at peaks of 0.8: to the
 * reference 6.0e-7, cut against whole 6.0e-7. */
static const float REFERENCE_TOLERANCE = 1e-4f, CUT_TOLERANCE = 1e-5f;

static struct model model;
static struct codec codec;
static struct safetensors *reference;

static int set_up(void **state)
{
    (void)state;
    const char *folder = getenv("LEITMOTIF_PARITY") ? getenv("LEITMOTIF_PARITY") : "tests/parity/tiny-text";
    char path[4096];
    struct device device;
    snprintf(path, sizeof path, "%s/reference.safetensors", folder);
    if (device_of_test_open(&device) || model_open(&model, folder) || codec_open(&codec, &model.codec, model.folder, device) ||
        !(reference = safetensors_open(path)))
        return failure_print("test-decode-audio");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    safetensors_close(reference);
    codec_release(&codec);
    model_release(&model);
    return 0;
}

static const struct array *stored(const char *stage, const char *part)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", stage, part);
    const struct array *array = safetensors_find(reference, name);
    assert_non_null(array);
    return array;
}

/* One channel's wave of the stored codes [K, T] of a stage; yours. */
static float *decoded(const char *stage, int64_t channel, struct chunking chunking)
{
    const struct array *array = stored(stage, "codes");
    int64_t frames = array->shape[1], channels = model.language.channels, hop = codec.config.hop, count, done = 0;
    int32_t *codes = allocate((size_t)array_elements(array), sizeof *codes);
    for (int64_t i = 0; i < array_elements(array); i++) {
        int64_t code;
        memcpy(&code, (const char *)array->data + i * (int64_t)sizeof code, sizeof code);
        codes[i] = (int32_t)code;
    }
    float *samples = allocate((size_t)((frames + chunking.chunk) * hop), sizeof *samples);
    struct stream stream;
    assert_int_equal(stream_open(&stream, &codec, chunking, codes + channel * frames, channels * frames, frames), 0);
    while ((count = stream_next(&stream, samples + done * hop)) > 0)
        done += count;
    stream_close(&stream);
    free(codes);
    assert_string_equal(failure_text(), "");
    assert_int_equal(done, frames);
    return samples;
}

static float largest_difference(const float *a, const void *b, int64_t count)
{
    float largest = 0;
    for (int64_t i = 0; i < count; i++) {
        float other;
        memcpy(&other, (const char *)b + i * (int64_t)sizeof other, sizeof other);
        assert_true(isfinite(a[i]));
        largest = fmaxf(largest, fabsf(a[i] - other));
    }
    return largest;
}

/* Decodes a stage in chunks and blocks of these frames; compares with the stored wave and with the whole. */
static void compare(const char *stage, struct chunking chunking)
{
    const struct array *wave = stored(stage, "wav"); /* [channels, samples] */
    int64_t length = wave->shape[1], frames = length / codec.config.hop;
    for (int64_t channel = 0; channel < model.language.channels; channel++) {
        float *whole = decoded(stage, channel, chunking_of(frames));
        float *cut = decoded(stage, channel, chunking);
        float to_reference = largest_difference(cut, (const char *)wave->data + channel * length * (int64_t)sizeof(float), length);
        float to_whole = largest_difference(cut, whole, length);
        print_message("%s channel %d, chunk %d, block %d: to the reference %.2g, to the whole %.2g\n", stage, (int)channel,
                      (int)chunking.chunk, (int)chunking.block, (double)to_reference, (double)to_whole);
        assert_true(to_reference <= REFERENCE_TOLERANCE);
        assert_true(to_whole <= CUT_TOLERANCE);
        free(whole);
        free(cut);
    }
}

static void waves_equal_the_reference(void **state)
{
    (void)state;
    compare("codec", chunking_of(24));
    compare("greedy", chunking_of(24));
}

static void waves_do_not_depend_on_the_cuts(void **state)
{
    (void)state;
    for (int64_t chunk = 1; chunk < 24; chunk += chunk < 6 ? 1 : 5)
        compare("codec", chunking_of(chunk));
    compare("codec", (struct chunking){.chunk = 1, .block = codec.config.kernel});
    compare("codec", (struct chunking){.chunk = 5, .block = codec.config.kernel + 1});
    compare("greedy", chunking_of(1));
}

static void clips_shorter_than_the_padding(void **state)
{
    static const char *const stages[] = {"codec.short1", "codec.short2", "codec.short3", "codec.short4"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(stages); i++) {
        compare(stages[i], chunking_of(4));
        compare(stages[i], chunking_of(1));
    }
}

/* Marks the samples that one frame reaches, layer by layer, without any formula for margins. */
static struct sides influence(const struct codec_config *config)
{
    int64_t first = 0, last = 0;
    for (int stage = 0; stage < config->ratio_count; stage++) {
        int64_t stride = config->ratios[stage];
        first = first * stride - geometry_trimming(stride).left;
        last = last * stride - geometry_trimming(stride).left + 2 * stride - 1;
        for (int64_t i = 0; i < config->residual_layers; i++) {
            first -= geometry_padding(config->residual_kernel, geometry_dilation(config, i), 1).right;
            last += geometry_padding(config->residual_kernel, geometry_dilation(config, i), 1).left;
        }
    }
    return (struct sides){first - geometry_padding(config->last_kernel, 1, 1).right, last + geometry_padding(config->last_kernel, 1, 1).left};
}

static void margins_cover_what_a_frame_reaches(void **state)
{
    static const int64_t ratios[][4] = {{8, 5, 4, 4}, {8, 5, 4, 2}, {2, 0, 0, 0}, {2, 2, 0, 0}, {3, 5, 0, 0}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ratios); i++)
        for (int64_t residuals = 1; residuals <= 3; residuals++) {
            struct codec_config config = {.kernel = 7, .last_kernel = 7, .residual_kernel = 3, .residual_layers = residuals, .dilation_growth = 2, .hop = 1};
            for (; config.ratio_count < 4 && ratios[i][config.ratio_count] > 0; config.ratio_count++)
                config.hop *= config.ratios[config.ratio_count] = ratios[i][config.ratio_count];
            struct sides reached = influence(&config), margins = geometry_margins(&config);
            assert_int_equal(margins.right, (-reached.left + config.hop - 1) / config.hop);
            assert_int_equal(margins.left, reached.right / config.hop);
        }
}

static void frames_of_the_published_codec_reach_one_neighbour(void **state)
{
    struct codec_config config = {.last_kernel = 7, .residual_kernel = 3, .residual_layers = 1, .dilation_growth = 2,
                                  .ratios = {8, 5, 4, 4}, .ratio_count = 4, .hop = 640};
    (void)state;
    assert_int_equal(influence(&config).left, -482);
    assert_int_equal(influence(&config).right, 1105);
    assert_int_equal(geometry_margins(&config).left, 1);
    assert_int_equal(geometry_margins(&config).right, 1);
}

static int cut_within(struct cutting *cutting, int64_t memory)
{
    *cutting = (struct cutting){geometry_plan, "decoding", &codec.config, .channels = 1};
    return cutting_open(cutting, (struct device){DEVICE_CPU, 0}, memory);
}

static void a_limit_shortens_the_chunk_or_is_refused(void **state)
{
    struct cutting cutting;
    struct memory_plan plan = {0};
    (void)state;
    assert_int_equal(cut_within(&cutting, 0), 0);
    assert_int_equal(cutting.chunking.chunk, CHUNK_DEFAULT_FRAMES);
    geometry_plan(&plan, &codec.config, 1, chunking_of(CHUNK_LEAST_FRAMES), (struct device){DEVICE_CPU, 0});
    int64_t least = memory_plan_total(&plan);
    assert_int_equal(cut_within(&cutting, least), 0);
    assert_int_equal(cutting.chunking.chunk, CHUNK_LEAST_FRAMES);
    assert_int_equal(memory_plan_total(&cutting.plan), least);
    assert_int_equal(cut_within(&cutting, least - 1), -1);
    assert_non_null(strstr(failure_text(), "decoding needs "));
    assert_non_null(strstr(failure_text(), "MB allowed; give --memory"));
    failure_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waves_equal_the_reference),
        cmocka_unit_test(waves_do_not_depend_on_the_cuts),
        cmocka_unit_test(clips_shorter_than_the_padding),
        cmocka_unit_test(margins_cover_what_a_frame_reaches),
        cmocka_unit_test(frames_of_the_published_codec_reach_one_neighbour),
        cmocka_unit_test(a_limit_shortens_the_chunk_or_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
