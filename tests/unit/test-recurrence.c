/* SPDX-License-Identifier: Apache-2.0
 * The LSTM on a CPU: its cell against long double mathematics, its layers against libtorch's own LSTM, whole and in pieces,
 * with weights that float16 holds and with others.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/failure.h"
#include "base/memory.h"
#include "cpu/lstm-cell.h"
#include "nn/recurrence.h"
#include "scratch.h"

/* Largest differences seen: of the cell 2.0e-7, of the layers 3.0e-7 at values near 1. */
static const double CELL_TOLERANCE = 5e-7, LAYERS_TOLERANCE = 2e-6;

enum { MOST_WIDTH = 11, STEPS = 37, WIDTH = 45, LAYERS = 2 };

static const struct device cpu = {.kind = DEVICE_CPU};
static const char *const NAMES[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};

static long double sigmoid(float x)
{
    return 1 / (1 + expl(-(long double)x));
}

static void check_cell(int64_t width, float reach)
{
    float gates[4 * MOST_WIDTH], c[MOST_WIDTH + 1] = {0}, h[MOST_WIDTH + 1] = {0}, before[MOST_WIDTH];
    for (int64_t i = 0; i < 4 * width; i++)
        gates[i] = reach * (float)sin(1.7 * (double)i + 0.3);
    for (int64_t i = 0; i < width; i++)
        before[i] = c[i] = (float)cos(0.9 * (double)i);
    c[width] = h[width] = 7;
    lstm_cell(gates, c, h, width);
    for (int64_t i = 0; i < width; i++) {
        const float *gate = gates + i;
        long double memory = sigmoid(gate[width]) * (long double)before[i] + sigmoid(gate[0]) * tanhl(gate[2 * width]);
        assert_true(fabsl((long double)c[i] - memory) <= CELL_TOLERANCE);
        assert_true(fabsl((long double)h[i] - sigmoid(gate[3 * width]) * tanhl(memory)) <= CELL_TOLERANCE);
    }
    assert_true(c[width] == 7 && h[width] == 7); /* nothing beyond the width */
}

static void the_cell_is_its_formula(void **state)
{
    (void)state;
    for (int64_t width = 1; width <= MOST_WIDTH; width++)
        for (float reach = 1e-4f; reach < 1e6f; reach *= 10)
            check_cell(width, reach);
}

static void the_cell_keeps_what_is_no_number(void **state)
{
    (void)state;
    for (int gate = 0; gate < 4; gate++) {
        float gates[4] = {0}, c = 0.5f, h = 0;
        gates[gate] = NAN;
        lstm_cell(gates, &c, &h, 1);
        assert_true(isnan(h));
    }
}

/* A checkpoint of two layers in float32, whether or not float16 would hold the values. */
static struct checkpoint *make_checkpoint(bool halves)
{
    static float values[4 * LAYERS][4 * WIDTH * WIDTH];
    char names[4 * LAYERS][40], *folder = scratch_path(halves ? "halves" : "floats"), *path = path_join(folder, "model.safetensors");
    struct array arrays[4 * LAYERS];
    for (int i = 0; i < 4 * LAYERS; i++) {
        int64_t columns = i % 4 < 2 ? WIDTH : 1;
        for (int64_t j = 0; j < 4 * WIDTH * columns; j++) {
            float value = 0.3f * (float)sin(1.3 * (double)j + i);
            values[i][j] = halves ? half_to_float(float_to_half(value)) : value;
        }
        snprintf(names[i], sizeof names[i], "audio_encoder.lstm.%s_l%d", NAMES[i % 4], i / 4);
        arrays[i] = (struct array){names[i], ELEMENT_F32, i % 4 < 2 ? 2 : 1, {4 * WIDTH, WIDTH}, values[i], (size_t)(4 * WIDTH * columns) * sizeof(float)};
    }
    assert_int_equal(folder_make(folder), 0);
    assert_int_equal(safetensors_write(path, arrays, COUNT_OF(arrays), NULL), 0);
    struct checkpoint *checkpoint = checkpoint_open(folder);
    assert_non_null(checkpoint);
    free(folder);
    free(path);
    return checkpoint;
}

