/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

enum { BLOCK_SIZE = 1 << 16, OPEN_FOLDERS = 16 };

static int read_all(int descriptor, const char *path, size_t limit, struct text *content)
{
    char *block = allocate(1, BLOCK_SIZE);
    ssize_t got;
    while ((got = read(descriptor, block, BLOCK_SIZE)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            fail("cannot read '%s': %s", path, strerror(errno));
            break;
        }
        if ((size_t)got > limit - content->length) {
            fail("'%s' is too large: more than %zu bytes", path, limit);
            break;
        }
        text_append_bytes(content, block, (size_t)got);
    }
    free(block);
    return got == 0 ? 0 : -1;
}

int file_read(const char *path, size_t limit, struct text *content)
{
    text_release(content);
    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, "stdin", limit, content);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return fail("cannot open '%s': %s", path, strerror(errno));
    int result = read_all(descriptor, path, limit, content);
    close(descriptor);
    return result;
}

int file_open(const char *path)
{
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* the open of a pipe would wait for its writer */
    if (descriptor < 0)
        return fail("cannot open '%s': %s", path, strerror(errno));
    if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode))
        return descriptor;
    close(descriptor);
    return fail("cannot read '%s': not a regular file", path);
}

static int map_descriptor(int descriptor, const char *path, const unsigned char **data, size_t *size)
{
    struct stat status;
    if (fstat(descriptor, &status))
        return fail("cannot read '%s': %s", path, strerror(errno));
    *size = (size_t)status.st_size;
    *data = NULL;
    if (*size == 0)
        return 0;
    void *mapping = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (mapping == MAP_FAILED)
        return fail("cannot map '%s': %s", path, strerror(errno));
    *data = mapping;
    return 0;
}

int file_map(const char *path, const unsigned char **data, size_t *size)
{
    int descriptor = file_open(path);
    if (descriptor < 0)
        return -1;
    int result = map_descriptor(descriptor, path, data, size);
    close(descriptor);
    return result;
}

void file_unmap(const unsigned char *data, size_t size)
{
    if (data)
        munmap((void *)(uintptr_t)data, size);
}

int file_write(const char *path, const void *bytes, size_t length)
{
    struct output output = {0};
    if (output_open(&output, path) || output_write(&output, bytes, length)) {
        output_discard(&output);
        return -1;
    }
    return output_commit(&output);
}

int file_not_replaced(const char *input, const char *output)
{
    struct stat in, out;
    if (!input || !output || stat(input, &in) || stat(output, &out) || !S_ISREG(in.st_mode))
        return 0;
    bool same = in.st_dev == out.st_dev && in.st_ino == out.st_ino;
    return same ? misuse("'%s' cannot be both input and output: it would be replaced", output) : 0;
}

bool file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

bool folder_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int folder_make(const char *path)
{
    char *copy = copy_string(path);
    int result = 0;
    for (char *at = copy + 1; result == 0 && at[-1]; at++) {
        char kept = *at;
        if (kept && kept != '/')
            continue;
        *at = 0;
        if (mkdir(copy, 0777) && errno != EEXIST)
            result = fail("cannot make folder '%s': %s", copy, strerror(errno));
        *at = kept;
        if (!kept)
            break;
    }
    if (result == 0 && !folder_exists(path))
        result = fail("cannot make folder '%s': it exists and is no folder", path);
    free(copy);
    return result;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

int folder_remove(const char *path)
{
    if (nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
        return 0;
    return fail("cannot remove '%s': %s", path, strerror(errno));
}

int folder_sync(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return fail("cannot open folder '%s': %s", path, strerror(errno));
    int result = fsync(descriptor) && errno != EINVAL ? fail("cannot sync '%s': %s", path, strerror(errno)) : 0;
    close(descriptor);
    return result;
}
