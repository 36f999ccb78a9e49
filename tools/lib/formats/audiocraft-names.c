/* SPDX-License-Identifier: Apache-2.0
 * A name is a beginning and an ending of the tables below; between them may stand the number of a layer.
 */
#include "formats/audiocraft-names.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

struct rule {
    const char *from, *to; /* beginnings; to NULL: means nothing to inference */
};

static const struct rule language_rules[] = {
    {"emb.", "decoder.model.decoder.embed_tokens."},
    {"linears.", "decoder.lm_heads."},
    {"out_norm.", "decoder.model.decoder.layer_norm."},
    {"condition_provider.conditioners.description.output_proj.", "enc_to_dec_proj."},
    {"condition_provider.conditioners.self_wav.output_proj.", "audio_enc_to_dec_proj."},
    {"condition_provider.conditioners.self_wav.chroma.spec.window", NULL},
};

static const struct rule layer_rules[] = {
    {"self_attn.out_proj.", "self_attn.out_proj."},
    {"norm1.", "self_attn_layer_norm."},
    {"cross_attention.out_proj.", "encoder_attn.out_proj."},
    {"norm_cross.", "encoder_attn_layer_norm."},
    {"linear1.", "fc1."},
    {"linear2.", "fc2."},
    {"norm2.", "final_layer_norm."},
};

static const struct rule packed_rules[] = {
    {"self_attn.in_proj_weight", "self_attn."},
    {"cross_attention.in_proj_weight", "encoder_attn."},
};

static const struct rule text_rules[] = {
    {"shared.", "text_encoder.shared."},
    {"encoder.", "text_encoder.encoder."},
    {"decoder.", NULL}, /* the other half of a T5 */
    {"lm_head.", NULL},
};

/* The rule whose beginning the name has; NULL without one. */
static const struct rule *find_rule(const struct rule *rules, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (has_prefix(name, rules[i].from))
            return &rules[i];
    return NULL;
}

static int replace_beginning(const struct rule *rule, const char *name, const char *prefix, char *names[])
{
    if (!rule)
        return -1;
    if (!rule->to)
        return 0;
    names[0] = format_string("%s%s%s", prefix, rule->to, name + strlen(rule->from));
    return 1;
}

static int name_packed(const struct rule *rule, const char *prefix, char *names[NAMES_PER_TENSOR])
{
    for (int i = 0; i < NAMES_PER_TENSOR; i++)
        names[i] = format_string("%s%s%c_proj.weight", prefix, rule->to, "qkv"[i]);
    return NAMES_PER_TENSOR;
}

/* After "NAME.": the end of a number and the dot behind it; NULL when there is none. */
static const char *behind_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits && text[digits] == '.' ? text + digits + 1 : NULL;
}

static int name_language(const char *name, char *names[])
{
    static const char layers[] = "transformer.layers.";
    const char *number = has_prefix(name, layers) ? name + strlen(layers) : NULL, *rest = number ? behind_number(number) : NULL;
    if (!rest)
        return replace_beginning(find_rule(language_rules, COUNT_OF(language_rules), name), name, "", names);
    char *prefix = format_string("decoder.model.decoder.layers.%.*s", (int)(rest - number), number);
    const struct rule *packed = find_rule(packed_rules, COUNT_OF(packed_rules), rest);
    int count = packed && strcmp(packed->from, rest) == 0
                    ? name_packed(packed, prefix, names)
                    : replace_beginning(find_rule(layer_rules, COUNT_OF(layer_rules), rest), rest, prefix, names);
    free(prefix);
    return count;
}

/* "3.convtr.convtr.bias" -> "3.conv.bias", "4.block.1.conv.conv.bias" -> "4.block.1.conv.bias", "1.lstm.x" stays. */
static char *without_double(const char *name)
{
    static const char *const doubled[] = {"conv.conv.", "convtr.convtr."};
    for (size_t i = 0; i < COUNT_OF(doubled); i++) {
        const char *found = strstr(name, doubled[i]);
        if (found)
            return format_string("%.*sconv.%s", (int)(found - name), name, found + strlen(doubled[i]));
    }
    return copy_string(name);
}

static int name_codec(const char *name, char *names[])
{
    static const struct rule rules[] = {{"encoder.model.", "encoder.layers."}, {"decoder.model.", "decoder.layers."}};
    static const char quantizer[] = "quantizer.vq.layers.", codebook[] = "_codebook.";
    const struct rule *rule = find_rule(rules, COUNT_OF(rules), name);
    const char *number = has_prefix(name, quantizer) ? name + strlen(quantizer) : rule ? name + strlen(rule->from) : NULL;
    const char *rest = number ? behind_number(number) : NULL;
    if (!rest || (!rule && !has_prefix(rest, codebook)))
        return -1;
    if (rule) {
        char *simple = without_double(number);
        names[0] = format_string("audio_encoder.%s%s", rule->to, simple);
        free(simple);
    } else {
        names[0] = format_string("audio_encoder.quantizer.layers.%.*scodebook.%s", (int)(rest - number), number,
                                 rest + strlen(codebook));
    }
    return 1;
}

static int name_of(enum naming naming, const char *name, char *names[])
{
    switch (naming) {
    case NAMES_MODEL:
        names[0] = copy_string(name);
        return 1;
    case NAMES_ENCODEC:
        names[0] = format_string("audio_encoder.%s", name);
        return 1;
    case NAMES_TEXT:
        return replace_beginning(find_rule(text_rules, COUNT_OF(text_rules), name), name, "", names);
    case NAMES_AUDIOCRAFT_LANGUAGE:
        return name_language(name, names);
    case NAMES_AUDIOCRAFT_CODEC:
        return name_codec(name, names);
    }
    return -1;
}

int audiocraft_names(enum naming naming, const char *name, char *names[NAMES_PER_TENSOR])
{
    int count = name_of(naming, name, names);
    return count >= 0 ? count : fail("tensor '%.200s' is not known; the model is of another kind", name);
}
