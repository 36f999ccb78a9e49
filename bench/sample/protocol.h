/* SPDX-License-Identifier: Apache-2.0
 * protocol - what is measured of one model with one type of weights, in which order.
 *
 * Engine cpu:
 *   one track     every frame from 0 to `frames`, for each length of text in turns of some steps: both see the same machine
 *   late          one track again, from frame `late` on: the columns before it go in at once
 *   many tracks   a window of frames in the middle, where a step costs what it does on average: the cost rises evenly
 * Engine torch:
 *   each number of tracks with each length of text   every frame from 0 to `frames`
 *   late                                             as above
 */
#ifndef LEITMOTIF_BENCH_PROTOCOL_H
#define LEITMOTIF_BENCH_PROTOCOL_H

#include <jansson.h>

#include "base/settings.h"
#include "sample-tokens/engine.h"

enum { MOST_TEXTS = 8 };

struct protocol {
    char *weights, *cache;
    struct string_list tracks_given, texts_given;
    int64_t frames, late, window; /* late 0: not */
    int64_t buffer;               /* bytes to measure bandwidth with */
    int tracks[MOST_SLOTS], track_count; /* of the list; rising */
    int64_t texts[MOST_TEXTS];
    int text_count;
};

void protocol_defaults(struct protocol *protocol);
int protocol_check(struct protocol *protocol); /* reads the lists */

/* What it measured: a new reference, NULL with a failure. */
json_t *protocol_run(const struct protocol *protocol, const struct engine_operations *operations, const struct model *model,
                     struct checkpoint *checkpoint, struct device device, int threads);

#endif
