/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/codec-layers.h"

#include <stdio.h>

#include "base/failure.h"

enum { NAME_SIZE = 128 };

int codec_check(const struct codec_config *config)
{
    if (config->residual_layers > CODEC_MAX_RESIDUALS || config->lstm_layers > RECURRENCE_MOST_LAYERS ||
        config->codebooks > CODEC_MAX_CODEBOOKS)
        return fail("codec with %lld residual layers, %lld LSTM layers, %lld codebooks is not supported; at most %d, %d, %d",
                    (long long)config->residual_layers, (long long)config->lstm_layers, (long long)config->codebooks,
                    CODEC_MAX_RESIDUALS, RECURRENCE_MOST_LAYERS, CODEC_MAX_CODEBOOKS);
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

void codec_read_recurrence(struct recurrence *recurrence, struct weights *weights, const struct codec_config *config, const char *half, int layer)
{
    char prefix[NAME_SIZE];
    snprintf(prefix, sizeof prefix, CODEC_PREFIX "%s.layers.%d.lstm", half, layer);
    recurrence_read(recurrence, weights, config->lstm_layers, geometry_channels(config, -1), prefix);
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
