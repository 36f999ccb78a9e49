/* SPDX-License-Identifier: Apache-2.0
 * geometry - how far the decoder looks around a frame, how a clip is cut for it, and what it allocates, in integers from
 * the codec's configuration alone.
 *
 * Frames are the codec's (50 a second), samples are the wave's; stage i has the length of a frame times the first i + 1
 * ratios. This module must not know tensors or files.
 */
#ifndef LEITMOTIF_DECODE_AUDIO_GEOMETRY_H
#define LEITMOTIF_DECODE_AUDIO_GEOMETRY_H

#include "nn/codec-geometry.h"

/* How many frames beyond each end of [a, b) the samples of [a, b) depend on, from the LSTM's output on. */
struct sides geometry_margins(const struct codec_config *codec);

/* How the clip is cut. Codebook lookup, first convolution and LSTM run `block` frames at a time, the upsampling
 * `chunk` frames (plus margins) at a time. */
struct chunking { int64_t chunk, block; };

enum { CHUNK_DEFAULT_FRAMES = 50, CHUNK_LEAST_FRAMES = 4 };

struct chunking geometry_chunking(const struct codec_config *codec, int64_t chunk);

/* Bytes in float32: the weights once folded; the most that is allocated beside them at any time. */
int64_t geometry_weight_bytes(const struct codec_config *codec);
int64_t geometry_work_bytes(const struct codec_config *codec, int64_t channels, struct chunking chunking);

/* The default chunk, or the longest that weights and work within `allowed` bytes leave room for (0: no limit).
 * Failure says what would be needed. */
int geometry_plan(const struct codec_config *codec, int64_t channels, int64_t allowed, struct chunking *chunking);

#endif
