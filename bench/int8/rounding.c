/* SPDX-License-Identifier: Apache-2.0 */
#include "rounding.h"

#include <math.h>

#define MOST_WEIGHT 127.0f
#define LEAST_CLIP 0.8f /* of the largest weight */
#define CLIP_STEP 0.02f
#define ROUND_TO_INTEGER 0x1.8p+23f /* added and subtracted: rounds to even, without a call of the C library */

/* One output's weights stand PANEL apart (cpu/kernels.h). */

static float largest_of(const float *column, int64_t inputs)
{
    float largest = 0;
    for (int64_t i = 0; i < inputs; i++)
        largest = fmaxf(largest, fabsf(column[i * PANEL]));
    return largest;
}

static float rounded(float weight, float scale)
{
    float q = weight / scale + ROUND_TO_INTEGER - ROUND_TO_INTEGER;
    return (q > MOST_WEIGHT ? MOST_WEIGHT : q < -MOST_WEIGHT ? -MOST_WEIGHT : q) * scale;
}

static double squared_error(const float *column, int64_t inputs, float scale)
{
    double sum = 0;
    for (int64_t i = 0; i < inputs; i++) {
        float error = rounded(column[i * PANEL], scale) - column[i * PANEL];
        sum += (double)error * (double)error;
    }
    return sum;
}

static float best_scale(const float *column, int64_t inputs, float largest)
{
    float best = largest / MOST_WEIGHT;
    double least = squared_error(column, inputs, best);
    for (float clip = 1 - CLIP_STEP; clip > LEAST_CLIP; clip -= CLIP_STEP) {
        float scale = clip * largest / MOST_WEIGHT;
        double error = squared_error(column, inputs, scale);
        if (error < least) {
            least = error;
            best = scale;
        }
    }
    return best;
}

struct rounding {
    struct matrix *matrix;
    enum scale_by scale_by;
};

static void round_panel(void *context, int panel, int thread)
{
    const struct rounding *rounding = context;
    int64_t inputs = rounding->matrix->inputs;
    (void)thread;
    for (int output = 0; output < PANEL; output++) {
        float *column = (float *)rounding->matrix->panels + panel * inputs * PANEL + output;
        float largest = largest_of(column, inputs);
        if (largest == 0)
            continue;
        float scale = rounding->scale_by == SCALE_BY_LARGEST ? largest / MOST_WEIGHT : best_scale(column, inputs, largest);
        for (int64_t i = 0; i < inputs; i++)
            column[i * PANEL] = rounded(column[i * PANEL], scale);
    }
}

void round_weights(struct engine *engine, unsigned parts, enum scale_by scale_by)
{
    struct rounding heads = {&engine->packed.heads, scale_by};
    for (int64_t i = 0; i < engine->model->language.layers; i++) {
        struct packed_layer *layer = &engine->packed.layers[i];
        struct matrix *matrices[] = {&layer->self_in, &layer->self_out, &layer->cross_query, &layer->cross_out,
                                     &layer->feed_in, &layer->feed_out};
        static const unsigned PARTS[] = {ROUND_ATTENTION, ROUND_ATTENTION, ROUND_ATTENTION, ROUND_ATTENTION,
                                         ROUND_FEED_FORWARD, ROUND_FEED_FORWARD};
        for (int m = 0; m < 6; m++) {
            struct rounding rounding = {matrices[m], scale_by};
            if (parts & PARTS[m])
                pool_run(engine->pool, (int)((matrices[m]->outputs + PANEL - 1) / PANEL), round_panel, &rounding);
        }
    }
    if (parts & ROUND_HEADS)
        pool_run(engine->pool, (int)((heads.matrix->outputs + PANEL - 1) / PANEL), round_panel, &heads);
}

static float quantise_to_bytes(int16_t *q, const float *x, int64_t count)
{
    float largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(x[i]));
    for (int64_t i = 0; i < count; i++)
        q[i] = largest > 0 ? (int16_t)rintf(x[i] / largest * MOST_WEIGHT) : 0;
    return largest / MOST_WEIGHT;
}

void round_activations(struct engine *engine)
{
    static struct kernels coarse;
    coarse = *engine->multiplier.kernels;
    coarse.quantise = quantise_to_bytes;
    engine->multiplier.kernels = &coarse;
}
