/* SPDX-License-Identifier: Apache-2.0
 * clip - one file of tokens, checked against the model that shall decode it, and its way into a WAV file.
 */
#ifndef LEITMOTIF_DECODE_AUDIO_CLIP_H
#define LEITMOTIF_DECODE_AUDIO_CLIP_H

#include "decode-audio/codec.h"
#include "formats/stage.h"

struct decoder {
    struct model model;
    struct codec codec;
    struct cutting cutting;
};

/* Refuses codes that the model's codec cannot mean: another number of codebooks, codes outside them, a recipe with
 * other rates. A recipe of another model with the same geometry is only noted. path is for the texts. */
int clip_check(const struct model *model, const struct tokens *tokens, const char *path);

/* Decodes checked tokens into a WAV file of the codec's rate, stereo when the model's codebooks are interleaved left,
 * right. original: a file whose samples stand at the beginning of continued tokens (decode-audio/splice.h), or NULL.
 * Nothing is left at `output` after a failure. */
int clip_decode(const struct decoder *decoder, const struct tokens *tokens, const char *original, const char *output);

#endif
