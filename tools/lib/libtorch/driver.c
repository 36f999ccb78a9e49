/* SPDX-License-Identifier: Apache-2.0 */
#include "libtorch/driver.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "libtorch/cuda-prototypes.h"

enum { NO_GPU = 100 /* CUDA_ERROR_NO_DEVICE */, NAME_SIZE = 96, NUMBER_SIZE = 80 };

#define MEMBER(result, name, arguments) result(*name) arguments;
static struct { CUDA_DRIVER(MEMBER) } functions;
struct management { CUDA_MANAGEMENT(MEMBER) };
#undef MEMBER

#define RESOLVE(result, name, arguments)                                \
    *(void **)&table->name = dlsym(library, #name);                     \
    all = all && table->name;

/* Stays open: libtorch uses it next. */
static bool resolve_driver(void *library)
{
    __typeof__(functions) *table = &functions;
    bool all = true;
    CUDA_DRIVER(RESOLVE)
    return all;
}

static bool resolve_management(void *library, struct management *table)
{
    bool all = true;
    CUDA_MANAGEMENT(RESOLVE)
    return all;
}
#undef RESOLVE

char *driver_open(struct driver *driver)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    *driver = (struct driver){.absent = !library};
    if (!library)
        return copy_string("no NVIDIA driver is here");
    if (!resolve_driver(library))
        return copy_string("libcuda.so.1 is not NVIDIA's driver");
    int refused = functions.cuInit(0);
    if (refused && refused != NO_GPU)
        return format_string("NVIDIA's driver refuses to start (cuInit: %d)", refused);
    if (refused || functions.cuDeviceGetCount(&driver->count) || driver->count == 0)
        return copy_string("no GPU is visible to NVIDIA's driver");
    if (functions.cuDriverGetVersion(&driver->cuda))
        return copy_string("NVIDIA's driver does not say its version");
    return NULL;
}

char *driver_number(void)
{
    char number[NUMBER_SIZE] = "";
    struct management management;
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library && resolve_management(library, &management) && management.nvmlInit_v2() == 0) {
        if (management.nvmlSystemGetDriverVersion(number, sizeof number))
            *number = 0;
        management.nvmlShutdown();
    }
    if (library)
        dlclose(library);
    return *number ? copy_string(number) : NULL;
}

char *driver_gpu_name(int index)
{
    char name[NAME_SIZE] = "";
    int device;
    if (functions.cuDeviceGet && functions.cuDeviceGet(&device, index) == 0 && functions.cuDeviceGetName(name, sizeof name, device))
        *name = 0;
    return copy_string(*name ? name : "a GPU");
}

int64_t driver_gpu_memory(int index)
{
    size_t bytes = 0;
    int device;
    if (functions.cuDeviceGet && functions.cuDeviceGet(&device, index) == 0 && functions.cuDeviceTotalMem_v2(&bytes, device))
        bytes = 0;
    return (int64_t)bytes;
}
