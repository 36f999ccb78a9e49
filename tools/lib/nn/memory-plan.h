/* SPDX-License-Identifier: Apache-2.0
 * memory-plan - what a program will allocate on its device, in bytes by purpose, known before it allocates anything.
 *
 * Knows names and numbers only: who needs what is for the one that allocates it to know.
 */
#ifndef LEITMOTIF_NN_MEMORY_PLAN_H
#define LEITMOTIF_NN_MEMORY_PLAN_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { MEMORY_GROUPS = 16 };

struct memory_plan {
    struct {
        const char *name; /* a literal */
        int64_t bytes;
    } groups[MEMORY_GROUPS];
    size_t count;
};

void memory_plan_add(struct memory_plan *plan, const char *name, int64_t bytes); /* adds to the group of that name */
int64_t memory_plan_total(const struct memory_plan *plan);
void memory_plan_print(const struct memory_plan *plan, FILE *file); /* a line a group, then the total */
json_t *memory_plan_json(const struct memory_plan *plan);           /* {"heads": bytes, ..., "total": bytes}; new reference */

/* "7.92 GB", by powers of 1024 as --memory counts; never below the bytes. Yours to free(). */
char *memory_text(int64_t bytes);

#endif
