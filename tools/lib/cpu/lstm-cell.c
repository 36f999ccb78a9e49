/* SPDX-License-Identifier: Apache-2.0
 * Both functions by m = e^-s - 1, which is exact near 0: sigmoid(|x|) = 1 / (2 + m) and sigmoid(-|x|) = (1 + m) / (2 + m)
 * with s = |x|; tanh(|x|) = -m / (2 + m) with s = 2 |x|.
 */
#include "cpu/lstm-cell.h"

#include <string.h>

#include "cpu/quads.h"

static inline quad sigmoid(quad x)
{
    quad_bits above = (quad_bits)(x > 0);
    quad m = quad_expm1(quad_choose(above, -x, x));
    return quad_choose(above, (quad){1, 1, 1, 1}, 1 + m) / (2 + m);
}

static inline quad hyperbolic_tangent(quad x)
{
    quad_bits above = (quad_bits)(x > 0);
    quad m = quad_expm1(2 * quad_choose(above, -x, x)), size = m / (2 + m);
    return quad_choose(above, -size, size);
}

/* The first `count` numbers at x, zeros after them. */
static inline quad load(const float *x, int64_t count)
{
    quad values = {0};
    memcpy(&values, x, (size_t)count * sizeof *x);
    return values;
}

static inline void cell(const float *gates, float *c, float *h, int64_t width, int64_t count)
{
    quad input = sigmoid(load(gates, count)), forget = sigmoid(load(gates + width, count));
    quad candidate = hyperbolic_tangent(load(gates + 2 * width, count)), output = sigmoid(load(gates + 3 * width, count));
    quad memory = forget * load(c, count) + input * candidate, shown = output * hyperbolic_tangent(memory);
    memcpy(c, &memory, (size_t)count * sizeof *c);
    memcpy(h, &shown, (size_t)count * sizeof *h);
}

void lstm_cell(const float *gates, float *c, float *h, int64_t width)
{
    int64_t i = 0;
    for (; i + QUAD <= width; i += QUAD)
        cell(gates + i, c + i, h + i, width, QUAD);
    if (i < width)
        cell(gates + i, c + i, h + i, width, width - i);
}
