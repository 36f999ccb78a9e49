/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/memory-plan.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

void memory_plan_add(struct memory_plan *plan, const char *name, int64_t bytes)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (strcmp(plan->groups[i].name, name) == 0) {
            plan->groups[i].bytes += bytes;
            return;
        }
    }
    assert(plan->count < MEMORY_GROUPS);
    plan->groups[plan->count].name = name;
    plan->groups[plan->count++].bytes = bytes;
}

int64_t memory_plan_total(const struct memory_plan *plan)
{
    int64_t total = 0;
    for (size_t i = 0; i < plan->count; i++)
        total += plan->groups[i].bytes;
    return total;
}

char *memory_text(int64_t bytes)
{
    static const char *const UNITS[] = {"KB", "MB", "GB", "TB"};
    double value = (double)bytes / 1024;
    size_t unit = 0;
    for (; value >= 1000 && unit + 1 < COUNT_OF(UNITS); unit++)
        value /= 1024;
    return format_string("%.2f %s", ceil(value * 100) / 100, UNITS[unit]);
}

static void print_line(const char *name, int64_t bytes, FILE *file)
{
    char *text = memory_text(bytes);
    fprintf(file, "%-24s %16" PRId64 "  %10s\n", name, bytes, text);
    free(text);
}

void memory_plan_print(const struct memory_plan *plan, FILE *file)
{
    for (size_t i = 0; i < plan->count; i++)
        print_line(plan->groups[i].name, plan->groups[i].bytes, file);
    print_line("total", memory_plan_total(plan), file);
}

json_t *memory_plan_json(const struct memory_plan *plan)
{
    json_t *object = json_object();
    for (size_t i = 0; i < plan->count; i++)
        json_object_set_new(object, plan->groups[i].name, json_integer(plan->groups[i].bytes));
    json_object_set_new(object, "total", json_integer(memory_plan_total(plan)));
    return object;
}
