/* SPDX-License-Identifier: Apache-2.0
 * Each function takes a multiple of a constant away from its argument and sums a Taylor series of what is left, which is
 * so small that few terms are enough. The constants, log(2) / 32 and pi/2, stand in parts with few bits, so that their
 * products with the multiple are exact.
 */
#include "sample-tokens/elementary.h"

#include <float.h>
#include <stdint.h>
#include <string.h>

#if defined(__FAST_MATH__)
#error "operations have one order, which -ffast-math does not keep"
#endif

_Static_assert(FLT_EVAL_METHOD == 0, "doubles must be computed as doubles, not in wider registers");

/* A double in 2^52 .. 2^53 has no fraction: adding this rounds to an integer, which its lowest bits are then. */
static const double INTEGER = 0x1.8p52;

/* exp: steps of log(2) / 32, and 2^(i / 32) as a double and what that lacks. */
enum { STEP_BITS = 5, STEPS = 1 << STEP_BITS, EXPONENT_BIAS = 1023 };
static const double PER_STEP = 0x1.71547652b82fep+5, STEP_HIGH = 0x1.62e42fefap-6, STEP_LOW = 0x1.cf79abc9e3b3ap-45;
static const double EXP_LOWEST_NORMAL = -708, EXP_HIGHEST_NORMAL = 709; /* safely within what needs no care */
static const double EXP_LOWEST = -746, EXP_HIGHEST = 710;               /* 0 and infinity from here on */
static const double ROOTS_OF_2[STEPS][2] = {
    {0x1p+0, 0}, {0x1.059b0d3158574p+0, 0x1.d73e2a475b465p-55},
    {0x1.0b5586cf9890fp+0, 0x1.8a62e4adc610bp-54}, {0x1.11301d0125b51p+0, -0x1.6c51039449b3ap-54},
    {0x1.172b83c7d517bp+0, -0x1.19041b9d78a76p-55}, {0x1.1d4873168b9aap+0, 0x1.e016e00a2643cp-54},
    {0x1.2387a6e756238p+0, 0x1.9b07eb6c70573p-54}, {0x1.29e9df51fdee1p+0, 0x1.612e8afad1255p-55},
    {0x1.306fe0a31b715p+0, 0x1.6f46ad23182e4p-55}, {0x1.371a7373aa9cbp+0, -0x1.63aeabf42eae2p-54},
    {0x1.3dea64c123422p+0, 0x1.ada0911f09ebcp-55}, {0x1.44e086061892dp+0, 0x1.89b7a04ef80dp-59},
    {0x1.4bfdad5362a27p+0, 0x1.d4397afec42e2p-56}, {0x1.5342b569d4f82p+0, -0x1.07abe1db13cadp-55},
    {0x1.5ab07dd485429p+0, 0x1.6324c054647adp-54}, {0x1.6247eb03a5585p+0, -0x1.383c17e40b497p-54},
    {0x1.6a09e667f3bcdp+0, -0x1.bdd3413b26456p-54}, {0x1.71f75e8ec5f74p+0, -0x1.16e4786887a99p-55},
    {0x1.7a11473eb0187p+0, -0x1.41577ee04992fp-55}, {0x1.82589994cce13p+0, -0x1.d4c1dd41532d8p-54},
    {0x1.8ace5422aa0dbp+0, 0x1.6e9f156864b27p-54}, {0x1.93737b0cdc5e5p+0, -0x1.75fc781b57ebcp-57},
    {0x1.9c49182a3f09p+0, 0x1.c7c46b071f2bep-56}, {0x1.a5503b23e255dp+0, -0x1.d2f6edb8d41e1p-54},
    {0x1.ae89f995ad3adp+0, 0x1.7a1cd345dcc81p-54}, {0x1.b7f76f2fb5e47p+0, -0x1.5584f7e54ac3bp-56},
    {0x1.c199bdd85529cp+0, 0x1.11065895048ddp-55}, {0x1.cb720dcef9069p+0, 0x1.503cbd1e949dbp-56},
    {0x1.d5818dcfba487p+0, 0x1.2ed02d75b3707p-55}, {0x1.dfc97337b9b5fp+0, -0x1.1a5cd4f184b5cp-54},
    {0x1.ea4afa2a490dap+0, -0x1.e9c23179c2893p-54}, {0x1.f50765b6e454p+0, 0x1.9d3e12dd8a18bp-54},
};

