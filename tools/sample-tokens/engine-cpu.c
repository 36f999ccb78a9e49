/* SPDX-License-Identifier: Apache-2.0
 * The engine of our own kernels (cpu/kernels.h), without libtorch: memory, slots and tracks. cpu-step.c computes.
 *
 * All work memory is one block, laid out by one walk that serves the plan too, and touched when the engine opens.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "cpu/pages.h"
#include "sample-tokens/engine-cpu.h"
#include "sample-tokens/layout.h"
#include "sample-tokens/positions.h"

/* sizes */

static int64_t largest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t whole_blocks(int64_t positions)
{
    return (positions + LANES - 1) / LANES * LANES;
}

/* Most positions of a slot. */
static int64_t capacity(const struct engine_settings *settings)
{
    return settings->prefix + settings->positions;
}

int64_t cpu_longest_attention(const struct engine_settings *settings)
{
    return whole_blocks(largest(capacity(settings), settings->text_tokens));
}

/* Bytes of a head's keys, or of its values: whole blocks of positions. */
static int64_t key_bytes(const struct model *model, const struct engine_settings *settings, int64_t positions)
{
    return whole_blocks(positions) * (model->language.width / model->language.heads) * (int64_t)element_size(settings->cache);
}

static int64_t value_bytes(const struct model *model, const struct engine_settings *settings, int64_t positions)
{
    int64_t width = model->language.width / model->language.heads;
    return whole_blocks(positions) * head_stride(width) * (int64_t)element_size(settings->cache);
}

static struct head_cache cache_at(const struct engine *engine, char *caches, int64_t index, int64_t positions)
{
    int64_t keys = key_bytes(engine->model, &engine->settings, positions);
    char *place = caches + index * (keys + value_bytes(engine->model, &engine->settings, positions));
    int64_t width = engine->model->language.width / engine->model->language.heads;
    return (struct head_cache){place, place + keys, engine->settings.cache, width};
}

struct head_cache cpu_cache(const struct engine *engine, int64_t slot, int64_t layer, int64_t row, int64_t head)
{
    const struct language_config *config = &engine->model->language;
    int64_t index = ((slot * config->layers + layer) * engine->settings.rows + row) * config->heads + head;
    return cache_at(engine, engine->caches, index, capacity(&engine->settings));
}

struct head_cache cpu_text_cache(const struct engine *engine, int64_t slot, int64_t layer, int64_t head)
{
    const struct language_config *config = &engine->model->language;
    int64_t index = (slot * config->layers + layer) * config->heads + head;
    return cache_at(engine, engine->text_caches, index, engine->settings.text_tokens);
}

/* memory */

/* Fills the pointers of an engine, or of a scratch one when it only counts. */
static void lay_out(struct layout *layout, struct engine *engine, int threads)
{
    const struct model *model = engine->model;
    const struct engine_settings *settings = &engine->settings;
    const struct language_config *config = &model->language;
    const int64_t number = sizeof(float), d = config->width, slots = settings->slots, rows = slots * settings->rows;
    const int64_t widest = largest(largest(3 * d, config->feed_forward), model->text.width);
    const int64_t heads = slots * config->layers * config->heads, longest = capacity(settings), text = settings->text_tokens;
    engine->positions = layout_place(layout, "positions", longest * d * number);
    engine->caches = layout_place(layout, "key/value cache", heads * settings->rows *
                           (key_bytes(model, settings, longest) + value_bytes(model, settings, longest)));
    engine->text_caches = layout_place(layout, "text key/value cache", heads * (key_bytes(model, settings, text) + value_bytes(model, settings, text)));
    for (int64_t i = 0; i < slots; i++)
        engine->slots[i].prefix = layout_place(layout, "prefixes", settings->rows * settings->prefix * d * number);
    engine->x = layout_place(layout, "scratch", MOST_ROWS * d * number);
    engine->narrow = layout_place(layout, "scratch", MOST_ROWS * d * number);
    engine->wide = layout_place(layout, "scratch", MOST_ROWS * widest * number);
    engine->scores = layout_place(layout, "scratch", threads * cpu_longest_attention(settings) * number);
    engine->logits = layout_place(layout, "scratch", rows * config->codebooks * config->vocabulary * number);
    engine->entries = layout_place(layout, "scratch", rows * (settings->prefix + largest(settings->prefill, 1)) * (int64_t)sizeof *engine->entries);
    if (settings->weights == ELEMENT_I8)
        engine->multiplier.quanta = layout_place(layout, "scratch", multiplier_quanta(widest));
}

static void cpu_plan_work(const struct model *model, const struct engine_settings *settings, struct memory_plan *plan)
{
    struct layout layout = {.plan = plan};
    struct engine scratch = {.model = model, .settings = *settings};
    scratch.slots = allocate((size_t)settings->slots, sizeof *scratch.slots);
    lay_out(&layout, &scratch, settings->threads);
    free(scratch.slots);
}

/* Touches all of it: what could be refused is refused now, not at the seventeenth track. */
static int take_memory(struct engine *engine)
{
    struct layout counting = {0}, placing = {0};
    lay_out(&counting, engine, pool_threads(engine->pool));
    engine->bytes = counting.used;
    engine->memory = placing.memory = pages_take(engine->bytes);
    if (!engine->memory)
        return -1;
    lay_out(&placing, engine, pool_threads(engine->pool));
    memset(engine->memory, 0, engine->bytes);
    positions_fill(engine->positions, capacity(&engine->settings), engine->model->language.width);
    return 0;
}

