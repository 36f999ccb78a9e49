/* SPDX-License-Identifier: Apache-2.0
 * engine-cpu - what the two halves of engine cpu share: engine-cpu.c owns memory and tracks, cpu-step.c computes.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_ENGINE_CPU_H
#define LEITMOTIF_SAMPLE_TOKENS_ENGINE_CPU_H

#include "sample-tokens/engine.h"
#include "sample-tokens/packed-model.h"

struct cpu_slot {
    int64_t rows;          /* of the present track: 2 when guided */
    int64_t position;      /* positions held, the prefix included */
    int64_t text_tokens;   /* of its condition, beside the columns; 0: none */
    int64_t prefix_length; /* of the present track */
    float *prefix;         /* [rows, positions before the columns, d]; NULL: none of any track */
};

/* One column of one row of one slot, on its way through the layers. */
struct entry {
    int slot;
    int64_t row;
    int64_t position;
    const int32_t *ids;    /* [K]; NULL: the position is one of the prefix */
    float *logits;         /* [K, V]; NULL: not wanted */
};

struct engine {
    const struct model *model;
    struct engine_settings settings;
    struct pool *pool;
    struct multiplier multiplier;
    struct packed_model packed;
    struct cpu_slot *slots;
    void *memory;          /* what follows points into it */
    size_t bytes;
    float *positions;      /* [capacity, d] */
    char *caches;          /* [slots, layers, rows, heads] of keys, then values of capacity positions */
    char *text_caches;     /* [slots, layers, heads], the same of text_tokens positions */
    float *x;              /* [MOST_ROWS, d]: the residual stream */
    float *narrow, *wide;  /* [MOST_ROWS, d], [MOST_ROWS, the widest of 3d, f and T5's width] */
    float *scores;         /* [threads, longest attention] */
    float *logits;         /* [slots rows, K, V] of the last step */
    struct entry *entries; /* [slots rows (prefix + prefill)] */
};

/* Where a head's keys and values stand. */
struct head_cache cpu_cache(const struct engine *engine, int64_t slot, int64_t layer, int64_t row, int64_t head);
struct head_cache cpu_text_cache(const struct engine *engine, int64_t slot, int64_t layer, int64_t head);

int64_t cpu_longest_attention(const struct engine_settings *settings); /* positions, whole blocks of LANES */

/* Runs entries, which follow each other in each row, through the model; what is wanted of logits is written. */
void cpu_run(const struct engine *engine, const struct entry *entries, int64_t count);

/* text [tokens, T5's width] -> its vectors in the language model, [tokens, d]. */
void cpu_project_text(const struct engine *engine, const float *text, int64_t tokens, float *projected);

/* Keys and values of these vectors, for the conditional row of a slot. tokens: 1 .. MOST_ROWS, from position `first` on. */
void cpu_store_text(const struct engine *engine, int slot, const float *projected, int64_t first, int64_t tokens);

#endif
