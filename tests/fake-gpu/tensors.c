/* SPDX-License-Identifier: Apache-2.0
 * Making, looking at and freeing tensors, and the shims that are operations of their own.
 */
#include <string.h>

#include "fake.h"
#include "settings.h"

enum { CUDA = 1, CPU = 0 };

/* A failure of the real library's own is told by it. */
static int32_t adopted(int32_t status, struct tensor **tensor, int gpu)
{
    if (!status)
        status = storage_adopt(*tensor, gpu, NULL, 0);
    return status;
}

static int32_t make_on_gpu(int64_t rank, const int64_t *sizes, const int64_t *strides, int32_t type, int32_t index, struct tensor **result)
{
    if (index >= gpu_count())
        return refuse("CUDA error: invalid device ordinal");
    if (violated())
        return refuse("CUDA error: an illegal memory access was encountered (fake-gpu: violation)");
    memory_begin();
    int32_t status = real.aoti_torch_empty_strided(rank, sizes, strides, type, CPU, -1, result);
    status = adopted(status, result, index < 0 ? 0 : index);
    if (!status)
        storage_poison(storage_of(*result)); /* a GPU's memory holds anything at first */
    return status;
}

int32_t aoti_torch_empty_strided(int64_t rank, const int64_t *sizes, const int64_t *strides, int32_t type, int32_t device, int32_t index,
                                 struct tensor **result)
{
    if (!enter())
        return real.aoti_torch_empty_strided(rank, sizes, strides, type, device, index, result);
    int32_t status;
    if (device == CUDA)
        status = make_on_gpu(rank, sizes, strides, type, index, result);
    else
        status = adopted(real.aoti_torch_empty_strided(rank, sizes, strides, type, device, index, result), result, HOST);
    leave();
    return status;
}

int32_t aoti_torch_empty_strided_pinned(int64_t rank, const int64_t *sizes, const int64_t *strides, int32_t type, int32_t device,
                                        int32_t index, struct tensor **result)
{
    if (!enter())
        return real.aoti_torch_empty_strided_pinned(rank, sizes, strides, type, device, index, result);
    int32_t status = device != CPU ? refuse("Only dense CPU tensors can be pinned")
                                   : adopted(real.aoti_torch_empty_strided(rank, sizes, strides, type, CPU, index, result), result, HOST);
    memory_begin();
    if (!status)
        storage_of(*result)->pinned = true;
    leave();
    return status;
}

int32_t aoti_torch_create_tensor_from_blob_v2(void *data, int64_t rank, const int64_t *sizes, const int64_t *strides, int64_t offset,
                                              int32_t type, int32_t device, int32_t index, struct tensor **result, int32_t layout,
                                              const uint8_t *metadata, int64_t metadata_size)
{
    if (!enter())
        return real.aoti_torch_create_tensor_from_blob_v2(data, rank, sizes, strides, offset, type, device, index, result, layout, metadata,
                                                          metadata_size);
    int32_t status;
    if (device == CUDA && queue_is_captured())
        status = capture_refuse("from_blob");
    else if (device == CUDA)
        status = refuse("The specified pointer resides on host memory and is not registered with any CUDA device.");
    else
        status = adopted(real.aoti_torch_create_tensor_from_blob_v2(data, rank, sizes, strides, offset, type, device, index, result, layout,
                                                                    metadata, metadata_size),
                         result, HOST);
    leave();
    return status;
}

int32_t aoti_torch_scalar_to_tensor_float32(float value, struct tensor **result)
{
    if (!enter())
        return real.aoti_torch_scalar_to_tensor_float32(value, result);
    int32_t status = adopted(real.aoti_torch_scalar_to_tensor_float32(value, result), result, HOST);
    leave();
    return status;
}

static int32_t new_handle(struct tensor *tensor, struct tensor **result)
{
    int32_t status = real.aoti_torch_new_tensor_handle(tensor, result);
    if (!status)
        storage_add_handle(*result, storage_of(tensor));
    return status;
}

int32_t aoti_torch_new_tensor_handle(struct tensor *tensor, struct tensor **result)
{
    if (!enter())
        return real.aoti_torch_new_tensor_handle(tensor, result);
    int32_t status = new_handle(tensor, result);
    leave();
    return status;
}

