/* SPDX-License-Identifier: Apache-2.0
 * The writer: one result for one content. Keys are sorted; the data is ordered by falling element size, then by
 * name, and begins at a multiple of 64 bytes (the header is padded with spaces), so that every array is aligned.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "formats/safetensors.h"

enum { LENGTH_BYTES = 8, ALIGNMENT = 64 };

static int by_size_and_name(const void *left, const void *right)
{
    const struct array *a = *(const struct array *const *)left, *b = *(const struct array *const *)right;
    size_t size_a = element_size(a->type), size_b = element_size(b->type);
    return size_a != size_b ? (size_a < size_b ? 1 : -1) : strcmp(a->name, b->name);
}

static const struct array **in_order(const struct array *arrays, size_t count)
{
    const struct array **order = allocate(count, sizeof *order);
    for (size_t i = 0; i < count; i++)
        order[i] = &arrays[i];
    qsort(order, count, sizeof *order, by_size_and_name);
    return order;
}

static json_t *describe(const struct array *array, size_t begin)
{
    json_t *shape = json_array();
    for (int i = 0; i < array->rank; i++)
        json_array_append_new(shape, json_integer(array->shape[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", element_name(array->type), "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)(begin + array->bytes));
}

static char *header_text(const struct array **order, size_t count, const json_t *metadata)
{
    json_t *header = json_object();
    size_t begin = 0;
    if (metadata)
        json_object_set_new(header, "__metadata__", json_deep_copy(metadata));
    for (size_t i = 0; i < count; i++) {
        assert(!json_object_get(header, order[i]->name));
        json_object_set_new(header, order[i]->name, describe(order[i], begin));
        begin += order[i]->bytes;
    }
    char *text = json_canonical(header);
    json_decref(header);
    return text;
}

static int write_header(struct output *output, const char *text)
{
    size_t length = strlen(text), padded = (LENGTH_BYTES + length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - LENGTH_BYTES;
    struct text header = {0};
    for (int i = 0; i < LENGTH_BYTES; i++) {
        char byte = (char)((uint64_t)padded >> (8 * i) & 255);
        text_append_bytes(&header, &byte, 1);
    }
    text_append(&header, text);
    while (header.length < LENGTH_BYTES + padded)
        text_append(&header, " ");
    int result = output_write(output, header.data, header.length);
    text_release(&header);
    return result;
}

static int write_all(struct output *output, const struct array **order, size_t count, const json_t *metadata,
                     array_writer *write, void *context)
{
    char *text = header_text(order, count, metadata);
    int result = text ? write_header(output, text) : fail("cannot write '%s': metadata is not valid UTF-8", output->path);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = write(context, output, order[i]);
    free(text);
    return result;
}

static int write_data(void *context, struct output *output, const struct array *array)
{
    (void)context;
    return output_write(output, array->data, array->bytes);
}

int safetensors_write(const char *path, const struct array *arrays, size_t count, const json_t *metadata)
{
    return safetensors_stream(path, arrays, count, metadata, write_data, NULL);
}

int safetensors_stream(const char *path, const struct array *arrays, size_t count, const json_t *metadata, array_writer *write,
                       void *context)
{
    struct output output;
    if (output_open(&output, path))
        return -1;
    const struct array **order = in_order(arrays, count);
    int result = write_all(&output, order, count, metadata, write, context);
    free(order);
    if (result == 0)
        return output_commit(&output);
    output_discard(&output);
    return -1;
}
