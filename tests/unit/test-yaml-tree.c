/* SPDX-License-Identifier: Apache-2.0
 * What the tree holds of a document, and which documents it refuses, at which line and column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"
#include "formats/yaml-tree.h"

/* The problems of a document as "line:column: text\n" each, yours to free(); "" for a good one. */
static char *problems_of(const char *bytes, size_t length)
{
    struct yaml_tree tree;
    struct problems problems = {0};
    struct text lines = {0};
    yaml_tree_read(&tree, bytes, length, &problems);
    problems_tell(&problems, "f", &lines);
    assert_true(tree.root || problems.count);
    yaml_tree_release(&tree);
    problems_release(&problems);
    return text_take(&lines);
}

static void assert_problem(const char *document, const char *expected)
{
    char *lines = problems_of(document, strlen(document));
    if (strcmp(lines, expected))
        print_error("%s\n", document);
    assert_string_equal(lines, expected);
    free(lines);
}

static void a_document_becomes_nodes_with_places(void **state)
{
    static const char document[] = "# comment\r\na: 'quoted'\r\nb: [1, ~, \"\"]\r\ng\xc3\xb6: {h\xc3\xa9: \xe2\x80\xa6 , i: x}\r\n";
    struct yaml_tree tree;
    struct problems problems = {0};
    (void)state;
    yaml_tree_read(&tree, document, strlen(document), &problems);
    assert_int_equal(problems.count, 0);
    assert_int_equal(tree.root->kind, YAML_MAP);
    assert_int_equal(tree.root->count, 3);
    const struct yaml_node *quoted = yaml_member(tree.root, "a"), *list = yaml_member(tree.root, "b");
    assert_string_equal(quoted->text, "quoted");
    assert_false(quoted->plain);
    assert_int_equal(quoted->line, 2);
    assert_int_equal(quoted->column, 4);
    assert_int_equal(list->count, 3);
    assert_true(list->items[0]->plain);
    assert_true(yaml_null(list->items[1]));
    assert_false(yaml_null(list->items[2]));
    const struct yaml_node *inner = yaml_member(tree.root->items[2], "i");
    assert_int_equal(inner->line, 4);
    assert_int_equal(inner->column, 17); /* in characters: the bytes would say 21 */
    assert_null(yaml_member(tree.root, "c"));
    yaml_tree_release(&tree);
}

static void an_alias_is_the_node_of_its_anchor(void **state)
{
    static const char document[] = "a: &x {k: 1}\nb: *x\n";
    struct yaml_tree tree;
    struct problems problems = {0};
    (void)state;
    yaml_tree_read(&tree, document, strlen(document), &problems);
    assert_int_equal(problems.count, 0);
    assert_ptr_equal(yaml_member(tree.root, "a"), yaml_member(tree.root, "b"));
    yaml_tree_release(&tree);
}

