/* SPDX-License-Identifier: Apache-2.0
 * finder - where libtorch.so may be. Opens nothing, so that a program can ask without loading it; libtorch.h says the order.
 */
#ifndef LEITMOTIF_LIBTORCH_FINDER_H
#define LEITMOTIF_LIBTORCH_FINDER_H

#include <stdbool.h>

#define LIBTORCH_REMEDY "run docker/install-dependencies.sh, or set LEITMOTIF_LIBTORCH to the folder that holds torch/"

/* The path of a libtorch.so to open; yours to free(). NULL with a failure that says where it was looked for. */
char *libtorch_find(void);

/* libtorch_cpu.so beside it, which serves where a CUDA build lacks NVIDIA's packages; yours, or NULL. */
char *libtorch_find_cpu(const char *library);

/* Would --device auto take a GPU here? As far as files tell: a CUDA build of libtorch, and the driver's device. */
bool libtorch_expects_gpu(void);

#endif
