/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/budget.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/failure.h"
#include "base/machine.h"
#include "base/text.h"

/* What a GPU loses beside any plan while a program works: kernels that its driver loads when they are first called, and memory
 * that it cannot give in one piece. No GPU was at hand to measure it; a context, which is there before memory is counted,
 * takes about as much. */
#define GPU_RESERVE ((int64_t)256 << 20)

/* 32 MiB for the matrix products that give the same bits again (CUBLAS_WORKSPACE_CONFIG); as much for convolutions, which
 * cuDNN computes in another way where it cannot have what it likes best; and what the allocator's two pools have beyond what was
 * asked of them, 2 and 20 MiB at most since their segments grow. Not measured either. */
#define WORKSPACE_BYTES ((int64_t)96 << 20)

/* Of a machine's memory that other programs use as well. */
enum { SENSIBLE_TENTHS = 9, SUBJECT_SIZE = 512 };

#define MEBIBYTE ((int64_t)1 << 20)

static int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t limit_of(int64_t memory) { return memory > 0 ? memory : INT64_MAX; }

/* The estimate is 0 where the system gives none. */
static int64_t sensible_here(void)
{
    int64_t available = memory_available();
    return available > 0 ? available / 10 * SENSIBLE_TENTHS : INT64_MAX;
}

int budget_open(struct budget *budget, struct device device, int64_t memory)
{
    struct device_memory gpu = {0};
    *budget = (struct budget){.device = device, .there = INT64_MAX};
    if (device.kind != DEVICE_CPU) {
        if (device_memory(device, &gpu))
            return -1;
        budget->there = gpu.free > GPU_RESERVE ? gpu.free - GPU_RESERVE : 0;
    }
    budget->allowed = lesser(limit_of(memory), budget->there);
    budget->sensible = device.kind == DEVICE_CPU ? lesser(budget->allowed, sensible_here()) : budget->allowed;
    budget->by_option = memory > 0 && memory <= budget->there;
    return 0;
}

int64_t budget_workspaces(struct device device) { return device.kind == DEVICE_CPU ? 0 : WORKSPACE_BYTES; }

bool budget_holds(const struct budget *budget, const struct memory_plan *plan)
{
    return memory_plan_total(plan) <= budget->allowed;
}

char *budget_limit(const struct budget *budget)
{
    char *size = memory_text(budget->allowed), *text;
    if (budget->by_option)
        text = format_string("%s allowed", size);
    else if (budget->device.kind == DEVICE_CPU)
        text = format_string("this machine has %s", size);
    else
        text = format_string("%s free on %s (%s)", size, device_text(budget->device), device_name(budget->device));
    free(size);
    return text;
}

int budget_refuse(const struct budget *budget, const struct memory_plan *plan, const char *advice, const char *what, ...)
{
    char subject[SUBJECT_SIZE], *needed = memory_text(memory_plan_total(plan)), *limit = budget_limit(budget);
    va_list arguments;
    va_start(arguments, what);
    vsnprintf(subject, sizeof subject, what, arguments);
    va_end(arguments);
    fail("%s needs %s; %s; %s", subject, needed, limit, advice);
    free(needed);
    free(limit);
    return -1;
}

char *budget_advice(const struct budget *budget, const struct memory_plan *plan, const char *smaller)
{
    int64_t needed = memory_plan_total(plan);
    const char *before = smaller ? smaller : "", *or = smaller ? ", or " : "";
    if (needed <= budget->there && budget->by_option)
        return format_string("give --memory %lldM or more", (long long)((needed + MEBIBYTE - 1) / MEBIBYTE));
    if (budget->device.kind != DEVICE_CPU)
        return format_string("%s%suse --device cpu, or free memory there", before, or);
    return format_string("%s", smaller ? smaller : "use a smaller model");
}

int budget_refused(const struct budget *budget, const struct memory_plan *plan, const char *what, ...)
{
    if (!failed() || !device_refused_memory())
        return -1;
    char subject[SUBJECT_SIZE], *needed = memory_text(memory_plan_total(plan));
    va_list arguments;
    va_start(arguments, what);
    vsnprintf(subject, sizeof subject, what, arguments);
    va_end(arguments);
    failure_within("%s needs %s, and %s refused some of it: %s", subject, needed, device_text(budget->device),
                   budget->device.kind == DEVICE_CPU ? "free memory" : "free memory there, or use --device cpu");
    free(needed);
    return -1;
}
