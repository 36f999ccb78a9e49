/* SPDX-License-Identifier: Apache-2.0
 * Scopes, making and looking. A scope is a mark in the thread's stack of live handles.
 */
#include "libtorch/tensor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "libtorch/dispatch.h"

static _Thread_local struct {
    struct tensor **items;
    size_t count, capacity;
} live;

void scope_open(struct scope *scope) { scope->start = live.count; }

void scope_close(struct scope *scope)
{
    assert(scope->start <= live.count);
    while (live.count > scope->start)
        torch.aoti_torch_delete_tensor_object(live.items[--live.count]);
    if (!live.count) { /* so that a thread that ends leaves nothing */
        free(live.items);
        memset(&live, 0, sizeof live);
    }
}

static void live_add(struct tensor *tensor)
{
    live.items = grow(live.items, live.count, &live.capacity, sizeof *live.items);
    live.items[live.count++] = tensor;
}

/* The place of a handle in [from, count), or count. */
static size_t live_find(const struct tensor *tensor, size_t from)
{
    for (size_t i = live.count; i > from; i--)
        if (live.items[i - 1] == tensor)
            return i - 1;
    return live.count;
}

struct tensor *scope_keep(struct scope *scope, struct tensor *tensor)
{
    size_t place = live_find(tensor, scope->start);
    if (!tensor || place == live.count) /* owned, or of an outer scope already */
        return tensor;
    memmove(live.items + scope->start + 1, live.items + scope->start, (place - scope->start) * sizeof *live.items);
    live.items[scope->start++] = tensor;
    return tensor;
}

struct tensor *tensor_own(struct tensor *tensor)
{
    size_t place = live_find(tensor, 0);
    if (tensor && place < live.count) {
        memmove(live.items + place, live.items + place + 1, (live.count - place - 1) * sizeof *live.items);
        live.count--;
    }
    return tensor;
}

void tensor_free(struct tensor *tensor)
{
    if (tensor)
        torch.aoti_torch_delete_tensor_object(tensor);
}

struct tensor *adopt(int32_t status, struct tensor **tensor, const char *what)
{
    if (status) {
        libtorch_failure(what);
        return NULL;
    }
    live_add(*tensor);
    return *tensor;
}

static const size_t type_sizes[] = {
    [TENSOR_F32] = 4, [TENSOR_F16] = 2, [TENSOR_BF16] = 2, [TENSOR_F64] = 8, [TENSOR_I8] = 1,
    [TENSOR_U8] = 1,  [TENSOR_I32] = 4, [TENSOR_I64] = 8,  [TENSOR_BOOL] = 1,
};

int32_t type_code(enum tensor_type type)
{
    switch (type) {
    case TENSOR_F32: return torch.aoti_torch_dtype_float32();
    case TENSOR_F16: return torch.aoti_torch_dtype_float16();
    case TENSOR_BF16: return torch.aoti_torch_dtype_bfloat16();
    case TENSOR_F64: return torch.aoti_torch_dtype_float64();
    case TENSOR_I8: return torch.aoti_torch_dtype_int8();
    case TENSOR_U8: return torch.aoti_torch_dtype_uint8();
    case TENSOR_I32: return torch.aoti_torch_dtype_int32();
    case TENSOR_I64: return torch.aoti_torch_dtype_int64();
    case TENSOR_BOOL: return torch.aoti_torch_dtype_bool();
    }
    return -1;
}

int32_t device_code(struct device device)
{
    return device.kind == DEVICE_CUDA ? torch.aoti_torch_device_type_cuda() : torch.aoti_torch_device_type_cpu();
}

int32_t device_slot(struct device device) { return device.kind == DEVICE_CUDA ? device.index : -1; }

static const struct device CPU = {DEVICE_CPU, 0};

static void contiguous_strides(int rank, const int64_t *shape, int64_t *strides)
{
    assert(rank <= MAX_RANK);
    int64_t stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= shape[i] > 1 ? shape[i] : 1;
    }
}

struct tensor *tensor_new(struct device device, enum tensor_type type, int rank, const int64_t *shape)
{
    struct tensor *result = NULL;
    int64_t strides[MAX_RANK];
    if (!libtorch_ready())
        return NULL;
    contiguous_strides(rank, shape, strides);
    int32_t status = torch.aoti_torch_empty_strided(rank, shape, strides, type_code(type), device_code(device), device_slot(device), &result);
    return adopt(status, &result, "empty_strided");
}

struct tensor *tensor_zeros(struct device device, enum tensor_type type, int rank, const int64_t *shape)
{
    struct tensor *result = tensor_new(device, type, rank, shape);
    if (result && torch.aoti_torch_zero_(result))
        libtorch_failure("zero_");
    return failed() ? NULL : result;
}

