/* SPDX-License-Identifier: Apache-2.0
 * codec-layers - what EnCodec's encoder and decoder are both built of: residual blocks, an LSTM with a skip, codebooks.
 *
 * Weights are taken from the checkpoint below "audio_encoder." and belong to the `struct weights` they were read with.
 * All tensors float32 on its device; signals are [1, channels, length].
 */
#ifndef LEITMOTIF_NN_CODEC_LAYERS_H
#define LEITMOTIF_NN_CODEC_LAYERS_H

#include "nn/convolution.h"
#include "nn/recurrence.h"

enum { CODEC_MAX_RESIDUALS = 4, CODEC_MAX_CODEBOOKS = 16 };

#define CODEC_PREFIX "audio_encoder."

/* What arrays of these sizes have room for. No published codec is near them. */
int codec_check(const struct codec_config *config);

/* A convolution, whose kernel and stride are set already, at place `layer` of the list of `half` ("encoder", "decoder"),
 * or inside the residual block there (".block.1"). */
void codec_read_convolution(struct convolution *convolution, struct weights *weights, int64_t in, int64_t out, const char *half,
                            int layer, const char *inside);

struct residual { struct convolution narrowing, widening; };

/* The index-th block of a stage, at place `layer`. */
void residual_read(struct residual *residual, struct weights *weights, const struct codec_config *config, int stage, int index,
                   const char *half, int layer);
struct tensor *residual_run(const struct residual *residual, struct tensor *x, enum edges edges); /* x plus the block of it */

/* The LSTM at place `layer`. */
void codec_read_recurrence(struct recurrence *recurrence, struct weights *weights, const struct codec_config *config, const char *half, int layer);

/* tables[i] [codebook size, dimension]; leaves alone what only training of them uses. */
void codebooks_read(struct tensor **tables, struct weights *weights, const struct codec_config *config);

#endif
