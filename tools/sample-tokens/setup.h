/* SPDX-License-Identifier: Apache-2.0
 * setup - what holds for the whole process: the model, its device and engine, with every `auto` resolved.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_SETUP_H
#define LEITMOTIF_SAMPLE_TOKENS_SETUP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

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
    struct memory_plan weights[2];   /* in f32, in f16; empty until asked for */
};

/* What needs no model; refuses by name what no engine here can do yet. */
int options_check(const struct options *options);

int setup_open(struct setup *setup, const struct options *options, int threads);
void setup_close(struct setup *setup); /* accepts all-zero and half-open */

/* Would these sizes keep to --memory? A failure says what would. seconds: of the track, for the text. */
int setup_fits(struct setup *setup, const struct engine_settings *settings, double seconds);

int setup_plan(struct setup *setup, const struct engine_settings *settings, struct memory_plan *plan);

const char *storage_name(enum element_type type); /* "f16", as --weights and --cache have it */

#endif
