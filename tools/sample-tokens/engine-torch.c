/* SPDX-License-Identifier: Apache-2.0
 * The engine of libtorch operations, for any device: memory and tracks. Which step computes a feed: torch_step.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/failure.h"
#include "base/memory.h"
#include "sample-tokens/engine-torch.h"
#include "sample-tokens/positions.h"

/* one step */

static bool is_static(const struct engine *engine, const struct engine_feed *feed)
{
    const struct torch_slot *slot = &engine->slots[feed->slot];
    return engine->static_step && feed->columns == 1 && (slot->position > 0 || slot->prefix_length == 0);
}

/* Beside a static step one slot after another: a product has the shape of that slot's feed then, and its bits depend on no
 * neighbour. Else all at once, which reads the weights once. */
static int step_any(struct engine *engine, struct engine_feed *const *feeds, int count)
{
    const struct language_config *config = &engine->model->language;
    const int64_t numbers = engine->settings.rows * config->codebooks * config->vocabulary; /* of a slot's logits */
    const int together = engine->static_step ? 1 : count;
    for (int i = 0; i < count; i += together)
        if (torch_step_run(engine, feeds + i, together, engine->logits + i * numbers))
            return -1;
    return 0;
}

/* Single columns go by the static step where there is one; prompts and prefixes, and all else, by the other, which allocates. */
static int torch_step(struct engine *engine, struct engine_feed *feeds, int count)
{
    struct engine_feed *any[MOST_SLOTS], *columns[MOST_SLOTS];
    int any_count = 0, column_count = 0;
    for (int i = 0; i < count; i++) {
        if (is_static(engine, &feeds[i]))
            columns[column_count++] = &feeds[i];
        else
            any[any_count++] = &feeds[i];
    }
    if (any_count)
        torch_static_forget(engine);
    if (step_any(engine, any, any_count))
        return -1;
    return column_count ? torch_static_run(engine, columns, column_count) : 0;
}

/* tracks */

static void torch_restart(struct engine *engine, int slot)
{
    engine->slots[slot].position = 0;
}

/* The condition as the language model's vectors, [tokens, d]. */
static struct tensor *project_text(const struct engine *engine, const struct condition *condition)
{
    struct scope scope;
    scope_open(&scope);
    struct tensor *hidden = tensor_from(engine->settings.device, TENSOR_F32, SHAPE(condition->tokens, condition->width), condition->hidden);
    struct tensor *text = tensor_add(torch_product(engine, hidden, engine->language.text_matrix), engine->language.text_bias);
    text = scope_keep(&scope, text);
    scope_close(&scope);
    return text;
}

