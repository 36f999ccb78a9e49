/* SPDX-License-Identifier: Apache-2.0
 * Parity of encode-audio with stored latents, codes and chroma; cut against whole; clips shorter than any padding.
 * The model and the reference: $LEITMOTIF_PARITY (default tests/parity/tiny-melody), as its README says.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/failure.h"
#include "base/text.h"
#include "encode-audio/chroma.h"
#include "encode-audio/stream.h"
#include "device.h"
#include "formats/model.h"
#include "parity.h"

/* Largest differences of latents (deviation 1) seen on nine tiny models: 3.0e-6. Codes were all equal. */
static const float LATENT_TOLERANCE = 1e-4f;

static struct model model;
static struct encoder encoder;
static struct safetensors *reference;
static struct device device;

static int set_up(void **state)
{
    (void)state;
    const char *folder = getenv("LEITMOTIF_PARITY") ? getenv("LEITMOTIF_PARITY") : "tests/parity/tiny-melody";
    char *path = format_string("%s/reference.safetensors", folder);
    if (device_of_test_open(&device) || model_open(&model, folder) || encoder_open(&encoder, &model.codec, model.folder, device) ||
        !(reference = safetensors_open(path)))
        return failure_print("test-encode-audio");
    free(path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    safetensors_close(reference);
    encoder_release(&encoder);
    model_release(&model);
    return 0;
}

/* The whole clip at once, without any cut: latent [frames, dimension], codes [codebooks, frames]; both yours. */
static int64_t encode_whole(const float *samples, int64_t count, float **latent, int64_t **codes)
{
    struct scope scope;
    struct recurrence_state state = {0};
    struct sides context = geometry_padding(encoder.config.last_kernel, 1, 1);
    int64_t frames = geometry_divide_up(count, encoder.config.hop);
    *latent = allocate((size_t)(frames * encoder.config.dimension), sizeof **latent);
    *codes = allocate((size_t)(frames * encoder.config.codebooks), sizeof **codes);
    scope_open(&scope);
    recurrence_begin(&encoder.recurrence, device, &state);
    struct tensor *x = tensor_from(device, TENSOR_F32, SHAPE(1, 1, count), samples);
    x = encoder_features(&encoder, x, encoder.config.pad_reflect ? EDGES_REFLECT : EDGES_ZERO);
    x = encoder_latent(&encoder, recurrence_run(&encoder.recurrence, x, &state), context);
    tensor_read(x, *latent, (size_t)(frames * encoder.config.dimension) * sizeof **latent);
    encoder_codes(&encoder, x, *codes);
    recurrence_end(&state);
    scope_close(&scope);
    assert_string_equal(failure_text(), "");
    return frames;
}

/* Through a stream, pushed in pieces of `piece` samples; its codes must be `expected` [codebooks, frames]. */
static void expect_codes(const float *samples, int64_t count, struct chunking chunking, int64_t piece, const int64_t *expected, int64_t frames)
{
    struct stream stream;
    assert_int_equal(stream_open(&stream, &encoder, chunking), 0);
    for (int64_t at = 0; at < count; at += piece)
        assert_int_equal(stream_push(&stream, samples + at, piece < count - at ? piece : count - at), 0);
    assert_int_equal(stream_finish(&stream), 0);
    assert_int_equal(stream.count, frames);
    for (int64_t t = 0; t < frames; t++)
        for (int64_t k = 0; k < encoder.config.codebooks; k++)
            assert_int_equal(stream.codes[t * encoder.config.codebooks + k], expected[k * frames + t]);
    stream_close(&stream);
}

static void latents_and_codes_equal_the_reference(void **state)
{
    const struct array *wave = parity_array(reference, "encode.wav"), *stored = parity_array(reference, "encode.latent");
    int64_t channels = wave->shape[0], count = wave->shape[1], dimension = encoder.config.dimension;
    float *samples = parity_floats(wave), *expected = parity_floats(stored);
    int32_t *codes = parity_integers(parity_array(reference, "encode.codes"));
    (void)state;
    for (int64_t c = 0; c < channels; c++) {
        float *latent, worst = 0;
        int64_t *whole, frames = encode_whole(samples + c * count, count, &latent, &whole);
        assert_int_equal(frames, stored->shape[2]);
        for (int64_t d = 0; d < dimension; d++)
            for (int64_t t = 0; t < frames; t++)
                worst = fmaxf(worst, fabsf(latent[t * dimension + d] - expected[(c * dimension + d) * frames + t]));
        print_message("channel %d: largest difference of latents %.1e\n", (int)c, (double)worst);
        assert_true(worst <= LATENT_TOLERANCE);
        for (int64_t k = 0; k < encoder.config.codebooks; k++)
            for (int64_t t = 0; t < frames; t++)
                assert_int_equal(whole[k * frames + t], codes[(k * channels + c) * frames + t]);
        free(latent);
        free(whole);
    }
    free(samples);
    free(expected);
    free(codes);
}

/* A wave longer than some blocks of short chunks: notes and a little noise. */
static float *long_wave(int64_t count)
{
    float *samples = allocate((size_t)count, sizeof *samples);
    uint32_t noise = 1;
    for (int64_t i = 0; i < count; i++) {
        noise = noise * 1664525u + 1013904223u;
        samples[i] = 0.3f * sinf((float)(i % 16000) * 0.03f * (float)(1 + i / 16000)) + 0.02f * ((float)noise / 2147483648.0f - 1);
    }
    return samples;
}

static void codes_do_not_depend_on_the_cuts(void **state)
{
    int64_t count = 90 * encoder.config.hop - 77, *whole;
    float *samples = long_wave(count), *latent;
    int64_t frames = encode_whole(samples, count, &latent, &whole);
    (void)state;
    for (int64_t chunk = 1; chunk < 16; chunk += chunk < 6 ? 1 : 5)
        expect_codes(samples, count, chunking_of(chunk), 1000, whole, frames);
    expect_codes(samples, count, chunking_of(50), count, whole, frames);
    expect_codes(samples, count, chunking_of(4), 1, whole, frames);
    expect_codes(samples, count, (struct chunking){.chunk = 3, .block = 3}, 640, whole, frames);
    free(samples);
    free(latent);
    free(whole);
}

static void clips_of_any_length(void **state)
{
    int64_t hop = encoder.config.hop;
    const int64_t lengths[] = {1, 2, 3, 7, hop - 1, hop, hop + 1, 2 * hop + 3, 3 * hop, 4 * hop + 1, 7 * hop + 319, 8 * hop, 9 * hop + 1, 11 * hop};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        int64_t *whole;
        float *samples = long_wave(lengths[i]), *latent;
        int64_t frames = encode_whole(samples, lengths[i], &latent, &whole);
        assert_int_equal(frames, (lengths[i] + hop - 1) / hop);
        expect_codes(samples, lengths[i], chunking_of(1), 100, whole, frames);
        expect_codes(samples, lengths[i], (struct chunking){.chunk = 1, .block = 1}, 999, whole, frames);
        expect_codes(samples, lengths[i], chunking_of(50), 4096, whole, frames);
        free(samples);
        free(latent);
        free(whole);
    }
}

