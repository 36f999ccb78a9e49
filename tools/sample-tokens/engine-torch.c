/* SPDX-License-Identifier: Apache-2.0
 * The engine of libtorch operations, for any device: the reference that other engines are held to.
 *
 * All rows of a step are one matrix x [M, d] of the residual stream in float32; M counts (slot, row, column), in this
 * order. Linear layers take it whole; attention goes slot by slot, because lengths differ. A slot's keys and values
 * stand in tensors of [rows, heads, positions, 64] a layer, allocated once and written in place. The null row has no
 * text, and zero keys and values without biases attend to zero: its cross-attention is left out.
 *
 * Melody models have no cross-attention. The first feed after admit or restart begins with the slot's prefix instead:
 * chroma, then text, at the first positions; the null row's are the chroma of silence and zeros, attended to like any.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/failure.h"
#include "base/memory.h"
#include "libtorch/tensor.h"
#include "sample-tokens/engine.h"
#include "sample-tokens/language-model.h"
#include "sample-tokens/positions.h"

#define NORM_EPSILON 1e-5

struct slot {
    struct tensor **keys, **values;           /* [layers] of [rows, heads, positions, head width] */
    struct tensor **text_keys, **text_values; /* [layers] of [1, heads, text tokens, head width] */
    int64_t rows;                             /* of the present track: 2 when guided */
    int64_t position;                         /* positions held, the prefix included */
    int64_t text_tokens;                      /* of its condition, beside the columns; 0: none */
    struct tensor *prefix;                    /* [rows, positions before the columns, d]; NULL: none of any track */
    int64_t prefix_length;                    /* of the present track */
};

struct engine {
    const struct model *model;
    struct engine_settings settings;
    struct language_model language;
    struct tensor *positions; /* [capacity, d] */
    struct tensor *widened;   /* one float16 matrix at a time as float32, on a CPU; else NULL */
    struct slot *slots;
    int64_t *ids, *places;    /* of one step: [M, K] rows of embeddings, [M] positions */
    float *logits;            /* [slots rows, K, V] of the last step */
};

/* Where a feed's rows lie in x. */
struct span {
    struct slot *slot;
    int64_t start;
    int64_t columns; /* with the prefix, when it is fed */
    int64_t prefix;  /* of these */
};

struct step {
    struct engine *engine;
    struct span *spans;
    int count;
};

/* Most positions of a slot. */
static int64_t capacity(const struct engine_settings *settings)
{
    return settings->prefix + settings->positions;
}

static int64_t head_width(const struct language_config *config)
{
    return config->width / config->heads;
}

static enum tensor_type tensor_type_for(enum element_type type)
{
    return type == ELEMENT_F16 ? TENSOR_F16 : TENSOR_F32;
}

/* A CPU widens float16, which is exact, and computes in float32; a device multiplies float16 with float32 sums. */
static enum tensor_type working_type(const struct engine *engine, enum tensor_type stored)
{
    return engine->settings.device.kind == DEVICE_CPU ? TENSOR_F32 : stored;
}

static struct tensor *widen(const struct engine *engine, struct tensor *weight)
{
    struct tensor *place = tensor_narrow(engine->widened, 0, 0, tensor_elements(weight));
    place = tensor_view(place, SHAPE(tensor_size(weight, 0), tensor_size(weight, 1)));
    tensor_copy(place, weight);
    return place;
}

/* x [.., in] in float32 times a weight [out, in] -> [.., out] in float32. */
static struct tensor *product(const struct engine *engine, struct tensor *x, struct tensor *weight)
{
    enum tensor_type stored = tensor_type_of(weight), type = working_type(engine, stored);
    struct scope scope;
    scope_open(&scope);
    struct tensor *y = tensor_linear(tensor_cast(x, type), type == stored ? weight : widen(engine, weight), NULL);
    y = scope_keep(&scope, tensor_cast(y, TENSOR_F32));
    scope_close(&scope);
    return y;
}

static struct tensor *normalise(struct tensor *x, const struct norm *norm)
{
    return tensor_layer_norm(x, norm->weight, norm->bias, NORM_EPSILON);
}

/* attention */

