/* SPDX-License-Identifier: Apache-2.0
 * layout - places in one block of memory. The same walk counts first, without a block, then places: so what is planned and
 * what is used cannot differ.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_LAYOUT_H
#define LEITMOTIF_SAMPLE_TOKENS_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "nn/memory-plan.h"

struct layout {
    struct memory_plan *plan; /* gets the bytes by group; NULL: not wanted */
    char *memory;             /* the block; NULL: count only */
    size_t used;              /* bytes so far */
};

/* The next place, at a multiple of 64 bytes from the block's beginning; NULL when it only counts. */
void *layout_place(struct layout *layout, const char *group, int64_t bytes);

#endif
