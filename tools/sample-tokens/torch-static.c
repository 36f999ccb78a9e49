/* SPDX-License-Identifier: Apache-2.0
 * The static step: one column of every slot at once, in shapes that are the same whatever the slots hold, so that a GPU can
 * replay it as a recorded graph. What differs from step to step is data on the device: ids, positions, places in the cache.
 *
 * Rows of the residual stream: row r of slot s is s * rows + r, A in all; zero-filled ones make them R, a multiple of 16, so
 * that every product has one shape for 1 to 8 guided tracks, and a row's numbers do not depend on its neighbours.
 * Attention covers the whole cache under a mask: what is masked adds exact zeros, and what was never written is zero. A
 * conditional row without text has zeros for it as well, of which it sees the first, and so adds exactly zero.
 *
 * Idle rows (a slot without a feed, the second row of a track without guidance) compute something finite that nobody reads. What they
 * would store goes to the last position of their row of the cache, which no track reaches: a slot that is not fed keeps its
 * past.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/progress.h"
#include "libtorch/graph.h"
#include "sample-tokens/engine-torch.h"

/* Steps before the first recording: libraries make their workspaces in them. */
enum { WARM_STEPS = 2, ROW_BLOCK = 16 };

struct static_step {
    int64_t rows, products;                    /* A and R */
    struct tensor *host_inputs, *inputs;       /* I64: ids [R, K], positions [R], places in the cache [A]; pinned, and on the device */
    struct tensor *range;                      /* I64 [positions]: 0, 1, ... */
    struct tensor *open, *closed;              /* [1]: what a mask adds where attention may look, and where not: 0, -inf */
    struct tensor *attended, *text_attended;   /* [R, d]: rows beyond A, and those of the text beside each slot's first, stay 0 */
    struct tensor *text_masks;                 /* [slots, 1, 1, text tokens]; NULL: no track attends to any */
    struct tensor *logits, *host_logits;       /* [A, K V] float32 on the device, and pinned */
    struct graph *graph;                       /* NULL: not recorded */
    int warm;                                  /* steps done, up to WARM_STEPS */
    bool recordable;                           /* as far as is known */
};

int64_t torch_static_rows(const struct engine_settings *settings)
{
    int64_t rows = settings->slots * settings->rows;
    return (rows + ROW_BLOCK - 1) / ROW_BLOCK * ROW_BLOCK;
}

/* inputs on the device; views */

static struct tensor *input(const struct engine *engine, int64_t start, int64_t count)
{
    return tensor_narrow(engine->static_step->inputs, 0, start, count);
}

static struct tensor *input_ids(const struct engine *engine)
{
    int64_t rows = engine->static_step->products, codebooks = engine->model->language.codebooks;
    return tensor_view(input(engine, 0, rows * codebooks), SHAPE(rows, codebooks));
}

static struct tensor *input_positions(const struct engine *engine)
{
    int64_t rows = engine->static_step->products;
    return input(engine, rows * engine->model->language.codebooks, rows);
}

static struct tensor *input_places(const struct engine *engine)
{
    const struct static_step *step = engine->static_step;
    return input(engine, step->products * (engine->model->language.codebooks + 1), step->rows);
}

/* the parts of a step */

/* Embeddings summed over codebooks plus positions: [R, d]. */
static struct tensor *embed(const struct engine *engine)
{
    struct scope scope;
    scope_open(&scope);
    struct tensor *tokens = tensor_cast(tensor_embedding(engine->language.embeddings, input_ids(engine)), TENSOR_F32);
    struct tensor *x = tensor_add(tensor_sum(tokens, 1, false), tensor_embedding(engine->positions, input_positions(engine)));
    x = scope_keep(&scope, x);
    scope_close(&scope);
    return x;
}

/* Each row sees its positions up to the present one: [A, 1, 1, positions]. */
static struct tensor *past_mask(const struct engine *engine)
{
    const struct static_step *step = engine->static_step;
    struct scope scope;
    scope_open(&scope);
    struct tensor *present = tensor_view(tensor_narrow(input_positions(engine), 0, 0, step->rows), SHAPE(step->rows, 1));
    struct tensor *mask = tensor_where(tensor_less_equal(step->range, present), step->open, step->closed);
    mask = scope_keep(&scope, tensor_view(mask, SHAPE(step->rows, 1, 1, -1)));
    scope_close(&scope);
    return mask;
}

