/* SPDX-License-Identifier: Apache-2.0
 * splice - the real beginning of a continued track: samples of the original in the place of those decoded from its codes.
 *
 *     splice_open; for each piece of decoded samples in order: splice_apply; splice_close
 *
 * The original is brought to the codec's rate and channels. It lasts as long as the frames that it was encoded to, or as it
 * has samples, whichever is less; over the last SPLICE_FADE_SECONDS of that it fades into the decoded sound, linearly,
 * because the two are nearly the same there.
 */
#ifndef LEITMOTIF_DECODE_AUDIO_SPLICE_H
#define LEITMOTIF_DECODE_AUDIO_SPLICE_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/audio.h"
#include "formats/model.h"
#include "formats/stage.h"

#define SPLICE_FADE_SECONDS 0.02

struct splice {
    struct audio_source *source;
    int channels;
    float *held;           /* original samples [count, channels] from `start` on; room for a piece and the fade */
    int64_t start, count;
    int64_t room, end;     /* end: where the original stops at the latest; exact once it is known */
    int64_t fade;          /* samples */
};

/* Refuses tokens whose recipe does not say how many of their frames were continued. piece: samples of the longest one. */
int splice_open(struct splice *splice, const char *original, const struct model *model, const struct tokens *tokens, int64_t piece);

/* Replaces decoded samples [count, channels] of the clip from its sample `at` on. */
int splice_apply(struct splice *splice, float *decoded, int64_t at, int64_t count);
void splice_close(struct splice *splice); /* accepts all-zero */

#endif
