/* SPDX-License-Identifier: Apache-2.0
 * The archive's members are ROOT/data.pkl, a pickle in which tensors refer to storages by a key, and ROOT/data/KEY, their
 * raw little-endian values. A tensor is a window into a storage: several may share one, none need cover it.
 */
#include "formats/torch-file.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "formats/pickle.h"
#include "formats/zip-archive.h"

enum { PICKLE_MAX_BYTES = 16 << 20, POINTER_MAX_BYTES = 4096, KEY_MAX_BYTES = 100, TEXT_MAX_BYTES = 16 };

struct torch_file {
    const unsigned char *bytes; /* the mapped file */
    size_t size;
    struct zip_archive archive;
    char *root;                 /* "archive/" */
    struct pickle *pickle;
    struct array *arrays;
    size_t count;
    void **copies;              /* of what does not lie in order: [copy_count] */
    size_t copy_count, copy_capacity, copy_bytes;
};

/* the archive */

/* "ROOT/" of the one member ROOT/data.pkl. */
static int find_root(struct torch_file *file)
{
    static const char ending[] = "/data.pkl";
    for (size_t i = 0; i < file->archive.count; i++) {
        const char *name = file->archive.members[i].name, *slash = strchr(name, '/');
        if (!slash || slash == name || strcmp(slash, ending) != 0)
            continue;
        if (file->root)
            return fail("two pickles in it, '%.100sdata.pkl' and '%.100s'", file->root, name);
        file->root = copy_bytes(name, (size_t)(slash + 1 - name));
    }
    return file->root ? 0 : fail("no file of PyTorch: the archive holds no 'data.pkl' in a folder of its own");
}

/* Member "ROOT/" "folder" "key", or NULL. */
static const struct zip_member *member(const struct torch_file *file, const char *folder, const char *key, size_t length)
{
    char *name = format_string("%s%s%.*s", file->root, folder, (int)length, key);
    const struct zip_member *found = zip_archive_find(&file->archive, name);
    free(name);
    return found;
}

static int check_byte_order(const struct torch_file *file)
{
    const struct zip_member *order = member(file, "", "byteorder", strlen("byteorder"));
    if (order && (order->size > TEXT_MAX_BYTES || order->size < 6 || memcmp(order->data, "little", 6) != 0))
        return fail("its values are not little-endian; save it again on a little-endian machine");
    return 0;
}

static int read_archive(struct torch_file *file)
{
    if (zip_archive_read(&file->archive, file->bytes, file->size) || find_root(file) || check_byte_order(file))
        return -1;
    const struct zip_member *data = member(file, "", "data.pkl", strlen("data.pkl"));
    if (data->size > PICKLE_MAX_BYTES)
        return fail("its pickle has %zu bytes, more than %d", data->size, PICKLE_MAX_BYTES);
    file->pickle = pickle_read(data->data, data->size);
    return file->pickle ? 0 : -1;
}

/* tensors */

/* *elements: the product of the shape. *last: the index of the last element in the storage, if there are elements. */
static int measure(const struct pickle_tensor *tensor, int64_t *elements, int64_t *last)
{
    bool overflow = false;
    *elements = 1;
    *last = tensor->offset;
    for (int i = 0; i < tensor->rank; i++) {
        int64_t step;
        overflow |= __builtin_mul_overflow(*elements, tensor->shape[i], elements);
        if (tensor->shape[i] > 0)
            overflow |= __builtin_mul_overflow(tensor->shape[i] - 1, tensor->stride[i], &step) ||
                        __builtin_add_overflow(*last, step, last);
    }
    return overflow ? fail("its shape or strides are beyond 64 bits") : 0;
}

static bool is_in_order(const struct pickle_tensor *tensor)
{
    int64_t expected = 1;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        if (tensor->shape[i] != 1 && tensor->stride[i] != expected)
            return false;
        expected *= tensor->shape[i];
    }
    return true;
}

/* Row-major order: the last index runs fastest. */
static void copy_in_order(unsigned char *to, const unsigned char *from, const struct pickle_tensor *tensor, int64_t elements, size_t size)
{
    int64_t index[ARRAY_MAX_RANK] = {0}, at = 0;
    for (int64_t i = 0; i < elements; i++) {
        memcpy(to + (size_t)i * size, from + (size_t)at * size, size);
        for (int axis = tensor->rank - 1; axis >= 0; axis--) {
            at += tensor->stride[axis];
            if (++index[axis] < tensor->shape[axis])
                break;
            at -= index[axis] * tensor->stride[axis];
            index[axis] = 0;
        }
    }
}

/* Copies cost no more memory than the file has bytes, whatever it claims. */
static int copy_array(struct torch_file *file, struct array *array, const struct pickle_tensor *tensor, const unsigned char *from)
{
    if (array->bytes > file->size - file->copy_bytes)
        return fail("the tensors that must be copied into order are larger than the file");
    unsigned char *copy = allocate(array->bytes + 1, 1);
    copy_in_order(copy, from, tensor, array_elements(array), element_size(array->type));
    file->copies = grow(file->copies, file->copy_count, &file->copy_capacity, sizeof *file->copies);
    file->copies[file->copy_count++] = copy;
    file->copy_bytes += array->bytes;
    array->data = copy;
    return 0;
}

/* The bytes of a storage, of which the file must hold as many as it says. */
static const unsigned char *storage_bytes(const struct torch_file *file, const struct pickle_value *storage)
{
    const struct zip_member *data = NULL;
    if (storage->text.length <= KEY_MAX_BYTES)
        data = member(file, "data/", storage->text.bytes, storage->text.length);
    if (!data)
        fail("its storage is not in the archive");
    else if ((uint64_t)storage->elements > data->size / element_size(storage->type))
        fail("its storage has %zu bytes, too few for %lld values of type %s", data->size, (long long)storage->elements,
             element_name(storage->type));
    return failed() ? NULL : data->data;
}

