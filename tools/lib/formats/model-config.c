/* SPDX-License-Identifier: Apache-2.0
 * config.json and generation_config.json, or what audiocraft's files say in their terms. Every value is checked for type and range before anything is computed from
 * it; ranges are generous for models and small enough that no product of them overflows. A key that is absent or null
 * has transformers' default, because configurations may be saved without defaults.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "formats/audiocraft-config.h"
#include "formats/model-parts.h"

#define TEXT "text_encoder"
#define LANGUAGE "decoder"
#define CODEC "audio_encoder"

enum {
    CONFIG_MAX_BYTES = 1 << 20,
    HEAD_WIDTH = 64,
    LEVELS = 4, /* codebooks per channel, delayed by 0 to 3 frames */
    FRAME_RATE_MAX_HZ = 1000,
    BOTTLENECK_MAX = 1 << 14,
    RATIO_MAX = 64,
    WINDOW_MAX_FRAMES = 1 << 16,
    DEFAULT_WINDOW_SECONDS = 30,
    AUDIOGEN_RATE_HZ = 16000,
    AUDIOGEN_WINDOW_SECONDS = 10,
};

struct number {
    const char *section, *key; /* section NULL: top level */
    int64_t least, most, fallback;
    size_t offset; /* of an int64_t in struct model */
};

#define FIELD(name) offsetof(struct model, name)

static const struct number numbers[] = {
    {TEXT, "d_model", 1, 16384, 512, FIELD(text.width)},
    {TEXT, "num_layers", 1, 512, 6, FIELD(text.layers)},
    {TEXT, "num_heads", 1, 256, 8, FIELD(text.heads)},
    {TEXT, "d_kv", 1, 1024, 64, FIELD(text.head_width)},
    {TEXT, "d_ff", 1, 131072, 2048, FIELD(text.feed_forward)},
    {TEXT, "vocab_size", 3, 1 << 20, 32128, FIELD(text.vocabulary)},
    {TEXT, "relative_attention_num_buckets", 4, 1024, 32, FIELD(text.buckets)},
    {TEXT, "relative_attention_max_distance", 2, 1 << 20, 128, FIELD(text.max_distance)},
    {LANGUAGE, "hidden_size", HEAD_WIDTH, 16384, 1024, FIELD(language.width)},
    {LANGUAGE, "num_hidden_layers", 1, 512, 24, FIELD(language.layers)},
    {LANGUAGE, "num_attention_heads", 1, 256, 16, FIELD(language.heads)},
    {LANGUAGE, "ffn_dim", 1, 131072, 4096, FIELD(language.feed_forward)},
    {LANGUAGE, "num_codebooks", 1, 64, 4, FIELD(language.codebooks)},
    {LANGUAGE, "vocab_size", 2, 65536, 2048, FIELD(language.vocabulary)},
    {LANGUAGE, "audio_channels", 1, 2, 1, FIELD(language.channels)},
    {CODEC, "sampling_rate", 1000, 384000, 24000, FIELD(codec.rate_hz)},
    {CODEC, "hidden_size", 1, 4096, 128, FIELD(codec.dimension)},
    {CODEC, "num_filters", 1, 4096, 32, FIELD(codec.filters)},
    {CODEC, "codebook_size", 2, 65536, 1024, FIELD(codec.codebook_size)},
    {CODEC, "kernel_size", 1, 63, 7, FIELD(codec.kernel)},
    {CODEC, "last_kernel_size", 1, 63, 7, FIELD(codec.last_kernel)},
    {CODEC, "residual_kernel_size", 1, 63, 3, FIELD(codec.residual_kernel)},
    {CODEC, "num_residual_layers", 1, 4, 1, FIELD(codec.residual_layers)},
    {CODEC, "dilation_growth_rate", 1, 8, 2, FIELD(codec.dilation_growth)},
    {CODEC, "compress", 1, 64, 2, FIELD(codec.compress)},
    {CODEC, "num_lstm_layers", 1, 8, 2, FIELD(codec.lstm_layers)},
};

/* Of melody models only. */
static const struct number chroma_length = {NULL, "chroma_length", 1, 65536, 235, FIELD(language.chroma_frames)};

