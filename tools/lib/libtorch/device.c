/* SPDX-License-Identifier: Apache-2.0
 * Which device to work on. The driver is asked first: it says why there is no GPU without libtorch's backtraces.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "libtorch/dispatch.h"
#include "libtorch/libtorch.h"
#include "libtorch/self-test.h"

/* What of the driver's interface is called; the rest of it is libtorch's. */
struct driver {
    int (*initialise)(unsigned flags), (*count)(int *count), (*version)(int *version), (*name)(char *name, int size, int index);
};

enum { NO_GPU = 100 /* CUDA_ERROR_NO_DEVICE */, GPU_NAME_SIZE = 96 };

static char *no_driver(struct driver *driver)
{
    void *handle = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL); /* stays open: libtorch uses it next */
    if (!handle)
        return copy_string("NVIDIA's driver, libcuda.so.1, is not here");
    *(void **)&driver->initialise = dlsym(handle, "cuInit");
    *(void **)&driver->count = dlsym(handle, "cuDeviceGetCount");
    *(void **)&driver->version = dlsym(handle, "cuDriverGetVersion");
    *(void **)&driver->name = dlsym(handle, "cuDeviceGetName");
    if (!driver->initialise || !driver->count || !driver->version || !driver->name)
        return copy_string("libcuda.so.1 is not NVIDIA's driver");
    return NULL;
}

/* A driver serves the CUDA of its own major version and those before. Versions are 1000 * major + 10 * minor. */
static char *driver_too_old(const struct driver *driver)
{
    int (*needed_version)(int *), has = 0, needs = 0;
    *(void **)&needed_version = libtorch_symbol("cudaRuntimeGetVersion");
    if (!needed_version || needed_version(&needs) || driver->version(&has) || has / 1000 >= needs / 1000)
        return NULL;
    return format_string("NVIDIA's driver is too old: it is for CUDA %d.%d, this libtorch for %d.%d: install a newer one", has / 1000,
                         has % 1000 / 10, needs / 1000, needs % 1000 / 10);
}

static bool is_built_for_gpus(void)
{
    return libtorch_symbol("aoti_torch_get_current_cuda_stream");
}

/* Why libtorch can use no GPU, yours; or NULL: then there are *count of them, at least one. */
static char *no_gpu(struct driver *driver, int *count)
{
    char *reason = is_built_for_gpus() ? no_driver(driver) : copy_string("this libtorch is built for CPUs only");
    if (reason || (reason = driver_too_old(driver)))
        return reason;
    int refused = driver->initialise(0);
    if (refused && refused != NO_GPU)
        return format_string("NVIDIA's driver refuses to start (cuInit: %d)", refused);
    if (refused || driver->count(count) || *count == 0)
        return copy_string("no GPU is visible to NVIDIA's driver");
    return NULL;
}

static int use_cpu(struct device *device)
{
    *device = (struct device){DEVICE_CPU, 0};
    return 0;
}

static int use_gpu(const char *request, int64_t index, struct device *device)
{
    struct driver driver;
    int count = 0;
    char *reason = no_gpu(&driver, &count);
    if (reason)
        fail("cannot use device '%s': %s; use --device cpu", request, reason);
    else if (index >= count)
        fail("cannot use device '%s': there are %d GPUs, the first is cuda:0", request, count);
    free(reason);
    if (failed())
        return -1;
    *device = (struct device){DEVICE_CUDA, (int)index};
    return self_test(*device);
}

/* Says what was chosen and why, where there was something to choose or it was asked for. */
static int choose(bool asked, struct device *device)
{
    struct driver driver;
    char name[GPU_NAME_SIZE] = "a GPU";
    int count = 0;
    char *reason = no_gpu(&driver, &count);
    if (reason && (asked || is_built_for_gpus()))
        note("device auto: cpu (%s)", reason);
    if (reason) {
        free(reason);
        return use_cpu(device);
    }
    driver.name(name, sizeof name, 0);
    note("device auto: cuda:0 (%s)", name);
    *device = (struct device){DEVICE_CUDA, 0};
    return self_test(*device);
}

/* The number of a GPU that the request names. */
static int parse_device(const char *request, int64_t *index)
{
    *index = 0;
    if (!strcmp(request, "auto") || !strcmp(request, "cpu") || !strcmp(request, "cuda"))
        return 0;
    if (has_prefix(request, "cuda:") && parse_integer(request + 5, index) == 0 && *index >= 0)
        return 0;
    return misuse("'%s' is no device: say auto, cpu, cuda or cuda:N", request);
}

int device_check(const char *request_or_null)
{
    int64_t index;
    return request_or_null ? parse_device(request_or_null, &index) : 0;
}

int device_resolve(const char *request_or_null, struct device *device)
{
    const char *request = request_or_null ? request_or_null : "auto";
    int64_t index;
    if (parse_device(request, &index))
        return -1;
    if (!strcmp(request, "cpu"))
        return use_cpu(device);
    return strcmp(request, "auto") ? use_gpu(request, index, device) : choose(request_or_null != NULL, device);
}

const char *device_text(struct device device)
{
    static _Thread_local char text[24];
    snprintf(text, sizeof text, device.kind == DEVICE_CUDA ? "cuda:%d" : "cpu", device.index);
    return text;
}
