/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "formats/safetensors.h"
#include "formats/stage.h"
#include "scratch.h"

static int32_t ids[] = {5, 0, 1};
static float hidden[] = {0.5f, -1, 2, 3.25f, 1e-30f, -0.0f};
static int32_t codes[] = {1, 2, 3, 2047, 0, 6};

static void a_condition_comes_back(void **state)
{
    struct condition condition = {.tokens = 3, .width = 2, .ids = ids, .hidden = hidden}, read;
    (void)state;
    condition.recipe = json_pack("{s:s, s:i}", "prompt", "\"rain\" \xe2\x99\xab", "n", 3);
    char *path = scratch_path("condition");
    assert_int_equal(condition_write(&condition, "encode-text", path), 0);
    assert_int_equal(condition_read(&read, path), 0);
    assert_int_equal(read.tokens, 3);
    assert_int_equal(read.width, 2);
    assert_memory_equal(read.ids, ids, sizeof ids);
    assert_memory_equal(read.hidden, hidden, sizeof hidden);
    assert_true(json_equal(read.recipe, condition.recipe));
    condition_release(&read);
    json_decref(condition.recipe);
    free(path);
}

static void the_unconditional_request_has_no_tokens(void **state)
{
    struct condition condition = {.tokens = 0, .width = 768}, read;
    (void)state;
    char *path = scratch_path("unconditional");
    assert_int_equal(condition_write(&condition, "encode-text", path), 0);
    assert_int_equal(condition_read(&read, path), 0);
    assert_int_equal(read.tokens, 0);
    assert_int_equal(read.width, 768);
    assert_null(read.recipe);
    condition_release(&read);
    free(path);
}

static void a_melody_comes_back(void **state)
{
    struct melody melody = {.windows = 2, .frames = 3, .chroma = codes}, read;
    struct tokens tokens;
    (void)state;
    melody.recipe = json_pack("{s:i}", "stride_frames", 900);
    char *path = scratch_path("melody");
    assert_int_equal(melody_write(&melody, "encode-audio", path), 0);
    assert_int_equal(melody_read(&read, path), 0);
    assert_int_equal(read.windows, 2);
    assert_int_equal(read.frames, 3);
    assert_memory_equal(read.chroma, codes, sizeof codes);
    assert_true(json_equal(read.recipe, melody.recipe));
    melody_release(&read);
    assert_int_equal(tokens_read(&tokens, path), -1);
    failure_clear();
    json_decref(melody.recipe);
    free(path);
}

static void tokens_come_back(void **state)
{
    struct tokens tokens = {.codebooks = 2, .frames = 3, .codes = codes}, read;
    (void)state;
    tokens.recipe = json_pack("{s:i, s:I}", "frame_rate", 50, "seed", (json_int_t)INT64_MAX);
    char *path = scratch_path("tokens");
    assert_int_equal(tokens_write(&tokens, "sample-tokens", path), 0);
    assert_int_equal(tokens_read(&read, path), 0);
    assert_int_equal(read.codebooks, 2);
    assert_int_equal(read.frames, 3);
    assert_memory_equal(read.codes, codes, sizeof codes);
    assert_int_equal(json_integer_value(json_object_get(read.recipe, "seed")), INT64_MAX);
    tokens_release(&read);
    json_decref(tokens.recipe);
    free(path);
}

static void the_metadata_is_format_tool_and_canonical_recipe(void **state)
{
    struct tokens tokens = {.codebooks = 2, .frames = 3, .codes = codes};
    (void)state;
    tokens.recipe = json_pack("{s:i, s:b, s:f}", "seed", 7, "greedy", 0, "guidance", 3.0);
    char *path = scratch_path("metadata");
    assert_int_equal(tokens_write(&tokens, "sample-tokens", path), 0);
    struct safetensors *file = safetensors_open(path);
    assert_string_equal(safetensors_metadata(file, "format"), "leitmotif.tokens/1");
    assert_string_equal(safetensors_metadata(file, "tool"), "sample-tokens");
    assert_string_equal(safetensors_metadata(file, "recipe"), "{\"greedy\":false,\"guidance\":3.0,\"seed\":7}");
    safetensors_close(file);
    json_decref(tokens.recipe);
    free(path);
}

static char *written(const char *format, const char *recipe, const struct array *arrays, size_t count)
{
    char *path = scratch_path("made");
    json_t *metadata = json_object();
    if (format)
        json_object_set_new(metadata, "format", json_string(format));
    if (recipe)
        json_object_set_new(metadata, "recipe", json_string(recipe));
    assert_int_equal(safetensors_write(path, arrays, count, metadata), 0);
    json_decref(metadata);
    return path;
}

static void assert_tokens_refused(const char *format, const char *recipe, const struct array *array, const char *reason)
{
    struct tokens tokens;
    char *path = written(format, recipe, array, 1);
    assert_int_equal(tokens_read(&tokens, path), -1);
    assert_refused(path, reason);
    assert_null(tokens.codes);
    free(path);
}

