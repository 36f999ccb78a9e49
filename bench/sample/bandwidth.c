/* SPDX-License-Identifier: Apache-2.0 */
#include "bandwidth.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/failure.h"
#include "base/memory.h"

enum { HUGE_PAGE = 2 << 20, STREAMS = 2 };

/* Vectors of the compiler: it makes of one what the instruction set has. */
typedef uint64_t lanes __attribute__((vector_size(64)));

typedef uint64_t (*reader)(const lanes *part, size_t count);

struct worker {
    struct bandwidth *bandwidth;
    const lanes *part;
    size_t count;
    uint64_t sum; /* kept, so that the reading is not optimised away */
    pthread_t thread;
};

struct bandwidth {
    unsigned char *block;
    size_t bytes;
    reader read;
    struct worker *workers; /* the first is the caller's */
    int count;              /* that there are */
    bool ending;
    pthread_mutex_t gate;   /* closed until it is known how many threads could be started */
    pthread_barrier_t barrier;
};

/* Two streams at once were never slower than one; software prefetching was no faster than the hardware's. */
static inline __attribute__((always_inline)) uint64_t read_part(const lanes *part, size_t count)
{
    lanes sums[STREAMS] = {0};
    size_t step = count / STREAMS;
    for (size_t i = 0; i < step; i++)
        for (size_t s = 0; s < STREAMS; s++)
            sums[s] ^= part[s * step + i];
    sums[0] ^= sums[1];
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof(lanes) / sizeof sum; i++)
        sum ^= sums[0][i];
    return sum;
}

static uint64_t read_plain(const lanes *part, size_t count) { return read_part(part, count); }

#ifdef __x86_64__
__attribute__((target("avx2"))) static uint64_t read_avx2(const lanes *part, size_t count) { return read_part(part, count); }
__attribute__((target("avx512f"))) static uint64_t read_avx512(const lanes *part, size_t count) { return read_part(part, count); }
#endif

static reader best_reader(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        return read_avx512;
    if (__builtin_cpu_supports("avx2"))
        return read_avx2;
#endif
    return read_plain;
}

/* Each thread fills its own part, so that the pages lie near the processor that reads them. */
static void fill(struct worker *worker)
{
    memset((void *)(uintptr_t)worker->part, 0x5a, worker->count * sizeof *worker->part);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct bandwidth *bandwidth = worker->bandwidth;
    pthread_mutex_lock(&bandwidth->gate);
    pthread_mutex_unlock(&bandwidth->gate);
    for (fill(worker);;) {
        pthread_barrier_wait(&bandwidth->barrier);
        if (bandwidth->ending)
            return NULL;
        worker->sum ^= bandwidth->read(worker->part, worker->count);
        pthread_barrier_wait(&bandwidth->barrier);
    }
}

static int take_memory(struct bandwidth *bandwidth, size_t bytes)
{
    bandwidth->bytes = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *block = mmap(NULL, bandwidth->bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return fail("no memory for %zu MB to read: %s", bandwidth->bytes >> 20, strerror(errno));
    bandwidth->block = block;
    madvise(block, bandwidth->bytes + HUGE_PAGE, MADV_HUGEPAGE); /* small pages do too */
    return 0;
}

static void share_out(struct bandwidth *bandwidth, int threads)
{
    size_t first = (HUGE_PAGE - (uintptr_t)bandwidth->block % HUGE_PAGE) % HUGE_PAGE;
    size_t count = bandwidth->bytes / sizeof(lanes) / (size_t)threads;
    const lanes *block = (const lanes *)(const void *)(bandwidth->block + first);
    for (int i = 0; i < threads; i++)
        bandwidth->workers[i] = (struct worker){.bandwidth = bandwidth, .count = count, .part = block + (size_t)i * count};
}

static int start_workers(struct bandwidth *bandwidth, int threads)
{
    int error = 0;
    pthread_mutex_init(&bandwidth->gate, NULL);
    pthread_mutex_lock(&bandwidth->gate);
    bandwidth->count = 1;
    for (int i = 1; i < threads && !error; i++) {
        error = pthread_create(&bandwidth->workers[i].thread, NULL, work, &bandwidth->workers[i]);
        bandwidth->count += !error;
    }
    pthread_barrier_init(&bandwidth->barrier, NULL, (unsigned)bandwidth->count);
    pthread_mutex_unlock(&bandwidth->gate);
    return error ? fail("cannot start thread %d of %d: %s", bandwidth->count + 1, threads, strerror(error)) : 0;
}

struct bandwidth *bandwidth_open(size_t bytes, int threads)
{
    struct bandwidth *bandwidth = allocate(1, sizeof *bandwidth);
    bandwidth->read = best_reader();
    bandwidth->workers = allocate((size_t)threads, sizeof *bandwidth->workers);
    if (take_memory(bandwidth, bytes) == 0) {
        share_out(bandwidth, threads);
        if (start_workers(bandwidth, threads) == 0) {
            fill(&bandwidth->workers[0]);
            return bandwidth;
        }
    }
    bandwidth_close(bandwidth);
    return NULL;
}

void bandwidth_close(struct bandwidth *bandwidth)
{
    if (!bandwidth)
        return;
    if (bandwidth->count) {
        bandwidth->ending = true;
        pthread_barrier_wait(&bandwidth->barrier);
        for (int i = 1; i < bandwidth->count; i++)
            pthread_join(bandwidth->workers[i].thread, NULL);
        pthread_barrier_destroy(&bandwidth->barrier);
        pthread_mutex_destroy(&bandwidth->gate);
    }
    if (bandwidth->block)
        munmap(bandwidth->block, bandwidth->bytes + HUGE_PAGE);
    free(bandwidth->workers);
    free(bandwidth);
}

double bandwidth_pass(struct bandwidth *bandwidth)
{
    struct worker *own = &bandwidth->workers[0];
    pthread_barrier_wait(&bandwidth->barrier);
    double start = clock_seconds();
    own->sum ^= bandwidth->read(own->part, own->count);
    pthread_barrier_wait(&bandwidth->barrier);
    return (double)(own->count * sizeof *own->part) * bandwidth->count / (clock_seconds() - start);
}
