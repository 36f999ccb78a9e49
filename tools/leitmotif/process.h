/* SPDX-License-Identifier: Apache-2.0
 * process - a child program, the lines it prints, and its end.
 *
 * A child leads a process group of its own, so that a terminal's Ctrl-C reaches leitmotif alone, which passes it on
 * once; it is killed by the system when leitmotif dies. Its stdin is a file, its stdout and stderr are pipes read
 * without blocking. A loop: process_start; poll(output, errors); process_read; process_ended.
 * This module must not know what the lines mean.
 */
#ifndef LEITMOTIF_PROCESS_H
#define LEITMOTIF_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/text.h"

struct pipe_reader {
    int descriptor;      /* -1: closed */
    struct text partial; /* a line whose end has not come yet */
};

struct process {
    pid_t pid;           /* 0: none */
    struct pipe_reader output, errors;
    int status;          /* of waitpid, once ended */
};

typedef void line_handler(void *context, const char *line, size_t length);

/* The path of program NAME: in $LEITMOTIF_TOOLS, else beside this executable. Yours; NULL on failure. */
char *process_find(const char *name);

/* arguments: NULL-terminated, arguments[0] is the path to run. input becomes stdin (borrowed). */
int process_start(struct process *process, char *const arguments[], int input);

/* Hands over every whole line that has come on one of the pipes; after the end also a last one without a newline. */
void process_read(struct pipe_reader *reader, line_handler *handle, void *context);

/* Whether it has ended: then its status is known, what was left of its group is killed, and its pipes hold all that
 * will come. Does not wait. */
bool process_ended(struct process *process);

void process_signal(const struct process *process, int signal_number); /* to its whole group */

/* "ended with status 3", "died of signal 9 (Killed)"; "" when it ended well. Yours. */
char *process_fate(const struct process *process);

void process_release(struct process *process); /* kills and waits if it still runs */

#endif
