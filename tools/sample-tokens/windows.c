/* SPDX-License-Identifier: Apache-2.0 */
#include "sample-tokens/windows.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Frames given by the caller are kept whole where a window has room for them and at least one more. */
static int64_t first_frame(const struct piece *piece, int64_t done)
{
    int64_t carried = piece->window - piece->stride;
    if (done == piece->known && done < piece->window)
        return 0;
    return done > carried ? done - carried : 0;
}

void windows_plan(struct windows *windows, const struct piece *piece)
{
    assert(piece->known < piece->total && 0 < piece->stride && piece->stride < piece->window && piece->sections);
    size_t section = 0;
    for (int64_t done = piece->known; done < piece->total;) {
        while (section + 1 < piece->sections && piece->starts[section + 1] <= done)
            section++;
        int64_t end = section + 1 < piece->sections ? smaller(piece->starts[section + 1], piece->total) : piece->total;
        int64_t offset = first_frame(piece, done), length = smaller(end - offset, piece->window);
        windows->items = grow(windows->items, windows->count, &windows->capacity, sizeof *windows->items);
        windows->items[windows->count++] = (struct window){offset, done - offset, length, section};
        done = offset + length;
    }
}

void windows_release(struct windows *windows)
{
    free(windows->items);
    *windows = (struct windows){0};
}
