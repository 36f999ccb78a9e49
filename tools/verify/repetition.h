/* SPDX-License-Identifier: Apache-2.0
 * repetition - how monotonous codes are: a model that got stuck says one thing, or a few things in turn, over and over.
 *
 * codes: [codebooks, frames], row-major. A column is what all codebooks say at one frame. Knows no thresholds.
 */
#ifndef LEITMOTIF_VERIFY_REPETITION_H
#define LEITMOTIF_VERIFY_REPETITION_H

#include <stdint.h>

struct codes {
    const int32_t *codes;
    int64_t codebooks, frames;
};

struct loop { /* `frames` frames from `start` on, in which every column equals the one `period` before it */
    int64_t period, start, frames;
};

/* The longest stretch that repeats with exactly this period, its first turn included; frames is 0 when nothing does. */
struct loop longest_loop(const struct codes *codes, int64_t period);

enum { MOST_DISTINCT = 8 };

/* The fewest different columns in any `window` frames (1 ... frames) in a row; counting stops at MOST_DISTINCT. *start:
 * where that window begins. */
int fewest_distinct(const struct codes *codes, int64_t window, int64_t *start);

#endif
