/* SPDX-License-Identifier: Apache-2.0
 * staging - host arrays (of a mapped file, say) to tensors on a device, through two pinned buffers: one is filled while the
 * device copies the other.
 *
 *     struct staging staging = {.device = device}; staging_tensor as often as wanted; staging_release
 */
#ifndef LEITMOTIF_LIBTORCH_STAGING_H
#define LEITMOTIF_LIBTORCH_STAGING_H

#include "libtorch/tensor.h"

struct staging {
    struct device device;
    struct tensor *buffers[2]; /* owned, U8, pinned; NULL until they are needed, and always on a CPU */
    int next;                  /* the one to fill */
};

/* A copy of data, which may be unaligned, on the device. A temporary of the innermost scope. */
struct tensor *staging_tensor(struct staging *staging, enum tensor_type type, int rank, const int64_t *shape, const void *data);

void staging_release(struct staging *staging); /* waits for the last copy; accepts all-zero */

#endif
