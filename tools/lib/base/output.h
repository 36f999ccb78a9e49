/* SPDX-License-Identifier: Apache-2.0
 * output - results out so that a killed program leaves no half file.
 *
 * A result: output_open() makes a temporary beside its place (".NAME.XXXXXX.part", locked while its writer lives;
 * those of dead writers for the same NAME are removed), the caller writes to .descriptor (or by output_write), and
 * output_commit() syncs, closes, renames and syncs the folder. output_discard() removes the temporary; so do exit()
 * and the signals that end a program (after cleanup_on_signals()).
 * A place that exists and is no regular file (/dev/stdout, a pipe, /dev/full) is not replaced: the result is
 * collected in an unnamed temporary and copied there by output_commit().
 */
#ifndef LEITMOTIF_BASE_OUTPUT_H
#define LEITMOTIF_BASE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct output {
    char *path;      /* where the result will be */
    char *temporary; /* where it grows; NULL when unnamed */
    int descriptor;  /* open for reading and writing, seekable */
    bool direct;     /* path is no regular file: copied at the end */
    bool active;
};

/* Fails when path's folder is missing or not writable, when path is a folder, or when the disk refuses. */
int output_open(struct output *output, const char *path);
int output_write(struct output *output, const void *bytes, size_t length);
int output_write_at(struct output *output, uint64_t offset, const void *bytes, size_t length); /* to mend a header */
int output_commit(struct output *output);  /* discards on failure */
void output_discard(struct output *output); /* accepts all-zero and finished outputs */

/* Would output_open(path) work? Asked for every job before long work starts. Leaves nothing behind. */
int output_check(const char *path);

/* A program that is started with stdin, stdout or stderr closed would open its results under their numbers, and write its
 * messages into them. Fills such numbers with what can be neither read nor written. First thing in a main. */
void keep_standard_descriptors(void);

/* Removes unfinished outputs when SIGINT, SIGTERM, SIGHUP or SIGPIPE ends the program, then dies of that signal. */
void cleanup_on_signals(void);

#endif
