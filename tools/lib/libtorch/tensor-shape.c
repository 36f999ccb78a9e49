/* SPDX-License-Identifier: Apache-2.0
 * Moving and shaping. Views are made by reinterpreting strides: a seventh of the time of view, narrow or transpose.
 */
#include <assert.h>
#include <string.h>

#include "base/failure.h"
#include "libtorch/dispatch.h"

/* The sizes and strides of a view in the making. */
struct layout {
    int rank;
    int64_t sizes[MAX_RANK], strides[MAX_RANK];
};

static int dimension_of(int dimension, int rank)
{
    assert(dimension >= -rank && dimension < rank);
    return dimension < 0 ? dimension + rank : dimension;
}

static struct layout layout_of(const struct tensor *tensor)
{
    struct layout layout = {.rank = tensor_rank(tensor)};
    const int64_t *sizes = NULL, *strides = NULL;
    assert(layout.rank <= MAX_RANK);
    torch.aoti_torch_get_sizes(tensor, &sizes);
    torch.aoti_torch_get_strides(tensor, &strides);
    memcpy(layout.sizes, sizes, (size_t)layout.rank * sizeof *sizes);
    memcpy(layout.strides, strides, (size_t)layout.rank * sizeof *strides);
    return layout;
}

static struct tensor *reinterpret(struct tensor *x, const struct layout *layout, int64_t offset)
{
    struct tensor *result = NULL;
    int32_t status = torch.aoti_torch__reinterpret_tensor(x, layout->rank, layout->sizes, layout->strides, offset, &result);
    return adopt(status, &result, "reinterpret_tensor");
}

/* May x be used? Not after a failure; and without one it must be there. */
static bool usable(const struct tensor *x)
{
    bool ready = libtorch_ready();
    assert(x || !ready);
    return ready;
}

struct tensor *tensor_to(struct tensor *x, struct device device, enum tensor_type type)
{
    return operation("aten::to", "device",
                     ARGUMENTS(of_tensor(x), of_device(device), of_integer(type_code(type)), of_flag(false), of_flag(false), none()));
}

struct tensor *tensor_cast(struct tensor *x, enum tensor_type type)
{
    return operation("aten::to", "dtype", ARGUMENTS(of_tensor(x), of_integer(type_code(type)), of_flag(false), of_flag(false), none()));
}

static int64_t product(const struct layout *layout, int *unknown)
{
    int64_t known = 1;
    *unknown = -1;
    for (int i = 0; i < layout->rank; i++) {
        if (layout->sizes[i] != -1) {
            known *= layout->sizes[i];
        } else {
            assert(*unknown < 0);
            *unknown = i;
        }
    }
    return known;
}

struct tensor *tensor_view(struct tensor *x, int rank, const int64_t *shape)
{
    bool contiguous = false;
    struct layout layout = {.rank = rank};
    int unknown;
    if (!usable(x))
        return NULL;
    assert(rank <= MAX_RANK);
    torch.aoti_torch_is_contiguous(x, &contiguous);
    assert(contiguous);
    memcpy(layout.sizes, shape, (size_t)rank * sizeof *shape);
    int64_t known = product(&layout, &unknown);
    if (unknown >= 0)
        layout.sizes[unknown] = tensor_elements(x) / known;
    assert(product(&layout, &unknown) == tensor_elements(x));
    int64_t stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        layout.strides[i] = stride;
        stride *= layout.sizes[i] > 1 ? layout.sizes[i] : 1;
    }
    return reinterpret(x, &layout, 0);
}

/* view.dtype(Tensor self, ScalarType dtype) */
struct tensor *tensor_bytes(struct tensor *x)
{
    return operation("aten::view", "dtype", ARGUMENTS(of_tensor(tensor_view(x, SHAPE(-1))), of_integer(type_code(TENSOR_U8))));
}

struct tensor *tensor_narrow(struct tensor *x, int dimension, int64_t start, int64_t length)
{
    if (!usable(x))
        return NULL;
    struct layout layout = layout_of(x);
    int d = dimension_of(dimension, layout.rank);
    assert(start >= 0 && length >= 0 && start + length <= layout.sizes[d]);
    layout.sizes[d] = length;
    return reinterpret(x, &layout, start * layout.strides[d]);
}

struct tensor *tensor_select(struct tensor *x, int dimension, int64_t index)
{
    if (!usable(x))
        return NULL;
    struct layout layout = layout_of(x);
    int d = dimension_of(dimension, layout.rank);
    assert(index >= 0 && index < layout.sizes[d]);
    int64_t offset = index * layout.strides[d];
    layout.rank--;
    memmove(layout.sizes + d, layout.sizes + d + 1, (size_t)(layout.rank - d) * sizeof *layout.sizes);
    memmove(layout.strides + d, layout.strides + d + 1, (size_t)(layout.rank - d) * sizeof *layout.strides);
    return reinterpret(x, &layout, offset);
}

static void swap(int64_t *values, int a, int b)
{
    int64_t kept = values[a];
    values[a] = values[b];
    values[b] = kept;
}

struct tensor *tensor_transpose(struct tensor *x, int a, int b)
{
    if (!usable(x))
        return NULL;
    struct layout layout = layout_of(x);
    int first = dimension_of(a, layout.rank), second = dimension_of(b, layout.rank);
    swap(layout.sizes, first, second);
    swap(layout.strides, first, second);
    return reinterpret(x, &layout, 0);
}

struct tensor *tensor_contiguous(struct tensor *x)
{
    return operation("aten::contiguous", "", ARGUMENTS(of_tensor(x), of_integer(torch.aoti_torch_memory_format_contiguous_format())));
}

struct tensor *tensor_cat(struct tensor *const *parts, int count, int dimension)
{
    return operation("aten::cat", "", ARGUMENTS(of_tensors(parts, count), of_integer(dimension)));
}

int tensor_copy(struct tensor *into, struct tensor *from)
{
    if (!usable(into) || !usable(from))
        return -1;
    return torch.aoti_torch_copy_(into, from, 0) ? libtorch_failure("copy_") : 0;
}

int tensor_send(struct tensor *into, struct tensor *from)
{
    if (!usable(into) || !usable(from))
        return -1;
    return torch.aoti_torch_copy_(into, from, 1) ? libtorch_failure("copy_") : 0;
}

struct tensor *tensor_index_copy(struct tensor *into, int dimension, struct tensor *index, struct tensor *from)
{
    return operation("aten::index_copy_", "", ARGUMENTS(of_tensor(into), of_integer(dimension), of_tensor(index), of_tensor(from)));
}

struct tensor *tensor_pad(struct tensor *x, int64_t left, int64_t right, bool reflect)
{
    struct argument sides = of_integers((int64_t[]){left, right}, 2);
    if (reflect)
        return operation("aten::reflection_pad1d", "", ARGUMENTS(of_tensor(x), sides));
    return operation("aten::pad", "", ARGUMENTS(of_tensor(x), sides, of_string("constant"), none()));
}
