/* SPDX-License-Identifier: Apache-2.0
 * geometry - how far the encoder looks around a frame, how a clip is cut for it, and what it allocates, in integers from
 * the codec's configuration alone.
 */
#ifndef LEITMOTIF_ENCODE_AUDIO_GEOMETRY_H
#define LEITMOTIF_ENCODE_AUDIO_GEOMETRY_H

#include "nn/codec-geometry.h"

/* How many frames of samples beyond each end of [a, b) the frames [a, b) depend on, up to the LSTM. */
struct sides geometry_encoder_margins(const struct codec_config *codec);

/* How a clip is cut: the convolutions down to frames run `chunk` frames at a time (plus margins), the LSTM, the last
 * convolution and the codebooks `block` frames at a time, a multiple of it. */
struct chunking { int64_t chunk, block; };

enum { CHUNK_DEFAULT_FRAMES = 50, CHUNK_LEAST_FRAMES = 4, CHUNKS_IN_A_BLOCK = 8 };

struct chunking geometry_encoder_chunking(int64_t chunk);

/* Bytes in float32: the weights once folded; the most that is allocated beside them at any time. */
int64_t geometry_encoder_weight_bytes(const struct codec_config *codec);
int64_t geometry_encoder_work_bytes(const struct codec_config *codec, int64_t channels, struct chunking chunking);

/* The default chunk, or the longest that weights and work within `allowed` bytes leave room for (0: no limit).
 * Failure says what would be needed. */
int geometry_encoder_plan(const struct codec_config *codec, int64_t channels, int64_t allowed, struct chunking *chunking);

#endif