/* Rows start .. of a stacked projection [M, parts d] as its part-th [rows, heads, columns, width]; a view. */
static struct tensor *split_heads(const struct engine *engine, struct tensor *stacked, int64_t start, int64_t rows, int64_t columns,
                                  int64_t parts, int64_t part)
{
    const struct language_config *config = &engine->model->language;
    struct tensor *own = tensor_narrow(stacked, 0, start, rows * columns);
    own = tensor_view(own, SHAPE(rows, columns, parts, config->heads, head_width(config)));
    return tensor_transpose(tensor_select(own, 2, part), 1, 2);
}

/* [rows, heads, columns, width] -> [rows columns, d] */
static struct tensor *join_heads(const struct engine *engine, struct tensor *heads)
{
    return tensor_view(tensor_contiguous(tensor_transpose(heads, 1, 2)), SHAPE(-1, engine->model->language.width));
}

/* q [rows, heads, columns, width]; k and v [rows, heads, any, width] as stored. */
static struct tensor *attend(const struct engine *engine, struct tensor *q, struct tensor *k, struct tensor *v, bool causal)
{
    enum tensor_type type = working_type(engine, tensor_type_for(engine->settings.cache));
    struct tensor *y = tensor_attention(tensor_cast(q, type), tensor_cast(k, type), tensor_cast(v, type), NULL, causal, 0);
    return join_heads(engine, tensor_cast(y, TENSOR_F32));
}

/* The first `length` positions of a slot's cache, for the rows in use; a view. */
static struct tensor *held(struct tensor *cache, int64_t rows, int64_t start, int64_t length)
{
    return tensor_narrow(tensor_narrow(cache, 0, 0, rows), 2, start, length);
}

/* Stores the new keys and values and attends to all held. Causality needs care only for the first feed, when queries and
 * keys are equally many; later feeds are one column, which may see everything. */
static struct tensor *attend_to_past(const struct engine *engine, const struct span *span, int64_t layer, struct tensor *stacked)
{
    const struct slot *slot = span->slot;
    struct tensor *keys = slot->keys[layer], *values = slot->values[layer];
    int64_t rows = slot->rows, columns = span->columns, length = slot->position + columns;
    tensor_copy(held(keys, rows, slot->position, columns), split_heads(engine, stacked, span->start, rows, columns, 3, 1));
    tensor_copy(held(values, rows, slot->position, columns), split_heads(engine, stacked, span->start, rows, columns, 3, 2));
    struct tensor *q = split_heads(engine, stacked, span->start, rows, columns, 3, 0);
    return attend(engine, q, held(keys, rows, 0, length), held(values, rows, 0, length), columns > 1);
}

static struct tensor *joined(struct tensor *const *parts, int count)
{
    return count == 1 ? parts[0] : tensor_cat(parts, count, 0);
}

static void add_to(struct tensor *x, struct tensor *added)
{
    tensor_copy(x, tensor_add(x, added));
}

/* x [M, d] -> what self-attention adds to it */
static struct tensor *self_attention(const struct step *step, int64_t index, struct tensor *x)
{
    const struct engine *engine = step->engine;
    const struct language_layer *layer = &engine->language.layers[index];
    struct tensor *parts[MOST_SLOTS];
    struct tensor *stacked = product(engine, normalise(x, &layer->self_norm), layer->self_in);
    for (int i = 0; i < step->count; i++) {
        struct scope scope;
        scope_open(&scope);
        parts[i] = scope_keep(&scope, attend_to_past(engine, &step->spans[i], index, stacked));
        scope_close(&scope);
    }
    return product(engine, joined(parts, step->count), layer->self_out);
}

