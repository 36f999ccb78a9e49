/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/weights.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/failure.h"
#include "base/memory.h"

enum { MAX_NAME = 256 };

static enum tensor_type stored_type(enum element_type type)
{
    return type == ELEMENT_F32 ? TENSOR_F32 : type == ELEMENT_F16 ? TENSOR_F16 : TENSOR_BF16;
}

struct tensor *weights_keep(struct weights *weights, struct tensor *tensor)
{
    if (!tensor)
        return NULL;
    weights->owned = grow(weights->owned, weights->count, &weights->capacity, sizeof *weights->owned);
    weights->owned[weights->count++] = tensor_own(tensor);
    return tensor;
}

/* On the device before the conversion: what moves is the smaller of the two where a file holds halves. */
struct tensor *weights_convert(struct weights *weights, enum tensor_type type, const struct array *array)
{
    struct scope scope;
    scope_open(&scope);
    weights->staging.device = weights->device;
    struct tensor *stored = staging_tensor(&weights->staging, stored_type(array->type), array->rank, array->shape, array->data);
    struct tensor *tensor = scope_keep(&scope, tensor_cast(stored, type));
    scope_close(&scope);
    return tensor;
}

static struct tensor *read_named(struct weights *weights, enum tensor_type type, int rank, const int64_t *shape, const char *format,
                                 va_list arguments)
{
    char name[MAX_NAME];
    if (failed())
        return NULL;
    vsnprintf(name, sizeof name, format, arguments);
    const struct array *array = checkpoint_take(weights->checkpoint, rank, shape, "%s", name);
    return array ? weights_convert(weights, type, array) : NULL;
}

struct tensor *weights_read(struct weights *weights, enum tensor_type type, int rank, const int64_t *shape, const char *name, ...)
{
    va_list arguments;
    va_start(arguments, name);
    struct tensor *tensor = read_named(weights, type, rank, shape, name, arguments);
    va_end(arguments);
    return tensor;
}

struct tensor *weights_take(struct weights *weights, enum tensor_type type, int rank, const int64_t *shape, const char *name, ...)
{
    va_list arguments;
    va_start(arguments, name);
    struct tensor *tensor = weights_keep(weights, read_named(weights, type, rank, shape, name, arguments));
    va_end(arguments);
    return tensor;
}

void weights_settle(struct weights *weights)
{
    staging_release(&weights->staging);
}

void weights_release(struct weights *weights)
{
    weights_settle(weights);
    while (weights->count)
        tensor_free(weights->owned[--weights->count]);
    free(weights->owned);
    weights->owned = NULL;
    weights->capacity = 0;
}
