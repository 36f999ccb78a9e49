/* SPDX-License-Identifier: Apache-2.0
 * delay-pattern - how the codebooks of a frame are spread over the columns that the language model sees.
 *
 * Codebook q runs delay(q) columns behind codebook 0; stereo pairs (left, right) share a delay. A piece of T frames has
 * S = 1 + T + largest delay columns:
 *     column[q][0] = special;  column[q][s] = code[q][s - 1 - delay(q)] where that frame is in 0 .. T-1, else special.
 * Columns 0 .. S-2 are fed; the logits after column s-1 choose the tokens of column s.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_DELAY_PATTERN_H
#define LEITMOTIF_SAMPLE_TOKENS_DELAY_PATTERN_H

#include <stdint.h>

struct delay_pattern {
    int64_t codebooks, channels; /* K; 1, or 2: codebooks in the order 1L 1R 2L 2R ... */
    int32_t special;             /* start, not yet, no more: one id above the vocabulary */
};

int64_t delay_of(const struct delay_pattern *pattern, int64_t codebook);
int64_t delay_largest(const struct delay_pattern *pattern);
int64_t delay_columns(const struct delay_pattern *pattern, int64_t frames); /* S */

/* The frame whose token of `codebook` stands in `column`; may lie outside of 0 .. T-1. */
int64_t delay_frame(const struct delay_pattern *pattern, int64_t column, int64_t codebook);

/* Column `column` of `frames` frames into ids [K]. codes: [K, ...] with rows `stride` apart. */
void delay_column(const struct delay_pattern *pattern, const int32_t *codes, int64_t stride, int64_t frames, int64_t column,
                  int32_t *ids);

#endif
