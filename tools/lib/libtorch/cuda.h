/* SPDX-License-Identifier: Apache-2.0
 * cuda - the CUDA runtime and libtorch's CUDA half, once libtorch is open: what the device and graph modules are made of. Only
 * this folder includes it.
 */
#ifndef LEITMOTIF_LIBTORCH_CUDA_H
#define LEITMOTIF_LIBTORCH_CUDA_H

#include "libtorch/cuda-prototypes.h"

struct cuda_symbols {
#define MEMBER(result, name, arguments) result(*name) arguments;
    CUDA_RUNTIME(MEMBER) LIBTORCH_CUDA(MEMBER)
#undef MEMBER
#define MEMBER(result, name, mangled, arguments) result(*name) arguments;
    LIBTORCH_CONTEXT(MEMBER)
#undef MEMBER
};
extern struct cuda_symbols cuda;

/* Fills the table, after libtorch_open. The name of a function that libtorch's CUDA half lacks, or NULL: of all of it when this
 * libtorch is built for CPUs. */
const char *cuda_resolve(void);

/* Makes the device this thread's, with a stream of its own, and asks for exact and repeatable arithmetic. 0, or -1. */
int cuda_begin(int index);

bool cuda_begun(void); /* cuda_begin was called, for any device */

void *cuda_stream(int index); /* the one of this thread */

/* Records "cannot WHAT on cuda:N: ..." for an error of the runtime's; -1. */
int cuda_failure(int error, int index, const char *what);

#endif
