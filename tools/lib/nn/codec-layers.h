/* SPDX-License-Identifier: Apache-2.0
 * codec-layers - what EnCodec's encoder and decoder are both built of: residual blocks, an LSTM with a skip, codebooks.
 *
 * Weights are taken from the checkpoint below "audio_encoder." and belong to the `struct weights` they were read with.
 * All tensors float32 on its device; signals are [1, channels, length].
 */
#ifndef LEITMOTIF_NN_CODEC_LAYERS_H
#define LEITMOTIF_NN_CODEC_LAYERS_H

#include "nn/convolution.h"

enum { CODEC_MAX_RESIDUALS = 4, CODEC_MAX_LSTM_LAYERS = 4, CODEC_MAX_CODEBOOKS = 16 };

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

struct recurrence {
    struct tensor *weights[4 * CODEC_MAX_LSTM_LAYERS]; /* per layer w_ih, w_hh [4 width, width], b_ih, b_hh [4 width] */
    int layers;
    int64_t width;
};

/* Its state, which is carried from piece to piece of one clip: [layers, 1, width] each, owned. */
struct recurrence_state { struct tensor *h, *c; };

void recurrence_read(struct recurrence *recurrence, struct weights *weights, const struct codec_config *config, const char *half, int layer);
int recurrence_begin(const struct recurrence *recurrence, struct device device, struct recurrence_state *state); /* zeros */
void recurrence_end(struct recurrence_state *state); /* accepts all-zero */

/* x [1, width, n] -> [n, width], time first: all layers, and one skip around all of them. Carries the state on. */
struct tensor *recurrence_run(const struct recurrence *recurrence, struct tensor *x, const struct recurrence_state *state);

/* tables[i] [codebook size, dimension]; leaves alone what only training of them uses. */
void codebooks_read(struct tensor **tables, struct weights *weights, const struct codec_config *config);

#endif
