/* SPDX-License-Identifier: Apache-2.0
 * batch - one run of a stage program with --jobs -, and the jobs it was given.
 *
 * A job's result grows in a folder of the store's temporaries; when the program says that it is done, it goes to its
 * place in the store; when the program says otherwise, or ends without a word, the job has failed. The jobs' states,
 * errors and made_by are written here and nowhere else while they run.
 */
#ifndef LEITMOTIF_BATCH_H
#define LEITMOTIF_BATCH_H

#include "leitmotif/process.h"
#include "leitmotif/runner.h"

struct batch {
    struct process process;
    const struct stage *stage;
    struct store *store;
    const struct runner_options *options;
    struct job **jobs;      /* line n of the program is about jobs[n - 1] */
    char **temporaries;     /* of each; NULL once the job is settled */
    size_t count;
    bool ended;
    char *complaint;        /* the last failure that it printed to stderr */
    void (*settled)(void *context, struct job *job);
    void (*progress)(void *context, const struct batch *batch, const json_t *line); /* its --progress json */
    void (*note)(void *context, const char *text); /* what it has to say to a person */
    void *context;
};

/* Starts the program for these ready jobs of one stage and model; takes the array `jobs`. On failure all of them are
 * settled as failed. */
void batch_start(struct batch *batch, struct job **jobs, size_t count);

/* Takes what it printed so far. When it has ended, jobs it said nothing about have failed; or, with stopped (it was told
 * to end), wait again. */
void batch_look(struct batch *batch, bool stopped);

void batch_release(struct batch *batch);

#endif
