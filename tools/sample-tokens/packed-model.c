/* SPDX-License-Identifier: Apache-2.0 */
#include "sample-tokens/packed-model.h"

#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "cpu/pages.h"
#include "sample-tokens/language-arrays.h"
#include "sample-tokens/layout.h"

struct packer {
    struct layout layout; /* without memory nothing is written */
    enum element_type type;
    struct pool *pool;
};

static const float *pack_vector(struct packer *packer, const char *group, const struct array *array)
{
    float *vector = array ? layout_place(&packer->layout, group, array_elements(array) * (int64_t)sizeof *vector) : NULL;
    for (int64_t i = 0; vector && i < array_elements(array); i++)
        vector[i] = array_number(array, i);
    return vector;
}

static struct packed_norm pack_norm(struct packer *packer, const struct norm_arrays *arrays)
{
    struct packed_norm norm;
    norm.weight = pack_vector(packer, "norms", arrays->weight);
    norm.bias = pack_vector(packer, "norms", arrays->bias);
    return norm;
}

/* float16 where that is exact and wanted, else float32. */
static enum element_type exact_type(const struct packer *packer, struct stack *stack)
{
    return packer->type != ELEMENT_F32 && stack_fits_half(stack) ? ELEMENT_F16 : ELEMENT_F32;
}

/* Rounding could hide it, where float16 and float32 carry it into the logits. */
static void check_finite(const struct stack *stack, const struct matrix *matrix)
{
    int64_t output = matrix_damaged_output(matrix), rows = stack->parts[0]->shape[0];
    if (output >= 0)
        fail("tensor '%s' has a weight in row %lld that is not finite: the model is damaged, fetch it again",
             stack->parts[output / rows]->name, (long long)(output % rows));
}

static struct matrix pack_as(struct packer *packer, const char *group, const struct stack *stack, enum element_type type)
{
    struct matrix matrix = {.type = type, .outputs = stack_rows(stack), .inputs = stack_columns(stack)};
    matrix.panels = layout_place(&packer->layout, group, matrix_bytes(type, matrix.outputs, matrix.inputs));
    if (matrix.panels) {
        matrix_pack(&matrix, stack->parts, stack->count, packer->pool);
        check_finite(stack, &matrix);
    }
    return matrix;
}

/* Stacks that the model does not have stay all zero. */
static struct matrix pack(struct packer *packer, const char *group, struct stack *stack)
{
    return stack->count ? pack_as(packer, group, stack, exact_type(packer, stack)) : (struct matrix){0};
}

/* Of every step: in int8, if that is wanted. */
static struct matrix pack_step(struct packer *packer, const char *group, struct stack *stack)
{
    return packer->type == ELEMENT_I8 && stack->count ? pack_as(packer, group, stack, ELEMENT_I8) : pack(packer, group, stack);
}

static void pack_layer(struct packer *packer, struct layer_arrays *arrays, struct packed_layer *layer)
{
    layer->self_norm = pack_norm(packer, &arrays->self_norm);
    layer->self_in = pack_step(packer, "self-attention", &arrays->self_in);
    layer->self_out = pack_step(packer, "self-attention", &arrays->self_out);
    layer->cross_norm = pack_norm(packer, &arrays->cross_norm);
    layer->cross_query = pack_step(packer, "cross-attention", &arrays->cross_query);
    layer->cross_out = pack_step(packer, "cross-attention", &arrays->cross_out);
    layer->cross_text = pack(packer, "cross-attention", &arrays->cross_text); /* of the condition: once a window */
    layer->feed_norm = pack_norm(packer, &arrays->feed_norm);
    layer->feed_in = pack_step(packer, "feed-forward", &arrays->feed_in);
    layer->feed_out = pack_step(packer, "feed-forward", &arrays->feed_out);
}

/* Rows as they are: they are looked up, not multiplied. */
static void pack_embeddings(struct packer *packer, struct stack *stack, struct packed_model *packed)
{
    enum element_type type = exact_type(packer, stack);
    int64_t elements = array_elements(stack->parts[0]), size = (int64_t)element_size(type);
    char *rows = layout_place(&packer->layout, "embeddings", stack->count * elements * size);
    packed->embedding_type = type;
    packed->embeddings = rows;
    for (int part = 0; rows && part < stack->count; part++)
        for (int64_t i = 0; i < elements; i++, rows += size) {
            float number = array_number(stack->parts[part], i);
            uint16_t half = float_to_half(number);
            memcpy(rows, type == ELEMENT_F16 ? (void *)&half : (void *)&number, (size_t)size);
        }
}

static const float *pack_chroma(struct packer *packer, const struct stack *stack)
{
    int64_t d = stack->count ? stack_rows(stack) : 0;
    float *columns = d ? layout_place(&packer->layout, "melody projection", CHROMA_BINS * d * (int64_t)sizeof *columns) : NULL;
    for (int64_t i = 0; columns && i < CHROMA_BINS * d; i++)
        columns[i] = array_number(stack->parts[0], i % d * CHROMA_BINS + i / d);
    return columns;
}

static void pack_all(struct packer *packer, struct language_arrays *arrays, int64_t layers, struct packed_model *packed)
{
    pack_embeddings(packer, &arrays->embeddings, packed);
    packed->text_matrix = pack(packer, "text projection", &arrays->text_matrix);
    packed->text_bias = pack_vector(packer, "text projection", arrays->text_bias);
    packed->chroma_columns = pack_chroma(packer, &arrays->chroma_matrix);
    packed->chroma_bias = pack_vector(packer, "melody projection", arrays->chroma_bias);
    for (int64_t i = 0; i < layers; i++)
        pack_layer(packer, &arrays->layers[i], &packed->layers[i]);
    packed->last_norm = pack_norm(packer, &arrays->last_norm);
    packed->heads = pack_step(packer, "heads", &arrays->heads);
}

int packed_model_plan(const struct model *model, struct checkpoint *checkpoint, enum element_type type, struct memory_plan *plan)
{
    struct packer packer = {.layout = {.plan = plan}, .type = type};
    struct language_arrays arrays;
    struct packed_model scratch = {.layers = allocate((size_t)model->language.layers, sizeof *scratch.layers)};
    if (language_arrays_take(&arrays, model, checkpoint) == 0)
        pack_all(&packer, &arrays, model->language.layers, &scratch);
    language_arrays_release(&arrays);
    free(scratch.layers);
    return failed() ? -1 : 0;
}

int packed_model_load(struct packed_model *packed, const struct model *model, struct checkpoint *checkpoint, enum element_type type,
                      struct pool *pool)
{
    struct packer counting = {.type = type}, filling = {.type = type, .pool = pool};
    struct language_arrays arrays;
    *packed = (struct packed_model){.layers = allocate((size_t)model->language.layers, sizeof *packed->layers)};
    if (language_arrays_take(&arrays, model, checkpoint) == 0) {
        pack_all(&counting, &arrays, model->language.layers, packed);
        packed->bytes = counting.layout.used;
        packed->memory = filling.layout.memory = pages_take(packed->bytes);
        if (packed->memory)
            pack_all(&filling, &arrays, model->language.layers, packed);
        if (packed->memory && failed())
            failure_within("'%s'", model->folder);
    }
    language_arrays_release(&arrays);
    return failed() ? -1 : 0;
}

void packed_model_release(struct packed_model *packed)
{
    pages_give(packed->memory, packed->bytes);
    free(packed->layers);
    *packed = (struct packed_model){0};
}
