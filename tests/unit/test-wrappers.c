/* SPDX-License-Identifier: Apache-2.0
 * Every wrapper of a libtorch operation on the device of the test, and results that come back from it whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/failure.h"
#include "device.h"
#include "libtorch/self-test.h"
#include "libtorch/staging.h"

static struct device device;

static int set_up(void **state)
{
    (void)state;
    return device_of_test_open(&device) ? failure_print("test-wrappers") : 0;
}

static void every_wrapper_computes_what_is_known(void **state)
{
    (void)state;
    self_test_whole(device);
    assert_string_equal(failure_text(), "");
}

/* More than the two pinned buffers hold at once, from a place that is not aligned. */
static void what_goes_there_comes_back(void **state)
{
    enum { COUNT = 5000011 };
    static char sent[4 * COUNT + 1], received[4 * COUNT];
    struct staging staging = {.device = device};
    struct scope scope;
    (void)state;
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)(i * 2654435761u >> 13);
    scope_open(&scope);
    struct tensor *first = staging_tensor(&staging, TENSOR_I32, SHAPE(COUNT), sent + 1);
    struct tensor *second = staging_tensor(&staging, TENSOR_I32, SHAPE(3, 7), sent + 1);
    tensor_read(first, received, sizeof received);
    assert_memory_equal(received, sent + 1, sizeof received);
    tensor_read(second, received, 84);
    assert_memory_equal(received, sent + 1, 84);
    assert_int_equal(tensor_device(second).kind, device.kind);
    scope_close(&scope);
    staging_release(&staging);
    assert_string_equal(failure_text(), "");
}

enum { SIDE = 64, TAPS = 3 };

static struct tensor *filled(float value, int rank, const int64_t *shape)
{
    return tensor_add(tensor_zeros(device, TENSOR_F32, rank, shape), tensor_scalar(value));
}

static void expect_everywhere(struct tensor *tensor, float expected)
{
    static float values[SIDE * SIDE];
    int64_t count = tensor_elements(tensor);
    assert_true(count > 0 && count <= SIDE * SIDE);
    tensor_read(tensor, values, (size_t)count * sizeof *values);
    assert_string_equal(failure_text(), "");
    for (int64_t i = 0; i < count; i++)
        assert_true(values[i] == expected);
}

/* Products and convolutions in float32 keep its 24 bits: with the 11 of TF32, 1 + 2^-12 would be 1. The sums are exact. */
static void float32_is_float32(void **state)
{
    struct scope scope;
    (void)state;
    scope_open(&scope);
    struct tensor *x = filled(1 + 0x1p-12f, SHAPE(1, SIDE, SIDE));
    expect_everywhere(tensor_linear(x, filled(SIDE, SHAPE(SIDE, SIDE)), NULL), 4097);
    struct tensor *weight = filled(SIDE, SHAPE(SIDE, SIDE, TAPS)), *bias = filled(0, SHAPE(SIDE));
    expect_everywhere(tensor_conv1d(x, weight, bias, 1, 0, 1), TAPS * 4097);
    scope_close(&scope);
}

/* What is added to the residual stream is no float16: that would lose the 2^-10 of a sum of 64 squares of 1 + 2^-8, which is exact. */
static void products_of_float16_are_float32(void **state)
{
    enum tensor_type type = device.kind == DEVICE_CPU ? TENSOR_F32 : TENSOR_F16; /* as engine torch has them */
    struct scope scope;
    (void)state;
    scope_open(&scope);
    struct tensor *some = tensor_cast(filled(1 + 0x1p-8f, SHAPE(SIDE, SIDE)), type);
    expect_everywhere(tensor_product(some, some), 64.5f + 0x1p-10f);
    scope_close(&scope);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_wrapper_computes_what_is_known),
        cmocka_unit_test(what_goes_there_comes_back),
        cmocka_unit_test(float32_is_float32),
        cmocka_unit_test(products_of_float16_are_float32),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
