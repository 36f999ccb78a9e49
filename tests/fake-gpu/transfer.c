/* SPDX-License-Identifier: Apache-2.0
 * Copies between host and GPU, and streams: what was given to one and is not done yet. A copy that does not wait is done as
 * late as may be, so that whoever touches its memory too early finds wrong numbers; so is a replay.
 */
#include <stdlib.h>

#include "fake.h"
#include "settings.h"

enum { MAX_GPUS = 16 };

struct work {
    struct kept into, from;
    void *executable; /* a replay, or NULL: a copy */
};

static struct {
    struct work *items;
    size_t count, capacity;
} queue;

static _Thread_local void *current[MAX_GPUS];

bool queue_is_captured(void)
{
    void *stream = capture_stream();
    for (int i = 0; stream && i < MAX_GPUS; i++)
        if (current[i] == stream)
            return true;
    return false;
}

static void queue_add(struct work work)
{
    if (queue.count == queue.capacity) {
        queue.capacity = queue.capacity ? 2 * queue.capacity : 16;
        queue.items = realloc(queue.items, queue.capacity * sizeof *queue.items);
        if (!queue.items)
            abort();
    }
    queue.items[queue.count++] = work;
}

void queue_launch(void *executable) { queue_add((struct work){.executable = executable}); }

void queue_flush(void)
{
    for (size_t i = 0; i < queue.count; i++) {
        struct work *work = &queue.items[i];
        if (work->executable)
            capture_replay(work->executable);
        else if (real.aoti_torch_copy_(work->into.tensor, work->from.tensor, 0))
            violate("a copy that was accepted fails");
        unkeep(&work->into);
        unkeep(&work->from);
    }
    queue.count = 0;
}

/* copies */

static bool is_contiguous(const struct tensor *tensor)
{
    bool answer = false;
    real.aoti_torch_is_contiguous(tensor, &answer);
    return answer;
}

/* What PyTorch makes on the GPU beside a copy: a dense copy of the GPU's side where that has gaps, and where types differ and
 * nobody waits the GPU converts. */
static size_t bytes_beside(const struct tensor *into, const struct tensor *from, bool to_gpu, bool non_blocking)
{
    const bool converts = non_blocking && real_type(into) != real_type(from);
    if (to_gpu)
        return !is_contiguous(into) || converts ? real_bytes(converts ? from : into) : 0;
    return !is_contiguous(from) || converts ? real_bytes(converts ? into : from) : 0;
}

static int32_t refused_in_capture(bool pinned, bool non_blocking)
{
    if (!non_blocking)
        return capture_refuse("a copy that waits");
    return pinned ? 0 : capture_refuse("a copy of host memory that is not pinned");
}

/* A recorded copy reads and writes the pinned memory at each replay. */
static int32_t transfer_captured(struct tensor *into, struct tensor *from)
{
    stack_value stack[STACK_SLOTS] = {0};
    struct tensor *references[2] = {0};
    if (real.aoti_torch_new_tensor_handle(into, &references[0]) || real.aoti_torch_new_tensor_handle(from, &references[1]))
        abort();
    for (int i = 0; i < 2; i++) {
        storage_add_handle(references[i], storage_of(i ? from : into));
        stack[i] = (uintptr_t)references[i];
    }
    struct call *call = call_read("aten::copy_", "", stack, 0);
    capture_before(call);
    int32_t status = call_real(call->name, call->overload, stack, 0);
    if (status) {
        call_free(call);
        return status;
    }
    real.aoti_torch_delete_tensor_object((struct tensor *)(uintptr_t)stack[0]);
    capture_after(call, NULL, 0);
    return 0;
}

int32_t transfer(struct tensor *into, struct tensor *from, bool non_blocking)
{
    struct storage *a = storage_of(into), *b = storage_of(from);
    const bool to_gpu = a->gpu != HOST, pinned = (to_gpu ? b : a)->pinned;
    if (violated())
        return refuse("CUDA error: an illegal memory access was encountered (fake-gpu: violation)");
    if (queue_is_captured() && refused_in_capture(pinned, non_blocking))
        return 1;
    size_t beside = bytes_beside(into, from, to_gpu, non_blocking);
    if (beside && memory_take(beside))
        return 1;
    memory_give(beside);
    if (queue_is_captured())
        return transfer_captured(into, from);
    (*(to_gpu ? &counters.host_to_device : &counters.device_to_host))++;
    if (non_blocking && pinned) {
        queue_add((struct work){.into = keep(into, a), .from = keep(from, b)});
        return 0;
    }
    queue_flush();
    counters.synchronisations++;
    return real.aoti_torch_copy_(into, from, 0);
}

/* streams */

static int32_t check_gpu(int32_t index)
{
    memory_begin();
    return index < 0 || index >= gpu_count() || index >= MAX_GPUS ? refuse("CUDA error: invalid device ordinal") : 0;
}

int cudaSetDevice(int index)
{
    enum { INVALID_DEVICE = 101 };
    if (check_gpu(index))
        return INVALID_DEVICE;
    return 0;
}

int32_t aoti_torch_get_current_cuda_stream(int32_t index, void **stream)
{
    if (check_gpu(index))
        return 1;
    *stream = current[index];
    return 0;
}

int32_t torch_get_cuda_stream_from_pool(bool high_priority, int32_t index, void **stream)
{
    static char pool[64];
    static size_t next;
    (void)high_priority;
    if (check_gpu(index))
        return 1;
    *stream = &pool[next++ % sizeof pool];
    return 0;
}

int32_t torch_set_current_cuda_stream(void *stream, int32_t index)
{
    if (check_gpu(index))
        return 1;
    current[index] = stream;
    return 0;
}

int32_t torch_cuda_stream_synchronize(void *stream, int32_t index)
{
    if (check_gpu(index) || !enter())
        return 1;
    int32_t status = capture_stream() && stream == capture_stream() ? capture_refuse("a synchronisation") : 0;
    if (!status) {
        queue_flush();
        counters.synchronisations++;
    }
    if (!status && violated())
        status = refuse("CUDA error: an illegal memory access was encountered (fake-gpu: violation)");
    leave();
    return status;
}
