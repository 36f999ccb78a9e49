/* SPDX-License-Identifier: Apache-2.0
 * Deviations keep signals about as large as they come in: 1 / sqrt(inputs) for matrices and kernels. Norms are the identity.
 */
#include "tensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "nn/codec-geometry.h"

#define TEXT "text_encoder."
#define LANGUAGE "decoder.model.decoder."
#define CODEC "audio_encoder."

static const struct drawing ONES = {1, 0}, ZEROS = {0, 0}, UNIT = {0, 1}, SLIGHT = {0, 0.02F};

static struct drawing for_inputs(int64_t inputs)
{
    return (struct drawing){0, (float)(1 / sqrt((double)inputs))};
}

/* sizes [rank], behind the last one 0 */
static void add(struct tensors *tensors, struct drawing drawing, const int64_t *sizes, const char *prefix, const char *name)
{
    struct array array = {.name = format_string("%s%s", prefix, name), .type = ELEMENT_F16, .bytes = element_size(ELEMENT_F16)};
    for (; sizes[array.rank]; array.rank++) {
        array.shape[array.rank] = sizes[array.rank];
        array.bytes *= (size_t)sizes[array.rank];
    }
    tensors->arrays = grow(tensors->arrays, tensors->count, &tensors->capacity, sizeof *tensors->arrays);
    tensors->drawings = grow(tensors->drawings, tensors->count, &tensors->drawing_capacity, sizeof *tensors->drawings);
    tensors->arrays[tensors->count] = array;
    tensors->drawings[tensors->count++] = drawing;
}

#define SIZES(...) ((const int64_t[]){__VA_ARGS__, 0})

static void add_matrix(struct tensors *tensors, int64_t rows, int64_t columns, const char *prefix, const char *name)
{
    add(tensors, for_inputs(columns), SIZES(rows, columns), prefix, name);
}

static void add_norm(struct tensors *tensors, int64_t width, const char *prefix, const char *name)
{
    char *base = format_string("%s%s", prefix, name);
    add(tensors, ONES, SIZES(width), base, ".weight");
    add(tensors, ZEROS, SIZES(width), base, ".bias");
    free(base);
}

