/* SPDX-License-Identifier: Apache-2.0
 * The GPU's memory: libtorch's allocator with a limit, in blocks of 512 bytes, which keeps what it took.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "settings.h"

enum { BLOCK = 512 };

static struct {
    size_t context, limit, libraries, refuse_at_least;
    int refuse_after; /* how many more allocations of that size; 0: none is refused */
    uint64_t outside;
    bool begun, library_begun[2];
} memory;

static double fraction_allowed(void)
{
    static const char option[] = "per_process_memory_fraction:";
    const char *given = setting_text("PYTORCH_CUDA_ALLOC_CONF", setting_text("PYTORCH_ALLOC_CONF", ""));
    const char *found = strstr(given, option);
    return found ? atof(found + strlen(option)) : 1;
}

void memory_begin(void)
{
    if (memory.begun)
        return;
    memory.begun = true;
    memory.context = setting_size("FAKE_GPU_CONTEXT", "450M");
    size_t allowed = (size_t)(fraction_allowed() * (double)gpu_memory()), there = gpu_memory() - memory.context;
    memory.limit = allowed < there ? allowed : there;
    const char *refused = setting_text("FAKE_GPU_REFUSE", "0"), *size = strchr(refused, ':');
    memory.refuse_after = atoi(refused);
    memory.refuse_at_least = size_of_text(size ? size + 1 : "1M");
}

static const char *size_text(char *text, size_t size, size_t bytes)
{
    if (bytes >= 1 << 30)
        snprintf(text, size, "%.2f GiB", (double)bytes / (1 << 30));
    else if (bytes >= 1 << 20)
        snprintf(text, size, "%.2f MiB", (double)bytes / (1 << 20));
    else
        snprintf(text, size, "%.2f KiB", (double)bytes / (1 << 10));
    return text;
}

static int32_t out_of_memory(size_t bytes)
{
    char wanted[32], total[32], left[32], taken[32];
    size_t there = gpu_memory(), free_bytes = there - memory.context - memory.libraries - counters.live_bytes;
    return refuse("CUDA out of memory. Tried to allocate %s. GPU 0 has a total capacity of %s of which %s is free. Of the allocated "
                  "memory %s is allocated by PyTorch, and 0 bytes is reserved by PyTorch but unallocated.",
                  size_text(wanted, sizeof wanted, bytes), size_text(total, sizeof total, there), size_text(left, sizeof left, free_bytes),
                  size_text(taken, sizeof taken, counters.live_bytes));
}

static size_t rounded(size_t bytes) { return (bytes + BLOCK - 1) / BLOCK * BLOCK; }

int32_t memory_take(size_t bytes)
{
    size_t block = rounded(bytes);
    memory_begin();
    bool chosen = memory.refuse_after > 0 && bytes >= memory.refuse_at_least && --memory.refuse_after == 0;
    if (chosen || counters.live_bytes + memory.libraries + block > memory.limit)
        return out_of_memory(bytes);
    counters.allocations += block > 0;
    counters.live_bytes += block;
    if (counters.live_bytes > counters.peak_bytes)
        counters.peak_bytes = counters.live_bytes;
    if (block && !queue_is_captured())
        memory_count_outside();
    return 0;
}

int32_t memory_begin_library(size_t which)
{
    if (memory.library_begun[which])
        return 0;
    if (queue_is_captured())
        return capture_refuse("a library that begins");
    size_t space = setting_size("FAKE_GPU_WORKSPACE", "0");
    if (counters.live_bytes + memory.libraries + space > memory.limit)
        return out_of_memory(space);
    memory.libraries += space;
    memory.library_begun[which] = true;
    return 0;
}

void memory_give(size_t bytes) { counters.live_bytes -= rounded(bytes); }
void memory_count_outside(void) { memory.outside++; }
uint64_t memory_outside(void) { return memory.outside; }

int cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
    memory_begin();
    *total = gpu_memory();
    *free_bytes = *total - memory.context - memory.libraries - counters.peak_bytes;
    return 0;
}
