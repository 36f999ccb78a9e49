/* SPDX-License-Identifier: Apache-2.0
 * machine - what this machine, or the container around the program, leaves to it.
 */
#ifndef LEITMOTIF_BASE_MACHINE_H
#define LEITMOTIF_BASE_MACHINE_H

#include <stdint.h>

/* Bytes that could be allocated without swapping: the system's estimate, or what the control group's limit leaves where that
 * is less. 0: unknown. */
int64_t memory_available(void);

/* Processors that this process may use at once: those that it may run on, or as much time as its control group's limit
 * leaves, rounded up. At least 1. */
int processors_available(void);

#endif
