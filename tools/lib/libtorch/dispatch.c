/* SPDX-License-Identifier: Apache-2.0 */
#include "libtorch/dispatch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "libtorch/cuda.h"

/* The release whose argument lists are written down here, not the one that runs. */
static const uint64_t BUILT_FOR = (UINT64_C(2) << 56) | (UINT64_C(11) << 48);

/* Unused slots stay zero, which is None, 0 or false for arguments that a later release may append. */
enum { STACK_SLOTS = 32, MAX_REASON = 300 };

struct argument of_tensor(struct tensor *tensor) { return (struct argument){.kind = ARGUMENT_TENSOR, .pointer = tensor}; }

struct argument maybe_tensor(struct tensor *tensor)
{
    return tensor ? (struct argument){.kind = ARGUMENT_TENSOR, .optional = true, .pointer = tensor} : none();
}

struct argument of_tensors(struct tensor *const *tensors, int count)
{
    return (struct argument){.kind = ARGUMENT_TENSORS, .pointer = tensors, .count = count};
}

struct argument of_integer(int64_t value) { return (struct argument){.kind = ARGUMENT_VALUE, .value = (stack_value)value}; }

struct argument of_number(double value)
{
    struct argument argument = {.kind = ARGUMENT_VALUE};
    memcpy(&argument.value, &value, sizeof value);
    return argument;
}

struct argument of_flag(bool value) { return of_integer(value); }

struct argument of_device(struct device device)
{
    return (struct argument){.kind = ARGUMENT_VALUE,
                             .value = ((stack_value)device_code(device) << 32) | (uint32_t)device_slot(device)};
}

struct argument of_integers(const int64_t *values, int count)
{
    return (struct argument){.kind = ARGUMENT_INTEGERS, .pointer = values, .count = count};
}

struct argument of_string(const char *string) { return (struct argument){.kind = ARGUMENT_STRING, .pointer = string}; }

struct argument none(void) { return (struct argument){.kind = ARGUMENT_NONE}; }

struct argument some(struct argument argument)
{
    argument.optional = true;
    return argument;
}

static stack_value from_pointer(const void *pointer) { return (stack_value)(uintptr_t)pointer; }

/* Only memory can be short here, and the C++ side answers that by ending the program as well. */
static void must(int32_t status)
{
    if (status)
        abort();
}

/* A call steals the references it is given: hand it one of its own. */
static stack_value new_reference(const struct tensor *tensor)
{
    struct tensor *copy = NULL;
    must(torch.aoti_torch_new_tensor_handle((struct tensor *)(uintptr_t)tensor, &copy));
    return from_pointer(copy);
}

static stack_value list_of(const struct argument *argument)
{
    list_handle list = NULL;
    must(torch.torch_new_list_reserve_size((size_t)argument->count, &list));
    for (int i = 0; i < argument->count; i++)
        must(torch.torch_list_push_back(list, argument->kind == ARGUMENT_INTEGERS
                                                  ? (stack_value)((const int64_t *)argument->pointer)[i]
                                                  : new_reference(((struct tensor *const *)argument->pointer)[i])));
    return from_pointer(list);
}

static stack_value string_of(const char *string)
{
    string_handle handle = NULL;
    must(torch.torch_new_string_handle(string, strlen(string), &handle));
    return from_pointer(handle);
}

/* The heap cell of an optional. libtorch frees it by C++ delete; before 2.13 there is no call that makes one. */
static stack_value boxed(stack_value value)
{
    stack_value *cell = NULL;
    if (torch.torch_new_stable_ivalue)
        must(torch.torch_new_stable_ivalue(&cell));
    else
        cell = torch.operator_new ? torch.operator_new(sizeof *cell) : malloc(sizeof *cell);
    must(!cell);
    *cell = value;
    return from_pointer(cell);
}

static stack_value encode(const struct argument *argument)
{
    switch (argument->kind) {
    case ARGUMENT_VALUE: return argument->value;
    case ARGUMENT_TENSOR: return new_reference(argument->pointer);
    case ARGUMENT_INTEGERS:
    case ARGUMENT_TENSORS: return list_of(argument);
    case ARGUMENT_STRING: return string_of(argument->pointer);
    default: return 0;
    }
}

/* A missing operand is only legal after a failure, and then nobody gets here. */
static void require_operands(const struct argument *argument)
{
    assert(argument->kind != ARGUMENT_TENSOR || argument->pointer);
    for (int i = 0; argument->kind == ARGUMENT_TENSORS && i < argument->count; i++)
        assert(((struct tensor *const *)argument->pointer)[i]);
}

int dispatch(const char *name, const char *overload, const struct argument *arguments, struct tensor **results, int count)
{
    stack_value stack[STACK_SLOTS] = {0};
    memset(results, 0, (size_t)count * sizeof *results);
    if (!libtorch_ready())
        return -1;
    for (int i = 0; arguments[i].kind != ARGUMENT_END; i++) {
        assert(i < STACK_SLOTS);
        require_operands(&arguments[i]);
        stack[i] = encode(&arguments[i]);
        if (arguments[i].optional)
            stack[i] = boxed(stack[i]);
    }
    if (torch.torch_call_dispatcher(name, overload, stack, BUILT_FOR))
        return libtorch_failure(name);
    for (int i = 0; i < count; i++) {
        results[i] = (struct tensor *)(uintptr_t)stack[i];
        adopt(0, &results[i], name);
    }
    return 0;
}

struct tensor *operation(const char *name, const char *overload, const struct argument *arguments)
{
    struct tensor *result;
    dispatch(name, overload, arguments, &result, 1);
    return result;
}

#define CANNOT_DO "libtorch cannot do '" /* what its failures begin with */

/* libtorch's own words; those of cuBLAS; and what is left when no way to convolve got the memory that it wanted. */
static const char *const WORDS_FOR_MEMORY[] = {"out of memory", "allocate memory", "ALLOC_FAILED", "unable to find an engine"};

static bool is_about_memory(const char *text)
{
    for (size_t i = 0; i < COUNT_OF(WORDS_FOR_MEMORY); i++)
        if (strstr(text, WORDS_FOR_MEMORY[i]))
            return true;
    return false;
}

static _Thread_local bool refused_memory; /* was the last of them that? */

bool device_refused_memory(void) { return refused_memory && strstr(failure_text(), CANNOT_DO); }

int libtorch_failure(const char *what)
{
    const char *text = torch.torch_exception_get_what_without_backtrace ? torch.torch_exception_get_what_without_backtrace() : NULL;
    bool known = text && *text;
    refused_memory = known ? is_about_memory(text) : cuda_begun();
    if (!known)
        return fail(CANNOT_DO "%s': it wrote the reason to stderr", what);
    size_t length = strcspn(text, "\n"); /* what follows is where in libtorch, not why */
    return fail(CANNOT_DO "%s': %.*s", what, (int)(length < MAX_REASON ? length : MAX_REASON), text);
}

bool libtorch_ready(void)
{
    static _Thread_local bool grad_mode_off; /* threads start with it on */
    if (failed())
        return false;
    if (!grad_mode_off)
        torch.aoti_torch_grad_mode_set_enabled(false);
    return grad_mode_off = true;
}
