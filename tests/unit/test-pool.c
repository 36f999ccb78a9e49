/* SPDX-License-Identifier: Apache-2.0
 * The pool: every task once, all of them done on return, with more threads than cores, after sleep, and from pools beside
 * each other. Meant to be run under the thread sanitizer too.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "cpu/pool.h"

enum { TASKS = 300, ROUNDS = 3000 };

struct tally {
    int counts[TASKS];              /* plain memory: only one thread may have each */
    atomic_int by_thread[MOST_THREADS];
};

static void count(void *context, int task, int thread)
{
    struct tally *tally = context;
    tally->counts[task]++;
    atomic_fetch_add(&tally->by_thread[thread], 1);
}

static void assert_rounds(struct pool *pool, int rounds)
{
    static struct tally tally;
    memset(&tally, 0, sizeof tally);
    int total = 0, expected[TASKS] = {0};
    for (int round = 0; round < rounds; round++) {
        int tasks = round * 7 % TASKS;
        pool_run(pool, tasks, count, &tally);
        for (int i = 0; i < tasks; i++)
            expected[i]++;
        total += tasks;
    }
    assert_memory_equal(tally.counts, expected, sizeof expected);
    for (int i = 0; i < MOST_THREADS; i++)
        total -= tally.by_thread[i];
    assert_int_equal(total, 0);
    for (int i = pool_threads(pool); i < MOST_THREADS; i++)
        assert_int_equal(tally.by_thread[i], 0);
}

static void every_task_is_done_once(void **state)
{
    static const int THREADS[] = {1, 2, 3, 8};
    (void)state;
    for (size_t i = 0; i < sizeof THREADS / sizeof *THREADS; i++) {
        struct pool *pool = pool_open(THREADS[i]);
        assert_int_equal(pool_threads(pool), THREADS[i]);
        assert_rounds(pool, ROUNDS);
        pool_close(pool);
    }
}

static void rest(long nanoseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = nanoseconds}, NULL);
}

/* Pauses around the time that threads look before they sleep. */
static void threads_that_slept_wake(void **state)
{
    struct pool *pool = pool_open(3);
    (void)state;
    for (int i = 0; i < 200; i++) {
        rest(i % 4 * 40000L);
        assert_rounds(pool, 5);
    }
    pool_close(pool);
}

static void wait_long(void *context, int task, int thread)
{
    (void)thread;
    if (task == 0)
        rest(3000000);
    ((int *)context)[task] = 1;
}

/* A task that lasts: whoever waits for it sleeps. */
static void a_long_task_is_waited_for(void **state)
{
    struct pool *pool = pool_open(4);
    (void)state;
    for (int round = 0; round < 20; round++) {
        int done[8] = {0};
        pool_run(pool, 8, wait_long, done);
        for (int i = 0; i < 8; i++)
            assert_int_equal(done[i], 1);
    }
    pool_close(pool);
}

static void *use_a_pool(void *context)
{
    struct pool *pool = pool_open(2);
    for (int round = 0; round < 4; round++) {
        int done[8] = {0};
        pool_run(pool, 8, wait_long, done);
        for (int i = 0; i < 8; i++)
            if (!done[i])
                *(int *)context = 1;
    }
    pool_close(pool);
    return NULL;
}

static void pools_stand_beside_each_other(void **state)
{
    pthread_t threads[3];
    int failures[3] = {0};
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_a_pool, &failures[i]), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(failures[i], 0);
    }
}

static void nobody(void *context, int task, int thread)
{
    (void)context, (void)task, (void)thread;
}

/* Address space for some stacks only: a sanitizer needs more for itself. */
static void fewer_threads_do_all(void **state)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    (void)state;
    skip();
#else
    struct rlimit before, narrow;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    narrow = (struct rlimit){(rlim_t)256 << 20, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &narrow), 0);
    struct pool *pool = pool_open(MOST_THREADS);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_in_range(pool_threads(pool), 1, MOST_THREADS - 1);
    assert_rounds(pool, 40);
    pool_close(pool);
#endif
}

static void threads_have_bounds(void **state)
{
    (void)state;
    struct pool *pool = pool_open(MOST_THREADS + 1);
    assert_in_range(pool_threads(pool), 1, MOST_THREADS);
    assert_rounds(pool, 3);
    pool_close(pool);
    pool = pool_open(0);
    assert_int_equal(pool_threads(pool), 1);
    pool_close(pool);
    pool = pool_open(2);
    pool_run(pool, MOST_TASKS - 1, nobody, NULL);
    pool_close(pool);
}

static void an_idle_pool_uses_no_processor(void **state)
{
    struct pool *pool = pool_open(2);
    struct timespec before, after;
    (void)state;
    assert_rounds(pool, 3);
    rest(50000000); /* long after it fell asleep */
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    rest(200000000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    int64_t used = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
    assert_true(used < 20000000); /* a tenth of a core; looking on would use all of one. Seen: 0.1 ms */
    pool_close(pool);
}

static void nothing_is_closed(void **state)
{
    (void)state;
    pool_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_is_done_once),
        cmocka_unit_test(threads_that_slept_wake),
        cmocka_unit_test(a_long_task_is_waited_for),
        cmocka_unit_test(pools_stand_beside_each_other),
        cmocka_unit_test(fewer_threads_do_all),
        cmocka_unit_test(threads_have_bounds),
        cmocka_unit_test(an_idle_pool_uses_no_processor),
        cmocka_unit_test(nothing_is_closed),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
