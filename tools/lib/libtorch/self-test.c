/* SPDX-License-Identifier: Apache-2.0 */
#include "libtorch/self-test.h"

#include <math.h>

#include "base/failure.h"
#include "base/memory.h"
#include "libtorch/tensor.h"

enum { MAX_EXPECTED = 8 };

/* One wrapper: made of a = [[1, -2], [3, 0]] and b = [[2, 1], [-1, 4]], float32, on the device. */
struct check {
    const char *name;
    struct tensor *(*run)(struct tensor *a, struct tensor *b);
    int count;
    float expected[MAX_EXPECTED]; /* the result, row-major */
};

static struct tensor *vector(struct tensor *like, const float *values, int64_t count)
{
    return tensor_from(tensor_device(like), TENSOR_F32, 1, &count, values);
}

#define VECTOR(...) vector(a, (const float[]){__VA_ARGS__}, sizeof((float[]){__VA_ARGS__}) / sizeof(float))

/* A wrapper is a function of its own here, so that one table can call them all. */
#define CHECK(name, expression)                                              \
    static struct tensor *check_##name(struct tensor *a, struct tensor *b)   \
    {                                                                        \
        (void)a, (void)b;                                                    \
        return expression;                                                   \
    }

CHECK(zeros, tensor_zeros(tensor_device(a), TENSOR_F32, SHAPE(2)))
CHECK(scalar, tensor_mul(tensor_scalar(0.5f), a))
CHECK(cast, tensor_cast(tensor_cast(tensor_cast(a, TENSOR_F16), TENSOR_I64), TENSOR_F32))
CHECK(to, tensor_cast(tensor_to(a, (struct device){DEVICE_CPU, 0}, TENSOR_F64), TENSOR_F32))
CHECK(view, tensor_view(a, SHAPE(4, -1)))
CHECK(narrow, tensor_narrow(tensor_narrow(tensor_view(a, SHAPE(4)), 0, 1, 3), 0, 1, 2)) /* offsets add up */
CHECK(select, tensor_select(a, -1, 1))
CHECK(transpose, tensor_transpose(a, 0, 1))
CHECK(contiguous, tensor_view(tensor_contiguous(tensor_transpose(a, 0, 1)), SHAPE(4)))
CHECK(cat, tensor_cat((struct tensor *[]){a, b}, 2, 1))
CHECK(pad, tensor_pad(VECTOR(1, 2), 1, 2, false))
CHECK(pad_reflect, tensor_pad(tensor_view(VECTOR(1, 2, 3), SHAPE(1, 3)), 2, 1, true))
CHECK(add, tensor_add(a, VECTOR(10, 20)))
CHECK(mul, tensor_mul(a, b))
CHECK(relu, tensor_relu(a))
CHECK(gelu, tensor_gelu(a))
CHECK(elu, tensor_elu(a))
CHECK(elu_of_doubles, tensor_cast(tensor_elu(tensor_cast(a, TENSOR_F64)), TENSOR_F32))
CHECK(sub, tensor_sub(a, b))
CHECK(argmax, tensor_cast(tensor_argmax(tensor_cat((struct tensor *[]){a, b, b}, 3, 1), -1), TENSOR_F32))
CHECK(sum, tensor_sum(a, 0, true))
CHECK(linear, tensor_linear(a, b, VECTOR(0, 1)))
CHECK(linear_unbiased, tensor_linear(a, b, NULL))
CHECK(product, tensor_product(tensor_cast(a, TENSOR_F16), tensor_cast(b, TENSOR_F16)))
CHECK(embedding, tensor_embedding(a, tensor_cast(VECTOR(1, 0, 1), TENSOR_I64)))
CHECK(layer_norm, tensor_layer_norm(a, VECTOR(1, 2), VECTOR(0, 1), 0.75))
CHECK(rms_norm, tensor_rms_norm(a, VECTOR(1, 2), 1.5))
CHECK(conv1d, tensor_conv1d(tensor_view(VECTOR(1, 2, 3, 4, 5), SHAPE(1, 1, 5)), tensor_view(VECTOR(1, 10), SHAPE(1, 1, 2)), VECTOR(0.5), 2, 1, 3))
CHECK(conv_transpose1d, tensor_conv_transpose1d(tensor_view(VECTOR(1, 2), SHAPE(1, 1, 2)), tensor_view(VECTOR(1, 2, 3), SHAPE(1, 1, 3)), VECTOR(0.5), 2, 1, 1))
CHECK(bytes, tensor_cast(tensor_bytes(tensor_cast(VECTOR(1, 513), TENSOR_I32)), TENSOR_F32))
CHECK(less_equal, tensor_cast(tensor_less_equal(a, VECTOR(1, -1)), TENSOR_F32))
CHECK(where, tensor_where(tensor_less_equal(a, VECTOR(1, -1)), a, tensor_scalar(9)))
CHECK(power_spectrum, tensor_power_spectrum(tensor_view(VECTOR(1, 2, 3, -4), SHAPE(1, 4))))
CHECK(weight_norm, tensor_weight_norm(b, tensor_view(VECTOR(5, 17), SHAPE(2, 1)), 0))

