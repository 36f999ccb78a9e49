/* SPDX-License-Identifier: Apache-2.0
 * The definition of the kernels, in plain C: what the vector versions are checked against, and what runs on any machine.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cpu/kernels.h"
#include "cpu/kernels-constants.h"

/* sums over the elements of a row */

static float sum_lanes(float sums[LANES])
{
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            sums[i] += sums[i + half];
    return sums[0];
}

/* functions of one number */

static float power_of_two(float n)
{
    union { uint32_t bits; float value; } power = {.bits = (uint32_t)((int32_t)n + 127) << 23};
    return power.value;
}

static float exponential(float x)
{
    if (!(x >= EXP_LOWEST)) /* NaN stays NaN: no integer is made of it */
        return x < EXP_LOWEST ? 0 : x;
    float n = (x * LOG2_E + ROUND_TO_INTEGER) - ROUND_TO_INTEGER;
    float r = fmaf(n, -LN2_LOW, fmaf(n, -LN2_HIGH, x)), sum = EXP_FIT[EXP_TERMS - 1];
    for (int i = EXP_TERMS - 2; i >= 0; i--)
        sum = fmaf(sum, r, EXP_FIT[i]);
    return (fmaf(r * r, sum, r) + 1.0f) * power_of_two(n);
}

static float polynomial(const float *terms, int count, float x)
{
    float sum = terms[count - 1];
    for (int i = count - 2; i >= 0; i--)
        sum = fmaf(sum, x, terms[i]);
    return sum;
}

static float error_function(float x)
{
    float size = fabsf(x);
    if (size < 1.0f)
        return x * polynomial(ERF_FIT, ERF_TERMS, x * x);
    float far = size < ERF_ONE_FROM ? 1.0f - exponential(polynomial(LOG_ERFC_FIT, LOG_ERFC_TERMS, size)) : 1.0f;
    return copysignf(far, x);
}

/* products */

static float half_value(const void *halves, int64_t index)
{
    return half_to_float(((const uint16_t *)halves)[index]);
}

static float weight_f32(const void *panel, int64_t input, int output)
{
    return ((const float *)panel)[input * PANEL + output];
}

static float weight_f16(const void *panel, int64_t input, int output)
{
    return half_value(panel, input * PANEL + output);
}

static void panel_float(const struct panel_work *work, float (*weight)(const void *panel, int64_t input, int output))
{
    for (int row = 0; row < work->rows; row++) {
        const float *x = (const float *)work->x + row * work->x_stride;
        for (int output = 0; output < PANEL; output++) {
            float total = 0;
            for (int64_t from = 0; from < work->inputs; from += CHUNK) {
                int64_t to = from + CHUNK < work->inputs ? from + CHUNK : work->inputs;
                float sum = 0;
                for (int64_t i = from; i < to; i++)
                    sum = fmaf(x[i], weight(work->panel, i, output), sum);
                total = from == 0 ? sum : total + sum;
            }
            work->y[row * work->y_stride + output] = total;
        }
    }
}

static void panel_f32(const struct panel_work *work)
{
    panel_float(work, weight_f32);
}

static void panel_f16(const struct panel_work *work)
{
    panel_float(work, weight_f16);
}

/* A chunk's sum is an exact integer: 256 products of at most 127 * 32767 stay below 2^31. */
static void panel_i8(const struct panel_work *work)
{
    const int8_t *panel = work->panel;
    for (int row = 0; row < work->rows; row++) {
        const int16_t *x = (const int16_t *)work->x + row * work->x_stride;
        for (int output = 0; output < PANEL; output++) {
            float total = 0;
            for (int64_t from = 0; from < work->inputs; from += CHUNK) {
                int64_t to = from + CHUNK < work->inputs ? from + CHUNK : work->inputs;
                int32_t sum = 0;
                for (int64_t i = from; i < to; i++)
                    sum += x[i] * panel[(i / 2 * PANEL + output) * 2 + i % 2];
                total = from == 0 ? (float)sum : total + (float)sum;
            }
            work->y[row * work->y_stride + output] = total * (work->x_scales[row] * work->scales[output]);
        }
    }
}