int32_t aoti_torch__reinterpret_tensor(struct tensor *tensor, int64_t rank, const int64_t *sizes, const int64_t *strides, int64_t offset,
                                       struct tensor **result)
{
    if (!enter())
        return real.aoti_torch__reinterpret_tensor(tensor, rank, sizes, strides, offset, result);
    int32_t status = real.aoti_torch__reinterpret_tensor(tensor, rank, sizes, strides, offset, result);
    if (!status)
        storage_add_handle(*result, storage_of(tensor));
    leave();
    return status;
}

static int32_t delete_handle(struct tensor *tensor)
{
    storage_release(storage_disown(tensor));
    return real.aoti_torch_delete_tensor_object(tensor);
}

int32_t aoti_torch_delete_tensor_object(struct tensor *tensor)
{
    if (!enter())
        return real.aoti_torch_delete_tensor_object(tensor);
    int32_t status = delete_handle(tensor);
    leave();
    return status;
}

/* looking */

static int gpu_of(const struct tensor *tensor)
{
    if (!enter())
        return HOST;
    struct storage *storage = storage_of(tensor);
    int gpu = storage ? storage->gpu : HOST;
    leave();
    return gpu;
}

int32_t aoti_torch_get_device_type(const struct tensor *tensor, int32_t *type)
{
    if (gpu_of(tensor) == HOST)
        return real.aoti_torch_get_device_type(tensor, type);
    *type = CUDA;
    return 0;
}

int32_t aoti_torch_get_device_index(const struct tensor *tensor, int32_t *index)
{
    int gpu = gpu_of(tensor);
    if (gpu == HOST)
        return real.aoti_torch_get_device_index(tensor, index);
    *index = gpu;
    return 0;
}

int32_t aoti_torch_get_data_ptr(const struct tensor *tensor, void **data)
{
    if (gpu_of(tensor) == HOST)
        return real.aoti_torch_get_data_ptr(tensor, data);
    violate("the host asks for the address of a tensor on the GPU");
    return refuse("CUDA error: an illegal memory access was encountered (fake-gpu: violation)");
}

/* operations */

/* Calls with references of its own to a and b; a result that nobody wants goes away. */
static int32_t direct(const char *name, struct tensor *a, struct tensor *b_or_null, stack_value third, struct tensor **result_or_null)
{
    stack_value stack[STACK_SLOTS] = {0};
    struct tensor *reference = NULL;
    int32_t status = new_handle(a, &reference);
    stack[0] = (uintptr_t)reference;
    if (!status && b_or_null)
        status = new_handle(b_or_null, &reference);
    if (status)
        return status;
    if (b_or_null) {
        stack[1] = (uintptr_t)reference;
        stack[2] = third;
    }
    status = perform(name, "", stack, 0);
    if (!status && result_or_null)
        *result_or_null = (struct tensor *)(uintptr_t)stack[0];
    else if (!status)
        delete_handle((struct tensor *)(uintptr_t)stack[0]);
    return status;
}

int32_t aoti_torch_zero_(struct tensor *tensor)
{
    if (!enter())
        return real.aoti_torch_zero_(tensor);
    int32_t status = direct("aten::zero_", tensor, NULL, 0, NULL);
    leave();
    return status;
}

int32_t aoti_torch_aten_subtract_Tensor(struct tensor *a, struct tensor *b, double factor, struct tensor **result)
{
    if (!enter())
        return real.aoti_torch_aten_subtract_Tensor(a, b, factor, result);
    stack_value bits;
    memcpy(&bits, &factor, sizeof bits);
    int32_t status = direct("direct::subtract", a, b, bits, result);
    leave();
    return status;
}

int32_t aoti_torch_copy_(struct tensor *into, struct tensor *from, int32_t non_blocking)
{
    if (!enter())
        return real.aoti_torch_copy_(into, from, non_blocking);
    struct storage *a = storage_of(into), *b = storage_of(from);
    const bool crosses = a && b && (a->gpu == HOST) != (b->gpu == HOST);
    int32_t status = crosses ? transfer(into, from, non_blocking) : direct("aten::copy_", into, from, non_blocking != 0, NULL);
    leave();
    return status;
}