/* q, k, v [1, 1, 2, 2]: one head */
static struct tensor *attend(struct tensor *a, struct tensor *b, struct tensor *mask, bool causal, double scale)
{
    struct tensor *q = tensor_view(a, SHAPE(1, 1, 2, 2)), *k = tensor_view(b, SHAPE(1, 1, 2, 2));
    return tensor_attention(q, k, q, mask, causal, scale);
}

CHECK(attention, attend(a, b, NULL, false, 0))
CHECK(attention_scaled, attend(a, b, tensor_view(VECTOR(0, 1, 2, 0), SHAPE(1, 1, 2, 2)), false, 0.25))
CHECK(attention_causal, attend(a, b, NULL, true, 1))

static struct tensor *check_copy(struct tensor *a, struct tensor *b)
{
    struct tensor *kept = tensor_cat((struct tensor *[]){a}, 1, 0);
    tensor_copy(tensor_select(kept, 0, 0), tensor_scalar(7));
    tensor_copy(tensor_select(kept, 1, 1), tensor_select(tensor_select(b, 0, 1), 0, 1));
    return kept;
}

static struct tensor *check_index_copy(struct tensor *a, struct tensor *b)
{
    struct tensor *into = tensor_cat((struct tensor *[]){a, a}, 2, 0);
    return tensor_index_copy(into, 0, tensor_cast(VECTOR(3, 0), TENSOR_I64), b);
}

/* One step of two layers of width 1 (all weights 1, all biases 0) from zero state: y, then h and c of both layers. */
static struct tensor *check_lstm(struct tensor *a, struct tensor *b)
{
    struct tensor *y, *h, *c, *params[8];
    (void)b;
    struct tensor *state = tensor_zeros(tensor_device(a), TENSOR_F32, SHAPE(2, 1, 1));
    for (int i = 0; i < 8; i++)
        params[i] = i % 4 < 2 ? tensor_view(VECTOR(1, 1, 1, 1), SHAPE(4, 1)) : VECTOR(0, 0, 0, 0);
    tensor_lstm(tensor_view(VECTOR(1), SHAPE(1, 1, 1)), state, state, params, 2, &y, &h, &c);
    return tensor_cat((struct tensor *[]){y, h, c}, 3, 0);
}

#define ENTRY(name, ...) {#name, check_##name, sizeof((float[]){__VA_ARGS__}) / sizeof(float), {__VA_ARGS__}}

/* That arguments are passed rightly is the same for every device. The first few also show that a GPU computes at all, with
 * little of its time and memory: each further library or kernel takes some of both. */
enum { ON_EVERY_DEVICE = 10 };