/* Adds cross-attention to the conditional rows of x, in place. */
static void cross_attention(const struct step *step, int64_t index, struct tensor *x)
{
    const struct engine *engine = step->engine;
    const struct language_layer *layer = &engine->language.layers[index];
    const struct span *with[MOST_SLOTS];
    struct tensor *rows[MOST_SLOTS];
    int count = 0;
    for (int i = 0; i < step->count; i++) {
        if (step->spans[i].slot->text_tokens == 0)
            continue;
        with[count] = &step->spans[i];
        rows[count++] = tensor_narrow(x, 0, step->spans[i].start, step->spans[i].columns);
    }
    if (count == 0)
        return;
    struct tensor *queries = product(engine, normalise(joined(rows, count), &layer->cross_norm), layer->cross_query);
    struct tensor *parts[MOST_SLOTS];
    int64_t start = 0;
    for (int i = 0; i < count; start += with[i++]->columns) {
        const struct slot *slot = with[i]->slot;
        struct tensor *q = split_heads(engine, queries, start, 1, with[i]->columns, 1, 0);
        parts[i] = attend(engine, q, held(slot->text_keys[index], 1, 0, slot->text_tokens),
                          held(slot->text_values[index], 1, 0, slot->text_tokens), false);
    }
    struct tensor *added = product(engine, joined(parts, count), layer->cross_out);
    start = 0;
    for (int i = 0; i < count; start += with[i++]->columns)
        add_to(rows[i], tensor_narrow(added, 0, start, with[i]->columns));
}

/* one step */

static struct tensor *feed_forward(const struct step *step, int64_t index, struct tensor *x)
{
    const struct engine *engine = step->engine;
    const struct language_layer *layer = &engine->language.layers[index];
    struct tensor *wide = tensor_gelu(product(engine, normalise(x, &layer->feed_norm), layer->feed_in));
    return product(engine, wide, layer->feed_out);
}

/* x is changed in place and each part's temporaries are freed, so that a step holds those of one part at a time. */
static void run_layer(const struct step *step, int64_t index, struct tensor *x)
{
    struct scope scope;
    scope_open(&scope);
    add_to(x, self_attention(step, index, x));
    scope_close(&scope);
    scope_open(&scope);
    cross_attention(step, index, x);
    scope_close(&scope);
    scope_open(&scope);
    add_to(x, feed_forward(step, index, x));
    scope_close(&scope);
}

/* Puts prefixes where they stand among embeddings [M, d]. */
static void place_prefixes(const struct step *step, struct tensor *x)
{
    for (int i = 0; i < step->count; i++) {
        const struct span *span = &step->spans[i];
        for (int64_t row = 0; span->prefix && row < span->slot->rows; row++)
            tensor_copy(tensor_narrow(x, 0, span->start + row * span->columns, span->prefix),
                        tensor_narrow(tensor_select(span->slot->prefix, 0, row), 0, 0, span->prefix));
    }
}

/* Ids and positions of all rows -> embeddings summed over codebooks, or prefixes, plus positions: [M, d]. */
static struct tensor *embed(const struct step *step, int64_t rows)
{
    const struct engine *engine = step->engine;
    const struct device device = engine->settings.device;
    int64_t codebooks = engine->model->language.codebooks;
    struct scope scope;
    scope_open(&scope);
    struct tensor *ids = tensor_from(device, TENSOR_I64, SHAPE(rows, codebooks), engine->ids);
    struct tensor *places = tensor_from(device, TENSOR_I64, SHAPE(rows), engine->places);
    struct tensor *tokens = tensor_cast(tensor_embedding(engine->language.embeddings, ids), TENSOR_F32);
    tokens = tensor_sum(tokens, 1, false);
    place_prefixes(step, tokens);
    struct tensor *x = scope_keep(&scope, tensor_add(tokens, tensor_embedding(engine->positions, places)));
    scope_close(&scope);
    return x;
}

/* The last column of every row: [slots' rows, d]. */
static struct tensor *last_columns(const struct step *step, struct tensor *x)
{
    struct tensor *rows[2 * MOST_SLOTS];
    int count = 0;
    for (int i = 0; i < step->count; i++)
        for (int64_t row = 0; row < step->spans[i].slot->rows; row++)
            rows[count++] = tensor_narrow(x, 0, step->spans[i].start + (row + 1) * step->spans[i].columns - 1, 1);
    return joined(rows, count);
}

