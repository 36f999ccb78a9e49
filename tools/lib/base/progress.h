/* SPDX-License-Identifier: Apache-2.0
 * progress - what a waiting person or program sees on stderr.
 *
 * mode auto: a bar with remaining time if stderr is a terminal, else nothing. bar: always the bar (a line per whole
 * per cent when stderr is no terminal). json: one object a line, {"job":1,"jobs":3,"stage":"sample","done":120,
 * "total":1503,"seconds":2.41,"remaining":27.8}, at most ten a second, always the first and the last; bytes have a
 * "rate" as well, per second. none: nothing.
 */
#ifndef LEITMOTIF_BASE_PROGRESS_H
#define LEITMOTIF_BASE_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

enum progress_mode { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_JSON, PROGRESS_NONE };

void progress_start(enum progress_mode mode);                       /* once, from tool_main */
void progress_job(size_t job, size_t jobs, const char *label);       /* 1-based; label e.g. the output's name */
void progress_step(const char *stage, int64_t done, int64_t total);  /* cheap: rate-limited inside */
void progress_bytes(const char *stage, int64_t done, int64_t total); /* the same in bytes: shows the rate as well */
void progress_end(void);                                             /* clears the bar */

/* A line for the person (stderr), above the bar; suppressed by --quiet. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_quiet(void); /* --quiet: no bar, no notes */

#endif
