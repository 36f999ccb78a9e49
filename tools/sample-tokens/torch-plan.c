/* SPDX-License-Identifier: Apache-2.0
 * What engine torch allocates beside the weights.
 */
#include "sample-tokens/engine-torch.h"

/* Temporaries of one moment that are counted for their rounding. */
enum { ALLOCATION = 512, TEMPORARIES = 24 };

static int64_t largest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Bytes as an allocator gives them: libtorch's on a GPU hands out multiples of 512, and on a CPU gaps are no larger. */
static int64_t allocated(int64_t elements, int64_t element)
{
    return (elements * element + ALLOCATION - 1) / ALLOCATION * ALLOCATION;
}

int64_t torch_widened(const struct model *model, const struct engine_settings *settings)
{
    const struct language_config *config = &model->language;
    int64_t outputs = largest(3 * config->width, largest(config->feed_forward, config->codebooks * config->vocabulary));
    bool needed = settings->device.kind == DEVICE_CPU && settings->weights == ELEMENT_F16;
    return needed ? config->width * largest(outputs, model->text.width) : 0;
}

/* Float32 elements of a layer's largest moment, for so many rows of x, which is one of them. */
static int64_t layer_elements(const struct language_config *config, const struct engine_settings *settings, int64_t rows)
{
    int64_t d = config->width, f = config->feed_forward;
    int64_t gelu = settings->device.kind == DEVICE_CPU ? 3 : 1; /* tensors of it beside its operand */
    /* x, its norm, what is added, the sum; with q k v, new keys and values, attention's own 2 and heads in order; or f and GELU's */
    return rows * (4 * d + largest(8 * d, (1 + gelu) * f));
}

static int64_t embedding_elements(const struct language_config *config, int64_t rows)
{
    return rows * (2 * config->codebooks + 3) * config->width;
}

/* Of the step of any feeds, when all slots that it takes at once are fed as much as they may be. */
static int64_t any_elements(const struct language_config *config, const struct engine_settings *settings)
{
    int64_t rows = (torch_is_static(settings) ? 1 : settings->slots) * settings->rows;
    int64_t columns = rows * (settings->prefix + largest(settings->prefill, 1));
    int64_t outputs = 3 * rows * config->codebooks * config->vocabulary;
    return largest(layer_elements(config, settings, columns), embedding_elements(config, columns)) + outputs;
}

/* Of the static step: a mask and what it is made from beside any other moment. */
static int64_t static_elements(const struct language_config *config, const struct engine_settings *settings)
{
    int64_t rows = torch_static_rows(settings), heads = rows * (2 * config->width + config->codebooks * config->vocabulary);
    int64_t mask = 2 * settings->slots * settings->rows * torch_cache_length(settings);
    return mask + largest(layer_elements(config, settings, rows), largest(embedding_elements(config, rows), heads));
}

/* Of a condition on its way into a slot. */
static int64_t admission_elements(const struct model *model, const struct engine_settings *settings)
{
    return (settings->text_tokens + settings->prefix) * (2 * model->text.width + 5 * model->language.width);
}

/* A CPU widens cached float16, of one slot or in the static step of all. */
static int64_t widened_cache(const struct language_config *config, const struct engine_settings *settings)
{
    if (settings->device.kind != DEVICE_CPU || settings->cache == ELEMENT_F32)
        return 0;
    return 2 * settings->rows * torch_cache_length(settings) * config->width * (torch_is_static(settings) ? settings->slots : 1);
}

/* Bytes that the largest moment of a step needs beside weights and caches. On a CPU half as much again for the gaps between
 * them: measured with a prompt of 25 s, 1.4 times as much. */
static int64_t step_bytes(const struct model *model, const struct engine_settings *settings)
{
    const struct language_config *config = &model->language;
    bool all_static = torch_is_static(settings) && settings->prefill <= 1 && settings->prefix == 0;
    int64_t elements = all_static ? 0 : any_elements(config, settings);
    if (torch_is_static(settings))
        elements = largest(elements, static_elements(config, settings));
    elements = largest(elements, admission_elements(model, settings)) + widened_cache(config, settings);
    if (settings->device.kind == DEVICE_CPU)
        elements += elements / 2;
    return allocated(elements + torch_widened(model, settings), sizeof(float)) + TEMPORARIES * ALLOCATION;
}

/* On a GPU an array of the file is there as it is stored, while it is put in its place; before anything but weights is. */
static int64_t loading_bytes(const struct model *model, const struct engine_settings *settings)
{
    const struct language_config *config = &model->language;
    int64_t rows = largest(3 * config->width, largest(config->feed_forward, largest(config->vocabulary + 1, model->text.width)));
    return settings->device.kind == DEVICE_CPU ? 0 : allocated(rows * config->width, sizeof(float));
}

/* What the static step keeps: inputs, a range and two constants, rows in order, masks of the texts, logits. */
static int64_t static_bytes(const struct language_config *config, const struct engine_settings *settings)
{
    int64_t rows = settings->slots * settings->rows, products = torch_static_rows(settings);
    int64_t element = (int64_t)element_size(settings->device.kind == DEVICE_CPU ? ELEMENT_F32 : settings->cache);
    int64_t text = settings->text_tokens ? allocated(products * config->width, element) + allocated(settings->slots * torch_text_length(settings), element) : 0;
    return allocated(products * (config->codebooks + 1) + rows, sizeof(int64_t)) + allocated(torch_cache_length(settings), sizeof(int64_t)) +
           2 * ALLOCATION + allocated(products * config->width, element) + text +
           allocated(rows * config->codebooks * config->vocabulary, sizeof(float));
}

/* Caches are one tensor a layer. */
static int64_t cache_bytes(const struct language_config *config, const struct engine_settings *settings, int64_t rows, int64_t length)
{
    return config->layers * allocated(rows * length * 2 * config->width, (int64_t)element_size(settings->cache));
}

void torch_plan_work(const struct model *model, const struct engine_settings *settings, struct memory_plan *plan)
{
    const struct language_config *config = &model->language;
    struct memory_plan work = {0};
    memory_plan_add(&work, "positions", allocated(torch_positions(settings) * config->width, sizeof(float)));
    memory_plan_add(&work, "key/value cache", cache_bytes(config, settings, settings->slots * settings->rows, torch_cache_length(settings)));
    memory_plan_add(&work, "text key/value cache", cache_bytes(config, settings, settings->slots, torch_text_length(settings)));
    if (settings->prefix)
        memory_plan_add(&work, "prefixes", settings->slots * allocated(settings->rows * settings->prefix * config->width, sizeof(float)));
    if (torch_is_static(settings))
        memory_plan_add(&work, "static step", static_bytes(config, settings));
    memory_plan_add(&work, "scratch", largest(step_bytes(model, settings), loading_bytes(model, settings) - memory_plan_total(&work)));
    for (size_t i = 0; i < work.count; i++)
        memory_plan_add(plan, work.groups[i].name, work.groups[i].bytes);
}
