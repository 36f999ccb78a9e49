/* SPDX-License-Identifier: Apache-2.0 */
#include "sample-tokens/language-model.h"

#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/text.h"

#define DECODER "decoder.model.decoder."

enum { MOST_PARTS = 16 };

/* One walk over the weights serves the plan and the loading: without `weights` it only counts. */
struct loader {
    struct checkpoint *checkpoint;
    struct weights *weights; /* NULL: count only */
    struct memory_plan *plan; /* NULL: load only */
    enum element_type type;
};

struct parts {
    const struct array *items[MOST_PARTS];
    int count;
};

static void count_bytes(const struct loader *loader, const char *group, int64_t elements, enum element_type type)
{
    if (loader->plan)
        memory_plan_add(loader->plan, group, elements * (int64_t)element_size(type));
}

/* Is this float32 a float16 too? Normal: 10 bits of fraction, exponent -14 to 15. Subnormal: a multiple of 2^-24. */
static bool float_fits_half(uint32_t bits)
{
    int exponent = (int)(bits >> 23 & 0xff) - 127;
    uint32_t fraction = bits & 0x7fffff;
    if (exponent >= -14)
        return exponent <= 15 && (fraction & 0x1fff) == 0;
    if (exponent < -24)
        return (bits & 0x7fffffff) == 0;
    return (fraction & ((1u << (-1 - exponent)) - 1)) == 0;
}

static bool array_fits_half(const struct array *array)
{
    const unsigned char *at = array->data;
    size_t size = element_size(array->type);
    if (array->type == ELEMENT_F16)
        return true;
    for (size_t i = 0; i < array->bytes; i += size) {
        uint32_t bits = 0;
        if (array->type == ELEMENT_BF16)
            bits = (uint32_t)at[i] << 16 | (uint32_t)at[i + 1] << 24;
        else
            memcpy(&bits, at + i, sizeof bits);
        if (!float_fits_half(bits))
            return false;
    }
    return true;
}

static enum tensor_type tensor_type_for(enum element_type type)
{
    return type == ELEMENT_F16 ? TENSOR_F16 : type == ELEMENT_BF16 ? TENSOR_BF16 : TENSOR_F32;
}

/* The array on the CPU without a copy where its place in the file is aligned. */
static struct tensor *tensor_of(const struct array *array)
{
    const struct device cpu = {DEVICE_CPU, 0};
    enum tensor_type type = tensor_type_for(array->type);
    if ((uintptr_t)array->data % element_size(array->type) == 0)
        return tensor_wrap((void *)(uintptr_t)array->data, type, array->rank, array->shape);
    return tensor_from(cpu, type, array->rank, array->shape, array->data);
}

/* Matrices of one shape, stacked by rows: [count rows, columns]. */
static struct tensor *stack(const struct loader *loader, const struct parts *parts, enum element_type type)
{
    struct scope scope;
    int64_t rows = parts->items[0]->shape[0], columns = parts->items[0]->shape[1];
    scope_open(&scope);
    struct tensor *whole = tensor_new(loader->weights->device, tensor_type_for(type), SHAPE(parts->count * rows, columns));
    for (int i = 0; i < parts->count; i++)
        tensor_copy(tensor_narrow(whole, 0, i * rows, rows), tensor_of(parts->items[i]));
    whole = failed() ? NULL : weights_keep(loader->weights, whole);
    scope_close(&scope);
    return whole;
}

/* The parts as one tensor; NULL when it only counts. */
static struct tensor *take_stack(const struct loader *loader, const char *group, const struct parts *parts)
{
    enum element_type type = loader->type;
    if (failed())
        return NULL;
    for (int i = 0; type == ELEMENT_F16 && i < parts->count; i++)
        if (!array_fits_half(parts->items[i]))
            type = ELEMENT_F32;
    count_bytes(loader, group, parts->count * array_elements(parts->items[0]), type);
    return loader->weights ? stack(loader, parts, type) : NULL;
}

static struct tensor *take_vector(const struct loader *loader, const char *group, int64_t size, const char *prefix, const char *name)
{
    count_bytes(loader, group, size, ELEMENT_F32);
    if (loader->weights)
        return weights_take(loader->weights, TENSOR_F32, SHAPE(size), "%s%s", prefix, name);
    checkpoint_take(loader->checkpoint, SHAPE(size), "%s%s", prefix, name);
    return NULL;
}

static struct norm take_norm(const struct loader *loader, int64_t size, const char *prefix, const char *name)
{
    struct norm norm;
    char *base = format_string("%s%s", prefix, name);
    norm.weight = take_vector(loader, "norms", size, base, ".weight");
    norm.bias = take_vector(loader, "norms", size, base, ".bias");
    free(base);
    return norm;
}

/* "PREFIX" "NAME.weight" for each of names, which end with NULL. */
static struct tensor *take_matrices(const struct loader *loader, const char *group, int64_t rows, int64_t columns,
                                    const char *prefix, const char *const *names)
{
    struct parts parts = {0};
    for (int i = 0; names[i]; i++)
        parts.items[parts.count++] = checkpoint_take(loader->checkpoint, SHAPE(rows, columns), "%s%s.weight", prefix, names[i]);
    return take_stack(loader, group, &parts);
}

