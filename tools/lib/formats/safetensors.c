/* SPDX-License-Identifier: Apache-2.0
 * The reader. Nothing of the header is believed before it was compared with the file: so a hostile file costs no
 * more memory than a small multiple of its header. jansson checks the JSON's grammar, UTF-8 in strings, duplicate
 * keys and integers beyond 63 bits; what it lets pass is checked here (docs/formats.md has the list).
 */
#include "formats/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

enum {
    LENGTH_BYTES = 8,
    HEADER_MAX_BYTES = 100000000,
    HEADER_MAX_VALUES = 1000000, /* bounds what the JSON costs in memory; models have some ten thousand */
    NESTING_MAX = 3,             /* header, tensor, shape */
    FIELDS = 3,
};

struct safetensors {
    const unsigned char *bytes; /* the mapped file */
    size_t size;
    const unsigned char *data;  /* after the header */
    size_t data_size;
    json_t *header;             /* owns the names and the metadata */
    struct array *arrays;
    size_t count;
};

/* What of the header's text must be known before a JSON parser may see it: how deep it nests, how many values it has,
 * and where its object ends. */
struct header_scan {
    size_t end; /* of the JSON object; 0: not reached */
    size_t values;
    int depth;
    bool in_string, escaped;
};

static int scan_structure(struct header_scan *scan, char character, size_t position)
{
    switch (character) {
    case '"':
        scan->in_string = true;
        break;
    case '{':
    case '[':
        if (++scan->depth > NESTING_MAX)
            return fail("header nests deeper than %d levels", NESTING_MAX);
        break;
    case '}':
    case ']':
        if (--scan->depth == 0)
            scan->end = position + 1;
        break;
    case ',':
        if (++scan->values > HEADER_MAX_VALUES)
            return fail("header holds more than %d values", HEADER_MAX_VALUES);
        break;
    case '-':
        return fail("header holds a negative number");
    }
    return 0;
}

static void scan_string(struct header_scan *scan, char character)
{
    if (scan->escaped)
        scan->escaped = false;
    else if (character == '\\')
        scan->escaped = true;
    else if (character == '"')
        scan->in_string = false;
}

static int scan_header(const char *text, size_t length, size_t *json_length)
{
    struct header_scan scan = {0};
    size_t i;
    for (i = 0; i < length && !scan.end; i++)
        if (scan.in_string)
            scan_string(&scan, text[i]);
        else if (scan_structure(&scan, text[i], i))
            return -1;
    if (!scan.end)
        return fail("header is no whole JSON object");
    for (; i < length; i++)
        if (text[i] != ' ')
            return fail("header has bytes other than spaces after its JSON object");
    *json_length = scan.end;
    return 0;
}

/* The header's length, as far as it can be true. */
static int read_length(const struct safetensors *file, size_t *length)
{
    uint64_t declared = 0;
    if (file->size < LENGTH_BYTES)
        return fail("no safetensors file: only %zu bytes long", file->size);
    for (int i = LENGTH_BYTES - 1; i >= 0; i--)
        declared = declared << 8 | file->bytes[i];
    if (declared > HEADER_MAX_BYTES)
        return fail("no safetensors file: header of %llu bytes, more than %d", (unsigned long long)declared, HEADER_MAX_BYTES);
    if (declared > file->size - LENGTH_BYTES)
        return fail("header of %llu bytes goes beyond the file's end; is the file truncated?", (unsigned long long)declared);
    *length = (size_t)declared;
    return 0;
}

static int read_header(struct safetensors *file)
{
    size_t length = 0, json_length = 0;
    if (read_length(file, &length))
        return -1;
    const char *text = (const char *)file->bytes + LENGTH_BYTES;
    if (length == 0 || text[0] != '{')
        return fail("no safetensors file: header does not begin with '{'");
    if (!utf8_valid(text, length))
        return fail("header is not valid UTF-8");
    if (scan_header(text, length, &json_length))
        return -1;
    file->data = file->bytes + LENGTH_BYTES + length;
    file->data_size = file->size - LENGTH_BYTES - length;
    file->header = json_parse(text, json_length, "header");
    return file->header ? 0 : -1;
}

static int check_metadata(const json_t *metadata)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return fail("__metadata__ is no object");
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value)
        if (!json_is_string(value))
            return fail("__metadata__: '%.100s' is no string", key);
    return 0;
}

static int read_type(const json_t *value, enum element_type *type)
{
    const char *name = json_string_value(value);
    if (!name)
        return fail("dtype is no string");
    for (int i = 0; i < ELEMENT_TYPES; i++)
        if (strcmp(element_name((enum element_type)i), name) == 0) {
            *type = (enum element_type)i;
            return 0;
        }
    return fail("dtype '%.40s' is not known", name);
}

