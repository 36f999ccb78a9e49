/* SPDX-License-Identifier: Apache-2.0
 * take - one track on its way: its conditions and windows, the columns it feeds, the tokens it has.
 *
 *     take_open; then until take_finished: take_feed, an engine's step, take_accept; then take_write.
 * A take knows no engine: whoever drives it looks at take_condition, take_chroma and take_window_begins before each feed.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_TAKE_H
#define LEITMOTIF_SAMPLE_TOKENS_TAKE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "formats/model.h"
#include "formats/stage.h"
#include "sample-tokens/delay-pattern.h"
#include "sample-tokens/engine.h"
#include "sample-tokens/request.h"
#include "sample-tokens/sampler.h"
#include "sample-tokens/windows.h"

struct take {
    const struct request *request; /* borrowed */
    const struct model *model;     /* borrowed */
    struct delay_pattern pattern;
    struct sampling sampling;
    double guidance;
    int64_t stride;                /* frames */
    struct condition *conditions;  /* [sections] */
    int64_t *starts;               /* [sections] frames of the whole piece */
    size_t sections;
    struct tokens earlier;         /* of --continue; all zero without */
    struct melody melody;          /* of --melody; all zero without */
    struct windows windows;
    int64_t total;                 /* frames, with the earlier ones */
    int32_t *codes;                /* [K, total] */
    size_t window;                 /* at work */
    int64_t fed;                   /* columns of it */
    int64_t steps, steps_done;     /* evaluations of the model */
    int32_t *ids;                  /* [columns, K] of the present feed */
    float *guided;                 /* [K, vocabulary] scratch */
};

/* Reads the request's files and checks them against the model. */
int take_open(struct take *take, const struct request *request, const struct model *model);
void take_release(struct take *take); /* accepts all-zero and half-open */

/* Raises the sizes in settings to what this take needs. */
void take_require(const struct take *take, struct engine_settings *settings);

/* Are they enough? Files may have grown since an earlier look at them. */
int take_check_sizes(const struct take *take, const struct engine_settings *settings);

bool take_finished(const struct take *take);
bool take_window_begins(const struct take *take);
const struct condition *take_condition(const struct take *take); /* of the present window */
const int32_t *take_chroma(const struct take *take);             /* of the present window, or NULL */
bool take_guided(const struct take *take);                       /* under them */

/* Back to the beginning of its window: what is fed from there on gives the same tokens. */
void take_rewind(struct take *take);

/* Sets columns and ids of the next feed, which stay valid until take_accept. */
void take_feed(struct take *take, struct engine_feed *feed);
int take_accept(struct take *take, struct sampler *sampler, const struct engine_feed *feed);

/* What decides the tokens; engine: what the engine adds (borrowed). New reference. */
json_t *take_recipe(const struct take *take, const char *identity, json_t *engine);
int take_write(const struct take *take, json_t *recipe);

double take_seconds(const struct take *take); /* new ones */
int64_t take_prompt(const struct take *take); /* frames that its first window begins with */

#endif
