/* SPDX-License-Identifier: Apache-2.0
 * weights - checkpoint arrays as tensors on a device, taken strictly, owned by the caller's `struct weights`.
 */
#ifndef LEITMOTIF_NN_WEIGHTS_H
#define LEITMOTIF_NN_WEIGHTS_H

#include "formats/checkpoint.h"
#include "libtorch/staging.h"

struct weights {
    struct checkpoint *checkpoint; /* borrowed */
    struct device device;
    struct staging staging;        /* until weights_settle */
    struct tensor **owned;
    size_t count, capacity;
};

/* Takes the tensor `name` (printf-like) with exactly this shape, converted to `type` on the device. Freed by
 * weights_release. NULL on failure (and after one). One array at a time is converted: no second copy of the model. */
struct tensor *weights_take(struct weights *weights, enum tensor_type type, int rank, const int64_t *shape, const char *name, ...)
    __attribute__((format(printf, 5, 6)));

/* The same, but a temporary of the innermost scope: for what is folded into others (weight norms). */
struct tensor *weights_read(struct weights *weights, enum tensor_type type, int rank, const int64_t *shape, const char *name, ...)
    __attribute__((format(printf, 5, 6)));

/* An array of the checkpoint that is at hand already, converted: a temporary of the innermost scope. */
struct tensor *weights_convert(struct weights *weights, enum tensor_type type, const struct array *array);

/* A tensor computed from taken ones (folded weight norms, ...): owned by weights from now on; returns it. */
struct tensor *weights_keep(struct weights *weights, struct tensor *tensor);

/* Loading has ended: what only that needed is freed. More may be taken all the same. */
void weights_settle(struct weights *weights);

void weights_release(struct weights *weights);

#endif
