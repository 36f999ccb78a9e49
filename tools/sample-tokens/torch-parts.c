/* SPDX-License-Identifier: Apache-2.0
 * What both steps of engine torch are made of.
 */
#include "base/failure.h"
#include "sample-tokens/engine-torch.h"

#define NORM_EPSILON 1e-5

/* A GPU's attention wants masks whose rows begin at such multiples, or it copies them. */
enum { BLOCK = 16 };

static int64_t round_up(int64_t value)
{
    return (value + BLOCK - 1) / BLOCK * BLOCK;
}

/* sizes */

bool torch_is_static(const struct engine_settings *settings)
{
    return settings->static_step || settings->device.kind != DEVICE_CPU;
}

int64_t torch_positions(const struct engine_settings *settings)
{
    return settings->prefix + settings->positions;
}

/* One more than any track has, for the static step: see there. */
int64_t torch_cache_length(const struct engine_settings *settings)
{
    int64_t positions = torch_positions(settings);
    return torch_is_static(settings) ? round_up(positions + 1) : positions;
}

int64_t torch_text_length(const struct engine_settings *settings)
{
    return torch_is_static(settings) ? round_up(settings->text_tokens) : settings->text_tokens;
}

enum tensor_type torch_cache_type(const struct engine_settings *settings)
{
    return settings->cache == ELEMENT_F16 ? TENSOR_F16 : TENSOR_F32;
}

enum tensor_type torch_attention_type(const struct engine_settings *settings)
{
    return settings->device.kind == DEVICE_CPU ? TENSOR_F32 : torch_cache_type(settings);
}

/* products */

static struct tensor *widen(const struct engine *engine, struct tensor *weight)
{
    struct tensor *place = tensor_narrow(engine->widened, 0, 0, tensor_elements(weight));
    place = tensor_view(place, SHAPE(tensor_size(weight, 0), tensor_size(weight, 1)));
    tensor_copy(place, weight);
    return place;
}

/* The weight as it is multiplied with. */
static struct tensor *ready(const struct engine *engine, struct tensor *weight)
{
    return engine->settings.device.kind == DEVICE_CPU && tensor_type_of(weight) != TENSOR_F32 ? widen(engine, weight) : weight;
}

struct tensor *torch_product(const struct engine *engine, struct tensor *x, struct tensor *weight)
{
    struct scope scope;
    scope_open(&scope);
    weight = ready(engine, weight);
    struct tensor *y = scope_keep(&scope, tensor_product(tensor_cast(x, tensor_type_of(weight)), weight));
    scope_close(&scope);
    return y;
}

struct tensor *torch_short_product(const struct engine *engine, struct tensor *x, struct tensor *weight)
{
    struct scope scope;
    scope_open(&scope);
    weight = ready(engine, weight);
    struct tensor *y = scope_keep(&scope, tensor_linear(tensor_cast(x, tensor_type_of(weight)), weight, NULL));
    scope_close(&scope);
    return y;
}

struct tensor *torch_normalise(struct tensor *x, const struct norm *norm)
{
    return tensor_layer_norm(x, norm->weight, norm->bias, NORM_EPSILON);
}

/* attention */

static int64_t head_width(const struct engine *engine)
{
    return engine->model->language.width / engine->model->language.heads;
}

struct tensor *torch_queries(const struct engine *engine, struct tensor *stacked, int64_t parts, int64_t start, int64_t rows, int64_t columns)
{
    struct tensor *own = tensor_narrow(stacked, 0, start, rows * columns);
    own = tensor_view(own, SHAPE(rows, columns, parts, engine->model->language.heads, head_width(engine)));
    return tensor_transpose(tensor_select(own, 2, 0), 1, 2);
}

struct tensor *torch_held(const struct engine *engine, struct tensor *cache, int part, int64_t first, int64_t rows, int64_t length)
{
    struct tensor *all = tensor_view(cache, SHAPE(tensor_size(cache, 0), tensor_size(cache, 1), 2, engine->model->language.heads, head_width(engine)));
    all = tensor_narrow(tensor_narrow(all, 0, first, rows), 1, 0, length);
    return tensor_transpose(tensor_select(all, 2, part), 1, 2);
}

struct tensor *torch_attend(const struct engine *engine, struct tensor *q, struct tensor *cache, int64_t first, int64_t length,
                            struct tensor *mask_or_null, bool causal)
{
    enum tensor_type type = torch_attention_type(&engine->settings);
    int64_t rows = failed() ? 0 : tensor_size(q, 0);
    struct scope scope;
    scope_open(&scope);
    struct tensor *k = tensor_cast(torch_held(engine, cache, 0, first, rows, length), type);
    struct tensor *v = tensor_cast(torch_held(engine, cache, 1, first, rows, length), type);
    struct tensor *y = tensor_attention(tensor_cast(q, type), k, v, mask_or_null, causal, 0); /* [rows, heads, columns, width] */
    y = scope_keep(&scope, tensor_view(tensor_contiguous(tensor_transpose(y, 1, 2)), SHAPE(-1, engine->model->language.width)));
    scope_close(&scope);
    return y;
}

struct tensor *torch_feed_forward(const struct engine *engine, int64_t index, struct tensor *x)
{
    const struct language_layer *layer = &engine->language.layers[index];
    struct tensor *wide = tensor_gelu(torch_short_product(engine, torch_normalise(x, &layer->feed_norm), layer->feed_in));
    return torch_product(engine, wide, layer->feed_out);
}
