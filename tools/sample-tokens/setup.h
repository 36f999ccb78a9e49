/* SPDX-License-Identifier: Apache-2.0
 * setup - what holds for the whole process: the model, its device and engine, with every `auto` resolved.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_SETUP_H
#define LEITMOTIF_SAMPLE_TOKENS_SETUP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "nn/budget.h"
#include "sample-tokens/engine.h"

/* As asked for. */
struct options {
    char *model, *device, *weights, *cache, *batch, *engine;
    int64_t memory; /* bytes; 0: no limit */
    bool dry_run;
};

struct setup {
    const struct options *options;
    const struct engine_operations *engine;
    struct model model;
    struct checkpoint *checkpoint;
    struct engine_settings settings; /* sizes are still 0 */
    char *identity;                  /* of the model */
    struct budget budget;
    struct memory_plan weights[3];   /* in f32, f16, int8; empty until asked for */
};

/* What needs no model. */
int options_check(const struct options *options);

int setup_open(struct setup *setup, const struct options *options, int threads);
void setup_close(struct setup *setup); /* accepts all-zero and half-open */

/* Would these sizes keep to --memory, and to what a GPU has free? */
bool setup_holds(struct setup *setup, const struct engine_settings *settings);

/* The same for one job, with a failure that says what would: `seconds` after `prompt` frames are asked for. */
int setup_fits(struct setup *setup, const struct engine_settings *settings, double seconds, int64_t prompt);

/* Tracks at once for so many jobs of at most these sizes: what --batch says; for auto as many as are worth it and fit. Engine
 * torch on a CPU takes one: there each track is computed by itself. */
int setup_choose_batch(struct setup *setup, const struct engine_settings *sizes, size_t jobs);

int setup_plan(struct setup *setup, const struct engine_settings *settings, struct memory_plan *plan);

const char *storage_name(enum element_type type); /* "int8", as --weights and --cache have it */

#endif
