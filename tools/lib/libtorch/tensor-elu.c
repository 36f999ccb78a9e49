/* SPDX-License-Identifier: Apache-2.0
 * ELU with alpha 1: x above 0, e^x - 1 below. A codec's decoder spends much of its time here, so on a CPU it is one pass of
 * our own.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/failure.h"
#include "cpu/quads.h"
#include "libtorch/dispatch.h"

enum { GRAIN = 16384 }; /* numbers; below it a second thread costs more than it brings */

static inline quad elu(quad x)
{
    return quad_choose((quad_bits)(x > 0), x, quad_expm1(x));
}

struct work {
    const float *from;
    float *into;
    int64_t count;
};

/* Quads begin to end; the very last may be in part. */
static void elu_range(int64_t begin, int64_t end, void *context)
{
    const struct work *work = context;
    const int64_t stop = end * QUAD < work->count ? end * QUAD : work->count;
    int64_t i = begin * QUAD;
    quad x = {0};
    for (; i + QUAD <= stop; i += QUAD) {
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
    if (!failed() && torch.torch_parallel_for(0, (work.count + QUAD - 1) / QUAD, GRAIN / QUAD, elu_range, &work))
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
