/* SPDX-License-Identifier: Apache-2.0
 * Which device to work on, and its memory. The driver is asked first: it says why there is no GPU without libtorch's backtraces.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/machine.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "libtorch/cuda.h"
#include "libtorch/dispatch.h"
#include "libtorch/driver.h"
#include "libtorch/finder.h"
#include "libtorch/libtorch.h"
#include "libtorch/self-test.h"

enum { TEXT_SIZE = 24 };

/* requests */

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

/* before libtorch is loaded */

static const char *const SETTINGS_OF_ALLOCATOR[] = {"PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"}; /* libtorch looks in this order */

/* Adds to what the user has set, which comes first. */
static void set_allocator(const char *setting)
{
    const char *name = SETTINGS_OF_ALLOCATOR[1], *given = NULL;
    for (size_t i = 0; i < COUNT_OF(SETTINGS_OF_ALLOCATOR) && !given; i++) {
        name = SETTINGS_OF_ALLOCATOR[i];
        given = getenv(name);
    }
    char *all = given && *given ? format_string("%s,%s", given, setting) : copy_string(setting);
    setenv(name, all, 1);
    free(all);
}

static bool allocator_knows(const char *setting)
{
    for (size_t i = 0; i < COUNT_OF(SETTINGS_OF_ALLOCATOR); i++) {
        const char *given = getenv(SETTINGS_OF_ALLOCATOR[i]);
        if (given && strstr(given, setting))
            return true;
    }
    return false;
}

/* Trying a GPU out takes a library's workspace. No plan is smaller than this, so that less --memory is the plan's to refuse. */
#define LEAST_LIMIT ((int64_t)64 << 20)

/* Segments that grow leave no gaps, so that what was planned is what is taken; and no more than memory is. */
static void configure_allocator(int64_t index, int64_t memory)
{
    int64_t total = driver_gpu_memory((int)index), most = memory > LEAST_LIMIT ? memory : LEAST_LIMIT;
    if (!allocator_knows("expandable_segments"))
        set_allocator("expandable_segments:True");
    if (memory == 0 || most >= total || allocator_knows("per_process_memory_fraction"))
        return;
    char *limit = format_string("per_process_memory_fraction:%.9f", (double)most / (double)total);
    set_allocator(limit);
    free(limit);
}

static void configure(const char *request, int64_t memory)
{
    struct driver driver;
    int64_t index;
    if (!strcmp(request, "cpu") || parse_device(request, &index))
        return;
    char *reason = driver_open(&driver);
    if (!reason && index < driver.count) {
        configure_allocator(index, memory);
        setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0); /* of one size on every GPU, and with the same results every time */
    }
    free(reason);
}

/* choosing */

/* A driver serves the CUDA of its own major version and those before. */
static char *driver_too_old(const struct driver *driver)
{
    int needed = 0;
    if (cuda.cudaRuntimeGetVersion(&needed) || driver->cuda / 1000 >= needed / 1000)
        return NULL;
    char *number = driver_number();
    char *reason = format_string("NVIDIA's driver%s%s is too old for this libtorch: it serves CUDA %d.%d, and %d.%d is needed: install a newer one",
                                 number ? " " : "", number ? number : "", driver->cuda / 1000, driver->cuda % 1000 / 10, needed / 1000,
                                 needed % 1000 / 10);
    free(number);
    return reason;
}

static bool in_container(void)
{
    return file_exists("/.dockerenv") || file_exists("/run/.containerenv");
}

/* Why libtorch can use no GPU, yours; or NULL: then there is at least one. */
static char *no_gpu(struct driver *driver)
{
    const char *missing = cuda_resolve();
    char *reason = driver_open(driver);
    if (missing) {
        bool none = !cuda.aoti_torch_get_current_cuda_stream, idle = !reason;
        free(reason);
        return none ? copy_string(idle ? NO_CUDA_FOR_GPU : NO_CUDA_IN_LIBTORCH) : format_string("libtorch %s lacks '%s'", libtorch_version(), missing);
    }
    if (driver->absent && in_container()) {
        free(reason);
        return copy_string("no NVIDIA driver is here: start the container with --gpus all");
    }
    return reason ? reason : driver_too_old(driver);
}

