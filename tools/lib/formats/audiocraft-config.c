/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/audiocraft-config.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "formats/hub.h"
#include "formats/xp-config.h"

enum { CONFIG_MAX_BYTES = 1 << 20, WIDEST = 1 << 20 };

struct fixed {
    const char *path, *expected; /* a JSON text */
};

/* What the programs compute is this and nothing else. */
static const struct fixed language_fixed[] = {
    {"lm_model", "\"transformer_lm\""},
    {"transformer_lm.norm", "\"layer_norm\""},
    {"transformer_lm.norm_first", "true"},
    {"transformer_lm.activation", "\"gelu\""},
    {"transformer_lm.positional_embedding", "\"sin\""},
    {"transformer_lm.positional_scale", "1"},
    {"transformer_lm.max_period", "10000"},
    {"transformer_lm.causal", "true"},
    {"transformer_lm.xpos", "false"},
    {"transformer_lm.rope", "null"},
    {"transformer_lm.bias_attn", "false"},
    {"transformer_lm.bias_ff", "false"},
    {"transformer_lm.bias_proj", "false"},
    {"transformer_lm.layer_scale", "null"},
    {"transformer_lm.qk_layer_norm", "false"},
    {"transformer_lm.qk_layer_norm_cross", "false"},
    {"transformer_lm.kv_repeat", "1"},
    {"transformer_lm.past_context", "null"},
    {"codebooks_pattern.delay.flatten_first", "0"},
    {"codebooks_pattern.delay.empty_initial", "0"},
    {"fuser.cross_attention_pos_emb", "false"},
    {"fuser.sum", "[]"},
    {"fuser.input_interpolate", "[]"},
    {"interleave_stereo_codebooks.per_timestep", "false"},
    {"conditioners.description.model", "\"t5\""},
    {"conditioners.description.t5.normalize_text", "false"},
};

static const struct fixed melody_fixed[] = {
    {"conditioners.self_wav.model", "\"chroma_stem\""},
    {"conditioners.self_wav.chroma_stem.n_chroma", "12"},
    {"conditioners.self_wav.chroma_stem.radix2_exp", "14"},
    {"conditioners.self_wav.chroma_stem.argmax", "true"},
};

static const struct fixed codec_fixed[] = {
    {"compression_model", "\"encodec\""},
    {"channels", "1"},
    {"encodec.autoencoder", "\"seanet\""},
    {"encodec.quantizer", "\"rvq\""},
    {"encodec.causal", "false"},
    {"encodec.renormalize", "false"},
    {"encodec.channels", "1"},
    {"seanet.channels", "1"},
    {"seanet.causal", "false"},
    {"seanet.activation", "\"ELU\""},
    {"seanet.activation_params.alpha", "1"},
    {"seanet.norm", "\"weight_norm\""},
    {"seanet.true_skip", "true"},
    {"seanet.disable_norm_outer_blocks", "0"},
    {"seanet.encoder", "{}"},
    {"seanet.decoder.trim_right_ratio", "1"},
    {"seanet.decoder.final_activation", "null"},
    {"rvq.n_q", "4"},
};

/* Keys of transformer_lm that say how it was trained or run, and what the tables name. Others must be off. */
static const char *const language_known[] = {
    "dim", "num_heads", "num_layers", "hidden_scale", "n_q", "card", "q_modeling", "dropout", "emb_lr", "lr", "weight_decay",
    "memory_efficient", "attention_as_float32", "attention_dropout", "checkpointing", "weight_init", "depthwise_init",
    "zero_bias_init", "cross_attention", "custom", "two_step_cfg",
};

struct copied {
    const char *path, *key;
};

static const struct copied language_copied[] = {
    {"transformer_lm.dim", "hidden_size"}, {"transformer_lm.num_heads", "num_attention_heads"},
    {"transformer_lm.num_layers", "num_hidden_layers"}, {"transformer_lm.n_q", "num_codebooks"},
    {"transformer_lm.card", "vocab_size"}, {"transformer_lm.card", "pad_token_id"}, {"transformer_lm.card", "bos_token_id"},
};

