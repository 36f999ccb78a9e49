/* SPDX-License-Identifier: Apache-2.0
 * Column i turns by 10000^(-i / (half - 1)) radians a position: from 1 down to 1 / 10000, both included, hence half - 1.
 * Rate, frequency and angle are rounded to float32 one after the other, as the published models' codes do.
 */
#include "sample-tokens/positions.h"

#include "sample-tokens/elementary.h"

static const double LOG_10000 = 9.210340371976182736;

void positions_fill(float *table, int64_t positions, int64_t width)
{
    int64_t half = width / 2;
    float rate = (float)(LOG_10000 / (double)(half - 1));
    for (int64_t i = 0; i < half; i++) {
        float frequency = (float)elementary_exp(-(double)((float)i * rate));
        for (int64_t p = 0; p < positions; p++) {
            float angle = (float)p * frequency;
            table[p * width + i] = (float)elementary_cos((double)angle);
            table[p * width + half + i] = (float)elementary_sin((double)angle);
        }
    }
}
