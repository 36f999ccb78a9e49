/* SPDX-License-Identifier: Apache-2.0
 * Both engines against stored logits of transformers: teacher-forced column by column, in one prefill, in a full house of
 * slots, and with weights and caches in float16; and the memory plan against what the engine takes.
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
#include "base/text.h"
#include "device.h"
#include "formats/safetensors.h"
#include "sample-tokens/delay-pattern.h"
#include "sample-tokens/engine.h"

/* Largest differences of logits (deviation 2.2) seen on six models: 5.7e-6 column by column, 5.2e-6 in one prefill, 5.7e-6
 * beside other tracks; with keys and values in float16 1.4e-3. A CPU multiplies float16 weights exactly; a GPU rounds what they
 * are multiplied with to float16, too: 3.8e-3 on the fake GPU. */
static const float TOLERANCE = 5e-5f, HALF_CACHE_TOLERANCE = 1e-2f, GPU_HALF_WEIGHTS_TOLERANCE = 5e-2f;

static struct device device;                       /* of engine torch */
static const struct engine_operations *operations; /* of the engine under test */
static struct model model;
static struct checkpoint *checkpoint;
static struct safetensors *reference;
static struct condition condition;
static int32_t *columns; /* [S, K]: lm.codes as the model sees them */
static int64_t column_count;

static const struct array *stored(const char *name)
{
    const struct array *array = safetensors_find(reference, name);
    if (!array)
        fail("array '%s' is missing", name);
    return array;
}

/* Stored int64 as int32; yours. */
static int32_t *integers(const struct array *array)
{
    int32_t *values = allocate((size_t)array_elements(array), sizeof *values);
    for (int64_t i = 0; i < array_elements(array); i++) {
        int64_t value;
        memcpy(&value, (const char *)array->data + i * (int64_t)sizeof value, sizeof value);
        values[i] = (int32_t)value;
    }
    return values;
}

static void read_columns(void)
{
    const struct array *array = stored("lm.codes");
    const struct language_config *config = &model.language;
    struct delay_pattern pattern = {config->codebooks, config->channels, (int32_t)config->vocabulary};
    int32_t *codes = integers(array);
    int64_t frames = array->shape[1];
    column_count = delay_columns(&pattern, frames);
    columns = allocate((size_t)(column_count * config->codebooks), sizeof *columns);
    for (int64_t s = 0; s < column_count; s++)
        delay_column(&pattern, codes, frames, frames, s, columns + s * config->codebooks);
    free(codes);
}

static void read_condition(void)
{
    const struct array *hidden = stored("prompt.0.t5");
    condition = (struct condition){.tokens = hidden->shape[0], .width = hidden->shape[1]};
    condition.hidden = allocate((size_t)array_elements(hidden), sizeof(float));
    memcpy(condition.hidden, hidden->data, hidden->bytes);
}

static int set_up(void **state)
{
    (void)state;
    const char *folder = getenv("LEITMOTIF_PARITY") ? getenv("LEITMOTIF_PARITY") : "tests/parity/tiny-text";
    char *path = format_string("%s/reference.safetensors", folder);
    if (model_open(&model, folder) || !(checkpoint = checkpoint_open(model.folder)) ||
        !(reference = safetensors_open(path)))
        return failure_print("test-sample-tokens");
    free(path);
    read_columns();
    read_condition();
    return failure_print("test-sample-tokens");
}

static int tear_down(void **state)
{
    (void)state;
    condition_release(&condition);
    free(columns);
    safetensors_close(reference);
    checkpoint_close(checkpoint);
    model_release(&model);
    return 0;
}

static struct engine_settings settings_for(enum element_type weights, enum element_type cache, int slots)
{
    return (struct engine_settings){.device = device, .weights = weights, .cache = cache, .slots = slots, .rows = 2, .threads = 2,
                                    .positions = column_count, .prefill = column_count, .text_tokens = condition.tokens};
}

static struct engine *opened(const struct engine_settings *settings)
{
    struct engine *engine = operations->open(&model, checkpoint, settings);
    assert_string_equal(failure_text(), "");
    return engine;
}

/* One feed of `count` columns from `start` on; the logits of its last column. */
static const float *feed(struct engine *engine, int slot, int64_t start, int64_t count)
{
    struct engine_feed one = {.slot = slot, .columns = count, .ids = columns + start * model.language.codebooks};
    assert_int_equal(operations->step(engine, &one, 1), 0);
    return one.logits;
}

/* Largest difference of one row's logits [K, V] from the stored ones [2, K, S, V] of a column. */
static float difference(const float *logits, int64_t row, int64_t column)
{
    const struct array *array = stored("lm.logits");
    int64_t codebooks = model.language.codebooks, vocabulary = model.language.vocabulary;
    float worst = 0;
    for (int64_t q = 0; q < codebooks; q++) {
        int64_t place = ((row * codebooks + q) * column_count + column) * vocabulary;
        for (int64_t i = 0; i < vocabulary; i++) {
            float expected;
            memcpy(&expected, (const char *)array->data + (place + i) * (int64_t)sizeof expected, sizeof expected);
            worst = fmaxf(worst, fabsf(logits[q * vocabulary + i] - expected));
        }
    }
    return worst;
}

/* Both rows, conditional and null. */
static float guided_difference(const float *logits, int64_t column)
{
    return fmaxf(difference(logits, 0, column), difference(logits + model.language.codebooks * model.language.vocabulary, 1, column));
}

