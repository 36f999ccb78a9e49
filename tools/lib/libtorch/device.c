/* SPDX-License-Identifier: Apache-2.0
 * Which device to work on. The driver is asked first: it says why there is no GPU without libtorch's backtraces.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base/failure.h"
#include "base/text.h"
#include "libtorch/dispatch.h"
#include "libtorch/libtorch.h"
#include "libtorch/self-test.h"

/* The number of GPUs that libtorch can use; 0 with *reason set. */
static int gpu_count(const char **reason)
{
    int (*initialise)(unsigned), (*count)(int *);
    int devices = 0;
    void *driver;
    *reason = "no GPU is visible to NVIDIA's driver";
    if (!libtorch_has("aoti_torch_get_current_cuda_stream")) {
        *reason = "this libtorch is built for CPUs only";
        return 0;
    }
    driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL); /* stays open: libtorch uses it next */
    if (!driver) {
        *reason = "NVIDIA's driver (libcuda.so.1) is not here";
        return 0;
    }
    *(void **)&initialise = dlsym(driver, "cuInit");
    *(void **)&count = dlsym(driver, "cuDeviceGetCount");
    return initialise && count && !initialise(0) && !count(&devices) ? devices : 0;
}

static int use_cpu(struct device *device)
{
    *device = (struct device){DEVICE_CPU, 0};
    return 0;
}

static int use_gpu(const char *request, int64_t index, struct device *device)
{
    const char *reason;
    int count = gpu_count(&reason);
    if (!count)
        return fail("cannot use device '%s': %s; use --device cpu", request, reason);
    if (index >= count)
        return fail("cannot use device '%s': there are %d GPUs, the first is cuda:0", request, count);
    *device = (struct device){DEVICE_CUDA, (int)index};
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

int device_resolve(const char *request, struct device *device)
{
    const char *reason;
    int64_t index;
    if (parse_device(request, &index))
        return -1;
    if (!strcmp(request, "cpu") || (!strcmp(request, "auto") && !gpu_count(&reason)))
        return use_cpu(device);
    return use_gpu(request, index, device);
}

const char *device_text(struct device device)
{
    static _Thread_local char text[24];
    snprintf(text, sizeof text, device.kind == DEVICE_CUDA ? "cuda:%d" : "cpu", device.index);
    return text;
}
