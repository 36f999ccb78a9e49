/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/codec-layers.h"

#include <stdio.h>

#include "base/failure.h"

enum { NAME_SIZE = 128 };

int codec_check(const struct codec_config *config)
{
    if (config->residual_layers > CODEC_MAX_RESIDUALS || config->lstm_layers > CODEC_MAX_LSTM_LAYERS ||
        config->codebooks > CODEC_MAX_CODEBOOKS)
        return fail("codec with %lld residual layers, %lld LSTM layers, %lld codebooks is not supported; at most %d, %d, %d",
                    (long long)config->residual_layers, (long long)config->lstm_layers, (long long)config->codebooks,
                    CODEC_MAX_RESIDUALS, CODEC_MAX_LSTM_LAYERS, CODEC_MAX_CODEBOOKS);
    return 0;
}

void codec_read_convolution(struct convolution *convolution, struct weights *weights, int64_t in, int64_t out, const char *half,
                            int layer, const char *inside)
{
    char prefix[NAME_SIZE];
    snprintf(prefix, sizeof prefix, CODEC_PREFIX "%s.layers.%d%s.conv", half, layer, inside);
    convolution_read(convolution, weights, in, out, prefix);
}

void residual_read(struct residual *residual, struct weights *weights, const struct codec_config *config, int stage, int index,
                   const char *half, int layer)
{
    int64_t channels = geometry_channels(config, stage), inside = channels / config->compress;
    residual->narrowing = (struct convolution){.kernel = config->residual_kernel, .dilation = geometry_dilation(config, index), .stride = 1};
    residual->widening = (struct convolution){.kernel = 1, .dilation = 1, .stride = 1};
    codec_read_convolution(&residual->narrowing, weights, channels, inside, half, layer, ".block.1");
    codec_read_convolution(&residual->widening, weights, inside, channels, half, layer, ".block.3");
}

struct tensor *residual_run(const struct residual *residual, struct tensor *x, enum edges edges)
{
    struct scope scope;
    scope_open(&scope);
    struct tensor *inside = convolve_activated(&residual->narrowing, x, edges);
    struct tensor *y = scope_keep(&scope, tensor_add(x, convolve_activated(&residual->widening, inside, edges)));
    scope_close(&scope);
    return y;
}

void recurrence_read(struct recurrence *recurrence, struct weights *weights, const struct codec_config *config, const char *half, int layer)
{
    static const char *const names[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    int64_t width = geometry_channels(config, -1);
    recurrence->layers = (int)config->lstm_layers;
    recurrence->width = width;
    for (int i = 0; i < 4 * recurrence->layers; i++)
        recurrence->weights[i] = weights_take(weights, TENSOR_F32, i % 4 < 2 ? 2 : 1, (const int64_t[]){4 * width, width},
                                              CODEC_PREFIX "%s.layers.%d.lstm.%s_l%d", half, layer, names[i % 4], i / 4);
}

int recurrence_begin(const struct recurrence *recurrence, struct device device, struct recurrence_state *state)
{
    struct scope scope;
    scope_open(&scope);
    state->h = tensor_own(tensor_zeros(device, TENSOR_F32, SHAPE(recurrence->layers, 1, recurrence->width)));
    state->c = tensor_own(tensor_zeros(device, TENSOR_F32, SHAPE(recurrence->layers, 1, recurrence->width)));
    scope_close(&scope);
    return failed() ? -1 : 0;
}

void recurrence_end(struct recurrence_state *state)
{
    tensor_free(state->h);
    tensor_free(state->c);
    *state = (struct recurrence_state){0};
}

struct tensor *recurrence_run(const struct recurrence *recurrence, struct tensor *x, const struct recurrence_state *state)
{
    struct scope scope;
    scope_open(&scope);
    x = tensor_contiguous(tensor_transpose(tensor_transpose(x, 0, 2), 1, 2)); /* [n, 1, width] */
    struct tensor *y = NULL, *h_next = NULL, *c_next = NULL;
    tensor_lstm(x, state->h, state->c, recurrence->weights, recurrence->layers, &y, &h_next, &c_next);
    tensor_copy(state->h, h_next);
    tensor_copy(state->c, c_next);
    y = scope_keep(&scope, tensor_view(tensor_add(y, x), SHAPE(-1, recurrence->width)));
    scope_close(&scope);
    return y;
}

void codebooks_read(struct tensor **tables, struct weights *weights, const struct codec_config *config)
{
    static const char *const training[] = {"inited", "cluster_size", "embed_avg"};
    for (int i = 0; i < config->codebooks; i++)
        tables[i] = weights_take(weights, TENSOR_F32, SHAPE(config->codebook_size, config->dimension),
                                 CODEC_PREFIX "quantizer.layers.%d.codebook.embed", i);
    for (size_t i = 0; i < sizeof training / sizeof *training; i++) {
        char pattern[NAME_SIZE];
        snprintf(pattern, sizeof pattern, CODEC_PREFIX "quantizer.layers.*.codebook.%s", training[i]);
        checkpoint_ignore(weights->checkpoint, pattern);
    }
}
