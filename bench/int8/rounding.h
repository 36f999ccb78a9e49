/* SPDX-License-Identifier: Apache-2.0
 * rounding - engines that round as int8 does, or as it could have done, one thing at a time.
 */
#ifndef LEITMOTIF_BENCH_ROUNDING_H
#define LEITMOTIF_BENCH_ROUNDING_H

#include "sample-tokens/engine-cpu.h"

/* How an output's scale is found: so that the largest weight is 127, as int8 does; or the one of some smaller ones, which
 * clip, that has the least sum of squared errors. */
enum scale_by { SCALE_BY_LARGEST, SCALE_BY_LEAST_SQUARES };

enum { ROUND_ATTENTION = 1, ROUND_FEED_FORWARD = 2, ROUND_HEADS = 4, ROUND_ALL = 7 };

/* The matrices of these parts of an engine with float32 weights: each weight becomes what int8 would take it for. So
 * activations stay float32. */
void round_weights(struct engine *engine, unsigned parts, enum scale_by scale_by);

/* Of an engine with int8 weights: activations to 8 bits a row instead of 16. */
void round_activations(struct engine *engine);

#endif