struct tensor *tensor_wrap(void *data, enum tensor_type type, int rank, const int64_t *shape)
{
    struct tensor *result = NULL;
    int64_t strides[MAX_RANK];
    if (!libtorch_ready())
        return NULL;
    assert((uintptr_t)data % type_sizes[type] == 0);
    contiguous_strides(rank, shape, strides);
    int32_t status = torch.aoti_torch_create_tensor_from_blob_v2(data, rank, shape, strides, 0, type_code(type), device_code(CPU),
                                                                 device_slot(CPU), &result, torch.aoti_torch_layout_strided(), NULL, 0);
    return adopt(status, &result, "from_blob");
}

struct tensor *tensor_pinned(struct device device, enum tensor_type type, int rank, const int64_t *shape)
{
    struct tensor *result = NULL;
    int64_t strides[MAX_RANK];
    if (device.kind == DEVICE_CPU)
        return tensor_zeros(CPU, type, rank, shape);
    if (!libtorch_ready())
        return NULL;
    contiguous_strides(rank, shape, strides);
    int32_t status = torch.aoti_torch_empty_strided_pinned(rank, shape, strides, type_code(type), device_code(CPU), device_slot(CPU), &result);
    adopt(status, &result, "empty_strided_pinned");
    if (!failed())
        memset(tensor_data(result), 0, (size_t)tensor_elements(result) * type_sizes[type]);
    return failed() ? NULL : result;
}

struct tensor *tensor_from(struct device device, enum tensor_type type, int rank, const int64_t *shape, const void *data)
{
    struct scope scope;
    scope_open(&scope);
    struct tensor *host = tensor_new(CPU, type, rank, shape);
    if (host && tensor_elements(host))
        memcpy(tensor_data(host), data, (size_t)tensor_elements(host) * type_sizes[type]);
    struct tensor *result = scope_keep(&scope, device.kind == DEVICE_CPU ? host : tensor_to(host, device, type));
    scope_close(&scope);
    return result;
}

struct tensor *tensor_scalar(float value)
{
    struct tensor *result = NULL;
    if (!libtorch_ready())
        return NULL;
    return adopt(torch.aoti_torch_scalar_to_tensor_float32(value, &result), &result, "scalar_to_tensor");
}

/* Looking cannot fail but for a NULL operand after a failure, which looks like an empty tensor. */

int tensor_rank(const struct tensor *tensor)
{
    int64_t rank = 0;
    assert(tensor || failed());
    if (tensor)
        torch.aoti_torch_get_dim(tensor, &rank);
    return (int)rank;
}

int64_t tensor_size(const struct tensor *tensor, int dimension)
{
    const int64_t *sizes = NULL;
    int rank = tensor_rank(tensor);
    if (!tensor)
        return 0;
    assert(dimension >= -rank && dimension < rank);
    torch.aoti_torch_get_sizes(tensor, &sizes);
    return sizes[dimension < 0 ? dimension + rank : dimension];
}

int64_t tensor_elements(const struct tensor *tensor)
{
    int64_t count = 0;
    assert(tensor || failed());
    if (tensor)
        torch.aoti_torch_get_numel(tensor, &count);
    return count;
}

enum tensor_type tensor_type_of(const struct tensor *tensor)
{
    int32_t code = 0;
    assert(tensor || failed());
    if (tensor)
        torch.aoti_torch_get_dtype(tensor, &code);
    for (enum tensor_type type = TENSOR_F32; tensor && type <= TENSOR_BOOL; type++)
        if (type_code(type) == code)
            return type;
    assert(!tensor);
    return TENSOR_F32;
}

struct device tensor_device(const struct tensor *tensor)
{
    struct device device = CPU;
    int32_t kind = 0, index = 0;
    assert(tensor || failed());
    if (!tensor)
        return device;
    torch.aoti_torch_get_device_type(tensor, &kind);
    torch.aoti_torch_get_device_index(tensor, &index);
    if (kind == torch.aoti_torch_device_type_cuda())
        device = (struct device){DEVICE_CUDA, index};
    return device;
}

static bool is_contiguous(const struct tensor *tensor)
{
    bool answer = false;
    torch.aoti_torch_is_contiguous(tensor, &answer);
    return answer;
}

void *tensor_data(struct tensor *tensor)
{
    void *data = NULL;
    assert(tensor || failed());
    if (!tensor)
        return NULL;
    assert(tensor_device(tensor).kind == DEVICE_CPU && is_contiguous(tensor));
    torch.aoti_torch_get_data_ptr(tensor, &data);
    return data;
}

int tensor_read(struct tensor *tensor, void *data, size_t bytes)
{
    struct scope scope;
    if (failed())
        return -1;
    assert(tensor && bytes == (size_t)tensor_elements(tensor) * type_sizes[tensor_type_of(tensor)]);
    scope_open(&scope);
    struct tensor *host = tensor_contiguous(tensor_to(tensor, CPU, tensor_type_of(tensor)));
    if (host && bytes)
        memcpy(data, tensor_data(host), bytes);
    scope_close(&scope);
    return failed() ? -1 : 0;
}
