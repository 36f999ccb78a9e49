/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/pages.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/failure.h"
#include "base/machine.h"

enum { HUGE_PAGE = 2 << 20, SMALL_PAGE = 4096 };

static size_t whole_pages(size_t bytes)
{
    return (bytes + SMALL_PAGE - 1) / SMALL_PAGE * SMALL_PAGE;
}

#define CANNOT_ALLOCATE "cannot allocate "

bool pages_refused(void) { return strstr(failure_text(), CANNOT_ALLOCATE); }

/* The system would give more than it has, and kill the program when it is touched. */
static int check_left(size_t bytes)
{
    size_t left = (size_t)memory_available();
    if (left == 0 || bytes <= left)
        return 0;
    return fail(CANNOT_ALLOCATE "%zu MB: %zu MB are left; close other programs, or take a smaller model", (bytes >> 20) + 1, left >> 20);
}

/* Maps a huge page more than asked for, and gives back what lies before and after the aligned part. */
void *pages_take(size_t bytes)
{
    size_t size = whole_pages(bytes);
    if (bytes == 0 || check_left(bytes))
        return NULL;
    char *mapped = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) {
        fail(CANNOT_ALLOCATE "%zu MB: %s; close other programs, or take a smaller model", (bytes >> 20) + 1, strerror(errno));
        return NULL;
    }
    size_t before = (HUGE_PAGE - (uintptr_t)mapped % HUGE_PAGE) % HUGE_PAGE;
    if (before)
        munmap(mapped, before);
    munmap(mapped + before + size, HUGE_PAGE - before);
    madvise(mapped + before, size, MADV_HUGEPAGE); /* a wish: small pages serve as well */
    return mapped + before;
}

void pages_give(void *block, size_t bytes)
{
    if (block)
        munmap(block, whole_pages(bytes));
}