static int read_tensor(struct torch_file *file, const struct pickle_tensor *tensor, struct array *array)
{
    const struct pickle_value *storage = tensor->storage;
    const unsigned char *bytes = storage_bytes(file, storage);
    int64_t elements, last;
    if (!bytes || measure(tensor, &elements, &last))
        return -1;
    if (elements > storage->elements || tensor->offset > storage->elements || (elements && last >= storage->elements))
        return fail("shape %s from element %lld on goes beyond its storage of %lld", shape_text(tensor->rank, tensor->shape),
                    (long long)tensor->offset, (long long)storage->elements);
    size_t size = element_size(storage->type);
    array->type = storage->type;
    array->rank = tensor->rank;
    memcpy(array->shape, tensor->shape, sizeof array->shape);
    array->bytes = (size_t)elements * size;
    array->data = bytes + (size_t)tensor->offset * size;
    return elements == 0 || is_in_order(tensor) ? 0 : copy_array(file, array, tensor, array->data);
}

static int by_name(const void *left, const void *right)
{
    const struct array *a = left, *b = right;
    return strcmp(a->name, b->name);
}

static char *copy_name(const struct pickle_value *key)
{
    char *name = key->kind == PICKLE_TEXT ? copy_bytes(key->text.bytes, key->text.length) : NULL;
    if (name && key->text.length && strlen(name) == key->text.length && utf8_valid(name, key->text.length))
        return name;
    free(name);
    fail("a tensor's name is empty or no text");
    return NULL;
}

/* The tensors of a map; what else it holds means nothing. */
static int read_tensors(struct torch_file *file, const struct pickle_value *map)
{
    file->arrays = allocate(map->list.count / 2 + 1, sizeof *file->arrays);
    for (size_t i = 0; i < map->list.count; i += 2) {
        if (map->list.items[i + 1]->kind != PICKLE_TENSOR)
            continue;
        struct array *array = &file->arrays[file->count];
        if (!(array->name = copy_name(map->list.items[i])))
            return -1;
        file->count++;
        if (read_tensor(file, map->list.items[i + 1]->tensor, array))
            return failure_within("tensor '%.200s'", array->name);
    }
    qsort(file->arrays, file->count, sizeof *file->arrays, by_name);
    for (size_t i = 1; i < file->count; i++)
        if (strcmp(file->arrays[i].name, file->arrays[i - 1].name) == 0)
            return fail("tensor '%.200s' is there twice", file->arrays[i].name);
    return 0;
}

static int read_content(struct torch_file *file)
{
    const struct pickle_value *root = pickle_root(file->pickle), *state = pickle_member(root, "best_state");
    size_t length;
    if (root->kind != PICKLE_MAP || (state && state->kind != PICKLE_MAP))
        return fail("it holds no dict of tensors");
    if (torch_file_text(file, "pretrained", &length))
        return 0;
    if (read_tensors(file, state ? state : root))
        return -1;
    return file->count ? 0 : fail("it holds no tensors");
}

/* A file that is no archive: the pickle alone, as some write a pointer; or what PyTorch wrote before 1.6. */
static int read_bare(struct torch_file *file)
{
    size_t length;
    if (file->size < 2 || file->bytes[0] != 0x80 || file->bytes[1] != 2)
        return fail("no file of PyTorch: it begins like no ZIP archive");
    if (file->size <= POINTER_MAX_BYTES)
        file->pickle = pickle_read(file->bytes, file->size);
    if (file->pickle && torch_file_text(file, "pretrained", &length))
        return 0;
    failure_clear();
    return fail("written by PyTorch before 1.6, in a format that is not read; take the model's 'model.safetensors', or load and save "
                "it with a newer PyTorch");
}

static int read_file(struct torch_file *file)
{
    if (!zip_archive_begins(file->bytes, file->size))
        return read_bare(file);
    return read_archive(file) || read_content(file) ? -1 : 0;
}

struct torch_file *torch_file_open(const char *path)
{
    struct torch_file *file = allocate(1, sizeof *file);
    if (file_map(path, &file->bytes, &file->size) == 0) {
        if (read_file(file) == 0)
            return file;
        failure_within("'%s'", path);
    }
    torch_file_close(file);
    return NULL;
}

void torch_file_close(struct torch_file *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->count; i++)
        free((char *)(uintptr_t)file->arrays[i].name);
    for (size_t i = 0; i < file->copy_count; i++)
        free(file->copies[i]);
    free(file->arrays);
    free(file->copies);
    pickle_free(file->pickle);
    free(file->root);
    zip_archive_release(&file->archive);
    file_unmap(file->bytes, file->size);
    free(file);
}

size_t torch_file_count(const struct torch_file *file)
{
    return file->count;
}

const struct array *torch_file_array(const struct torch_file *file, size_t index)
{
    return &file->arrays[index];
}

const struct array *torch_file_find(const struct torch_file *file, const char *name)
{
    struct array wanted = {.name = name};
    return file->count ? bsearch(&wanted, file->arrays, file->count, sizeof wanted, by_name) : NULL;
}

const char *torch_file_text(const struct torch_file *file, const char *key, size_t *length)
{
    const struct pickle_value *text = pickle_member(pickle_root(file->pickle), key);
    if (!text || text->kind != PICKLE_TEXT)
        return NULL;
    *length = text->text.length;
    return text->text.bytes;
}