/* x [R, d] -> what self-attention adds to it, once the new keys and values are stored. */
static struct tensor *self_attention(const struct engine *engine, int64_t index, struct tensor *x, struct tensor *mask)
{
    const struct static_step *step = engine->static_step;
    const struct language_layer *layer = &engine->language.layers[index];
    int64_t d = engine->model->language.width, rows = step->rows;
    struct tensor *cache = engine->caches[index];
    struct tensor *stacked = torch_short_product(engine, torch_normalise(x, &layer->self_norm), layer->self_in);
    struct tensor *added = tensor_cast(tensor_narrow(tensor_narrow(stacked, 0, 0, rows), 1, d, 2 * d), torch_cache_type(&engine->settings));
    tensor_index_copy(tensor_view(cache, SHAPE(-1, 2 * d)), 0, input_places(engine), added);
    struct tensor *q = torch_queries(engine, stacked, 3, 0, rows, 1);
    struct tensor *y = torch_attend(engine, q, cache, 0, tensor_size(cache, 1), mask, false);
    tensor_copy(tensor_narrow(step->attended, 0, 0, rows), y);
    return torch_product(engine, step->attended, layer->self_out);
}

/* The first row of each slot, of some [at least A, d]: [slots, d]; a view. */
static struct tensor *conditional_rows(const struct engine *engine, struct tensor *some)
{
    const struct engine_settings *settings = &engine->settings;
    struct tensor *own = tensor_narrow(some, 0, 0, engine->static_step->rows);
    return tensor_select(tensor_view(own, SHAPE(settings->slots, settings->rows, engine->model->language.width)), 1, 0);
}

/* x [R, d] -> what cross-attention adds to it. */
static struct tensor *cross_attention(const struct engine *engine, int64_t index, struct tensor *x)
{
    const struct static_step *step = engine->static_step;
    const struct language_layer *layer = &engine->language.layers[index];
    struct tensor *cache = engine->text_caches[index];
    struct tensor *queries = torch_short_product(engine, torch_normalise(x, &layer->cross_norm), layer->cross_query);
    struct tensor *q = torch_queries(engine, queries, 1, 0, engine->settings.slots, engine->settings.rows);
    q = tensor_narrow(q, 2, 0, 1); /* a slot's rows stand in the place of columns */
    struct tensor *y = torch_attend(engine, q, cache, 0, tensor_size(cache, 1), step->text_masks, false);
    tensor_copy(conditional_rows(engine, step->text_attended), y);
    return torch_product(engine, step->text_attended, layer->cross_out);
}

/* x + added takes the place of x, which is owned: a step holds two of them at most. */
static void advance(struct tensor **x, struct tensor *added)
{
    struct tensor *sum = tensor_own(tensor_add(*x, added));
    tensor_free(*x);
    *x = sum;
}

/* Each part's temporaries are freed, so that a step holds those of one part at a time. */
static void run_layer(const struct engine *engine, int64_t index, struct tensor **x, struct tensor *mask)
{
    struct scope scope;
    scope_open(&scope);
    advance(x, self_attention(engine, index, *x, mask));
    scope_close(&scope);
    scope_open(&scope);
    if (engine->static_step->text_masks)
        advance(x, cross_attention(engine, index, *x));
    scope_close(&scope);
    scope_open(&scope);
    advance(x, torch_feed_forward(engine, index, *x));
    scope_close(&scope);
}

/* From inputs to logits, all on the device: what is recorded. */
static int compute(void *context)
{
    const struct engine *engine = context;
    const struct static_step *step = engine->static_step;
    struct scope scope;
    scope_open(&scope);
    struct tensor *mask = past_mask(engine), *x = tensor_own(embed(engine));
    for (int64_t i = 0; i < engine->model->language.layers && !failed(); i++)
        run_layer(engine, i, &x, mask);
    struct tensor *logits = torch_product(engine, torch_normalise(x, &engine->language.last_norm), engine->language.heads);
    if (!failed())
        tensor_copy(step->logits, tensor_narrow(logits, 0, 0, step->rows));
    tensor_free(x);
    scope_close(&scope);
    return failed() ? -1 : 0;
}

/* recording */

void torch_static_forget(struct engine *engine)
{
    if (!engine->static_step)
        return;
    graph_free(engine->static_step->graph);
    engine->static_step->graph = NULL;
}

/* Said once; steps go on without. */
static void give_up_recording(struct engine *engine, const char *reason)
{
    static bool said;
    torch_static_forget(engine);
    engine->static_step->recordable = false;
    if (!said)
        note("the step runs without a CUDA graph: %s", reason);
    said = true;
}