static void margins_of_the_published_codecs(void **state)
{
    struct codec_config config = {.kernel = 7, .last_kernel = 7, .residual_kernel = 3, .residual_layers = 1, .dilation_growth = 2,
                                  .ratios = {8, 5, 4, 4}, .ratio_count = 4, .hop = 640};
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(geometry_encoder_margins(&config).left, 2);
        assert_int_equal(geometry_encoder_margins(&config).right, 1);
        config.ratios[3] = 2;
        config.hop = 320;
    }
}

static int cut_within(struct cutting *cutting, int64_t memory)
{
    *cutting = (struct cutting){geometry_encoder_plan, "encoding", &encoder.config, .channels = 1};
    return cutting_open(cutting, (struct device){DEVICE_CPU, 0}, memory);
}

static void a_limit_shortens_the_chunk_or_is_refused(void **state)
{
    struct cutting cutting;
    struct memory_plan plan = {0};
    (void)state;
    assert_int_equal(cut_within(&cutting, 0), 0);
    assert_int_equal(cutting.chunking.chunk, CHUNK_DEFAULT_FRAMES);
    geometry_encoder_plan(&plan, &encoder.config, 1, chunking_of(CHUNK_LEAST_FRAMES), (struct device){DEVICE_CPU, 0});
    int64_t least = memory_plan_total(&plan);
    assert_int_equal(cut_within(&cutting, least), 0);
    assert_int_equal(cutting.chunking.chunk, CHUNK_LEAST_FRAMES);
    assert_int_equal(memory_plan_total(&cutting.plan), least);
    assert_int_equal(cut_within(&cutting, least - 1), -1);
    assert_non_null(strstr(failure_text(), "encoding needs "));
    assert_non_null(strstr(failure_text(), "MB allowed; give --memory"));
    failure_clear();
}

