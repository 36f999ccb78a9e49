/* SPDX-License-Identifier: Apache-2.0
 * device - what a test computes on: $TEST_DEVICE, as --device has it; a CPU without it. tests/gpu/parity.sh sets it.
 */
#ifndef LEITMOTIF_TESTS_DEVICE_H
#define LEITMOTIF_TESTS_DEVICE_H

#include <stdlib.h>

#include "libtorch/libtorch.h"

static inline const char *device_of_test(void)
{
    const char *request = getenv("TEST_DEVICE");
    return request && *request ? request : "cpu";
}

/* Opens libtorch, too. */
static inline int device_of_test_open(struct device *device) { return device_open(device_of_test(), 2, 0, device); }

#endif
