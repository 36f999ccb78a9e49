/* SPDX-License-Identifier: Apache-2.0
 * matrix - weights [outputs, inputs] in panels (cpu/kernels.h), and their product with rows of activations.
 *
 * float32 and float16 as they are. int8: symmetric, one scale an output, value = q scale, q = -127 .. 127 with scale = max
 * |value| / 127; activations are then rounded to 16 bits, one scale a row, and sums are exact: what is lost is lost by the weights.
 */
#ifndef LEITMOTIF_CPU_MATRIX_H
#define LEITMOTIF_CPU_MATRIX_H

#include "cpu/kernels.h"
#include "cpu/pool.h"

struct matrix {
    enum element_type type; /* ELEMENT_F32, ELEMENT_F16 or ELEMENT_I8 */
    int64_t outputs, inputs;
    void *panels;           /* matrix_bytes of it; borrowed */
};

int64_t matrix_bytes(enum element_type type, int64_t outputs, int64_t inputs); /* a multiple of 64 */

/* Fills a matrix whose sizes, type and memory are set from row-major parts that follow each other by rows, each with
 * these inputs and as many rows as its shape says. float32 that float16 does not hold is rounded: see array_fits_half. */
void matrix_pack(struct matrix *matrix, const struct array *const *parts, int count, struct pool *pool);

/* The first output that int8 cannot hold, because a weight of it is not finite: products with it are NaN. -1: none; of other
 * types always. */
int64_t matrix_damaged_output(const struct matrix *matrix);

/* What multiplying needs beside its operands. */
struct multiplier {
    const struct kernels *kernels;
    struct pool *pool;
    int16_t *quanta; /* [MOST_ROWS, most inputs + 1]: only for int8 weights */
};

int64_t multiplier_quanta(int64_t most_inputs); /* bytes */

enum after_product { PRODUCT, PRODUCT_ADDED, PRODUCT_GELU };

/* y [rows, outputs] = x [rows, inputs] times the matrix; or added to y; or GELU of it. rows: 1 .. MOST_ROWS. */
void matrix_multiply(const struct multiplier *multiplier, const struct matrix *matrix, const float *x, int rows, float *y,
                     enum after_product after);

#endif