static void foreign_tokens_are_refused(void **state)
{
    static int32_t negative[] = {1, -1};
    const struct array good = {"codes", ELEMENT_I32, 2, {2, 3}, codes, sizeof codes};
    const struct array wrong[] = {
        {"code", ELEMENT_I32, 2, {2, 3}, codes, sizeof codes},  {"codes", ELEMENT_I64, 2, {1, 3}, codes, 24},
        {"codes", ELEMENT_F32, 2, {2, 3}, codes, sizeof codes}, {"codes", ELEMENT_I32, 1, {6}, codes, sizeof codes},
        {"codes", ELEMENT_I32, 3, {1, 2, 3}, codes, sizeof codes}, {"codes", ELEMENT_I32, 2, {2, 0}, codes, 0},
        {"codes", ELEMENT_I32, 2, {0, 3}, codes, 0},            {"codes", ELEMENT_I32, 2, {1, 2}, negative, 8},
    };
    static const char *const reasons[] = {"array 'codes' is missing", "is I64 [1, 3], expected I32 of 2 dimensions",
        "is F32", "is I32 [6], expected", "is I32 [1, 2, 3]", "is [2, 0], expected", "is [0, 3]", "holds -1 at element 1"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_tokens_refused("leitmotif.tokens/1", NULL, &wrong[i], reasons[i]);
    assert_tokens_refused(NULL, NULL, &good, "names no format");
    assert_tokens_refused("pt", NULL, &good, "format is 'pt', expected 'leitmotif.tokens/1'");
    assert_tokens_refused("leitmotif.tokens/2", NULL, &good, "format is 'leitmotif.tokens/2'");
    assert_tokens_refused("leitmotif.condition/1", NULL, &good, "expected 'leitmotif.tokens/1'");
    assert_tokens_refused("leitmotif.tokens/1", "{", &good, "recipe is not valid JSON");
    assert_tokens_refused("leitmotif.tokens/1", "", &good, "recipe is not valid JSON");
    assert_tokens_refused("leitmotif.tokens/1", "[]", &good, "recipe is no JSON object");
    char *long_recipe = allocate((4 << 20) + 2, 1);
    memset(long_recipe, '1', (4 << 20) + 1);
    assert_tokens_refused("leitmotif.tokens/1", long_recipe, &good, "recipe has more than 4194304 bytes");
    free(long_recipe);
}

static void assert_condition_refused(struct array id_array, struct array hidden_array, const char *reason)
{
    const struct array arrays[] = {id_array, hidden_array};
    struct condition condition;
    char *path = written("leitmotif.condition/1", NULL, arrays, COUNT_OF(arrays));
    assert_int_equal(condition_read(&condition, path), -1);
    assert_refused(path, reason);
    assert_null(condition.hidden);
    free(path);
}

static void foreign_conditions_are_refused(void **state)
{
    static int32_t negative[] = {1, 2, -7};
    static float not_a_number[] = {1, 2, 3, NAN, 5, 6}, infinite[] = {1, 2, 3, 4, -INFINITY, 6};
    const struct array good_ids = {"ids", ELEMENT_I32, 1, {3}, ids, sizeof ids};
    const struct array good_hidden = {"hidden", ELEMENT_F32, 2, {3, 2}, hidden, sizeof hidden};
    struct array changed;
    (void)state;
    assert_condition_refused(good_ids, (struct array){"hidden", ELEMENT_F32, 2, {2, 3}, hidden, 24}, "'hidden' is [2, 3], expected [3,");
    assert_condition_refused(good_ids, (struct array){"hidden", ELEMENT_F32, 2, {3, 0}, hidden, 0}, "'hidden' is [3, 0]");
    assert_condition_refused(good_ids, (struct array){"hidden", ELEMENT_F16, 2, {3, 2}, hidden, 12}, "is F16 [3, 2], expected F32");
    assert_condition_refused(good_ids, (struct array){"x", ELEMENT_F32, 2, {3, 2}, hidden, 24}, "array 'hidden' is missing");
    assert_condition_refused((struct array){"ids", ELEMENT_I32, 2, {3, 1}, ids, 12}, good_hidden, "expected I32 of 1 dimension");
    assert_condition_refused((struct array){"x", ELEMENT_I32, 1, {3}, ids, 12}, good_hidden, "array 'ids' is missing");
    changed = good_ids, changed.data = negative;
    assert_condition_refused(changed, good_hidden, "'ids' holds -7 at element 2");
    changed = good_hidden, changed.data = not_a_number;
    assert_condition_refused(good_ids, changed, "at element 3: not finite");
    changed = good_hidden, changed.data = infinite;
    assert_condition_refused(good_ids, changed, "'hidden' holds -inf at element 4");
}

static void a_stage_file_cut_at_any_byte_is_refused(void **state)
{
    struct tokens tokens = {.codebooks = 2, .frames = 3, .codes = codes}, read;
    struct text whole = {0};
    (void)state;
    char *path = scratch_path("cut");
    assert_int_equal(tokens_write(&tokens, "sample-tokens", path), 0);
    assert_int_equal(file_read(path, 10000, &whole), 0);
    for (size_t length = whole.length; length-- > 0;) {
        assert_int_equal(truncate(path, (off_t)length), 0);
        assert_int_equal(tokens_read(&read, path), -1);
        assert_refused(path, "");
    }
    text_release(&whole);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_condition_comes_back),
        cmocka_unit_test(the_unconditional_request_has_no_tokens),
        cmocka_unit_test(a_melody_comes_back),
        cmocka_unit_test(tokens_come_back),
        cmocka_unit_test(the_metadata_is_format_tool_and_canonical_recipe),
        cmocka_unit_test(foreign_tokens_are_refused),
        cmocka_unit_test(foreign_conditions_are_refused),
        cmocka_unit_test(a_stage_file_cut_at_any_byte_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_remove);
}