/* Lays the feeds out as rows of x: fills spans, ids and places. Returns M. */
static int64_t lay_out(const struct step *step, const struct engine_feed *feeds)
{
    struct engine *engine = step->engine;
    const struct language_config *config = &engine->model->language;
    int64_t count = 0;
    for (int i = 0; i < step->count; i++) {
        struct slot *slot = &engine->slots[feeds[i].slot];
        int64_t prefix = slot->position == 0 ? slot->prefix_length : 0, columns = prefix + feeds[i].columns;
        assert(feeds[i].columns <= engine->settings.prefill && (feeds[i].columns == 1 || slot->position == 0));
        assert(slot->position + columns <= capacity(&engine->settings));
        step->spans[i] = (struct span){slot, count, columns, prefix};
        for (int64_t at = 0; at < slot->rows * columns; at++, count++) {
            int64_t column = at % columns - prefix;
            engine->places[count] = slot->position + at % columns;
            for (int64_t q = 0; q < config->codebooks; q++) /* those of a prefix are replaced */
                engine->ids[count * config->codebooks + q] =
                    q * (config->vocabulary + 1) + (column < 0 ? 0 : feeds[i].ids[column * config->codebooks + q]);
        }
    }
    return count;
}

/* Runs the model over the rows laid out, and reads the logits: one transfer a step. */
static int compute(const struct step *step, int64_t rows)
{
    struct engine *engine = step->engine;
    struct scope scope;
    scope_open(&scope);
    struct tensor *x = embed(step, rows);
    for (int64_t i = 0; i < engine->model->language.layers && !failed(); i++)
        run_layer(step, i, x);
    struct tensor *logits = product(engine, normalise(last_columns(step, x), &engine->language.last_norm), engine->language.heads);
    int result = failed() ? -1 : tensor_read(logits, engine->logits, (size_t)tensor_elements(logits) * sizeof(float));
    scope_close(&scope);
    return result;
}

static int torch_step(struct engine *engine, struct engine_feed *feeds, int count)
{
    const struct language_config *config = &engine->model->language;
    struct span spans[MOST_SLOTS];
    struct step step = {engine, spans, count};
    if (compute(&step, lay_out(&step, feeds)))
        return -1;
    const float *logits = engine->logits;
    for (int i = 0; i < count; i++) {
        feeds[i].logits = logits;
        logits += spans[i].slot->rows * config->codebooks * config->vocabulary;
        spans[i].slot->position += spans[i].columns;
    }
    return 0;
}

/* tracks */

static void torch_restart(struct engine *engine, int slot)
{
    engine->slots[slot].position = 0;
}

/* The condition as the language model's vectors, [tokens, d]. */
static struct tensor *project_text(const struct engine *engine, const struct condition *condition)
{
    struct tensor *hidden = tensor_from(engine->settings.device, TENSOR_F32, SHAPE(condition->tokens, condition->width), condition->hidden);
    return tensor_add(product(engine, hidden, engine->language.text_matrix), engine->language.text_bias);
}

/* Keys and values of the condition, once for the whole track. */
static void store_text(struct engine *engine, struct slot *slot, const struct condition *condition)
{
    const struct language_model *language = &engine->language;
    struct tensor *text = project_text(engine, condition);
    for (int64_t i = 0; i < engine->model->language.layers && !failed(); i++) {
        struct scope scope;
        scope_open(&scope);
        struct tensor *stacked = product(engine, text, language->layers[i].cross_text);
        tensor_copy(held(slot->text_keys[i], 1, 0, condition->tokens), split_heads(engine, stacked, 0, 1, condition->tokens, 2, 0));
        tensor_copy(held(slot->text_values[i], 1, 0, condition->tokens), split_heads(engine, stacked, 0, 1, condition->tokens, 2, 1));
        scope_close(&scope);
    }
}

/* Chroma vectors [frames, d]; NULL: of silence, which is bin 0. */
static struct tensor *project_chroma(const struct engine *engine, const int32_t *chroma)
{
    int64_t frames = engine->model->language.chroma_frames;
    int64_t *bins = allocate((size_t)frames, sizeof *bins);
    for (int64_t t = 0; chroma && t < frames; t++)
        bins[t] = chroma[t];
    struct tensor *ids = tensor_from(engine->settings.device, TENSOR_I64, SHAPE(frames), bins);
    struct tensor *columns = tensor_contiguous(tensor_transpose(tensor_cast(engine->language.chroma_matrix, TENSOR_F32), 0, 1));
    free(bins);
    return tensor_add(tensor_embedding(columns, ids), engine->language.chroma_bias);
}

