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

/* A measurement block by block, in memory that does not grow with the blocks. Interleaved samples of 1 or 2 channels.
 * A mono file counts as one channel (no dual-mono offset). */
struct loudness_meter;
struct loudness_meter *loudness_open(int channels, int64_t rate_hz); /* NULL on failure */
int loudness_add(struct loudness_meter *meter, const float *samples, int64_t frames);
int loudness_result(const struct loudness_meter *meter, struct loudness *loudness); /* of all that was added */
void loudness_close(struct loudness_meter *meter); /* NULL is fine */

/* All samples at once. */
int loudness_measure(const float *samples, int64_t frames, int channels, int64_t rate_hz, struct loudness *loudness);

/* Only the integrated loudness, which is several times quicker. */
int loudness_integrated(const float *samples, int64_t frames, int channels, int64_t rate_hz, double *integrated_lufs);

#endif
