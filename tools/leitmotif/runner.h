/* SPDX-License-Identifier: Apache-2.0
 * runner - runs the waiting jobs of a plan: which program when, with which jobs, and what came of each.
 *
 * Programs of neural stages run one at a time, each once for all jobs of one model, as soon as no job of its call waits
 * for another call; in waves, where a job goes on from the result of another in its call. The other stages run beside them in
 * a pool, a process for each batch of ready jobs. A job that is done goes to the store at once; a failure stops what depends
 * on it. Only wanted jobs run.
 * This module must not know any stage by name, nor takes and release files.
 */
#ifndef LEITMOTIF_RUNNER_H
#define LEITMOTIF_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include "leitmotif/plan.h"

struct runner_options {
    const char *device, *memory;  /* handed to the neural programs; NULL: auto, and no limit */
    int threads;                  /* of a neural program, and processes of the pool */
    bool fail_fast, show_progress;
    void (*finished)(void *context, struct job *job); /* made, failed or held up */
    void *context;
};

/* Are the programs of all waiting jobs there? -1 names the first that is missing. */
int runner_check(const struct plan *plan);

/* Ends when everything that can be made is made or has failed (the jobs say which). Returns 0, or the signal that
 * stopped it: then all children have ended. */
int runner_run(struct plan *plan, struct store *store, const struct runner_options *options);

#endif
