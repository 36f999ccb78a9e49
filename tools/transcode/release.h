/* SPDX-License-Identifier: Apache-2.0
 * release - one input made into its release files: all of them, or none.
 *
 * One decode; one resampling for each rate; one master (master.h) for each rate and channel count. Every file is decoded
 * again before it gets its name: it must have the frames that went in, and keep the true-peak ceiling. Where a lossy
 * encoder passed the ceiling or changed the loudness, that file is mastered again with as much less, and encoded again.
 */
#ifndef LEITMOTIF_TRANSCODE_RELEASE_H
#define LEITMOTIF_TRANSCODE_RELEASE_H

#include <jansson.h>

#include "transcode/master.h"
#include "transcode/outputs.h"

struct release_request {
    const char *input;
    const struct outputs *outputs;
    struct level level;
    double fade_in_seconds, fade_out_seconds; /* 0: none */
    bool trim_silence;
    const json_t *tags;                       /* object of strings */
};

/* What was made and measured (docs/transcode.md, "The result"); a new reference, or NULL on failure. */
json_t *release_make(const struct release_request *request);

#endif