static float worst_step(enum element_type weights, enum element_type cache)
{
    struct engine_settings settings = settings_for(weights, cache, 1);
    struct engine *engine = opened(&settings);
    float worst = 0;
    assert_int_equal(operations->admit(engine, 0, &condition, NULL, true), 0);
    for (int64_t s = 0; s < column_count; s++)
        worst = fmaxf(worst, guided_difference(feed(engine, 0, s, 1), s));
    operations->close(engine);
    return worst;
}

static void test_column_by_column(void **state)
{
    (void)state;
    float exact = worst_step(ELEMENT_F32, ELEMENT_F32), half = worst_step(ELEMENT_F16, ELEMENT_F32);
    print_message("column by column: largest difference %.1e, with weights in float16 %.1e\n", (double)exact, (double)half);
    assert_true(exact <= TOLERANCE && half <= (device.kind == DEVICE_CPU ? TOLERANCE : GPU_HALF_WEIGHTS_TOLERANCE));
}

static void test_half_cache(void **state)
{
    (void)state;
    float worst = worst_step(ELEMENT_F32, ELEMENT_F16);
    print_message("cache in float16: largest difference %.1e\n", (double)worst);
    assert_true(worst > 0 && worst <= HALF_CACHE_TOLERANCE);
}

/* A prompt in one feed gives what single columns give, and so do the steps after it. Restarted: once more. */
static void test_prefill(void **state)
{
    struct engine_settings settings = settings_for(ELEMENT_F32, ELEMENT_F32, 1);
    struct engine *engine = opened(&settings);
    float worst = 0;
    (void)state;
    assert_int_equal(operations->admit(engine, 0, &condition, NULL, true), 0);
    for (int64_t count = 1; count <= column_count; count += 5) {
        operations->restart(engine, 0);
        worst = fmaxf(worst, guided_difference(feed(engine, 0, 0, count), count - 1));
        for (int64_t s = count; s < column_count && s < count + 3; s++)
            worst = fmaxf(worst, guided_difference(feed(engine, 0, s, 1), s));
    }
    operations->close(engine);
    print_message("prefill: largest difference %.1e\n", (double)worst);
    assert_true(worst <= TOLERANCE);
}

/* Three tracks in one step, of different lengths and kinds: guided, not guided, unconditional. */
static void test_slots_share_a_step(void **state)
{
    struct engine_settings settings = settings_for(ELEMENT_F32, ELEMENT_F32, 3);
    struct engine *engine = opened(&settings);
    struct condition nothing = {0};
    float worst = 0;
    (void)state;
    assert_int_equal(operations->admit(engine, 0, &condition, NULL, true), 0);
    assert_int_equal(operations->admit(engine, 1, &condition, NULL, false), 0);
    assert_int_equal(operations->admit(engine, 2, &nothing, NULL, false), 0);
    feed(engine, 1, 0, 7);
    for (int64_t s = 0; s + 7 < column_count; s++) {
        int64_t codebooks = model.language.codebooks;
        struct engine_feed feeds[3] = {{.slot = 0, .columns = 1, .ids = columns + s * codebooks},
                                       {.slot = 1, .columns = 1, .ids = columns + (s + 7) * codebooks},
                                       {.slot = 2, .columns = 1, .ids = columns + s * codebooks}};
        assert_int_equal(operations->step(engine, feeds, 3), 0);
        worst = fmaxf(worst, guided_difference(feeds[0].logits, s));
        worst = fmaxf(worst, difference(feeds[1].logits, 0, s + 7));
        worst = fmaxf(worst, difference(feeds[2].logits, 1, s));
    }
    operations->close(engine);
    print_message("beside other tracks: largest difference %.1e\n", (double)worst);
    assert_true(worst <= TOLERANCE);
}

/* The weights counted are the file's: as many elements, but for what inference does not need. */
static void test_plan_counts_the_weights(void **state)
{
    struct memory_plan single = {0}, half = {0};
    const struct language_config *config = &model.language;
    int64_t d = config->width, f = config->feed_forward, layer = 8 * d * d + 2 * d * f, norms = (6 * config->layers + 2) * d;
    int64_t matrices = config->layers * layer + config->codebooks * (2 * config->vocabulary + 1) * d + d * model.text.width;
    (void)state;
    assert_int_equal(operations->plan_weights(&model, checkpoint, ELEMENT_F32, &single), 0);
    assert_int_equal(operations->plan_weights(&model, checkpoint, ELEMENT_F16, &half), 0);
    assert_int_equal(memory_plan_total(&single), 4 * (matrices + norms + d));
    assert_int_equal(memory_plan_total(&half), 2 * matrices + 4 * (norms + d));
}

int main(void)
{
    static const struct engine_operations *const engines[] = {&ENGINE_TORCH, &ENGINE_CPU};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_column_by_column),
        cmocka_unit_test(test_half_cache),
        cmocka_unit_test(test_prefill),
        cmocka_unit_test(test_slots_share_a_step),
        cmocka_unit_test(test_plan_counts_the_weights),
    };
    int failures = 0;
    if (device_of_test_open(&device))
        return failure_print("test-sample-tokens");
    for (size_t i = 0; i < (device.kind == DEVICE_CPU ? COUNT_OF(engines) : 1); i++) {
        operations = engines[i];
        failures += cmocka_run_group_tests_name(operations->name, tests, set_up, tear_down);
    }
    return failures;
}
