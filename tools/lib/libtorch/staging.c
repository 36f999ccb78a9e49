/* SPDX-License-Identifier: Apache-2.0 */
#include "libtorch/staging.h"

#include <string.h>

#include "base/failure.h"

/* Large enough that starting a copy costs nothing beside it. */
enum { BUFFER_BYTES = 8 << 20 };

static const struct device HOST = {DEVICE_CPU, 0};

/* The buffer to fill next, made when it is first needed. */
static struct tensor *next_buffer(struct staging *staging)
{
    struct tensor **buffer = &staging->buffers[staging->next];
    staging->next = 1 - staging->next;
    if (!*buffer)
        *buffer = tensor_own(tensor_pinned(staging->device, TENSOR_U8, SHAPE(BUFFER_BYTES)));
    return *buffer;
}

/* Bytes [at, at + count) of the tensor [bytes] U8. While the device copies one buffer the other is filled; before a copy begins
 * the one before it must have ended, so that its buffer is free again. */
static void send(struct staging *staging, struct tensor *bytes, const char *data, int64_t at, int64_t count)
{
    struct scope scope;
    scope_open(&scope);
    struct tensor *buffer = next_buffer(staging);
    if (buffer)
        memcpy(tensor_data(buffer), data + at, (size_t)count);
    if (buffer && device_wait(staging->device) == 0)
        tensor_send(tensor_narrow(bytes, 0, at, count), tensor_narrow(buffer, 0, 0, count));
    scope_close(&scope);
}

struct tensor *staging_tensor(struct staging *staging, enum tensor_type type, int rank, const int64_t *shape, const void *data)
{
    if (staging->device.kind == DEVICE_CPU)
        return tensor_from(HOST, type, rank, shape, data);
    struct scope scope;
    scope_open(&scope);
    struct tensor *tensor = tensor_new(staging->device, type, rank, shape);
    struct tensor *bytes = tensor_bytes(tensor);
    int64_t total = tensor_elements(bytes);
    for (int64_t at = 0; at < total && !failed(); at += BUFFER_BYTES)
        send(staging, bytes, data, at, total - at < BUFFER_BYTES ? total - at : BUFFER_BYTES);
    tensor = scope_keep(&scope, tensor);
    scope_close(&scope);
    return failed() ? NULL : tensor;
}

void staging_release(struct staging *staging)
{
    if (staging->buffers[0])
        device_wait(staging->device);
    for (int i = 0; i < 2; i++)
        tensor_free(staging->buffers[i]);
    *staging = (struct staging){.device = staging->device};
}
