/* SPDX-License-Identifier: Apache-2.0
 * loudness - EBU R128 / ITU-R BS.1770 integrated loudness and true peak, by libebur128 (which this module alone sees).
 */
#ifndef LEITMOTIF_FORMATS_LOUDNESS_H
#define LEITMOTIF_FORMATS_LOUDNESS_H

#include <stdint.h>

struct loudness {
    double integrated_lufs; /* -HUGE_VAL: silence, or shorter than one 400 ms block */
    double true_peak_dbtp;  /* -HUGE_VAL: silence */
    double sample_peak;     /* linear */
};

/* Interleaved samples of 1 or 2 channels. A mono file counts as one channel (no dual-mono offset). */
int loudness_measure(const float *samples, int64_t frames, int channels, int64_t rate_hz, struct loudness *loudness);

#endif
