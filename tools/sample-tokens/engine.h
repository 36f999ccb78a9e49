/* SPDX-License-Identifier: Apache-2.0
 * engine - what computes the language model: columns of token ids in, logits out.
 *
 * An engine has slots; a slot holds one track at a time: its condition, melody, and the keys and values of the columns it was
 * fed. Order of calls: plan_weights and plan_work (sizes, nothing allocated), open, then for each track admit into a slot and
 * step until done. All memory is allocated by open. Guidance, sampling and the delay pattern are not an engine's business.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_ENGINE_H
#define LEITMOTIF_SAMPLE_TOKENS_ENGINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "formats/checkpoint.h"
#include "formats/model.h"
#include "formats/stage.h"
#include "libtorch/libtorch.h"
#include "nn/memory-plan.h"

enum { MOST_SLOTS = 64 };

struct engine_settings {
    struct device device;
    int threads;               /* of engine cpu; libtorch has its own */
    enum element_type weights; /* ELEMENT_F32; ELEMENT_F16: where that is exact, else float32; ELEMENT_I8: engine cpu only */
    enum element_type cache;   /* ELEMENT_F32 or ELEMENT_F16: of keys and values */
    int slots;                 /* tracks at once */
    int64_t rows;              /* of a slot: 2 when any track is guided, else 1 */
    int64_t positions;         /* most columns that a slot is fed before it is restarted */
    int64_t prefill;           /* most columns in one feed */
    int64_t text_tokens;       /* most tokens of a condition that is attended to beside the columns */
    int64_t prefix;            /* most positions before the columns: chroma and text of a melody model; else 0 */
    bool static_step;          /* engine torch: steps of one column in constant shapes, which a GPU always has; for tests */
};

struct engine_feed {
    int slot;
    int64_t columns;    /* more than 1 only as the first feed after admit or restart */
    const int32_t *ids; /* [columns, K] */
    const float *logits; /* out: [rows, K, vocabulary] after the last column; row 0 conditional, row 1 null; the
                          * engine's, until its next step */
};

struct engine; /* what open returns: an engine's own struct */

struct engine_operations {
    const char *name;
    /* Add what open would allocate. plan_weights may have to read all weights; -1 when the checkpoint is not the model
     * that its configuration says. */
    int (*plan_weights)(const struct model *model, struct checkpoint *checkpoint, enum element_type type, struct memory_plan *plan);
    void (*plan_work)(const struct model *model, const struct engine_settings *settings, struct memory_plan *plan);
    struct engine *(*open)(const struct model *model, struct checkpoint *checkpoint, const struct engine_settings *settings);
    /* A condition of no tokens is the unconditional request. guided: a null row beside the conditional one. chroma: bins
     * [chroma frames of the model], or NULL: none to follow, and always for a model without chroma. */
    int (*admit)(struct engine *engine, int slot, const struct condition *condition, const int32_t *chroma, bool guided);
    void (*restart)(struct engine *engine, int slot); /* position 0, same condition and chroma */
    int (*step)(struct engine *engine, struct engine_feed *feeds, int count);
    void (*close)(struct engine *engine);             /* NULL is fine */
    /* Adds to a recipe what of the settings and the machine decides the numbers beside the types; NULL: nothing does. */
    void (*add_recipe)(const struct engine_settings *settings, json_t *recipe);
};

/* Positions before the columns: chroma frames, then one for each token of the text, or a single null one. 0 for models
 * that attend to the text beside the columns. */
int64_t engine_prefix(const struct language_config *config, const struct condition *condition);

extern const struct engine_operations ENGINE_TORCH, ENGINE_CPU;

#endif
