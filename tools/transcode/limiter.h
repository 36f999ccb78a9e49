/* SPDX-License-Identifier: Apache-2.0
 * limiter - holds the true peak of a signal below a ceiling by turning it down smoothly before it gets there.
 *
 * For each frame: the largest true peak p[n] from it to the next, all channels together (so that the stereo image stays);
 * the gain it needs, r[n] = min(1, ceiling / p[n]); held over the look-ahead on both sides, with an exponential release,
 * and smoothed by a window no longer than the look-ahead, so that the gain at n never exceeds r[n]:
 *
 *     r  ----_----      hold  --___---     release  --___..--     smooth  -\___/--      output[n] = gain * smooth[n] * x[n]
 *
 * It must not know loudness, files or formats.
 */
#ifndef LEITMOTIF_TRANSCODE_LIMITER_H
#define LEITMOTIF_TRANSCODE_LIMITER_H

#include <stdint.h>

/* [frames]: the largest |value| of any channel from each frame to the next, 8 times oversampled; linear. Yours to free(). */
float *limiter_peaks(const float *samples, int64_t frames, int channels);

/* output = samples times gain, limited to ceiling (both linear); peaks are those of samples. output may not be samples.
 * Returns the smallest gain factor of the limiter: 1 when nothing was to be done. */
double limiter_apply(const float *samples, const float *peaks, int64_t frames, int channels, int64_t rate_hz, double gain,
                     double ceiling, float *output);

#endif
