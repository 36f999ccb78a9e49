/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/matrix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PANEL_ALIGNMENT = 64, CLAIM_BYTES = 64 << 10, MOST_WEIGHT = 127 };

/* sizes */

static int64_t panel_count(int64_t outputs)
{
    return (outputs + PANEL - 1) / PANEL;
}

/* Inputs as stored: int8 has them in pairs. */
static int64_t stored_inputs(enum element_type type, int64_t inputs)
{
    return type == ELEMENT_I8 ? (inputs + 1) / 2 * 2 : inputs;
}

static int64_t panel_bytes(enum element_type type, int64_t inputs)
{
    int64_t bytes = stored_inputs(type, inputs) * PANEL * (int64_t)element_size(type);
    return (bytes + PANEL_ALIGNMENT - 1) / PANEL_ALIGNMENT * PANEL_ALIGNMENT;
}

/* int8's scales, [panels, PANEL], follow the panels. */
int64_t matrix_bytes(enum element_type type, int64_t outputs, int64_t inputs)
{
    int64_t panels = panel_count(outputs);
    return panels * (panel_bytes(type, inputs) + (type == ELEMENT_I8 ? PANEL * (int64_t)sizeof(float) : 0));
}

static void *panel_of(const struct matrix *matrix, int64_t index)
{
    return (char *)matrix->panels + index * panel_bytes(matrix->type, matrix->inputs);
}

static float *scales_of(const struct matrix *matrix, int64_t index)
{
    return (float *)panel_of(matrix, panel_count(matrix->outputs)) + index * PANEL;
}

/* packing */

struct packing {
    struct matrix *matrix;
    const struct array *const *parts;
    int count;
};

/* The part that holds this output, and its row there; NULL after the last. */
static const struct array *part_of(const struct packing *packing, int64_t output, int64_t *row)
{
    for (int i = 0; i < packing->count; i++) {
        if (output < packing->parts[i]->shape[0]) {
            *row = output;
            return packing->parts[i];
        }
        output -= packing->parts[i]->shape[0];
    }
    return NULL;
}

/* One output's weights into its column of a panel, as float16 without a detour where they are that already. */
static void pack_halves(uint16_t *column, const struct array *part, int64_t start, int64_t inputs)
{
    for (int64_t i = 0; i < inputs; i++) {
        if (part->type == ELEMENT_F16)
            memcpy(&column[i * PANEL], (const char *)part->data + (start + i) * (int64_t)sizeof *column, sizeof *column);
        else
            column[i * PANEL] = float_to_half(array_number(part, start + i));
    }
}

static void pack_floats(float *column, const struct array *part, int64_t start, int64_t inputs)
{
    for (int64_t i = 0; i < inputs; i++)
        column[i * PANEL] = array_number(part, start + i);
}

/* Returns the scale; NaN when a weight is not finite, so that the result shows it. */
static float pack_bytes(int8_t *column, const struct array *part, int64_t start, int64_t inputs)
{
    float largest = 0;
    for (int64_t i = 0; i < inputs; i++) {
        float size = fabsf(array_number(part, start + i));
        if (!isfinite(size))
            return NAN;
        largest = size > largest ? size : largest;
    }
    for (int64_t i = 0; largest > 0 && i < inputs; i++)
        column[i / 2 * 2 * PANEL + i % 2] = (int8_t)lrint((double)array_number(part, start + i) / (double)largest * MOST_WEIGHT);
    return largest / MOST_WEIGHT;
}

static void pack_panel(void *context, int index, int thread)
{
    struct packing *packing = context;
    struct matrix *matrix = packing->matrix;
    int64_t inputs = matrix->inputs, row;
    void *panel = panel_of(matrix, index);
    (void)thread;
    memset(panel, 0, (size_t)panel_bytes(matrix->type, inputs));
    for (int i = 0; i < PANEL; i++) {
        const struct array *part = part_of(packing, (int64_t)index * PANEL + i, &row);
        if (matrix->type == ELEMENT_I8)
            scales_of(matrix, index)[i] = part ? pack_bytes((int8_t *)panel + 2 * i, part, row * inputs, inputs) : 0;
        else if (part && matrix->type == ELEMENT_F16)
            pack_halves((uint16_t *)panel + i, part, row * inputs, inputs);
        else if (part)
            pack_floats((float *)panel + i, part, row * inputs, inputs);
    }
}

void matrix_pack(struct matrix *matrix, const struct array *const *parts, int count, struct pool *pool)
{
    struct packing packing = {matrix, parts, count};
    pool_run(pool, (int)panel_count(matrix->outputs), pack_panel, &packing);
}