/* What the programs compute is this and nothing else; the values are JSON texts. */
static const struct {
    const char *section, *key, *expected, *fallback;
} fixed[] = {
    {TEXT, "model_type", "\"t5\"", "\"t5\""},
    {TEXT, "feed_forward_proj", "\"relu\"", "\"relu\""},
    {TEXT, "is_gated_act", "false", "false"},
    {LANGUAGE, "activation_function", "\"gelu\"", "\"gelu\""},
    {LANGUAGE, "scale_embedding", "false", "false"},
    {LANGUAGE, "cross_attention_hidden_size", "null", "null"},
    {CODEC, "model_type", "\"encodec\"", "\"encodec\""},
    {CODEC, "audio_channels", "1", "1"},
    {CODEC, "norm_type", "\"weight_norm\"", "\"weight_norm\""},
    {CODEC, "use_causal_conv", "false", "true"},
    {CODEC, "use_conv_shortcut", "false", "true"},
    {CODEC, "normalize", "false", "false"},
    {CODEC, "chunk_length_s", "null", "null"},
    {NULL, "num_chroma", "12", "12"},
};

/* section.key, NULL when absent or null. */
static const json_t *member(const json_t *config, const char *section, const char *key)
{
    const json_t *value = json_object_get(section ? json_object_get(config, section) : config, key);
    return json_is_null(value) ? NULL : value;
}

/* "section.", for texts. */
static const char *before_key(const char *section)
{
    static _Thread_local char text[64];
    snprintf(text, sizeof text, "%s.", section ? section : "");
    return section ? text : "";
}

static int read_number(const json_t *config, const struct number *number, struct model *model)
{
    const json_t *value = member(config, number->section, number->key);
    int64_t read = value ? json_integer_value(value) : number->fallback;
    if (value && !json_is_integer(value))
        return fail("%s%s is not a whole number", before_key(number->section), number->key);
    if (read < number->least || read > number->most)
        return fail("%s%s is %lld, expected %lld to %lld", before_key(number->section), number->key, (long long)read,
                    (long long)number->least, (long long)number->most);
    memcpy((char *)model + number->offset, &read, sizeof read);
    return 0;
}

static int check_fixed(const json_t *config, const char *section, const char *key, const char *expected, const char *fallback)
{
    const json_t *value = member(config, section, key);
    char *text = value ? json_canonical(value) : copy_string(fallback);
    int result = 0;
    if (strcmp(text, expected) != 0)
        result = fail("%s%s is %.60s, and only %s is supported", before_key(section), key, text, expected);
    free(text);
    return result;
}

static int read_tables(const json_t *config, struct model *model)
{
    static const char *const sections[] = {TEXT, LANGUAGE, CODEC};
    for (size_t i = 0; i < COUNT_OF(sections); i++)
        if (!json_is_object(json_object_get(config, sections[i])))
            return fail("%s is missing or no object", sections[i]);
    for (size_t i = 0; i < COUNT_OF(fixed); i++)
        if (check_fixed(config, fixed[i].section, fixed[i].key, fixed[i].expected, fixed[i].fallback))
            return -1;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (read_number(config, &numbers[i], model))
            return -1;
    return 0;
}

static int read_kind(const json_t *config, struct model *model)
{
    const char *type = json_string_value(json_object_get(config, "model_type"));
    if (!type || (strcmp(type, "musicgen") != 0 && strcmp(type, "musicgen_melody") != 0))
        return fail("model_type is '%.60s', expected 'musicgen' or 'musicgen_melody'", type ? type : "");
    if (strcmp(type, "musicgen_melody") == 0) {
        model->kind = MODEL_MELODY;
        return read_number(config, &chroma_length, model);
    }
    if (model->language.channels == 2)
        model->kind = MODEL_STEREO;
    else if (model->codec.rate_hz == AUDIOGEN_RATE_HZ)
        model->kind = MODEL_AUDIOGEN;
    return 0;
}

