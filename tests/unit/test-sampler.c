/* SPDX-License-Identifier: Apache-2.0
 * From logits to a token: probabilities against stored ones of transformers, ties, draws, and the worked example of
 * docs/sampling.md. The reference: $LEITMOTIF_PARITY (default tests/parity/tiny-text), as its README says.
 */
#include <float.h>
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
#include "formats/safetensors.h"
#include "sample-tokens/elementary.h"
#include "sample-tokens/philox.h"
#include "sample-tokens/sampler.h"

/* Largest difference seen on seven references: 3.1e-7 (transformers divides and sums in float32). Guidance: none. */
static const double PROBABILITY_TOLERANCE = 1e-6;

static struct safetensors *reference;

static int open_reference(void **state)
{
    (void)state;
    const char *folder = getenv("LEITMOTIF_PARITY") ? getenv("LEITMOTIF_PARITY") : "tests/parity/tiny-text";
    char path[4096];
    snprintf(path, sizeof path, "%s/reference.safetensors", folder);
    reference = safetensors_open(path);
    return reference ? 0 : failure_print("test-sampler");
}

static int close_reference(void **state)
{
    (void)state;
    safetensors_close(reference);
    return 0;
}

static int64_t codebooks(void)
{
    const struct array *array = safetensors_find(reference, "lm.logits_cfg");
    assert_non_null(array);
    return array->shape[0];
}

/* The last of shape's second to last dimension: [.., columns, vocabulary] -> row `index` of the leading ones; yours. */
static float *last_column(const char *name, int64_t index, int64_t *vocabulary)
{
    const struct array *array = safetensors_find(reference, name);
    assert_non_null(array);
    int64_t columns = array->rank > 2 ? array->shape[array->rank - 2] : 1;
    *vocabulary = array->shape[array->rank - 1];
    float *row = allocate((size_t)*vocabulary, sizeof *row);
    memcpy(row, (const char *)array->data + ((index + 1) * columns - 1) * *vocabulary * (int64_t)sizeof *row,
           (size_t)*vocabulary * sizeof *row);
    return row;
}

/* What sampler_weigh gave one token: 0 for one that top-k or top-p removed. */
static double weight_of(const struct sampler *sampler, int64_t token)
{
    for (size_t i = 0; i < sampler->count; i++)
        if (sampler->tokens[i] == token)
            return sampler->weights[i];
    return 0;
}

static void assert_probabilities(const char *name, const struct sampling *sampling)
{
    double worst = 0;
    for (int64_t codebook = 0; codebook < codebooks(); codebook++) {
        struct sampler sampler;
        int64_t vocabulary;
        float *logits = last_column("lm.logits_cfg", codebook, &vocabulary), *expected = last_column(name, codebook, &vocabulary);
        sampler_init(&sampler, (size_t)vocabulary);
        double sum = sampler_weigh(&sampler, logits, sampling);
        for (int64_t i = 0; i < vocabulary; i++) {
            double weight = weight_of(&sampler, i);
            assert_int_equal(weight > 0, expected[i] > 0);
            worst = fmax(worst, fabs(weight / sum - (double)expected[i]));
        }
        sampler_release(&sampler);
        free(logits);
        free(expected);
    }
    print_message("%s: largest difference %.1e\n", name, worst);
    assert_true(worst <= PROBABILITY_TOLERANCE);
}

static void test_probabilities_of_the_reference(void **state)
{
    (void)state;
    assert_probabilities("sample.probs.t1.0_k0_p0", &(struct sampling){1, 0, 0});
    assert_probabilities("sample.probs.t0.8_k0_p0", &(struct sampling){0.8, 0, 0});
    assert_probabilities("sample.probs.t1.0_k50_p0", &(struct sampling){1, 50, 0});
    assert_probabilities("sample.probs.t1.0_k250_p0", &(struct sampling){1, 250, 0});
    assert_probabilities("sample.probs.t1.0_k0_p0.9", &(struct sampling){1, 0, 0.9});
    assert_probabilities("sample.probs.t1.3_k250_p0.7", &(struct sampling){1.3, 250, 0.7});
}

