/* SPDX-License-Identifier: Apache-2.0
 * geometry - how far the encoder looks around a frame, and what it allocates, in integers from the codec's configuration
 * alone.
 */
#ifndef LEITMOTIF_ENCODE_AUDIO_GEOMETRY_H
#define LEITMOTIF_ENCODE_AUDIO_GEOMETRY_H

#include "nn/cutting.h"

/* How many frames of samples beyond each end of [a, b) the frames [a, b) depend on, up to the LSTM. */
struct sides geometry_encoder_margins(const struct codec_config *codec);

/* A planner: beside what the halves share, LSTM, last convolution and codebooks of a block, and on a CPU the samples of
 * each channel's block. */
void geometry_encoder_plan(struct memory_plan *plan, const struct codec_config *codec, int64_t channels, struct chunking chunking,
                           struct device device);

#endif
