/* SPDX-License-Identifier: Apache-2.0
 * What happened: counters, and what a GPU would not have forgiven.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fake.h"
#include "settings.h"

enum { MAX_VIOLATIONS = 16, VIOLATION_SIZE = 256 };

struct counters counters;

static char violations[MAX_VIOLATIONS][VIOLATION_SIZE];
static size_t violation_count;

bool violated(void) { return violation_count; }

void violate(const char *format, ...)
{
    char text[VIOLATION_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c; c++) /* it is a string of JSON */
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
            *c = ' ';
    fprintf(stderr, "fake-gpu: VIOLATION %s\n", text);
    if (violation_count < MAX_VIOLATIONS)
        strcpy(violations[violation_count++], text);
}

__attribute__((destructor)) static void report(void)
{
    const char *path = setting_text("FAKE_GPU_REPORT", NULL);
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file)
        return;
    fprintf(file, "{\"program\": \"%s\", \"peak_bytes\": %zu, \"live_bytes\": %zu", program_invocation_short_name, counters.peak_bytes,
            counters.live_bytes);
#define COUNTER(name) fprintf(file, ", \"" #name "\": %" PRIu64, counters.name)
    COUNTER(allocations);
    COUNTER(operations);
    COUNTER(captures);
    COUNTER(recorded);
    COUNTER(launches);
    COUNTER(host_to_device);
    COUNTER(device_to_host);
    COUNTER(synchronisations);
#undef COUNTER
    fputs(", \"violations\": [", file);
    for (size_t i = 0; i < violation_count; i++)
        fprintf(file, "%s\"%s\"", i ? ", " : "", violations[i]);
    fputs("]}\n", file);
    fclose(file);
}