/* The conditional row's prefix, then the null row's. */
static void store_prefix(const struct engine *engine, const struct slot *slot, const struct condition *condition, const int32_t *chroma)
{
    int64_t frames = engine->model->language.chroma_frames;
    tensor_copy(slot->prefix, tensor_zeros(engine->settings.device, TENSOR_F32, SHAPE(1)));
    for (int64_t row = 0; row < slot->rows; row++)
        tensor_copy(tensor_narrow(tensor_select(slot->prefix, 0, row), 0, 0, frames), project_chroma(engine, row == 0 ? chroma : NULL));
    if (condition->tokens)
        tensor_copy(tensor_narrow(tensor_select(slot->prefix, 0, 0), 0, frames, condition->tokens), project_text(engine, condition));
}

static int torch_admit(struct engine *engine, int slot, const struct condition *condition, const int32_t *chroma, bool guided)
{
    struct slot *place = &engine->slots[slot];
    struct scope scope;
    place->rows = guided ? 2 : 1;
    place->position = 0;
    place->prefix_length = engine_prefix(&engine->model->language, condition);
    place->text_tokens = place->prefix_length ? 0 : condition->tokens;
    assert(place->rows <= engine->settings.rows && place->text_tokens <= engine->settings.text_tokens);
    assert(place->prefix_length <= engine->settings.prefix && (!chroma || place->prefix_length));
    scope_open(&scope);
    if (place->prefix_length)
        store_prefix(engine, place, condition, chroma);
    else if (condition->tokens)
        store_text(engine, place, condition);
    scope_close(&scope);
    return failed() ? -1 : 0;
}

/* memory */

static int64_t largest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t widened_elements(const struct model *model, const struct engine_settings *settings)
{
    const struct language_config *config = &model->language;
    int64_t outputs = largest(3 * config->width, largest(config->feed_forward, config->codebooks * config->vocabulary));
    bool needed = settings->device.kind == DEVICE_CPU && settings->weights == ELEMENT_F16;
    return needed ? config->width * largest(outputs, model->text.width) : 0;
}

/* Elements that the largest moment of a step needs beside weights and caches, in float32. Half as much again for the gaps
 * between them: measured with a prompt of 25 s, 1.4 times as much. */
static int64_t scratch_elements(const struct model *model, const struct engine_settings *settings)
{
    const struct language_config *config = &model->language;
    int64_t d = config->width, f = config->feed_forward, outputs = config->codebooks * config->vocabulary;
    int64_t rows = settings->slots * settings->rows, columns = rows * (settings->prefix + largest(settings->prefill, 1));
    /* x, its norm, what is added, the sum; with q k v, attention's own 3, heads and heads in order, or f and GELU's own 3 */
    int64_t layer = columns * (4 * d + largest(8 * d, 4 * f));
    int64_t embedding = columns * (config->codebooks + 2) * d;
    int64_t text = (settings->text_tokens + settings->prefix) * (model->text.width + 4 * d);
    int64_t elements = largest(largest(layer, embedding), text) + 3 * rows * outputs;
    if (settings->device.kind == DEVICE_CPU && settings->cache == ELEMENT_F16)
        elements += 2 * settings->rows * capacity(settings) * d;
    return elements + elements / 2 + widened_elements(model, settings);
}

static void torch_plan_work(const struct model *model, const struct engine_settings *settings, struct memory_plan *plan)
{
    const struct language_config *config = &model->language;
    const int64_t element = (int64_t)element_size(settings->cache), layers = config->layers, slots = settings->slots;
    memory_plan_add(plan, "positions", capacity(settings) * config->width * (int64_t)sizeof(float));
    memory_plan_add(plan, "key/value cache", slots * layers * 2 * settings->rows * capacity(settings) * config->width * element);
    memory_plan_add(plan, "text key/value cache", slots * layers * 2 * settings->text_tokens * config->width * element);
    if (settings->prefix)
        memory_plan_add(plan, "prefixes", slots * settings->rows * settings->prefix * config->width * (int64_t)sizeof(float));
    memory_plan_add(plan, "scratch", scratch_elements(model, settings) * (int64_t)sizeof(float));
}

