/* SPDX-License-Identifier: Apache-2.0 */
#include "decode-audio/codec.h"

#include "base/failure.h"

#define HALF "decoder"

/* Returns the place after the stage in the decoder's list; the activations before its convolutions have places too. */
static int read_stage(struct codec *codec, int stage, int layer)
{
    const struct codec_config *config = &codec->config;
    int64_t channels = geometry_channels(config, stage), ratio = config->ratios[stage];
    struct convolution *upsampling = &codec->stages[stage].upsampling;
    *upsampling = (struct convolution){.kernel = 2 * ratio, .dilation = 1, .stride = ratio, .transposed = true};
    codec_read_convolution(upsampling, &codec->weights, 2 * channels, channels, HALF, layer + 1, "");
    for (int i = 0; i < config->residual_layers; i++)
        residual_read(&codec->stages[stage].residuals[i], &codec->weights, config, stage, i, HALF, layer + 2 + i);
    return layer + 2 + (int)config->residual_layers;
}

static void read_decoder(struct codec *codec)
{
    const struct codec_config *config = &codec->config;
    codec->first = (struct convolution){.kernel = config->kernel, .dilation = 1, .stride = 1};
    codec->last = (struct convolution){.kernel = config->last_kernel, .dilation = 1, .stride = 1};
    codec_read_convolution(&codec->first, &codec->weights, config->dimension, geometry_channels(config, -1), HALF, 0, "");
    codec_read_recurrence(&codec->recurrence, &codec->weights, config, HALF, 1);
    int layer = 2;
    for (int stage = 0; stage < config->ratio_count; stage++)
        layer = read_stage(codec, stage, layer);
    codec_read_convolution(&codec->last, &codec->weights, config->filters, 1, HALF, layer + 1, "");
}

int codec_open(struct codec *codec, const struct codec_config *config, const char *folder, struct device device)
{
    *codec = (struct codec){.config = *config, .weights = {.device = device}};
    if (codec_check(config) != 0)
        return failure_within("'%s'", folder);
    struct checkpoint *checkpoint = checkpoint_open(folder);
    if (!checkpoint)
        return -1;
    codec->weights.checkpoint = checkpoint;
    codebooks_read(codec->tables, &codec->weights, config);
    read_decoder(codec);
    checkpoint_ignore(checkpoint, CODEC_PREFIX "encoder.layers.*");
    if (!failed())
        checkpoint_finish(checkpoint, CODEC_PREFIX);
    weights_settle(&codec->weights);
    codec->weights.checkpoint = NULL;
    checkpoint_close(checkpoint);
    if (!failed())
        return 0;
    codec_release(codec);
    return -1;
}

void codec_release(struct codec *codec)
{
    recurrence_release(&codec->recurrence);
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

struct tensor *codec_frames(const struct codec *codec, struct tensor *latent, struct sides missing, const struct recurrence_state *state)
{
    struct scope scope;
    scope_open(&scope);
    struct tensor *x = pad_edges(latent, missing, codec->config.pad_reflect);
    x = tensor_conv1d(x, codec->first.weight, codec->first.bias, 1, 0, 1); /* [1, width, n] */
    struct tensor *y = scope_keep(&scope, recurrence_run(&codec->recurrence, x, state));
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
        x = residual_run(&codec->stages[stage].residuals[i], x, edges);
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