static void what_is_no_document_is_told_where_it_stands(void **state)
{
    static const struct {
        const char *document, *expected;
    } cases[] = {
        {"", "f:1:1: the file is empty\n"},
        {"# only a comment\n", "f:1:1: the file is empty\n"},
        {"a: 1\nb: 2\na: 3\nb: 4\n", "f:3:1: key 'a' is there twice; first in line 1\nf:4:1: key 'b' is there twice; first in line 2\n"},
        {"a: 1\n---\nb: 2\n", "f:2:1: a second document begins here; a file holds one\n"},
        {"a: [1, 2\nb: 3\n", "f:2:2: not YAML: did not find expected ',' or ']' while parsing a flow sequence\n"},
        {"a:\n\tb: 1\n", "f:2:1: not YAML: found character that cannot start any token while scanning for the next token"
                         " (a tab: indent with spaces)\n"},
        {"a: *nothing\n", "f:1:4: the alias has no anchor above it\n"},
        {"a: !!binary aGk=\n", "f:1:4: tag 'tag:yaml.org,2002:binary' is not supported; remove it\n"},
        {"a: !mine {b: 1}\n", "f:1:4: tag '!mine' is not supported; remove it\n"},
        {"a: \"x\\0y\"\n", "f:1:4: the text holds a NUL character\n"},
        {"? [a]\n: 1\n", "f:1:3: a key must be a text\n"},
        {"? {a: 1}\n: 1\n? ~\n: 2\n", "f:1:3: a key must be a text\nf:3:3: a key must be a text\n"},
        {"a: &x [1, *x]\n", "f:1:11: the alias stands inside its own anchor\n"},
        {"a: b\xff\n", "f:1:5: byte 0xff is not valid UTF-8\n"},
        {"\xc3\xb6: 1\nb: \xc3", "f:2:4: byte 0xc3 is not valid UTF-8\n"},
        {"a: b\x1b[31m\n", "f:1:5: byte 0x1b is a control character, which YAML does not allow\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_problem(cases[i].document, cases[i].expected);
}

static void a_nul_and_utf16_are_refused(void **state)
{
    (void)state;
    char *lines = problems_of("a: b\0c\n", 7);
    assert_string_equal(lines, "f:1:5: byte 0x00 is a control character, which YAML does not allow\n");
    free(lines);
    lines = problems_of("\xff\xfe" "a\0:\0 \0" "1\0", 10);
    assert_string_equal(lines, "f:1:1: byte 0xff is not valid UTF-8\n");
    free(lines);
}

static void a_byte_order_mark_has_no_width(void **state)
{
    (void)state;
    assert_problem("\xef\xbb\xbf" "a: 1\n", "");
    assert_problem("\xef\xbb\xbf" "a: 1\na: 2\n", "f:2:1: key 'a' is there twice; first in line 1\n");
    assert_problem("\xef\xbb\xbf" "ab\x01: 2\n", "f:1:3: byte 0x01 is a control character, which YAML does not allow\n");
}

/* Ten aliases of ten aliases of ... : a few lines that would be 10^9 values. */
static void aliases_cannot_blow_a_file_up(void **state)
{
    struct text document = {0};
    (void)state;
    text_append(&document, "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 9; i++) {
        text_appendf(&document, "l%d: &l%d [", i, i);
        for (int j = 0; j < 10; j++)
            text_appendf(&document, "%s*l%d", j ? ", " : "", i - 1);
        text_append(&document, "]\n");
    }
    assert_problem(document.data, "f:6:5: too many values, aliases written out\n");
    text_release(&document);
}

static char *nested(int depth)
{
    struct text document = {0};
    for (int i = 0; i < depth; i++)
        text_append(&document, "[");
    for (int i = 0; i < depth; i++)
        text_append(&document, "]");
    return text_take(&document);
}

static void depth_is_limited(void **state)
{
    char *fits = nested(YAML_MAX_DEPTH), *too_deep = nested(YAML_MAX_DEPTH + 1), *far_too_deep = nested(100000);
    (void)state;
    assert_problem(fits, "");
    assert_problem(too_deep, "f:1:65: nested too deeply\n");
    assert_problem(far_too_deep, "f:1:65: nested too deeply\n"); /* at once, and on a small stack */
    free(fits);
    free(too_deep);
    free(far_too_deep);
}

/* Depth through aliases counts as well: the same list at several depths. */
static void depth_counts_through_aliases(void **state)
{
    struct text document = {0};
    char *half = nested(40);
    (void)state;
    text_appendf(&document, "a: &a %s\nb: ", half);
    for (int i = 0; i < 30; i++)
        text_append(&document, "[");
    text_append(&document, "*a");
    for (int i = 0; i < 30; i++)
        text_append(&document, "]");
    assert_problem(document.data, "f:2:34: nested too deeply\n");
    text_release(&document);
    free(half);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_becomes_nodes_with_places),
        cmocka_unit_test(an_alias_is_the_node_of_its_anchor),
        cmocka_unit_test(what_is_no_document_is_told_where_it_stands),
        cmocka_unit_test(a_nul_and_utf16_are_refused),
        cmocka_unit_test(a_byte_order_mark_has_no_width),
        cmocka_unit_test(aliases_cannot_blow_a_file_up),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(depth_counts_through_aliases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
