/* SPDX-License-Identifier: Apache-2.0
 * kernels-constants - the coefficients that every version of the kernels shares. Minimax fits in float32.
 *
 * exp(x) = 2^n exp(r) with n = round(x / log 2), r = x - n log 2: 1 + r + r^2 (E0 + E1 r + ...); relative error 3e-9 before
 * rounding. erf(x) = x (F0 + F1 x^2 + ...) for |x| < 1, error 1.2e-9; else 1 - exp(L0 + L1 |x| + ...), the fit of
 * log erfc on [1, 4], error 2.1e-11 of erf; from 4 on it is 1.
 */
#ifndef LEITMOTIF_CPU_KERNELS_CONSTANTS_H
#define LEITMOTIF_CPU_KERNELS_CONSTANTS_H

#include <math.h>

#if defined(__FAST_MATH__)
#error "sums have one order, which -ffast-math does not keep"
#endif

#define NORM_EPSILON 1e-5f
#define SQRT_HALF 0x1.6a09e6p-1f
#define MOST_QUANTUM 32767.0f /* of an int16 */
#define LEAST_QUANTISED 1e-30f

#define EXP_LOWEST (-87.0f) /* below: 0 */
#define LOG2_E 0x1.715476p+0f
#define ROUND_TO_INTEGER 0x1.8p+23f /* added and subtracted: rounds to even */
#define LN2_HIGH 0x1.62e400p-1f     /* times an integer of 8 bits: exact */
#define LN2_LOW 0x1.7f7d1cp-20f

static const float EXP_FIT[] = {0x1.000000p-1f, 0x1.555486p-3f, 0x1.555454p-5f, 0x1.124148p-7f, 0x1.6dbc64p-10f};
static const float ERF_FIT[] = {0x1.20dd74p+0f,  -0x1.81273ep-2f,  0x1.ce2d20p-4f, -0x1.b7fbb4p-6f,
                                0x1.5419f4p-8f, -0x1.a485e8p-11f, 0x1.4ae4c6p-14f};
static const float LOG_ERFC_FIT[] = {0x1.8a5954p-13f, -0x1.212c0ep+0f,  -0x1.443566p-1f,  -0x1.bc151ep-4f,
                                     0x1.9d0318p-6f, -0x1.138cd8p-8f, 0x1.cec654p-12f, -0x1.6bd850p-16f};
#define ERF_ONE_FROM 4.0f

/* Of a row whose largest size this is: what its quanta are multiplied by, and the other way round; 0: all quanta are 0. */
static inline float quantum(float largest)
{
    return largest < LEAST_QUANTISED ? 0 : largest < INFINITY ? largest / MOST_QUANTUM : NAN;
}

static inline float quantum_inverse(float largest)
{
    return largest >= LEAST_QUANTISED && largest < INFINITY ? MOST_QUANTUM / largest : 0;
}

enum { EXP_TERMS = 5, ERF_TERMS = 7, LOG_ERFC_TERMS = 8 };

#endif
