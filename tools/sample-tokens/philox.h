/* SPDX-License-Identifier: Apache-2.0
 * philox - Philox 4x32-10, a random number generator without a state: the same key and counter always give the same
 * 128 bits. J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_PHILOX_H
#define LEITMOTIF_SAMPLE_TOKENS_PHILOX_H

#include <stdint.h>

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t result[4]);

/* The one uniform number in [0, 1) of a token, 53 bits: docs/sampling.md has the layout of key and counter. */
double philox_uniform(int64_t seed, int64_t frame, int64_t codebook);

#endif