static void make_positions(struct engine *engine)
{
    int64_t count = capacity(&engine->settings), width = engine->model->language.width;
    float *table = allocate((size_t)(count * width), sizeof *table);
    positions_fill(table, count, width);
    engine->positions = tensor_own(tensor_from(engine->settings.device, TENSOR_F32, SHAPE(count, width), table));
    free(table);
}

/* A cache tensor a layer; zero-filled, so that its pages are there before work starts. */
static struct tensor **make_cache(const struct engine *engine, int64_t rows, int64_t length)
{
    const struct language_config *config = &engine->model->language;
    struct tensor **cache = allocate((size_t)config->layers, sizeof *cache);
    for (int64_t i = 0; i < config->layers && !failed(); i++)
        cache[i] = tensor_own(tensor_zeros(engine->settings.device, tensor_type_for(engine->settings.cache),
                                           SHAPE(rows, config->heads, length, head_width(config))));
    return cache;
}

static void make_slots(struct engine *engine)
{
    const struct engine_settings *settings = &engine->settings;
    engine->slots = allocate((size_t)settings->slots, sizeof *engine->slots);
    for (int i = 0; i < settings->slots && !failed(); i++) {
        struct slot *slot = &engine->slots[i];
        slot->keys = make_cache(engine, settings->rows, capacity(settings));
        slot->values = make_cache(engine, settings->rows, capacity(settings));
        slot->text_keys = make_cache(engine, 1, settings->text_tokens);
        slot->text_values = make_cache(engine, 1, settings->text_tokens);
        if (settings->prefix)
            slot->prefix = tensor_own(tensor_zeros(settings->device, TENSOR_F32, SHAPE(settings->rows, settings->prefix, engine->model->language.width)));
    }
}

static void free_cache(struct tensor **cache, int64_t layers)
{
    for (int64_t i = 0; cache && i < layers; i++)
        tensor_free(cache[i]);
    free(cache);
}

static void torch_close(struct engine *engine)
{
    if (!engine)
        return;
    for (int i = 0; engine->slots && i < engine->settings.slots; i++) {
        struct tensor **caches[] = {engine->slots[i].keys, engine->slots[i].values, engine->slots[i].text_keys,
                                    engine->slots[i].text_values};
        for (size_t n = 0; n < COUNT_OF(caches); n++)
            free_cache(caches[n], engine->model->language.layers);
        tensor_free(engine->slots[i].prefix);
    }
    free(engine->slots);
    tensor_free(engine->positions);
    tensor_free(engine->widened);
    language_model_release(&engine->language);
    free(engine->ids);
    free(engine->places);
    free(engine->logits);
    free(engine);
}

static struct engine *torch_open(const struct model *model, struct checkpoint *checkpoint, const struct engine_settings *settings)
{
    const struct language_config *config = &model->language;
    struct engine *engine = allocate(1, sizeof *engine);
    size_t rows = (size_t)(settings->slots * settings->rows), columns = rows * (size_t)(settings->prefix + settings->prefill);
    struct scope scope;
    engine->model = model;
    engine->settings = *settings;
    engine->ids = allocate(columns * (size_t)config->codebooks, sizeof *engine->ids);
    engine->places = allocate(columns, sizeof *engine->places);
    engine->logits = allocate(rows * (size_t)(config->codebooks * config->vocabulary), sizeof *engine->logits);
    scope_open(&scope);
    language_model_load(&engine->language, model, checkpoint, settings->device, settings->weights);
    make_positions(engine);
    make_slots(engine);
    if (widened_elements(model, settings))
        engine->widened = tensor_own(tensor_new(settings->device, TENSOR_F32, SHAPE(widened_elements(model, settings))));
    scope_close(&scope);
    if (!failed())
        return engine;
    torch_close(engine);
    return NULL;
}

const struct engine_operations ENGINE_TORCH = {
    .name = "torch",
    .plan_weights = language_model_plan,
    .plan_work = torch_plan_work,
    .open = torch_open,
    .admit = torch_admit,
    .restart = torch_restart,
    .step = torch_step,
    .close = torch_close,
};
