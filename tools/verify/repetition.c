/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/repetition.h"

#include <stdbool.h>

static bool columns_equal(const struct codes *codes, int64_t a, int64_t b)
{
    for (int64_t k = 0; k < codes->codebooks; k++)
        if (codes->codes[k * codes->frames + a] != codes->codes[k * codes->frames + b])
            return false;
    return true;
}

struct loop longest_loop(const struct codes *codes, int64_t period)
{
    struct loop longest = {.period = period};
    int64_t run = 0; /* columns in a row that equal the one a period before */
    for (int64_t t = period; t < codes->frames; t++) {
        run = columns_equal(codes, t, t - period) ? run + 1 : 0;
        if (run && run + period > longest.frames)
            longest = (struct loop){period, t - run - period + 1, run + period};
    }
    return longest;
}

/* The frames at which the last few different columns were last seen. A column that falls out of it has MOST_DISTINCT
 * newer ones behind it, and no longer matters. */
struct recent {
    int64_t seen[MOST_DISTINCT];
    int count;
};

static void see(struct recent *recent, const struct codes *codes, int64_t t)
{
    int oldest = 0;
    for (int i = 0; i < recent->count; i++) {
        if (columns_equal(codes, recent->seen[i], t)) {
            recent->seen[i] = t;
            return;
        }
        if (recent->seen[i] < recent->seen[oldest])
            oldest = i;
    }
    recent->seen[recent->count < MOST_DISTINCT ? recent->count++ : oldest] = t;
}

static int seen_since(const struct recent *recent, int64_t first)
{
    int count = 0;
    for (int i = 0; i < recent->count; i++)
        count += recent->seen[i] >= first;
    return count;
}

int fewest_distinct(const struct codes *codes, int64_t window, int64_t *start)
{
    struct recent recent = {.count = 0};
    int fewest = MOST_DISTINCT + 1;
    for (int64_t t = 0; t < codes->frames; t++) {
        see(&recent, codes, t);
        int64_t first = t - window + 1;
        int distinct = first >= 0 ? seen_since(&recent, first) : fewest;
        if (distinct < fewest) {
            fewest = distinct;
            *start = first;
        }
    }
    return fewest;
}
