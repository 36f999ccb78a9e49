/* SPDX-License-Identifier: Apache-2.0 */
#include "waits.h"

#include "base/clock.h"
#include "base/failure.h"
#include "libtorch/tensor.h"

static double waited;

double waits_seconds(void) { return waited; }

int __real_device_wait(struct device device);
int __wrap_device_wait(struct device device);
int __real_tensor_read(struct tensor *tensor, void *data, size_t bytes);
int __wrap_tensor_read(struct tensor *tensor, void *data, size_t bytes);
int __real_tensor_copy(struct tensor *into, struct tensor *from);
int __wrap_tensor_copy(struct tensor *into, struct tensor *from);

int __wrap_device_wait(struct device device)
{
    double start = clock_seconds();
    int result = __real_device_wait(device);
    waited += clock_seconds() - start;
    return result;
}

int __wrap_tensor_read(struct tensor *tensor, void *data, size_t bytes)
{
    double start = clock_seconds();
    int result = __real_tensor_read(tensor, data, bytes);
    waited += clock_seconds() - start;
    return result;
}

/* Only a copy to the host waits. */
int __wrap_tensor_copy(struct tensor *into, struct tensor *from)
{
    bool waits = !failed() && tensor_device(into).kind == DEVICE_CPU && tensor_device(from).kind != DEVICE_CPU;
    double start = clock_seconds();
    int result = __real_tensor_copy(into, from);
    waited += waits ? clock_seconds() - start : 0;
    return result;
}
