/* SPDX-License-Identifier: Apache-2.0 */
#include "sample-tokens/delay-pattern.h"

int64_t delay_of(const struct delay_pattern *pattern, int64_t codebook)
{
    return codebook / pattern->channels;
}

int64_t delay_largest(const struct delay_pattern *pattern)
{
    return delay_of(pattern, pattern->codebooks - 1);
}

int64_t delay_columns(const struct delay_pattern *pattern, int64_t frames)
{
    return 1 + frames + delay_largest(pattern);
}

int64_t delay_frame(const struct delay_pattern *pattern, int64_t column, int64_t codebook)
{
    return column - 1 - delay_of(pattern, codebook);
}

void delay_column(const struct delay_pattern *pattern, const int32_t *codes, int64_t stride, int64_t frames, int64_t column,
                  int32_t *ids)
{
    for (int64_t q = 0; q < pattern->codebooks; q++) {
        int64_t frame = delay_frame(pattern, column, q);
        ids[q] = frame >= 0 && frame < frames ? codes[q * stride + frame] : pattern->special;
    }
}
