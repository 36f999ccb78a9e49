/* SPDX-License-Identifier: Apache-2.0
 * load - an engine kept busy: guided tracks with made-up conditions, which feed back the tokens that they draw.
 *
 *     load_open; load_admit each slot; load_reach, if not from the beginning; load_step as often as wanted; load_close.
 * What is computed is what sample-tokens computes for a piece of one window, the drawing of tokens included.
 */
#ifndef LEITMOTIF_BENCH_LOAD_H
#define LEITMOTIF_BENCH_LOAD_H

#include "nn/budget.h"
#include "sample-tokens/engine.h"
#include "sample-tokens/sampler.h"

enum { GUIDED_ROWS = 2 };

struct track {
    int64_t text;    /* tokens of its condition */
    int64_t columns; /* fed so far */
    int32_t *ids;    /* [K] to feed next */
};

struct load {
    const struct engine_operations *operations;
    struct engine *engine;
    struct engine_settings settings;
    const struct model *model;       /* borrowed */
    struct track tracks[MOST_SLOTS];
    struct sampler sampler;
    float *guided;                   /* [K, vocabulary] scratch */
    bool refused;                    /* load_open failed since the budget does not hold it */
};

/* Refuses what is not sensible in the budget: the one from before the first load, since libtorch keeps a GPU's memory that a
 * closed load had, for the next. */
int load_open(struct load *load, const struct engine_operations *operations, const struct model *model, struct checkpoint *checkpoint,
              const struct engine_settings *settings, const struct budget *budget);
void load_close(struct load *load); /* accepts all-zero and half-open */

int load_admit(struct load *load, int slot, int64_t text);

/* The slot from its beginning to just before column `columns`, at once. At most settings.prefill. */
int load_reach(struct load *load, int slot, int64_t columns);

/* One column more for `count` slots from `first` on. *drawing: seconds of it that went into choosing tokens. */
int load_step(struct load *load, int first, int count, double *drawing);

#endif
