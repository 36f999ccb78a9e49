/* SPDX-License-Identifier: Apache-2.0
 * cell - one figure of the table: some tracks at once, each step timed, and the machine's bandwidth measured between them.
 * Other work on a machine comes and goes; so both sides of the share see the same of it.
 */
#ifndef LEITMOTIF_BENCH_CELL_H
#define LEITMOTIF_BENCH_CELL_H

#include <jansson.h>

#include "bandwidth.h"
#include "load.h"
#include "series.h"

struct cell {
    int first, tracks; /* slots */
    int64_t text;      /* tokens of each track's condition */
    int64_t begin;     /* the first track's column at the first step */
    int64_t bytes;     /* of all steps, by traffic.h */
    int64_t positions; /* of all steps and tracks */
    struct series steps;          /* seconds */
    struct series drawing;        /* of them: choosing tokens, by the host */
    struct series waiting;        /* of them: the host waits for a GPU */
    struct series bandwidth;      /* bytes per second */
};

/* Some more steps. */
int cell_measure(struct cell *cell, struct load *load, struct bandwidth *bandwidth, int64_t steps);

/* how: "every frame", ...; new reference. docs/performance.md says what each member is. */
json_t *cell_json(const struct cell *cell, const struct load *load, const char *how);
void cell_release(struct cell *cell);

json_t *spread_json(const struct series *series, double factor); /* {"least", "median", "most"} */

#endif
