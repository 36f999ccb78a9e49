/* SPDX-License-Identifier: Apache-2.0
 * clock - elapsed time for progress and reports; never an input of a result.
 */
#ifndef LEITMOTIF_BASE_CLOCK_H
#define LEITMOTIF_BASE_CLOCK_H

#include <time.h>

/* Seconds of the monotonic clock. */
static inline double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
