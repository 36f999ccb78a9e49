/* SPDX-License-Identifier: Apache-2.0
 * convolution - EnCodec's convolutions: weight norm folded at load, padding symmetrical as the codec does it.
 *
 * Signals are x [1, channels, length]. Tensors of a convolution belong to the `struct weights` it was read with.
 */
#ifndef LEITMOTIF_NN_CONVOLUTION_H
#define LEITMOTIF_NN_CONVOLUTION_H

#include <stdbool.h>

#include "nn/codec-geometry.h"
#include "nn/weights.h"

struct convolution {
    struct tensor *weight; /* [out, in, kernel]; transposed: [in, out, kernel] */
    struct tensor *bias;   /* [out] */
    int64_t kernel, dilation, stride;
    bool transposed;       /* kernel 2 stride */
};

/* Reads PREFIX.weight_g, .weight_v (or their newer names), .bias for the kernel, stride and direction that are set
 * already. Checks shapes. 0, or -1. */
int convolution_read(struct convolution *convolution, struct weights *weights, int64_t in, int64_t out, const char *prefix);

/* Pads by mirror images without the edge sample, or by zeros. A signal not longer than the padding is first made
 * longer by zeros on the right, which are cut from the padded right end again: so does the codec in training. */
struct tensor *pad_edges(struct tensor *x, struct sides padding, bool reflect);

/* What lies beyond the ends of a signal: at a true edge of the clip the codec's padding; nothing that matters where
 * both ends are cuts with margins, and zeros cost no copy there. */
enum edges { EDGES_CUT, EDGES_REFLECT, EDGES_ZERO };

/* x -> [1, out, length / stride rounded up], or [1, out, length stride] when transposed. */
struct tensor *convolve(const struct convolution *convolution, struct tensor *x, enum edges edges);

/* The same of elu(x). */
struct tensor *convolve_activated(const struct convolution *convolution, struct tensor *x, enum edges edges);

#endif
