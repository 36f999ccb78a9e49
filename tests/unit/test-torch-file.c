/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "formats/torch-file.h"
#include "scratch.h"

/* An archive of stored members; sizes and places are small. */
static void put(struct text *text, uint64_t value, int width)
{
    for (; width; width--, value >>= 8)
        text_append_bytes(text, (const char[]){(char)value}, 1);
}

struct part {
    const char *name, *data;
    size_t length;
};

static void put_header(struct text *text, const struct part *part, bool directory, size_t place)
{
    put(text, directory ? 0x02014b50 : 0x04034b50, 4);
    put(text, 20, directory ? 4 : 2), put(text, 0, 4), put(text, 0, 8);
    put(text, part->length, 4), put(text, part->length, 4), put(text, strlen(part->name), 2), put(text, 0, 2);
    if (directory)
        put(text, 0, 10), put(text, place, 4);
    text_append(text, part->name);
}

static char *archive(const char *name, const struct part *parts, size_t count)
{
    struct text text = {0}, directory = {0};
    for (size_t i = 0; i < count; i++) {
        put_header(&directory, &parts[i], true, text.length);
        put_header(&text, &parts[i], false, 0);
        text_append_bytes(&text, parts[i].data, parts[i].length);
    }
    size_t place = text.length;
    text_append_bytes(&text, directory.data, directory.length);
    put(&text, 0x06054b50, 4), put(&text, 0, 4), put(&text, count, 2), put(&text, count, 2);
    put(&text, directory.length, 4), put(&text, place, 4), put(&text, 0, 2);
    char *path = scratch_file(name, text.data, text.length);
    text_release(&text);
    text_release(&directory);
    return path;
}

#define PART(name, text) {name, text, sizeof(text) - 1}
#define STORAGE(type, key, count) "(U\7storagectorch\n" type "Storage\nU\1" key "U\3cpuK" count "tQ"
#define TENSOR(storage, offset, shape, stride) \
    "ctorch._utils\n_rebuild_tensor_v2\n(" storage "K" offset shape stride "\x89" "ccollections\nOrderedDict\n)RtR"
#define SHORTS "\1\0\2\0\3\0\4\0\5\0\6\0"
#define SIX STORAGE("Short", "0", "\6")

/* A file of one pickle and the storage 0 of six shorts. */
static char *file_of(const char *pickle, size_t length)
{
    const struct part parts[] = {{"x/data.pkl", pickle, length}, PART("x/data/0", SHORTS), PART("x/byteorder", "little")};
    return archive("x.bin", parts, COUNT_OF(parts));
}

#define FILE_OF(text) file_of(text, sizeof(text) - 1)
#define DICT(content) "\x80\2}(" content "u."

static void assert_shorts(const struct torch_file *file, const char *name, const char *shape, const int16_t *expected, size_t count)
{
    const struct array *array = torch_file_find(file, name);
    assert_non_null(array);
    assert_int_equal(array->type, ELEMENT_I16);
    assert_string_equal(shape_text(array->rank, array->shape), shape);
    assert_int_equal(array->bytes, 2 * count);
    assert_memory_equal(array->data, expected, 2 * count);
}

