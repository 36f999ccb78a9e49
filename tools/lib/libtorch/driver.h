/* SPDX-License-Identifier: Apache-2.0
 * driver - NVIDIA's driver, asked directly: why there is no GPU, without libtorch's backtraces; and how large one is, before
 * libtorch's allocator is told how much of it to take. Needs no libtorch.
 */
#ifndef LEITMOTIF_LIBTORCH_DRIVER_H
#define LEITMOTIF_LIBTORCH_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

struct driver {
    bool absent; /* there is none at all */
    int cuda;    /* the newest CUDA it serves: 1000 * major + 10 * minor */
    int count;   /* of GPUs: at least one */
};

/* Why there is no GPU to be used, yours; or NULL: then driver is filled. */
char *driver_open(struct driver *driver);

char *driver_number(void);               /* "580.65.06", yours; NULL when it cannot be had */
char *driver_gpu_name(int index);        /* yours; "a GPU" when the driver does not say */
int64_t driver_gpu_memory(int index);    /* bytes in all; 0 when the driver does not say */

#endif