/* sin and cos: steps of pi/2. */
static const double PER_RIGHT_ANGLE = 0x1.45f306dc9c883p-1; /* 2 / pi */
static const double RIGHT_ANGLE_HIGH = 0x1.921fb5444p+0, RIGHT_ANGLE_MIDDLE = 0x1.68c234c4cp-39, RIGHT_ANGLE_LOW = 0x1.98a2e03707345p-77;

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* 2^(biased - 1023), a normal number. */
static double power_of_2(uint64_t biased)
{
    double value;
    biased <<= 52;
    memcpy(&value, &biased, sizeof value);
    return value;
}

/* exp(x) = 2^(i / 32) exp(r) 2^n, the first two of which are returned, in 0.98 .. 2; steps is 32 n + i, |r| <= log(2) / 64. */
static double exp_parts(double x, int64_t *steps)
{
    const double shifted = x * PER_STEP + INTEGER, count = shifted - INTEGER;
    const double r = (x - count * STEP_HIGH) - count * STEP_LOW, square = r * r;
    const double series = r + square * ((1.0 / 2 + r * (1.0 / 6)) + square * ((1.0 / 24 + r * (1.0 / 120)) + square * (1.0 / 720)));
    *steps = (int64_t)(bits_of(shifted) - bits_of(INTEGER));
    const double *root = ROOTS_OF_2[*steps & (STEPS - 1)];
    return root[0] + (root[1] + root[0] * series);
}

/* Where 2^n may lie outside the normal numbers: in two steps, of which only the second can round. */
static double exp_at_ends(double x)
{
    int64_t steps;
    if (x != x)
        return x;
    const double value = exp_parts(x > EXP_HIGHEST ? EXP_HIGHEST : x < EXP_LOWEST ? EXP_LOWEST : x, &steps);
    const uint64_t biased = (uint64_t)(steps + 2 * EXPONENT_BIAS * STEPS) >> STEP_BITS, half = biased / 2;
    return value * power_of_2(half) * power_of_2(biased - half);
}

double elementary_exp(double x)
{
    int64_t steps;
    if (!(x > EXP_LOWEST_NORMAL && x < EXP_HIGHEST_NORMAL))
        return exp_at_ends(x);
    const double value = exp_parts(x, &steps);
    return value * power_of_2((uint64_t)(steps + EXPONENT_BIAS * STEPS) >> STEP_BITS);
}

/* What is left of an angle: r + rest, |r| <= pi/4, after so many right angles (modulo 4). */
struct reduced {
    double r, rest;
    unsigned quadrant;
};

static struct reduced reduce(double angle)
{
    const double shifted = angle * PER_RIGHT_ANGLE + INTEGER, count = shifted - INTEGER;
    const double high = angle - count * RIGHT_ANGLE_HIGH, middle = count * RIGHT_ANGLE_MIDDLE;
    const double difference = high - middle;
    const double lost = ((high - difference) - middle) - count * RIGHT_ANGLE_LOW;
    const double r = difference + lost;
    return (struct reduced){r, (difference - r) + lost, (unsigned)bits_of(shifted) & 3};
}

/* sin(r) = r - r^3/3! + .., to r^17 */
static double sine(double r, double rest)
{
    const double x = r * r, square = x * x;
    const double a = -1.0 / 6 + x * (1.0 / 120);
    const double b = -1.0 / 5040 + x * (1.0 / 362880);
    const double c = -1.0 / 39916800 + x * (1.0 / 6227020800);
    const double d = -1.0 / 1307674368000 + x * (1.0 / 355687428096000);
    const double series = a + square * (b + square * (c + square * d));
    return r + (r * x * series + rest * (1 - x / 2));
}

/* cos(r) = 1 - r^2/2! + .., to r^18; what the first difference rounds away is kept. */
static double cosine(double r, double rest)
{
    const double x = r * r, square = x * x, half = x / 2, start = 1 - half;
    const double a = 1.0 / 24 + x * (-1.0 / 720);
    const double b = 1.0 / 40320 + x * (-1.0 / 3628800);
    const double c = 1.0 / 479001600 + x * (-1.0 / 87178291200);
    const double d = 1.0 / 20922789888000 + x * (-1.0 / 6402373705728000);
    const double series = a + square * (b + square * (c + square * d));
    return start + (((1 - start) - half) + (square * series - r * rest));
}

static double sine_in(unsigned quadrant, struct reduced angle)
{
    const double value = quadrant & 1 ? cosine(angle.r, angle.rest) : sine(angle.r, angle.rest);
    return quadrant & 2 ? -value : value;
}

double elementary_sin(double angle)
{
    const struct reduced reduced = reduce(angle);
    return sine_in(reduced.quadrant, reduced);
}

double elementary_cos(double angle)
{
    const struct reduced reduced = reduce(angle);
    return sine_in(reduced.quadrant + 1, reduced);
}
