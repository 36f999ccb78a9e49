/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"

static void *or_end(void *block, size_t count, size_t size)
{
    if (block)
        return block;
    fprintf(stderr, "out of memory: %zu times %zu bytes refused by the system\n", count, size);
    exit(EXIT_FAILED);
}

void *allocate(size_t count, size_t size)
{
    return or_end(calloc(count ? count : 1, size ? size : 1), count, size);
}

void *allocate_aligned(size_t alignment, size_t size)
{
    return memset(or_end(aligned_alloc(alignment, size), 1, size), 0, size);
}

void *reallocate(void *block, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return or_end(NULL, count, size);
    return or_end(realloc(block, count && size ? count * size : 1), count, size);
}

char *copy_string(const char *string)
{
    return string ? copy_bytes(string, strlen(string)) : NULL;
}

char *copy_bytes(const char *bytes, size_t length)
{
    char *copy = allocate(length + 1, 1);
    if (length)
        memcpy(copy, bytes, length);
    return copy;
}

void *grow(void *block, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return block;
    *capacity = *capacity ? 2 * *capacity : 8;
    return reallocate(block, *capacity, size);
}
