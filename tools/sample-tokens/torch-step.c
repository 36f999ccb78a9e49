/* SPDX-License-Identifier: Apache-2.0
 * The step of any feeds: single columns, prompts, prefixes. It is the reference that the static step and other engines are
 * held to, and all of engine torch on a CPU.
 *
 * All rows of a step are one matrix x [M, d] of the residual stream in float32; M counts (slot, row, column), in this
 * order. Linear layers take it whole; attention goes slot by slot, because lengths differ. The null row has no text, and
 * zero keys and values without biases attend to zero: its cross-attention is left out.
 *
 * Melody models have no cross-attention. The first feed after admit or restart begins with the slot's prefix instead:
 * chroma, then text, at the first positions; the null row's are the chroma of silence and zeros, attended to like any.
 */
#include <assert.h>

#include "base/failure.h"
#include "sample-tokens/engine-torch.h"

/* Where a feed's rows lie in x. */
struct span {
    struct torch_slot *slot;
    int64_t row;     /* the first of its cache */
    int64_t start;
    int64_t columns; /* with the prefix, when it is fed */
    int64_t prefix;  /* of these */
};

struct step {
    struct engine *engine;
    struct span *spans;
    int count;
};

/* attention */

/* Stores the new keys and values and attends to all held. Causality needs care only for the first feed, when queries and
 * keys are equally many; later feeds are one column, which may see everything. */
static struct tensor *attend_to_past(const struct engine *engine, const struct span *span, struct tensor *cache, struct tensor *stacked)
{
    int64_t d = engine->model->language.width, rows = span->slot->rows, position = span->slot->position, columns = span->columns;
    struct tensor *place = tensor_narrow(tensor_narrow(cache, 0, span->row, rows), 1, position, columns);
    struct tensor *added = tensor_view(tensor_narrow(stacked, 0, span->start, rows * columns), SHAPE(rows, columns, 3 * d));
    tensor_copy(place, tensor_narrow(added, 2, d, 2 * d));
    struct tensor *q = torch_queries(engine, stacked, 3, span->start, rows, columns);
    return torch_attend(engine, q, cache, span->row, position + columns, NULL, columns > 1);
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
    struct tensor *stacked = torch_short_product(engine, torch_normalise(x, &layer->self_norm), layer->self_in);
    for (int i = 0; i < step->count; i++) {
        struct scope scope;
        scope_open(&scope);
        parts[i] = scope_keep(&scope, attend_to_past(engine, &step->spans[i], engine->caches[index], stacked));
        scope_close(&scope);
    }
    return torch_product(engine, joined(parts, step->count), layer->self_out);
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
    struct tensor *queries = torch_short_product(engine, torch_normalise(joined(rows, count), &layer->cross_norm), layer->cross_query);
    struct tensor *parts[MOST_SLOTS];
    int64_t start = 0;
    for (int i = 0; i < count; start += with[i++]->columns) {
        struct tensor *q = torch_queries(engine, queries, 1, start, 1, with[i]->columns);
        parts[i] = torch_attend(engine, q, engine->text_caches[index], with[i]->slot - engine->slots, with[i]->slot->text_tokens, NULL, false);
    }
    struct tensor *added = torch_product(engine, joined(parts, count), layer->cross_out);
    start = 0;
    for (int i = 0; i < count; start += with[i++]->columns)
        add_to(rows[i], tensor_narrow(added, 0, start, with[i]->columns));
}

/* one step */

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
    add_to(x, torch_feed_forward(step->engine, index, x));
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
static int64_t lay_out(const struct step *step, struct engine_feed *const *feeds)
{
    struct engine *engine = step->engine;
    const struct language_config *config = &engine->model->language;
    int64_t count = 0;
    for (int i = 0; i < step->count; i++) {
        struct torch_slot *slot = &engine->slots[feeds[i]->slot];
        int64_t prefix = slot->position == 0 ? slot->prefix_length : 0, columns = prefix + feeds[i]->columns;
        assert(feeds[i]->columns <= engine->settings.prefill && (feeds[i]->columns == 1 || slot->position == 0));
        assert(slot->position + columns <= torch_positions(&engine->settings));
        step->spans[i] = (struct span){slot, feeds[i]->slot * engine->settings.rows, count, columns, prefix};
        for (int64_t at = 0; at < slot->rows * columns; at++, count++) {
            int64_t column = at % columns - prefix;
            engine->places[count] = slot->position + at % columns;
            for (int64_t q = 0; q < config->codebooks; q++) /* those of a prefix are replaced */
                engine->ids[count * config->codebooks + q] =
                    q * (config->vocabulary + 1) + (column < 0 ? 0 : feeds[i]->ids[column * config->codebooks + q]);
        }
    }
    return count;
}

/* Runs the model over the rows laid out, and reads the logits: one transfer a step. */
static int compute(const struct step *step, int64_t rows, float *into)
{
    struct engine *engine = step->engine;
    struct scope scope;
    scope_open(&scope);
    struct tensor *x = embed(step, rows);
    for (int64_t i = 0; i < engine->model->language.layers && !failed(); i++)
        run_layer(step, i, x);
    struct tensor *logits = torch_product(engine, torch_normalise(last_columns(step, x), &engine->language.last_norm), engine->language.heads);
    int result = failed() ? -1 : tensor_read(logits, into, (size_t)tensor_elements(logits) * sizeof(float));
    scope_close(&scope);
    return result;
}

int torch_step_run(struct engine *engine, struct engine_feed *const *feeds, int count, float *logits)
{
    const struct language_config *config = &engine->model->language;
    struct span spans[MOST_SLOTS];
    struct step step = {engine, spans, count};
    if (compute(&step, lay_out(&step, feeds), logits))
        return -1;
    for (int i = 0; i < count; i++) {
        feeds[i]->logits = logits;
        logits += spans[i].slot->rows * config->codebooks * config->vocabulary;
        spans[i].slot->position += spans[i].columns;
    }
    return 0;
}
