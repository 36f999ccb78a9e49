/* SPDX-License-Identifier: Apache-2.0
 * libnvidia-ml.so.1: the driver's own number.
 */
#include <stdio.h>

#include "libtorch/cuda-prototypes.h"
#include "settings.h"

enum { UNINITIALISED = 1 };

#pragma GCC visibility push(default)
#define DECLARE(result, name, arguments) result name arguments;
CUDA_MANAGEMENT(DECLARE)
#undef DECLARE
#pragma GCC visibility pop

static int users;

int nvmlInit_v2(void)
{
    users++;
    return 0;
}

int nvmlShutdown(void) { return users-- > 0 ? 0 : UNINITIALISED; }

int nvmlSystemGetDriverVersion(char *version, unsigned size)
{
    snprintf(version, size, "%s", setting_text("FAKE_GPU_DRIVER", "580.65.06"));
    return users ? 0 : UNINITIALISED;
}