static void test_guidance_of_the_reference(void **state)
{
    (void)state;
    for (int64_t codebook = 0; codebook < codebooks(); codebook++) {
        int64_t vocabulary;
        float *with = last_column("lm.logits", codebook, &vocabulary), *without = last_column("lm.logits", codebooks() + codebook, &vocabulary);
        float *expected = last_column("lm.logits_cfg", codebook, &vocabulary);
        guide(with, with, without, (size_t)vocabulary, 3);
        assert_memory_equal(with, expected, (size_t)vocabulary * sizeof *with);
        free(with);
        free(without);
        free(expected);
    }
}

static int32_t choose(const float *logits, size_t count, struct sampling sampling, double uniform)
{
    struct sampler sampler;
    sampler_init(&sampler, count);
    int32_t token = sampler_choose(&sampler, logits, &sampling, uniform);
    sampler_release(&sampler);
    return token;
}

/* How many of 1000 evenly spread uniform numbers choose each of 4 tokens. */
static void count_draws(const float logits[4], struct sampling sampling, int counts[4])
{
    memset(counts, 0, 4 * sizeof *counts);
    for (int i = 0; i < 1000; i++)
        counts[choose(logits, 4, sampling, (i + 0.5) / 1000)]++;
}

static void assert_draws(const float logits[4], struct sampling sampling, const int expected[4])
{
    int counts[4];
    count_draws(logits, sampling, counts);
    for (int i = 0; i < 4; i++)
        assert_int_equal(counts[i], expected[i]);
}

static const float TENTHS[4] = {-2.3025851f, -0.69314718f, -1.6094379f, -1.6094379f}; /* log of 0.1 0.5 0.2 0.2 */

static void test_draws_follow_probabilities(void **state)
{
    (void)state;
    assert_draws(TENTHS, (struct sampling){1, 0, 0}, (const int[]){100, 500, 200, 200});
    assert_draws(TENTHS, (struct sampling){1, 4, 1}, (const int[]){100, 500, 200, 200});
    assert_draws(TENTHS, (struct sampling){0.5, 0, 0}, (const int[]){29, 736, 117, 118}); /* 1 25 4 4 of 34 */
}

static void test_ties_at_the_threshold_stay(void **state)
{
    (void)state;
    assert_draws(TENTHS, (struct sampling){1, 1, 0}, (const int[]){0, 1000, 0, 0});
    assert_draws(TENTHS, (struct sampling){1, 2, 0}, (const int[]){0, 556, 222, 222});
    assert_draws((const float[]){1, 1, 1, 1}, (struct sampling){1, 1, 0}, (const int[]){250, 250, 250, 250});
}

/* Of equal tokens top-p keeps the lower first; it sees what top-k left. */
static void test_top_p_is_the_shortest_beginning(void **state)
{
    (void)state;
    assert_draws(TENTHS, (struct sampling){1, 0, 0.4}, (const int[]){0, 1000, 0, 0});
    assert_draws(TENTHS, (struct sampling){1, 0, 0.6}, (const int[]){0, 714, 286, 0});
    assert_draws(TENTHS, (struct sampling){1, 2, 0.5}, (const int[]){0, 1000, 0, 0}); /* 0.5 of 0.9 */
    assert_draws(TENTHS, (struct sampling){1, 0, 1e-9}, (const int[]){0, 1000, 0, 0});
}

static void test_greedy_takes_the_first_maximum(void **state)
{
    (void)state;
    assert_int_equal(choose((const float[]){1, 3, 3, 2}, 4, (struct sampling){0, 1, 0.1}, 0.99), 1);
    assert_int_equal(choose((const float[]){-7, -8, -9, -7}, 4, (struct sampling){0, 0, 0}, 0), 0);
}

