/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/recurrence.h"

#include <string.h>

#include "base/failure.h"
#include "cpu/lstm-cell.h"
#include "cpu/pages.h"

/* w_hh of one layer into panels. */
static int pack_hidden(struct recurrence *recurrence, struct weights *weights, int layer, const char *prefix)
{
    struct matrix *matrix = &recurrence->hidden[layer];
    const struct array *array = checkpoint_take(weights->checkpoint, 2, (int64_t[]){4 * recurrence->width, recurrence->width},
                                                "%s.weight_hh_l%d", prefix, layer);
    if (!array)
        return -1;
    *matrix = (struct matrix){.type = array_fits_half(array) ? ELEMENT_F16 : ELEMENT_F32, .outputs = array->shape[0], .inputs = array->shape[1]};
    recurrence->hidden_bytes[layer] = (size_t)matrix_bytes(matrix->type, matrix->outputs, matrix->inputs);
    matrix->panels = pages_take(recurrence->hidden_bytes[layer]);
    if (!matrix->panels)
        return -1;
    matrix_pack(matrix, &array, 1, recurrence->multiplier.pool);
    return 0;
}

int recurrence_read(struct recurrence *recurrence, struct weights *weights, int64_t layers, int64_t width, const char *prefix)
{
    static const char *const names[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    bool here = weights->device.kind == DEVICE_CPU;
    *recurrence = (struct recurrence){.layers = (int)layers, .width = width};
    if (failed())
        return -1;
    if (here)
        recurrence->multiplier = (struct multiplier){.kernels = kernels_choose(), .pool = pool_open(libtorch_threads())};
    for (int i = 0; i < 4 * recurrence->layers && !failed(); i++) {
        if (here && i % 4 == 1)
            pack_hidden(recurrence, weights, i / 4, prefix);
        else
            recurrence->weights[i] = weights_take(weights, TENSOR_F32, i % 4 < 2 ? 2 : 1, (const int64_t[]){4 * width, width},
                                                  "%s.%s_l%d", prefix, names[i % 4], i / 4);
    }
    if (!here)
        tensor_lstm_arrange(recurrence->weights, recurrence->layers);
    return failed() ? -1 : 0;
}

void recurrence_release(struct recurrence *recurrence)
{
    pool_close(recurrence->multiplier.pool);
    for (int i = 0; i < recurrence->layers; i++)
        pages_give(recurrence->hidden[i].panels, recurrence->hidden_bytes[i]);
    *recurrence = (struct recurrence){0};
}

int recurrence_begin(const struct recurrence *recurrence, struct device device, struct recurrence_state *state)
{
    struct scope scope;
    scope_open(&scope);
    state->h = tensor_own(tensor_zeros(device, TENSOR_F32, SHAPE(recurrence->layers, 1, recurrence->width)));
    state->c = tensor_own(tensor_zeros(device, TENSOR_F32, SHAPE(recurrence->layers, 1, recurrence->width)));
    scope_close(&scope);
    return failed() ? -1 : 0;
}

void recurrence_end(struct recurrence_state *state)
{
    tensor_free(state->h);
    tensor_free(state->c);
    *state = (struct recurrence_state){0};
}

/* x [n, width] -> [n, width]. The inputs' share of all steps is one product. */
static struct tensor *run_layer(const struct recurrence *recurrence, int layer, struct tensor *x, const struct recurrence_state *state)
{
    struct tensor *const *weights = recurrence->weights + 4 * layer;
    const int64_t width = recurrence->width, count = failed() ? 0 : tensor_size(x, 0);
    struct scope scope;
    scope_open(&scope);
    struct tensor *bias = tensor_add(weights[2], weights[3]);
    struct tensor *gates = tensor_linear(x, weights[0], bias); /* [n, 4 width] */
    struct tensor *y = tensor_new(tensor_device(x), TENSOR_F32, SHAPE(count, width));
    float *gate = tensor_data(gates), *out = tensor_data(y);
    for (int64_t step = 0; step < count && !failed(); step++, gate += 4 * width, out += width) {
        float *h = (float *)tensor_data(state->h) + layer * width, *c = (float *)tensor_data(state->c) + layer * width;
        matrix_multiply(&recurrence->multiplier, &recurrence->hidden[layer], h, 1, gate, PRODUCT_ADDED);
        lstm_cell(gate, c, h, width);
        memcpy(out, h, (size_t)width * sizeof *out);
    }
    y = scope_keep(&scope, failed() ? NULL : y);
    scope_close(&scope);
    return y;
}

/* x [n, width] */
static struct tensor *run_here(const struct recurrence *recurrence, struct tensor *x, const struct recurrence_state *state)
{
    for (int layer = 0; layer < recurrence->layers; layer++)
        x = run_layer(recurrence, layer, x, state);
    return x;
}

/* x [n, width] */
static struct tensor *run_on_device(const struct recurrence *recurrence, struct tensor *x, const struct recurrence_state *state)
{
    struct tensor *y = NULL, *h_next = NULL, *c_next = NULL;
    tensor_lstm(tensor_view(x, SHAPE(-1, 1, recurrence->width)), state->h, state->c, recurrence->weights, recurrence->layers, &y, &h_next, &c_next);
    tensor_copy(state->h, h_next);
    tensor_copy(state->c, c_next);
    return tensor_view(y, SHAPE(-1, recurrence->width));
}

struct tensor *recurrence_run(const struct recurrence *recurrence, struct tensor *x, const struct recurrence_state *state)
{
    struct scope scope;
    scope_open(&scope);
    x = tensor_contiguous(tensor_transpose(tensor_select(x, 0, 0), 0, 1)); /* [n, width] */
    struct tensor *y = recurrence->multiplier.pool ? run_here(recurrence, x, state) : run_on_device(recurrence, x, state);
    y = scope_keep(&scope, tensor_add(y, x));
    scope_close(&scope);
    return y;
}
