/* SPDX-License-Identifier: Apache-2.0
 * A stack machine (Python's Lib/pickletools.py describes the operations). One byte names an operation, arguments follow
 * it; values go on a stack, a memo keeps those that occur again, marks on the stack begin what TUPLE, APPENDS and
 * SETITEMS collect. A GLOBAL pushes a name of the list below, which REDUCE applies to a tuple of arguments.
 */
#include "formats/pickle.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { PROTOCOL = 2, VALUES_MAX = 1000000, NAME_MAX_BYTES = 200, TENSOR_ARGUMENTS = 6, STORAGE_FIELDS = 5 };

struct values {
    struct pickle_value **items;
    size_t count, capacity;
};

struct pickle {
    struct values all; /* to free */
    const struct pickle_value *root;
};

struct machine {
    const unsigned char *at, *end;
    struct pickle *pickle;
    struct values stack, memo;
    bool stopped;
};

enum global { GLOBAL_MAP, GLOBAL_TENSOR, GLOBAL_PARAMETER, GLOBAL_SIZE, GLOBAL_STORAGE };

static const struct {
    const char *module, *name;
    enum global meaning;
    enum element_type type;
} globals[] = {
    {"collections", "OrderedDict", GLOBAL_MAP, 0},
    {"torch._utils", "_rebuild_tensor_v2", GLOBAL_TENSOR, 0},
    {"torch._utils", "_rebuild_parameter", GLOBAL_PARAMETER, 0},
    {"torch", "Size", GLOBAL_SIZE, 0},
    {"torch", "HalfStorage", GLOBAL_STORAGE, ELEMENT_F16},
    {"torch", "FloatStorage", GLOBAL_STORAGE, ELEMENT_F32},
    {"torch", "BFloat16Storage", GLOBAL_STORAGE, ELEMENT_BF16},
    {"torch", "DoubleStorage", GLOBAL_STORAGE, ELEMENT_F64},
    {"torch", "LongStorage", GLOBAL_STORAGE, ELEMENT_I64},
    {"torch", "IntStorage", GLOBAL_STORAGE, ELEMENT_I32},
    {"torch", "ShortStorage", GLOBAL_STORAGE, ELEMENT_I16},
    {"torch", "CharStorage", GLOBAL_STORAGE, ELEMENT_I8},
    {"torch", "ByteStorage", GLOBAL_STORAGE, ELEMENT_U8},
    {"torch", "BoolStorage", GLOBAL_STORAGE, ELEMENT_BOOL},
};

static const unsigned char *take_bytes(struct machine *machine, uint64_t count)
{
    const unsigned char *bytes = machine->at;
    if (count > (uint64_t)(machine->end - bytes)) {
        fail("the pickle ends within an operation; is the file damaged?");
        return NULL;
    }
    machine->at += count;
    return bytes;
}

static int take_number(struct machine *machine, int width, uint64_t *value)
{
    const unsigned char *bytes = take_bytes(machine, (uint64_t)width);
    if (!bytes)
        return -1;
    for (*value = 0; width; width--)
        *value = *value << 8 | bytes[width - 1];
    return 0;
}

static void append(struct values *values, struct pickle_value *value)
{
    values->items = grow(values->items, values->count, &values->capacity, sizeof *values->items);
    values->items[values->count++] = value;
}

static struct pickle_value *new_value(struct machine *machine, enum pickle_kind kind)
{
    if (machine->pickle->all.count == VALUES_MAX) {
        fail("the pickle holds more than %d values", VALUES_MAX);
        return NULL;
    }
    struct pickle_value *value = allocate(1, sizeof *value);
    value->kind = kind;
    append(&machine->pickle->all, value);
    return value;
}

static int push(struct machine *machine, struct pickle_value *value)
{
    if (!value)
        return -1;
    if (machine->stack.count == VALUES_MAX)
        return fail("the pickle needs a stack of more than %d values", VALUES_MAX);
    append(&machine->stack, value);
    return 0;
}

