/* SPDX-License-Identifier: Apache-2.0
 * The arguments of a dispatched operation. A stack says nothing of its values' types: what is a tensor, a list, a cell or a
 * string is known from the calls that made it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

struct list {
    stack_value *items;
    size_t count;
};

static struct map lists, cells, strings; /* to struct list, to themselves, to copies */

static void *must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static void *pointer(stack_value value) { return (void *)(uintptr_t)value; }

/* making */

int32_t torch_new_list_reserve_size(size_t size, list_handle *list)
{
    if (!enter())
        return real.torch_new_list_reserve_size(size, list);
    int32_t status = real.torch_new_list_reserve_size(size, list);
    if (!status)
        map_put(&lists, *list, must(calloc(1, sizeof(struct list))));
    leave();
    return status;
}

int32_t torch_list_push_back(list_handle handle, stack_value value)
{
    if (!enter())
        return real.torch_list_push_back(handle, value);
    struct list *list = map_get(&lists, handle);
    if (list) {
        list->items = must(realloc(list->items, (list->count + 1) * sizeof *list->items));
        list->items[list->count++] = value;
    }
    int32_t status = real.torch_list_push_back(handle, value);
    leave();
    return status;
}

int32_t torch_new_string_handle(const char *string, size_t length, string_handle *handle)
{
    if (!enter())
        return real.torch_new_string_handle(string, length, handle);
    int32_t status = real.torch_new_string_handle(string, length, handle);
    if (!status)
        map_put(&strings, *handle, must(strndup(string, length)));
    leave();
    return status;
}

static int32_t new_cell(stack_value **cell)
{
    if (real.torch_new_stable_ivalue)
        return real.torch_new_stable_ivalue(cell);
    *cell = real.operator_new(sizeof **cell);
    return *cell == NULL;
}

int32_t torch_new_stable_ivalue(stack_value **cell)
{
    if (!enter())
        return new_cell(cell);
    int32_t status = new_cell(cell);
    if (!status)
        map_put(&cells, *cell, *cell);
    leave();
    return status;
}

/* reading */

static struct value value_read(struct call *call, stack_value plain);

static void read_tensor(struct call *call, struct value *value, struct storage *storage)
{
    value->kind = VALUE_TENSOR;
    value->tensor = keep(pointer(value->plain), storage);
    value->disowned = true;
    storage_disown(pointer(value->plain));
    call->tensor_count++;
}

static void read_items(struct call *call, struct value *value, const stack_value *items, size_t count)
{
    value->count = count;
    value->items = must(calloc(count + 1, sizeof *value->items));
    for (size_t i = 0; i < count; i++)
        value->items[i] = value_read(call, items[i]);
}

static struct value value_read(struct call *call, stack_value plain)
{
    struct value value = {.plain = plain};
    struct storage *storage = storage_of(pointer(plain));
    struct list *list;
    if (storage) {
        read_tensor(call, &value, storage);
    } else if ((list = map_take(&lists, pointer(plain)))) {
        value.kind = VALUE_LIST;
        read_items(call, &value, list->items, list->count);
        free(list->items);
        free(list);
    } else if (map_take(&cells, pointer(plain))) {
        value.kind = VALUE_CELL;
        read_items(call, &value, pointer(plain), 1);
    } else if ((value.string = map_take(&strings, pointer(plain)))) {
        value.kind = VALUE_STRING;
    }
    return value;
}

static void collect(struct call *call, struct value *value)
{
    if (value->kind == VALUE_TENSOR)
        call->tensors[call->tensor_count++] = value;
    for (size_t i = 0; i < value->count; i++)
        collect(call, &value->items[i]);
}

struct call *call_read(const char *name, const char *overload, const stack_value *stack, uint64_t built_for)
{
    struct call *call = must(calloc(1, sizeof *call));
    *call = (struct call){.name = must(strdup(name)), .overload = must(strdup(overload)), .built_for = built_for};
    for (size_t i = 0; i < STACK_SLOTS; i++)
        call->values[i] = value_read(call, stack[i]);
    call->tensors = must(calloc(call->tensor_count + 1, sizeof *call->tensors));
    call->tensor_count = 0;
    for (size_t i = 0; i < STACK_SLOTS; i++)
        collect(call, &call->values[i]);
    return call;
}

bool call_is(const struct call *call, const char *name, const char *overload)
{
    return !strcmp(call->name, name) && !strcmp(call->overload, overload);
}

/* ending */

static void delete_cell(stack_value *cell)
{
    if (real.torch_delete_stable_ivalue)
        real.torch_delete_stable_ivalue(cell);
    else
        real.operator_delete(cell);
}

static void drop(struct value *value)
{
    for (size_t i = 0; i < value->count; i++)
        drop(&value->items[i]);
    if (value->kind == VALUE_TENSOR)
        real.aoti_torch_delete_tensor_object(pointer(value->plain));
    if (value->kind == VALUE_LIST)
        real.torch_delete_list(pointer(value->plain));
    if (value->kind == VALUE_CELL)
        delete_cell(pointer(value->plain));
    if (value->kind == VALUE_STRING)
        real.torch_delete_string(pointer(value->plain));
}

void call_drop_arguments(struct call *call, stack_value *stack)
{
    for (size_t i = 0; i < STACK_SLOTS; i++)
        drop(&call->values[i]);
    memset(stack, 0, STACK_SLOTS * sizeof *stack);
}

void call_disown(struct call *call)
{
    for (size_t i = 0; i < call->tensor_count; i++)
        if (call->tensors[i]->disowned) {
            storage_release(call->tensors[i]->tensor.storage);
            call->tensors[i]->disowned = false;
        }
}

static void value_release(struct value *value)
{
    for (size_t i = 0; i < value->count; i++)
        value_release(&value->items[i]);
    unkeep(&value->tensor);
    free(value->items);
    free(value->string);
}

void call_free(struct call *call)
{
    call_disown(call);
    for (size_t i = 0; i < STACK_SLOTS; i++)
        value_release(&call->values[i]);
    free(call->tensors);
    free(call->name);
    free(call->overload);
    free(call);
}

/* making them again */

static stack_value value_make(const struct value *value)
{
    struct tensor *tensor = NULL;
    list_handle list = NULL;
    string_handle string = NULL;
    stack_value *cell = NULL;
    switch (value->kind) {
    case VALUE_TENSOR: return real.aoti_torch_new_tensor_handle(value->tensor.tensor, &tensor), (uintptr_t)tensor;
    case VALUE_STRING: return real.torch_new_string_handle(value->string, strlen(value->string), &string), (uintptr_t)string;
    case VALUE_CELL:
        new_cell(&cell);
        *cell = value_make(&value->items[0]);
        return (uintptr_t)cell;
    case VALUE_LIST:
        real.torch_new_list_reserve_size(value->count, &list);
        for (size_t i = 0; i < value->count; i++)
            real.torch_list_push_back(list, value_make(&value->items[i]));
        return (uintptr_t)list;
    default: return value->plain;
    }
}

void call_make(const struct call *call, stack_value *stack)
{
    for (size_t i = 0; i < STACK_SLOTS; i++)
        stack[i] = value_make(&call->values[i]);
}