/* One matrix a codebook: "PREFIX" "0.weight" and so on. */
static struct tensor *take_codebooks(const struct loader *loader, const char *group, int64_t codebooks, int64_t rows,
                                     int64_t columns, const char *prefix)
{
    struct parts parts = {0};
    if (codebooks > MOST_PARTS)
        fail("'%s': %lld codebooks, more than the %d that are possible", checkpoint_folder(loader->checkpoint),
             (long long)codebooks, MOST_PARTS);
    for (int i = 0; i < codebooks && !failed(); i++)
        parts.items[parts.count++] = checkpoint_take(loader->checkpoint, SHAPE(rows, columns), "%s%d.weight", prefix, i);
    return take_stack(loader, group, &parts);
}

#define NAMES(...) (const char *const[]){__VA_ARGS__, NULL}

static void take_cross_attention(const struct loader *loader, int64_t d, const char *prefix, struct language_layer *layer)
{
    layer->cross_norm = take_norm(loader, d, prefix, "encoder_attn_layer_norm");
    layer->cross_query = take_matrices(loader, "cross-attention", d, d, prefix, NAMES("encoder_attn.q_proj"));
    layer->cross_text = take_matrices(loader, "cross-attention", d, d, prefix, NAMES("encoder_attn.k_proj", "encoder_attn.v_proj"));
    layer->cross_out = take_matrices(loader, "cross-attention", d, d, prefix, NAMES("encoder_attn.out_proj"));
}

static void take_layer(const struct loader *loader, const struct language_config *config, int64_t index, struct language_layer *layer)
{
    int64_t d = config->width, f = config->feed_forward;
    char *prefix = format_string(DECODER "layers.%lld.", (long long)index);
    layer->self_norm = take_norm(loader, d, prefix, "self_attn_layer_norm");
    layer->self_in = take_matrices(loader, "self-attention", d, d, prefix,
                                   NAMES("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"));
    layer->self_out = take_matrices(loader, "self-attention", d, d, prefix, NAMES("self_attn.out_proj"));
    if (!config->chroma_frames)
        take_cross_attention(loader, d, prefix, layer);
    layer->feed_norm = take_norm(loader, d, prefix, "final_layer_norm"); /* of the layer, in spite of its name */
    layer->feed_in = take_matrices(loader, "feed-forward", f, d, prefix, NAMES("fc1"));
    layer->feed_out = take_matrices(loader, "feed-forward", d, f, prefix, NAMES("fc2"));
    free(prefix);
}

/* `language` may be scratch of a count. */
static int walk(const struct loader *loader, const struct model *model, struct language_model *language)
{
    const struct language_config *config = &model->language;
    int64_t d = config->width;
    language->embeddings = take_codebooks(loader, "embeddings", config->codebooks, config->vocabulary + 1, d, DECODER "embed_tokens.");
    language->text_matrix = take_matrices(loader, "text projection", d, model->text.width, "", NAMES("enc_to_dec_proj"));
    language->text_bias = take_vector(loader, "text projection", d, "", "enc_to_dec_proj.bias");
    if (config->chroma_frames) {
        language->chroma_matrix = take_matrices(loader, "melody projection", d, CHROMA_BINS, "", NAMES("audio_enc_to_dec_proj"));
        language->chroma_bias = take_vector(loader, "melody projection", d, "", "audio_enc_to_dec_proj.bias");
    }
    for (int64_t i = 0; i < config->layers && !failed(); i++)
        take_layer(loader, config, i, &language->layers[i]);
    language->last_norm = take_norm(loader, d, DECODER, "layer_norm");
    language->heads = take_codebooks(loader, "heads", config->codebooks, config->vocabulary, d, "decoder.lm_heads.");
    checkpoint_ignore(loader->checkpoint, DECODER "embed_positions.*"); /* computed: see positions in engine-torch.c */
    static const char *const prefixes[] = {"decoder.", "enc_to_dec_proj.", "audio_enc_to_dec_proj."};
    for (size_t i = 0; i < COUNT_OF(prefixes) && !failed(); i++)
        checkpoint_finish(loader->checkpoint, prefixes[i]);
    return failed() ? -1 : 0;
}

int language_model_plan(const struct model *model, struct checkpoint *checkpoint, enum element_type type, struct memory_plan *plan)
{
    struct loader loader = {.checkpoint = checkpoint, .plan = plan, .type = type};
    struct language_model scratch = {.layers = allocate((size_t)model->language.layers, sizeof *scratch.layers)};
    int result = walk(&loader, model, &scratch);
    free(scratch.layers);
    return result;
}

int language_model_load(struct language_model *language, const struct model *model, struct checkpoint *checkpoint,
                        struct device device, enum element_type type)
{
    struct loader loader = {.checkpoint = checkpoint, .weights = &language->weights, .type = type};
    language->weights = (struct weights){.checkpoint = checkpoint, .device = device};
    language->layers = allocate((size_t)model->language.layers, sizeof *language->layers);
    return walk(&loader, model, language);
}

void language_model_release(struct language_model *language)
{
    weights_release(&language->weights);
    free(language->layers);
    *language = (struct language_model){0};
}
