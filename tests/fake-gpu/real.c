/* SPDX-License-Identifier: Apache-2.0
 * The real libtorch for CPUs beneath: its functions, the lock, the texts of errors.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

struct real real;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool inside, ours;
static _Thread_local char refusal[512];

__attribute__((constructor)) static void resolve(void)
{
    void *library = dlopen("libtorch_cpu.so", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "fake-gpu: %s\n", dlerror());
        abort();
    }
#define RESOLVE(result, name, arguments) *(void **)&real.name = dlsym(library, #name);
    LIBTORCH_REQUIRED(RESOLVE) LIBTORCH_OPTIONAL(RESOLVE) REAL_ONLY(RESOLVE)
#undef RESOLVE
    void *from = dlsym(RTLD_DEFAULT, "_Znwm") ? RTLD_DEFAULT : library;
    *(void **)&real.operator_new = dlsym(from, "_Znwm");
    *(void **)&real.operator_delete = dlsym(from, "_ZdlPv");
}

bool enter(void)
{
    if (inside)
        return false;
    pthread_mutex_lock(&lock);
    return inside = true;
}

void leave(void)
{
    inside = false;
    pthread_mutex_unlock(&lock);
}

int32_t refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(refusal, sizeof refusal, format, arguments);
    va_end(arguments);
    ours = true;
    return 1;
}

const char *torch_exception_get_what_without_backtrace(void)
{
    if (ours)
        return refusal;
    return real.torch_exception_get_what_without_backtrace ? real.torch_exception_get_what_without_backtrace() : "";
}

/* The shims that no operation of the dispatcher stands for: their arguments in a stack as well, so that all are one. */
static int32_t call_subtract(stack_value *stack)
{
    struct tensor *a = (struct tensor *)(uintptr_t)stack[0], *b = (struct tensor *)(uintptr_t)stack[1], *result = NULL;
    double factor;
    memcpy(&factor, &stack[2], sizeof factor);
    int32_t status = real.aoti_torch_aten_subtract_Tensor(a, b, factor, &result);
    real.aoti_torch_delete_tensor_object(a);
    real.aoti_torch_delete_tensor_object(b);
    stack[0] = (uintptr_t)result;
    return status;
}

/* mm.dtype(Tensor self, Tensor mat2, ScalarType out_dtype), which only a GPU has: both are widened first. */
static int32_t call_wide_product(stack_value *stack, uint64_t built_for)
{
    stack_value a[STACK_SLOTS] = {stack[0], stack[2]}, b[STACK_SLOTS] = {stack[1], stack[2]}, product[STACK_SLOTS] = {0};
    if (real.torch_call_dispatcher("aten::to", "dtype", a, built_for) || real.torch_call_dispatcher("aten::to", "dtype", b, built_for))
        return 1;
    product[0] = a[0];
    product[1] = b[0];
    int32_t status = real.torch_call_dispatcher("aten::mm", "", product, built_for);
    stack[0] = product[0];
    return status;
}

static int32_t call_by_name(const char *name, const char *overload, stack_value *stack, uint64_t built_for)
{
    if (!strcmp(name, "direct::subtract"))
        return call_subtract(stack);
    if (!strcmp(name, "aten::mm") && !strcmp(overload, "dtype"))
        return call_wide_product(stack, built_for);
    return real.torch_call_dispatcher(name, overload, stack, built_for);
}

int32_t call_real(const char *name, const char *overload, stack_value *stack, uint64_t built_for)
{
    int32_t status = call_by_name(name, overload, stack, built_for);
    if (status)
        ours = false;
    return status;
}

int64_t real_elements(const struct tensor *tensor)
{
    int64_t count = 0;
    real.aoti_torch_get_numel(tensor, &count);
    return count;
}

int32_t real_type(const struct tensor *tensor)
{
    int32_t type = 0;
    real.aoti_torch_get_dtype(tensor, &type);
    return type;
}

size_t real_bytes(const struct tensor *tensor)
{
    return (size_t)real_elements(tensor) * real.aoti_torch_dtype_element_size(real_type(tensor));
}
