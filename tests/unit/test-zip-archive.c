/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/zip-archive.h"
#include "scratch.h"

enum { WIDE_SIZE = 1, WIDE_STORED = 2, WIDE_HEADER = 4, LOCAL_EXTRA = 24 };

/* An archive in the making; entries of the directory are kept until the end. */
struct maker {
    unsigned char bytes[8192], directory[4096];
    size_t size, directory_size;
    int count;
};

static void put(unsigned char *bytes, size_t *size, uint64_t value, int width)
{
    for (; width; width--, value >>= 8)
        bytes[(*size)++] = (unsigned char)value;
}

static void put_text(unsigned char *bytes, size_t *size, const char *text)
{
    memcpy(bytes + *size, text, strlen(text));
    *size += strlen(text);
}

/* The local header has no sizes (a data descriptor follows in such files) and an extra field of its own. */
static void put_local(struct maker *maker, const char *name, const char *data)
{
    unsigned char *bytes = maker->bytes;
    size_t *size = &maker->size;
    put(bytes, size, 0x04034b50, 4);
    put(bytes, size, 20, 2), put(bytes, size, 8, 2), put(bytes, size, 0, 2), put(bytes, size, 0, 8), put(bytes, size, 0, 8);
    put(bytes, size, strlen(name), 2), put(bytes, size, LOCAL_EXTRA, 2);
    put_text(bytes, size, name);
    *size += LOCAL_EXTRA;
    put_text(bytes, size, data);
}

static void add(struct maker *maker, const char *name, const char *data, int wide)
{
    unsigned char *to = maker->directory;
    size_t *size = &maker->directory_size, header = maker->size, length = strlen(data);
    int fields = !!(wide & WIDE_SIZE) + !!(wide & WIDE_STORED) + !!(wide & WIDE_HEADER);
    put_local(maker, name, data);
    put(to, size, 0x02014b50, 4);
    put(to, size, 20, 2), put(to, size, 20, 2), put(to, size, 8, 2), put(to, size, 0, 2), put(to, size, 0, 8);
    put(to, size, wide & WIDE_STORED ? UINT32_MAX : length, 4), put(to, size, wide & WIDE_SIZE ? UINT32_MAX : length, 4);
    put(to, size, strlen(name), 2), put(to, size, fields ? 8u + 8 * (unsigned)fields : 0, 2), put(to, size, 0, 2);
    put(to, size, 0, 2), put(to, size, 0, 2), put(to, size, 0, 4), put(to, size, wide & WIDE_HEADER ? UINT32_MAX : header, 4);
    put_text(to, size, name);
    if (fields) {
        put(to, size, 0x4246, 2), put(to, size, 0, 2); /* a field that means nothing here */
        put(to, size, 1, 2), put(to, size, 8 * (uint64_t)fields, 2);
        if (wide & WIDE_SIZE)
            put(to, size, length, 8);
        if (wide & WIDE_STORED)
            put(to, size, length, 8);
        if (wide & WIDE_HEADER)
            put(to, size, header, 8);
    }
    maker->count++;
}

static void put_end64(struct maker *maker, uint64_t directory)
{
    unsigned char *to = maker->bytes;
    size_t *size = &maker->size, end = maker->size;
    put(to, size, 0x06064b50, 4), put(to, size, 44, 8), put(to, size, 45, 2), put(to, size, 45, 2), put(to, size, 0, 8);
    put(to, size, (uint64_t)maker->count, 8), put(to, size, (uint64_t)maker->count, 8), put(to, size, maker->directory_size, 8);
    put(to, size, directory, 8);
    put(to, size, 0x07064b50, 4), put(to, size, 0, 4), put(to, size, end, 8), put(to, size, 1, 4);
}

static void finish(struct maker *maker, bool wide)
{
    unsigned char *to = maker->bytes;
    size_t *size = &maker->size, directory = maker->size;
    uint64_t count = wide ? UINT16_MAX : (uint64_t)maker->count;
    memcpy(to + *size, maker->directory, maker->directory_size);
    *size += maker->directory_size;
    if (wide)
        put_end64(maker, directory);
    put(to, size, 0x06054b50, 4), put(to, size, 0, 4), put(to, size, count, 2), put(to, size, count, 2);
    put(to, size, wide ? UINT32_MAX : maker->directory_size, 4), put(to, size, wide ? UINT32_MAX : directory, 4);
    put(to, size, 0, 2);
}

static struct maker *simple(void)
{
    struct maker *maker = test_calloc(1, sizeof *maker);
    add(maker, "m/b", "second", 0);
    add(maker, "m/a", "first", 0);
    finish(maker, false);
    return maker;
}

static void assert_holds(struct maker *maker, const char *name, const char *data)
{
    struct zip_archive archive;
    assert_int_equal(zip_archive_read(&archive, maker->bytes, maker->size), 0);
    const struct zip_member *member = zip_archive_find(&archive, name);
    assert_non_null(member);
    assert_int_equal(member->size, strlen(data));
    assert_memory_equal(member->data, data, member->size);
    assert_null(zip_archive_find(&archive, "m/none"));
    zip_archive_release(&archive);
}

static void members_are_found(void **state)
{
    (void)state;
    struct maker *maker = simple();
    assert_true(zip_archive_begins(maker->bytes, maker->size));
    assert_holds(maker, "m/a", "first");
    assert_holds(maker, "m/b", "second");
    test_free(maker);
}

