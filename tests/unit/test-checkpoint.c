/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "formats/checkpoint.h"
#include "formats/sources.h"
#include "scratch.h"

static const float values[] = {1, 2, 3, 4, 5, 6};

static const struct array arrays[] = {
    {"decoder.a", ELEMENT_F32, 2, {2, 3}, values, 24},
    {"decoder.b", ELEMENT_F16, 1, {2}, values, 4},
    {"text_encoder.c", ELEMENT_BF16, 1, {1}, values, 2},
    {"audio_encoder.steps", ELEMENT_I64, 0, {0}, values, 8},
};

static void write_arrays(const char *folder, const char *name, size_t first, size_t count)
{
    char *path = path_join(folder, name);
    assert_int_equal(folder_make(folder), 0);
    assert_int_equal(safetensors_write(path, arrays + first, count, NULL), 0);
    free(path);
}

static char *single(const char *name)
{
    char *folder = scratch_path(name);
    write_arrays(folder, "model.safetensors", 0, COUNT_OF(arrays));
    return folder;
}

#define GOOD_MAP \
    "\"decoder.a\":\"s2.safetensors\",\"decoder.b\":\"s2.safetensors\"," \
    "\"text_encoder.c\":\"s1.safetensors\",\"audio_encoder.steps\":\"s1.safetensors\""

/* Two shards and an index with this map. */
static char *sharded(const char *name, const char *map)
{
    char *folder = scratch_path(name), *index = format_string("%s/model.safetensors.index.json", name);
    char *text = format_string("{\"metadata\":{\"total_size\":38},\"weight_map\":{%s}}", map);
    free(scratch_file(index, text, strlen(text)));
    write_arrays(folder, "s2.safetensors", 0, 2);
    write_arrays(folder, "s1.safetensors", 2, 2);
    free(index);
    free(text);
    return folder;
}

static void assert_open_refused(char *folder, const char *reason)
{
    assert_null(checkpoint_open(folder));
    assert_refused(folder, reason);
    free(folder);
}

static void assert_holds_the_arrays(char *folder)
{
    struct checkpoint *checkpoint = checkpoint_open(folder);
    assert_non_null(checkpoint);
    assert_string_equal(checkpoint_folder(checkpoint), folder);
    for (size_t i = 0; i < COUNT_OF(arrays); i++) {
        const struct array *array = checkpoint_peek(checkpoint, arrays[i].name);
        assert_true(checkpoint_has(checkpoint, arrays[i].name));
        assert_int_equal(array->type, arrays[i].type);
        assert_string_equal(shape_text(array->rank, array->shape), shape_text(arrays[i].rank, arrays[i].shape));
        assert_int_equal(array->bytes, arrays[i].bytes);
        assert_memory_equal(array->data, arrays[i].data, array->bytes);
    }
    assert_false(checkpoint_has(checkpoint, "decoder.c"));
    assert_null(checkpoint_peek(checkpoint, "decoder"));
    assert_false(failed());
    checkpoint_close(checkpoint);
    free(folder);
}

static void single_and_sharded_hold_the_same(void **state)
{
    (void)state;
    assert_holds_the_arrays(single("single"));
    assert_holds_the_arrays(sharded("sharded", GOOD_MAP));
}

static void the_files_are_listed(void **state)
{
    (void)state;
    char *one = single("one"), *many = sharded("many", GOOD_MAP);
    struct sources sources_one, sources_many;
    assert_int_equal(sources_find(&sources_one, one) | sources_find(&sources_many, many), 0);
    json_t *of_one = sources_files(&sources_one.items[0]), *of_many = sources_files(&sources_many.items[0]);
    json_t *expected_one = json_pack("[s]", "model.safetensors");
    json_t *expected_many = json_pack("[s, s, s]", "s1.safetensors", "s2.safetensors", "model.safetensors.index.json");
    assert_true(json_equal(of_one, expected_one) && json_equal(of_many, expected_many));
    sources_release(&sources_one);
    sources_release(&sources_many);
    json_decref(of_one);
    json_decref(of_many);
    json_decref(expected_one);
    json_decref(expected_many);
    free(one);
    free(many);
}

