/* SPDX-License-Identifier: Apache-2.0
 * lstm-cell - what an LSTM does with the sums of one step: c = sigmoid(f) c + sigmoid(i) tanh(g), h = sigmoid(o) tanh(c).
 */
#ifndef LEITMOTIF_CPU_LSTM_CELL_H
#define LEITMOTIF_CPU_LSTM_CELL_H

#include <stdint.h>

/* gates [4, width]: i, f, g, o, biases included. c [width] in place; h [width] out. The same bits on every processor. */
void lstm_cell(const float *gates, float *c, float *h, int64_t width);

#endif
