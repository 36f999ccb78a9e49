/* SPDX-License-Identifier: Apache-2.0
 * engine-torch - what the parts of engine torch share: engine-torch.c owns memory and tracks, torch-parts.c has what both steps
 * are made of, torch-step.c is the step of any feeds, torch-static.c the one in constant shapes, torch-plan.c counts memory.
 *
 * A cache row is a row of a slot: slot * rows + row. A position's key and value lie side by side.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_ENGINE_TORCH_H
#define LEITMOTIF_SAMPLE_TOKENS_ENGINE_TORCH_H

#include "libtorch/tensor.h"
#include "sample-tokens/engine.h"
#include "sample-tokens/language-model.h"

struct torch_slot {
    int64_t rows;          /* of the present track: 2 when guided */
    int64_t position;      /* positions held, the prefix included */
    int64_t text_tokens;   /* of its condition, beside the columns; 0: none */
    struct tensor *prefix; /* [rows, positions before the columns, d]; NULL: none of any track */
    int64_t prefix_length; /* of the present track */
};

struct static_step; /* torch-static.c's own */

struct engine {
    const struct model *model;
    struct engine_settings settings;
    struct language_model language;
    struct tensor *positions;        /* [most positions of a slot, d] */
    struct tensor *widened;          /* one float16 matrix at a time as float32, on a CPU; else NULL */
    struct tensor **caches;          /* [layers] of [slots rows, positions, 2d]: keys, then values */
    struct tensor **text_caches;     /* [layers] of [slots, text tokens, 2d] */
    struct torch_slot *slots;
    int64_t *ids, *places;           /* of one step of any feeds: [M, K] rows of embeddings, [M] positions */
    float *logits;                   /* [slots rows, K, V] of the last such steps */
    struct static_step *static_step; /* NULL: every step is one of any feeds */
};

/* torch-parts.c: sizes */

bool torch_is_static(const struct engine_settings *settings);           /* steps of one column have constant shapes */
int64_t torch_positions(const struct engine_settings *settings);        /* most of a slot, those of the prefix included */
int64_t torch_cache_length(const struct engine_settings *settings);     /* positions of a row of the cache */
int64_t torch_text_length(const struct engine_settings *settings);      /* the same of the text's */
enum tensor_type torch_cache_type(const struct engine_settings *settings);
enum tensor_type torch_attention_type(const struct engine_settings *settings); /* what attention computes in */

/* torch-parts.c: arithmetic. A CPU widens float16, which is exact, and computes in float32; a device multiplies float16 with
 * float32 sums. Residual stream, norms, softmax, GELU and logits are float32 everywhere. */

/* x [n, in] times a weight [out, in] -> [n, out], in float32. */
struct tensor *torch_product(const struct engine *engine, struct tensor *x, struct tensor *weight);

/* The same for what is computed on in the weight's type: on a device it is rounded to that. */
struct tensor *torch_short_product(const struct engine *engine, struct tensor *x, struct tensor *weight);

struct tensor *torch_normalise(struct tensor *x, const struct norm *norm);

/* Queries, the first d of each row of `stacked` [M, parts d]: rows `start` .. as [rows, heads, columns, width]; a view. */
struct tensor *torch_queries(const struct engine *engine, struct tensor *stacked, int64_t parts, int64_t start, int64_t rows, int64_t columns);

/* The first `length` positions of rows `first` .. of a cache; part 0 keys, 1 values: [rows, heads, length, width]; a view. */
struct tensor *torch_held(const struct engine *engine, struct tensor *cache, int part, int64_t first, int64_t rows, int64_t length);

/* The attention of q to what torch_held gives of these rows -> [rows columns, d]. */
struct tensor *torch_attend(const struct engine *engine, struct tensor *q, struct tensor *cache, int64_t first, int64_t length,
                            struct tensor *mask_or_null, bool causal);

/* What the feed-forward layer adds. */
struct tensor *torch_feed_forward(const struct engine *engine, int64_t layer, struct tensor *x);

/* torch-step.c: feeds of any length, attention slot by slot, in shapes that grow. The feeds' logits are put into `logits`. */
int torch_step_run(struct engine *engine, struct engine_feed *const *feeds, int count, float *logits);

/* torch-static.c: feeds of one column after the prefix. Opening allocates all that lasts; closing accepts NULL. */
int torch_static_open(struct engine *engine);
void torch_static_close(struct engine *engine);
void torch_static_admit(struct engine *engine, int slot); /* after its text is stored */
void torch_static_forget(struct engine *engine);          /* the recording; before anything else allocates on the device */
int torch_static_run(struct engine *engine, struct engine_feed *const *feeds, int count);
int64_t torch_static_rows(const struct engine_settings *settings); /* of its products */

/* torch-plan.c */
void torch_plan_work(const struct model *model, const struct engine_settings *settings, struct memory_plan *plan);
int64_t torch_widened(const struct model *model, const struct engine_settings *settings); /* elements of engine->widened */

#endif
