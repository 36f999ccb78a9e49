/* SPDX-License-Identifier: Apache-2.0
 * kernels - the arithmetic of a transformer's step, for the instruction set of this machine.
 *
 * kernels-plain.c is the definition: every sum has one order, every product-and-sum is fused (fmaf) or not, as it says.
 * The vector versions agree with it in every bit, for any number of rows. Nothing here knows models, threads or files.
 *
 * Orders of sums. Products over inputs: chunks of CHUNK inputs in ascending order; within a chunk one chain of fused
 * multiply-adds in ascending order, beginning with 0; the chunks' sums are added in ascending order. Sums over the elements
 * of one row (norms, softmax): LANES partial sums, element i to sum i mod LANES, in ascending order; then halves are added,
 * 8 to 8, 4 to 4, 2 to 2, 1 to 1.
 */
#ifndef LEITMOTIF_CPU_KERNELS_H
#define LEITMOTIF_CPU_KERNELS_H

#include <stdint.h>

#include "formats/safetensors.h"

enum { PANEL = 32, LANES = 16, CHUNK = 256, MOST_ROWS = 32 };

/* A panel holds PANEL outputs' weights: for each input the PANEL weights side by side, in float32 or float16; in int8 for
 * each pair of inputs the PANEL pairs side by side (an odd last input is paired with weights of 0). */
struct panel_work {
    const void *panel;
    int64_t inputs;
    const void *x;            /* [rows, x_stride] float; int16_t for int8 weights, 0 after an odd last input */
    int64_t x_stride;         /* elements */
    int rows;                 /* 1 .. MOST_ROWS */
    const float *scales;      /* [PANEL] of int8 weights */
    const float *x_scales;    /* [rows] of int16 inputs */
    float *y;                 /* out: [rows, y_stride], of which the first PANEL of each row are written */
    int64_t y_stride;
};

/* The keys and values of one head. Keys: blocks of LANES positions, [position / LANES][width][LANES]; values:
 * [position][head_stride(width)], zeros after width. */
struct head_cache {
    void *keys, *values;
    enum element_type type;   /* ELEMENT_F16 or ELEMENT_F32 */
    int64_t width;
};

struct attention_work {
    struct head_cache cache;
    const float *query;       /* [width] */
    int64_t length;           /* positions attended to: 0 .. length - 1; at least 1 */
    float scale;              /* of the scores */
    float *scores;            /* scratch: [length, rounded up to LANES] */
    float *out;               /* [width] */
};

struct kernels {
    const char *name;
    void (*panel_f32)(const struct panel_work *work);
    void (*panel_f16)(const struct panel_work *work);
    void (*panel_i8)(const struct panel_work *work);
    /* y = (x - mean) / sqrt(variance + 1e-5) weight + bias: [count] */
    void (*normalise)(float *y, const float *x, const float *weight, const float *bias, int64_t count);
    /* x = x (1 + erf(x / sqrt 2)) / 2, in place: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016 */
    void (*gelu)(float *x, int64_t count);
    void (*add)(float *x, const float *added, int64_t count);
    void (*add_half)(float *x, const uint16_t *added, int64_t count); /* float16 */
    /* q = round(x 32767 / max |x|), to even; returns max |x| / 32767. For x of zeros 0; NaN when x is not finite. */
    float (*quantise)(int16_t *q, const float *x, int64_t count);
    void (*store_head)(const struct head_cache *cache, int64_t position, const float *key, const float *value);
    /* softmax(scale query keys) values: Vaswani et al., "Attention is all you need", 2017 */
    void (*attend)(const struct attention_work *work);
};

static inline int64_t head_stride(int64_t width)
{
    return (width + LANES - 1) / LANES * LANES;
}

/* The best for this machine, or the one that $LEITMOTIF_KERNELS names (plain, avx2, avx2-vnni, avx512, avx512-vnni).
 * NULL and a failure when that one cannot run here. */
const struct kernels *kernels_choose(void);

/* By name; NULL without a failure when unknown, or when this machine cannot run it. */
const struct kernels *kernels_find(const char *name);

extern const char *const KERNEL_NAMES[]; /* ends with NULL; the best last */

extern const struct kernels KERNELS_PLAIN;

#endif