static const struct check checks[] = {
    ENTRY(cast, 1, -2, 3, 0),
    ENTRY(cat, 1, -2, 2, 1, 3, 0, -1, 4),
    ENTRY(linear, 0, -8, 6, -2),
    ENTRY(product, 0, -9, 6, -3),
    ENTRY(layer_norm, 0.8660254f, -0.7320508f, 0.8660254f, -0.7320508f),
    ENTRY(attention, 1.0034391f, -1.9965608f, 1.0034391f, -1.9965608f),
    ENTRY(copy, 7, 4, 3, 4),
    ENTRY(index_copy, -1, 4, 3, 0, 1, -2, 2, 1),
    ENTRY(less_equal, 1, 1, 0, 0),
    ENTRY(where, 1, -2, 9, 9),
    ENTRY(zeros, 0, 0),
    ENTRY(scalar, 0.5f, -1, 1.5f, 0),
    ENTRY(to, 1, -2, 3, 0),
    ENTRY(view, 1, -2, 3, 0),
    ENTRY(narrow, 3, 0),
    ENTRY(select, -2, 0),
    ENTRY(transpose, 1, 3, -2, 0),
    ENTRY(contiguous, 1, 3, -2, 0),
    ENTRY(pad, 0, 1, 2, 0, 0),
    ENTRY(pad_reflect, 3, 2, 1, 2, 3, 2),
    ENTRY(add, 11, 18, 13, 20),
    ENTRY(mul, 2, -2, -3, 0),
    ENTRY(relu, 1, 0, 3, 0),
    ENTRY(gelu, 0.8413447f, -0.0455003f, 2.9959503f, 0),
    ENTRY(elu, 1, -0.8646647f, 3, 0),
    ENTRY(elu_of_doubles, 1, -0.8646647f, 3, 0),
    ENTRY(sub, -1, -3, 4, -4),
    ENTRY(argmax, 2, 3),
    ENTRY(sum, 4, -2),
    ENTRY(linear_unbiased, 0, -9, 6, -3),
    ENTRY(embedding, 3, 0, 1, -2, 3, 0),
    ENTRY(rms_norm, 0.5f, -2, 1.2247449f, 0),
    ENTRY(conv1d, 30.5f, 52.5f),
    ENTRY(conv_transpose1d, 2.5f, 5.5f, 4.5f, 6.5f),
    ENTRY(power_spectrum, 4, 40, 36),
    ENTRY(weight_norm, 4.4721360f, 2.2360680f, -4.1231056f, 16.492423f),
    ENTRY(attention_scaled, 1.4454004f, -1.5545998f, 1.0281273f, -1.9718728f),
    ENTRY(attention_causal, 1, -2, 1.0002469f, -1.9997533f),
    ENTRY(bytes, 1, 0, 0, 0, 1, 2, 0, 0),
    ENTRY(lstm, 0.1219024f, 0.3696064f, 0.1219024f, 0.5567700f, 0.2091343f),
};

/* Relative for numbers above 1: devices round their exponentials in their own way. */
static const float TOLERANCE = 2e-5f;

static int compare(const struct check *check, struct device device, struct tensor *result)
{
    float got[MAX_EXPECTED] = {0};
    if (!failed() && tensor_elements(result) != check->count)
        return fail("libtorch %s computes '%s' wrongly on %s: it gives %d numbers, not %d; install another build", libtorch_version(),
                    check->name, device_text(device), (int)tensor_elements(result), check->count);
    tensor_read(result, got, (size_t)check->count * sizeof *got);
    for (int i = 0; !failed() && i < check->count; i++)
        if (!(fabsf(got[i] - check->expected[i]) <= TOLERANCE * fmaxf(1, fabsf(check->expected[i]))))
            fail("libtorch %s computes '%s' wrongly on %s: %.7g where %.7g is right; install another build", libtorch_version(),
                 check->name, device_text(device), (double)got[i], (double)check->expected[i]);
    return failed() ? -1 : 0;
}

static int run_checks(struct device device, size_t count)
{
    for (size_t i = 0; !failed() && i < count; i++) {
        struct scope scope;
        scope_open(&scope);
        struct tensor *a = tensor_from(device, TENSOR_F32, SHAPE(2, 2), (const float[]){1, -2, 3, 0});
        struct tensor *b = tensor_from(device, TENSOR_F32, SHAPE(2, 2), (const float[]){2, 1, -1, 4});
        compare(&checks[i], device, checks[i].run(a, b));
        scope_close(&scope);
    }
    return failed() ? failure_within("self-test of libtorch") : 0;
}

int self_test(struct device device)
{
    return run_checks(device, device.kind == DEVICE_CPU ? COUNT_OF(checks) : ON_EVERY_DEVICE);
}

int self_test_whole(struct device device) { return run_checks(device, COUNT_OF(checks)); }
