/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "formats/safetensors.h"
#include "scratch.h"

/* A file of this header and that many data bytes 0, 1, 2, ...; path to free(). */
static char *file_of(const char *header, size_t header_length, size_t data_length)
{
    struct text content = {0};
    for (int i = 0; i < 8; i++) {
        char byte = (char)((uint64_t)header_length >> (8 * i) & 255);
        text_append_bytes(&content, &byte, 1);
    }
    text_append_bytes(&content, header, header_length);
    for (size_t i = 0; i < data_length; i++) {
        char byte = (char)i;
        text_append_bytes(&content, &byte, 1);
    }
    char *path = scratch_file("file.safetensors", content.data, content.length);
    text_release(&content);
    return path;
}

static void assert_file_refused(char *path, const char *reason)
{
    assert_null(safetensors_open(path));
    assert_refused(path, reason);
    free(path);
}

static void assert_header_refused(const char *header, size_t data_length, const char *reason)
{
    assert_file_refused(file_of(header, strlen(header), data_length), reason);
}

#define TENSOR(dtype, shape, begin, end) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"

static void every_rule_is_a_check(void **state)
{
    static const struct {
        const char *header;
        size_t data;
        const char *reason;
    } hostile[] = {
        {"", 0, "does not begin with '{'"},
        {" {}", 0, "does not begin with '{'"},
        {"[]", 0, "does not begin with '{'"},
        {"{\"a\xff\":1}", 0, "not valid UTF-8"},
        {"{\"a\xed\xa0\x80\":1}", 0, "not valid UTF-8"},
        {"{\"a\"", 0, "no whole JSON object"},
        {"{\"a\\\"}", 0, "no whole JSON object"},
        {"{]", 0, "not valid JSON"},
        {"{\"a\":\"\\ud800\"}", 0, "not valid JSON"},
        {"{\"a\\u0000b\":1}", 0, "not valid JSON"},
        {"{\"a\":1,}", 0, "not valid JSON"},
        {"{}x", 0, "other than spaces after its JSON object"},
        {"{}\n", 0, "other than spaces after its JSON object"},
        {"{}{}", 0, "other than spaces after its JSON object"},
        {"{\"a\":" TENSOR("U8", "[[1]]", "0", "1") "}", 1, "nests deeper than 3"},
        {"{\"a\":" TENSOR("U8", "[1]", "0", "1") ",\"a\":" TENSOR("U8", "[1]", "0", "1") "}", 1, "duplicate"},
        {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "duplicate"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":1}}", 1, "fields are not just"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"offsets\":[0,1]}}", 1, "fields are not just"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "fields are not just"},
        {"{\"a\":1}", 0, "not described by an object"},
        {"{\"__metadata__\":[]}", 0, "__metadata__ is no object"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__: 'a' is no string"},
        {"{\"__metadata__\":{\"a\":{}}}", 0, "__metadata__: 'a' is no string"},
        {"{\"a\":" TENSOR("F4", "[1]", "0", "1") "}", 1, "dtype 'F4' is not known"},
        {"{\"a\":" TENSOR("f32", "[1]", "0", "4") "}", 4, "dtype 'f32' is not known"},
        {"{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "dtype is no string"},
        {"{\"a\":" TENSOR("U8", "1", "0", "1") "}", 1, "shape is no array"},
        {"{\"a\":" TENSOR("U8", "[\"1\"]", "0", "1") "}", 1, "something else than whole numbers"},
        {"{\"a\":" TENSOR("U8", "[-1]", "0", "1") "}", 1, "negative number"},
        {"{\"a\":" TENSOR("U8", "[1.0]", "0", "1") "}", 1, "something else than whole numbers"},
        {"{\"a\":" TENSOR("U8", "[1e0]", "0", "1") "}", 1, "something else than whole numbers"},
        {"{\"a\":" TENSOR("U8", "[9223372036854775808]", "0", "1") "}", 1, "too big integer"},
        {"{\"a\":" TENSOR("U8", "[4294967296,4294967296]", "0", "0") "}", 0, "more bytes than 64 bits count"},
        {"{\"a\":" TENSOR("F64", "[4611686018427387904]", "0", "0") "}", 0, "more bytes than 64 bits count"},
        {"{\"a\":" TENSOR("U8", "[1,1,1,1,1,1,1,1,1]", "0", "1") "}", 1, "9 dimensions, more than 8"},
        {"{\"a\":" TENSOR("U8", "[1]", "1", "0") "}", 1, "begin at 1, after their end 0"},
        {"{\"a\":" TENSOR("U8", "[2]", "0", "1") "}", 1, "has 1 bytes, but shape [2] of U8 needs 2"},
        {"{\"a\":" TENSOR("F32", "[1]", "0", "1") "}", 1, "has 1 bytes, but shape [1] of F32 needs 4"},
        {"{\"a\":" TENSOR("U8", "[2]", "0", "2") "}", 1, "ends at byte 2, but the file holds 1"},
        {"{\"a\":" TENSOR("U8", "[1]", "0", "9223372036854775807") "}", 1, "but the file holds 1"},
        {"{\"a\":" TENSOR("U8", "[1]", "0.0", "1") "}", 1, "no pair of whole numbers"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,1]}}", 1, "no pair of whole numbers"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":{}}}", 1, "no pair of whole numbers"},
        {"{\"a\":" TENSOR("U8", "[1]", "1", "2") "}", 2, "1 bytes before tensor 'a' belong to none"},
        {"{\"a\":" TENSOR("U8", "[1]", "0", "1") ",\"b\":" TENSOR("U8", "[1]", "2", "3") "}", 3, "before tensor 'b'"},
        {"{\"a\":" TENSOR("U8", "[2]", "0", "2") ",\"b\":" TENSOR("U8", "[2]", "1", "3") "}", 3, "'b' overlaps"},
        {"{\"a\":" TENSOR("U8", "[2]", "0", "2") ",\"b\":" TENSOR("U8", "[2]", "0", "2") "}", 2, "overlaps"},
        {"{\"a\":" TENSOR("U8", "[2]", "0", "2") ",\"b\":" TENSOR("U8", "[0]", "1", "1") "}", 2, "overlaps"},
        {"{\"a\":" TENSOR("U8", "[1]", "0", "1") "}", 2, "1 bytes after the last tensor belong to none"},
        {"{}", 3, "3 bytes after the last tensor belong to none"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(hostile); i++)
        assert_header_refused(hostile[i].header, hostile[i].data, hostile[i].reason);
    assert_file_refused(file_of("{\"a\0b\":1}", 9, 0), "not valid JSON");
    assert_file_refused(file_of("{}\0", 3, 0), "other than spaces");
}

