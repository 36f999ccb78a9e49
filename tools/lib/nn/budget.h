/* SPDX-License-Identifier: Apache-2.0
 * budget - how much of a device's memory a program may plan with, and the refusal where a plan does not fit.
 *
 * One for all programs with a model: --memory limits what they allocate for weights, caches and work; a GPU has what its
 * driver says is free once the program is at work there, less what kernels and the allocator's rounding take beside any plan.
 * A CPU's memory is limited by --memory only; what is sensible to take of it is what could be had without swapping.
 */
#ifndef LEITMOTIF_NN_BUDGET_H
#define LEITMOTIF_NN_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "libtorch/libtorch.h"
#include "nn/memory-plan.h"

struct budget {
    int64_t allowed;  /* bytes that a plan may have; INT64_MAX: no limit */
    int64_t sensible; /* the same for batches that are chosen and not asked for */
    int64_t there;    /* what the device would allow without --memory */
    struct device device;
    bool by_option;   /* --memory is the limit, not the device */
};

/* memory: of --memory, 0: none. The device must be open (device_open), or a CPU. */
int budget_open(struct budget *budget, struct device device, int64_t memory);

/* What a GPU's libraries, cuBLAS and cuDNN, take of libtorch's allocator for themselves, and what its pools have beyond what
 * was asked of them: for plans to add; 0 on a CPU. */
int64_t budget_workspaces(struct device device);

bool budget_holds(const struct budget *budget, const struct memory_plan *plan);

char *budget_limit(const struct budget *budget); /* "7.92 GB allowed", or another limit and whose it is; yours to free() */

/* Always -1: "WHAT needs 8.10 GB; 7.92 GB allowed; ADVICE", "...; 7.92 GB free on cuda:0 (NVIDIA ...); ADVICE", or on a CPU
 * where the program has set `allowed` itself "...; this machine has 7.92 GB; ADVICE". */
int budget_refuse(const struct budget *budget, const struct memory_plan *plan, const char *advice, const char *what, ...)
    __attribute__((format(printf, 4, 5)));

/* For the least plan there is: more --memory where that helps; on a GPU that is too full what a user can do about that.
 * smaller: what asks for less ("shorten the prompt"), or NULL. Yours to free(). */
char *budget_advice(const struct budget *budget, const struct memory_plan *plan, const char *smaller);

/* After a failure, always -1: puts before it what was needed and what to do, if it is that the device refused memory within the plan. */
int budget_refused(const struct budget *budget, const struct memory_plan *plan, const char *what, ...)
    __attribute__((format(printf, 3, 4)));

#endif