static void list_text(struct tensors *tensors, const struct text_config *text)
{
    int64_t inner = text->heads * text->head_width;
    add(tensors, UNIT, SIZES(text->vocabulary, text->width), TEXT, "shared.weight");
    add(tensors, ONES, SIZES(text->width), TEXT, "encoder.final_layer_norm.weight");
    add(tensors, SLIGHT, SIZES(text->buckets, text->heads), TEXT, "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
    for (int64_t i = 0; i < text->layers; i++) {
        char *prefix = format_string(TEXT "encoder.block.%lld.layer.", (long long)i);
        /* no division by the square root of the head's width: the queries are that much smaller */
        add(tensors, for_inputs(text->width * text->head_width), SIZES(inner, text->width), prefix, "0.SelfAttention.q.weight");
        add_matrix(tensors, inner, text->width, prefix, "0.SelfAttention.k.weight");
        add_matrix(tensors, inner, text->width, prefix, "0.SelfAttention.v.weight");
        add_matrix(tensors, text->width, inner, prefix, "0.SelfAttention.o.weight");
        add_matrix(tensors, text->feed_forward, text->width, prefix, "1.DenseReluDense.wi.weight");
        add_matrix(tensors, text->width, text->feed_forward, prefix, "1.DenseReluDense.wo.weight");
        add(tensors, ONES, SIZES(text->width), prefix, "0.layer_norm.weight");
        add(tensors, ONES, SIZES(text->width), prefix, "1.layer_norm.weight");
        free(prefix);
    }
}

/* "self_attn", or "encoder_attn", which melody models have none of. */
static void add_attention(struct tensors *tensors, int64_t d, const char *prefix, const char *kind)
{
    static const char *const matrices[] = {"q_proj", "k_proj", "v_proj", "out_proj"};
    for (size_t i = 0; i < COUNT_OF(matrices); i++) {
        char *name = format_string("%s.%s.weight", kind, matrices[i]);
        add_matrix(tensors, d, d, prefix, name);
        free(name);
    }
    char *norm = format_string("%s_layer_norm", kind);
    add_norm(tensors, d, prefix, norm);
    free(norm);
}

static void list_layer(struct tensors *tensors, const struct language_config *language, int64_t index)
{
    int64_t d = language->width;
    char *prefix = format_string(LANGUAGE "layers.%lld.", (long long)index);
    add_attention(tensors, d, prefix, "self_attn");
    if (!language->chroma_frames)
        add_attention(tensors, d, prefix, "encoder_attn");
    add_matrix(tensors, language->feed_forward, d, prefix, "fc1.weight");
    add_matrix(tensors, d, language->feed_forward, prefix, "fc2.weight");
    add_norm(tensors, d, prefix, "final_layer_norm");
    free(prefix);
}

static void add_projection(struct tensors *tensors, int64_t d, int64_t inputs, const char *prefix)
{
    add_matrix(tensors, d, inputs, prefix, "weight");
    add(tensors, SLIGHT, SIZES(d), prefix, "bias");
}

static void list_language(struct tensors *tensors, const struct model *shape)
{
    const struct language_config *language = &shape->language;
    for (int64_t i = 0; i < language->codebooks; i++) {
        char *name = format_string("%lld.weight", (long long)i);
        add(tensors, SLIGHT, SIZES(language->vocabulary + 1, language->width), LANGUAGE "embed_tokens.", name);
        add_matrix(tensors, language->vocabulary, language->width, "decoder.lm_heads.", name);
        free(name);
    }
    for (int64_t i = 0; i < language->layers; i++)
        list_layer(tensors, language, i);
    add_norm(tensors, language->width, LANGUAGE, "layer_norm");
    add_projection(tensors, language->width, shape->text.width, "enc_to_dec_proj.");
    if (language->chroma_frames)
        add_projection(tensors, language->width, CHROMA_BINS, "audio_enc_to_dec_proj.");
}

/* kernel [first, second, width]: outputs first, but inputs when transposed. g, one for each of the first, is its norm. */
static void add_convolution(struct tensors *tensors, int64_t first, int64_t second, int64_t width, int64_t outputs, const char *half,
                            int layer, const char *inside)
{
    char *prefix = format_string(CODEC "%s.layers.%d%s.conv.", half, layer, inside);
    add(tensors, ONES, SIZES(first, 1, 1), prefix, "weight_g");
    add(tensors, for_inputs(second * width), SIZES(first, second, width), prefix, "weight_v");
    add(tensors, SLIGHT, SIZES(outputs), prefix, "bias");
    free(prefix);
}

static void add_residuals(struct tensors *tensors, const struct codec_config *codec, int stage, const char *half, int layer)
{
    int64_t channels = geometry_channels(codec, stage), inside = channels / codec->compress;
    for (int i = 0; i < codec->residual_layers; i++) {
        add_convolution(tensors, inside, channels, codec->residual_kernel, inside, half, layer + i, ".block.1");
        add_convolution(tensors, channels, inside, 1, channels, half, layer + i, ".block.3");
    }
}

static void add_recurrence(struct tensors *tensors, const struct codec_config *codec, const char *half, int layer)
{
    int64_t width = geometry_channels(codec, -1);
    for (int i = 0; i < codec->lstm_layers; i++)
        for (int part = 0; part < 2; part++) {
            char *prefix = format_string(CODEC "%s.layers.%d.lstm.", half, layer);
            const char *of = part ? "hh" : "ih"; /* of the state; of the input */
            char *weight = format_string("weight_%s_l%d", of, i), *bias = format_string("bias_%s_l%d", of, i);
            add_matrix(tensors, 4 * width, width, prefix, weight);
            add(tensors, SLIGHT, SIZES(4 * width), prefix, bias);
            free(prefix);
            free(weight);
            free(bias);
        }
}

/* Activations have places in the lists of layers too. */
static void list_encoder(struct tensors *tensors, const struct codec_config *codec)
{
    int layer = 1;
    add_convolution(tensors, codec->filters, 1, codec->kernel, codec->filters, "encoder", 0, "");
    for (int stage = codec->ratio_count - 1; stage >= 0; stage--, layer += 2) {
        int64_t channels = geometry_channels(codec, stage);
        add_residuals(tensors, codec, stage, "encoder", layer);
        layer += (int)codec->residual_layers;
        add_convolution(tensors, 2 * channels, channels, 2 * codec->ratios[stage], 2 * channels, "encoder", layer + 1, "");
    }
    add_recurrence(tensors, codec, "encoder", layer);
    add_convolution(tensors, codec->dimension, geometry_channels(codec, -1), codec->last_kernel, codec->dimension, "encoder", layer + 2, "");
}

static void list_decoder(struct tensors *tensors, const struct codec_config *codec)
{
    int64_t widest = geometry_channels(codec, -1);
    int layer = 2;
    add_convolution(tensors, widest, codec->dimension, codec->kernel, widest, "decoder", 0, "");
    add_recurrence(tensors, codec, "decoder", 1);
    for (int stage = 0; stage < codec->ratio_count; stage++, layer += 2 + (int)codec->residual_layers) {
        int64_t channels = geometry_channels(codec, stage);
        add_convolution(tensors, 2 * channels, channels, 2 * codec->ratios[stage], channels, "decoder", layer + 1, "");
        add_residuals(tensors, codec, stage, "decoder", layer + 2);
    }
    add_convolution(tensors, 1, codec->filters, codec->last_kernel, 1, "decoder", layer + 1, "");
}

static void list_codebooks(struct tensors *tensors, const struct codec_config *codec)
{
    for (int64_t i = 0; i < codec->codebooks; i++) {
        char *name = format_string("quantizer.layers.%lld.codebook.embed", (long long)i);
        add(tensors, UNIT, SIZES(codec->codebook_size, codec->dimension), CODEC, name);
        free(name);
    }
}

void tensors_list(struct tensors *tensors, const struct model *shape)
{
    list_text(tensors, &shape->text);
    list_language(tensors, shape);
    list_encoder(tensors, &shape->codec);
    list_decoder(tensors, &shape->codec);
    list_codebooks(tensors, &shape->codec);
}

void tensors_release(struct tensors *tensors)
{
    for (size_t i = 0; i < tensors->count; i++)
        free((char *)(uintptr_t)tensors->arrays[i].name);
    free(tensors->arrays);
    free(tensors->drawings);
    *tensors = (struct tensors){0};
}
