/* SPDX-License-Identifier: Apache-2.0 */
#include "sample-tokens/language-arrays.h"

#include <stdlib.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/text.h"

#define DECODER "decoder.model.decoder."
#define SHAPE(...) (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__}
#define NAMES(...) (const char *const[]){__VA_ARGS__, NULL}

static const struct array *take_vector(struct checkpoint *checkpoint, int64_t size, const char *prefix, const char *name)
{
    return checkpoint_take(checkpoint, SHAPE(size), "%s%s", prefix, name);
}

static struct norm_arrays take_norm(struct checkpoint *checkpoint, int64_t size, const char *prefix, const char *name)
{
    struct norm_arrays norm;
    char *base = format_string("%s%s", prefix, name);
    norm.weight = take_vector(checkpoint, size, base, ".weight");
    norm.bias = take_vector(checkpoint, size, base, ".bias");
    free(base);
    return norm;
}

/* "PREFIX" "NAME.weight" for each of names, which end with NULL. */
static struct stack take_matrices(struct checkpoint *checkpoint, int64_t rows, int64_t columns, const char *prefix,
                                  const char *const *names)
{
    struct stack stack = {.count = 0};
    for (; names[stack.count]; stack.count++)
        stack.parts[stack.count] = checkpoint_take(checkpoint, SHAPE(rows, columns), "%s%s.weight", prefix, names[stack.count]);
    return stack;
}

/* One matrix a codebook: "PREFIX" "0.weight" and so on. */
static struct stack take_codebooks(struct checkpoint *checkpoint, int64_t codebooks, int64_t rows, int64_t columns, const char *prefix)
{
    struct stack stack = {.count = 0};
    if (codebooks > MOST_PARTS)
        fail("'%s': %lld codebooks, more than the %d that are possible", checkpoint_folder(checkpoint), (long long)codebooks, MOST_PARTS);
    for (; stack.count < codebooks && !failed(); stack.count++)
        stack.parts[stack.count] = checkpoint_take(checkpoint, SHAPE(rows, columns), "%s%d.weight", prefix, stack.count);
    return stack;
}

static void take_cross_attention(struct checkpoint *checkpoint, int64_t d, const char *prefix, struct layer_arrays *layer)
{
    layer->cross_norm = take_norm(checkpoint, d, prefix, "encoder_attn_layer_norm");
    layer->cross_query = take_matrices(checkpoint, d, d, prefix, NAMES("encoder_attn.q_proj"));
    layer->cross_text = take_matrices(checkpoint, d, d, prefix, NAMES("encoder_attn.k_proj", "encoder_attn.v_proj"));
    layer->cross_out = take_matrices(checkpoint, d, d, prefix, NAMES("encoder_attn.out_proj"));
}

static void take_layer(struct checkpoint *checkpoint, const struct language_config *config, int64_t index, struct layer_arrays *layer)
{
    int64_t d = config->width, f = config->feed_forward;
    char *prefix = format_string(DECODER "layers.%lld.", (long long)index);
    layer->self_norm = take_norm(checkpoint, d, prefix, "self_attn_layer_norm");
    layer->self_in = take_matrices(checkpoint, d, d, prefix, NAMES("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"));
    layer->self_out = take_matrices(checkpoint, d, d, prefix, NAMES("self_attn.out_proj"));
    if (!config->chroma_frames)
        take_cross_attention(checkpoint, d, prefix, layer);
    layer->feed_norm = take_norm(checkpoint, d, prefix, "final_layer_norm"); /* of the layer, in spite of its name */
    layer->feed_in = take_matrices(checkpoint, f, d, prefix, NAMES("fc1"));
    layer->feed_out = take_matrices(checkpoint, d, f, prefix, NAMES("fc2"));
    free(prefix);
}

int language_arrays_take(struct language_arrays *arrays, const struct model *model, struct checkpoint *checkpoint)
{
    static const char *const PREFIXES[] = {"decoder.", "enc_to_dec_proj.", "audio_enc_to_dec_proj."};
    const struct language_config *config = &model->language;
    int64_t d = config->width;
    *arrays = (struct language_arrays){.layers = allocate((size_t)config->layers, sizeof *arrays->layers)};
    arrays->embeddings = take_codebooks(checkpoint, config->codebooks, config->vocabulary + 1, d, DECODER "embed_tokens.");
    arrays->text_matrix = take_matrices(checkpoint, d, model->text.width, "", NAMES("enc_to_dec_proj"));
    arrays->text_bias = take_vector(checkpoint, d, "", "enc_to_dec_proj.bias");
    if (config->chroma_frames) {
        arrays->chroma_matrix = take_matrices(checkpoint, d, CHROMA_BINS, "", NAMES("audio_enc_to_dec_proj"));
        arrays->chroma_bias = take_vector(checkpoint, d, "", "audio_enc_to_dec_proj.bias");
    }
    for (int64_t i = 0; i < config->layers && !failed(); i++)
        take_layer(checkpoint, config, i, &arrays->layers[i]);
    arrays->last_norm = take_norm(checkpoint, d, DECODER, "layer_norm");
    arrays->heads = take_codebooks(checkpoint, config->codebooks, config->vocabulary, d, "decoder.lm_heads.");
    checkpoint_ignore(checkpoint, DECODER "embed_positions.*"); /* computed: positions.h */
    for (size_t i = 0; i < COUNT_OF(PREFIXES) && !failed(); i++)
        checkpoint_finish(checkpoint, PREFIXES[i]);
    return failed() ? -1 : 0;
}

void language_arrays_release(struct language_arrays *arrays)
{
    free(arrays->layers);
    *arrays = (struct language_arrays){0};
}

int64_t stack_rows(const struct stack *stack)
{
    return stack->count * stack->parts[0]->shape[0];
}

int64_t stack_columns(const struct stack *stack)
{
    return stack->parts[0]->shape[1];
}

bool stack_fits_half(struct stack *stack)
{
    bool fits = true;
    for (int i = 0; stack->fit == FIT_UNKNOWN && fits && i < stack->count; i++)
        fits = array_fits_half(stack->parts[i]);
    if (stack->fit == FIT_UNKNOWN)
        stack->fit = fits ? FITS_HALF : NEEDS_SINGLE;
    return stack->fit == FITS_HALF;
}
