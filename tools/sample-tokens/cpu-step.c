/* SPDX-License-Identifier: Apache-2.0
 * The decoder's layers over blocks of up to MOST_ROWS entries. Whatever the entries are - one column each of many tracks, or
 * many columns of one - every number of an entry is computed alike: its tokens depend on nothing else in the block.
 *
 * Entries of one row that follow each other are a group: a head's keys and values of the whole group are stored before any
 * of it attends, each entry to the positions up to its own. The null row has no text, and zero keys and values
 * without biases attend to zero: its cross-attention is left out.
 */
#include <math.h>
#include <string.h>

#include "sample-tokens/engine-cpu.h"

enum { ALONE = 16384 }; /* numbers that one thread works through faster than two can agree */

struct group {
    int first, count; /* entries of the block */
};

struct block {
    const struct engine *engine;
    const struct entry *entries;
    int count;
    struct group groups[MOST_ROWS];
    int group_count;
    int picked[MOST_ROWS]; /* entries with cross-attention, or whose logits are wanted */
    int picked_count;
    int64_t layer;
    const struct packed_norm *norm; /* of the pass at work */
};

static int64_t width_of(const struct engine *engine)
{
    return engine->model->language.width;
}

static int64_t head_width(const struct engine *engine)
{
    return engine->model->language.width / engine->model->language.heads;
}

static const struct packed_layer *layer_of(const struct block *block)
{
    return &block->engine->packed.layers[block->layer];
}

/* A piece of work for each of `count` rows of d numbers. */
static void for_rows(struct block *block, int count, pool_work *work)
{
    if (count * width_of(block->engine) > ALONE)
        pool_run(block->engine->pool, count, work, block);
    else
        for (int i = 0; i < count; i++)
            work(block, i, 0);
}

/* embeddings */

static void add_embedding(const struct engine *engine, float *x, int64_t index)
{
    int64_t d = width_of(engine);
    if (engine->packed.embedding_type == ELEMENT_F16)
        engine->multiplier.kernels->add_half(x, (const uint16_t *)engine->packed.embeddings + index * d, d);
    else
        engine->multiplier.kernels->add(x, (const float *)engine->packed.embeddings + index * d, d);
}

/* Embeddings summed over codebooks, or the prefix, plus the position. */
static void embed_entry(void *context, int index, int thread)
{
    const struct block *block = context;
    const struct engine *engine = block->engine;
    const struct entry *entry = &block->entries[index];
    const struct cpu_slot *slot = &engine->slots[entry->slot];
    int64_t d = width_of(engine), vocabulary = engine->model->language.vocabulary;
    float *x = engine->x + index * d;
    (void)thread;
    if (entry->ids) {
        memset(x, 0, (size_t)d * sizeof *x);
        for (int64_t q = 0; q < engine->model->language.codebooks; q++)
            add_embedding(engine, x, q * (vocabulary + 1) + entry->ids[q]);
    } else {
        memcpy(x, slot->prefix + (entry->row * engine->settings.prefix + entry->position) * d, (size_t)d * sizeof *x);
    }
    engine->multiplier.kernels->add(x, engine->positions + entry->position * d, d);
}

/* norms */

/* A row of narrow gets the norm of an entry's x. */
static void normalise_row(const struct block *block, int row, int entry)
{
    const struct engine *engine = block->engine;
    int64_t d = width_of(engine);
    engine->multiplier.kernels->normalise(engine->narrow + row * d, engine->x + entry * d, block->norm->weight, block->norm->bias, d);
}

static void normalise_entry(void *context, int index, int thread)
{
    (void)thread;
    normalise_row(context, index, index);
}

static void normalise_picked(void *context, int index, int thread)
{
    const struct block *block = context;
    (void)thread;
    normalise_row(block, index, block->picked[index]);
}

/* attention */

static void attend(const struct engine *engine, const struct head_cache *cache, const float *query, int64_t length, float *out, int thread)
{
    struct attention_work work = {.cache = *cache, .query = query, .length = length, .out = out};
    work.scale = 1.0f / sqrtf((float)cache->width);
    work.scores = engine->scores + thread * cpu_longest_attention(&engine->settings);
    engine->multiplier.kernels->attend(&work);
}

/* One head of one group: wide holds q, k and v of each entry, narrow gets what the head makes of them. */
static void attend_to_past(void *context, int task, int thread)
{
    const struct block *block = context;
    const struct engine *engine = block->engine;
    int64_t heads = engine->model->language.heads, d = width_of(engine), width = head_width(engine), head = task % heads;
    const struct group *group = &block->groups[task / heads];
    const struct entry *entries = block->entries + group->first;
    struct head_cache cache = cpu_cache(engine, entries->slot, block->layer, entries->row, head);
    const float *query = engine->wide + group->first * 3 * d + head * width;
    float *out = engine->narrow + group->first * d + head * width;
    for (int i = 0; i < group->count; i++)
        engine->multiplier.kernels->store_head(&cache, entries[i].position, query + i * 3 * d + d, query + i * 3 * d + 2 * d);
    for (int i = 0; i < group->count; i++)
        attend(engine, &cache, query + i * 3 * d, entries[i].position + 1, out + i * d, thread);
}

static void self_attention(struct block *block)
{
    const struct engine *engine = block->engine;
    const struct packed_layer *layer = layer_of(block);
    block->norm = &layer->self_norm;
    for_rows(block, block->count, normalise_entry);
    matrix_multiply(&engine->multiplier, &layer->self_in, engine->narrow, block->count, engine->wide, PRODUCT);
    pool_run(engine->pool, block->group_count * (int)engine->model->language.heads, attend_to_past, block);
    matrix_multiply(&engine->multiplier, &layer->self_out, engine->narrow, block->count, engine->x, PRODUCT_ADDED);
}

