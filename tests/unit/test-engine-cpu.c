/* SPDX-License-Identifier: Apache-2.0
 * Engine cpu gives the same logits in every bit: with each version of the kernels that this machine can run, with any number
 * of threads, alone or among others, by prefill or column by column, whatever the types of weights and cache; and takes no
 * more memory than it plans. The model: a tiny one, as tests/parity/README.md says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/failure.h"
#include "base/memory.h"
#include "cpu/kernels.h"
#include "made-up.h"
#include "sample-tokens/engine.h"

enum { COLUMNS = 45, TOKENS = 9, SLOTS = 20 };

/* Sanitizers keep memory of their own for each piece of ours, and that for threads is too slow for plain C's fmaf. */
#if defined(__SANITIZE_THREAD__)
static const bool sanitized = true, plain_too = false;
#elif defined(__SANITIZE_ADDRESS__)
static const bool sanitized = true, plain_too = true;
#else
static const bool sanitized = false, plain_too = true;
#endif

static struct model model;
static struct checkpoint *checkpoint;
static struct condition condition;
static int32_t *ids; /* [COLUMNS, K] */

static int open_model(const char *folder)
{
    uint32_t state = 7;
    if (model_open(&model, folder) || !(checkpoint = checkpoint_open(model.folder)))
        return failure_print("test-engine-cpu");
    made_up_condition(&condition, &model, TOKENS, &state);
    ids = made_up_ids(COLUMNS * model.language.codebooks, model.language.vocabulary + 1, &state);
    return 0;
}

static int text_model(void **state)
{
    (void)state;
    return open_model("tests/parity/tiny-text");
}

static int melody_model(void **state)
{
    (void)state;
    return open_model("tests/parity/tiny-melody");
}

static int close_model(void **state)
{
    (void)state;
    condition_release(&condition);
    free(ids);
    checkpoint_close(checkpoint);
    model_release(&model);
    return 0;
}

static struct engine_settings settings_for(enum element_type weights, enum element_type cache, int slots, int threads)
{
    int64_t prefix = engine_prefix(&model.language, &condition);
    return (struct engine_settings){.threads = threads, .weights = weights, .cache = cache, .slots = slots, .rows = 2,
                                    .positions = COLUMNS, .prefill = COLUMNS, .text_tokens = prefix ? 0 : TOKENS, .prefix = prefix};
}

static struct engine *opened(const struct engine_settings *settings)
{
    struct engine *engine = ENGINE_CPU.open(&model, checkpoint, settings);
    assert_string_equal(failure_text(), "");
    return engine;
}

static size_t row_numbers(void)
{
    return (size_t)(model.language.codebooks * model.language.vocabulary);
}

static struct engine_feed feed_of(int slot, int64_t first, int64_t count)
{
    return (struct engine_feed){.slot = slot, .columns = count, .ids = ids + first * model.language.codebooks};
}

/* The logits of both rows after each column from `prompt` columns on, which are fed at once: [COLUMNS - prompt + 1, 2, K V]. */
static float *logits_of(enum element_type weights, enum element_type cache, int threads, int64_t prompt)
{
    struct engine_settings settings = settings_for(weights, cache, 1, threads);
    struct engine *engine = opened(&settings);
    float *all = allocate((size_t)(COLUMNS - prompt + 1) * 2 * row_numbers(), sizeof *all);
    assert_int_equal(ENGINE_CPU.admit(engine, 0, &condition, NULL, true), 0);
    for (int64_t at = prompt; at <= COLUMNS; at++) {
        struct engine_feed feed = feed_of(0, at == prompt ? 0 : at - 1, at == prompt ? prompt : 1);
        assert_int_equal(ENGINE_CPU.step(engine, &feed, 1), 0);
        memcpy(all + (size_t)(at - prompt) * 2 * row_numbers(), feed.logits, 2 * row_numbers() * sizeof *all);
    }
    ENGINE_CPU.close(engine);
    return all;
}

