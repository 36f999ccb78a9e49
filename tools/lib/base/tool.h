/* SPDX-License-Identifier: Apache-2.0
 * tool - the shape of every stage program: one piece of work by flags, or many by --jobs.
 *
 * A program declares its settings and a work() function; tool_main does the rest: --help, --version, --quiet,
 * --progress, --threads, --jobs, did-you-mean, reading all job lines before anything runs (bad syntax, unknown key or
 * two jobs with one output: exit 2, nothing done), printing failures, one JSON object per finished job on stdout,
 * exit statuses 0/1/2, removal of temporaries.
 *
 *     static int work(struct tool_run *run) {
 *         for (size_t i = 0; i < run->count; i++) {       // or in batches, in any order
 *             if (!tool_job_begin(run, i)) continue;       // its place cannot be written: already ended as failed
 *             struct job *job = tool_job(run, i);
 *             render(job);                                 // records a failure or not
 *             tool_job_end(run, i, result);                // prints and clears it; steals result (may be NULL)
 *         }
 *         return 0;                                        // -1: nothing could be done at all (model missing)
 *     }
 */
#ifndef LEITMOTIF_BASE_TOOL_H
#define LEITMOTIF_BASE_TOOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/settings.h"

struct tool_run;

struct tool {
    const char *name;    /* "decode-audio" */
    const char *purpose; /* one sentence for --help */
    const char *usage;   /* e.g. "--tokens FILE --output FILE" */
    const char *notes;   /* more lines for --help, or NULL */
    const struct setting *settings; /* its own, both scopes; ends with {0} */
    size_t job_size, process_size;
    void (*defaults)(void *process, void *job);                      /* fill both; called per job; either may be NULL */
    int (*check)(const void *process, void *job);                    /* required settings, ranges that depend on others */
    int (*outputs)(const void *job, void (*each)(void *context, const char *path), void *context); /* result paths */
    void (*release)(void *job);                                      /* beyond settings_release; may be NULL */
    int (*work)(struct tool_run *run);
    bool keeps_result; /* stdout gets a job's result object also when run by flags (verify) */
    const char *positional; /* the STRING setting that arguments without a name fill, one job each; or NULL */
};

struct tool_run {
    const struct tool *tool;
    void *process;
    size_t count;     /* jobs */
    int threads;      /* --threads; default: the processors this process may use */
    bool by_jobs;     /* --jobs was given */
    char *jobs;       /* private from here: tool_job */
    double *started;
    int status;
};

int tool_main(const struct tool *tool, int argc, char **argv);

void *tool_job(struct tool_run *run, size_t index);
bool tool_job_begin(struct tool_run *run, size_t index);

/* Ends a job with the recorded failure, if any, as its error, and clears it. result's members are added to the line on
 * stdout: {"job":2,"output":"b.wav","status":"done","seconds":1.52,...} or {...,"status":"failed","error":"..."}.
 * A member "passed": false makes the program exit with 1 although the job was done (verify). */
void tool_job_end(struct tool_run *run, size_t index, json_t *result);

#endif