static const struct copied codec_copied[] = {
    {"sample_rate", "sampling_rate"}, {"seanet.dimension", "hidden_size"}, {"seanet.n_filters", "num_filters"},
    {"seanet.n_residual_layers", "num_residual_layers"}, {"seanet.ratios", "upsampling_ratios"},
    {"seanet.kernel_size", "kernel_size"}, {"seanet.residual_kernel_size", "residual_kernel_size"},
    {"seanet.last_kernel_size", "last_kernel_size"}, {"seanet.dilation_base", "dilation_growth_rate"},
    {"seanet.compress", "compress"}, {"seanet.lstm", "num_lstm_layers"}, {"seanet.pad_mode", "pad_mode"},
    {"rvq.bins", "codebook_size"},
};

static int check_fixed(const struct xp_config *config, const struct fixed *fixed, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (xp_config_expect(config, fixed[i].path, fixed[i].expected))
            return -1;
    return 0;
}

/* Values that the numbers of the model are made of: each must be there. */
static int copy_values(const struct xp_config *config, const struct copied *copied, size_t count, json_t *section)
{
    for (size_t i = 0; i < count; i++) {
        json_t *value = xp_config_json(config, copied[i].path);
        if (!value)
            return fail("xp.cfg: %s is missing", copied[i].path);
        json_object_set_new(section, copied[i].key, value);
    }
    return 0;
}

/* language model */

static bool names_fixed(const char *key)
{
    for (size_t i = 0; i < COUNT_OF(language_fixed); i++)
        if (strcmp(path_extension(language_fixed[i].path), key) == 0 && has_prefix(language_fixed[i].path, "transformer_lm."))
            return true;
    for (size_t i = 0; i < COUNT_OF(language_known); i++)
        if (strcmp(language_known[i], key) == 0)
            return true;
    return false;
}

/* A switch that nobody here knows changes the model, unless it is off. */
static int check_unknown(const struct xp_config *config)
{
    static const char *const off[] = {"false", "False", "0", "0.0", "none", "None"};
    const struct yaml_node *section = xp_config_value(config, "transformer_lm");
    for (size_t i = 0; section && section->kind == YAML_MAP && i < section->count; i++) {
        const char *key = section->keys[i]->text;
        const struct yaml_node *value = section->items[i];
        bool known = names_fixed(key) || yaml_null(value) || (value->kind != YAML_TEXT && value->count == 0);
        for (size_t j = 0; !known && value->kind == YAML_TEXT && j < COUNT_OF(off); j++)
            known = strcmp(value->text, off[j]) == 0;
        if (!known)
            return fail("xp.cfg: transformer_lm.%.100s is set and not known; the model is of another kind", key);
    }
    return failed() ? -1 : 0;
}

/* Does a list hold just these texts? */
static bool lists(const struct xp_config *config, const char *path, const char *const *texts, size_t count)
{
    const struct yaml_node *list = xp_config_value(config, path);
    size_t found = list && list->kind == YAML_LIST ? list->count : 0;
    for (size_t i = 0; found == count && i < count; i++)
        if (list->items[i]->kind != YAML_TEXT || strcmp(list->items[i]->text, texts[i]) != 0)
            return false;
    return found == count && (!list || list->kind == YAML_LIST);
}

/* How conditions reach the model: by cross-attention, or put before the tokens (melody). */
static int read_wiring(const struct xp_config *config, json_t *result)
{
    static const char *const text[] = {"description"}, *const melody[] = {"self_wav", "description"};
    const struct yaml_node *model = xp_config_value(config, "conditioners.self_wav.model");
    if (model && model->kind == YAML_TEXT && strcmp(model->text, "style") == 0)
        return fail("musicgen-style follows an excerpt's style by a second network (MERT), which is not part of this program; take "
                    "'melody' for an excerpt's melody, or a text model");
    if (failed())
        return -1;
    if (lists(config, "fuser.cross", text, 1) && lists(config, "fuser.prepend", NULL, 0))
        return json_object_set_new(result, "model_type", json_string("musicgen"));
    if (!lists(config, "fuser.cross", NULL, 0) || !lists(config, "fuser.prepend", melody, 2))
        return fail("xp.cfg: fuser.cross and fuser.prepend wire the model in a way that is not supported; known are text by "
                    "cross-attention, and melody and text before the tokens");
    json_object_set_new(result, "model_type", json_string("musicgen_melody"));
    return check_fixed(config, melody_fixed, COUNT_OF(melody_fixed));
}

