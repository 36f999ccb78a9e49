/* SPDX-License-Identifier: Apache-2.0
 * tune - an audio file on its way into a melody file: the chroma of every window of a piece.
 *
 * The reference is at 32 kHz, mono, as it is: no instruments are separated from it. A piece of one window gets the
 * reference's chroma from its beginning, repeated frame by frame where it is shorter. Window w of a longer piece gets that of
 * the reference's samples from w times the stride on, repeated sample by sample.
 */
#ifndef LEITMOTIF_ENCODE_AUDIO_TUNE_H
#define LEITMOTIF_ENCODE_AUDIO_TUNE_H

#include "encode-audio/chroma.h"
#include "encode-audio/request.h"

/* Would the reference of a piece and the work, all on the CPU, keep to --memory (0: no limit)? */
int tune_fits(const struct model *model, const struct request *request, int64_t memory);

/* Returns {"windows", "frames"} for the job's result, NULL on failure. */
json_t *tune_encode(const struct chroma *chroma, const struct model *model, const char *identity, const struct request *request);

#endif
