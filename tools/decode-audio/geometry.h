/* SPDX-License-Identifier: Apache-2.0
 * geometry - how far the decoder looks around a frame, and what it allocates, in integers from the codec's configuration
 * alone.
 *
 * Frames are the codec's (50 a second), samples are the wave's; stage i has the length of a frame times the first i + 1
 * ratios. This module must not know tensors or files.
 */
#ifndef LEITMOTIF_DECODE_AUDIO_GEOMETRY_H
#define LEITMOTIF_DECODE_AUDIO_GEOMETRY_H

#include "nn/cutting.h"

/* How many frames beyond each end of [a, b) the samples of [a, b) depend on, from the LSTM's output on. */
struct sides geometry_margins(const struct codec_config *codec);

/* A planner: beside what the halves share, codebook lookup, first convolution and LSTM of a block for each channel, and on a
 * CPU the samples of a chunk. */
void geometry_plan(struct memory_plan *plan, const struct codec_config *codec, int64_t channels, struct chunking chunking,
                   struct device device);

#endif