static int push_integer(struct machine *machine, int64_t integer)
{
    struct pickle_value *value = new_value(machine, PICKLE_INTEGER);
    if (value)
        value->integer = integer;
    return push(machine, value);
}

static struct pickle_value *top(struct machine *machine)
{
    size_t count = machine->stack.count;
    if (count && machine->stack.items[count - 1]->kind != PICKLE_MARK)
        return machine->stack.items[count - 1];
    fail("the pickle takes a value that is not there; is the file damaged?");
    return NULL;
}

static struct pickle_value *pop(struct machine *machine)
{
    struct pickle_value *value = top(machine);
    if (value)
        machine->stack.count--;
    return value;
}

/* Everything above the last mark leaves the stack, and the mark: *count values from the returned one on, valid until
 * the next push. NULL on failure. */
static struct pickle_value **pop_marked(struct machine *machine, size_t *count)
{
    struct values *stack = &machine->stack;
    size_t at = stack->count;
    while (at && stack->items[at - 1]->kind != PICKLE_MARK)
        at--;
    if (!at) {
        fail("the pickle takes values to a mark that is not there; is the file damaged?");
        return NULL;
    }
    *count = stack->count - at;
    stack->count = at - 1;
    return stack->items + at;
}

static void add_item(struct pickle_value *list, struct pickle_value *item)
{
    list->list.items = grow(list->list.items, list->list.count, &list->list.capacity, sizeof *list->list.items);
    list->list.items[list->list.count++] = item;
}

static int push_tuple(struct machine *machine, struct pickle_value **items, size_t count)
{
    struct pickle_value *tuple = new_value(machine, PICKLE_TUPLE);
    for (size_t i = 0; tuple && i < count; i++)
        add_item(tuple, items[i]);
    return push(machine, tuple);
}

/* operations: literals */

static int op_proto(struct machine *machine)
{
    uint64_t version;
    if (take_number(machine, 1, &version))
        return -1;
    return version == PROTOCOL ? 0 : fail("pickle protocol %d, expected %d as PyTorch writes it", (int)version, PROTOCOL);
}

static int op_stop(struct machine *machine)
{
    machine->pickle->root = pop(machine);
    machine->stopped = true;
    return machine->pickle->root ? 0 : -1;
}

static int op_mark(struct machine *machine) { return push(machine, new_value(machine, PICKLE_MARK)); }
static int op_plain(struct machine *machine) { return push(machine, new_value(machine, PICKLE_PLAIN)); }
static int op_float(struct machine *machine) { return take_bytes(machine, 8) ? op_plain(machine) : -1; }

static int push_unsigned(struct machine *machine, int width)
{
    uint64_t value;
    return take_number(machine, width, &value) ? -1 : push_integer(machine, (int64_t)value);
}

static int op_int1(struct machine *machine) { return push_unsigned(machine, 1); }
static int op_int2(struct machine *machine) { return push_unsigned(machine, 2); }

static int op_int4(struct machine *machine)
{
    uint64_t value;
    return take_number(machine, 4, &value) ? -1 : push_integer(machine, (int32_t)(uint32_t)value);
}

/* Two's complement of any length, which stands before it. */
static int push_long(struct machine *machine, int width)
{
    uint64_t length;
    const unsigned char *bytes = take_number(machine, width, &length) ? NULL : take_bytes(machine, length);
    if (!bytes)
        return -1;
    if (length > sizeof(int64_t))
        return op_plain(machine);
    uint64_t value = length && bytes[length - 1] & 0x80 ? UINT64_MAX : 0;
    while (length)
        value = value << 8 | bytes[--length];
    return push_integer(machine, (int64_t)value);
}

static int op_long1(struct machine *machine) { return push_long(machine, 1); }
static int op_long4(struct machine *machine) { return push_long(machine, 4); }