/* Old files name the pattern elsewhere and have no delays: 0, 1, 2, ... then. */
static int check_pattern(const struct xp_config *config, int64_t channels)
{
    json_t *delays = xp_config_json(config, "codebooks_pattern.delay.delays");
    bool old = !xp_config_value(config, "codebooks_pattern.modeling");
    if (xp_config_expect(config, old ? "transformer_lm.q_modeling" : "codebooks_pattern.modeling", "\"delay\"") == 0)
        for (size_t i = 0; i < json_array_size(delays) && !failed(); i++)
            if (json_integer_value(json_array_get(delays, i)) != (int64_t)i / channels)
                fail("xp.cfg: codebooks_pattern.delay.delays are not 0, 1, 2, 3 for each channel");
    json_decref(delays);
    return failed() ? -1 : 0;
}

static int read_widths(const struct xp_config *config, json_t *decoder)
{
    json_t *scale = xp_config_json(config, "transformer_lm.hidden_scale");
    int64_t width = json_integer_value(json_object_get(decoder, "hidden_size")), factor = scale ? json_integer_value(scale) : 4;
    json_decref(scale);
    if (width < 1 || width > WIDEST || factor < 1 || factor > WIDEST)
        return fail("xp.cfg: transformer_lm.dim or hidden_scale is no usable number");
    return json_object_set_new(decoder, "ffn_dim", json_integer(width * factor));
}

static int read_channels(const struct xp_config *config, json_t *decoder)
{
    json_t *use = xp_config_json(config, "interleave_stereo_codebooks.use");
    int64_t channels = json_is_true(use) ? 2 : 1;
    if (use && !json_is_boolean(use))
        fail("xp.cfg: interleave_stereo_codebooks.use is neither true nor false");
    json_decref(use);
    json_object_set_new(decoder, "audio_channels", json_integer(channels));
    return failed() ? -1 : check_pattern(config, channels);
}

static int read_generation(const struct xp_config *config, json_t *result)
{
    json_t *generation = json_object(), *guidance = xp_config_json(config, "classifier_free_guidance.inference_coef");
    json_t *seconds = xp_config_json(config, "dataset.segment_duration");
    json_object_set_new(result, "generation", generation);
    if (guidance)
        json_object_set_new(generation, "guidance_scale", guidance);
    if (seconds)
        json_object_set_new(generation, "seconds", seconds);
    return failed() ? -1 : 0;
}

static int read_language(const struct xp_config *config, json_t *result)
{
    json_t *decoder = json_object();
    json_object_set_new(result, "decoder", decoder);
    if (!config->tree.root)
        return fail("it holds no configuration 'xp.cfg'; fetch the model again");
    if (read_wiring(config, result) || check_fixed(config, language_fixed, COUNT_OF(language_fixed)) || check_unknown(config) ||
        copy_values(config, language_copied, COUNT_OF(language_copied), decoder))
        return -1;
    return read_widths(config, decoder) || read_channels(config, decoder) || read_generation(config, result) ? -1 : 0;
}

/* codec */

/* An older key for renormalize: of the same meaning, but not as a truth value. */
static int check_renormalize(const struct xp_config *config)
{
    if (xp_config_value(config, "encodec.renormalize") || failed())
        return failed() ? -1 : 0;
    return xp_config_expect(config, "encodec.renorm", "null");
}

/* The decoder's settings may override the outer ones, which nobody published does. */
static int check_overrides(const struct xp_config *config)
{
    const struct yaml_node *decoder = xp_config_value(config, "seanet.decoder");
    for (size_t i = 0; decoder && decoder->kind == YAML_MAP && i < decoder->count; i++)
        if (strcmp(decoder->keys[i]->text, "trim_right_ratio") != 0 && strcmp(decoder->keys[i]->text, "final_activation") != 0)
            return fail("xp.cfg: seanet.decoder.%.100s is not known", decoder->keys[i]->text);
    return failed() ? -1 : 0;
}