/* Fills rank and shape; *bytes is what they need. */
static int read_shape(const json_t *value, struct array *array, uint64_t *bytes)
{
    if (!json_is_array(value))
        return fail("shape is no array");
    if (json_array_size(value) > ARRAY_MAX_RANK)
        return fail("shape has %zu dimensions, more than %d", json_array_size(value), ARRAY_MAX_RANK);
    array->rank = (int)json_array_size(value);
    *bytes = element_size(array->type);
    for (int i = 0; i < array->rank; i++) {
        const json_t *extent = json_array_get(value, (size_t)i);
        if (!json_is_integer(extent))
            return fail("shape holds something else than whole numbers");
        array->shape[i] = json_integer_value(extent);
        if (__builtin_mul_overflow(*bytes, (uint64_t)array->shape[i], bytes))
            return fail("shape %s has more bytes than 64 bits count", shape_text(array->rank, array->shape));
    }
    return 0;
}

static int read_offsets(const struct safetensors *file, const json_t *value, struct array *array, uint64_t bytes)
{
    const json_t *first = json_array_get(value, 0), *last = json_array_get(value, 1);
    if (json_array_size(value) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return fail("data_offsets is no pair of whole numbers");
    uint64_t begin = (uint64_t)json_integer_value(first), end = (uint64_t)json_integer_value(last);
    if (begin > end)
        return fail("data_offsets begin at %llu, after their end %llu", (unsigned long long)begin, (unsigned long long)end);
    if (end > file->data_size)
        return fail("data ends at byte %llu, but the file holds %zu; is the file truncated?", (unsigned long long)end,
                    file->data_size);
    if (end - begin != bytes)
        return fail("data has %llu bytes, but shape %s of %s needs %llu", (unsigned long long)(end - begin),
                    shape_text(array->rank, array->shape), element_name(array->type), (unsigned long long)bytes);
    array->data = file->data + begin;
    array->bytes = (size_t)bytes;
    return 0;
}

static int read_fields(const struct safetensors *file, const json_t *entry, struct array *array)
{
    const json_t *type = json_object_get(entry, "dtype"), *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    uint64_t bytes = 0;
    if (!json_is_object(entry))
        return fail("not described by an object");
    if (!type || !shape || !offsets || json_object_size(entry) != FIELDS)
        return fail("fields are not just dtype, shape and data_offsets");
    if (read_type(type, &array->type) || read_shape(shape, array, &bytes))
        return -1;
    return read_offsets(file, offsets, array, bytes);
}

static int read_arrays(struct safetensors *file)
{
    const char *name;
    json_t *entry;
    file->arrays = allocate(json_object_size(file->header), sizeof *file->arrays);
    json_object_foreach(file->header, name, entry) {
        if (strcmp(name, "__metadata__") == 0) {
            if (check_metadata(entry))
                return -1;
            continue;
        }
        struct array *array = &file->arrays[file->count++];
        array->name = name;
        if (read_fields(file, entry, array))
            return failure_within("tensor '%.200s'", name);
    }
    return 0;
}

static int by_place(const void *left, const void *right)
{
    const struct array *a = left, *b = right;
    if (a->data != b->data)
        return (uintptr_t)a->data < (uintptr_t)b->data ? -1 : 1;
    return (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

static int by_name(const void *left, const void *right)
{
    const struct array *a = left, *b = right;
    return strcmp(a->name, b->name);
}

/* The arrays must cover the data exactly: no hole, no overlap, nothing behind. */
static int check_cover(struct safetensors *file)
{
    const unsigned char *expected = file->data;
    qsort(file->arrays, file->count, sizeof *file->arrays, by_place);
    for (size_t i = 0; i < file->count; i++) {
        const struct array *array = &file->arrays[i];
        const unsigned char *begin = array->data;
        if (begin > expected)
            return fail("%zu bytes before tensor '%.200s' belong to none", (size_t)(begin - expected), array->name);
        if (begin < expected)
            return fail("tensor '%.200s' overlaps the one before it", array->name);
        expected = begin + array->bytes;
    }
    size_t left = file->data_size - (size_t)(expected - file->data);
    if (left)
        return fail("%zu bytes after the last tensor belong to none", left);
    qsort(file->arrays, file->count, sizeof *file->arrays, by_name);
    return 0;
}

struct safetensors *safetensors_open(const char *path)
{
    struct safetensors *file = allocate(1, sizeof *file);
    if (file_map(path, &file->bytes, &file->size)) {
        safetensors_close(file);
        return NULL;
    }
    if (read_header(file) || read_arrays(file) || check_cover(file)) {
        failure_within("'%s'", path);
        safetensors_close(file);
        return NULL;
    }
    return file;
}

void safetensors_close(struct safetensors *file)
{
    if (!file)
        return;
    free(file->arrays);
    json_decref(file->header);
    file_unmap(file->bytes, file->size);
    free(file);
}

size_t safetensors_count(const struct safetensors *file)
{
    return file->count;
}

const struct array *safetensors_array(const struct safetensors *file, size_t index)
{
    return &file->arrays[index];
}

const struct array *safetensors_find(const struct safetensors *file, const char *name)
{
    struct array wanted = {.name = name};
    return file->count ? bsearch(&wanted, file->arrays, file->count, sizeof wanted, by_name) : NULL;
}

const char *safetensors_metadata(const struct safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, "__metadata__"), key));
}