static int push_text(struct machine *machine, int width)
{
    uint64_t length;
    const unsigned char *bytes = take_number(machine, width, &length) ? NULL : take_bytes(machine, length);
    struct pickle_value *value = bytes ? new_value(machine, PICKLE_TEXT) : NULL;
    if (value) {
        value->text.bytes = (const char *)bytes;
        value->text.length = (size_t)length;
    }
    return push(machine, value);
}

static int op_text1(struct machine *machine) { return push_text(machine, 1); }
static int op_text4(struct machine *machine) { return push_text(machine, 4); }

/* operations: collections */

static int op_empty_map(struct machine *machine) { return push(machine, new_value(machine, PICKLE_MAP)); }
static int op_empty_list(struct machine *machine) { return push(machine, new_value(machine, PICKLE_LIST)); }
static int op_empty_tuple(struct machine *machine) { return push_tuple(machine, NULL, 0); }

static int op_tuple(struct machine *machine)
{
    size_t count;
    struct pickle_value **items = pop_marked(machine, &count);
    return items ? push_tuple(machine, items, count) : -1;
}

static int push_tuple_of(struct machine *machine, int count)
{
    struct pickle_value *items[3];
    for (int i = count - 1; i >= 0; i--)
        if (!(items[i] = pop(machine)))
            return -1;
    return push_tuple(machine, items, (size_t)count);
}

static int op_tuple1(struct machine *machine) { return push_tuple_of(machine, 1); }
static int op_tuple2(struct machine *machine) { return push_tuple_of(machine, 2); }
static int op_tuple3(struct machine *machine) { return push_tuple_of(machine, 3); }

/* Adds items to the collection on top of the stack. */
static int extend_top(struct machine *machine, enum pickle_kind kind, struct pickle_value **items, size_t count)
{
    struct pickle_value *collection = items ? top(machine) : NULL;
    if (!collection)
        return -1;
    if (collection->kind != kind || (kind == PICKLE_MAP && count % 2))
        return fail("the pickle adds items to what is no %s", kind == PICKLE_MAP ? "dict" : "list");
    for (size_t i = 0; i < count; i++)
        add_item(collection, items[i]);
    return 0;
}

static int op_append(struct machine *machine)
{
    struct pickle_value *item = pop(machine);
    return item ? extend_top(machine, PICKLE_LIST, &item, 1) : -1;
}

static int op_appends(struct machine *machine)
{
    size_t count = 0;
    struct pickle_value **items = pop_marked(machine, &count);
    return extend_top(machine, PICKLE_LIST, items, count);
}

static int op_setitem(struct machine *machine)
{
    struct pickle_value *value = pop(machine), *key = value ? pop(machine) : NULL;
    return key ? extend_top(machine, PICKLE_MAP, (struct pickle_value *[]){key, value}, 2) : -1;
}

static int op_setitems(struct machine *machine)
{
    size_t count = 0;
    struct pickle_value **items = pop_marked(machine, &count);
    return extend_top(machine, PICKLE_MAP, items, count);
}

static int op_pop(struct machine *machine) { return pop(machine) ? 0 : -1; }

static int op_pop_mark(struct machine *machine)
{
    size_t count;
    return pop_marked(machine, &count) ? 0 : -1;
}

/* operations: the memo, whose numbers a pickler gives in order */
static int memo_put(struct machine *machine, int width)
{
    uint64_t index;
    struct pickle_value *value = top(machine);
    if (!value || take_number(machine, width, &index))
        return -1;
    if (index > machine->memo.count)
        return fail("the pickle's memo has no number %llu yet", (unsigned long long)index);
    if (index == machine->memo.count)
        append(&machine->memo, value);
    else
        machine->memo.items[index] = value;
    return 0;
}

static int memo_get(struct machine *machine, int width)
{
    uint64_t index;
    if (take_number(machine, width, &index))
        return -1;
    if (index >= machine->memo.count)
        return fail("the pickle's memo has no number %llu", (unsigned long long)index);
    return push(machine, machine->memo.items[index]);
}

