/* SPDX-License-Identifier: Apache-2.0 */
#include "base/machine.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>

/* The number after `label` at a line's beginning; -1: not there, or a word such as "max". */
static int64_t number_in(const char *path, const char *label)
{
    char line[256], format[64];
    int64_t number = -1;
    FILE *file = fopen(path, "r");
    snprintf(format, sizeof format, "%s%%%s", label, SCNd64);
    while (file && number < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, format, &number) != 1)
            number = -1;
    if (file)
        fclose(file);
    return number;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* A control group counts the files that it read among what it uses, but gives them up when asked. */
static int64_t group_leaves(const char *limit_path, const char *used_path, const char *statistics_path)
{
    int64_t limit = number_in(limit_path, ""), used = number_in(used_path, "");
    int64_t files = greater(number_in(statistics_path, "inactive_file "), 0) + greater(number_in(statistics_path, "active_file "), 0);
    return limit < 0 || used < 0 ? INT64_MAX : greater(limit - greater(used - files, 0), 0);
}

int64_t memory_available(void)
{
    int64_t kilobytes = number_in("/proc/meminfo", "MemAvailable:");
    int64_t second = group_leaves("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat");
    int64_t first = group_leaves("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes",
                                 "/sys/fs/cgroup/memory/memory.stat");
    return kilobytes < 0 ? 0 : lesser(kilobytes * 1024, lesser(first, second));
}

/* A limit on time in each period; INT64_MAX: none. */
static int64_t group_processors(int64_t quota, int64_t period)
{
    return quota <= 0 || period <= 0 ? INT64_MAX : (quota + period - 1) / period;
}

int processors_available(void)
{
    cpu_set_t set;
    int64_t here = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    int64_t second = group_processors(number_in("/sys/fs/cgroup/cpu.max", ""), number_in("/sys/fs/cgroup/cpu.max", "%*s "));
    int64_t first = group_processors(number_in("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", ""), number_in("/sys/fs/cgroup/cpu/cpu.cfs_period_us", ""));
    return (int)lesser(here, lesser(first, second));
}
