/* SPDX-License-Identifier: Apache-2.0 */
#include "copying.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/failure.h"
#include "base/memory.h"
#include "libtorch/tensor.h"

enum { LEAST_ROUNDS = 4 }; /* of a pass: milliseconds, beside which launching and waiting are little */

struct copying {
    struct device device;
    struct tensor *from, *into; /* owned, U8 [half] */
    int64_t half, next;         /* bytes; next: where a pass begins */
};

struct copying *copying_open(struct device device, size_t bytes)
{
    struct copying *copying = allocate(1, sizeof *copying);
    struct scope scope;
    copying->device = device;
    copying->half = (int64_t)((bytes + 1) / 2);
    scope_open(&scope);
    copying->from = tensor_own(tensor_zeros(device, TENSOR_U8, SHAPE(copying->half)));
    copying->into = tensor_own(tensor_zeros(device, TENSOR_U8, SHAPE(copying->half)));
    scope_close(&scope);
    if (!failed())
        return copying;
    copying_close(copying);
    return NULL;
}

void copying_close(struct copying *copying)
{
    if (!copying)
        return;
    tensor_free(copying->from);
    tensor_free(copying->into);
    free(copying);
}

double copying_pass(struct copying *copying, size_t bytes)
{
    int64_t wanted = (int64_t)((bytes + 1) / 2), least = LEAST_ROUNDS * copying->half;
    struct scope scope;
    wanted = wanted < least ? least : wanted;
    device_wait(copying->device);
    double start = clock_seconds();
    scope_open(&scope);
    for (int64_t left = wanted, count; left && !failed(); left -= count) {
        int64_t room = copying->half - copying->next;
        count = left < room ? left : room;
        tensor_copy(tensor_narrow(copying->into, 0, copying->next, count), tensor_narrow(copying->from, 0, copying->next, count));
        copying->next = (copying->next + count) % copying->half;
    }
    scope_close(&scope);
    device_wait(copying->device);
    return failed() ? 0 : 2 * (double)wanted / (clock_seconds() - start);
}