static void the_length_is_not_believed(void **state)
{
    (void)state;
    assert_file_refused(scratch_file("empty", "", 0), "only 0 bytes");
    assert_file_refused(scratch_file("short", "\2\0\0\0\0\0\0", 7), "only 7 bytes");
    assert_file_refused(scratch_file("beyond", "\3\0\0\0\0\0\0\0{}", 10), "is the file truncated?");
    assert_file_refused(scratch_file("most", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10), "more than 100000000");
    assert_file_refused(scratch_file("above", "\x01\xe1\xf5\x05\0\0\0\0{}", 10), "header of 100000001 bytes, more than");
    assert_file_refused(scratch_path("missing"), "No such file");
    assert_file_refused(copy_string(scratch), "not a regular file");
}

/* A hundred million values would cost gigabytes as JSON values. */
static void values_are_counted_before_they_are_parsed(void **state)
{
    struct text header = {0};
    (void)state;
    text_append(&header, "{\"a\":[");
    for (int i = 0; i < 1000001; i++)
        text_append(&header, "1,");
    text_append(&header, "1]}");
    assert_file_refused(file_of(header.data, header.length, 0), "more than 1000000 values");
    text_release(&header);
}

static void what_is_allowed_opens(void **state)
{
    static const struct {
        const char *header;
        size_t data, count;
    } good[] = {
        {"{}", 0, 0},
        {"{}      ", 0, 0},
        {"{\"__metadata__\":{}}", 0, 0},
        {"{\"\":" TENSOR("I64", "[]", "0", "8") "}", 8, 1},
        {"{\"a\":" TENSOR("U8", "[0]", "0", "0") ",\"b\":" TENSOR("F32", "[3,0]", "0", "0") "}", 0, 2},
        {"{\"b\":" TENSOR("U8", "[1]", "0", "1") ",\"a\":" TENSOR("F64", "[2]", "1", "17") "} ", 17, 2},
        {"{ \"\xc3\xa4 { [ \\\" - \" :\n" TENSOR("BF16", "[1,1,1,1,1,1,1,1]", "0", "2") "}", 2, 1},
        {"{\"__metadata__\":{\"format\":\"pt\",\"-\":\"[[[[\"},\"a\":" TENSOR("F8_E5M2", "[1]", "0", "1") "}", 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        char *path = file_of(good[i].header, strlen(good[i].header), good[i].data);
        struct safetensors *file = safetensors_open(path);
        assert_string_equal(failure_text(), "");
        assert_int_equal(safetensors_count(file), good[i].count);
        safetensors_close(file);
        free(path);
    }
}

static const float floats[] = {1, 2, 3, 4, 5, 6};
static const int32_t numbers[] = {7, 8, 9};
static const uint16_t halves[] = {0x3c00};

static char *write_sample(const char *name)
{
    const struct array arrays[] = {
        {"z.half", ELEMENT_F16, 1, {1}, halves, sizeof halves},
        {"weights", ELEMENT_F32, 2, {2, 3}, floats, sizeof floats},
        {"ids", ELEMENT_I32, 1, {3}, numbers, sizeof numbers},
        {"none", ELEMENT_F32, 2, {0, 5}, NULL, 0},
    };
    char *path = scratch_path(name);
    json_t *metadata = json_pack("{s:s, s:s}", "tool", "test \"quoted\" \xc3\xa4", "format", "a/1");
    assert_int_equal(safetensors_write(path, arrays, COUNT_OF(arrays), metadata), 0);
    json_decref(metadata);
    return path;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    char *path = write_sample("sample.safetensors");
    struct safetensors *file = safetensors_open(path);
    assert_non_null(file);
    assert_int_equal(safetensors_count(file), 4);
    assert_string_equal(safetensors_array(file, 0)->name, "ids");
    assert_string_equal(safetensors_metadata(file, "format"), "a/1");
    assert_string_equal(safetensors_metadata(file, "tool"), "test \"quoted\" \xc3\xa4");
    assert_null(safetensors_metadata(file, "recipe"));
    const struct array *weights = safetensors_find(file, "weights");
    assert_int_equal(weights->rank, 2);
    assert_string_equal(shape_text(weights->rank, weights->shape), "[2, 3]");
    assert_int_equal(array_elements(weights), 6);
    assert_memory_equal(weights->data, floats, sizeof floats);
    assert_int_equal(array_elements(safetensors_find(file, "none")), 0);
    assert_null(safetensors_find(file, "weight"));
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const struct array *array = safetensors_array(file, i);
        assert_int_equal((uintptr_t)array->data % element_size(array->type), 0);
    }
    assert_false(failed());
    safetensors_close(file);
    free(path);
}

