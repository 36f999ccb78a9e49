/* SPDX-License-Identifier: Apache-2.0
 * finder - where libtorch.so may be. Opens nothing, so that a program can ask without loading it; libtorch.h says the order.
 */
#ifndef LEITMOTIF_LIBTORCH_FINDER_H
#define LEITMOTIF_LIBTORCH_FINDER_H

#define LIBTORCH_REMEDY "run docker/install-dependencies.sh, or set LEITMOTIF_LIBTORCH to the folder that holds torch/"

/* The path of a libtorch.so to open; yours to free(). NULL with a failure that says where it was looked for. */
char *libtorch_find(void);

/* libtorch_cpu.so beside it, which serves where a CUDA build lacks NVIDIA's packages; yours, or NULL. */
char *libtorch_find_cpu(const char *library);

#define NO_CUDA_IN_LIBTORCH "no CUDA in this libtorch"
#define NO_CUDA_FOR_GPU NO_CUDA_IN_LIBTORCH ": install one with TORCH=cuda, as docs/gpu.md says" /* where a GPU waits for it */

/* Why --device auto would take no GPU here, as far as the driver and libtorch's files tell without loading libtorch; yours to
 * free(). NULL: it would. */
char *libtorch_lacks_gpu(void);

#endif
