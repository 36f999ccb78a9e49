/* SPDX-License-Identifier: Apache-2.0
 *     x = embedding[ids]
 *     for each block:  n = rms(x);  x += softmax(q k^T + bias) v Wo^T        q, k, v = n Wq^T, n Wk^T, n Wv^T
 *                      n = rms(x);  x += relu(n Wi^T) Wo^T
 *     hidden = rms(x)
 * No division by the square root of the head's width, no other biases. The bias depends on the bucket of j - i only; its
 * table stands in block 0 and serves all blocks.
 */
#include "encode-text/t5.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "nn/budget.h"

enum { MAX_PREFIX = 16 };

struct t5_block {
    struct tensor *attention_norm, *feed_forward_norm; /* [D] */
    struct tensor *q, *k, *v;                          /* [heads w, D]; heads w may differ from D */
    struct tensor *o;                                  /* [D, heads w] */
    struct tensor *wi, *wo;                            /* [F, D], [D, F] */
};

static int64_t attention_width(const struct text_config *config) { return config->heads * config->head_width; }

static int64_t largest(int64_t a, int64_t b) { return a > b ? a : b; }

/* An array stored as halves is on the device beside its conversion for a moment. The embedding comes first, when nothing
 * else is there yet. */
static void plan_weights(struct memory_plan *plan, const struct text_config *config)
{
    const int64_t width = config->width, inner = attention_width(config);
    const int64_t matrix = width * largest(inner, config->feed_forward), embedding = config->vocabulary * width;
    const int64_t blocks = config->layers * (4 * inner * width + 2 * config->feed_forward * width + 2 * width);
    memory_plan_add(plan, "weights", 4 * (embedding + blocks + width + config->buckets * config->heads));
    memory_plan_add(plan, "loading", 2 * largest(matrix, embedding - blocks));
}

/* Squares of the prompt's length, of all heads: the bias, scores, probabilities. libtorch's own attention for CPUs has them in
 * tiles; what it has for GPUs may fall back on whole ones, and then keeps those of rows without any score apart. */
enum { SQUARES_ON_CPU = 3, SQUARES_ON_GPU = 5 };

void t5_plan(struct memory_plan *plan, const struct text_config *config, int64_t tokens, struct device device)
{
    const int64_t width = config->width, inner = attention_width(config);
    const int64_t rows = 5 * width + largest(5 * inner, 2 * config->feed_forward);
    const int64_t squares = (device.kind == DEVICE_CPU ? SQUARES_ON_CPU : SQUARES_ON_GPU) * config->heads * tokens;
    plan_weights(plan, config);
    memory_plan_add(plan, "work", 4 * tokens * (rows + squares));
    if (device.kind != DEVICE_CPU)
        memory_plan_add(plan, "libraries", budget_workspaces(device));
}

/* loading */

static const char *prefix_of(const struct checkpoint *checkpoint)
{
    return checkpoint_has(checkpoint, "text_encoder.encoder.final_layer_norm.weight") ? "text_encoder." : "";
}

/* Two names of one tensor, of which a file holds either or both. */
static void take_embedding(struct t5 *t5, const char *prefix)
{
    static const char *const names[] = {"shared.weight", "encoder.embed_tokens.weight"};
    char name[MAX_PREFIX + 32];
    const int64_t shape[] = {t5->config.vocabulary, t5->config.width};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(name, sizeof name, "%s%s", prefix, names[i]);
        if (!checkpoint_has(t5->weights.checkpoint, name))
            continue;
        if (t5->embedding)
            checkpoint_take(t5->weights.checkpoint, 2, shape, "%s", name);
        else
            t5->embedding = weights_take(&t5->weights, TENSOR_F32, 2, shape, "%s", name);
    }
    if (!t5->embedding && !failed())
        fail("'%s': tensor '%s%s' is missing", checkpoint_folder(t5->weights.checkpoint), prefix, names[0]);
}