/* Sizes are compared as bits: so a number that is not finite is the largest, and makes the whole row not a number. */
static float quantise(int16_t *q, const float *x, int64_t count)
{
    union { float value; uint32_t bits; } largest = {.bits = 0}, size;
    for (int64_t i = 0; i < count; i++) {
        size.value = fabsf(x[i]);
        largest.bits = size.bits > largest.bits ? size.bits : largest.bits;
    }
    float inverse = quantum_inverse(largest.value);
    for (int64_t i = 0; i < count; i++)
        q[i] = inverse > 0 ? (int16_t)(x[i] * inverse + ROUND_TO_INTEGER - ROUND_TO_INTEGER) : 0;
    return quantum(largest.value);
}

/* rows */

static void normalise(float *y, const float *x, const float *weight, const float *bias, int64_t count)
{
    float sums[LANES] = {0}, squares[LANES] = {0};
    for (int64_t i = 0; i < count; i++)
        sums[i % LANES] += x[i];
    float mean = sum_lanes(sums) / (float)count;
    for (int64_t i = 0; i < count; i++)
        squares[i % LANES] = fmaf(x[i] - mean, x[i] - mean, squares[i % LANES]);
    float scale = 1.0f / sqrtf(sum_lanes(squares) / (float)count + NORM_EPSILON);
    for (int64_t i = 0; i < count; i++)
        y[i] = fmaf((x[i] - mean) * scale, weight[i], bias[i]);
}

static void gelu(float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = 0.5f * x[i] * (1.0f + error_function(x[i] * SQRT_HALF));
}

static void add(float *x, const float *added, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        x[i] += added[i];
}

static void add_half(float *x, const uint16_t *added, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        x[i] += half_to_float(added[i]);
}

/* attention */

static void cache_write(const struct head_cache *cache, void *place, int64_t index, float value)
{
    if (cache->type == ELEMENT_F16)
        ((uint16_t *)place)[index] = float_to_half(value);
    else
        ((float *)place)[index] = value;
}

static float cache_read(const struct head_cache *cache, const void *place, int64_t index)
{
    return cache->type == ELEMENT_F16 ? half_value(place, index) : ((const float *)place)[index];
}

static void store_head(const struct head_cache *cache, int64_t position, const float *key, const float *value)
{
    int64_t stride = head_stride(cache->width);
    for (int64_t i = 0; i < cache->width; i++) {
        cache_write(cache, cache->keys, (position / LANES * cache->width + i) * LANES + position % LANES, key[i]);
        cache_write(cache, cache->values, position * stride + i, value[i]);
    }
    for (int64_t i = cache->width; i < stride; i++)
        cache_write(cache, cache->values, position * stride + i, 0);
}

/* The scores of all positions, as exponentials below their largest; returns their sum. */
static float weigh_positions(const struct attention_work *work)
{
    const struct head_cache *cache = &work->cache;
    float largest = -INFINITY, sums[LANES] = {0};
    for (int64_t t = 0; t < work->length; t++) {
        float score = 0;
        for (int64_t i = 0; i < cache->width; i++)
            score = fmaf(work->query[i] * work->scale,
                         cache_read(cache, cache->keys, (t / LANES * cache->width + i) * LANES + t % LANES), score);
        work->scores[t] = score;
        largest = score > largest ? score : largest;
    }
    for (int64_t t = 0; t < work->length; t++) {
        work->scores[t] = exponential(work->scores[t] - largest);
        sums[t % LANES] += work->scores[t];
    }
    return sum_lanes(sums);
}

static void attend(const struct attention_work *work)
{
    const struct head_cache *cache = &work->cache;
    float share = 1.0f / weigh_positions(work);
    for (int64_t i = 0; i < cache->width; i++) {
        float total = 0;
        for (int64_t from = 0; from < work->length; from += CHUNK) {
            int64_t to = from + CHUNK < work->length ? from + CHUNK : work->length;
            float sum = 0;
            for (int64_t t = from; t < to; t++)
                sum = fmaf(work->scores[t], cache_read(cache, cache->values, t * head_stride(cache->width) + i), sum);
            total += sum;
        }
        work->out[i] = total * share;
    }
}

const struct kernels KERNELS_PLAIN = {
    "plain", panel_f32, panel_f16, panel_i8, normalise, gelu, add, add_half, quantise, store_head, attend,
};
