/* SPDX-License-Identifier: Apache-2.0 */
#include "decode-audio/codec.h"

#include <stdio.h>

#include "base/failure.h"

#define PREFIX "audio_encoder."
enum { NAME_SIZE = 128 };

/* What the arrays of struct codec have room for. No published codec is near these. */
static int check_config(const struct codec_config *config)
{
    if (config->residual_layers > CODEC_MAX_RESIDUALS || config->lstm_layers > CODEC_MAX_LSTM_LAYERS ||
        config->codebooks > CODEC_MAX_CODEBOOKS)
        return fail("codec with %lld residual layers, %lld LSTM layers, %lld codebooks is not supported; at most %d, %d, %d",
                    (long long)config->residual_layers, (long long)config->lstm_layers, (long long)config->codebooks,
                    CODEC_MAX_RESIDUALS, CODEC_MAX_LSTM_LAYERS, CODEC_MAX_CODEBOOKS);
    return 0;
}

/* The convolution at place `layer` of the decoder's list, or inside the residual block there. */
static void read_layer(struct convolution *convolution, struct weights *weights, int64_t in, int64_t out, int layer, const char *inside)
{
    char prefix[NAME_SIZE];
    snprintf(prefix, sizeof prefix, PREFIX "decoder.layers.%d%s.conv", layer, inside);
    convolution_read(convolution, weights, in, out, prefix);
}

static void read_tables(struct codec *codec)
{
    const struct codec_config *config = &codec->config;
    for (int i = 0; i < config->codebooks; i++)
        codec->tables[i] = weights_take(&codec->weights, TENSOR_F32, SHAPE(config->codebook_size, config->dimension),
                                        PREFIX "quantizer.layers.%d.codebook.embed", i);
}