static void attend_to_text(void *context, int task, int thread)
{
    const struct block *block = context;
    const struct engine *engine = block->engine;
    int64_t heads = engine->model->language.heads, head = task % heads, index = task / heads;
    int64_t place = index * width_of(engine) + head * head_width(engine);
    const struct entry *entry = &block->entries[block->picked[index]];
    struct head_cache cache = cpu_text_cache(engine, entry->slot, block->layer, head);
    attend(engine, &cache, engine->wide + place, engine->slots[entry->slot].text_tokens, engine->narrow + place, thread);
}

static void cross_attention(struct block *block)
{
    const struct engine *engine = block->engine;
    const struct packed_layer *layer = layer_of(block);
    int64_t d = width_of(engine);
    if (block->picked_count == 0)
        return;
    block->norm = &layer->cross_norm;
    for_rows(block, block->picked_count, normalise_picked);
    matrix_multiply(&engine->multiplier, &layer->cross_query, engine->narrow, block->picked_count, engine->wide, PRODUCT);
    pool_run(engine->pool, block->picked_count * (int)engine->model->language.heads, attend_to_text, block);
    matrix_multiply(&engine->multiplier, &layer->cross_out, engine->narrow, block->picked_count, engine->wide, PRODUCT);
    for (int i = 0; i < block->picked_count; i++)
        engine->multiplier.kernels->add(engine->x + block->picked[i] * d, engine->wide + i * d, d);
}

static void feed_forward(struct block *block)
{
    const struct engine *engine = block->engine;
    const struct packed_layer *layer = layer_of(block);
    block->norm = &layer->feed_norm;
    for_rows(block, block->count, normalise_entry);
    matrix_multiply(&engine->multiplier, &layer->feed_in, engine->narrow, block->count, engine->wide, PRODUCT_GELU);
    matrix_multiply(&engine->multiplier, &layer->feed_out, engine->wide, block->count, engine->x, PRODUCT_ADDED);
}

/* blocks */

static void find_groups(struct block *block)
{
    for (int i = 0; i < block->count; i++) {
        const struct entry *entry = &block->entries[i];
        if (i == 0 || entry->slot != entry[-1].slot || entry->row != entry[-1].row)
            block->groups[block->group_count++] = (struct group){i, 0};
        block->groups[block->group_count - 1].count++;
    }
}

static void pick_with_text(struct block *block)
{
    for (int i = 0; i < block->count; i++)
        if (block->entries[i].row == 0 && block->engine->slots[block->entries[i].slot].text_tokens)
            block->picked[block->picked_count++] = i;
}

/* Entries whose logits are wanted stand together in engine->logits, in the order of entries. */
static void write_logits(struct block *block)
{
    const struct engine *engine = block->engine;
    block->picked_count = 0;
    for (int i = 0; i < block->count; i++)
        if (block->entries[i].logits)
            block->picked[block->picked_count++] = i;
    if (block->picked_count == 0)
        return;
    block->norm = &engine->packed.last_norm;
    for_rows(block, block->picked_count, normalise_picked);
    matrix_multiply(&engine->multiplier, &engine->packed.heads, engine->narrow, block->picked_count,
                    block->entries[block->picked[0]].logits, PRODUCT);
}

static void run_block(const struct engine *engine, const struct entry *entries, int count)
{
    struct block block = {.engine = engine, .entries = entries, .count = count};
    find_groups(&block);
    pick_with_text(&block);
    for_rows(&block, count, embed_entry);
    for (block.layer = 0; block.layer < engine->model->language.layers; block.layer++) {
        self_attention(&block);
        cross_attention(&block);
        feed_forward(&block);
    }
    write_logits(&block);
}

void cpu_run(const struct engine *engine, const struct entry *entries, int64_t count)
{
    for (int64_t first = 0; first < count; first += MOST_ROWS)
        run_block(engine, entries + first, count - first < MOST_ROWS ? (int)(count - first) : MOST_ROWS);
}

/* conditions */

void cpu_project_text(const struct engine *engine, const float *text, int64_t tokens, float *projected)
{
    int64_t d = width_of(engine), width = engine->model->text.width;
    for (int64_t first = 0; first < tokens; first += MOST_ROWS) {
        int rows = tokens - first < MOST_ROWS ? (int)(tokens - first) : MOST_ROWS;
        matrix_multiply(&engine->multiplier, &engine->packed.text_matrix, text + first * width, rows, projected + first * d, PRODUCT);
        for (int row = 0; row < rows; row++)
            engine->multiplier.kernels->add(projected + (first + row) * d, engine->packed.text_bias, d);
    }
}

void cpu_store_text(const struct engine *engine, int slot, const float *projected, int64_t first, int64_t tokens)
{
    const struct language_config *config = &engine->model->language;
    int64_t d = config->width, width = head_width(engine);
    for (int64_t layer = 0; layer < config->layers; layer++) {
        matrix_multiply(&engine->multiplier, &engine->packed.layers[layer].cross_text, projected, (int)tokens, engine->wide, PRODUCT);
        for (int64_t head = 0; head < config->heads; head++) {
            struct head_cache cache = cpu_text_cache(engine, slot, layer, head);
            for (int64_t t = 0; t < tokens; t++) {
                const float *key = engine->wide + t * 2 * d + head * width;
                engine->multiplier.kernels->store_head(&cache, first + t, key, key + d);
            }
        }
    }
}
