/* SPDX-License-Identifier: Apache-2.0
 * codec-geometry - lengths and channels of EnCodec's layers, in integers, as its encoder and its decoder share them.
 *
 * A stage is one ratio with its residual blocks, numbered in the decoder's order: from the narrowest signal, the frames,
 * to the widest, the samples. This module must not know tensors or files.
 */
#ifndef LEITMOTIF_NN_CODEC_GEOMETRY_H
#define LEITMOTIF_NN_CODEC_GEOMETRY_H

#include <stdint.h>

#include "formats/model.h"

struct sides { int64_t left, right; };

/* Padding of a convolution, so that a length that is a multiple of its stride is divided by it: the odd one goes left. */
struct sides geometry_padding(int64_t kernel, int64_t dilation, int64_t stride);

/* What a transposed convolution of kernel 2 stride gives too much at each end: the odd one goes left. */
struct sides geometry_trimming(int64_t stride);

int64_t geometry_dilation(const struct codec_config *codec, int64_t residual_layer);

/* Channels at the LSTM (stage -1) or at a stage's residual blocks. */
int64_t geometry_channels(const struct codec_config *codec, int stage);

int64_t geometry_divide_down(int64_t a, int64_t b); /* floor(a / b), b > 0 */
int64_t geometry_divide_up(int64_t a, int64_t b);

/* Values of the weights once folded: of one convolution; of the codebooks; of the LSTM; of a stage with its resampling
 * convolution. */
int64_t geometry_convolution_floats(int64_t in, int64_t out, int64_t kernel);
int64_t geometry_codebook_floats(const struct codec_config *codec);
int64_t geometry_lstm_floats(const struct codec_config *codec);
int64_t geometry_stage_floats(const struct codec_config *codec, int stage);

/* The stored and the normed direction of the largest kernel, while it is read. */
int64_t geometry_reading_floats(const struct codec_config *codec);

#endif
