/* SPDX-License-Identifier: Apache-2.0 */
#include "sample-tokens/language-model.h"

#include <stdlib.h>

#include "base/failure.h"
#include "base/memory.h"
#include "sample-tokens/language-arrays.h"

/* One walk over the weights serves the plan and the loading: without `weights` it only counts. */
struct loader {
    struct weights *weights; /* NULL: count only */
    struct memory_plan *plan; /* NULL: load only */
    enum element_type type;
};

static void count_bytes(const struct loader *loader, const char *group, int64_t elements, enum element_type type)
{
    if (loader->plan)
        memory_plan_add(loader->plan, group, elements * (int64_t)element_size(type));
}

static enum tensor_type tensor_type_for(enum element_type type)
{
    return type == ELEMENT_F16 ? TENSOR_F16 : type == ELEMENT_BF16 ? TENSOR_BF16 : TENSOR_F32;
}

/* The array as it is stored, on the device: on a CPU without a copy where its place in the file is aligned. */
static struct tensor *tensor_of(struct weights *weights, const struct array *array)
{
    enum tensor_type type = tensor_type_for(array->type);
    if (weights->device.kind == DEVICE_CPU && (uintptr_t)array->data % element_size(array->type) == 0)
        return tensor_wrap((void *)(uintptr_t)array->data, type, array->rank, array->shape);
    return weights_convert(weights, type, array);
}

static void place(const struct loader *loader, struct tensor *where, const struct array *array)
{
    struct scope scope;
    scope_open(&scope);
    tensor_copy(where, tensor_of(loader->weights, array));
    scope_close(&scope);
}

/* A stack as one tensor [rows of all parts, columns]. */
static struct tensor *join(const struct loader *loader, const struct stack *stack, enum element_type type)
{
    struct scope scope;
    int64_t rows = stack->parts[0]->shape[0];
    scope_open(&scope);
    struct tensor *whole = tensor_new(loader->weights->device, tensor_type_for(type), SHAPE(stack_rows(stack), stack_columns(stack)));
    for (int i = 0; i < stack->count; i++)
        place(loader, tensor_narrow(whole, 0, i * rows, rows), stack->parts[i]);
    whole = failed() ? NULL : weights_keep(loader->weights, whole);
    scope_close(&scope);
    return whole;
}

/* NULL when it only counts, and for a stack that the model does not have. */
static struct tensor *load_matrix(const struct loader *loader, const char *group, struct stack *stack)
{
    enum element_type type = loader->type;
    if (failed() || stack->count == 0)
        return NULL;
    if (type == ELEMENT_F16 && !stack_fits_half(stack))
        type = ELEMENT_F32;
    count_bytes(loader, group, stack_rows(stack) * stack_columns(stack), type);
    return loader->weights ? join(loader, stack, type) : NULL;
}

static struct tensor *load_vector(const struct loader *loader, const char *group, const struct array *array)
{
    if (failed() || !array)
        return NULL;
    count_bytes(loader, group, array_elements(array), ELEMENT_F32);
    return loader->weights ? weights_keep(loader->weights, weights_convert(loader->weights, TENSOR_F32, array)) : NULL;
}

static struct norm load_norm(const struct loader *loader, const struct norm_arrays *arrays)
{
    struct norm norm;
    norm.weight = load_vector(loader, "norms", arrays->weight);
    norm.bias = load_vector(loader, "norms", arrays->bias);
    return norm;
}

static void load_layer(const struct loader *loader, struct layer_arrays *arrays, struct language_layer *layer)
{
    layer->self_norm = load_norm(loader, &arrays->self_norm);
    layer->self_in = load_matrix(loader, "self-attention", &arrays->self_in);
    layer->self_out = load_matrix(loader, "self-attention", &arrays->self_out);
    layer->cross_norm = load_norm(loader, &arrays->cross_norm);
    layer->cross_query = load_matrix(loader, "cross-attention", &arrays->cross_query);
    layer->cross_text = load_matrix(loader, "cross-attention", &arrays->cross_text);
    layer->cross_out = load_matrix(loader, "cross-attention", &arrays->cross_out);
    layer->feed_norm = load_norm(loader, &arrays->feed_norm);
    layer->feed_in = load_matrix(loader, "feed-forward", &arrays->feed_in);
    layer->feed_out = load_matrix(loader, "feed-forward", &arrays->feed_out);
}

/* `language` may be scratch of a count. */
static int load(const struct loader *loader, const struct model *model, struct checkpoint *checkpoint, struct language_model *language)
{
    struct language_arrays arrays;
    if (language_arrays_take(&arrays, model, checkpoint) == 0) {
        language->embeddings = load_matrix(loader, "embeddings", &arrays.embeddings);
        language->text_matrix = load_matrix(loader, "text projection", &arrays.text_matrix);
        language->text_bias = load_vector(loader, "text projection", arrays.text_bias);
        language->chroma_matrix = load_matrix(loader, "melody projection", &arrays.chroma_matrix);
        language->chroma_bias = load_vector(loader, "melody projection", arrays.chroma_bias);
        for (int64_t i = 0; i < model->language.layers; i++)
            load_layer(loader, &arrays.layers[i], &language->layers[i]);
        language->last_norm = load_norm(loader, &arrays.last_norm);
        language->heads = load_matrix(loader, "heads", &arrays.heads);
    }
    language_arrays_release(&arrays);
    return failed() ? -1 : 0;
}

int language_model_plan(const struct model *model, struct checkpoint *checkpoint, enum element_type type, struct memory_plan *plan)
{
    struct loader loader = {.plan = plan, .type = type};
    struct language_model scratch = {.layers = allocate((size_t)model->language.layers, sizeof *scratch.layers)};
    int result = load(&loader, model, checkpoint, &scratch);
    free(scratch.layers);
    return result;
}

int language_model_load(struct language_model *language, const struct model *model, struct checkpoint *checkpoint,
                        struct device device, enum element_type type)
{
    struct loader loader = {.weights = &language->weights, .type = type};
    language->weights = (struct weights){.checkpoint = checkpoint, .device = device};
    language->layers = allocate((size_t)model->language.layers, sizeof *language->layers);
    int result = load(&loader, model, checkpoint, language);
    weights_settle(&language->weights);
    return result;
}

void language_model_release(struct language_model *language)
{
    weights_release(&language->weights);
    free(language->layers);
    *language = (struct language_model){0};
}
