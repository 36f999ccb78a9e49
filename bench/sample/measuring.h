/* SPDX-License-Identifier: Apache-2.0
 * measuring - one run of a protocol: what its orders of cells share.
 *
 *   turns.c   engine cpu: all lengths of text and numbers of tracks in one engine, in turns, so that all see the same machine
 *   grid.c    engine torch: each in an engine of its own, since a step there has the shapes that its engine was opened for
 */
#ifndef LEITMOTIF_BENCH_MEASURING_H
#define LEITMOTIF_BENCH_MEASURING_H

#include <jansson.h>

#include "bandwidth.h"
#include "cell.h"
#include "load.h"
#include "protocol.h"

struct measuring {
    const struct protocol *protocol;
    const struct engine_operations *operations;
    const struct model *model;
    struct checkpoint *checkpoint;
    struct device device;
    int threads;
    struct budget budget;         /* from before the first engine */
    struct load load;             /* of the present engine */
    struct bandwidth *bandwidth;
    json_t *cells;
    json_t *prefill;              /* null until it is measured */
    int64_t done, total;          /* steps */
};

struct engine_settings measuring_settings(const struct measuring *measuring); /* without slots, positions and prefill */
int measuring_open(struct measuring *measuring, const struct engine_settings *settings); /* its load */

int measure_steps(struct measuring *measuring, struct cell *cell, int64_t steps);
void note_cell(struct measuring *measuring, struct cell *cell, const char *how); /* adds it to the results and empties it */

/* One track from protocol->late on, in the open load's slot 0; the columns before it go in at once: prefill. */
void measure_late(struct measuring *measuring);

int64_t turns_total(const struct protocol *protocol); /* steps */
void turns_run(struct measuring *measuring);

int64_t grid_total(const struct protocol *protocol);
void grid_run(struct measuring *measuring);

#endif