/* Each of size, stored size and place may be in the ZIP64 field without the others; so may those of the end record. */
static void zip64_fields_are_independent(void **state)
{
    (void)state;
    for (int wide = 0; wide < 16; wide++) {
        struct maker *maker = test_calloc(1, sizeof *maker);
        add(maker, "m/x", "before", 0);
        add(maker, "m/a", "first", wide & 7);
        finish(maker, wide & 8);
        assert_holds(maker, "m/a", "first");
        assert_holds(maker, "m/x", "before");
        test_free(maker);
    }
}

static void a_comment_may_follow(void **state)
{
    (void)state;
    struct maker *maker = simple();
    maker->bytes[maker->size - 2] = 7;
    maker->size += 7;
    assert_holds(maker, "m/a", "first");
    test_free(maker);
}

static void assert_bytes_refused(struct maker *maker, const char *reason)
{
    struct zip_archive archive;
    assert_int_equal(zip_archive_read(&archive, maker->bytes, maker->size), -1);
    assert_refused("", reason);
    assert_null(archive.members);
    test_free(maker);
}

static void names_stay_inside(void **state)
{
    static const char *const names[][2] = {{"/m/a", "no relative name"}, {"../a", "leads out"}, {"m/../a", "leads out"},
                                           {"m/..", "leads out"},        {"", "empty"},         {"m/\xff", "no text"}};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct maker *maker = test_calloc(1, sizeof *maker);
        add(maker, names[i][0], "data", 0);
        finish(maker, false);
        assert_bytes_refused(maker, names[i][1]);
    }
    struct maker *maker = test_calloc(1, sizeof *maker);
    add(maker, "m/..a", "data", 0);
    finish(maker, false);
    assert_holds(maker, "m/..a", "data");
    test_free(maker);
}

/* A byte of the second entry of simple()'s directory, or of the end record. */
static void what_pytorch_never_writes_is_refused(void **state)
{
    static const struct {
        size_t at; /* in the directory */
        unsigned char value;
        const char *reason;
    } wrong[] = {
        {0, 'Q', "directory is damaged"},  {8, 1, "encrypted"},          {10, 8, "compressed"},
        {20, 99, "compressed"},            {34, 1, "several parts"},     {42, 5, "local header is not where"},
        {28, 200, "directory is damaged"}, {48, 'z', "has another name"}, {30, 2, "directory is damaged"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct maker *maker = simple();
        maker->bytes[maker->size - 22 - maker->directory_size + wrong[i].at] = wrong[i].value;
        assert_bytes_refused(maker, wrong[i].reason);
    }
}

static void sizes_are_checked(void **state)
{
    (void)state;
    struct maker *twice = test_calloc(1, sizeof *twice), *beyond = test_calloc(1, sizeof *beyond), *cut = simple();
    add(twice, "m/a", "data", 0);
    add(twice, "m/a", "data", 0);
    finish(twice, false);
    assert_bytes_refused(twice, "'m/a' is there twice");
    add(beyond, "m/a", "data", WIDE_SIZE | WIDE_STORED);
    memset(beyond->directory + beyond->directory_size - 16, 0x7f, 16);
    finish(beyond, false);
    assert_bytes_refused(beyond, "goes beyond the archive");
    cut->size -= 1;
    assert_bytes_refused(cut, "end record is missing");
    struct maker *many = simple();
    memset(many->bytes + many->size - 14, 0x70, 4);
    assert_bytes_refused(many, "cannot hold");
    struct maker *same = simple(); /* both entries at one local header: the second's name is not there */
    memset(same->bytes + same->size - 22 - same->directory_size + 42, 0, 4);
    memset(same->bytes + same->size - 22 - same->directory_size / 2 + 42, 0, 4);
    assert_bytes_refused(same, "has another name");
}

static void overlaps_are_refused(void **state)
{
    (void)state;
    struct maker *maker = test_calloc(1, sizeof *maker);
    add(maker, "m/a", "first", 0);
    add(maker, "m/b", "second", 0);
    maker->directory[20] = maker->directory[24] = 40; /* the first reaches into the second's header */
    finish(maker, false);
    assert_bytes_refused(maker, "'m/a' and 'm/b' overlap");
}

static void every_shorter_file_is_refused(void **state)
{
    (void)state;
    struct maker *maker = test_calloc(1, sizeof *maker);
    add(maker, "m/a", "first", WIDE_HEADER);
    finish(maker, true);
    for (size_t size = 0; size < maker->size; size++) {
        struct zip_archive archive;
        unsigned char *copy = malloc(size ? size : 1); /* its end is where the sanitizer looks */
        memcpy(copy, maker->bytes, size);
        assert_int_equal(zip_archive_read(&archive, copy, size), -1);
        failure_clear();
        free(copy);
    }
    test_free(maker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found),
        cmocka_unit_test(zip64_fields_are_independent),
        cmocka_unit_test(a_comment_may_follow),
        cmocka_unit_test(names_stay_inside),
        cmocka_unit_test(what_pytorch_never_writes_is_refused),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(overlaps_are_refused),
        cmocka_unit_test(every_shorter_file_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_remove);
}
