/* SPDX-License-Identifier: Apache-2.0
 * The kernels: the definition against long double mathematics, and every version that this machine can run against the
 * definition, bit for bit, at sizes that fill registers and sizes that do not.
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
#include "cpu/kernels.h"

/* Largest errors seen: GELU 1.2e-7 of max(1, |x|), a share of a softmax 1.7e-7 of itself. */
#define GELU_TOLERANCE 2.5e-7
#define SOFTMAX_TOLERANCE 4e-7

static uint64_t state = 1;

/* Uniform in -1 .. 1 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014). */
static float noise(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (float)((double)((z ^ z >> 31) >> 40) / (1 << 23) - 1);
}

static float *noises(int64_t count)
{
    float *values = allocate((size_t)count, sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = noise();
    return values;
}

static uint16_t *half_noises(int64_t count)
{
    uint16_t *values = allocate((size_t)count, sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = float_to_half(noise());
    return values;
}

static void each_version(void (*test)(const struct kernels *kernels))
{
    for (int i = 1; KERNEL_NAMES[i]; i++) {
        const struct kernels *kernels = kernels_find(KERNEL_NAMES[i]);
        if (kernels)
            test(kernels);
        else
            print_message("# this machine cannot run %s\n", KERNEL_NAMES[i]);
    }
}

static void assert_same(const void *made, const void *defined, size_t bytes)
{
    assert_memory_equal(made, defined, bytes);
}

/* the definition */

static void gelu_is_accurate(void **unused)
{
    double worst = 0;
    (void)unused;
    for (float x = -12; x < 12; x += 0x1p-10f) {
        float y = x;
        KERNELS_PLAIN.gelu(&y, 1);
        long double right = 0.5L * x * (1 + erfl(x * sqrtl(0.5L)));
        worst = fmax(worst, fabs((double)(y - right)) / fmax(1, fabs(x)));
    }
    print_message("# GELU: %.2e\n", worst);
    assert_true(worst < GELU_TOLERANCE);
}

/* One query of width 1 over keys that are the scores, values that pick one position: its share. */
static void softmax_is_accurate(void **unused)
{
    enum { COUNT = 96 };
    float keys[COUNT] = {0}, values[COUNT * LANES] = {0}, scores[COUNT], query = 1, out;
    long double sum = 0;
    double worst = 0;
    struct attention_work work = {{keys, values, ELEMENT_F32, 1}, &query, COUNT, 1, scores, &out};
    (void)unused;
    for (int i = 0; i < COUNT; i++)
        keys[i] = -0.9f * (float)i;
    for (int i = 0; i < COUNT; i++)
        sum += expl((long double)keys[i]);
    for (int i = 0; i < COUNT; i++) {
        values[i * LANES] = 1;
        KERNELS_PLAIN.attend(&work);
        values[i * LANES] = 0;
        long double right = expl((long double)keys[i]) / sum;
        if (keys[i] > -86)
            worst = fmax(worst, fabs((double)((out - right) / right)));
    }
    print_message("# softmax: %.2e\n", worst);
    assert_true(worst < SOFTMAX_TOLERANCE);
}

static void norm_is_a_norm(void **unused)
{
    enum { COUNT = 1000 };
    float *x = noises(COUNT), *weight = noises(COUNT), *bias = noises(COUNT), y[COUNT];
    long double mean = 0, variance = 0;
    (void)unused;
    for (int i = 0; i < COUNT; i++)
        mean += x[i] / (long double)COUNT;
    for (int i = 0; i < COUNT; i++)
        variance += (x[i] - mean) * (x[i] - mean) / COUNT;
    KERNELS_PLAIN.normalise(y, x, weight, bias, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_true(fabsl(y[i] - ((x[i] - mean) / sqrtl(variance + 1e-5L) * weight[i] + bias[i])) < 1e-6); /* seen: 2.5e-7 */
    free(x);
    free(weight);
    free(bias);
}

/* FNV-1a (Fowler, Noll, Vo, 1991) */
static uint64_t hashed(uint64_t hash, const void *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return hash;
}

/* Whatever compiles it, and for whatever machine. Other bits are other tokens: another result version of sample-tokens. */
static void the_definition_keeps_its_bits(void **unused)
{
    enum { COUNT = 700, WIDTH = 20, LENGTH = 300, BLOCKS = (LENGTH + LANES - 1) / LANES };
    static float panel[COUNT * PANEL], keys[BLOCKS * LANES * WIDTH], values[BLOCKS * LANES * 2 * LANES];
    static uint16_t halves[COUNT * PANEL];
    static int8_t bytes[COUNT * PANEL];
    int16_t quanta[COUNT];
    float y[COUNT], scores[BLOCKS * LANES], x_scale;
    (void)unused;
    state = 1;
    float *x = noises(COUNT), *weight = noises(COUNT), *bias = noises(COUNT);
    for (int i = 0; i < COUNT * PANEL; i++) {
        panel[i] = noise();
        halves[i] = float_to_half(panel[i]);
        bytes[i] = (int8_t)(panel[i] * 127);
    }
    struct panel_work work = {.panel = panel, .inputs = COUNT, .x = x, .x_stride = COUNT, .rows = 1, .scales = weight,
                              .x_scales = &x_scale, .y = y, .y_stride = PANEL};
    KERNELS_PLAIN.panel_f32(&work);
    uint64_t hash = hashed(0xcbf29ce484222325u, y, PANEL * sizeof *y);
    work.panel = halves;
    KERNELS_PLAIN.panel_f16(&work);
    hash = hashed(hash, y, PANEL * sizeof *y);
    x_scale = KERNELS_PLAIN.quantise(quanta, x, COUNT);
    work.panel = bytes, work.x = quanta;
    KERNELS_PLAIN.panel_i8(&work);
    hash = hashed(hash, y, PANEL * sizeof *y);
    KERNELS_PLAIN.normalise(y, x, weight, bias, COUNT);
    hash = hashed(hash, y, sizeof y);
    for (int i = 0; i < COUNT; i++)
        y[i] = 6 * x[i];
    KERNELS_PLAIN.gelu(y, COUNT);
    hash = hashed(hash, y, sizeof y);
    for (int half = 0; half < 2; half++) {
        struct head_cache cache = {keys, values, half ? ELEMENT_F16 : ELEMENT_F32, WIDTH};
        for (int t = 0; t < LENGTH; t++)
            KERNELS_PLAIN.store_head(&cache, t, weight + t, bias + t);
        KERNELS_PLAIN.attend(&(struct attention_work){cache, x, LENGTH, 0.9f, scores, y});
        hash = hashed(hash, y, WIDTH * sizeof *y);
    }
    assert_true(hash == 0x2cf563b00e1fc4f5u);
    free(x), free(weight), free(bias);
}

/* versions */

static const int64_t SIZES[] = {1, 2, 15, 16, 17, 64, 255, 256, 257, 768, 1000};

static void rows_agree_in(const struct kernels *kernels)
{
    for (size_t n = 0; n < COUNT_OF(SIZES); n++) {
        int64_t count = SIZES[n];
        size_t bytes = (size_t)count * sizeof(float);
        float *x = noises(count), *weight = noises(count), *bias = noises(count), *a = noises(count), *b = noises(count);
        uint16_t *halves = half_noises(count);
        int16_t *p = allocate((size_t)count, sizeof *p), *q = allocate((size_t)count, sizeof *q);
        kernels->normalise(a, x, weight, bias, count);
        KERNELS_PLAIN.normalise(b, x, weight, bias, count);
        assert_same(a, b, bytes);
        for (int64_t i = 0; i < count; i++)
            a[i] = b[i] = 6 * x[i];
        kernels->gelu(a, count);
        KERNELS_PLAIN.gelu(b, count);
        assert_same(a, b, bytes);
        kernels->add(a, x, count);
        KERNELS_PLAIN.add(b, x, count);
        kernels->add_half(a, halves, count);
        KERNELS_PLAIN.add_half(b, halves, count);
        assert_same(a, b, bytes);
        assert_true(kernels->quantise(p, a, count) == KERNELS_PLAIN.quantise(q, b, count));
        assert_same(p, q, (size_t)count * sizeof *p);
        free(x), free(weight), free(bias), free(a), free(b), free(halves), free(p), free(q);
    }
}

static void rows_agree(void **unused)
{
    (void)unused;
    each_version(rows_agree_in);
}

static void no_number_survives_quantising(const struct kernels *kernels)
{
    static const float BAD[] = {NAN, -NAN, INFINITY, -INFINITY};
    int16_t q[20];
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        for (int place = 0; place < 20; place += 19) {
            float x[20] = {1, 2, 3};
            x[place] = BAD[i];
            assert_true(isnan(kernels->quantise(q, x, 20)));
        }
    float zeros[20] = {0}, tiny[20] = {1e-40f};
    assert_true(kernels->quantise(q, zeros, 20) == 0 && q[0] == 0);
    assert_true(kernels->quantise(q, tiny, 20) == 0 && q[0] == 0);
}

static void quantising_shows_what_is_not_finite(void **unused)
{
    (void)unused;
    no_number_survives_quantising(&KERNELS_PLAIN);
    each_version(no_number_survives_quantising);
}

/* One panel of each type for every number of rows, into y that is wider than it. */
static void panels_agree_in(const struct kernels *kernels)
{
    enum { STRIDE = PANEL + 5 };
    for (size_t n = 0; n < COUNT_OF(SIZES); n++) {
        int64_t inputs = SIZES[n], even = (inputs + 1) / 2 * 2, x_stride = inputs + 3;
        float *x = noises(MOST_ROWS * x_stride), *floats = noises(inputs * PANEL), *scales = noises(PANEL), *x_scales = noises(MOST_ROWS);
        float a[MOST_ROWS * STRIDE] = {0}, b[MOST_ROWS * STRIDE] = {0};
        uint16_t *halves = half_noises(inputs * PANEL);
        int8_t *bytes = allocate((size_t)(even * PANEL), 1);
        int16_t *quanta = allocate((size_t)(MOST_ROWS * (even + 4)), sizeof *quanta);
        for (int64_t i = 0; i < even * PANEL; i++)
            bytes[i] = (int8_t)lrintf(noise() * 127);
        for (int64_t i = 0; i < MOST_ROWS * (even + 4); i++)
            quanta[i] = i % (even + 4) < inputs ? (int16_t)lrintf(noise() * 32767) : 0;
        for (int rows = 1; rows <= MOST_ROWS; rows++) {
            struct panel_work work = {floats, inputs, x, x_stride, rows, scales, x_scales, a, STRIDE};
            struct { const void *panel, *x; int64_t x_stride; void (*made)(const struct panel_work *), (*defined)(const struct panel_work *); } kinds[] = {
                {floats, x, x_stride, kernels->panel_f32, KERNELS_PLAIN.panel_f32},
                {halves, x, x_stride, kernels->panel_f16, KERNELS_PLAIN.panel_f16},
                {bytes, quanta, even + 4, kernels->panel_i8, KERNELS_PLAIN.panel_i8},
            };
            for (size_t kind = 0; kind < COUNT_OF(kinds); kind++) {
                work.panel = kinds[kind].panel, work.x = kinds[kind].x, work.x_stride = kinds[kind].x_stride;
                work.y = a;
                kinds[kind].made(&work);
                work.y = b;
                kinds[kind].defined(&work);
                assert_same(a, b, sizeof a);
            }
        }
        free(x), free(floats), free(scales), free(x_scales), free(halves), free(bytes), free(quanta);
    }
}

static void panels_agree(void **unused)
{
    (void)unused;
    each_version(panels_agree_in);
}

/* The extremes of int8 and int16 stay exact in a full chunk. */
static void sums_do_not_saturate_in(const struct kernels *kernels)
{
    int8_t panel[CHUNK * PANEL];
    int16_t x[CHUNK];
    float scales[PANEL], one = 1, y[PANEL];
    for (int i = 0; i < CHUNK * PANEL; i++)
        panel[i] = -127;
    for (int i = 0; i < CHUNK; i++)
        x[i] = 32767;
    for (int i = 0; i < PANEL; i++)
        scales[i] = 1;
    kernels->panel_i8(&(struct panel_work){panel, CHUNK, x, CHUNK, 1, scales, &one, y, PANEL});
    for (int i = 0; i < PANEL; i++)
        assert_true(y[i] == (float)(-127 * 32767 * CHUNK));
}

static void sums_do_not_saturate(void **unused)
{
    (void)unused;
    sums_do_not_saturate_in(&KERNELS_PLAIN);
    each_version(sums_do_not_saturate_in);
}

static void attention_agrees_for(const struct kernels *kernels, enum element_type type, int64_t width, int64_t length)
{
    int64_t blocks = (length + LANES - 1) / LANES;
    size_t key_bytes = (size_t)(blocks * LANES * width) * 4, value_bytes = (size_t)(blocks * LANES * head_stride(width)) * 4;
    void *memory[2][2];
    float *scores = allocate((size_t)(blocks * LANES), sizeof *scores), *query = noises(width);
    float *out[2] = {noises(width), noises(width)};
    const struct kernels *both[] = {kernels, &KERNELS_PLAIN};
    uint64_t seed = state;
    for (int k = 0; k < 2; k++) {
        memory[k][0] = allocate(1, key_bytes);
        memory[k][1] = allocate(1, value_bytes);
        memset(memory[k][0], 0xff, key_bytes); /* what was never stored is not a number */
        struct head_cache cache = {memory[k][0], memory[k][1], type, width};
        state = seed;
        for (int64_t t = 0; t < length; t++) {
            float *key = noises(width), *value = noises(width);
            both[k]->store_head(&cache, t, key, value);
            free(key), free(value);
        }
        both[k]->attend(&(struct attention_work){cache, query, length, 0.7f, scores, out[k]});
    }
    assert_same(memory[0][0], memory[1][0], key_bytes);
    assert_same(memory[0][1], memory[1][1], value_bytes);
    assert_same(out[0], out[1], (size_t)width * sizeof(float));
    for (int k = 0; k < 2; k++)
        free(memory[k][0]), free(memory[k][1]), free(out[k]);
    free(scores), free(query);
}

static void attention_agrees_in(const struct kernels *kernels)
{
    static const int64_t WIDTHS[] = {1, 16, 20, 64, 80, 128}, LENGTHS[] = {1, 15, 16, 17, 64, 65, 300, 513};
    for (size_t w = 0; w < COUNT_OF(WIDTHS); w++)
        for (size_t n = 0; n < COUNT_OF(LENGTHS); n++) {
            attention_agrees_for(kernels, ELEMENT_F16, WIDTHS[w], LENGTHS[n]);
            attention_agrees_for(kernels, ELEMENT_F32, WIDTHS[w], LENGTHS[n]);
        }
}

static void attention_agrees(void **unused)
{
    (void)unused;
    each_version(attention_agrees_in);
}

/* Bits of what is not a number may differ. */
static void assert_alike(const float *made, const float *defined, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        assert_true(isnan(defined[i]) ? isnan(made[i]) : memcmp(&made[i], &defined[i], sizeof *made) == 0);
}

/* One number that is not finite, or as large as can be, in a row that does not fill registers: among whole ones and after them. */
static void one_number_agrees(const struct kernels *kernels, float number, int64_t place)
{
    enum { COUNT = 37, LENGTH = 21 };
    float *x = noises(COUNT), *weight = noises(COUNT), *bias = noises(COUNT), a[COUNT], b[COUNT], scores[2 * LANES];
    float keys[2 * LANES * 2] = {0}, values[2 * LANES * LANES] = {0}, panel[COUNT * PANEL], made[PANEL], defined[PANEL];
    x[place] = number;
    kernels->normalise(a, x, weight, bias, COUNT);
    KERNELS_PLAIN.normalise(b, x, weight, bias, COUNT);
    assert_alike(a, b, COUNT);
    memcpy(a, x, sizeof a), memcpy(b, x, sizeof b);
    kernels->gelu(a, COUNT);
    KERNELS_PLAIN.gelu(b, COUNT);
    assert_alike(a, b, COUNT);
    for (int i = 0; i < COUNT * PANEL; i++)
        panel[i] = i % 3 ? noise() : 0;
    struct panel_work work = {.panel = panel, .inputs = COUNT, .x = x, .x_stride = COUNT, .rows = 1, .y = made, .y_stride = PANEL};
    kernels->panel_f32(&work);
    work.y = defined;
    KERNELS_PLAIN.panel_f32(&work);
    assert_alike(made, defined, PANEL);
    struct head_cache cache = {keys, values, ELEMENT_F32, 2};
    for (int t = 0; t < LENGTH; t++)
        kernels->store_head(&cache, t, (float[]){noise(), t == place % LENGTH ? number : 1}, (float[]){noise(), 1});
    for (int negative = 0; negative < 2; negative++) {
        struct attention_work attention = {cache, (float[]){1, negative ? -1 : 1}, LENGTH, 1, scores, made};
        kernels->attend(&attention);
        attention.out = defined;
        KERNELS_PLAIN.attend(&attention);
        assert_alike(made, defined, 2);
    }
    free(x), free(weight), free(bias);
}

static void what_is_not_finite_agrees_in(const struct kernels *kernels)
{
    static const float NUMBERS[] = {NAN, -NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-40f, -0.0f};
    for (size_t i = 0; i < COUNT_OF(NUMBERS); i++)
        for (int64_t place = 0; place < 37; place += 9)
            one_number_agrees(kernels, NUMBERS[i], place);
}

/* It must reach the logits, where it is refused; so no version may hide it. */
static void what_is_not_finite_agrees(void **unused)
{
    (void)unused;
    each_version(what_is_not_finite_agrees_in);
    float x = NAN, keys[LANES] = {NAN, 1}, values[2 * LANES] = {1, [LANES] = 1}, scores[LANES], query = 1;
    KERNELS_PLAIN.gelu(&x, 1);
    assert_true(isnan(x));
    KERNELS_PLAIN.attend(&(struct attention_work){{keys, values, ELEMENT_F32, 1}, &query, 2, 1, scores, &x});
    assert_true(isnan(x));
}

static void kernels_are_chosen_by_name(void **unused)
{
    (void)unused;
    setenv("LEITMOTIF_KERNELS", "plain", 1);
    assert_ptr_equal(kernels_choose(), &KERNELS_PLAIN);
    setenv("LEITMOTIF_KERNELS", "avx3", 1);
    assert_null(kernels_choose());
    assert_string_equal(failure_text(), "LEITMOTIF_KERNELS 'avx3': this machine has no such kernels; unset it, or set it to plain");
    failure_clear();
    unsetenv("LEITMOTIF_KERNELS");
    assert_non_null(kernels_choose());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gelu_is_accurate),
        cmocka_unit_test(softmax_is_accurate),
        cmocka_unit_test(norm_is_a_norm),
        cmocka_unit_test(the_definition_keeps_its_bits),
        cmocka_unit_test(rows_agree),
        cmocka_unit_test(quantising_shows_what_is_not_finite),
        cmocka_unit_test(panels_agree),
        cmocka_unit_test(sums_do_not_saturate),
        cmocka_unit_test(attention_agrees),
        cmocka_unit_test(what_is_not_finite_agrees),
        cmocka_unit_test(kernels_are_chosen_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
