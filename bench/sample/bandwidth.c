/* SPDX-License-Identifier: Apache-2.0 */
#include "bandwidth.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "copying.h"
#include "cpu/pages.h"
#include "cpu/pool.h"

/* A task reads a part in two streams: never slower than one. Software prefetching was no faster than the hardware's. The threads
 * get some parts at a time, about a matrix of a model: on a shared machine threads that wait now and then get more of it than
 * threads that never do, up to twice as much, and an engine's wait after every matrix. */
enum { PART = 256 << 10, STREAMS = 2, PARTS_AT_ONCE = 32 };

/* Vectors of the compiler: it makes of one what the instruction set has. */
typedef uint64_t lanes __attribute__((vector_size(64)));

enum { PART_LANES = PART / sizeof(lanes), STREAM_LANES = PART_LANES / STREAMS };

typedef uint64_t part_reader(const lanes *part);

struct bandwidth {
    struct copying *copying; /* of a GPU, and nothing else; NULL on a CPU */
    unsigned char *block;
    int parts, next; /* next: the part that a pass begins with */
    struct pool *pool;
    part_reader *read;
    uint64_t *sums; /* [threads]: kept, so that the reading is not optimised away */
};

static inline __attribute__((always_inline)) uint64_t read_part(const lanes *part)
{
    lanes sums[STREAMS] = {0};
    uint64_t sum = 0;
    for (size_t i = 0; i < STREAM_LANES; i++)
        for (size_t s = 0; s < STREAMS; s++)
            sums[s] ^= part[s * STREAM_LANES + i];
    sums[0] ^= sums[1];
    for (size_t i = 0; i < sizeof(lanes) / sizeof sum; i++)
        sum ^= sums[0][i];
    return sum;
}

static uint64_t read_plain(const lanes *part) { return read_part(part); }

#ifdef __x86_64__
__attribute__((target("avx2"))) static uint64_t read_avx2(const lanes *part) { return read_part(part); }
__attribute__((target("avx512f"))) static uint64_t read_avx512(const lanes *part) { return read_part(part); }
#endif

static part_reader *best_reader(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        return read_avx512;
    if (__builtin_cpu_supports("avx2"))
        return read_avx2;
#endif
    return read_plain;
}

static void fill_task(void *context, int task, int thread)
{
    const struct bandwidth *bandwidth = context;
    (void)thread;
    memset(bandwidth->block + (size_t)task * PART, 0x5a, PART);
}

static void read_task(void *context, int task, int thread)
{
    const struct bandwidth *bandwidth = context;
    size_t part = (size_t)(bandwidth->next + task) % (size_t)bandwidth->parts;
    bandwidth->sums[thread] ^= bandwidth->read((const lanes *)(const void *)(bandwidth->block + part * PART));
}

static struct bandwidth *open_copying(struct device device, size_t bytes)
{
    struct bandwidth *bandwidth = allocate(1, sizeof *bandwidth);
    bandwidth->copying = copying_open(device, bytes);
    if (bandwidth->copying)
        return bandwidth;
    bandwidth_close(bandwidth);
    return NULL;
}

struct bandwidth *bandwidth_open(struct device device, size_t bytes, int threads)
{
    if (device.kind != DEVICE_CPU)
        return open_copying(device, bytes);
    struct bandwidth *bandwidth = allocate(1, sizeof *bandwidth);
    bandwidth->parts = (int)((bytes + PART - 1) / PART);
    bandwidth->block = pages_take((size_t)bandwidth->parts * PART);
    if (!bandwidth->block) {
        bandwidth_close(bandwidth);
        return NULL;
    }
    bandwidth->pool = pool_open(threads);
    bandwidth->read = best_reader();
    bandwidth->sums = allocate((size_t)threads, sizeof *bandwidth->sums);
    pool_run(bandwidth->pool, bandwidth->parts, fill_task, bandwidth);
    return bandwidth;
}

void bandwidth_close(struct bandwidth *bandwidth)
{
    if (!bandwidth)
        return;
    copying_close(bandwidth->copying);
    pool_close(bandwidth->pool);
    pages_give(bandwidth->block, (size_t)bandwidth->parts * PART);
    free(bandwidth->sums);
    free(bandwidth);
}

double bandwidth_pass(struct bandwidth *bandwidth, size_t bytes)
{
    if (bandwidth->copying)
        return copying_pass(bandwidth->copying, bytes);
    int parts = (int)((bytes + PART - 1) / PART);
    double start = clock_seconds();
    for (int left = parts, count; left; left -= count) {
        count = left < PARTS_AT_ONCE ? left : PARTS_AT_ONCE;
        pool_run(bandwidth->pool, count, read_task, bandwidth);
        bandwidth->next = (bandwidth->next + count) % bandwidth->parts;
    }
    return (double)parts * PART / (clock_seconds() - start);
}
