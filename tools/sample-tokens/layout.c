/* SPDX-License-Identifier: Apache-2.0 */
#include "sample-tokens/layout.h"

enum { ALIGNMENT = 64 };

void *layout_place(struct layout *layout, const char *group, int64_t bytes)
{
    size_t size = ((size_t)bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    char *place = layout->memory ? layout->memory + layout->used : NULL;
    if (layout->plan && size)
        memory_plan_add(layout->plan, group, (int64_t)size);
    layout->used += size;
    return place;
}
