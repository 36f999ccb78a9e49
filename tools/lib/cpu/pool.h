/* SPDX-License-Identifier: Apache-2.0
 * pool - threads that share out the tasks of one piece of work after another.
 *
 * A model's step is hundreds of pieces of some ten to hundred microseconds. So threads wait for the next piece by looking
 * for a short while, then sleep: an idle machine hands over in well under a microsecond, a shared one is not kept busy by
 * waiting. Tasks are claimed one by one, so that a thread which lost its core delays no more than the task it holds.
 */
#ifndef LEITMOTIF_CPU_POOL_H
#define LEITMOTIF_CPU_POOL_H

enum { MOST_THREADS = 256, MOST_TASKS = 1 << 20 };

struct pool;

/* work(context, task, thread) is called once for each task; thread: 0 .. threads - 1, for scratch memory of its own. */
typedef void pool_work(void *context, int task, int thread);

/* threads: the caller's own is one of them. Where threads cannot be started, there are fewer. */
struct pool *pool_open(int threads);
void pool_close(struct pool *pool); /* NULL is fine */
int pool_threads(const struct pool *pool);

/* Returns when every task is done; what they wrote is then visible to the caller. tasks: 0 .. MOST_TASKS - 1. */
void pool_run(struct pool *pool, int tasks, pool_work *work, void *context);

#endif
