/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/json.h"
#include "leitmotif/recipe.h"

static char *sample(const char *prompt, double duration, char key[HASH_HEX_SIZE])
{
    struct recipe recipe;
    recipe_begin(&recipe, "{\"weights\":\"f32\"}");
    recipe_input(&recipe, "condition", "aa", "condition.safetensors");
    recipe_input(&recipe, "section", "bb", "one.safetensors");
    recipe_input(&recipe, "section", "cc", "two.safetensors");
    recipe_options(&recipe, "51c0");
    recipe_number(&recipe, "duration", duration);
    recipe_string(&recipe, "prompt", prompt);
    recipe_integer(&recipe, "seed", INT64_MAX);
    recipe_json(&recipe, "tag", "[\"a=b\"]");
    return recipe_end(&recipe, "sample-tokens", 3, key);
}

static void text_and_key(void **state)
{
    char key[HASH_HEX_SIZE], expected[HASH_HEX_SIZE];
    char *text = sample("a \"calm\" pad …", 10, key);
    (void)state;
    assert_string_equal(text, "{\"arguments\":{\"weights\":\"f32\"},\"inputs\":{\"condition\":[\"aa/condition.safetensors\"],"
                              "\"section\":[\"bb/one.safetensors\",\"cc/two.safetensors\"]},\"model\":\"51c0\",\"options\":{"
                              "\"duration\":10.0,\"prompt\":\"a \\\"calm\\\" pad …\",\"seed\":9223372036854775807,"
                              "\"tag\":[\"a=b\"]},\"tool\":\"sample-tokens\",\"version\":3}");
    hash_bytes(text, strlen(text), expected);
    assert_string_equal(key, expected);
    free(text);
}

/* What is written by hand is what jansson would have written: sorted, compact, parseable. */
static void is_canonical(void **state)
{
    static const char *const prompts[] = {"", "plain", "tab\tquote\"back\\slash", "\x01", "ünï 🎵"};
    char key[HASH_HEX_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
        char *text = sample(prompts[i], 0.1 + (double)i, key);
        json_t *value = json_loads(text, 0, NULL);
        char *canonical = json_canonical(value);
        assert_string_equal(text, canonical);
        free(canonical);
        json_decref(value);
        free(text);
    }
}

static void numbers_round_trip(void **state)
{
    static const double numbers[] = {0, 1, -14, 0.1, 1.0 / 3, 250, 1e300, 5e-324, -0.5, 123456789.125, 9007199254740993.0};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct text text = {0};
        append_json_number(&text, numbers[i]);
        json_t *value = json_loads(text.data, JSON_DECODE_ANY, NULL);
        assert_true(json_is_number(value));
        assert_true(json_number_value(value) == numbers[i]);
        json_decref(value);
        text_release(&text);
    }
}

static void invalid_utf8_stays_json(void **state)
{
    struct text text = {0};
    (void)state;
    append_json_string(&text, "a\xff" "b");
    assert_string_equal(text.data, "\"a?b\"");
    text_release(&text);
}

static void every_part_changes_the_key(void **state)
{
    char one[HASH_HEX_SIZE], other[HASH_HEX_SIZE];
    (void)state;
    free(sample("x", 10, one));
    free(sample("y", 10, other));
    assert_string_not_equal(one, other);
    free(sample("x", 10.5, other));
    assert_string_not_equal(one, other);
    free(sample("x", 10, other));
    assert_string_equal(one, other);
}

static void differences(void **state)
{
    char key[HASH_HEX_SIZE];
    struct text lines = {0};
    char *before = sample("fast", 10, key), *now = sample("slow", 12.5, key);
    (void)state;
    assert_int_equal(recipe_difference(before, now, &lines), 2);
    assert_string_equal(lines.data, "  duration: 10.0 -> 12.5\n  prompt: \"fast\" -> \"slow\"\n");
    assert_int_equal(recipe_difference(before, before, &lines), 0);
    text_release(&lines);
    assert_int_equal(recipe_difference("{\"options\":{\"a\":1},\"version\":1}", "{\"options\":{\"b\":2},\"version\":2}", &lines), 3);
    assert_string_equal(lines.data, "  version: 1 -> 2\n  b: nothing -> 2\n  a: 1 -> nothing\n");
    text_release(&lines);
    free(before);
    free(now);
}

/* Cut where they differ, and never inside a character. */
static void differences_of_long_values(void **state)
{
    struct text lines = {0};
    (void)state;
    assert_int_equal(recipe_difference("{\"options\":{\"p\":\"a long prompt, the same at first for more than sixty bytes, then slow\"}}",
                                       "{\"options\":{\"p\":\"a long prompt, the same at first for more than sixty bytes, then fast\"}}", &lines), 1);
    assert_string_equal(lines.data, "  p: …n sixty bytes, then slow\" -> …n sixty bytes, then fast\"\n");
    text_release(&lines);
    recipe_difference("{\"options\":{\"p\":\"ééééééééééééééééééééééééééééééé\"}}", "{\"options\":{\"p\":\"ééééééééééééééééééééééééééééééx\"}}", &lines);
    assert_string_equal(lines.data, "  p: …ééééééééééé\" -> …ééééééééééx\"\n");
    text_release(&lines);
    recipe_difference("{\"options\":{\"p\":1}}", "{\"options\":{\"p\":\"0123456789012345678901234567890123456789012345678901234567é9\"}}", &lines);
    assert_string_equal(lines.data, "  p: 1 -> \"0123456789012345678901234567890123456789012345678901234567…\n");
    text_release(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_key),         cmocka_unit_test(is_canonical),
        cmocka_unit_test(numbers_round_trip),   cmocka_unit_test(invalid_utf8_stays_json),
        cmocka_unit_test(every_part_changes_the_key), cmocka_unit_test(differences),
        cmocka_unit_test(differences_of_long_values),
    };
    return cmocka_run_group_tests_name("recipe", tests, NULL, NULL);
}