static void test_extremes(void **state)
{
    (void)state;
    assert_int_equal(choose(TENTHS, 4, (struct sampling){1, 0, 0}, 0), 0);
    assert_int_equal(choose(TENTHS, 4, (struct sampling){1, 0, 0}, 1 - 0x1p-53), 3);
    assert_int_equal(choose(TENTHS, 4, (struct sampling){1e-300, 0, 0}, 0.5), 1);
    assert_int_equal(choose((const float[]){3e38f, -3e38f, 0, 3e38f}, 4, (struct sampling){1, 0, 0}, 0.6), 3);
    assert_int_equal(choose((const float[]){0, NAN, 0, 0}, 4, (struct sampling){1, 0, 0}, 0.6), -1);
    assert_non_null(strstr(failure_text(), "not finite"));
    failure_clear();
    static const float NOT_FINITE[] = {INFINITY, -INFINITY, NAN, -NAN};
    for (size_t i = 0; i < COUNT_OF(NOT_FINITE); i++) {
        assert_int_equal(choose((const float[]){-FLT_MAX, NOT_FINITE[i], FLT_MAX, 0}, 4, (struct sampling){0, 0, 0}, 0.6), -1);
        failure_clear();
    }
    assert_int_equal(choose((const float[]){-FLT_MAX, -1, FLT_MAX, 0}, 4, (struct sampling){0, 0, 0}, 0.6), 2);
    assert_int_equal(choose((const float[]){-1, -0.0f, 0, -2}, 4, (struct sampling){0, 0, 0}, 0.6), 1); /* zeros are equal */
}

/* docs/sampling.md word by word, in time that grows with count squared. */
static double weigh_plainly(const float *logits, size_t count, const struct sampling *sampling, double *weights)
{
    double sum = 0, reached = 0, wanted, kept_sum = 0;
    bool *ranked = allocate(count, sizeof *ranked);
    float largest = logits[0];
    for (size_t i = 0; i < count; i++)
        largest = logits[i] > largest ? logits[i] : largest;
    for (size_t i = 0; i < count; i++) {
        size_t larger = 0;
        for (size_t j = 0; j < count; j++)
            larger += logits[j] > logits[i];
        bool stays = sampling->top_k == 0 || larger < (size_t)sampling->top_k;
        sum += weights[i] = stays ? elementary_exp(((double)logits[i] - (double)largest) / sampling->temperature) : 0;
    }
    wanted = sampling->top_p * sum;
    for (size_t n = 0; sampling->top_p > 0 && n < count; n++) {
        size_t next = count;
        for (size_t i = 0; i < count; i++)
            if (!ranked[i] && (next == count || weights[i] > weights[next]))
                next = i;
        ranked[next] = true;
        double weight = weights[next];
        if (n > 0 && reached >= wanted)
            weights[next] = 0;
        reached += weight;
    }
    for (size_t i = 0; i < count; i++)
        kept_sum += weights[i];
    free(ranked);
    return kept_sum;
}

static int32_t choose_plainly(const double *weights, size_t count, double wanted)
{
    double reached = 0;
    int32_t last = 0;
    for (size_t i = 0; i < count; i++) {
        reached += weights[i];
        if (weights[i] > 0)
            last = (int32_t)i;
        if (weights[i] > 0 && reached > wanted)
            break;
    }
    return last;
}

/* Bit for bit; with ties, zeros of both signs, logits whose weights are equal or 0, and counts that fill no block. */
static void test_the_definition(void **state)
{
    enum { MOST = 300 };
    static const size_t COUNTS[] = {1, 2, 15, 16, 17, MOST};
    static const struct sampling SETTINGS[] = {{1, 0, 0}, {1, 5, 0}, {0.7, 50, 0.9}, {1, 0, 0.9}, {100, 0, 0.5}, {0.01, 250, 0.99}, {1, 1, 1}};
    static const double SCALES[] = {5, 1e-30, 1e30, 0};
    (void)state;
    for (size_t test = 0; test < COUNT_OF(COUNTS) * COUNT_OF(SETTINGS) * COUNT_OF(SCALES) * 2; test++) {
        size_t count = COUNTS[test % COUNT_OF(COUNTS)], rest = test / COUNT_OF(COUNTS);
        const struct sampling *sampling = &SETTINGS[rest % COUNT_OF(SETTINGS)];
        double scale = SCALES[rest / COUNT_OF(SETTINGS) % COUNT_OF(SCALES)], expected[MOST];
        bool ties = rest / COUNT_OF(SETTINGS) / COUNT_OF(SCALES);
        float logits[MOST];
        struct sampler sampler;
        for (size_t i = 0; i < count; i++) {
            double value = 2 * philox_uniform((int64_t)test, (int64_t)i, 0) - 1;
            logits[i] = (float)(scale * (ties ? rint(value * 8) / 8 : value)); /* rint keeps the sign of 0 */
        }
        logits[0] = scale == 1e-30 ? 5 : logits[0];
        sampler_init(&sampler, count);
        double sum = weigh_plainly(logits, count, sampling, expected);
        assert_true(sampler_weigh(&sampler, logits, sampling) == sum);
        for (size_t i = 0; i < count; i++)
            assert_true(weight_of(&sampler, (int64_t)i) == expected[i]);
        for (double uniform = 0; uniform < 1; uniform += 0.05)
            assert_int_equal(sampler_choose(&sampler, logits, sampling, uniform), choose_plainly(expected, count, uniform * sum));
        assert_int_equal(sampler_choose(&sampler, logits, sampling, 1 - 0x1p-53), choose_plainly(expected, count, (1 - 0x1p-53) * sum));
        sampler_release(&sampler);
    }
}

