/* SPDX-License-Identifier: Apache-2.0
 * codec - EnCodec's decoder (arXiv 2210.13438): the weights and the three parts it consists of.
 *
 *     codes --lookup, sum--> latent --conv 0, LSTM + skip--> frames --ratios x (ELU, transposed conv, residuals)--> ELU, conv --> samples
 *
 * The middle part needs everything before it (it carries a state), the last part only some frames around a place
 * (geometry_margins). One mono codec; stereo is two runs. All tensors float32 on the weights' device.
 * This module must not know files of codes, chunks or WAV.
 */
#ifndef LEITMOTIF_DECODE_AUDIO_CODEC_H
#define LEITMOTIF_DECODE_AUDIO_CODEC_H

#include "decode-audio/geometry.h"
#include "nn/codec-layers.h"

struct stage {
    struct convolution upsampling;
    struct residual residuals[CODEC_MAX_RESIDUALS];
};

struct codec {
    struct codec_config config;
    struct weights weights;
    struct tensor *tables[CODEC_MAX_CODEBOOKS];      /* [codebook_size, dimension] */
    struct convolution first, last;
    struct recurrence recurrence;
    struct stage stages[CODEC_MAX_RATIOS];
};

/* Takes the decoder's tensors from the model's folder; refuses unknown ones below "audio_encoder.". After a failure
 * nothing is left to release. */
int codec_open(struct codec *codec, const struct codec_config *config, const char *folder, struct device device);
void codec_release(struct codec *codec); /* accepts all-zero */

/* Sum over the codebooks: codes [codebooks, n] of this channel -> [1, dimension, n]. */
struct tensor *codec_latent(const struct codec *codec, struct tensor *codes);

/* First convolution and LSTM over latent [1, dimension, n], which holds the frames around the wanted ones that exist
 * in the clip; missing says how many do not, at each end. The state is carried on in place.
 * Result: the wanted frames, time first, [wanted, width]. */
struct tensor *codec_frames(const struct codec *codec, struct tensor *latent, struct sides missing, const struct recurrence_state *state);

/* frames [n, width] -> samples [n hop]. */
struct tensor *codec_samples(const struct codec *codec, struct tensor *frames, enum edges edges);

#endif