static int op_put1(struct machine *machine) { return memo_put(machine, 1); }
static int op_put4(struct machine *machine) { return memo_put(machine, 4); }
static int op_get1(struct machine *machine) { return memo_get(machine, 1); }
static int op_get4(struct machine *machine) { return memo_get(machine, 4); }

/* operations: names and what they make */

/* One line of a GLOBAL, without its end: its length, or -1. */
static int take_line(struct machine *machine, const char **line)
{
    size_t left = (size_t)(machine->end - machine->at);
    const unsigned char *end = left ? memchr(machine->at, '\n', left < NAME_MAX_BYTES ? left : NAME_MAX_BYTES) : NULL;
    if (!end)
        return fail("the pickle holds a name without an end; is the file damaged?");
    *line = (const char *)machine->at;
    machine->at = end + 1;
    return (int)((const char *)end - *line);
}

static bool equals(const char *bytes, size_t length, const char *string)
{
    return strlen(string) == length && memcmp(bytes, string, length) == 0;
}

static int op_global(struct machine *machine)
{
    const char *module = "", *name = "";
    int module_length = take_line(machine, &module), name_length = module_length < 0 ? -1 : take_line(machine, &name);
    if (name_length < 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(globals); i++)
        if (equals(module, (size_t)module_length, globals[i].module) && equals(name, (size_t)name_length, globals[i].name)) {
            struct pickle_value *value = new_value(machine, PICKLE_GLOBAL);
            if (value) {
                value->integer = globals[i].meaning;
                value->type = globals[i].type;
            }
            return push(machine, value);
        }
    return fail("the pickle calls '%.*s.%.*s', which no model needs; it is not executed", module_length, module, name_length, name);
}

static const struct pickle_value *item_of(const struct pickle_value *tuple, size_t index, enum pickle_kind kind)
{
    const struct pickle_value *item = index < tuple->list.count ? tuple->list.items[index] : NULL;
    return item && item->kind == kind ? item : NULL;
}

/* ("storage", type, key, device, number of elements) */
static int op_persistent(struct machine *machine)
{
    const struct pickle_value *id = pop(machine);
    if (!id)
        return -1;
    if (id->kind != PICKLE_TUPLE || id->list.count != STORAGE_FIELDS)
        return fail("the pickle names a storage by something else than %d fields", STORAGE_FIELDS);
    const struct pickle_value *word = item_of(id, 0, PICKLE_TEXT), *type = item_of(id, 1, PICKLE_GLOBAL);
    const struct pickle_value *key = item_of(id, 2, PICKLE_TEXT), *elements = item_of(id, 4, PICKLE_INTEGER);
    if (!word || !equals(word->text.bytes, word->text.length, "storage") || !type || type->integer != GLOBAL_STORAGE || !key ||
        !item_of(id, 3, PICKLE_TEXT) || !elements || elements->integer < 0)
        return fail("the pickle describes a storage wrongly");
    struct pickle_value *storage = new_value(machine, PICKLE_STORAGE);
    if (storage) {
        storage->type = type->type;
        storage->text = key->text;
        storage->elements = elements->integer;
    }
    return push(machine, storage);
}

static int read_extents(const struct pickle_value *tuple, int64_t *extents)
{
    for (size_t i = 0; i < tuple->list.count; i++) {
        const struct pickle_value *extent = item_of(tuple, i, PICKLE_INTEGER);
        if (!extent || extent->integer < 0)
            return fail("a tensor's shape or strides are no whole numbers from 0 on");
        extents[i] = extent->integer;
    }
    return 0;
}