/* chroma */

static void expect_chroma(const char *stage)
{
    struct chroma chroma;
    char name[64];
    snprintf(name, sizeof name, "%s.wav", stage);
    const struct array *wave = parity_array(reference, name);
    snprintf(name, sizeof name, "%s.chroma", stage);
    const struct array *stored = parity_array(reference, name);
    float *samples = parity_floats(wave);
    int32_t *expected = parity_places(stored), *bins = allocate((size_t)stored->shape[0], sizeof *bins);
    assert_int_equal(chroma_frames(wave->shape[0]), stored->shape[0]);
    assert_int_equal(chroma_open(&chroma), 0);
    assert_int_equal(chroma_bins(&chroma, samples, wave->shape[0], bins), 0);
    for (int64_t t = 0; t < stored->shape[0]; t++)
        assert_int_equal(bins[t], expected[t]);
    chroma_release(&chroma);
    free(samples);
    free(expected);
    free(bins);
}

static void chroma_equals_the_reference(void **state)
{
    (void)state;
    if (!safetensors_find(reference, "melody.wav"))
        skip();
    expect_chroma("melody");
    expect_chroma("melody.short");
    expect_chroma("melody.silence");
}

/* Equal temperament from C4 on: each note is its own bin, in any octave. */
static void notes_are_their_bins(void **state)
{
    enum { COUNT = 20000 };
    float *samples = allocate(COUNT, sizeof *samples);
    int32_t bins[COUNT / 4096 + 1];
    struct chroma chroma;
    (void)state;
    assert_int_equal(chroma_open(&chroma), 0);
    for (int note = 0; note < 36; note++) {
        double frequency = 440 * pow(2, (note - 9) / 12.0);
        for (int i = 0; i < COUNT; i++)
            samples[i] = 0.5f * (float)sin(2 * 3.14159265358979 * frequency * i / CHROMA_RATE_HZ);
        assert_int_equal(chroma_bins(&chroma, samples, COUNT, bins), 0);
        for (int64_t t = 0; t < chroma_frames(COUNT); t++)
            assert_int_equal(bins[t], note % 12);
    }
    chroma_release(&chroma);
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latents_and_codes_equal_the_reference),
        cmocka_unit_test(codes_do_not_depend_on_the_cuts),
        cmocka_unit_test(clips_of_any_length),
        cmocka_unit_test(margins_of_the_published_codecs),
        cmocka_unit_test(a_limit_shortens_the_chunk_or_is_refused),
        cmocka_unit_test(chroma_equals_the_reference),
        cmocka_unit_test(notes_are_their_bins),
    };
    return cmocka_run_group_tests_name("encode-audio", tests, set_up, tear_down);
}