static void take_block(struct t5 *t5, struct t5_block *block, const char *prefix, int index)
{
    const struct text_config *config = &t5->config;
    const int64_t width = config->width, inner = attention_width(config), feed_forward = config->feed_forward;
    const struct {
        struct tensor **tensor;
        int64_t rows, columns; /* columns 0: a vector */
        const char *name;
    } parts[] = {
        {&block->attention_norm, width, 0, "0.layer_norm"},
        {&block->q, inner, width, "0.SelfAttention.q"},
        {&block->k, inner, width, "0.SelfAttention.k"},
        {&block->v, inner, width, "0.SelfAttention.v"},
        {&block->o, width, inner, "0.SelfAttention.o"},
        {&block->feed_forward_norm, width, 0, "1.layer_norm"},
        {&block->wi, feed_forward, width, "1.DenseReluDense.wi"},
        {&block->wo, width, feed_forward, "1.DenseReluDense.wo"},
    };
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        *parts[i].tensor = weights_take(&t5->weights, TENSOR_F32, parts[i].columns ? 2 : 1, (int64_t[]){parts[i].rows, parts[i].columns},
                                        "%sencoder.block.%d.layer.%s.weight", prefix, index, parts[i].name);
}

static void take_position_bias(struct t5 *t5, const char *prefix)
{
    struct scope scope;
    const int64_t buckets = t5->config.buckets, heads = t5->config.heads;
    scope_open(&scope);
    struct tensor *table = weights_take(&t5->weights, TENSOR_F32, SHAPE(buckets, heads),
                                        "%sencoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", prefix);
    t5->position_bias = allocate((size_t)(buckets * heads), sizeof(float));
    if (table)
        tensor_read(table, t5->position_bias, (size_t)(buckets * heads) * sizeof(float));
    scope_close(&scope);
}

/* Half of the buckets are for keys behind the query. Of these, half hold one distance each; the others widen
 * geometrically up to max_distance. As whole numbers there is no logarithm to round. */
static int make_buckets(struct t5 *t5)
{
    const int64_t half = t5->config.buckets / 2, exact = half / 2;
    if (exact < 1 || t5->config.max_distance <= exact)
        return fail("a T5 with %lld position buckets up to distance %lld is not known", (long long)t5->config.buckets,
                    (long long)t5->config.max_distance);
    t5->distances = allocate((size_t)half, sizeof *t5->distances);
    for (int64_t bucket = 1; bucket < half; bucket++) {
        double octaves = (double)(bucket - exact) / (double)(half - exact);
        double start = (double)exact * pow((double)t5->config.max_distance / (double)exact, octaves);
        t5->distances[bucket - 1] = bucket <= exact ? bucket : (int64_t)ceil(start - 1e-6);
    }
    return 0;
}

int t5_open(struct t5 *t5, const struct text_config *config, struct checkpoint *checkpoint, struct device device)
{
    const char *prefix = prefix_of(checkpoint);
    *t5 = (struct t5){.config = *config, .weights = {.checkpoint = checkpoint, .device = device}};
    if (make_buckets(t5))
        return -1;
    t5->blocks = allocate((size_t)config->layers, sizeof *t5->blocks);
    take_embedding(t5, prefix);
    for (int i = 0; i < config->layers; i++)
        take_block(t5, &t5->blocks[i], prefix, i);
    take_position_bias(t5, prefix);
    t5->final_norm = weights_take(&t5->weights, TENSOR_F32, SHAPE(config->width), "%sencoder.final_layer_norm.weight", prefix);
    weights_settle(&t5->weights);
    if (!*prefix) { /* the other half of a T5 by itself */
        checkpoint_ignore(checkpoint, "decoder.*");
        checkpoint_ignore(checkpoint, "lm_head.*");
    }
    return failed() ? -1 : checkpoint_finish(checkpoint, prefix);
}

void t5_close(struct t5 *t5)
{
    weights_release(&t5->weights);
    free(t5->blocks);
    free(t5->position_bias);
    free(t5->distances);
    *t5 = (struct t5){0};
}

/* computing */

int64_t t5_bucket(const struct t5 *t5, int64_t relative)
{
    const int64_t half = t5->config.buckets / 2, distance = relative < 0 ? -relative : relative;
    int64_t bucket = 0;
    while (bucket < half - 1 && distance >= t5->distances[bucket])
        bucket++;
    return relative > 0 ? half + bucket : bucket;
}