static int read_text(const json_t *config, struct text_config *text)
{
    const json_t *epsilon = member(config, TEXT, "layer_norm_epsilon");
    text->epsilon = epsilon ? json_number_value(epsilon) : 1e-6;
    if (!(text->epsilon > 0 && text->epsilon <= 0.01))
        return fail(TEXT ".layer_norm_epsilon is no number above 0 and up to 0.01");
    if (text->buckets % 4) /* halves for both directions, halves of those for exact distances */
        return fail(TEXT ".relative_attention_num_buckets is %lld, not a multiple of 4", (long long)text->buckets);
    if (text->max_distance <= text->buckets / 4)
        return fail(TEXT ".relative_attention_max_distance is %lld, not above a quarter of the %lld buckets",
                    (long long)text->max_distance, (long long)text->buckets);
    return 0;
}

static int check_special(const json_t *config, const char *key, int64_t vocabulary)
{
    const json_t *value = member(config, LANGUAGE, key);
    if (value ? json_integer_value(value) != vocabulary || !json_is_integer(value) : vocabulary != 2048)
        return fail(LANGUAGE ".%s is not the vocabulary's size %lld", key, (long long)vocabulary);
    return 0;
}

static int check_language(const json_t *config, const struct model *model)
{
    const struct language_config *language = &model->language;
    if (language->width != language->heads * HEAD_WIDTH)
        return fail(LANGUAGE ".hidden_size is %lld with %lld heads, expected %d for each", (long long)language->width,
                    (long long)language->heads, HEAD_WIDTH);
    if (language->codebooks != LEVELS * language->channels)
        return fail(LANGUAGE ".num_codebooks is %lld, expected %d for each of %lld channels", (long long)language->codebooks,
                    LEVELS, (long long)language->channels);
    if (language->vocabulary != model->codec.codebook_size)
        return fail(LANGUAGE ".vocab_size is %lld, but " CODEC ".codebook_size %lld", (long long)language->vocabulary,
                    (long long)model->codec.codebook_size);
    return check_special(config, "pad_token_id", language->vocabulary) ||
           check_special(config, "bos_token_id", language->vocabulary) ? -1 : 0;
}

static int read_ratios(const json_t *config, struct codec_config *codec)
{
    static const int64_t usual[] = {8, 5, 4, 2};
    const json_t *ratios = member(config, CODEC, "upsampling_ratios");
    size_t count = ratios ? json_array_size(ratios) : COUNT_OF(usual);
    if (count < 1 || count > CODEC_MAX_RATIOS)
        return fail(CODEC ".upsampling_ratios is no array of 1 to %d whole numbers", CODEC_MAX_RATIOS);
    codec->hop = 1;
    for (size_t i = 0; i < count; i++) {
        int64_t ratio = ratios ? json_integer_value(json_array_get(ratios, i)) : usual[i];
        if (ratio < 1 || ratio > RATIO_MAX)
            return fail(CODEC ".upsampling_ratios: number %zu is not within 1 to %d", i + 1, RATIO_MAX);
        codec->ratios[codec->ratio_count++] = ratio;
        codec->hop *= ratio;
    }
    return 0;
}

static int read_codec(const json_t *config, struct codec_config *codec)
{
    const json_t *pad = member(config, CODEC, "pad_mode"), *width = member(config, CODEC, "codebook_dim");
    const char *mode = pad ? json_string_value(pad) : "reflect";
    codec->pad_reflect = mode && strcmp(mode, "reflect") == 0;
    if (!mode || (!codec->pad_reflect && strcmp(mode, "constant") != 0))
        return fail(CODEC ".pad_mode is '%.60s', expected 'reflect' or 'constant'", mode ? mode : "");
    if (width && (!json_is_integer(width) || json_integer_value(width) != codec->dimension))
        return fail(CODEC ".codebook_dim is not its hidden_size %lld", (long long)codec->dimension);
    if (read_ratios(config, codec))
        return -1;
    if (codec->filters << codec->ratio_count > BOTTLENECK_MAX)
        return fail(CODEC ".num_filters is %lld, too many for %d ratios", (long long)codec->filters, codec->ratio_count);
    if (codec->filters % codec->compress)
        return fail(CODEC ".num_filters is %lld, not a multiple of compress %lld", (long long)codec->filters,
                    (long long)codec->compress);
    if (codec->rate_hz % codec->hop || codec->rate_hz / codec->hop > FRAME_RATE_MAX_HZ)
        return fail(CODEC ".sampling_rate is %lld, no whole number of frames of %lld samples a second (at most %d)",
                    (long long)codec->rate_hz, (long long)codec->hop, FRAME_RATE_MAX_HZ);
    return 0;
}