/* A libtorch has kernels for some generations of GPUs; what it says of another is for programmers. */
static int no_kernels(struct device device)
{
    failure_clear();
    return fail("libtorch %s has no kernels for %s, which is too old or too new for it: install another build",
                libtorch_version(), device_name(device));
}

static int use_gpu(struct device *device)
{
    if (cuda_begin(device->index) == 0 && self_test(*device) == 0)
        return 0;
    return strstr(failure_text(), "no kernel image") ? no_kernels(*device) : -1;
}

/* Always -1: the failure of a GPU that was asked for, with what to do about it. */
static int refuse(const char *request, const char *reason)
{
    char *text = copy_string(reason);
    failure_clear();
    fail("cannot use device '%s': %s; use --device cpu", request, text);
    free(text);
    return -1;
}

static int use_requested(const char *request, int64_t index, struct device *device)
{
    struct driver driver = {0};
    char *reason = no_gpu(&driver);
    *device = (struct device){DEVICE_CUDA, (int)index};
    if (reason)
        refuse(request, reason);
    else if (index >= driver.count)
        fail("cannot use device '%s': there %s %d GPU%s, the first is cuda:0", request, driver.count == 1 ? "is" : "are", driver.count,
             driver.count == 1 ? "" : "s");
    free(reason);
    return failed() ? -1 : use_gpu(device) ? refuse(request, failure_text()) : 0;
}

/* Takes the first GPU if it works. Says what was chosen and why, where there was something to choose or it was asked for. */
static int choose(bool asked, struct device *device)
{
    struct driver driver;
    char *reason = no_gpu(&driver);
    bool choice = asked || cuda.aoti_torch_get_current_cuda_stream || driver.count > 0;
    *device = (struct device){DEVICE_CUDA, 0};
    if (!reason && use_gpu(device)) {
        reason = copy_string(failure_text());
        failure_clear();
    }
    if (reason) {
        *device = (struct device){DEVICE_CPU, 0};
        if (choice)
            note("device auto: cpu (%s)", reason);
    } else {
        note("device auto: cuda:0 (%s)", device_name(*device));
    }
    free(reason);
    return 0;
}

int device_resolve(const char *request_or_null, struct device *device)
{
    const char *request = request_or_null ? request_or_null : "auto";
    int64_t index;
    *device = (struct device){DEVICE_CPU, 0};
    if (parse_device(request, &index))
        return -1;
    if (!strcmp(request, "cpu"))
        return 0;
    return strcmp(request, "auto") ? use_requested(request, index, device) : choose(request_or_null != NULL, device);
}

int device_open(const char *request_or_null, int threads, int64_t memory, struct device *device)
{
    if (device_check(request_or_null))
        return -1;
    configure(request_or_null ? request_or_null : "auto", memory);
    return libtorch_open(threads) || device_resolve(request_or_null, device) ? -1 : 0;
}

/* an open device */

const char *device_text(struct device device)
{
    static _Thread_local char text[TEXT_SIZE];
    snprintf(text, sizeof text, device.kind == DEVICE_CUDA ? "cuda:%d" : "cpu", device.index);
    return text;
}

const char *device_name(struct device device)
{
    static _Thread_local char text[96];
    char *name = device.kind == DEVICE_CUDA ? driver_gpu_name(device.index) : copy_string("CPU");
    snprintf(text, sizeof text, "%s", name);
    free(name);
    return text;
}

int device_wait(struct device device)
{
    if (device.kind == DEVICE_CPU)
        return 0;
    return cuda.torch_cuda_stream_synchronize(cuda_stream(device.index), device.index) ? libtorch_failure("the work on the GPU") : 0;
}

int device_memory(struct device device, struct device_memory *memory)
{
    size_t bytes = 0, total = 0;
    if (device.kind == DEVICE_CPU) {
        *memory = (struct device_memory){(int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), memory_available()};
        return 0;
    }
    int error = cuda.cudaMemGetInfo(&bytes, &total);
    if (error)
        return cuda_failure(error, device.index, "ask for the free memory");
    *memory = (struct device_memory){(int64_t)total, (int64_t)bytes};
    return 0;
}
