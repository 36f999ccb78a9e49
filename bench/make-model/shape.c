/* SPDX-License-Identifier: Apache-2.0 */
#include "shape.h"

#include <string.h>

#include "base/memory.h"

#define T5_BASE {.width = 768, .layers = 12, .heads = 12, .head_width = 64, .feed_forward = 3072, .vocabulary = 32128, \
                 .buckets = 32, .max_distance = 128, .epsilon = 1e-6}
#define T5_LARGE {.width = 1024, .layers = 24, .heads = 16, .head_width = 64, .feed_forward = 4096, .vocabulary = 32128, \
                  .buckets = 32, .max_distance = 128, .epsilon = 1e-6}
#define T5_TINY {.width = 64, .layers = 2, .heads = 1, .head_width = 64, .feed_forward = 128, .vocabulary = 768, \
                 .buckets = 32, .max_distance = 128, .epsilon = 1e-6}
#define DECODER_OF(d, depth, channel_count, chroma) {.width = d, .layers = depth, .heads = d / 64, .feed_forward = 4 * d, \
                                                     .codebooks = 4 * channel_count, .vocabulary = 2048, .channels = channel_count, \
                                                     .chroma_frames = chroma}
#define DECODER(d, depth) DECODER_OF(d, depth, 1, 0)
#define ENCODEC(rate, narrowest, last) {.rate_hz = rate, .dimension = 128, .filters = narrowest, .codebooks = 4, \
                                        .codebook_size = 2048, .ratios = {8, 5, 4, last}, .ratio_count = 4, .kernel = 7, \
                                        .last_kernel = 7, .residual_kernel = 3, .residual_layers = 1, .dilation_growth = 2, \
                                        .compress = 2, .lstm_layers = 2, .pad_reflect = true}

#define MUSICGEN(decoder) {.text = T5_BASE, .language = decoder, .codec = ENCODEC(32000, 64, 4), .window_frames = 1500}

enum { CHROMA_FRAMES = 235 };

static const struct {
    const char *name;
    struct model model;
} shapes[] = {
    {"tiny", {.text = T5_TINY, .language = DECODER(64, 2), .codec = ENCODEC(32000, 4, 4), .window_frames = 1500}},
    {"small", MUSICGEN(DECODER(1024, 24))},
    {"medium", MUSICGEN(DECODER(1536, 48))},
    {"large", MUSICGEN(DECODER(2048, 48))},
    {"melody", MUSICGEN(DECODER_OF(1536, 48, 1, CHROMA_FRAMES))},
    {"melody-large", MUSICGEN(DECODER_OF(2048, 48, 1, CHROMA_FRAMES))},
    {"stereo-small", MUSICGEN(DECODER_OF(1024, 24, 2, 0))},
    {"stereo-medium", MUSICGEN(DECODER_OF(1536, 48, 2, 0))},
    {"stereo-large", MUSICGEN(DECODER_OF(2048, 48, 2, 0))},
    {"stereo-melody", MUSICGEN(DECODER_OF(1536, 48, 2, CHROMA_FRAMES))},
    {"stereo-melody-large", MUSICGEN(DECODER_OF(2048, 48, 2, CHROMA_FRAMES))},
    {"audiogen", {.text = T5_LARGE, .language = DECODER(1536, 48), .codec = ENCODEC(16000, 64, 2), .window_frames = 500}},
};

const char *const SHAPE_NAMES[] = {"tiny", "small", "medium", "large", "melody", "melody-large", "stereo-small", "stereo-medium",
                                   "stereo-large", "stereo-melody", "stereo-melody-large", "audiogen", NULL};

struct model shape_named(const char *name)
{
    size_t i = 0;
    while (i + 1 < COUNT_OF(shapes) && strcmp(shapes[i].name, name) != 0)
        i++;
    return shapes[i].model;
}

static json_t *text_config(const struct text_config *text)
{
    return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "model_type", "t5", "feed_forward_proj", "relu",
                     "is_gated_act", 0, "d_model", (json_int_t)text->width, "num_layers", (json_int_t)text->layers, "num_heads",
                     (json_int_t)text->heads, "d_kv", (json_int_t)text->head_width, "d_ff", (json_int_t)text->feed_forward,
                     "vocab_size", (json_int_t)text->vocabulary, "relative_attention_num_buckets", (json_int_t)text->buckets,
                     "relative_attention_max_distance", (json_int_t)text->max_distance, "layer_norm_epsilon", text->epsilon);
}

static json_t *language_config(const struct language_config *language)
{
    return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "model_type", language->chroma_frames ? "musicgen_melody_decoder" : "musicgen_decoder",
                     "activation_function", "gelu", "scale_embedding", 0, "hidden_size", (json_int_t)language->width,
                     "num_hidden_layers", (json_int_t)language->layers, "num_attention_heads", (json_int_t)language->heads, "ffn_dim",
                     (json_int_t)language->feed_forward, "num_codebooks", (json_int_t)language->codebooks, "vocab_size",
                     (json_int_t)language->vocabulary, "pad_token_id", (json_int_t)language->vocabulary, "bos_token_id",
                     (json_int_t)language->vocabulary, "audio_channels", (json_int_t)language->channels);
}

static json_t *codec_config(const struct codec_config *codec)
{
    json_t *ratios = json_array();
    for (int i = 0; i < codec->ratio_count; i++)
        json_array_append_new(ratios, json_integer(codec->ratios[i]));
    json_t *fixed = json_pack("{s:s, s:i, s:s, s:s, s:b, s:b, s:b, s:o}", "model_type", "encodec", "audio_channels", 1, "norm_type",
                              "weight_norm", "pad_mode", codec->pad_reflect ? "reflect" : "constant", "use_causal_conv", 0,
                              "use_conv_shortcut", 0, "normalize", 0, "upsampling_ratios", ratios);
    json_t *sizes = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "sampling_rate", (json_int_t)codec->rate_hz,
                              "hidden_size", (json_int_t)codec->dimension, "num_filters", (json_int_t)codec->filters, "codebook_size",
                              (json_int_t)codec->codebook_size, "kernel_size", (json_int_t)codec->kernel, "last_kernel_size",
                              (json_int_t)codec->last_kernel, "residual_kernel_size", (json_int_t)codec->residual_kernel,
                              "num_residual_layers", (json_int_t)codec->residual_layers, "dilation_growth_rate",
                              (json_int_t)codec->dilation_growth, "compress", (json_int_t)codec->compress, "num_lstm_layers",
                              (json_int_t)codec->lstm_layers);
    json_object_update_missing(sizes, fixed);
    json_decref(fixed);
    return sizes;
}

json_t *shape_config(const struct model *shape)
{
    bool melody = shape->language.chroma_frames > 0;
    json_t *config = json_pack("{s:s, s:o, s:o, s:o}", "model_type", melody ? "musicgen_melody" : "musicgen", "text_encoder",
                               text_config(&shape->text), "decoder", language_config(&shape->language), "audio_encoder",
                               codec_config(&shape->codec));
    if (melody)
        json_object_update_new(config, json_pack("{s:i, s:I}", "num_chroma", CHROMA_BINS, "chroma_length",
                                                 (json_int_t)shape->language.chroma_frames));
    return config;
}

json_t *shape_generation(const struct model *shape)
{
    return json_pack("{s:f, s:I}", "guidance_scale", 3.0, "max_length", (json_int_t)shape->window_frames);
}