/* The selection against counting, with many ties. */
static void test_top_k_on_many_logits(void **state)
{
    enum { COUNT = 257 };
    float logits[COUNT];
    struct sampler sampler;
    (void)state;
    sampler_init(&sampler, COUNT);
    for (int seed = 0; seed < 20; seed++) {
        for (int i = 0; i < COUNT; i++)
            logits[i] = (float)floor(philox_uniform(seed, i, 0) * (seed % 2 ? 20 : 1e6));
        for (int64_t k = 1; k < COUNT; k += 17) {
            sampler_weigh(&sampler, logits, &(struct sampling){1e6, k, 0});
            for (int i = 0; i < COUNT; i++) {
                int larger = 0;
                for (int j = 0; j < COUNT; j++)
                    larger += logits[j] > logits[i];
                assert_int_equal(weight_of(&sampler, i) > 0, larger < k);
            }
        }
    }
    sampler_release(&sampler);
}

/* The numbers printed in docs/sampling.md. */
static void test_worked_example(void **state)
{
    static const float WITH[6] = {1.5f, 0.25f, -1, 2, 0.5f, 1.75f}, WITHOUT[6] = {1, 0.5f, -0.5f, 1.25f, 0.5f, 1.5f};
    static const float GUIDED[6] = {2.5f, -0.25f, -2, 3.5f, 0.5f, 2.25f};
    float guided[6];
    struct sampler sampler;
    (void)state;
    guide(guided, WITH, WITHOUT, 6, 3);
    assert_memory_equal(guided, GUIDED, sizeof guided);
    sampler_init(&sampler, 6);
    double sum = sampler_weigh(&sampler, guided, &(struct sampling){0.8, 4, 0.9});
    assert_true(fabs(weight_of(&sampler, 0) - 0.2865047968601901) < 1e-15);
    assert_true(weight_of(&sampler, 3) == 1);
    assert_true(fabs(weight_of(&sampler, 5) - 0.2096113871510978) < 1e-15);
    assert_true(fabs(sum - 1.4961161840112879) < 1e-15);
    assert_true(weight_of(&sampler, 1) == 0 && weight_of(&sampler, 2) == 0 && weight_of(&sampler, 4) == 0);
    double uniform = philox_uniform(7, 10, 2);
    assert_true(uniform == 0.53618298443651602);
    assert_int_equal(sampler_choose(&sampler, guided, &(struct sampling){0.8, 4, 0.9}, uniform), 3);
    sampler_release(&sampler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probabilities_of_the_reference),
        cmocka_unit_test(test_guidance_of_the_reference),
        cmocka_unit_test(test_draws_follow_probabilities),
        cmocka_unit_test(test_ties_at_the_threshold_stay),
        cmocka_unit_test(test_top_p_is_the_shortest_beginning),
        cmocka_unit_test(test_greedy_takes_the_first_maximum),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_the_definition),
        cmocka_unit_test(test_top_k_on_many_logits),
        cmocka_unit_test(test_worked_example),
    };
    return cmocka_run_group_tests_name("sampler", tests, open_reference, close_reference);
}