/* Why the graph just recorded is not to be believed, yours; or NULL: it computes the logits that `logits` [A, K V], of the same
 * inputs, are. Its first launch puts it on the device, for which there may be no memory: no failure is left then. */
static char *replay_differs(struct engine *engine, const float *logits, size_t bytes)
{
    const struct static_step *step = engine->static_step;
    char *reason = NULL;
    if (graph_replay(step->graph) || tensor_copy(step->host_logits, step->logits))
        reason = copy_string(failure_text());
    else if (memcmp(logits, tensor_data(step->host_logits), bytes) != 0)
        reason = copy_string("its replay computes something else");
    failure_clear();
    return reason;
}

/* A step as it is, and its recording, which is believed when it gives the same in every bit: libtorch's allocator does not know of
 * it, so it is better seen than hoped for. */
static int run_and_record(struct engine *engine)
{
    struct static_step *step = engine->static_step;
    size_t bytes = (size_t)tensor_elements(step->logits) * sizeof(float);
    char *reason = NULL;
    if (compute(engine) || tensor_copy(step->host_logits, step->logits))
        return -1;
    float *logits = allocate(bytes, 1);
    memcpy(logits, tensor_data(step->host_logits), bytes);
    step->graph = graph_record(engine->settings.device, compute, engine, &reason);
    if (step->graph)
        reason = replay_differs(engine, logits, bytes);
    if (reason)
        give_up_recording(engine, reason);
    int result = reason ? compute(engine) : 0;
    free(logits);
    free(reason);
    return result;
}

/* LEITMOTIF_GRAPH=off keeps steps unrecorded, to compare. */
static bool recording_wanted(struct device device)
{
    const char *choice = getenv("LEITMOTIF_GRAPH");
    if (choice && *choice && strcmp(choice, "on") != 0 && strcmp(choice, "off") != 0)
        fail("'LEITMOTIF_GRAPH=%s': expected on or off", choice);
    return device.kind != DEVICE_CPU && !(choice && strcmp(choice, "off") == 0);
}

/* one step */

/* Idle rows are token 0 at position 0, and store at the last position of their cache. */
static void fill_inputs(struct engine *engine, struct engine_feed *const *feeds, int count)
{
    const struct static_step *step = engine->static_step;
    const struct language_config *config = &engine->model->language;
    int64_t length = torch_cache_length(&engine->settings);
    int64_t *ids = tensor_data(step->host_inputs), *positions = ids + step->products * config->codebooks, *places = positions + step->products;
    memset(ids, 0, (size_t)(step->products * (config->codebooks + 1)) * sizeof *ids);
    for (int64_t row = 0; row < step->rows; row++)
        places[row] = row * length + length - 1;
    for (int i = 0; i < count; i++) {
        const struct torch_slot *slot = &engine->slots[feeds[i]->slot];
        int64_t first = feeds[i]->slot * engine->settings.rows;
        assert(slot->position < torch_positions(&engine->settings));
        for (int64_t row = first; row < first + slot->rows; row++) {
            for (int64_t q = 0; q < config->codebooks; q++)
                ids[row * config->codebooks + q] = q * (config->vocabulary + 1) + feeds[i]->ids[q];
            positions[row] = slot->position;
            places[row] = row * length + slot->position;
        }
    }
}

static int launch(struct engine *engine)
{
    struct static_step *step = engine->static_step;
    if (step->graph)
        return graph_replay(step->graph);
    if (step->recordable && step->warm == WARM_STEPS)
        return run_and_record(engine);
    step->warm += step->warm < WARM_STEPS;
    return compute(engine);
}

int torch_static_run(struct engine *engine, struct engine_feed *const *feeds, int count)
{
    struct static_step *step = engine->static_step;
    const struct language_config *config = &engine->model->language;
    if (failed())
        return -1;
    fill_inputs(engine, feeds, count);
    if (tensor_send(step->inputs, step->host_inputs) || launch(engine) || tensor_copy(step->host_logits, step->logits)) { /* this waits */
        torch_static_forget(engine);
        return -1;
    }
    const float *logits = tensor_data(step->host_logits);
    for (int i = 0; i < count; i++) {
        feeds[i]->logits = logits + feeds[i]->slot * engine->settings.rows * config->codebooks * config->vocabulary;
        engine->slots[feeds[i]->slot].position++;
    }
    return 0;
}

