/* SPDX-License-Identifier: Apache-2.0
 * elementary - exp, sin and cos that are the same, bit for bit, on every machine, compiler and C library.
 *
 * libm's differ in their last bit between libraries and processors, which is enough for another token. These use nothing
 * but IEEE double additions, multiplications and the bits of a double; none of them fused, which the compiler is told by
 * -ffp-contract=off. Their results are therefore part of what a token is: a change of one bit is a new result version.
 * Errors are below 1 unit in the last place; tests/unit/test-elementary.c measures them and holds their bits.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_ELEMENTARY_H
#define LEITMOTIF_SAMPLE_TOKENS_ELEMENTARY_H

/* Any x: infinity above 709.78, gradually to 0 below -708.4 (0 from -745.14 on), NaN for NaN. */
double elementary_exp(double x);

/* Of an angle in radians, from -ELEMENTARY_LARGEST_ANGLE to it; beyond, the same everywhere but not accurate. */
#define ELEMENTARY_LARGEST_ANGLE 2e5
double elementary_sin(double angle);
double elementary_cos(double angle);

#endif
