/* SPDX-License-Identifier: Apache-2.0
 * sound - a piece of audio in memory and what is done to it before its level: silence trimmed, fades, channels, rate.
 */
#ifndef LEITMOTIF_TRANSCODE_SOUND_H
#define LEITMOTIF_TRANSCODE_SOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/loudness.h"

struct sound {
    float *samples;  /* [frames, channels] */
    int64_t frames;
    int channels;    /* 1 or 2 */
    int64_t rate_hz;
};

/* Reads a file. Refused: no frames, more than two channels, a sample that is not finite. */
int sound_load(struct sound *sound, const char *path);
void sound_release(struct sound *sound); /* accepts all-zero */

/* Cuts what is below -60 dBFS in all channels before the first and after the last louder sample, but for 10 ms. False:
 * nothing is louder, and nothing was cut. */
bool sound_trim(struct sound *sound);

/* Takes each channel's mean away. An offset cannot be heard and loudness does not count it, but it takes headroom: a model's
 * offset of -0.07 in a soft piece stood at -0.3 after levelling, and pushed the limiter. */
void sound_centre(struct sound *sound);

/* Raised-cosine fades at the ends; 0: none. Fails when one is longer than the sound. */
int sound_fade(struct sound *sound, double in_seconds, double out_seconds);

/* A copy with this many channels: mono to stereo is two equal ones, stereo to mono their mean. */
struct sound sound_with_channels(const struct sound *sound, int channels);

/* A copy at this rate. */
int sound_at_rate(const struct sound *sound, int64_t rate_hz, struct sound *copy);

int sound_measure(const struct sound *sound, struct loudness *loudness);
int sound_loudness(const struct sound *sound, double *integrated_lufs); /* the quicker half of it */

#endif
