/* SPDX-License-Identifier: Apache-2.0
 * libcuda.so.1: what of NVIDIA's driver the programs ask before libtorch does.
 */
#include <stdio.h>

#include "libtorch/cuda-prototypes.h"
#include "settings.h"

enum { INVALID_VALUE = 1, NOT_INITIALISED = 3, INVALID_DEVICE = 101 };

#pragma GCC visibility push(default)
#define DECLARE(result, name, arguments) result name arguments;
CUDA_DRIVER(DECLARE)
#undef DECLARE
#pragma GCC visibility pop

static bool started;

int cuInit(unsigned flags)
{
    int refused = flags ? INVALID_VALUE : setting_count("FAKE_GPU_INIT", 0);
    started = !refused;
    return refused;
}

int cuDriverGetVersion(int *version)
{
    *version = setting_count("FAKE_GPU_CUDA", 13000);
    return 0;
}

int cuDeviceGetCount(int *count)
{
    *count = gpu_count();
    return started ? 0 : NOT_INITIALISED;
}

int cuDeviceGet(int *device, int index)
{
    *device = index;
    return !started ? NOT_INITIALISED : index < 0 || index >= gpu_count() ? INVALID_DEVICE : 0;
}

int cuDeviceGetName(char *name, int size, int device)
{
    if (!started || device < 0 || device >= gpu_count())
        return started ? INVALID_DEVICE : NOT_INITIALISED;
    snprintf(name, (size_t)size, "%s", setting_text("FAKE_GPU_NAME", "Fake GPU"));
    return 0;
}

int cuDeviceTotalMem_v2(size_t *bytes, int device)
{
    *bytes = gpu_memory();
    return !started ? NOT_INITIALISED : device < 0 || device >= gpu_count() ? INVALID_DEVICE : 0;
}
