/* SPDX-License-Identifier: Apache-2.0
 * recurrence - EnCodec's LSTM: some layers, and one skip around all of them.
 *
 *     recurrence_read; per clip: recurrence_begin, recurrence_run for its pieces in order, recurrence_end; recurrence_release
 *
 * On a device it is libtorch's LSTM. On a CPU the hidden weights are packed once, in float16 where that holds them exactly,
 * and a step is one product whose tasks the threads claim one by one: libtorch's lays them out anew for each piece, and at
 * each step all threads wait for the slowest.
 */
#ifndef LEITMOTIF_NN_RECURRENCE_H
#define LEITMOTIF_NN_RECURRENCE_H

#include "cpu/matrix.h"
#include "nn/weights.h"

enum { RECURRENCE_MOST_LAYERS = 4 };

struct recurrence {
    int layers;
    int64_t width;
    /* Owned by the `struct weights` they were read with: per layer w_ih, w_hh [4 width, width], b_ih, b_hh [4 width]. On a
     * CPU w_hh is NULL. */
    struct tensor *weights[4 * RECURRENCE_MOST_LAYERS];
    struct matrix hidden[RECURRENCE_MOST_LAYERS]; /* CPU: w_hh */
    size_t hidden_bytes[RECURRENCE_MOST_LAYERS];
    struct multiplier multiplier;
};

/* State that is carried from piece to piece of one clip: [layers, 1, width] each, owned. */
struct recurrence_state { struct tensor *h, *c; };

/* Takes PREFIX.weight_ih_l0 ... bias_hh_l(layers - 1), at most RECURRENCE_MOST_LAYERS. 0, or -1 with something to release. */
int recurrence_read(struct recurrence *recurrence, struct weights *weights, int64_t layers, int64_t width, const char *prefix);
void recurrence_release(struct recurrence *recurrence); /* accepts all-zero */

int recurrence_begin(const struct recurrence *recurrence, struct device device, struct recurrence_state *state); /* zeros */
void recurrence_end(struct recurrence_state *state); /* accepts all-zero */

/* x [1, width, n] float32 -> [n, width], time first. Carries the state on. */
struct tensor *recurrence_run(const struct recurrence *recurrence, struct tensor *x, const struct recurrence_state *state);

#endif
