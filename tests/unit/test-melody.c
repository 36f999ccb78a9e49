/* SPDX-License-Identifier: Apache-2.0
 * Both engines with a melody model against stored logits of transformers: chroma and text before the columns, column by
 * column, in one prefill, beside other tracks, restarted, and without a melody; and the memory plan.
 * The model and the reference: $LEITMOTIF_MELODY_PARITY (default tests/parity/tiny-melody), as its README says.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/failure.h"
#include "base/text.h"
#include "sample-tokens/delay-pattern.h"
#include "sample-tokens/engine.h"
#include "device.h"
#include "parity.h"

/* Largest difference of logits (deviation 2.2) seen on five melody models: 5.7e-6. With float16 weights a GPU rounds what
 * they are multiplied with to float16, too: 3.0e-3 on the fake GPU. */
static const float TOLERANCE = 5e-5f, GPU_HALF_WEIGHTS_TOLERANCE = 5e-2f;

static struct device device;                       /* of engine torch */
static const struct engine_operations *operations; /* of the engine under test */
static struct model model;
static struct checkpoint *checkpoint;
static struct safetensors *reference;
static struct condition condition;
static int32_t *chroma;  /* [chroma frames]: melody.chroma, repeated */
static int32_t *columns; /* [S, K] */
static float *guided, *text_only; /* [2, K, S, V] */
static int64_t column_count, codebooks, vocabulary;

static void read_reference(void)
{
    const struct array *hidden = parity_array(reference, "prompt.0.t5"), *codes = parity_array(reference, "lm.codes");
    const struct array *bins = parity_array(reference, "melody.chroma");
    int32_t *frames = parity_integers(codes), *once = parity_places(bins);
    codebooks = model.language.codebooks;
    vocabulary = model.language.vocabulary;
    struct delay_pattern pattern = {codebooks, model.language.channels, (int32_t)vocabulary};
    condition = (struct condition){.tokens = hidden->shape[0], .width = hidden->shape[1], .hidden = parity_floats(hidden)};
    column_count = delay_columns(&pattern, codes->shape[1]);
    columns = allocate((size_t)(column_count * codebooks), sizeof *columns);
    for (int64_t s = 0; s < column_count; s++)
        delay_column(&pattern, frames, codes->shape[1], codes->shape[1], s, columns + s * codebooks);
    chroma = allocate((size_t)model.language.chroma_frames, sizeof *chroma);
    for (int64_t t = 0; t < model.language.chroma_frames; t++)
        chroma[t] = once[t % bins->shape[0]];
    guided = parity_floats(parity_array(reference, "lm.logits"));
    text_only = parity_floats(parity_array(reference, "melody.textonly.logits"));
    free(frames);
    free(once);
}

static int set_up(void **state)
{
    (void)state;
    const char *folder = getenv("LEITMOTIF_MELODY_PARITY") ? getenv("LEITMOTIF_MELODY_PARITY") : "tests/parity/tiny-melody";
    char *path = format_string("%s/reference.safetensors", folder);
    if (model_open(&model, folder) || !(checkpoint = checkpoint_open(model.folder)) || !(reference = safetensors_open(path)))
        return failure_print("test-melody");
    free(path);
    read_reference();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    condition_release(&condition);
    free(columns);
    free(chroma);
    free(guided);
    free(text_only);
    safetensors_close(reference);
    checkpoint_close(checkpoint);
    model_release(&model);
    return 0;
}

static struct engine_settings settings_for(enum element_type weights, int slots)
{
    return (struct engine_settings){.device = device, .weights = weights, .cache = ELEMENT_F32, .slots = slots, .rows = 2, .threads = 2,
                                    .positions = column_count, .prefill = column_count,
                                    .prefix = engine_prefix(&model.language, &condition)};
}

static struct engine *opened(enum element_type weights, int slots)
{
    struct engine_settings settings = settings_for(weights, slots);
    struct engine *engine = operations->open(&model, checkpoint, &settings);
    assert_string_equal(failure_text(), "");
    return engine;
}

static const float *feed(struct engine *engine, int slot, int64_t start, int64_t count)
{
    struct engine_feed one = {.slot = slot, .columns = count, .ids = columns + start * codebooks};
    assert_int_equal(operations->step(engine, &one, 1), 0);
    return one.logits;
}

/* Largest difference of a row's logits [K, V] from the stored ones of a column. */
static float difference(const float *logits, const float *stored, int64_t row, int64_t column)
{
    float worst = 0;
    for (int64_t q = 0; q < codebooks; q++)
        worst = fmaxf(worst, parity_difference(logits + q * vocabulary, stored + ((row * codebooks + q) * column_count + column) * vocabulary, vocabulary));
    return worst;
}

static float both_rows(const float *logits, const float *stored, int64_t column)
{
    return fmaxf(difference(logits, stored, 0, column), difference(logits + codebooks * vocabulary, stored, 1, column));
}

static float column_by_column(enum element_type weights, const int32_t *melody, const float *stored)
{
    struct engine *engine = opened(weights, 1);
    float worst = 0;
    assert_int_equal(operations->admit(engine, 0, &condition, melody, true), 0);
    for (int64_t s = 0; s < column_count; s++)
        worst = fmaxf(worst, both_rows(feed(engine, 0, s, 1), stored, s));
    operations->close(engine);
    return worst;
}

static void a_melody_column_by_column(void **state)
{
    (void)state;
    float exact = column_by_column(ELEMENT_F32, chroma, guided), half = column_by_column(ELEMENT_F16, chroma, guided);
    print_message("column by column: largest difference %.1e, with weights in float16 %.1e\n", (double)exact, (double)half);
    assert_true(exact <= TOLERANCE && half <= (device.kind == DEVICE_CPU ? TOLERANCE : GPU_HALF_WEIGHTS_TOLERANCE));
}

