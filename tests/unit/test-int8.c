/* SPDX-License-Identifier: Apache-2.0
 * What --weights int8 may cost: the demo model's distributions of the next token against those of exact weights, over the same
 * tokens. docs/int8.md says why the limits are these.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../bench/int8/divergence.h"
#include "../../bench/int8/rounding.h"
#include "base/failure.h"
#include "base/memory.h"
#include "sample-tokens/philox.h"
#include "scratch.h"

enum { TEXT_TOKENS = 8 };

static struct model model;
static struct request request;
static struct trace exact, int8, rounded; /* rounded: int8's weights, with float32 activations */

/* Of the size that T5's output has: normalised, so about 0.1 to 0.3 an element in the models at hand. */
static char *made_up_condition(void)
{
    struct condition condition = {.tokens = TEXT_TOKENS, .width = model.text.width};
    char *path = scratch_path("made-up.condition");
    condition.ids = allocate(TEXT_TOKENS, sizeof *condition.ids);
    condition.hidden = allocate((size_t)(TEXT_TOKENS * condition.width), sizeof *condition.hidden);
    for (int64_t i = 0; i < TEXT_TOKENS * condition.width; i++)
        condition.hidden[i] = (float)(0.6 * philox_uniform(8, i, 0) - 0.3);
    assert_int_equal(condition_write(&condition, "test-int8", path), 0);
    condition_release(&condition);
    return path;
}

static void trace(struct trace *made, enum element_type weights, bool rounds)
{
    struct engine_settings settings;
    struct checkpoint *checkpoint = checkpoint_open(model.folder);
    assert_non_null(checkpoint);
    assert_int_equal(trace_settings(&settings, &model, &request), 0);
    settings.threads = 2;
    settings.weights = weights;
    settings.cache = ELEMENT_F32;
    struct engine *engine = ENGINE_CPU.open(&model, checkpoint, &settings);
    assert_string_equal(failure_text(), "");
    if (rounds)
        round_weights(engine, ROUND_ALL, SCALE_BY_LARGEST);
    assert_int_equal(trace_make(made, engine, &model, &request, made == &exact ? NULL : &exact), 0);
    ENGINE_CPU.close(engine);
    checkpoint_close(checkpoint);
}

static int make_traces(void **state)
{
    if (scratch_open(state) || model_open(&model, "model-cache/demo"))
        return failure_print("test-int8");
    request_defaults(&request);
    request.duration = 4;
    request.condition = made_up_condition();
    trace(&exact, ELEMENT_F16, false);
    trace(&int8, ELEMENT_I8, false);
    trace(&rounded, ELEMENT_F32, true);
    return 0;
}

static int release_traces(void **state)
{
    trace_release(&exact);
    trace_release(&int8);
    trace_release(&rounded);
    free(request.condition);
    model_release(&model);
    return scratch_remove(state);
}

static struct divergence shown(const char *name, const struct trace *reference, const struct trace *other, enum logits_of kind)
{
    struct divergence d = divergence_of(reference, other, kind);
    print_message("# %s, logits %d: relative RMS %.2e, KL mean %.2e, 99 %% %.2e, largest %.2e, greedy %.4f\n", name, kind, d.relative_rms,
                  d.kl_mean, d.kl_99, d.kl_largest, d.same_greedy);
    assert_true(d.distributions == 4 * 200);
    return d;
}

static void int8_keeps_its_limits(void **state)
{
    (void)state;
    for (int kind = 0; kind < LOGITS_KINDS; kind++) {
        struct divergence d = shown("int8", &exact, &int8, kind);
        assert_true(d.relative_rms > 0);      /* the largest measured: */
        assert_true(d.relative_rms < 0.02);   /* 8.4e-3 */
        assert_true(d.kl_mean < 0.001);       /* 1.8e-4 */
        assert_true(d.kl_largest < 0.01);     /* 1.6e-3 */
        assert_true(d.same_greedy > 0.95);    /* the smallest: 0.976 */
    }
}

/* What 16 bits do to activations is lost in what 8 bits do to weights. */
static void the_weights_are_all_that_is_lost(void **state)
{
    (void)state;
    for (int kind = 0; kind < LOGITS_KINDS; kind++) {
        struct divergence all = divergence_of(&exact, &int8, kind), weights = shown("weights", &exact, &rounded, kind);
        struct divergence activations = shown("activations", &rounded, &int8, kind);
        assert_true(activations.relative_rms < all.relative_rms / 10); /* 1/31 */
        assert_true(activations.kl_mean < all.kl_mean / 100);          /* 1/1200 */
        assert_true(weights.relative_rms > all.relative_rms * 0.95 && weights.relative_rms < all.relative_rms * 1.05);
    }
}

/* The figures themselves, where they can be computed by hand: of two distributions of two tokens, logits log 3 and 0
 * against 0 and 0. */
static void divergence_is_what_it_says(void **state)
{
    const float log_3 = 1.0986123f;
    float reference_logits[] = {log_3, 0}, other_logits[] = {0, 0};
    bool chosen = true;
    struct trace reference = {.columns = 1, .rows = 1, .codebooks = 1, .vocabulary = 2, .chosen = &chosen, .logits = reference_logits};
    struct trace other = reference;
    (void)state;
    other.logits = other_logits;
    struct divergence d = divergence_of(&reference, &other, LOGITS_WITH);
    assert_true(d.distributions == 1 && d.same_greedy == 1);
    assert_float_equal(d.relative_rms, 1, 1e-6);
    assert_float_equal(d.kl_mean, 0.75 * 0.4054651 - 0.25 * 0.6931472, 1e-6); /* 3/4 log(3/2) + 1/4 log(1/2) */
    assert_true(d.kl_largest == d.kl_mean && d.kl_99 == d.kl_mean);
    d = divergence_of(&other, &reference, LOGITS_WITH);
    assert_float_equal(d.kl_mean, 0.1438410, 1e-6); /* 1/2 log(2/3) + 1/2 log 2 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(divergence_is_what_it_says),
        cmocka_unit_test(int8_keeps_its_limits),
        cmocka_unit_test(the_weights_are_all_that_is_lost),
    };
    return cmocka_run_group_tests(tests, make_traces, release_traces);
}