static void assert_logits(float *made, const float *expected, int64_t columns)
{
    assert_memory_equal(made, expected, (size_t)columns * 2 * row_numbers() * sizeof *made);
    free(made);
}

static void kernels_and_threads_for(enum element_type weights, enum element_type cache)
{
    setenv("LEITMOTIF_KERNELS", plain_too ? "plain" : "", 1); /* "": the best */
    float *expected = logits_of(weights, cache, 1, 1);
    assert_logits(logits_of(weights, cache, 2, COLUMNS), expected + (size_t)(COLUMNS - 1) * 2 * row_numbers(), 1);
    for (int i = 1; KERNEL_NAMES[i]; i++) {
        if (!kernels_find(KERNEL_NAMES[i])) {
            print_message("# this machine cannot run %s\n", KERNEL_NAMES[i]);
            continue;
        }
        setenv("LEITMOTIF_KERNELS", KERNEL_NAMES[i], 1);
        for (int threads = 1; threads <= 5; threads += 2)
            assert_logits(logits_of(weights, cache, threads, 1), expected, COLUMNS);
        static const int64_t PROMPTS[] = {2, 31, 32, 33, COLUMNS};
        for (size_t n = 0; n < COUNT_OF(PROMPTS); n++)
            assert_logits(logits_of(weights, cache, 2, PROMPTS[n]), expected + (size_t)(PROMPTS[n] - 1) * 2 * row_numbers(),
                          COLUMNS - PROMPTS[n] + 1);
    }
    unsetenv("LEITMOTIF_KERNELS");
    free(expected);
}

static void all_kernels_threads_and_prompts_agree(void **state)
{
    (void)state;
    kernels_and_threads_for(ELEMENT_F16, ELEMENT_F16);
    if (model.language.chroma_frames) /* the same products, but many more of them */
        return;
    kernels_and_threads_for(ELEMENT_F32, ELEMENT_F32);
    kernels_and_threads_for(ELEMENT_I8, ELEMENT_F16);
}

static void weights_in_float32_are_the_same_numbers(void **state)
{
    float *halves = logits_of(ELEMENT_F16, ELEMENT_F16, 2, COLUMNS);
    (void)state;
    assert_logits(logits_of(ELEMENT_F32, ELEMENT_F16, 2, COLUMNS), halves, 1);
    free(halves);
}

/* Every slot is at another column; one in three is not guided; slot 0 is the one looked at. */
static void a_full_house_changes_nothing(void **state)
{
    struct engine_settings settings = settings_for(ELEMENT_F16, ELEMENT_F16, SLOTS, 2);
    struct engine *engine = opened(&settings);
    float *expected = logits_of(ELEMENT_F16, ELEMENT_F16, 2, 1);
    (void)state;
    for (int slot = 0; slot < SLOTS; slot++)
        assert_int_equal(ENGINE_CPU.admit(engine, slot, &condition, NULL, slot % 3 != 2), 0);
    for (int slot = 1; slot < SLOTS; slot++) {
        struct engine_feed feed = feed_of(slot, 0, slot);
        assert_int_equal(ENGINE_CPU.step(engine, &feed, 1), 0);
    }
    for (int64_t at = 0; at + SLOTS <= COLUMNS; at++) {
        struct engine_feed feeds[SLOTS];
        for (int slot = 0; slot < SLOTS; slot++)
            feeds[slot] = feed_of(slot, at + slot, 1);
        assert_int_equal(ENGINE_CPU.step(engine, feeds, SLOTS), 0);
        for (int slot = 0; slot < SLOTS; slot++)
            assert_memory_equal(feeds[slot].logits, expected + (size_t)(at + slot) * 2 * row_numbers(),
                                (slot % 3 == 2 ? 1 : 2) * row_numbers() * sizeof *expected);
    }
    ENGINE_CPU.close(engine);
    free(expected);
}

