/* SPDX-License-Identifier: Apache-2.0
 * series - measured figures of one kind, in the order taken, and what to say of them.
 */
#ifndef LEITMOTIF_BENCH_SERIES_H
#define LEITMOTIF_BENCH_SERIES_H

#include <stddef.h>

struct series {
    double *values;
    size_t count, capacity;
};

void series_add(struct series *series, double value);
double series_rank(const struct series *series, double share); /* 0: smallest, 0.5: median, 1: largest; 0 when empty */
double series_sum(const struct series *series);
void series_release(struct series *series);

#endif