static void the_same_content_is_the_same_bytes(void **state)
{
    (void)state;
    char *paths[] = {write_sample("one"), write_sample("two")};
    struct text one = {0}, two = {0};
    assert_int_equal(file_read(paths[0], 10000, &one) | file_read(paths[1], 10000, &two), 0);
    assert_int_equal(one.length, two.length);
    assert_memory_equal(one.data, two.data, one.length);
    assert_int_equal((8 + (unsigned char)one.data[0] + 256 * (unsigned char)one.data[1]) % 64, 0);
    text_release(&one);
    text_release(&two);
    free(paths[0]);
    free(paths[1]);
}

static void what_cannot_be_written_fails(void **state)
{
    (void)state;
    char *path = scratch_path("no/such/folder/x");
    assert_int_equal(safetensors_write(path, NULL, 0, NULL), -1);
    assert_refused(path, "folder does not exist");
    free(path);
    const struct array empty = {"a", ELEMENT_U8, 1, {1 << 20}, allocate(1 << 20, 1), 1 << 20};
    assert_int_equal(safetensors_write("/dev/full", &empty, 1, NULL), -1);
    assert_refused("/dev/full", "No space left");
    free((void *)(uintptr_t)empty.data);
}

static void a_file_cut_at_any_byte_is_refused(void **state)
{
    struct text whole = {0};
    (void)state;
    char *path = write_sample("whole"), *cut = scratch_path("cut");
    assert_int_equal(file_read(path, 10000, &whole), 0);
    free(scratch_file("cut", whole.data, whole.length));
    for (size_t length = whole.length; length-- > 0;) {
        assert_int_equal(truncate(cut, (off_t)length), 0);
        assert_null(safetensors_open(cut));
        assert_refused(cut, "");
    }
    text_release(&whole);
    free(path);
    free(cut);
}