int64_t matrix_damaged_output(const struct matrix *matrix)
{
    for (int64_t i = 0; matrix->type == ELEMENT_I8 && i < matrix->outputs; i++)
        if (isnan(scales_of(matrix, i / PANEL)[i % PANEL]))
            return i;
    return -1;
}

/* products */

struct product {
    const struct multiplier *multiplier;
    const struct matrix *matrix;
    const float *x;
    int rows;
    float *y;
    enum after_product after;
    int panels_a_task;
    float x_scales[MOST_ROWS];
};

static int64_t quanta_stride(int64_t inputs)
{
    return (inputs + LANES) / LANES * LANES; /* with room for an odd input's partner */
}

int64_t multiplier_quanta(int64_t most_inputs)
{
    return MOST_ROWS * quanta_stride(most_inputs) * (int64_t)sizeof(int16_t);
}

static void quantise_row(void *context, int row, int thread)
{
    struct product *product = context;
    int64_t inputs = product->matrix->inputs;
    int16_t *quanta = product->multiplier->quanta + row * quanta_stride(inputs);
    (void)thread;
    product->x_scales[row] = product->multiplier->kernels->quantise(quanta, product->x + row * inputs, inputs);
    quanta[inputs] = 0;
}

static void multiply_panel(const struct product *product, int64_t index, float *y, int64_t y_stride)
{
    const struct matrix *matrix = product->matrix;
    const struct kernels *kernels = product->multiplier->kernels;
    struct panel_work work = {
        .panel = panel_of(matrix, index), .inputs = matrix->inputs, .x = product->x, .x_stride = matrix->inputs,
        .rows = product->rows, .y = y, .y_stride = y_stride,
    };
    if (matrix->type == ELEMENT_I8) {
        work.x = product->multiplier->quanta;
        work.x_stride = quanta_stride(matrix->inputs);
        work.scales = scales_of(matrix, index);
        work.x_scales = product->x_scales;
        kernels->panel_i8(&work);
    } else if (matrix->type == ELEMENT_F16) {
        kernels->panel_f16(&work);
    } else {
        kernels->panel_f32(&work);
    }
}

/* Panels whose sums do not go straight to y: the last when it is not full, and all that are added. */
static void multiply_aside(const struct product *product, int64_t index, int64_t outputs)
{
    float aside[MOST_ROWS * PANEL];
    multiply_panel(product, index, aside, PANEL);
    for (int row = 0; row < product->rows; row++) {
        float *y = product->y + row * product->matrix->outputs + index * PANEL;
        if (product->after == PRODUCT_ADDED)
            product->multiplier->kernels->add(y, aside + row * PANEL, outputs);
        else
            memcpy(y, aside + row * PANEL, (size_t)outputs * sizeof *y);
    }
}

static void multiply_panels(void *context, int task, int thread)
{
    const struct product *product = context;
    const struct matrix *matrix = product->matrix;
    int64_t first = (int64_t)task * product->panels_a_task, last = first + product->panels_a_task;
    (void)thread;
    for (int64_t index = first; index < last && index < panel_count(matrix->outputs); index++) {
        int64_t outputs = matrix->outputs - index * PANEL < PANEL ? matrix->outputs - index * PANEL : PANEL;
        float *y = product->y + index * PANEL;
        if (outputs < PANEL || product->after == PRODUCT_ADDED)
            multiply_aside(product, index, outputs);
        else
            multiply_panel(product, index, y, matrix->outputs);
        for (int row = 0; product->after == PRODUCT_GELU && row < product->rows; row++)
            product->multiplier->kernels->gelu(y + row * matrix->outputs, outputs);
    }
}

void matrix_multiply(const struct multiplier *multiplier, const struct matrix *matrix, const float *x, int rows, float *y,
                     enum after_product after)
{
    struct product product = {.multiplier = multiplier, .matrix = matrix, .x = x, .rows = rows, .y = y, .after = after};
    int64_t bytes = panel_bytes(matrix->type, matrix->inputs), panels = panel_count(matrix->outputs);
    product.panels_a_task = bytes < CLAIM_BYTES ? (int)(CLAIM_BYTES / bytes) : 1;
    if (matrix->type == ELEMENT_I8)
        pool_run(multiplier->pool, rows, quantise_row, &product);
    pool_run(multiplier->pool, (int)((panels + product.panels_a_task - 1) / product.panels_a_task), multiply_panels, &product);
}
