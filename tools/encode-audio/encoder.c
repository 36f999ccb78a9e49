/* SPDX-License-Identifier: Apache-2.0 */
#include "encode-audio/encoder.h"

#include "base/failure.h"

#define HALF "encoder"

/* Returns the place after the stage in the encoder's list; the activation before its convolution has a place too. */
static int read_stage(struct encoder *encoder, int stage, int layer)
{
    const struct codec_config *config = &encoder->config;
    int64_t channels = geometry_channels(config, stage), ratio = config->ratios[stage];
    int blocks = (int)config->residual_layers;
    for (int i = 0; i < blocks; i++)
        residual_read(&encoder->stages[stage].residuals[i], &encoder->weights, config, stage, i, HALF, layer + i);
    struct convolution *downsampling = &encoder->stages[stage].downsampling;
    *downsampling = (struct convolution){.kernel = 2 * ratio, .dilation = 1, .stride = ratio};
    codec_read_convolution(downsampling, &encoder->weights, channels, 2 * channels, HALF, layer + blocks + 1, "");
    return layer + blocks + 2;
}

static void read_encoder(struct encoder *encoder)
{
    const struct codec_config *config = &encoder->config;
    encoder->first = (struct convolution){.kernel = config->kernel, .dilation = 1, .stride = 1};
    encoder->last = (struct convolution){.kernel = config->last_kernel, .dilation = 1, .stride = 1};
    codec_read_convolution(&encoder->first, &encoder->weights, 1, config->filters, HALF, 0, "");
    int layer = 1;
    for (int stage = config->ratio_count - 1; stage >= 0; stage--)
        layer = read_stage(encoder, stage, layer);
    codec_read_recurrence(&encoder->recurrence, &encoder->weights, config, HALF, layer);
    codec_read_convolution(&encoder->last, &encoder->weights, geometry_channels(config, -1), config->dimension, HALF, layer + 2, "");
}

int encoder_open(struct encoder *encoder, const struct codec_config *config, const char *folder, struct device device)
{
    *encoder = (struct encoder){.config = *config, .weights = {.device = device}};
    if (codec_check(config) != 0)
        return failure_within("'%s'", folder);
    struct checkpoint *checkpoint = checkpoint_open(folder);
    if (!checkpoint)
        return -1;
    encoder->weights.checkpoint = checkpoint;
    codebooks_read(encoder->tables, &encoder->weights, config);
    read_encoder(encoder);
    checkpoint_ignore(checkpoint, CODEC_PREFIX "decoder.layers.*");
    if (!failed())
        checkpoint_finish(checkpoint, CODEC_PREFIX);
    weights_settle(&encoder->weights);
    encoder->weights.checkpoint = NULL;
    checkpoint_close(checkpoint);
    if (!failed())
        return 0;
    encoder_release(encoder);
    return -1;
}

void encoder_release(struct encoder *encoder)
{
    recurrence_release(&encoder->recurrence);
    weights_release(&encoder->weights);
    *encoder = (struct encoder){0};
}

/* [1, channels, n] -> [1, 2 channels, n / ratio rounded up] */
static struct tensor *run_stage(const struct encoder *encoder, int stage, struct tensor *x, enum edges edges)
{
    struct scope scope;
    scope_open(&scope);
    for (int i = 0; i < encoder->config.residual_layers; i++)
        x = residual_run(&encoder->stages[stage].residuals[i], x, edges);
    x = scope_keep(&scope, convolve_activated(&encoder->stages[stage].downsampling, x, edges));
    scope_close(&scope);
    return x;
}

struct tensor *encoder_features(const struct encoder *encoder, struct tensor *samples, enum edges edges)
{
    struct scope scope;
    scope_open(&scope);
    struct tensor *x = convolve(&encoder->first, samples, edges);
    for (int stage = encoder->config.ratio_count - 1; stage >= 0; stage--)
        x = run_stage(encoder, stage, x, edges);
    x = scope_keep(&scope, x);
    scope_close(&scope);
    return x;
}

struct tensor *encoder_latent(const struct encoder *encoder, struct tensor *frames, struct sides missing)
{
    struct scope scope;
    scope_open(&scope);
    int64_t width = geometry_channels(&encoder->config, -1);
    struct tensor *x = tensor_view(tensor_contiguous(tensor_transpose(frames, 0, 1)), SHAPE(1, width, -1));
    x = pad_edges(tensor_elu(x), missing, encoder->config.pad_reflect);
    x = tensor_conv1d(x, encoder->last.weight, encoder->last.bias, 1, 0, 1); /* [1, dimension, wanted] */
    x = scope_keep(&scope, tensor_contiguous(tensor_transpose(tensor_select(x, 0, 0), 0, 1)));
    scope_close(&scope);
    return x;
}

/* The entry of a table [size, dimension] nearest to each rest [n, dimension]: ids [n]. The squared distance is computed
 * in the order that PyTorch's implementations have, because near-ties fall by the last bit. */
static struct tensor *nearest(struct tensor *rest, struct tensor *table)
{
    struct scope scope;
    scope_open(&scope);
    struct tensor *own = tensor_sum(tensor_mul(rest, rest), 1, true), *norms = tensor_sum(tensor_mul(table, table), 1, false);
    struct tensor *product = tensor_linear(tensor_add(rest, rest), table, NULL); /* [n, size] */
    struct tensor *nearness = tensor_sub(tensor_sub(product, own), norms);
    struct tensor *ids = scope_keep(&scope, tensor_argmax(nearness, 1));
    scope_close(&scope);
    return ids;
}

/* All codebooks are read in one transfer: on a GPU each would wait for what was launched before. */
int encoder_codes(const struct encoder *encoder, struct tensor *latent, int64_t *codes)
{
    struct tensor *ids[CODEC_MAX_CODEBOOKS], *rest = latent;
    int64_t codebooks = encoder->config.codebooks, count = failed() ? 0 : tensor_size(latent, 0);
    struct scope scope;
    scope_open(&scope);
    for (int64_t i = 0; i < codebooks && !failed(); i++) {
        ids[i] = nearest(rest, encoder->tables[i]);
        rest = tensor_sub(rest, tensor_embedding(encoder->tables[i], ids[i]));
    }
    if (!failed())
        tensor_read(tensor_cat(ids, (int)codebooks, 0), codes, (size_t)(codebooks * count) * sizeof *codes);
    scope_close(&scope);
    return failed() ? -1 : 0;
}