/* One storage, many windows: whole, a slice, transposed, every second, a single value, empty. */
static void windows_into_one_storage(void **state)
{
    (void)state;
    char *path = FILE_OF(DICT("U\1a" TENSOR(SIX, "\0", "K\2K\3\x86", "K\3K\1\x86")
                              "U\1b" TENSOR(SIX, "\2", "K\2\x85", "K\1\x85")
                              "U\1c" TENSOR(SIX, "\0", "K\3K\2\x86", "K\1K\3\x86")
                              "U\1d" TENSOR(SIX, "\1", "K\3\x85", "K\2\x85")
                              "U\1e" TENSOR(SIX, "\5", ")", ")")
                              "U\1f" TENSOR(SIX, "\0", "K\0K\7\x86", "K\7K\1\x86")
                              "U\1g" TENSOR(SIX, "\3", "K\1K\3\x86", "K\5K\1\x86")
                              "U\1hK\1U\1iN"));
    struct torch_file *file = torch_file_open(path);
    assert_string_equal(failure_text(), "");
    assert_int_equal(torch_file_count(file), 7);
    assert_shorts(file, "a", "[2, 3]", (int16_t[]){1, 2, 3, 4, 5, 6}, 6);
    assert_shorts(file, "b", "[2]", (int16_t[]){3, 4}, 2);
    assert_shorts(file, "c", "[3, 2]", (int16_t[]){1, 4, 2, 5, 3, 6}, 6);
    assert_shorts(file, "d", "[3]", (int16_t[]){2, 4, 6}, 3);
    assert_shorts(file, "e", "[]", (int16_t[]){6}, 1);
    assert_shorts(file, "f", "[0, 7]", NULL, 0);
    assert_shorts(file, "g", "[1, 3]", (int16_t[]){4, 5, 6}, 3);
    const char *first = torch_file_find(file, "a")->data;
    assert_ptr_equal(torch_file_find(file, "b")->data, first + 4); /* in place */
    assert_ptr_equal(torch_file_find(file, "g")->data, first + 6);
    assert_string_equal(torch_file_array(file, 6)->name, "g");
    torch_file_close(file);
    free(path);
}

static void audiocraft_files(void **state)
{
    (void)state;
    size_t length;
    char *path = FILE_OF(DICT("U\12best_state}U\1a" TENSOR(SIX, "\0", "K\6\x85", "K\1\x85") "sU\6xp.cfgU\4a: 1U\7versionN"));
    struct torch_file *file = torch_file_open(path);
    assert_int_equal(torch_file_count(file), 1);
    assert_memory_equal(torch_file_text(file, "xp.cfg", &length), "a: 1", 4);
    assert_int_equal(length, 4);
    assert_null(torch_file_text(file, "version", &length));
    torch_file_close(file);
    free(path);
    path = FILE_OF(DICT("U\12pretrainedU\3a/bU\10exported\x88"));
    file = torch_file_open(path);
    assert_int_equal(torch_file_count(file), 0);
    assert_memory_equal(torch_file_text(file, "pretrained", &length), "a/b", 3);
    torch_file_close(file);
    free(path);
    static const char bare[] = "\x80\2}U\12pretrainedU\3a/bs.";
    path = scratch_file("bare.bin", bare, sizeof bare - 1);
    file = torch_file_open(path);
    assert_memory_equal(torch_file_text(file, "pretrained", &length), "a/b", 3);
    torch_file_close(file);
    free(path);
}

static void refuses(char *path, const char *reason)
{
    assert_null(torch_file_open(path));
    assert_refused(path, reason);
    free(path);
}

