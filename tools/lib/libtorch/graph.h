/* SPDX-License-Identifier: Apache-2.0
 * graph - a piece of work on a GPU recorded once and replayed without the cost of its launches (a CUDA graph), by the CUDA
 * runtime's own calls: libtorch has no C function for it.
 *
 *     graph_record; then graph_replay as often as wanted; graph_free
 *
 * What is recorded reads and writes the very memory that it had then: inputs and results are owned tensors that were made
 * before. Its temporaries are freed into libtorch's allocator when the recording ends, though every replay writes to them.
 * So between a recording and its last replay nothing else may be allocated on the device: whoever has to, frees the graph
 * first and records anew (some milliseconds). Everything is on one stream, so replays keep their order with other work.
 */
#ifndef LEITMOTIF_LIBTORCH_GRAPH_H
#define LEITMOTIF_LIBTORCH_GRAPH_H

#include "libtorch/libtorch.h"

struct graph;

/* Records work(context) without running it. It must launch the same as it did before: run it once or twice beforehand, so that
 * libraries have made their workspaces; and it may not wait, nor copy to or from memory that is not pinned. NULL when it
 * cannot be recorded; no failure is left then, and *reason (yours) says why: go on without. */
struct graph *graph_record(struct device device, int (*work)(void *context), void *context, char **reason);

int graph_replay(struct graph *graph); /* does not wait */
void graph_free(struct graph *graph);  /* waits for the last replay; NULL is fine */

#endif
