/* SPDX-License-Identifier: Apache-2.0
 * failure - the one error record of a thread.
 *
 * The first failure wins: fail() records its text once and returns -1; calls after it change nothing until
 * failure_clear(). Functions return 0/-1 (or a pointer/NULL); only a program's main prints, by failure_print().
 * Texts: lower case, the subject in single quotes, the reason, what to do; one line, no full stop.
 * This module must not know any file, option or library.
 */
#ifndef LEITMOTIF_BASE_FAILURE_H
#define LEITMOTIF_BASE_FAILURE_H

#include <stdbool.h>

enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_MISUSE = 2 };

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

#undef fail /* cmocka.h, which unit tests include first, has a macro of that name */

/* Records a failure of the work (exit status 1). Always returns -1. Control characters in the text become '?'. */
int fail(const char *format, ...) PRINTF_LIKE(1, 2);

/* The same for wrong usage or an invalid description of the work (exit status 2). Always returns -1. */
int misuse(const char *format, ...) PRINTF_LIKE(1, 2);

/* Puts "text: " before the recorded failure, if there is one: the caller's view of the subject. Always returns -1. */
int failure_within(const char *format, ...) PRINTF_LIKE(1, 2);

bool failed(void);
const char *failure_text(void); /* "" without a failure; valid until the next call of this module */
int failure_status(void);       /* EXIT_DONE, EXIT_FAILED or EXIT_MISUSE */
void failure_clear(void);

/* Writes "program: text" to stderr, if there is a failure. Returns failure_status(). */
int failure_print(const char *program);

#endif