/* tracks */

/* The mask over the text of a slot. Without one it sees a single position, which is zeros then. */
void torch_static_admit(struct engine *engine, int slot)
{
    const struct static_step *step = engine->static_step;
    int64_t length = torch_text_length(&engine->settings), tokens = engine->slots[slot].text_tokens;
    if (!step || !step->text_masks)
        return;
    float *mask = allocate((size_t)length, sizeof *mask);
    for (int64_t t = 0; t < length; t++)
        mask[t] = t < tokens || t == 0 ? 0 : -INFINITY;
    struct scope scope;
    scope_open(&scope);
    tensor_copy(tensor_select(step->text_masks, 0, slot), tensor_from(engine->settings.device, TENSOR_F32, SHAPE(1, 1, length), mask));
    for (int64_t i = 0; i < engine->model->language.layers && tokens == 0; i++)
        tensor_copy(tensor_select(tensor_select(engine->text_caches[i], 0, slot), 0, 0),
                    tensor_zeros(engine->settings.device, TENSOR_F32, SHAPE(1)));
    scope_close(&scope);
    free(mask);
}

/* memory */

static struct tensor *make_range(struct device device, int64_t count)
{
    int64_t *numbers = allocate((size_t)count, sizeof *numbers);
    for (int64_t i = 0; i < count; i++)
        numbers[i] = i;
    struct tensor *range = tensor_own(tensor_from(device, TENSOR_I64, SHAPE(count), numbers));
    free(numbers);
    return range;
}

static struct tensor *make_constant(const struct engine *engine, float value)
{
    struct scope scope;
    scope_open(&scope);
    struct tensor *constant = tensor_from(engine->settings.device, TENSOR_F32, SHAPE(1), &value);
    constant = tensor_own(tensor_cast(constant, torch_attention_type(&engine->settings)));
    scope_close(&scope);
    return constant;
}

static struct tensor *make_zeros(const struct engine *engine, enum tensor_type type, int rank, const int64_t *shape)
{
    return tensor_own(tensor_zeros(engine->settings.device, type, rank, shape));
}

static void make_buffers(const struct engine *engine, struct static_step *step)
{
    const struct engine_settings *settings = &engine->settings;
    const struct language_config *config = &engine->model->language;
    const enum tensor_type type = torch_attention_type(settings);
    int64_t inputs = step->products * (config->codebooks + 1) + step->rows, outputs = config->codebooks * config->vocabulary;
    step->host_inputs = tensor_own(tensor_pinned(settings->device, TENSOR_I64, SHAPE(inputs)));
    step->inputs = make_zeros(engine, TENSOR_I64, SHAPE(inputs));
    step->range = make_range(settings->device, torch_cache_length(settings));
    step->open = make_constant(engine, 0);
    step->closed = make_constant(engine, -INFINITY);
    step->attended = make_zeros(engine, type, SHAPE(step->products, config->width));
    step->logits = make_zeros(engine, TENSOR_F32, SHAPE(step->rows, outputs));
    step->host_logits = tensor_own(tensor_pinned(settings->device, TENSOR_F32, SHAPE(step->rows, outputs)));
    if (settings->text_tokens == 0)
        return;
    step->text_attended = make_zeros(engine, type, SHAPE(step->products, config->width));
    step->text_masks = make_zeros(engine, type, SHAPE(settings->slots, 1, 1, torch_text_length(settings)));
}

int torch_static_open(struct engine *engine)
{
    struct static_step *step = allocate(1, sizeof *step);
    engine->static_step = step;
    step->rows = engine->settings.slots * engine->settings.rows;
    step->products = torch_static_rows(&engine->settings);
    step->recordable = recording_wanted(engine->settings.device);
    make_buffers(engine, step);
    for (int slot = 0; slot < engine->settings.slots && !failed(); slot++)
        torch_static_admit(engine, slot);
    return failed() ? -1 : 0;
}

void torch_static_close(struct engine *engine)
{
    struct static_step *step = engine->static_step;
    if (!step)
        return;
    torch_static_forget(engine);
    struct tensor *owned[] = {step->host_inputs, step->inputs, step->range, step->open, step->closed, step->attended, step->text_attended,
                              step->text_masks, step->logits, step->host_logits};
    for (size_t i = 0; i < COUNT_OF(owned); i++)
        tensor_free(owned[i]);
    free(step);
    engine->static_step = NULL;
}
