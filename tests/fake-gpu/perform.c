/* SPDX-License-Identifier: Apache-2.0
 * Operations: what a GPU would refuse is refused, and what comes out is where it would be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "settings.h"

enum { CUDA = 1 };
static const stack_value ON_CPU = UINT32_MAX; /* type 0, no index */

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (!strcmp(name, *names))
            return true;
    return false;
}

/* A number on the host (0 dimensions) becomes an argument of such a kernel; every other wants its tensors on the GPU. */
static const char *const takes_host_numbers[] = {
    "aten::mul", "aten::mul_", "aten::add", "aten::sub", "aten::div", "aten::div_", "aten::minimum", "aten::maximum", "aten::where",
    "aten::le", "aten::lt", "aten::ge", "aten::gt", "aten::eq", "aten::ne", "aten::pow", "aten::masked_fill", "aten::masked_fill_",
    "aten::fmod", "aten::remainder", "aten::bitwise_and", "aten::logical_and", "direct::subtract", NULL,
};

/* These wait for the GPU, since the host must know something of the result. */
static const char *const waits[] = {"aten::nonzero", "aten::masked_select", "aten::equal", "aten::unique", "aten::_local_scalar_dense", NULL};

/* What cuBLAS and cuDNN compute. */
static const char *const of_libraries[][8] = {
    {"aten::linear", "aten::matmul", "aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::scaled_dot_product_attention", NULL},
    {"aten::conv1d", "aten::conv_transpose1d", "aten::convolution", "aten::lstm", "aten::_cudnn_rnn_flatten_weight", NULL},
};

static size_t result_count(const struct call *call)
{
    static const struct { const char *name; size_t count; } several[] = {
        {"aten::lstm", 3}, {"aten::gru", 2}, {"aten::topk", 2}, {"aten::sort", 2}, {"aten::native_layer_norm", 3}, {"aten::equal", 0},
    };
    bool pair = !strcmp(call->overload, "dim") && (!strcmp(call->name, "aten::max") || !strcmp(call->name, "aten::min"));
    for (size_t i = 0; i < sizeof several / sizeof *several; i++)
        if (!strcmp(call->name, several[i].name))
            return several[i].count;
    return pair ? 2 : 1;
}

static int64_t rank_of(const struct tensor *tensor)
{
    int64_t rank = 0;
    real.aoti_torch_get_dim(tensor, &rank);
    return rank;
}

static int place_of(const struct value *value) { return value->tensor.storage->gpu; }

/* The GPU that the call works on, in *gpu, or HOST. */
static int32_t check_places(const struct call *call, int *gpu)
{
    const struct value *host = NULL;
    *gpu = HOST;
    for (size_t i = 0; i < call->tensor_count; i++) {
        int place = place_of(call->tensors[i]);
        if (place != HOST && *gpu != HOST && place != *gpu)
            return refuse("Expected all tensors to be on the same device, but found at least two devices, cuda:%d and cuda:%d!", *gpu, place);
        if (place != HOST)
            *gpu = place;
        else if (rank_of(call->tensors[i]->tensor.tensor) > 0 || !is_one_of(call->name, takes_host_numbers))
            host = call->tensors[i];
    }
    if (host && *gpu != HOST)
        return refuse("Expected all tensors to be on the same device, but found at least two devices, cuda:%d and cpu! (%s)", *gpu, call->name);
    return 0;
}

/* Only a CPU has them, or a GPU of another generation. */
static int32_t check_backend(const struct call *call)
{
    if (strncmp(call->name, "aten::", 6) && strncmp(call->name, "direct::", 8))
        return refuse("Could not run '%s' with arguments from the 'CUDA' backend.", call->name);
    if (!strcmp(setting_text("FAKE_GPU_KERNELS", ""), "none"))
        return refuse("CUDA error: no kernel image is available for execution on the device\nCompile with `TORCH_USE_CUDA_DSA`");
    return 0;
}

/* Of several ways to convolve each wants its own memory; what is said when all were refused it does not say so. */
static int32_t check_engine(const struct call *call)
{
    static int count;
    if (strncmp(call->name, "aten::conv", 10) || ++count != setting_count("FAKE_GPU_ENGINE", 0))
        return 0;
    return refuse("GET was unable to find an engine to execute this computation");
}

static int32_t check_order(const struct call *call)
{
    if (violated())
        return refuse("CUDA error: an illegal memory access was encountered (fake-gpu: violation)");
    if (queue_is_captured() && capture_is_lost())
        return refuse("CUDA error: operation failed due to a previous error during capture");
    if (queue_is_captured() && is_one_of(call->name, waits))
        return capture_refuse(call->name);
    for (size_t i = 0; i < sizeof of_libraries / sizeof *of_libraries; i++)
        if (is_one_of(call->name, of_libraries[i]) && memory_begin_library(i))
            return 1;
    return check_engine(call);
}