static unsigned sum_of_all_bytes(const struct safetensors *file)
{
    unsigned sum = 0;
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const struct array *array = safetensors_array(file, i);
        for (size_t j = 0; j < array->bytes; j++)
            sum += ((const unsigned char *)array->data)[j];
    }
    return sum;
}

/* What opens after the change must describe bytes of the file and no others. */
static void assert_opens_soundly_or_is_refused(const char *path, size_t size, unsigned *opened)
{
    struct safetensors *file = safetensors_open(path);
    if (!file) {
        assert_refused(path, "");
        return;
    }
    size_t total = 0;
    for (size_t i = 0; i < safetensors_count(file); i++)
        total += safetensors_array(file, i)->bytes;
    assert_true(total < size);
    *opened += sum_of_all_bytes(file) > 0;
    safetensors_close(file);
}

static void one_changed_byte_opens_or_is_refused(void **state)
{
    struct text whole = {0};
    unsigned opened = 0;
    (void)state;
    char *path = write_sample("changed");
    assert_int_equal(file_read(path, 10000, &whole), 0);
    FILE *file = fopen(path, "r+b");
    setbuf(file, NULL);
    for (size_t i = 0; i + sizeof floats + sizeof numbers + sizeof halves < whole.length; i++)
        for (int change = 1; change < 256; change += 3) {
            fseek(file, (long)i, SEEK_SET);
            fputc((unsigned char)whole.data[i] ^ change, file);
            assert_opens_soundly_or_is_refused(path, whole.length, &opened);
            fseek(file, (long)i, SEEK_SET);
            fputc((unsigned char)whole.data[i], file);
        }
    assert_true(opened > 300); /* changed names and texts */
    fclose(file);
    text_release(&whole);
    free(path);
}

static void halves_are_exact(void **state)
{
    (void)state;
    for (unsigned half = 0; half < 65536; half++) {
        float value = half_to_float((uint16_t)half);
        if ((half & 0x7c00) == 0x7c00 && half & 0x3ff)
            assert_true(isnan(value) && isnan(half_to_float(float_to_half(value))));
        else
            assert_int_equal(float_to_half(value), half);
    }
    assert_true(half_to_float(0x3c00) == 1.0f && half_to_float(0x0001) == 0x1p-24f && half_to_float(0xfbff) == -65504.0f);
}

static void floats_round_to_the_nearest_half(void **state)
{
    static const struct {
        float value;
        uint16_t half;
    } cases[] = {
        {65519.996f, 0x7bff}, {65520.0f, 0x7c00},      {1e30f, 0x7c00},       {-1e30f, 0xfc00},
        {0x1p-25f, 0x0000},   {0x1.000002p-25f, 0x0001}, {0x1.8p-24f, 0x0002},  {-0x1p-26f, 0x8000},
        {1.00048828125f, 0x3c00}, {1.0004884f, 0x3c01}, {1.00146484375f, 0x3c02}, {0x1.ffcp-15f, 0x0400},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(float_to_half(cases[i].value), cases[i].half);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_is_a_check),
        cmocka_unit_test(the_length_is_not_believed),
        cmocka_unit_test(values_are_counted_before_they_are_parsed),
        cmocka_unit_test(what_is_allowed_opens),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_same_content_is_the_same_bytes),
        cmocka_unit_test(what_cannot_be_written_fails),
        cmocka_unit_test(a_file_cut_at_any_byte_is_refused),
        cmocka_unit_test(one_changed_byte_opens_or_is_refused),
        cmocka_unit_test(halves_are_exact),
        cmocka_unit_test(floats_round_to_the_nearest_half),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_remove);
}