/* Keys and values of the condition, once for the whole track. */
static void store_text(struct engine *engine, int slot, const struct condition *condition)
{
    struct tensor *text = project_text(engine, condition);
    for (int64_t i = 0; i < engine->model->language.layers && !failed(); i++) {
        struct scope scope;
        scope_open(&scope);
        tensor_copy(tensor_narrow(tensor_select(engine->text_caches[i], 0, slot), 0, 0, condition->tokens),
                    torch_short_product(engine, text, engine->language.layers[i].cross_text));
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
static void store_prefix(const struct engine *engine, const struct torch_slot *slot, const struct condition *condition, const int32_t *chroma)
{
    int64_t frames = engine->model->language.chroma_frames;
    tensor_copy(slot->prefix, tensor_zeros(engine->settings.device, TENSOR_F32, SHAPE(1)));
    for (int64_t row = 0; row < slot->rows; row++) {
        struct scope scope;
        scope_open(&scope);
        tensor_copy(tensor_narrow(tensor_select(slot->prefix, 0, row), 0, 0, frames), project_chroma(engine, row == 0 ? chroma : NULL));
        scope_close(&scope);
    }
    if (condition->tokens)
        tensor_copy(tensor_narrow(tensor_select(slot->prefix, 0, 0), 0, frames, condition->tokens), project_text(engine, condition));
}

static int torch_admit(struct engine *engine, int slot, const struct condition *condition, const int32_t *chroma, bool guided)
{
    struct torch_slot *place = &engine->slots[slot];
    struct scope scope;
    place->rows = guided ? 2 : 1;
    place->position = 0;
    place->prefix_length = engine_prefix(&engine->model->language, condition);
    place->text_tokens = place->prefix_length ? 0 : condition->tokens;
    assert(place->rows <= engine->settings.rows && place->text_tokens <= engine->settings.text_tokens);
    assert(place->prefix_length <= engine->settings.prefix && (!chroma || place->prefix_length));
    torch_static_forget(engine);
    scope_open(&scope);
    if (place->prefix_length)
        store_prefix(engine, place, condition, chroma);
    else if (condition->tokens)
        store_text(engine, slot, condition);
    torch_static_admit(engine, slot);
    scope_close(&scope);
    return failed() ? -1 : 0;
}

/* memory */

static void make_positions(struct engine *engine)
{
    int64_t count = torch_positions(&engine->settings), width = engine->model->language.width;
    float *table = allocate((size_t)(count * width), sizeof *table);
    positions_fill(table, count, width);
    engine->positions = tensor_own(tensor_from(engine->settings.device, TENSOR_F32, SHAPE(count, width), table));
    free(table);
}

/* A cache tensor a layer; zero-filled, so that attention finds numbers where nothing was stored, and its pages are there
 * before work starts. */
static struct tensor **make_caches(const struct engine *engine, int64_t rows, int64_t length)
{
    const struct language_config *config = &engine->model->language;
    struct tensor **caches = allocate((size_t)config->layers, sizeof *caches);
    for (int64_t i = 0; i < config->layers && !failed(); i++)
        caches[i] = tensor_own(tensor_zeros(engine->settings.device, torch_cache_type(&engine->settings), SHAPE(rows, length, 2 * config->width)));
    return caches;
}

static void make_slots(struct engine *engine)
{
    const struct engine_settings *settings = &engine->settings;
    engine->caches = make_caches(engine, settings->slots * settings->rows, torch_cache_length(settings));
    engine->text_caches = make_caches(engine, settings->slots, torch_text_length(settings));
    engine->slots = allocate((size_t)settings->slots, sizeof *engine->slots);
    for (int i = 0; i < settings->slots && settings->prefix && !failed(); i++)
        engine->slots[i].prefix = tensor_own(tensor_zeros(settings->device, TENSOR_F32, SHAPE(settings->rows, settings->prefix, engine->model->language.width)));
}

static void free_caches(struct tensor **caches, int64_t layers)
{
    for (int64_t i = 0; caches && i < layers; i++)
        tensor_free(caches[i]);
    free(caches);
}

static void torch_close(struct engine *engine)
{
    if (!engine)
        return;
    torch_static_close(engine);
    free_caches(engine->caches, engine->model->language.layers);
    free_caches(engine->text_caches, engine->model->language.layers);
    for (int i = 0; engine->slots && i < engine->settings.slots; i++)
        tensor_free(engine->slots[i].prefix);
    free(engine->slots);
    tensor_free(engine->positions);
    tensor_free(engine->widened);
    language_model_release(&engine->language);
    free(engine->ids);
    free(engine->places);
    free(engine->logits);
    free(engine);
}

static void make_host_arrays(struct engine *engine)
{
    const struct language_config *config = &engine->model->language;
    const struct engine_settings *settings = &engine->settings;
    size_t rows = (size_t)(settings->slots * settings->rows), columns = rows * (size_t)(settings->prefix + settings->prefill);
    engine->ids = allocate(columns * (size_t)config->codebooks, sizeof *engine->ids);
    engine->places = allocate(columns, sizeof *engine->places);
    engine->logits = allocate(rows * (size_t)(config->codebooks * config->vocabulary), sizeof *engine->logits);
}

static struct engine *torch_open(const struct model *model, struct checkpoint *checkpoint, const struct engine_settings *settings)
{
    struct engine *engine = allocate(1, sizeof *engine);
    struct scope scope;
    engine->model = model;
    engine->settings = *settings;
    make_host_arrays(engine);
    scope_open(&scope);
    language_model_load(&engine->language, model, checkpoint, settings->device, settings->weights);
    make_positions(engine);
    make_slots(engine);
    if (torch_widened(model, settings))
        engine->widened = tensor_own(tensor_new(settings->device, TENSOR_F32, SHAPE(torch_widened(model, settings))));
    if (torch_is_static(settings) && !failed())
        torch_static_open(engine);
    scope_close(&scope);
    if (!failed())
        return engine;
    torch_close(engine);
    return NULL;
}

/* libtorch's arithmetic depends on its version; on a CPU on threads and may on the batch; on a GPU on its model, and not on the
 * batch but on the rows that the static step's products have. */
static void torch_add_recipe(const struct engine_settings *settings, json_t *recipe)
{
    if (*libtorch_version()) /* a dry run may not have opened it */
        json_object_set_new(recipe, "libtorch", json_string(libtorch_version()));
    if (settings->device.kind == DEVICE_CPU) {
        json_object_set_new(recipe, "batch", json_integer(settings->slots));
        json_object_set_new(recipe, "threads", json_integer(libtorch_threads()));
    } else {
        json_object_set_new(recipe, "device_name", json_string(device_name(settings->device)));
        json_object_set_new(recipe, "rows", json_integer(torch_static_rows(settings)));
    }
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
    .add_recipe = torch_add_recipe,
};
