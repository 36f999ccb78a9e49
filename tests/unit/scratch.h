/* SPDX-License-Identifier: Apache-2.0
 * scratch - a folder for one test program's files, and what tests of files say often. Include after cmocka.h.
 *
 * scratch_open and scratch_remove are the group's set-up and tear-down.
 */
#ifndef LEITMOTIF_TESTS_SCRATCH_H
#define LEITMOTIF_TESTS_SCRATCH_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static char scratch[] = "/tmp/leitmotif-test.XXXXXX";

static int scratch_open(void **state)
{
    (void)state;
    return mkdtemp(scratch) ? 0 : -1;
}

static int scratch_remove(void **state)
{
    (void)state;
    return folder_remove(scratch);
}

/* A path in the folder, to free(). */
static inline char *scratch_path(const char *name)
{
    return path_join(scratch, name);
}

/* Writes a file in the folder, making its folders; returns its path, to free(). */
static inline char *scratch_file(const char *name, const void *bytes, size_t length)
{
    char *path = scratch_path(name), *parent = path_folder(path);
    assert_int_equal(folder_make(parent), 0);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    free(parent);
    return path;
}

/* A failure is recorded that names the subject and says the reason; it is cleared. */
static inline void assert_refused(const char *subject, const char *reason)
{
    bool named = failed() && strstr(failure_text(), subject) && strstr(failure_text(), reason);
    if (!named)
        print_error("expected a failure of '%s' with '%s', got '%s'\n", subject, reason, failure_text());
    assert_true(named);
    failure_clear();
}

#endif