static void the_index_says_what_the_shards_hold(void **state)
{
    static const struct {
        const char *map, *reason;
    } wrong[] = {
        {"", "no weight_map"},
        {"\"decoder.a\":1", "no plain file name"},
        {"\"decoder.a\":\"\"", "no plain file name"},
        {"\"decoder.a\":\"../s1.safetensors\"", "no plain file name"},
        {"\"decoder.a\":\"/etc/passwd\"", "no plain file name"},
        {"\"decoder.a\":\".\"", "no plain file name"},
        {"\"decoder.a\":\"s3.safetensors\"", "s3.safetensors': No such file"},
        {GOOD_MAP ",\"decoder.x\":\"s2.safetensors\"", "tensor 'decoder.x' is missing, but in"},
        {GOOD_MAP ",\"decoder.a\":\"s1.safetensors\"", "duplicate"},
        {"\"decoder.a\":\"s2.safetensors\"", "tensor 'decoder.b' is not there by"},
        {"\"decoder.a\":\"s1.safetensors\",\"decoder.b\":\"s2.safetensors\",\"text_encoder.c\":\"s1.safetensors\","
         "\"audio_encoder.steps\":\"s1.safetensors\"", "tensor 'decoder.a' is missing, but in"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_open_refused(sharded("wrong", wrong[i].map), wrong[i].reason);
    char *folder = scratch_path("listed");
    free(scratch_file("listed/model.safetensors.index.json", "[]", 2));
    assert_open_refused(folder, "no weight_map");
}

static void what_is_there_instead_is_named(void **state)
{
    static const struct {
        const char *file, *reason;
    } others[] = {
        {"none/readme", "holds no weights"},
        {"torch/pytorch_model.bin", "begins like no ZIP archive"},
        {"torch-shards/pytorch_model.bin.index.json", "pytorch_model.bin.index.json"},
        {"craft/state_dict.bin", "holds 'state_dict.bin' but no 'compression_state_dict.bin'"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        char *path = scratch_file(others[i].file, "x", 1);
        assert_open_refused(path_folder(path), others[i].reason);
        free(path);
    }
    assert_open_refused(scratch_path("nowhere"), "holds no weights");
    char *broken = scratch_file("broken/readme", "x", 1), *folder = path_folder(broken), *link = path_join(folder, "model.safetensors");
    assert_int_equal(symlink("../blobs/nothing", link), 0);
    assert_null(sources_weights(folder));
    free(broken);
    free(folder);
    free(link);
}

static void shapes_and_types_are_exact(void **state)
{
    (void)state;
    char *folder = single("shapes");
    struct checkpoint *checkpoint = checkpoint_open(folder);
    assert_non_null(checkpoint_take(checkpoint, 2, (int64_t[]){2, 3}, "decoder.%c", 'a'));
    assert_false(failed());
    assert_null(checkpoint_take(checkpoint, 2, (int64_t[]){3, 2}, "decoder.a"));
    assert_refused(folder, "tensor 'decoder.a' is [2, 3], expected [3, 2]");
    assert_null(checkpoint_take(checkpoint, 1, (int64_t[]){2}, "decoder.a"));
    assert_refused(folder, "is [2, 3], expected [2]");
    assert_null(checkpoint_take(checkpoint, 1, (int64_t[]){2}, "decoder.z"));
    assert_refused(folder, "tensor 'decoder.z' is missing");
    assert_null(checkpoint_take(checkpoint, 0, NULL, "audio_encoder.steps"));
    assert_refused(folder, "holds I64, expected F32, F16 or BF16");
    checkpoint_close(checkpoint);
    free(folder);
}

static void nothing_is_left_over(void **state)
{
    (void)state;
    char *folder = single("left");
    struct checkpoint *checkpoint = checkpoint_open(folder);
    assert_int_equal(checkpoint_finish(checkpoint, "decoder."), -1);
    assert_refused(folder, "2 tensors are not known, the first is 'decoder.a'");
    checkpoint_take(checkpoint, 2, (int64_t[]){2, 3}, "decoder.a");
    assert_int_equal(checkpoint_finish(checkpoint, "decoder."), -1);
    assert_refused(folder, "tensor 'decoder.b' is not known");
    checkpoint_ignore(checkpoint, "decoder.[b-z]");
    assert_int_equal(checkpoint_finish(checkpoint, "decoder."), 0);
    checkpoint_close(checkpoint);
    free(folder);
}

static void foreign_prefixes_are_refused(void **state)
{
    const struct array foreign = {"vision.a", ELEMENT_F32, 1, {1}, values, 4};
    (void)state;
    char *path = scratch_file("foreign/model.safetensors", "", 0), *folder = path_folder(path);
    assert_int_equal(safetensors_write(path, &foreign, 1, NULL), 0);
    struct checkpoint *checkpoint = checkpoint_open(folder);
    assert_int_equal(checkpoint_finish(checkpoint, "decoder."), -1);
    assert_refused(folder, "tensor 'vision.a' is not known");
    checkpoint_close(checkpoint);
    free(folder);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_and_sharded_hold_the_same),
        cmocka_unit_test(the_files_are_listed),
        cmocka_unit_test(the_index_says_what_the_shards_hold),
        cmocka_unit_test(what_is_there_instead_is_named),
        cmocka_unit_test(shapes_and_types_are_exact),
        cmocka_unit_test(nothing_is_left_over),
        cmocka_unit_test(foreign_prefixes_are_refused),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_remove);
}