/* The codec's own count is not stored; it holds one codebook for each that a channel of the language model has. */
static void derive(struct model *model)
{
    model->codec.codebooks = model->language.codebooks / model->language.channels;
    model->frame_rate_hz = model->codec.rate_hz / model->codec.hop;
}

static int read_config(const json_t *config, struct model *model)
{
    if (!json_is_object(config))
        return fail("no JSON object");
    if (read_tables(config, model) || read_kind(config, model) || read_text(config, &model->text) ||
        read_codec(config, &model->codec) || check_language(config, model))
        return -1;
    derive(model);
    return 0;
}

/* max_length counts frames and the delay's columns: 1500 and 1503 both mean 30 s at 50 frames a second. audiocraft says
 * seconds. */
static int read_window(const json_t *config, struct model *model)
{
    const json_t *length = json_object_get(config, "max_length"), *seconds = json_object_get(config, "seconds");
    int64_t rate = model->frame_rate_hz, frames = DEFAULT_WINDOW_SECONDS * rate;
    if (length && !json_is_null(length)) {
        frames = json_integer_value(length);
        if (!json_is_integer(length) || frames < rate || frames > WINDOW_MAX_FRAMES)
            return fail("max_length is no whole number of frames from one second, %lld, to %d", (long long)rate,
                        WINDOW_MAX_FRAMES);
    }
    if (seconds) {
        double value = json_number_value(seconds);
        if (!(value >= 1 && value * (double)rate <= WINDOW_MAX_FRAMES))
            return fail("segment_duration is no number of seconds from 1 to %d", WINDOW_MAX_FRAMES / (int)rate);
        frames = (int64_t)value * rate;
    }
    bool audiogen = model->kind == MODEL_AUDIOGEN;
    if (audiogen && frames > AUDIOGEN_WINDOW_SECONDS * rate) /* it was trained on no longer ones */
        frames = AUDIOGEN_WINDOW_SECONDS * rate;
    model->window_frames = frames / rate * rate;
    model->stride_frames = model->window_frames * (audiogen ? 1 : 3) / 5;
    return 0;
}

static int read_generation(const json_t *config, struct model *model)
{
    const json_t *guidance = json_object_get(config, "guidance_scale");
    if (read_window(config, model))
        return -1;
    model->guidance = guidance && !json_is_null(guidance) ? json_number_value(guidance) : 3.0;
    if ((guidance && !json_is_null(guidance) && !json_is_number(guidance)) || model->guidance < 0 || model->guidance > 100)
        return fail("guidance_scale is no number from 0 to 100");
    return 0;
}

/* Reads folder/name and hands it over. A file that may be absent is read as an empty object then. */
static int read_file(struct model *model, const char *name, bool required, int (*reader)(const json_t *, struct model *))
{
    char *path = path_join(model->folder, name);
    json_t *config = required || file_exists(path) ? json_read(path, CONFIG_MAX_BYTES) : json_object();
    int result = config ? 0 : -1;
    if (config && reader(config, model))
        result = failure_within("'%s'", path);
    json_decref(config);
    free(path);
    return result;
}

/* audiocraft's values have other names in its files; a failure says which file's they are, in transformers' names. */
static int configure_audiocraft(struct model *model)
{
    json_t *config = audiocraft_config(&model->sources);
    int result = config ? 0 : -1;
    if (config && (read_config(config, model) || read_generation(json_object_get(config, "generation"), model)))
        result = failure_within("'%s': its configuration, in the terms of a config.json", model->folder);
    json_decref(config);
    return result;
}

int model_configure(struct model *model)
{
    if (model->sources.audiocraft)
        return configure_audiocraft(model);
    if (read_file(model, "config.json", true, read_config))
        return -1;
    return read_file(model, "generation_config.json", false, read_generation);
}