static void what_a_tensor_claims_is_checked(void **state)
{
    (void)state;
    refuses(FILE_OF(DICT("U\1a" TENSOR(SIX, "\1", "K\6\x85", "K\1\x85"))), "goes beyond its storage");
    refuses(FILE_OF(DICT("U\1a" TENSOR(SIX, "\0", "K\2K\3\x86", "K\4K\1\x86"))), "goes beyond its storage");
    refuses(FILE_OF(DICT("U\1a" TENSOR(SIX, "\7", "K\0\x85", "K\1\x85"))), "goes beyond its storage");
    refuses(FILE_OF(DICT("U\1a" TENSOR(SIX, "\0", "M\350\3\x85", "K\0\x85"))), "goes beyond its storage"); /* expanded */
    refuses(FILE_OF(DICT("U\1a" TENSOR(STORAGE("Short", "0", "\7"), "\0", "K\1\x85", "K\1\x85"))), "too few for 7 values");
    refuses(FILE_OF(DICT("U\1a" TENSOR(STORAGE("Float", "0", "\4"), "\0", "K\1\x85", "K\1\x85"))), "too few for 4 values");
    refuses(FILE_OF(DICT("U\1a" TENSOR(STORAGE("Short", "1", "\1"), "\0", "K\1\x85", "K\1\x85"))), "not in the archive");
    refuses(FILE_OF(DICT("U\1a" TENSOR(SIX, "\0", "(\x8a\7\0\0\0\0\0\0\1\x8a\7\0\0\0\0\0\0\1t", "K\1K\1\x86"))), "beyond 64 bits");
    refuses(FILE_OF(DICT("U\1a" TENSOR(SIX, "\0", "K\2\x85", "\x8a\10\377\377\377\377\377\377\377\177\x85"))), "goes beyond its storage");
    refuses(FILE_OF(DICT("U\1a" TENSOR(SIX, "\1", "K\2\x85", "\x8a\10\377\377\377\377\377\377\377\177\x85"))), "beyond 64 bits");
    refuses(FILE_OF(DICT("U\1a" TENSOR(SIX, "\0", "K\1\x85", "K\1\x85") "U\1a" TENSOR(SIX, "\0", "K\1\x85", "K\1\x85"))),
            "'a' is there twice");
    refuses(FILE_OF(DICT("U\2a\0" TENSOR(SIX, "\0", "K\1\x85", "K\1\x85"))), "empty or no text");
    refuses(FILE_OF(DICT("K\1" TENSOR(SIX, "\0", "K\1\x85", "K\1\x85"))), "empty or no text");
}

/* Transposed views of one storage, one after the other: more than the file holds. */
static void copies_stay_in_proportion(void **state)
{
    struct text text = {0};
    (void)state;
    text_append_bytes(&text, "\x80\2}(", 4);
    static const char one[] = TENSOR(SIX, "\0", "K\3K\2\x86", "K\1K\3\x86");
    for (int i = 0; i < 260; i++) {
        text_append_bytes(&text, (const char[]){'U', 2, (char)('a' + i / 10), (char)('0' + i % 10)}, 4);
        if (i == 0) {
            text_append_bytes(&text, one, sizeof one - 1);
            text_append_bytes(&text, "q\0", 2);
        } else {
            text_append_bytes(&text, "h\0", 2);
        }
    }
    text_append(&text, "u.");
    refuses(file_of(text.data, text.length), "larger than the file");
    text_release(&text);
}

static void what_is_no_model_is_refused(void **state)
{
    static const struct part two[] = {PART("x/data.pkl", "\x80\2}."), PART("y/data.pkl", "\x80\2}.")};
    static const struct part deep[] = {PART("x/y/data.pkl", "\x80\2}.")}, bare[] = {PART("data.pkl", "\x80\2}.")};
    static const struct part big[] = {PART("x/data.pkl", "\x80\2}."), PART("x/byteorder", "big")};
    (void)state;
    refuses(archive("x.bin", two, 2), "two pickles");
    refuses(archive("x.bin", deep, 1), "no file of PyTorch");
    refuses(archive("x.bin", bare, 1), "no file of PyTorch");
    refuses(archive("x.bin", big, 2), "not little-endian");
    refuses(FILE_OF("\x80\2}."), "no tensors");
    refuses(FILE_OF("\x80\2]."), "no dict of tensors");
    refuses(FILE_OF(DICT("U\12best_stateK\1")), "no dict of tensors");
    refuses(FILE_OF("\x80\2cos\nsystem\nU\4true\x85R."), "'os.system'");
    refuses(scratch_file("e.bin", "", 0), "no ZIP archive");
    refuses(scratch_file("e.bin", "hello", 5), "no ZIP archive");
    refuses(scratch_file("e.bin", "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\2M\xe9\3.", 21), "before 1.6");
    refuses(scratch_path("nowhere.bin"), "No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_into_one_storage),
        cmocka_unit_test(audiocraft_files),
        cmocka_unit_test(what_a_tensor_claims_is_checked),
        cmocka_unit_test(copies_stay_in_proportion),
        cmocka_unit_test(what_is_no_model_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_remove);
}
