/* SPDX-License-Identifier: Apache-2.0
 * bandwidth - how fast this machine reads memory: the limit of a step that reads every weight once.
 *
 * One block of memory, far larger than the caches, read with the threads and the pages that weights have
 * (cpu/pool.h, cpu/pages.h); on a GPU copied (copying.h), there the usual measure. This module must not know models.
 */
#ifndef LEITMOTIF_BENCH_BANDWIDTH_H
#define LEITMOTIF_BENCH_BANDWIDTH_H

#include <stddef.h>

#include "libtorch/libtorch.h"

struct bandwidth;

/* Takes the memory and starts the threads, which sleep between passes. NULL on failure. */
struct bandwidth *bandwidth_open(struct device device, size_t bytes, int threads);
void bandwidth_close(struct bandwidth *bandwidth); /* NULL is fine */

/* Reads as many bytes, in whole parts of 256 KiB, going on where the last pass ended, round and round; on a GPU as many are read
 * and written in all. Bytes per second; 0 on failure. */
double bandwidth_pass(struct bandwidth *bandwidth, size_t bytes);

#endif