/* y [STEPS, width] of steps in pieces of some length, by our own layers. */
static void run_in_pieces(const struct recurrence *recurrence, struct tensor *x, int64_t piece, float *y)
{
    struct recurrence_state carried = {0};
    assert_int_equal(recurrence_begin(recurrence, cpu, &carried), 0);
    for (int64_t at = 0; at < STEPS; at += piece) {
        int64_t count = at + piece < STEPS ? piece : STEPS - at;
        struct tensor *part = recurrence_run(recurrence, tensor_contiguous(tensor_narrow(x, 2, at, count)), &carried);
        assert_int_equal(tensor_read(part, y + at * recurrence->width, (size_t)(count * recurrence->width) * sizeof *y), 0);
    }
    recurrence_end(&carried);
}

/* x [1, WIDTH, STEPS] -> the same by libtorch, skip included */
static struct tensor *by_libtorch(struct tensor *x, struct weights *weights)
{
    struct tensor *params[4 * LAYERS], *y, *h, *c, *zeros = tensor_zeros(cpu, TENSOR_F32, SHAPE(LAYERS, 1, WIDTH));
    for (int i = 0; i < 4 * LAYERS; i++)
        params[i] = weights_read(weights, TENSOR_F32, i % 4 < 2 ? 2 : 1, (const int64_t[]){4 * WIDTH, WIDTH}, "audio_encoder.lstm.%s_l%d",
                                 NAMES[i % 4], i / 4);
    struct tensor *rows = tensor_contiguous(tensor_transpose(tensor_select(x, 0, 0), 0, 1));
    tensor_lstm(tensor_view(rows, SHAPE(STEPS, 1, WIDTH)), zeros, zeros, params, LAYERS, &y, &h, &c);
    return tensor_add(tensor_view(y, SHAPE(STEPS, WIDTH)), rows);
}

static void check_layers(bool halves)
{
    static float values[STEPS * WIDTH], expected[STEPS * WIDTH];
    struct weights weights = {.checkpoint = make_checkpoint(halves), .device = cpu};
    struct recurrence recurrence;
    struct scope scope;
    scope_open(&scope);
    assert_int_equal(recurrence_read(&recurrence, &weights, LAYERS, WIDTH, "audio_encoder.lstm"), 0);
    assert_int_equal(recurrence.hidden[1].type, halves ? ELEMENT_F16 : ELEMENT_F32);
    for (int i = 0; i < STEPS * WIDTH; i++)
        values[i] = (float)sin(0.37 * (double)(i % 997));
    struct tensor *x = tensor_from(cpu, TENSOR_F32, SHAPE(1, WIDTH, STEPS), values);
    assert_int_equal(tensor_read(by_libtorch(x, &weights), expected, sizeof expected), 0);
    for (int64_t piece = 1; piece <= STEPS; piece += 12) {
        run_in_pieces(&recurrence, x, piece, values);
        for (int i = 0; i < STEPS * WIDTH; i++)
            assert_float_equal(values[i], expected[i], LAYERS_TOLERANCE);
    }
    scope_close(&scope);
    recurrence_release(&recurrence);
    weights_release(&weights);
    checkpoint_close(weights.checkpoint);
}

static void layers_are_libtorchs(void **state)
{
    (void)state;
    check_layers(true);
    check_layers(false);
}

static int set_up(void **state)
{
    return libtorch_open(2) ? failure_print("test-recurrence") : scratch_open(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cell_is_its_formula),
        cmocka_unit_test(the_cell_keeps_what_is_no_number),
        cmocka_unit_test(layers_are_libtorchs),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_remove);
}
