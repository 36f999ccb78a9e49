/* SPDX-License-Identifier: Apache-2.0
 * Live handles and the memory behind them.
 */
#include <stdlib.h>
#include <string.h>

#include "fake.h"

static struct map handles, storages; /* of struct tensor *, and of the memory's first byte, to struct storage */

struct storage *storage_of(const struct tensor *tensor) { return map_get(&handles, tensor); }

static void *base_of(struct tensor *tensor, size_t *bytes)
{
    void *data = NULL;
    int64_t offset = 0, size = 0;
    real.aoti_torch_get_data_ptr(tensor, &data);
    real.aoti_torch_get_storage_offset(tensor, &offset);
    real.aoti_torch_get_storage_size(tensor, &size);
    *bytes = (size_t)size;
    return size ? (char *)data - (size_t)offset * real.aoti_torch_dtype_element_size(real_type(tensor)) : NULL;
}

static bool is_floating(const struct tensor *tensor)
{
    int32_t type = real_type(tensor);
    return type == real.aoti_torch_dtype_float32() || type == real.aoti_torch_dtype_float16() || type == real.aoti_torch_dtype_bfloat16() ||
           type == real.aoti_torch_dtype_float64();
}

static struct storage *make(struct tensor *tensor, void *base, size_t bytes, int gpu)
{
    struct storage *known = base ? map_get(&storages, base) : NULL;
    if (known && gpu == HOST && known->gpu == HOST) /* memory of the program's that it has wrapped before */
        return known;
    if (known)
        violate("memory at %p is in use twice: a handle was lost track of", base);
    if (gpu != HOST && memory_take(bytes))
        return NULL;
    struct storage *storage = calloc(1, sizeof *storage);
    if (!storage)
        abort();
    *storage = (struct storage){.base = base, .bytes = bytes, .gpu = gpu, .floating = is_floating(tensor)};
    if (base)
        map_put(&storages, base, storage);
    return storage;
}

void storage_add_handle(struct tensor *tensor, struct storage *storage)
{
    if (!storage)
        return;
    storage->held++;
    map_put(&handles, tensor, storage);
}

int32_t storage_adopt(struct tensor *tensor, int gpu, struct storage *const *known, size_t count)
{
    size_t bytes;
    void *base = base_of(tensor, &bytes);
    struct storage *storage = NULL;
    for (size_t i = 0; base && i < count && !storage; i++)
        if (known[i] && known[i]->base == base)
            storage = known[i];
    bool is_new = !storage;
    if (is_new)
        storage = make(tensor, base, bytes, gpu);
    if (!storage) {
        real.aoti_torch_delete_tensor_object(tensor);
        return 1;
    }
    storage_add_handle(tensor, storage);
    if (is_new && gpu != HOST && capture_number()) {
        storage->capture = capture_number();
        capture_made(tensor, storage);
    }
    return 0;
}

static void forget_unused(struct storage *storage)
{
    if (storage->held || storage->kept)
        return;
    if (storage->base)
        map_take(&storages, storage->base);
    free(storage);
}

struct move { struct storage *from, *onto; };

static void move_handle(const void *key, void **value, void *context)
{
    const struct move *move = context;
    size_t bytes;
    if (*value != move->from || base_of((struct tensor *)(uintptr_t)key, &bytes) != move->onto->base)
        return;
    *value = move->onto;
    move->onto->held++;
    storage_release(move->from);
}

void storage_moved(struct storage *from, struct storage *onto) { map_each(&handles, move_handle, &(struct move){from, onto}); }

struct storage *storage_disown(const struct tensor *tensor) { return map_take(&handles, tensor); }

void storage_release(struct storage *storage)
{
    if (!storage)
        return;
    if (--storage->held == 0 && storage->gpu != HOST)
        memory_give(storage->bytes);
    forget_unused(storage);
}

void storage_poison(struct storage *storage)
{
    if (storage->bytes)
        memset(storage->base, storage->floating ? 0xFF : 0x7F, storage->bytes);
}

void storage_keep(struct storage *storage)
{
    if (storage)
        storage->kept++;
}

void storage_unkeep(struct storage *storage)
{
    if (!storage)
        return;
    storage->kept--;
    forget_unused(storage);
}

struct kept keep(struct tensor *tensor, struct storage *storage)
{
    struct kept kept = {NULL, storage};
    if (real.aoti_torch_new_tensor_handle(tensor, &kept.tensor))
        abort();
    storage_keep(storage);
    return kept;
}

void unkeep(struct kept *kept)
{
    if (kept->tensor) {
        storage_unkeep(kept->storage);
        real.aoti_torch_delete_tensor_object(kept->tensor);
    }
    *kept = (struct kept){0};
}