static void text_only_is_the_null_melody(void **state)
{
    (void)state;
    float worst = column_by_column(ELEMENT_F32, NULL, text_only);
    print_message("text only: largest difference %.1e\n", (double)worst);
    assert_true(worst <= TOLERANCE);
    assert_true(column_by_column(ELEMENT_F32, NULL, guided) > 100 * TOLERANCE);
}

/* In one feed with the prefix, and restarted with it. */
static void prefill_and_restart(void **state)
{
    struct engine *engine = opened(ELEMENT_F32, 1);
    float worst = 0;
    (void)state;
    assert_int_equal(operations->admit(engine, 0, &condition, chroma, true), 0);
    for (int64_t count = 1; count <= column_count; count += 9) {
        operations->restart(engine, 0);
        worst = fmaxf(worst, both_rows(feed(engine, 0, 0, count), guided, count - 1));
        if (count < column_count)
            worst = fmaxf(worst, both_rows(feed(engine, 0, count, 1), guided, count));
    }
    operations->close(engine);
    print_message("prefill: largest difference %.1e\n", (double)worst);
    assert_true(worst <= TOLERANCE);
}

/* A track that begins, with its prefix, beside one in the middle, one without guidance, one without a melody; then a slot's
 * next track has another prefix. */
static void slots_share_a_step(void **state)
{
    struct engine *engine = opened(ELEMENT_F32, 4);
    float worst = 0;
    (void)state;
    assert_int_equal(operations->admit(engine, 0, &condition, chroma, true), 0);
    assert_int_equal(operations->admit(engine, 1, &condition, chroma, true), 0);
    assert_int_equal(operations->admit(engine, 2, &condition, chroma, false), 0);
    assert_int_equal(operations->admit(engine, 3, &condition, NULL, true), 0);
    feed(engine, 1, 0, 7);
    for (int64_t s = 0; s + 7 < column_count; s++) {
        struct engine_feed feeds[4];
        for (int slot = 0; slot < 4; slot++)
            feeds[slot] = (struct engine_feed){.slot = slot, .columns = 1, .ids = columns + (s + (slot == 1 ? 7 : 0)) * codebooks};
        assert_int_equal(operations->step(engine, feeds, 4), 0);
        worst = fmaxf(worst, both_rows(feeds[0].logits, guided, s));
        worst = fmaxf(worst, both_rows(feeds[1].logits, guided, s + 7));
        worst = fmaxf(worst, difference(feeds[2].logits, guided, 0, s));
        worst = fmaxf(worst, both_rows(feeds[3].logits, text_only, s));
    }
    assert_int_equal(operations->admit(engine, 1, &condition, NULL, true), 0);
    worst = fmaxf(worst, both_rows(feed(engine, 1, 0, 3), text_only, 2));
    operations->close(engine);
    print_message("beside other tracks: largest difference %.1e\n", (double)worst);
    assert_true(worst <= TOLERANCE);
}

/* No text is one null vector, which is attended to; guided, the null row is the same without the melody. */
static void no_text_is_one_null_vector(void **state)
{
    struct engine *engine = opened(ELEMENT_F32, 2);
    struct condition nothing = {0};
    (void)state;
    assert_int_equal(engine_prefix(&model.language, &nothing), model.language.chroma_frames + 1);
    assert_int_equal(operations->admit(engine, 0, &nothing, chroma, true), 0);
    assert_int_equal(operations->admit(engine, 1, &nothing, NULL, false), 0);
    float *null_row = allocate((size_t)(codebooks * vocabulary), sizeof *null_row);
    const float *logits = feed(engine, 0, 0, 5);
    memcpy(null_row, logits + codebooks * vocabulary, (size_t)(codebooks * vocabulary) * sizeof *null_row);
    assert_true(parity_difference(logits, null_row, codebooks * vocabulary) > 100 * TOLERANCE);
    assert_true(parity_difference(feed(engine, 1, 0, 5), null_row, codebooks * vocabulary) <= TOLERANCE);
    operations->close(engine);
    free(null_row);
}

static void the_plan_counts_the_weights(void **state)
{
    struct memory_plan plan = {0};
    const struct language_config *config = &model.language;
    int64_t d = config->width, layer = 4 * d * d + 2 * d * config->feed_forward, norms = (4 * config->layers + 2) * d;
    int64_t matrices = config->layers * layer + config->codebooks * (2 * config->vocabulary + 1) * d + d * (model.text.width + CHROMA_BINS);
    (void)state;
    assert_int_equal(operations->plan_weights(&model, checkpoint, ELEMENT_F32, &plan), 0);
    assert_int_equal(memory_plan_total(&plan), 4 * (matrices + norms + 2 * d));
}

int main(void)
{
    static const struct engine_operations *const engines[] = {&ENGINE_TORCH, &ENGINE_CPU};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_melody_column_by_column),
        cmocka_unit_test(text_only_is_the_null_melody),
        cmocka_unit_test(prefill_and_restart),
        cmocka_unit_test(slots_share_a_step),
        cmocka_unit_test(no_text_is_one_null_vector),
        cmocka_unit_test(the_plan_counts_the_weights),
    };
    int failures = 0;
    if (device_of_test_open(&device))
        return failure_print("test-melody");
    for (size_t i = 0; i < (device.kind == DEVICE_CPU ? COUNT_OF(engines) : 1); i++) {
        operations = engines[i];
        failures += cmocka_run_group_tests_name(operations->name, tests, set_up, tear_down);
    }
    return failures;
}
