/* SPDX-License-Identifier: Apache-2.0
 * quads - four floats at a time in plain multiplications and additions: the same bits on every processor.
 *
 * e^y - 1 for y <= 0: e^y = 2^n e^r with n whole and |r| <= ln(2)/2, so e^y - 1 = 2^n (e^r - 1) + (2^n - 1), which cancels
 * nowhere.
 */
#ifndef LEITMOTIF_CPU_QUADS_H
#define LEITMOTIF_CPU_QUADS_H

#include <stdint.h>

enum { QUAD = 4 };

typedef float quad __attribute__((vector_size(sizeof(float) * QUAD)));
typedef uint32_t quad_bits __attribute__((vector_size(sizeof(float) * QUAD)));

/* where ? a : b, by lane */
static inline quad quad_choose(quad_bits where, quad a, quad b)
{
    return (quad)((where & (quad_bits)a) | (~where & (quad_bits)b));
}

/* Right for y <= 0; a number without a meaning, but a number, for finite y above. NaN stays NaN. */
static inline quad quad_expm1(quad y)
{
    const float log2_e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    const float rounder = 12582912; /* 1.5 x 2^23: adding it rounds to a whole number, which the low bits then hold */
    const quad smallest = {-30, -30, -30, -30}; /* e^-30 - 1 is -1 */
    y = quad_choose((quad_bits)(y < smallest), smallest, y);
    quad rounded = y * log2_e + rounder, n = rounded - rounder;
    quad r = y - n * ln2_high - n * ln2_low;
    quad tail = 1.0f / 2 + r * (1.0f / 6 + r * (1.0f / 24 + r * (1.0f / 120 + r * (1.0f / 720 + r * (1.0f / 5040)))));
    quad power = (quad)(((quad_bits)rounded + 127) << 23); /* 2^n: what rounder leaves above is shifted out */
    return power * (r + r * r * tail) + (power - 1);
}

#endif
