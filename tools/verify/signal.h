/* SPDX-License-Identifier: Apache-2.0
 * signal - what one pass over samples tells of them, in memory that does not grow with their number.
 *
 *     struct signal signal;
 *     signal_begin(&signal, channels, rate_hz);
 *     signal_add(&signal, block, frames);      // interleaved; any number of times
 *     signal_end(&signal);                     // the fields below are final
 *     signal_release(&signal);
 *
 * Samples that are not finite are counted and otherwise taken as 0. A stretch is in frames.
 */
#ifndef LEITMOTIF_VERIFY_SIGNAL_H
#define LEITMOTIF_VERIFY_SIGNAL_H

#include <stdint.h>

#define SILENCE_LEVEL 1e-3f /* -60 dBFS: below it in every channel, a frame is silent */

struct stretch {
    int64_t start, frames;
};

struct signal_channel; /* what a channel's next sample is compared with */

struct signal {
    int channels;
    int64_t rate_hz, frames;
    int64_t not_finite;
    struct stretch silence;      /* the longest one that ends before the end; the whole of a silent signal counts as tail */
    struct stretch tail;         /* the silence at the end */
    int64_t clipped;             /* samples in clipped runs, of all channels */
    int64_t clipped_first;       /* frame of the first of them */
    struct stretch stuck;        /* the longest stretch in which a channel stays at one value that is not silence */
    double dc;                   /* the mean of the channel whose mean is farthest from 0 */
    struct signal_channel *state; /* [channels] */
};

void signal_begin(struct signal *signal, int channels, int64_t rate_hz);
void signal_add(struct signal *signal, const float *samples, int64_t frames);
void signal_end(struct signal *signal);
void signal_release(struct signal *signal);

#endif
