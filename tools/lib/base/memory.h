/* SPDX-License-Identifier: Apache-2.0
 * memory - allocation of small things, which never returns NULL: without memory the program says so and ends with
 * status 1 (temporaries are removed). Sizes that come from a file are checked against the file before they get here.
 */
#ifndef LEITMOTIF_BASE_MEMORY_H
#define LEITMOTIF_BASE_MEMORY_H

#include <stddef.h>

void *allocate(size_t count, size_t size);                      /* zero-filled; release with free() */
void *allocate_aligned(size_t alignment, size_t size);          /* the same; size a multiple of alignment, a power of 2 */
void *reallocate(void *block, size_t count, size_t size);       /* new part is not zeroed */
char *copy_string(const char *string);                          /* NULL stays NULL */
char *copy_bytes(const char *bytes, size_t length);             /* adds a NUL */

/* Room for one more element in a growing array: returns the block, moved if need be; *capacity counts elements. */
void *grow(void *block, size_t count, size_t *capacity, size_t size);

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
