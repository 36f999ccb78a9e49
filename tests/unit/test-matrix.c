/* SPDX-License-Identifier: Apache-2.0
 * Matrices in panels: every number of outputs and inputs that fills panels and quanta or does not, in one part or more, against
 * sums in double. Operands are exactly as long as they must be, so that the address sanitizer sees what is read beyond.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "cpu/matrix.h"

/* Of the sum of sizes. Largest seen: 1.2e-7 in float32 and float16; int8's is half a quantum of each weight. */
#define FLOAT_TOLERANCE 1e-6
#define QUANTUM_TOLERANCE (0.5 / 127 + 1e-4)

enum { MOST_PARTS = 3, THREADS = 3 };

static uint32_t state = 3;

/* Multiples of 2^-8 within 1: float16 holds them. */
static float number(void)
{
    state = state * 1664525u + 1013904223u;
    return (float)((int32_t)(state >> 23) - 256) / 256;
}

static float *numbers(int64_t count)
{
    float *values = allocate((size_t)count, sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = number();
    return values;
}

struct fixture {
    int64_t outputs, inputs;
    float *weights; /* [outputs, inputs] */
    struct array parts[MOST_PARTS];
    const struct array *list[MOST_PARTS];
    int count;
    struct matrix matrix;
};

static void pack(struct fixture *f, enum element_type type, struct pool *pool)
{
    f->matrix = (struct matrix){.type = type, .outputs = f->outputs, .inputs = f->inputs};
    f->matrix.panels = allocate_aligned(64, (size_t)matrix_bytes(type, f->outputs, f->inputs));
    memset(f->matrix.panels, 0x7e, (size_t)matrix_bytes(type, f->outputs, f->inputs));
    matrix_pack(&f->matrix, f->list, f->count, pool);
}

static void set_up(struct fixture *f, int64_t outputs, int64_t inputs, int count)
{
    *f = (struct fixture){.outputs = outputs, .inputs = inputs, .count = count};
    f->weights = numbers(outputs * inputs);
    for (int i = 0; i < count; i++) {
        int64_t rows = outputs / count;
        f->parts[i] = (struct array){"part", ELEMENT_F32, 2, {rows, inputs}, f->weights + i * rows * inputs, (size_t)(rows * inputs) * sizeof(float)};
        f->list[i] = &f->parts[i];
    }
}

static double gelu(double x)
{
    return x * (1 + erf(x / sqrt(2))) / 2;
}

static void check_product(const struct fixture *f, const float *x, int rows, const float *before, const float *y, enum after_product after)
{
    for (int row = 0; row < rows; row++)
        for (int64_t output = 0; output < f->outputs; output++) {
            double sum = 0, sizes = 0, start = after == PRODUCT_ADDED ? (double)before[row * f->outputs + output] : 0, largest = 0;
            for (int64_t i = 0; i < f->inputs; i++) {
                double weight = (double)f->weights[output * f->inputs + i], input = (double)x[row * f->inputs + i];
                sum += weight * input;
                largest = fmax(largest, fabs(weight));
                sizes += f->matrix.type == ELEMENT_I8 ? fabs(input) : fabs(weight * input);
            }
            double right = after == PRODUCT_GELU ? gelu(sum) : start + sum;
            double allowed = f->matrix.type == ELEMENT_I8 ? sizes * largest * QUANTUM_TOLERANCE + 1e-3 : (sizes + 1) * FLOAT_TOLERANCE;
            assert_true(fabs((double)y[row * f->outputs + output] - right) <= 1.2 * allowed); /* GELU's slope is below 1.2 */
        }
}

/* By one thread and by three, in every version of the kernels: right, and the same bits. */
static void multiply(const struct fixture *f, int rows, struct pool *const pools[2])
{
    float *x = numbers(rows * f->inputs), *before = numbers(rows * f->outputs);
    size_t bytes = (size_t)(rows * f->outputs) * sizeof(float);
    float *y = allocate(1, bytes), *first = allocate(1, bytes);
    int16_t *quanta = allocate(1, (size_t)multiplier_quanta(f->inputs));
    for (int after = PRODUCT; after <= PRODUCT_GELU; after++)
        for (int k = 0; KERNEL_NAMES[k]; k++)
            for (int p = 0; p < 2; p++) {
                struct multiplier multiplier = {kernels_find(KERNEL_NAMES[k]), pools[p], quanta};
                if (!multiplier.kernels)
                    continue;
                memcpy(y, before, bytes);
                matrix_multiply(&multiplier, &f->matrix, x, rows, y, (enum after_product)after);
                if (k == 0 && p == 0) {
                    check_product(f, x, rows, before, y, (enum after_product)after);
                    memcpy(first, y, bytes);
                }
                assert_memory_equal(y, first, bytes);
            }
    free(x), free(before), free(y), free(first), free(quanta);
}

static void products_are_right(void **unused)
{
    static const int64_t OUTPUTS[] = {3, 30, 33, 96, 192}, INPUTS[] = {1, 2, 17, 256, 259};
    static const enum element_type TYPES[] = {ELEMENT_F32, ELEMENT_F16, ELEMENT_I8};
    static const int ROWS[] = {1, 2, 7, MOST_ROWS};
    struct pool *pools[] = {pool_open(1), pool_open(THREADS)};
    (void)unused;
    for (size_t o = 0; o < COUNT_OF(OUTPUTS); o++)
        for (size_t i = 0; i < COUNT_OF(INPUTS); i++)
            for (size_t t = 0; t < COUNT_OF(TYPES); t++) {
                struct fixture f;
                set_up(&f, OUTPUTS[o], INPUTS[i], o % 2 || i % 2 ? 3 : 1);
                pack(&f, TYPES[t], pools[1]);
                assert_int_equal(matrix_damaged_output(&f.matrix), -1);
                for (size_t r = 0; r < COUNT_OF(ROWS); r++)
                    multiply(&f, ROWS[r], pools);
                free(f.weights);
                free(f.matrix.panels);
            }
    for (int i = 0; i < 2; i++)
        pool_close(pools[i]);
}

static void int8_shows_damage(void **unused)
{
    static const float BAD[] = {NAN, INFINITY, -INFINITY};
    struct pool *pool = pool_open(1);
    (void)unused;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct fixture f;
        set_up(&f, 66, 5, 3);
        f.weights[64 * 5 + 4] = BAD[i];
        pack(&f, ELEMENT_I8, pool);
        assert_int_equal(matrix_damaged_output(&f.matrix), 64);
        free(f.matrix.panels);
        pack(&f, ELEMENT_F32, pool);
        assert_int_equal(matrix_damaged_output(&f.matrix), -1);
        free(f.matrix.panels);
        free(f.weights);
    }
    pool_close(pool);
}

static void int8_holds_zeros_and_extremes(void **unused)
{
    float x[] = {1, 1}, y[33];
    int16_t *quanta = allocate(1, (size_t)multiplier_quanta(2));
    struct pool *pool = pool_open(1);
    struct multiplier multiplier = {&KERNELS_PLAIN, pool, quanta};
    struct fixture f;
    (void)unused;
    set_up(&f, 33, 2, 1);
    memset(f.weights, 0, 66 * sizeof *f.weights);
    f.weights[64] = -3e38f; /* of the last output, alone in its panel */
    pack(&f, ELEMENT_I8, pool);
    matrix_multiply(&multiplier, &f.matrix, x, 1, y, PRODUCT);
    for (int i = 0; i < 32; i++)
        assert_true(y[i] == 0);
    assert_true(fabsf(y[32] / -3e38f - 1) < 1e-4f);
    free(f.matrix.panels), free(f.weights), free(quanta);
    pool_close(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_right),
        cmocka_unit_test(int8_shows_damage),
        cmocka_unit_test(int8_holds_zeros_and_extremes),
    };
    return cmocka_run_group_tests_name("matrix", tests, NULL, NULL);
}