/* bias [1, heads, N, N]: for query i and key j the table's row of bucket(j - i) */
static struct tensor *make_bias(const struct t5 *t5, int64_t tokens)
{
    const int64_t heads = t5->config.heads;
    struct tensor *bias = tensor_new((struct device){DEVICE_CPU, 0}, TENSOR_F32, SHAPE(1, heads, tokens, tokens));
    float *value = tensor_data(bias);
    float *by_distance = allocate((size_t)(2 * tokens), sizeof *by_distance); /* of one head: [j - i + N - 1] */
    for (int64_t head = 0; value && head < heads; head++) {
        for (int64_t relative = 1 - tokens; relative < tokens; relative++)
            by_distance[relative + tokens - 1] = t5->position_bias[t5_bucket(t5, relative) * heads + head];
        for (int64_t i = 0; i < tokens; i++, value += tokens)
            memcpy(value, by_distance + tokens - 1 - i, (size_t)tokens * sizeof *value);
    }
    free(by_distance);
    return tensor_to(bias, t5->weights.device, TENSOR_F32);
}

/* [N, heads w] -> view [1, heads, N, w] */
static struct tensor *split_heads(const struct t5 *t5, struct tensor *x)
{
    return tensor_transpose(tensor_view(x, SHAPE(1, -1, t5->config.heads, t5->config.head_width)), 1, 2);
}

static struct tensor *attend(const struct t5 *t5, const struct t5_block *block, struct tensor *x, struct tensor *bias)
{
    struct scope scope;
    scope_open(&scope);
    struct tensor *n = tensor_rms_norm(x, block->attention_norm, t5->config.epsilon);
    struct tensor *q = split_heads(t5, tensor_linear(n, block->q, NULL));
    struct tensor *k = split_heads(t5, tensor_linear(n, block->k, NULL));
    struct tensor *v = split_heads(t5, tensor_linear(n, block->v, NULL));
    struct tensor *heads = tensor_contiguous(tensor_transpose(tensor_attention(q, k, v, bias, false, 1), 1, 2)); /* [1, N, heads, w] */
    struct tensor *joined = tensor_view(heads, SHAPE(-1, attention_width(&t5->config)));
    struct tensor *result = scope_keep(&scope, tensor_add(x, tensor_linear(joined, block->o, NULL)));
    scope_close(&scope);
    return result;
}

static struct tensor *feed_forward(const struct t5 *t5, const struct t5_block *block, struct tensor *x)
{
    struct scope scope;
    scope_open(&scope);
    struct tensor *n = tensor_rms_norm(x, block->feed_forward_norm, t5->config.epsilon);
    struct tensor *inner = tensor_relu(tensor_linear(n, block->wi, NULL)); /* [N, F] */
    struct tensor *result = scope_keep(&scope, tensor_add(x, tensor_linear(inner, block->wo, NULL)));
    scope_close(&scope);
    return result;
}

static struct tensor *embed(const struct t5 *t5, const int32_t *ids, int64_t tokens)
{
    return tensor_embedding(t5->embedding, tensor_cast(tensor_from(t5->weights.device, TENSOR_I32, SHAPE(tokens), ids), TENSOR_I64));
}

static int check_ids(const struct t5 *t5, const int32_t *ids, int64_t tokens)
{
    for (int64_t i = 0; i < tokens; i++)
        if (ids[i] < 0 || ids[i] >= t5->config.vocabulary)
            return fail("token %d has no embedding: spiece.model belongs to another model, this one knows %lld tokens", ids[i],
                        (long long)t5->config.vocabulary);
    return 0;
}

static int check_finite(const float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return fail("T5 gives numbers that are not finite: its weights are damaged; fetch the model again");
    return 0;
}

int t5_encode(const struct t5 *t5, const int32_t *ids, int64_t tokens, float *hidden)
{
    struct scope scope;
    if (check_ids(t5, ids, tokens))
        return -1;
    scope_open(&scope);
    struct tensor *bias = make_bias(t5, tokens), *x = embed(t5, ids, tokens);
    for (int i = 0; !failed() && i < t5->config.layers; i++) {
        struct scope layer;
        scope_open(&layer);
        tensor_copy(x, feed_forward(t5, &t5->blocks[i], attend(t5, &t5->blocks[i], x, bias)));
        scope_close(&layer);
    }
    x = tensor_rms_norm(x, t5->final_norm, t5->config.epsilon);
    if (!failed())
        tensor_read(x, hidden, (size_t)(tokens * t5->config.width) * sizeof *hidden);
    scope_close(&scope);
    return failed() ? -1 : check_finite(hidden, tokens * t5->config.width);
}
