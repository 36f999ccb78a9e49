/* SPDX-License-Identifier: Apache-2.0
 * finder - where libtorch.so may be. Opens nothing; libtorch.h says the order. Only this folder includes this.
 */
#ifndef LEITMOTIF_LIBTORCH_FINDER_H
#define LEITMOTIF_LIBTORCH_FINDER_H

#define LIBTORCH_REMEDY "run docker/install-dependencies.sh, or set LEITMOTIF_LIBTORCH to the folder that holds torch/"

/* The path of a libtorch.so to open; yours to free(). NULL with a failure that says where it was looked for. */
char *libtorch_find(void);

/* libtorch_cpu.so beside it, which serves where a CUDA build lacks NVIDIA's packages; yours, or NULL. */
char *libtorch_find_cpu(const char *library);

#endif
