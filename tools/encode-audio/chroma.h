/* SPDX-License-Identifier: Apache-2.0
 * chroma - which of the 12 pitch classes (0: C) is strongest, frame by frame, as MusicGen's melody models were trained on it.
 *
 * Power spectrum of 16384 samples at 32 kHz under a Hann window, a frame every 4096; a bank of 12 filters with librosa's
 * definition (librosa.filters.chroma, tuning 0), strongest bin, the first of equal ones: silence is 0. At both ends the
 * signal goes on mirrored, 8192 samples. This module must not know files, models or windows.
 */
#ifndef LEITMOTIF_ENCODE_AUDIO_CHROMA_H
#define LEITMOTIF_ENCODE_AUDIO_CHROMA_H

#include <stdint.h>

#include "libtorch/tensor.h"
#include "nn/memory-plan.h"

enum { CHROMA_RATE_HZ = 32000 };

struct chroma {
    struct tensor *window; /* [16384], owned */
    struct tensor *bank;   /* [12, 8193], owned */
};

int chroma_open(struct chroma *chroma); /* on the CPU always */
void chroma_release(struct chroma *chroma); /* accepts all-zero */

int64_t chroma_frames(int64_t samples); /* 1 + samples / 4096; 5 for a signal shorter than a window */

/* bins [chroma_frames(count)] of mono samples. A signal shorter than 16384 samples is made so long by zeros on both sides. */
int chroma_bins(const struct chroma *chroma, const float *samples, int64_t count, int32_t *bins);

/* Adds what is allocated beside the samples. */
void chroma_plan(struct memory_plan *plan);

#endif