/* aten::where copies numbers of the host to the GPU, and waits; for others they are arguments of the kernel. */
static int32_t copy_numbers(const struct call *call)
{
    for (size_t i = 0; i < call->tensor_count; i++) {
        if (place_of(call->tensors[i]) != HOST || strcmp(call->name, "aten::where"))
            continue;
        if (queue_is_captured())
            return capture_refuse("a number of the host in aten::where, which copies it");
        counters.host_to_device++;
        counters.synchronisations++;
    }
    return 0;
}

static struct tensor *tensor_in(stack_value value) { return (struct tensor *)(uintptr_t)value; }

/* What came out becomes the program's. Where there is no memory for it, nothing did. */
static int32_t adopt_results(const struct call *call, stack_value *stack, int gpu)
{
    size_t count = result_count(call);
    struct storage **known = calloc(call->tensor_count + 1, sizeof *known);
    int32_t status = 0;
    for (size_t i = 0; i < call->tensor_count; i++)
        known[i] = call->tensors[i]->tensor.storage;
    for (size_t i = 0; i < count; i++) {
        if (status)
            real.aoti_torch_delete_tensor_object(tensor_in(stack[i]));
        else
            status = storage_adopt(tensor_in(stack[i]), gpu, known, call->tensor_count);
    }
    free(known);
    return status;
}

static int32_t run_on_host(struct call *call, stack_value *stack)
{
    int32_t status = call_real(call->name, call->overload, stack, call->built_for);
    if (!status)
        status = adopt_results(call, stack, HOST);
    call_free(call);
    return status;
}

static int32_t drop_call(struct call *call, stack_value *stack)
{
    call_drop_arguments(call, stack);
    call_free(call);
    return 1;
}

static int32_t run_flatten(struct call *call, stack_value *stack, int gpu)
{
    struct tensor *piece = NULL;
    int32_t status = queue_is_captured() ? capture_refuse(call->name) : check_order(call);
    if (!status)
        queue_flush();
    status = status || lstm_flatten(call, gpu, &piece);
    drop_call(call, stack);
    stack[0] = status ? 0 : (uintptr_t)piece;
    return status;
}

static int32_t run_on_gpu(struct call *call, stack_value *stack, int gpu)
{
    struct tensor *results[MAX_RESULTS] = {0};
    size_t count = result_count(call);
    bool captured = queue_is_captured();
    if (check_order(call) || check_backend(call) || copy_numbers(call) || (call_is(call, "aten::lstm", "input") && lstm_before(call)))
        return drop_call(call, stack);
    queue_flush();
    if (captured)
        capture_before(call);
    else
        counters.operations++;
    if (call_real(call->name, call->overload, stack, call->built_for) || adopt_results(call, stack, gpu)) {
        call_free(call);
        return 1;
    }
    for (size_t i = 0; i < count; i++)
        results[i] = tensor_in(stack[i]);
    if (captured)
        capture_after(call, results, count);
    else
        call_free(call);
    return 0;
}

/* to.device(Tensor self, Device device, ScalarType dtype, bool non_blocking, bool copy, MemoryFormat?) */
static int32_t run_to_device(struct call *call, stack_value *stack, int from)
{
    const int to = stack[1] >> 32 == CUDA ? (int)(int32_t)stack[1] : HOST;
    call->values[1].plain = stack[1] = ON_CPU;
    if (to == from)
        return to == HOST ? run_on_host(call, stack) : run_on_gpu(call, stack, to);
    if (to >= gpu_count())
        return refuse("CUDA error: invalid device ordinal"), drop_call(call, stack);
    if (queue_is_captured() && capture_refuse("a copy between host and GPU by aten::to"))
        return drop_call(call, stack);
    if (check_order(call))
        return drop_call(call, stack);
    queue_flush();
    stack[4] = true; /* or it would be the same memory */
    int32_t status = call_real(call->name, call->overload, stack, call->built_for);
    if (!status)
        status = adopt_results(call, stack, to);
    if (!status) {
        counters.synchronisations++;
        (*(to == HOST ? &counters.device_to_host : &counters.host_to_device))++;
    }
    call_free(call);
    return status;
}

int32_t perform(const char *name, const char *overload, stack_value *stack, uint64_t built_for)
{
    struct call *call = call_read(name, overload, stack, built_for);
    int gpu;
    if (check_places(call, &gpu))
        return drop_call(call, stack);
    if (call_is(call, "aten::to", "device"))
        return run_to_device(call, stack, gpu);
    if (gpu != HOST && call_is(call, "aten::_cudnn_rnn_flatten_weight", ""))
        return run_flatten(call, stack, gpu);
    return gpu == HOST ? run_on_host(call, stack) : run_on_gpu(call, stack, gpu);
}

int32_t torch_call_dispatcher(const char *name, const char *overload, stack_value *stack, uint64_t built_for)
{
    if (!enter())
        return real.torch_call_dispatcher(name, overload, stack, built_for);
    int32_t status = perform(name, overload, stack, built_for);
    leave();
    return status;
}