static void read_lstm(struct codec *codec, int layer)
{
    static const char *const names[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    int64_t width = geometry_channels(&codec->config, -1);
    for (int i = 0; i < 4 * codec->config.lstm_layers; i++)
        codec->lstm[i] = weights_take(&codec->weights, TENSOR_F32, i % 4 < 2 ? 2 : 1, (const int64_t[]){4 * width, width},
                                      PREFIX "decoder.layers.%d.lstm.%s_l%d", layer, names[i % 4], i / 4);
}

/* Returns the place after the stage in the decoder's list; the activations before its convolutions have places too. */
static int read_stage(struct codec *codec, int stage, int layer)
{
    const struct codec_config *config = &codec->config;
    int64_t channels = geometry_channels(config, stage), inside = channels / config->compress, ratio = config->ratios[stage];
    struct convolution *upsampling = &codec->stages[stage].upsampling;
    *upsampling = (struct convolution){.kernel = 2 * ratio, .dilation = 1, .stride = ratio};
    read_layer(upsampling, &codec->weights, 2 * channels, channels, layer + 1, "");
    for (int i = 0; i < config->residual_layers; i++) {
        struct residual *residual = &codec->stages[stage].residuals[i];
        residual->narrowing = (struct convolution){.kernel = config->residual_kernel, .dilation = geometry_dilation(config, i), .stride = 1};
        residual->widening = (struct convolution){.kernel = 1, .dilation = 1, .stride = 1};
        read_layer(&residual->narrowing, &codec->weights, channels, inside, layer + 2 + i, ".block.1");
        read_layer(&residual->widening, &codec->weights, inside, channels, layer + 2 + i, ".block.3");
    }
    return layer + 2 + (int)config->residual_layers;
}

static void read_decoder(struct codec *codec)
{
    const struct codec_config *config = &codec->config;
    codec->first = (struct convolution){.kernel = config->kernel, .dilation = 1, .stride = 1};
    codec->last = (struct convolution){.kernel = config->last_kernel, .dilation = 1, .stride = 1};
    read_layer(&codec->first, &codec->weights, config->dimension, geometry_channels(config, -1), 0, "");
    read_lstm(codec, 1);
    int layer = 2;
    for (int stage = 0; stage < config->ratio_count; stage++)
        layer = read_stage(codec, stage, layer);
    read_layer(&codec->last, &codec->weights, config->filters, 1, layer + 1, "");
}

/* The encoder's half, and what only training of the codebooks uses. */
static void ignore_rest(struct checkpoint *checkpoint)
{
    checkpoint_ignore(checkpoint, PREFIX "encoder.layers.*");
    checkpoint_ignore(checkpoint, PREFIX "quantizer.layers.*.codebook.inited");
    checkpoint_ignore(checkpoint, PREFIX "quantizer.layers.*.codebook.cluster_size");
    checkpoint_ignore(checkpoint, PREFIX "quantizer.layers.*.codebook.embed_avg");
}

int codec_open(struct codec *codec, const struct codec_config *config, const char *folder, struct device device)
{
    *codec = (struct codec){.config = *config, .weights = {.device = device}};
    if (check_config(config) != 0)
        return failure_within("'%s'", folder);
    struct checkpoint *checkpoint = checkpoint_open(folder);
    if (!checkpoint)
        return -1;
    codec->weights.checkpoint = checkpoint;
    read_tables(codec);
    read_decoder(codec);
    ignore_rest(checkpoint);
    if (!failed())
        checkpoint_finish(checkpoint, PREFIX);
    codec->weights.checkpoint = NULL;
    checkpoint_close(checkpoint);
    if (!failed())
        return 0;
    codec_release(codec);
    return -1;
}

void codec_release(struct codec *codec)
{
    weights_release(&codec->weights);
    *codec = (struct codec){0};
}

struct tensor *codec_latent(const struct codec *codec, struct tensor *codes)
{
    struct scope scope;
    scope_open(&scope);
    struct tensor *sum = NULL; /* [n, dimension] */
    for (int i = 0; i < codec->config.codebooks && !failed(); i++) {
        struct tensor *found = tensor_embedding(codec->tables[i], tensor_select(codes, 0, i));
        sum = sum ? tensor_add(sum, found) : found;
    }
    if (sum)
        sum = tensor_view(tensor_contiguous(tensor_transpose(sum, 0, 1)), SHAPE(1, codec->config.dimension, -1));
    sum = scope_keep(&scope, sum);
    scope_close(&scope);
    return sum;
}

/* One skip around all layers of the LSTM. */
struct tensor *codec_frames(const struct codec *codec, struct tensor *latent, struct sides missing, struct tensor *h, struct tensor *c)
{
    struct scope scope;
    scope_open(&scope);
    int64_t width = geometry_channels(&codec->config, -1);
    struct tensor *x = pad_edges(latent, missing, codec->config.pad_reflect);
    x = tensor_conv1d(x, codec->first.weight, codec->first.bias, 1, 0, 1);                       /* [1, width, n] */
    x = tensor_contiguous(tensor_transpose(tensor_transpose(x, 0, 2), 1, 2));                    /* [n, 1, width] */
    struct tensor *y = NULL, *h_next = NULL, *c_next = NULL;
    tensor_lstm(x, h, c, codec->lstm, (int)codec->config.lstm_layers, &y, &h_next, &c_next);
    tensor_copy(h, h_next);
    tensor_copy(c, c_next);
    y = scope_keep(&scope, tensor_view(tensor_add(y, x), SHAPE(-1, width)));
    scope_close(&scope);
    return y;
}

static struct tensor *add_residual(const struct residual *residual, struct tensor *x, enum edges edges)
{
    struct scope scope;
    scope_open(&scope);
    struct tensor *inside = convolve_activated(&residual->narrowing, x, edges);
    struct tensor *y = scope_keep(&scope, tensor_add(x, convolve_activated(&residual->widening, inside, edges)));
    scope_close(&scope);
    return y;
}

/* [1, channels, n] -> [1, channels / 2, n ratio] */
static struct tensor *run_stage(const struct codec *codec, int stage, struct tensor *x, enum edges edges)
{
    struct scope scope;
    scope_open(&scope);
    x = convolve_activated(&codec->stages[stage].upsampling, x, edges);
    for (int i = 0; i < codec->config.residual_layers; i++)
        x = add_residual(&codec->stages[stage].residuals[i], x, edges);
    x = scope_keep(&scope, x);
    scope_close(&scope);
    return x;
}

struct tensor *codec_samples(const struct codec *codec, struct tensor *frames, enum edges edges)
{
    struct scope scope;
    scope_open(&scope);
    int64_t width = geometry_channels(&codec->config, -1);
    struct tensor *x = tensor_view(tensor_contiguous(tensor_transpose(frames, 0, 1)), SHAPE(1, width, -1));
    for (int stage = 0; stage < codec->config.ratio_count; stage++)
        x = run_stage(codec, stage, x, edges);
    x = scope_keep(&scope, tensor_view(convolve_activated(&codec->last, x, edges), SHAPE(-1)));
    scope_close(&scope);
    return x;
}
