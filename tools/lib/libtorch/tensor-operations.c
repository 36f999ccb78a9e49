/* SPDX-License-Identifier: Apache-2.0
 * Arithmetic and layers: one typed function per operation. Each call lists the arguments of the operation's schema, which
 * stands above it where it is longer than its tensors. Only operations that exist for every device.
 */
#include <assert.h>

#include "base/failure.h"
#include "libtorch/dispatch.h"

static struct tensor *unary(const char *name, struct tensor *x) { return operation(name, "", ARGUMENTS(of_tensor(x))); }

/* aten::add takes a Scalar, which no C caller can pass. a - (-1) b rounds as a + b does. */
static struct tensor *subtract(struct tensor *a, struct tensor *b, double factor)
{
    struct tensor *result = NULL;
    if (!libtorch_ready())
        return NULL;
    assert(a && b);
    return adopt(torch.aoti_torch_aten_subtract_Tensor(a, b, factor, &result), &result, "subtract");
}

struct tensor *tensor_add(struct tensor *a, struct tensor *b) { return subtract(a, b, -1); }
struct tensor *tensor_sub(struct tensor *a, struct tensor *b) { return subtract(a, b, 1); }

struct tensor *tensor_mul(struct tensor *a, struct tensor *b)
{
    return operation("aten::mul", "Tensor", ARGUMENTS(of_tensor(a), of_tensor(b)));
}

struct tensor *tensor_less_equal(struct tensor *a, struct tensor *b)
{
    return operation("aten::le", "Tensor", ARGUMENTS(of_tensor(a), of_tensor(b)));
}

struct tensor *tensor_where(struct tensor *condition, struct tensor *a, struct tensor *b)
{
    return operation("aten::where", "self", ARGUMENTS(of_tensor(condition), of_tensor(a), of_tensor(b)));
}

struct tensor *tensor_relu(struct tensor *x) { return unary("aten::relu", x); }

/* On a CPU x times the normal distribution function, which is the exact GELU: aten::gelu takes a string, and libtorch's own
 * conversion of strings leaks 32 bytes at each call, so a megabyte and more for every track. On a GPU that is one kernel
 * instead of five, and a recorded step calls it once. gelu(Tensor self, *, str approximate) */
struct tensor *tensor_gelu(struct tensor *x)
{
    struct scope scope;
    if (!failed() && tensor_device(x).kind != DEVICE_CPU)
        return operation("aten::gelu", "", ARGUMENTS(of_tensor(x), of_string("none")));
    scope_open(&scope);
    struct tensor *result = scope_keep(&scope, tensor_mul(x, unary("aten::special_ndtr", x)));
    scope_close(&scope);
    return result;
}

/* sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim, *, ScalarType? dtype) */
struct tensor *tensor_sum(struct tensor *x, int dimension, bool keep)
{
    return operation("aten::sum", "dim_IntList",
                     ARGUMENTS(of_tensor(x), some(of_integers((int64_t[]){dimension}, 1)), of_flag(keep), none()));
}

/* argmax(Tensor self, int? dim, bool keepdim) */
struct tensor *tensor_argmax(struct tensor *x, int dimension)
{
    return operation("aten::argmax", "", ARGUMENTS(of_tensor(x), some(of_integer(dimension)), of_flag(false)));
}

struct tensor *tensor_linear(struct tensor *x, struct tensor *weight, struct tensor *bias_or_null)
{
    return operation("aten::linear", "", ARGUMENTS(of_tensor(x), of_tensor(weight), maybe_tensor(bias_or_null)));
}

/* mm.dtype(Tensor self, Tensor mat2, ScalarType out_dtype): only GPUs have it. */
struct tensor *tensor_product(struct tensor *x, struct tensor *weight)
{
    struct scope scope;
    scope_open(&scope);
    bool rounds = !failed() && tensor_device(x).kind != DEVICE_CPU && tensor_type_of(x) != TENSOR_F32;
    struct tensor *y = rounds ? operation("aten::mm", "dtype", ARGUMENTS(of_tensor(x), of_tensor(tensor_transpose(weight, 0, 1)), of_integer(type_code(TENSOR_F32))))
                              : tensor_cast(tensor_linear(x, weight, NULL), TENSOR_F32);
    y = scope_keep(&scope, y);
    scope_close(&scope);
    return y;
}

/* embedding(Tensor weight, Tensor indices, SymInt padding_idx, bool scale_grad_by_freq, bool sparse) */
struct tensor *tensor_embedding(struct tensor *weight, struct tensor *ids)
{
    return operation("aten::embedding", "", ARGUMENTS(of_tensor(weight), of_tensor(ids), of_integer(-1), of_flag(false), of_flag(false)));
}

/* layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? bias, float eps, bool cudnn_enable) */
struct tensor *tensor_layer_norm(struct tensor *x, struct tensor *weight, struct tensor *bias, double epsilon)
{
    const int64_t width = failed() ? 0 : tensor_size(x, -1);
    return operation("aten::layer_norm", "",
                     ARGUMENTS(of_tensor(x), of_integers(&width, 1), maybe_tensor(weight), maybe_tensor(bias), of_number(epsilon), of_flag(true)));
}

/* rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, float? eps) */
struct tensor *tensor_rms_norm(struct tensor *x, struct tensor *weight, double epsilon)
{
    const int64_t width = failed() ? 0 : tensor_size(x, -1);
    return operation("aten::rms_norm", "", ARGUMENTS(of_tensor(x), of_integers(&width, 1), maybe_tensor(weight), some(of_number(epsilon))));
}

/* scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask, float dropout_p, bool is_causal,
 * *, float? scale, bool enable_gqa) */
struct tensor *tensor_attention(struct tensor *q, struct tensor *k, struct tensor *v, struct tensor *mask_or_null, bool causal, double scale)
{
    return operation("aten::scaled_dot_product_attention", "",
                     ARGUMENTS(of_tensor(q), of_tensor(k), of_tensor(v), maybe_tensor(mask_or_null), of_number(0), of_flag(causal),
                               scale == 0 ? none() : some(of_number(scale)), of_flag(false)));
}

/* conv1d(Tensor input, Tensor weight, Tensor? bias, SymInt[1] stride, SymInt[1] padding, SymInt[1] dilation, SymInt groups) */
struct tensor *tensor_conv1d(struct tensor *x, struct tensor *weight, struct tensor *bias, int64_t stride, int64_t padding, int64_t dilation)
{
    return operation("aten::conv1d", "",
                     ARGUMENTS(of_tensor(x), of_tensor(weight), maybe_tensor(bias), of_integers(&stride, 1), of_integers(&padding, 1),
                               of_integers(&dilation, 1), of_integer(1)));
}

/* conv_transpose1d(Tensor input, Tensor weight, Tensor? bias, SymInt[1] stride, SymInt[1] padding, SymInt[1] output_padding,
 * SymInt groups, SymInt[1] dilation) */
struct tensor *tensor_conv_transpose1d(struct tensor *x, struct tensor *weight, struct tensor *bias, int64_t stride, int64_t padding,
                                       int64_t output_padding)
{
    const int64_t dilation = 1;
    return operation("aten::conv_transpose1d", "",
                     ARGUMENTS(of_tensor(x), of_tensor(weight), maybe_tensor(bias), of_integers(&stride, 1), of_integers(&padding, 1),
                               of_integers(&output_padding, 1), of_integer(1), of_integers(&dilation, 1)));
}

/* lstm.input(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train,
 * bool bidirectional, bool batch_first) -> (Tensor, Tensor, Tensor) */
int tensor_lstm(struct tensor *x, struct tensor *h, struct tensor *c, struct tensor *const *params, int layers, struct tensor **y,
                struct tensor **h_out, struct tensor **c_out)
{
    struct tensor *state[] = {h, c}, *results[3];
    int status = dispatch("aten::lstm", "input",
                          ARGUMENTS(of_tensor(x), of_tensors(state, 2), of_tensors(params, 4 * layers), of_flag(true), of_integer(layers),
                                    of_number(0), of_flag(false), of_flag(false), of_flag(false)),
                          results, 3);
    *y = results[0];
    *h_out = results[1];
    *c_out = results[2];
    return status;
}

/* _cudnn_rnn_flatten_weight(Tensor[] weights, int weights of a layer, SymInt inputs, int mode, SymInt width, SymInt projection,
 * int layers, bool batch_first, bool bidirectional) -> Tensor: the piece, which the weights are views of from now on */
void tensor_lstm_arrange(struct tensor *const *params, int layers)
{
    enum { WEIGHTS_OF_A_LAYER = 4, MODE_LSTM = 2 };
    struct scope scope;
    if (!libtorch_ready())
        return;
    scope_open(&scope);
    operation("aten::_cudnn_rnn_flatten_weight", "",
              ARGUMENTS(of_tensors(params, WEIGHTS_OF_A_LAYER * layers), of_integer(WEIGHTS_OF_A_LAYER), of_integer(tensor_size(params[0], 1)),
                        of_integer(MODE_LSTM), of_integer(tensor_size(params[1], 1)), of_integer(0), of_integer(layers), of_flag(false),
                        of_flag(false)));
    scope_close(&scope);
    failure_clear();
}

/* _weight_norm(Tensor v, Tensor g, int dim) */
struct tensor *tensor_weight_norm(struct tensor *v, struct tensor *g, int dimension)
{
    return operation("aten::_weight_norm", "", ARGUMENTS(of_tensor(v), of_tensor(g), of_integer(dimension)));
}

/* fft_rfft(Tensor self, SymInt? n, int dim, str? norm); view_as_real(Tensor self): pairs of real and imaginary part */
struct tensor *tensor_power_spectrum(struct tensor *x)
{
    struct scope scope;
    scope_open(&scope);
    struct tensor *spectrum = operation("aten::fft_rfft", "", ARGUMENTS(of_tensor(x), none(), of_integer(-1), none()));
    struct tensor *pairs = unary("aten::view_as_real", spectrum);
    struct tensor *power = scope_keep(&scope, tensor_sum(tensor_mul(pairs, pairs), -1, false));
    scope_close(&scope);
    return power;
}
