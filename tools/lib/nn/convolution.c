/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/convolution.h"

#include <stdio.h>

#include "base/failure.h"

/* weight = g v / |v|, one g for each entry of the first dimension: output channels, or INPUT channels when transposed. */
static struct tensor *read_normed_weight(struct weights *weights, const int64_t shape[3], const char *prefix)
{
    char name[160];
    snprintf(name, sizeof name, "%s.weight_g", prefix);
    bool classic = checkpoint_has(weights->checkpoint, name);
    const char *scale = classic ? "weight_g" : "parametrizations.weight.original0";
    const char *direction = classic ? "weight_v" : "parametrizations.weight.original1";

    struct scope scope;
    scope_open(&scope);
    struct tensor *g = weights_read(weights, TENSOR_F32, SHAPE(shape[0], 1, 1), "%s.%s", prefix, scale);
    struct tensor *v = weights_read(weights, TENSOR_F32, 3, shape, "%s.%s", prefix, direction);
    struct tensor *weight = weights_keep(weights, tensor_weight_norm(v, g, 0));
    scope_close(&scope);
    return weight;
}

int convolution_read(struct convolution *convolution, struct weights *weights, int64_t in, int64_t out, const char *prefix)
{
    int64_t first = convolution->transposed ? in : out, second = convolution->transposed ? out : in;
    int64_t shape[3] = {first, second, convolution->kernel};
    convolution->weight = read_normed_weight(weights, shape, prefix);
    convolution->bias = weights_take(weights, TENSOR_F32, SHAPE(out), "%s.bias", prefix);
    return failed() ? -1 : 0;
}

struct tensor *pad_edges(struct tensor *x, struct sides padding, bool reflect)
{
    if (failed() || (padding.left == 0 && padding.right == 0))
        return x;
    if (!reflect)
        return tensor_pad(x, padding.left, padding.right, false);
    int64_t length = tensor_size(x, -1), widest = padding.left > padding.right ? padding.left : padding.right;
    int64_t extra = length <= widest ? widest - length + 1 : 0;
    if (extra == 0)
        return tensor_pad(x, padding.left, padding.right, true);
    x = tensor_pad(tensor_pad(x, 0, extra, false), padding.left, padding.right, true);
    return tensor_narrow(x, -1, 0, padding.left + length + padding.right);
}

/* What is missing to whole strides comes after the right padding, as more of it. */
static struct tensor *convolve_forward(const struct convolution *convolution, struct tensor *x, enum edges edges)
{
    int64_t stride = convolution->stride, length = failed() ? 0 : tensor_size(x, -1);
    struct sides padding = geometry_padding(convolution->kernel, convolution->dilation, stride);
    int64_t zeros = padding.left;
    padding.right += geometry_divide_up(length, stride) * stride - length;
    if (edges == EDGES_REFLECT || padding.left != padding.right) {
        x = pad_edges(x, padding, edges == EDGES_REFLECT);
        zeros = 0;
    }
    return tensor_conv1d(x, convolution->weight, convolution->bias, stride, zeros, convolution->dilation);
}

/* Cutting left and right from the full result, as the arguments of the operation say it: for an odd stride it cuts
 * one more on the left, and the operation's output padding gives it back on the right. */
static struct tensor *convolve_transposed(const struct convolution *convolution, struct tensor *x)
{
    struct sides cut = geometry_trimming(convolution->stride);
    return tensor_conv_transpose1d(x, convolution->weight, convolution->bias, convolution->stride, cut.left, cut.left - cut.right);
}

struct tensor *convolve(const struct convolution *convolution, struct tensor *x, enum edges edges)
{
    struct scope scope;
    scope_open(&scope);
    x = scope_keep(&scope, convolution->transposed ? convolve_transposed(convolution, x) : convolve_forward(convolution, x, edges));
    scope_close(&scope);
    return x;
}

struct tensor *convolve_activated(const struct convolution *convolution, struct tensor *x, enum edges edges)
{
    struct scope scope;
    scope_open(&scope);
    x = scope_keep(&scope, convolve(convolution, tensor_elu(x), edges));
    scope_close(&scope);
    return x;
}