/* tracks */

static void cpu_restart(struct engine *engine, int slot)
{
    engine->slots[slot].position = 0;
}

static void store_condition(const struct engine *engine, int slot, const struct condition *condition)
{
    for (int64_t first = 0; first < condition->tokens; first += MOST_ROWS) {
        int64_t tokens = condition->tokens - first < MOST_ROWS ? condition->tokens - first : MOST_ROWS;
        cpu_project_text(engine, condition->hidden + first * condition->width, tokens, engine->narrow);
        cpu_store_text(engine, slot, engine->narrow, first, tokens);
    }
}

/* The conditional row's prefix, then the null row's: chroma (NULL: of silence, which is bin 0), then text or zeros. */
static void store_prefix(const struct engine *engine, const struct cpu_slot *slot, const struct condition *condition, const int32_t *chroma)
{
    int64_t frames = engine->model->language.chroma_frames, d = engine->model->language.width;
    memset(slot->prefix, 0, (size_t)(engine->settings.rows * engine->settings.prefix * d) * sizeof(float));
    for (int64_t row = 0; row < slot->rows; row++)
        for (int64_t t = 0; t < frames; t++) {
            float *vector = slot->prefix + (row * engine->settings.prefix + t) * d;
            memcpy(vector, engine->packed.chroma_columns + (chroma && row == 0 ? chroma[t] : 0) * d, (size_t)d * sizeof *vector);
            engine->multiplier.kernels->add(vector, engine->packed.chroma_bias, d);
        }
    cpu_project_text(engine, condition->hidden, condition->tokens, slot->prefix + frames * d);
}

static int cpu_admit(struct engine *engine, int slot, const struct condition *condition, const int32_t *chroma, bool guided)
{
    struct cpu_slot *held = &engine->slots[slot];
    held->rows = guided ? 2 : 1;
    held->position = 0;
    held->prefix_length = engine_prefix(&engine->model->language, condition);
    held->text_tokens = held->prefix_length ? 0 : condition->tokens;
    assert(held->rows <= engine->settings.rows && held->text_tokens <= engine->settings.text_tokens);
    assert(held->prefix_length <= engine->settings.prefix && (!chroma || held->prefix_length));
    if (held->prefix_length)
        store_prefix(engine, held, condition, chroma);
    else
        store_condition(engine, slot, condition);
    return 0;
}

/* Lays one feed out as entries, row by row. Returns how many. */
static int64_t enter(const struct engine *engine, const struct engine_feed *feed, float *logits, struct entry *entries)
{
    const struct cpu_slot *slot = &engine->slots[feed->slot];
    const struct language_config *config = &engine->model->language;
    int64_t prefix = slot->position == 0 ? slot->prefix_length : 0, columns = prefix + feed->columns, count = 0;
    assert(feed->columns <= engine->settings.prefill && (feed->columns == 1 || slot->position == 0));
    assert(slot->position + columns <= capacity(&engine->settings));
    for (int64_t row = 0; row < slot->rows; row++)
        for (int64_t i = 0; i < columns; i++) {
            struct entry *entry = &entries[count++];
            *entry = (struct entry){.slot = feed->slot, .row = row, .position = slot->position + i};
            entry->ids = i < prefix ? NULL : feed->ids + (i - prefix) * config->codebooks;
            entry->logits = i + 1 < columns ? NULL : logits + row * config->codebooks * config->vocabulary;
        }
    return count;
}

static int cpu_step(struct engine *engine, struct engine_feed *feeds, int count)
{
    const struct language_config *config = &engine->model->language;
    float *logits = engine->logits;
    int64_t entries = 0;
    for (int i = 0; i < count; i++) {
        entries += enter(engine, &feeds[i], logits, engine->entries + entries);
        feeds[i].logits = logits;
        logits += engine->slots[feeds[i].slot].rows * config->codebooks * config->vocabulary;
    }
    cpu_run(engine, engine->entries, entries);
    for (int i = 0; i < count; i++) {
        struct cpu_slot *slot = &engine->slots[feeds[i].slot];
        slot->position += feeds[i].columns + (slot->position == 0 ? slot->prefix_length : 0);
    }
    return 0;
}

/* the engine */

static void cpu_close(struct engine *engine)
{
    if (!engine)
        return;
    packed_model_release(&engine->packed);
    pages_give(engine->memory, engine->bytes);
    pool_close(engine->pool);
    free(engine->slots);
    free(engine);
}

static struct engine *cpu_open(const struct model *model, struct checkpoint *checkpoint, const struct engine_settings *settings)
{
    struct engine *engine = allocate(1, sizeof *engine);
    engine->model = model;
    engine->settings = *settings;
    engine->slots = allocate((size_t)settings->slots, sizeof *engine->slots);
    engine->pool = pool_open(settings->threads);
    engine->multiplier.kernels = kernels_choose();
    engine->multiplier.pool = engine->pool;
    if (engine->multiplier.kernels && packed_model_load(&engine->packed, model, checkpoint, settings->weights, engine->pool) == 0 &&
        take_memory(engine) == 0)
        return engine;
    cpu_close(engine);
    return NULL;
}

const struct engine_operations ENGINE_CPU = {
    .name = "cpu",
    .plan_weights = packed_model_plan,
    .plan_work = cpu_plan_work,
    .open = cpu_open,
    .admit = cpu_admit,
    .restart = cpu_restart,
    .step = cpu_step,
    .close = cpu_close,
};
