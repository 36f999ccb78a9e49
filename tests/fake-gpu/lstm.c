/* SPDX-License-Identifier: Apache-2.0
 * cuDNN's LSTM: its weights belong into one piece of memory; from pieces it makes one at each call, and warns.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fake.h"

enum { WEIGHTS_OF_A_LAYER = 4, MODE_LSTM = 2, MAX_RANK = 2 };

static struct tensor *weight(const struct call *call, size_t index) { return call->tensors[index]->tensor.tensor; }

static int64_t columns(const struct tensor *tensor)
{
    const int64_t *sizes = NULL;
    int64_t rank = 0;
    real.aoti_torch_get_dim(tensor, &rank);
    real.aoti_torch_get_sizes(tensor, &sizes);
    return rank == MAX_RANK ? sizes[1] : -1;
}

/* input, h, c, then the weights */
int32_t lstm_before(const struct call *call)
{
    enum { BEFORE = 3 };
    size_t bytes = 0;
    bool one_piece = true;
    for (size_t i = BEFORE; i < call->tensor_count; i++) {
        bytes += real_bytes(weight(call, i));
        one_piece = one_piece && call->tensors[i]->tensor.storage == call->tensors[BEFORE]->tensor.storage;
    }
    if (one_piece)
        return 0;
    fputs("Warning: RNN module weights are not part of single contiguous chunk of memory. (fake-gpu)\n", stderr);
    if (memory_take(bytes))
        return 1;
    memory_give(bytes);
    return 0;
}

/* The weight's tensor, whoever holds it, is a view of the piece from now on. */
static int32_t move_weight(struct tensor *tensor, struct tensor *piece, int64_t offset)
{
    const int64_t *sizes = NULL, *strides = NULL;
    int64_t rank = 0;
    struct tensor *view = NULL, *reference = NULL;
    stack_value stack[STACK_SLOTS] = {0};
    real.aoti_torch_get_dim(tensor, &rank);
    real.aoti_torch_get_sizes(tensor, &sizes);
    real.aoti_torch_get_strides(tensor, &strides);
    if (real.aoti_torch__reinterpret_tensor(piece, rank, sizes, strides, offset, &view) || real.aoti_torch_copy_(view, tensor, 0) ||
        real.aoti_torch_new_tensor_handle(tensor, &reference))
        abort();
    stack[0] = (uintptr_t)reference;
    stack[1] = (uintptr_t)view;
    if (call_real("aten::set_", "source_Tensor", stack, 0))
        return 1;
    return real.aoti_torch_delete_tensor_object((struct tensor *)(uintptr_t)stack[0]);
}

/* _cudnn_rnn_flatten_weight(Tensor[] weights, int weights of a layer, SymInt inputs, int mode, SymInt width, SymInt projection,
 * int layers, bool batch_first, bool bidirectional) */
static bool describes_weights(const struct call *call)
{
    const struct value *values = call->values;
    return call->tensor_count && values[1].plain == WEIGHTS_OF_A_LAYER && (int64_t)values[2].plain == columns(weight(call, 0)) &&
           values[3].plain == MODE_LSTM && (int64_t)values[4].plain == columns(weight(call, 1)) && values[5].plain == 0 &&
           values[6].plain * WEIGHTS_OF_A_LAYER == call->tensor_count;
}

int32_t lstm_flatten(const struct call *call, int gpu, struct tensor **piece)
{
    int64_t total = 0, offset = 0;
    if (!describes_weights(call))
        return refuse("_cudnn_rnn_flatten_weight: the weights are not of such an LSTM");
    for (size_t i = 0; i < call->tensor_count; i++)
        total += real_elements(weight(call, i));
    if (real.aoti_torch_empty_strided(1, &total, (const int64_t[]){1}, real_type(weight(call, 0)), 0, -1, piece) ||
        storage_adopt(*piece, gpu, NULL, 0))
        return 1;
    int32_t status = 0;
    for (size_t i = 0; i < call->tensor_count && !status; i++) {
        status = move_weight(weight(call, i), *piece, offset);
        storage_moved(call->tensors[i]->tensor.storage, storage_of(*piece));
        offset += real_elements(weight(call, i));
    }
    return status;
}