/* (storage, offset, shape, strides, requires_grad, hooks[, metadata]) */
static int rebuild_tensor(struct machine *machine, const struct pickle_value *arguments)
{
    const struct pickle_value *storage = item_of(arguments, 0, PICKLE_STORAGE), *offset = item_of(arguments, 1, PICKLE_INTEGER);
    const struct pickle_value *shape = item_of(arguments, 2, PICKLE_TUPLE), *stride = item_of(arguments, 3, PICKLE_TUPLE);
    size_t count = arguments->list.count;
    if (count < TENSOR_ARGUMENTS || count > TENSOR_ARGUMENTS + 1 || !storage || !offset || offset->integer < 0 || !shape || !stride)
        return fail("the pickle describes a tensor wrongly");
    if (shape->list.count != stride->list.count || shape->list.count > ARRAY_MAX_RANK)
        return fail("a tensor has %zu dimensions and %zu strides; at most %d are possible", shape->list.count, stride->list.count,
                    ARRAY_MAX_RANK);
    struct pickle_value *value = new_value(machine, PICKLE_TENSOR);
    if (!value)
        return -1;
    value->tensor = allocate(1, sizeof *value->tensor);
    *value->tensor = (struct pickle_tensor){.storage = storage, .offset = offset->integer, .rank = (int)shape->list.count};
    if (read_extents(shape, value->tensor->shape) || read_extents(stride, value->tensor->stride))
        return -1;
    return push(machine, value);
}

/* OrderedDict(), or of a list of pairs */
static int make_map(struct machine *machine, const struct pickle_value *arguments)
{
    const struct pickle_value *pairs = item_of(arguments, 0, PICKLE_LIST);
    struct pickle_value *map = new_value(machine, PICKLE_MAP);
    if (!map)
        return -1;
    map->ordered = true;
    if (arguments->list.count > 1 || (arguments->list.count && !pairs))
        return fail("the pickle makes an OrderedDict of something else than a list of pairs");
    for (size_t i = 0; pairs && i < pairs->list.count; i++) {
        const struct pickle_value *pair = pairs->list.items[i];
        if ((pair->kind != PICKLE_TUPLE && pair->kind != PICKLE_LIST) || pair->list.count != 2)
            return fail("the pickle makes an OrderedDict of something else than a list of pairs");
        add_item(map, pair->list.items[0]);
        add_item(map, pair->list.items[1]);
    }
    return push(machine, map);
}

/* The first argument, which must be of a kind: what a parameter is of its tensor, a size of its tuple. */
static int push_first(struct machine *machine, const struct pickle_value *arguments, enum pickle_kind kind)
{
    if (!item_of(arguments, 0, kind))
        return fail("the pickle makes a parameter or a size of something else");
    return push(machine, arguments->list.items[0]);
}

static int op_reduce(struct machine *machine)
{
    const struct pickle_value *arguments = pop(machine), *global = arguments ? pop(machine) : NULL;
    if (!global)
        return -1;
    if (global->kind != PICKLE_GLOBAL || arguments->kind != PICKLE_TUPLE)
        return fail("the pickle calls what is no name");
    switch ((enum global)global->integer) {
    case GLOBAL_MAP:
        return make_map(machine, arguments);
    case GLOBAL_TENSOR:
        return rebuild_tensor(machine, arguments);
    case GLOBAL_PARAMETER:
        return push_first(machine, arguments, PICKLE_TENSOR);
    case GLOBAL_SIZE:
        return push_first(machine, arguments, PICKLE_TUPLE);
    case GLOBAL_STORAGE:
        break;
    }
    return fail("the pickle calls a storage's type");
}

/* Attributes of an OrderedDict (_metadata of a state dict): nothing that is needed. */
static int op_build(struct machine *machine)
{
    const struct pickle_value *object = pop(machine) ? top(machine) : NULL;
    if (!object)
        return -1;
    return object->kind == PICKLE_MAP && object->ordered ? 0 : fail("the pickle gives attributes to what is no OrderedDict");
}