/* A track that begins with a prompt beside ones that go on, and takes a slot that another track had. */
static void a_prompt_beside_others_changes_nothing(void **state)
{
    struct engine_settings settings = settings_for(ELEMENT_F16, ELEMENT_F16, 2, 2);
    struct engine *engine = opened(&settings);
    float *expected = logits_of(ELEMENT_F16, ELEMENT_F16, 2, 1);
    struct condition nothing = {0};
    (void)state;
    assert_int_equal(ENGINE_CPU.admit(engine, 0, &condition, NULL, true), 0);
    assert_int_equal(ENGINE_CPU.admit(engine, 1, &nothing, NULL, false), 0);
    struct engine_feed feeds[2] = {feed_of(0, 0, 3), feed_of(1, 0, COLUMNS)};
    assert_int_equal(ENGINE_CPU.step(engine, feeds, 2), 0);
    assert_int_equal(ENGINE_CPU.admit(engine, 1, &condition, NULL, true), 0);
    feeds[0] = feed_of(0, 3, 1);
    feeds[1] = feed_of(1, 0, 40);
    assert_int_equal(ENGINE_CPU.step(engine, feeds, 2), 0);
    assert_memory_equal(feeds[0].logits, expected + 3 * 2 * row_numbers(), 2 * row_numbers() * sizeof *expected);
    assert_memory_equal(feeds[1].logits, expected + 39 * 2 * row_numbers(), 2 * row_numbers() * sizeof *expected);
    ENGINE_CPU.close(engine);
    free(expected);
}

/* memory */

/* Anonymous memory of this process that is in RAM, in bytes. */
static int64_t anonymous(void)
{
    char line[256];
    long long kilobytes = -1;
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (kilobytes < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "RssAnon: %lld", &kilobytes) != 1)
            kilobytes = -1;
    fclose(file);
    assert_true(kilobytes >= 0);
    return (int64_t)kilobytes * 1024;
}

/* Long slots, so that what is planned is tens of megabytes. Beside the plan: thread stacks, the heap's own, whole pages. */
static void memory_is_as_planned_for(enum element_type weights, enum element_type cache, int slots)
{
    const int64_t beside = 1 << 20;
    struct engine_settings settings = settings_for(weights, cache, slots, 3);
    struct memory_plan plan = {0};
    settings.positions = 1503;
    assert_int_equal(ENGINE_CPU.plan_weights(&model, checkpoint, weights, &plan), 0);
    ENGINE_CPU.plan_work(&model, &settings, &plan);
    int64_t before = anonymous(), planned = memory_plan_total(&plan);
    struct engine *engine = opened(&settings);
    int64_t taken = anonymous() - before;
    for (int slot = 0; slot < slots; slot++) {
        struct engine_feed feed = feed_of(slot, 0, COLUMNS);
        assert_int_equal(ENGINE_CPU.admit(engine, slot, &condition, NULL, true), 0);
        assert_int_equal(ENGINE_CPU.step(engine, &feed, 1), 0);
    }
    int64_t used = anonymous() - before;
    ENGINE_CPU.close(engine);
    print_message("# planned %lld, taken by open %lld, after work %lld\n", (long long)planned, (long long)taken, (long long)used);
    assert_true(planned > 8 << 20);
    assert_in_range(used, planned - beside, planned + beside);
    assert_in_range(taken, used - (256 << 10), used); /* open takes all of it; stacks are touched later */
}

static void memory_is_as_planned(void **state)
{
    (void)state;
    if (sanitized)
        skip();
    memory_is_as_planned_for(ELEMENT_F16, ELEMENT_F16, 8);
    memory_is_as_planned_for(ELEMENT_I8, ELEMENT_F32, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kernels_threads_and_prompts_agree),
        cmocka_unit_test(weights_in_float32_are_the_same_numbers),
        cmocka_unit_test(a_full_house_changes_nothing),
        cmocka_unit_test(a_prompt_beside_others_changes_nothing),
        cmocka_unit_test(memory_is_as_planned),
    };
    return cmocka_run_group_tests_name("text model", tests, text_model, close_model) +
           cmocka_run_group_tests_name("melody model", tests, melody_model, close_model);
}
