/* SPDX-License-Identifier: Apache-2.0
 * copying - how fast a GPU copies its own memory, counting what is read and what is written: the limit of its steps.
 */
#ifndef LEITMOTIF_BENCH_COPYING_H
#define LEITMOTIF_BENCH_COPYING_H

#include <stddef.h>

#include "libtorch/libtorch.h"

struct copying;

struct copying *copying_open(struct device device, size_t bytes); /* takes as many; NULL on failure */
void copying_close(struct copying *copying);                      /* NULL is fine */

/* Reads and writes as many bytes in all, or four times what was opened where that is more, going on where the last pass ended,
 * round and round. Bytes per second; 0 on failure. */
double copying_pass(struct copying *copying, size_t bytes);

#endif
