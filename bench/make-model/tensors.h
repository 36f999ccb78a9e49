/* SPDX-License-Identifier: Apache-2.0
 * tensors - the list of all weights of a model: names and shapes of the Hugging Face layout, and how to draw their values.
 */
#ifndef LEITMOTIF_BENCH_TENSORS_H
#define LEITMOTIF_BENCH_TENSORS_H

#include "formats/model.h"
#include "formats/safetensors.h"

struct drawing {
    float mean, deviation; /* of a normal distribution; deviation 0: all alike */
};

struct tensors {
    struct array *arrays;      /* [count]: F16, without data */
    struct drawing *drawings;  /* [count] */
    size_t count, capacity, drawing_capacity;
};

void tensors_list(struct tensors *tensors, const struct model *shape); /* tensors: all zero */
void tensors_release(struct tensors *tensors);

#endif
