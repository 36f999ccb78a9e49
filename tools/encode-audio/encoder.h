/* SPDX-License-Identifier: Apache-2.0
 * encoder - EnCodec's encoder (arXiv 2210.13438): the weights and the four parts it consists of.
 *
 *     samples --conv, ratios x (residuals, ELU, strided conv)--> features --LSTM + skip--> frames --ELU, conv--> latent --nearest of each codebook--> codes
 *
 * Features depend on samples around a place only (geometry_encoder_margins), frames on everything before them (the LSTM
 * carries a state). One mono codec; stereo is two runs. All tensors float32 on the weights' device.
 * This module must not know audio files or how a clip is cut.
 */
#ifndef LEITMOTIF_ENCODE_AUDIO_ENCODER_H
#define LEITMOTIF_ENCODE_AUDIO_ENCODER_H

#include "encode-audio/geometry.h"
#include "nn/codec-layers.h"

struct encoder_stage {
    struct residual residuals[CODEC_MAX_RESIDUALS];
    struct convolution downsampling;
};

struct encoder {
    struct codec_config config;
    struct weights weights;
    struct tensor *tables[CODEC_MAX_CODEBOOKS]; /* [codebook size, dimension] */
    struct convolution first, last;
    struct encoder_stage stages[CODEC_MAX_RATIOS]; /* in the decoder's order: run from the last one on */
    struct recurrence recurrence;
};

/* Takes the encoder's tensors from the model's folder; refuses unknown ones below "audio_encoder.". After a failure
 * nothing is left to release. */
int encoder_open(struct encoder *encoder, const struct codec_config *config, const char *folder, struct device device);
void encoder_release(struct encoder *encoder); /* accepts all-zero */

/* samples [1, 1, n] -> [1, width, n / hop rounded up]. What is missing to a whole frame is padded. */
struct tensor *encoder_features(const struct encoder *encoder, struct tensor *samples, enum edges edges);

/* frames [n, width], time first, which hold the frames around the wanted ones that exist in the clip; missing says how
 * many do not, at each end. Result: latent vectors of the wanted ones, [wanted, dimension]. */
struct tensor *encoder_latent(const struct encoder *encoder, struct tensor *frames, struct sides missing);

/* latent [n, dimension] -> codes [codebooks, n] in host memory. */
int encoder_codes(const struct encoder *encoder, struct tensor *latent, int64_t *codes);

#endif
