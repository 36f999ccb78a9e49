/* SPDX-License-Identifier: Apache-2.0
 * One word, the ticket, says everything about the present piece of work: its number, how many tasks it has, how many are
 * claimed. Whoever advances it by compare-and-swap holds a task, and the piece cannot end before that task is done: so
 * the function and context read after it are those of this piece, however late the thread comes.
 */
#include "cpu/pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/machine.h"
#include "base/memory.h"

#define WAIT_SECONDS 50e-6 /* looking, before sleeping: longer than what stands between two pieces of a step */

enum { COUNT_BITS = 20, LOOKS = 32 };

struct worker {
    struct pool *pool;
    pthread_t thread;
    int index;
};

struct pool {
    struct worker *workers; /* [threads - 1] */
    int threads;
    double wait;            /* seconds of looking; 0 where threads must share cores anyway */
    _Alignas(64) _Atomic uint64_t ticket; /* from the top: number of the piece, its tasks, those claimed */
    pool_work *work;
    void *context;
    _Alignas(64) atomic_int done; /* tasks of this piece */
    _Alignas(64) atomic_int sleepers;
    atomic_bool closing, caller_sleeps;
    pthread_mutex_t lock;
    pthread_cond_t begun, ended;
};

static int ticket_claimed(uint64_t ticket)
{
    return (int)(ticket & ((1u << COUNT_BITS) - 1));
}

static int ticket_tasks(uint64_t ticket)
{
    return (int)(ticket >> COUNT_BITS & ((1u << COUNT_BITS) - 1));
}

static bool work_waits(struct pool *pool)
{
    uint64_t ticket = atomic_load(&pool->ticket);
    return ticket_claimed(ticket) < ticket_tasks(ticket);
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Looks for `ready` for a while. */
static bool look(struct pool *pool, bool (*ready)(struct pool *pool))
{
    double end = 0;
    while (!ready(pool)) {
        for (int i = 0; i < LOOKS; i++) {
            relax();
            if (ready(pool))
                return true;
        }
        double now = clock_seconds();
        if (end == 0)
            end = now + pool->wait;
        if (now >= end)
            return false;
    }
    return true;
}

static void task_ended(struct pool *pool, int tasks)
{
    if (atomic_fetch_add(&pool->done, 1) + 1 < tasks || !atomic_load(&pool->caller_sleeps))
        return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_signal(&pool->ended);
    pthread_mutex_unlock(&pool->lock);
}

/* Claims tasks of the present piece until none is left. */
static void take_part(struct pool *pool, int thread)
{
    uint64_t ticket = atomic_load(&pool->ticket);
    while (ticket_claimed(ticket) < ticket_tasks(ticket)) {
        if (!atomic_compare_exchange_weak(&pool->ticket, &ticket, ticket + 1))
            continue;
        pool->work(pool->context, ticket_claimed(ticket), thread);
        task_ended(pool, ticket_tasks(ticket));
        ticket = atomic_load(&pool->ticket);
    }
}

static bool worker_ready(struct pool *pool)
{
    return work_waits(pool) || atomic_load(&pool->closing);
}

static void worker_sleep(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (!worker_ready(pool))
        pthread_cond_wait(&pool->begun, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct pool *pool = worker->pool;
    while (!atomic_load(&pool->closing)) {
        if (!look(pool, worker_ready))
            worker_sleep(pool);
        take_part(pool, worker->index);
    }
    return NULL;
}

static bool all_done(struct pool *pool)
{
    return atomic_load(&pool->done) == ticket_tasks(atomic_load(&pool->ticket));
}

static void caller_sleep(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->caller_sleeps, true);
    while (!all_done(pool))
        pthread_cond_wait(&pool->ended, &pool->lock);
    atomic_store(&pool->caller_sleeps, false);
    pthread_mutex_unlock(&pool->lock);
}

static void publish(struct pool *pool, int tasks)
{
    uint64_t number = (atomic_load(&pool->ticket) >> 2 * COUNT_BITS) + 1;
    atomic_store(&pool->done, 0);
    atomic_store(&pool->ticket, number << 2 * COUNT_BITS | (uint64_t)tasks << COUNT_BITS);
    if (atomic_load(&pool->sleepers) == 0)
        return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->begun);
    pthread_mutex_unlock(&pool->lock);
}

void pool_run(struct pool *pool, int tasks, pool_work *work, void *context)
{
    assert(tasks >= 0 && tasks < MOST_TASKS);
    if (pool->threads == 1 || tasks < 2) {
        for (int i = 0; i < tasks; i++)
            work(context, i, 0);
        return;
    }
    pool->work = work;
    pool->context = context;
    publish(pool, tasks);
    take_part(pool, 0);
    if (!look(pool, all_done))
        caller_sleep(pool);
}

int pool_threads(const struct pool *pool)
{
    return pool->threads;
}

struct pool *pool_open(int threads)
{
    struct pool *pool = allocate_aligned(_Alignof(struct pool), sizeof *pool);
    pool->wait = threads <= processors_available() ? WAIT_SECONDS : 0; /* looking only pays when each can have a core */
    pool->threads = 1;
    threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->begun, NULL);
    pthread_cond_init(&pool->ended, NULL);
    pool->workers = allocate((size_t)threads, sizeof *pool->workers);
    for (; pool->threads < threads; pool->threads++) {
        struct worker *worker = &pool->workers[pool->threads - 1];
        *worker = (struct worker){.pool = pool, .index = pool->threads};
        if (pthread_create(&worker->thread, NULL, worker_main, worker))
            break;
    }
    return pool;
}

void pool_close(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->closing, true);
    pthread_cond_broadcast(&pool->begun);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i + 1 < pool->threads; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->begun);
    pthread_cond_destroy(&pool->ended);
    free(pool->workers);
    free(pool);
}
