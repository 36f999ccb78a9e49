/* SPDX-License-Identifier: Apache-2.0
 * positions - the sinusoidal positions that are added to the embeddings; the same bits on every machine.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_POSITIONS_H
#define LEITMOTIF_SAMPLE_TOKENS_POSITIONS_H

#include <stdint.h>

/* table [positions, width]: of each position first all cosines, then all sines. width is even and at least 4. */
void positions_fill(float *table, int64_t positions, int64_t width);

#endif
