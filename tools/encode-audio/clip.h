/* SPDX-License-Identifier: Apache-2.0
 * clip - an audio file on its way into a file of tokens, to be continued.
 */
#ifndef LEITMOTIF_ENCODE_AUDIO_CLIP_H
#define LEITMOTIF_ENCODE_AUDIO_CLIP_H

#include "encode-audio/encoder.h"
#include "encode-audio/request.h"

/* Resampled to the codec's rate, brought to the model's channels, encoded channel by channel. A partial last frame is
 * padded as the codec does it. Only the first request->duration seconds, where that is given.
 * Returns {"frames", "seconds"} for the job's result, NULL on failure. */
json_t *clip_encode(const struct encoder *encoder, struct chunking chunking, const struct model *model, const char *identity,
                    const struct request *request);

#endif