static int read_codec(const struct xp_config *config, json_t *result)
{
    json_t *codec = json_pack("{s:b, s:b, s:i}", "use_causal_conv", 0, "use_conv_shortcut", 0, "audio_channels", 1);
    json_object_set_new(result, "audio_encoder", codec);
    if (!config->tree.root)
        return fail("it holds no configuration 'xp.cfg'; fetch the model again");
    if (check_fixed(config, codec_fixed, COUNT_OF(codec_fixed)) || check_renormalize(config) || check_overrides(config))
        return -1;
    return copy_values(config, codec_copied, COUNT_OF(codec_copied), codec);
}

/* both */

/* Reads the configuration inside a weight file. */
static int read_inside(const struct source *source, int (*reader)(const struct xp_config *, json_t *), json_t *result)
{
    struct xp_config config = {0};
    char *path = path_join(source->folder, source->weights);
    if (xp_config_open(&config, path) == 0 && reader(&config, result))
        failure_within("'%s'", path);
    xp_config_close(&config);
    free(path);
    return failed() ? -1 : 0;
}

/* Takes the config.json beside weights in transformers' layout as a section. */
static int read_beside(const struct source *source, const char *section, json_t *result)
{
    char *path = path_join(source->folder, "config.json");
    json_t *config = json_read(path, CONFIG_MAX_BYTES);
    free(path);
    return config ? json_object_set_new(result, section, config) : -1;
}

static int read_source(const struct source *source, json_t *result)
{
    switch (source->naming) {
    case NAMES_AUDIOCRAFT_LANGUAGE:
        return read_inside(source, read_language, result);
    case NAMES_AUDIOCRAFT_CODEC:
        return read_inside(source, read_codec, result);
    case NAMES_ENCODEC:
        return read_beside(source, "audio_encoder", result);
    case NAMES_TEXT:
        return read_beside(source, "text_encoder", result);
    case NAMES_MODEL:
        break;
    }
    return 0;
}

json_t *audiocraft_config(const struct sources *sources)
{
    json_t *result = json_object();
    for (size_t i = 0; i < sources->count && !failed(); i++)
        read_source(&sources->items[i], result);
    if (!failed())
        return result;
    json_decref(result);
    return NULL;
}

/* A hub name that stays one folder below the places where it is looked for. */
static char *part_name(const char *bytes, size_t length, const char *what)
{
    char *name = copy_bytes(bytes, length);
    if (strlen(name) == length && (hub_is_id(name) || hub_is_plain_name(name, length)))
        return name;
    fail("%s is '%.100s', which is no name of a repository", what, name);
    free(name);
    return NULL;
}

static char *text_encoder_name(const struct xp_config *config)
{
    static const char path[] = "conditioners.description.t5.name";
    const struct yaml_node *name = config->tree.root ? xp_config_value(config, path) : NULL;
    if (!name || name->kind != YAML_TEXT) {
        fail("its configuration names no text encoder (%s)", path);
        return NULL;
    }
    return part_name(name->text, strlen(name->text), path);
}

/* Opens folder/name and takes from it what `read` finds, which may be nothing. */
static char *find_name(const char *folder, const char *name, char *(*read)(const struct xp_config *))
{
    struct xp_config config = {0};
    char *path = path_join(folder, name), *found = xp_config_open(&config, path) == 0 ? read(&config) : NULL;
    if (config.file && failed())
        failure_within("'%s'", path);
    xp_config_close(&config);
    free(path);
    return found;
}

static char *codec_name(const struct xp_config *config)
{
    size_t length;
    const char *pretrained = torch_file_text(config->file, "pretrained", &length);
    return pretrained ? part_name(pretrained, length, "'pretrained'") : NULL;
}

int audiocraft_parts(const char *folder, char **text, char **codec)
{
    *text = find_name(folder, AUDIOCRAFT_LANGUAGE_FILE, text_encoder_name);
    *codec = failed() ? NULL : find_name(folder, AUDIOCRAFT_CODEC_FILE, codec_name);
    return failed() ? -1 : 0;
}
