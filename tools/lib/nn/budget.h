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
    int64_t sensible; /* the same for what is chosen and not asked for: batches, chunks */
    struct device device;
    bool by_option;   /* --memory is the limit, not the device */
};

/* memory: of --memory, 0: none. The device must be open (device_open), or a CPU. */
int budget_open(struct budget *budget, struct device device, int64_t memory);

bool budget_holds(const struct budget *budget, const struct memory_plan *plan);

/* Always -1: "WHAT needs 8.10 GB; 7.92 GB allowed; ADVICE", or "...; 7.92 GB free on cuda:0 (NVIDIA ...); ADVICE". */
int budget_refuse(const struct budget *budget, const struct memory_plan *plan, const char *advice, const char *what, ...)
    __attribute__((format(printf, 4, 5)));

#endif