static int (*const operations[256])(struct machine *) = {
    [0x80] = op_proto, [0x2e] = op_stop, [0x28] = op_mark, [0x4e] = op_plain, [0x88] = op_plain, [0x89] = op_plain,
    [0x63] = op_global, [0x52] = op_reduce, [0x51] = op_persistent, [0x7d] = op_empty_map, [0x5d] = op_empty_list,
    [0x29] = op_empty_tuple, [0x74] = op_tuple, [0x85] = op_tuple1, [0x86] = op_tuple2, [0x87] = op_tuple3,
    [0x61] = op_append, [0x65] = op_appends, [0x73] = op_setitem, [0x75] = op_setitems, [0x62] = op_build, [0x30] = op_pop,
    [0x31] = op_pop_mark, [0x4a] = op_int4, [0x4b] = op_int1, [0x4d] = op_int2, [0x8a] = op_long1, [0x8b] = op_long4,
    [0x47] = op_float, [0x58] = op_text4, [0x55] = op_text1, [0x71] = op_put1, [0x72] = op_put4, [0x68] = op_get1,
    [0x6a] = op_get4,
};

static int run(struct machine *machine)
{
    while (!machine->stopped) {
        const unsigned char *operation = take_bytes(machine, 1);
        if (!operation)
            return -1;
        if (!operations[*operation])
            return fail("the pickle holds operation 0x%02x, which no model needs", *operation);
        if (operations[*operation](machine))
            return -1;
    }
    return machine->at == machine->end ? 0 : fail("bytes follow the pickle's end");
}

/* cycles: a walk over what the root holds, with a stack of its own */

enum { VISIT_NEW, VISIT_OPEN, VISIT_DONE };

struct step {
    struct pickle_value *value;
    size_t next;
};

static bool is_collection(const struct pickle_value *value)
{
    return value->kind == PICKLE_TUPLE || value->kind == PICKLE_LIST || value->kind == PICKLE_MAP;
}

static int check_cycles(struct pickle_value *root)
{
    struct step *steps = NULL;
    size_t count = 0, capacity = 0;
    int result = 0;
    steps = grow(steps, count, &capacity, sizeof *steps);
    steps[count++] = (struct step){root, 0};
    while (count && result == 0) {
        struct step *step = &steps[count - 1];
        step->value->visit = VISIT_OPEN;
        if (!is_collection(step->value) || step->next == step->value->list.count) {
            step->value->visit = VISIT_DONE;
            count--;
            continue;
        }
        struct pickle_value *item = step->value->list.items[step->next++];
        if (item->visit == VISIT_OPEN)
            result = fail("the pickle holds a value that contains itself");
        else if (item->visit == VISIT_NEW) {
            steps = grow(steps, count, &capacity, sizeof *steps);
            steps[count++] = (struct step){item, 0};
        }
    }
    free(steps);
    return result;
}

struct pickle *pickle_read(const unsigned char *bytes, size_t length)
{
    struct pickle *pickle = allocate(1, sizeof *pickle);
    struct machine machine = {.at = bytes, .end = bytes + length, .pickle = pickle};
    int result = run(&machine);
    free(machine.stack.items);
    free(machine.memo.items);
    if (result == 0 && check_cycles((struct pickle_value *)(uintptr_t)pickle->root) == 0)
        return pickle;
    pickle_free(pickle);
    return NULL;
}

void pickle_free(struct pickle *pickle)
{
    if (!pickle)
        return;
    for (size_t i = 0; i < pickle->all.count; i++) {
        struct pickle_value *value = pickle->all.items[i];
        if (is_collection(value))
            free(value->list.items);
        if (value->kind == PICKLE_TENSOR)
            free(value->tensor);
        free(value);
    }
    free(pickle->all.items);
    free(pickle);
}

const struct pickle_value *pickle_root(const struct pickle *pickle)
{
    return pickle->root;
}

const struct pickle_value *pickle_member(const struct pickle_value *map, const char *key)
{
    for (size_t i = 0; map->kind == PICKLE_MAP && i < map->list.count; i += 2) {
        const struct pickle_value *name = map->list.items[i];
        if (name->kind == PICKLE_TEXT && equals(name->text.bytes, name->text.length, key))
            return map->list.items[i + 1];
    }
    return NULL;
}
