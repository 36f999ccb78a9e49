/* SPDX-License-Identifier: Apache-2.0
 * problems - what is wrong with a text file, each at its line and column, told in the file's order.
 *
 * Lines and columns count from 1; columns count characters. Knows nothing of what the file means.
 */
#ifndef LEITMOTIF_BASE_PROBLEMS_H
#define LEITMOTIF_BASE_PROBLEMS_H

#include <stddef.h>

#include "base/text.h"

struct problem {
    int line, column;
    size_t order; /* of telling: among problems at one place */
    char *text;
};

struct problems { /* valid when all zero */
    struct problem *items;
    size_t count, capacity;
};

void problem_add(struct problems *problems, int line, int column, const char *format, ...) PRINTF_LIKE(4, 5);

/* Appends "path:line:column: text\n" per problem, by line and column. */
void problems_tell(struct problems *problems, const char *path, struct text *lines);

void problems_release(struct problems *problems);

#endif
