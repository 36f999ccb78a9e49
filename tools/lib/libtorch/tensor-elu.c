/* SPDX-License-Identifier: Apache-2.0
 * ELU with alpha 1: x above 0, e^x - 1 below. A codec's decoder spends much of its time here, so on a CPU it is one pass of
 * our own: e^x = 2^n e^r with n whole and |r| <= ln(2)/2, so e^x - 1 = 2^n (e^r - 1) + (2^n - 1), which cancels nowhere.
 * Four numbers at a time in plain multiplications and additions: the same bits on every processor.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/failure.h"
#include "libtorch/dispatch.h"

enum { LANES = 4, GRAIN = 16384 }; /* numbers; below GRAIN a second thread costs more than it brings */

typedef float lanes __attribute__((vector_size(sizeof(float) * LANES)));
typedef uint32_t lane_bits __attribute__((vector_size(sizeof(float) * LANES)));

/* where ? a : b, by lane */
static lanes choose(lane_bits where, lanes a, lanes b) { return (lanes)((where & (lane_bits)a) | (~where & (lane_bits)b)); }

static inline lanes elu(lanes x)
{
    const float log2_e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    const float rounder = 12582912; /* 1.5 x 2^23: adding it rounds to a whole number, which the low bits then hold */
    const lanes smallest = {-30, -30, -30, -30}; /* e^-30 - 1 is -1 */
    lanes y = choose((lane_bits)(x < smallest), smallest, x);
    lanes rounded = y * log2_e + rounder, n = rounded - rounder;
    lanes r = y - n * ln2_high - n * ln2_low;
    lanes tail = 1.0f / 2 + r * (1.0f / 6 + r * (1.0f / 24 + r * (1.0f / 120 + r * (1.0f / 720 + r * (1.0f / 5040)))));
    lanes power = (lanes)(((lane_bits)rounded + 127) << 23); /* 2^n: what rounder leaves above is shifted out */
    lanes below = power * (r + r * r * tail) + (power - 1);
    return choose((lane_bits)(x > 0), x, below);
}

struct work {
    const float *from;
    float *into;
    int64_t count;
};

/* Lanes begin to end; the very last may be in part. */
static void elu_range(int64_t begin, int64_t end, void *context)
{
    const struct work *work = context;
    const int64_t stop = end * LANES < work->count ? end * LANES : work->count;
    int64_t i = begin * LANES;
    lanes x = {0};
    for (; i + LANES <= stop; i += LANES) {
        memcpy(&x, work->from + i, sizeof x);
        x = elu(x);
        memcpy(work->into + i, &x, sizeof x);
    }
    if (i < stop) {
        memcpy(&x, work->from + i, sizeof(float) * (size_t)(stop - i));
        x = elu(x);
        memcpy(work->into + i, &x, sizeof(float) * (size_t)(stop - i));
    }
}

static struct tensor *elu_on_cpu(struct tensor *x)
{
    int64_t shape[MAX_RANK];
    const int rank = tensor_rank(x);
    assert(rank <= MAX_RANK);
    for (int i = 0; i < rank; i++)
        shape[i] = tensor_size(x, i);
    struct scope scope;
    scope_open(&scope);
    struct tensor *dense = tensor_contiguous(x), *result = tensor_new((struct device){DEVICE_CPU, 0}, TENSOR_F32, rank, shape);
    struct work work = {tensor_data(dense), tensor_data(result), tensor_elements(x)};
    if (!failed() && torch.torch_parallel_for(0, (work.count + LANES - 1) / LANES, GRAIN / LANES, elu_range, &work))
        libtorch_failure("parallel_for");
    scope_keep(&scope, result);
    scope_close(&scope);
    return failed() ? NULL : result;
}

/* max(x, expm1(min(x, 0))), because expm1(x) >= x everywhere; aten::elu takes Scalars, which C cannot pass. */
static struct tensor *elu_by_operations(struct tensor *x)
{
    struct scope scope;
    scope_open(&scope);
    struct tensor *negative = operation("aten::minimum", "", ARGUMENTS(of_tensor(x), of_tensor(tensor_scalar(0))));
    operation("aten::expm1_", "", ARGUMENTS(of_tensor(negative)));
    struct tensor *result = scope_keep(&scope, operation("aten::maximum", "", ARGUMENTS(of_tensor(x), of_tensor(negative))));
    scope_close(&scope);
    return result;
}

struct tensor *tensor_elu(struct tensor *x)
{
    if (!libtorch_ready())
        return NULL;
    const bool ours = tensor_device(x).kind == DEVICE_CPU && tensor_type_of(x) == TENSOR_F32;
    return ours ? elu_on_cpu(x) : elu_by_operations(x);
}
