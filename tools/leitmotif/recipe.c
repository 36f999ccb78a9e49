/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/recipe.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

/* writing */

static void append_quoted(struct text *text, const char *value)
{
    text_append(text, "\"");
    text_append(text, value);
    text_append(text, "\"");
}

static void append_escaped(struct text *text, const char *value)
{
    char *copy = copy_string(value);
    for (char *at = copy; !utf8_valid(copy, strlen(copy)) && *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?'; /* JSON holds no other text; only a path can be such */
    json_t *string = json_string(copy);
    char *quoted = json_canonical(string);
    text_append(text, quoted);
    free(quoted);
    json_decref(string);
    free(copy);
}

/* Most strings have nothing to escape. */
void append_json_string(struct text *text, const char *value)
{
    const unsigned char *at = (const unsigned char *)value;
    while (*at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
        at++;
    if (*at)
        append_escaped(text, value);
    else
        append_quoted(text, value);
}

static void append_integer(struct text *text, int64_t value)
{
    char digits[24], *at = digits + sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--at = '-';
    text_append_bytes(text, at, (size_t)(digits + sizeof digits - at));
}

void append_json_number(struct text *text, double value)
{
    char digits[40];
    if (value == floor(value) && fabs(value) < 1e15) {
        append_integer(text, (int64_t)value);
        text_append(text, ".0");
        return;
    }
    snprintf(digits, sizeof digits, "%.17g", value);
    text_append(text, digits);
}

static void begin_member(struct recipe *recipe, const char *name)
{
    assert(!recipe->last || strcmp(recipe->last, name) < 0);
    recipe->last = name;
    text_append(&recipe->text, recipe->open ? ",\"" : "\"");
    text_append(&recipe->text, name);
    text_append(&recipe->text, "\":");
    recipe->open = true;
}

static void begin_part(struct recipe *recipe)
{
    recipe->last = NULL;
    recipe->open = false;
}

void recipe_begin(struct recipe *recipe, const char *arguments)
{
    *recipe = (struct recipe){0};
    text_append(&recipe->text, "{\"arguments\":");
    text_append(&recipe->text, arguments ? arguments : "{}");
}

void recipe_file(struct recipe *recipe, const char *option, const char *hash)
{
    assert(!recipe->in_inputs);
    if (!recipe->open)
        text_append(&recipe->text, ",\"files\":{");
    begin_member(recipe, option);
    append_json_string(&recipe->text, hash);
}

/* Files end, if there were any. */
static void begin_inputs(struct recipe *recipe)
{
    if (recipe->in_inputs)
        return;
    text_append(&recipe->text, recipe->open ? "},\"inputs\":{" : ",\"inputs\":{");
    begin_part(recipe);
    recipe->in_inputs = true;
}

void recipe_input(struct recipe *recipe, const char *option, const char *key, const char *name)
{
    struct text *text = &recipe->text;
    begin_inputs(recipe);
    if (recipe->last && strcmp(recipe->last, option) == 0) {
        text->data[text->length - 1] = ','; /* for its ']' */
    } else {
        begin_member(recipe, option);
        text_append(text, "[");
    }
    text_append(text, "\"");
    text_append(text, key);
    text_append(text, "/");
    text_append(text, name);
    text_append(text, "\"]");
}

void recipe_options(struct recipe *recipe, const char *model)
{
    begin_inputs(recipe);
    text_append(&recipe->text, "}");
    if (model) {
        text_append(&recipe->text, ",\"model\":");
        append_json_string(&recipe->text, model);
    }
    text_append(&recipe->text, ",\"options\":{");
    begin_part(recipe);
}

void recipe_number(struct recipe *recipe, const char *option, double value)
{
    begin_member(recipe, option);
    append_json_number(&recipe->text, value);
}

void recipe_integer(struct recipe *recipe, const char *option, int64_t value)
{
    begin_member(recipe, option);
    append_integer(&recipe->text, value);
}

void recipe_string(struct recipe *recipe, const char *option, const char *value)
{
    begin_member(recipe, option);
    append_json_string(&recipe->text, value);
}

void recipe_json(struct recipe *recipe, const char *option, const char *value)
{
    begin_member(recipe, option);
    text_append(&recipe->text, value);
}

char *recipe_end(struct recipe *recipe, const char *tool, int version, char key[HASH_HEX_SIZE])
{
    text_append(&recipe->text, "},\"tool\":");
    append_json_string(&recipe->text, tool);
    text_append(&recipe->text, ",\"version\":");
    append_integer(&recipe->text, version);
    text_append(&recipe->text, "}");
    hash_bytes(recipe->text.data, recipe->text.length, key);
    return text_take(&recipe->text);
}

/* comparing */

/* Not inside a UTF-8 character. */
static size_t character_start(const char *text, size_t at)
{
    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80)
        at--;
    return at;
}

enum { SHOWN_BYTES = 60 };

/* Of long values, a part from shortly before they begin to differ. */
static size_t excerpt_start(const char *before, const char *now)
{
    enum { BEFORE_BYTES = 20 };
    size_t same = 0;
    if (strlen(before) <= SHOWN_BYTES && strlen(now) <= SHOWN_BYTES)
        return 0;
    while (before[same] && before[same] == now[same])
        same++;
    return same > BEFORE_BYTES ? character_start(now, same - BEFORE_BYTES) : 0;
}

static void append_excerpt(struct text *lines, const char *text, size_t start)
{
    size_t length = strlen(text + start);
    if (length > SHOWN_BYTES)
        length = character_start(text + start, SHOWN_BYTES);
    text_append(lines, start ? "…" : "");
    text_append_bytes(lines, text + start, length);
    text_append(lines, text[start + length] ? "…" : "");
}

/* For people: 2.2, not 2.2000000000000002. */
static char *shown(const json_t *value)
{
    if (!value)
        return copy_string("nothing");
    return json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

static int compare_member(const char *name, const json_t *before, const json_t *now, struct text *lines)
{
    if ((!before && !now) || json_equal(before, now))
        return 0;
    char *old = shown(before), *new = shown(now);
    size_t start = excerpt_start(old, new);
    text_appendf(lines, "  %s: ", name);
    append_excerpt(lines, old, start);
    text_append(lines, " -> ");
    append_excerpt(lines, new, start);
    text_append(lines, "\n");
    free(old);
    free(new);
    return 1;
}

static int compare_members(json_t *before, json_t *now, struct text *lines)
{
    int count = 0;
    const char *name;
    json_t *value;
    json_object_foreach(now, name, value)
        count += compare_member(name, json_object_get(before, name), value, lines);
    json_object_foreach(before, name, value)
        if (!json_object_get(now, name))
            count += compare_member(name, value, NULL, lines);
    return count;
}

static json_t *parse(const char *text)
{
    return json_loads(text, 0, NULL);
}

int recipe_difference(const char *before, const char *now, struct text *lines)
{
    static const char *const values[] = {"version", "model"}, *const objects[] = {"arguments", "files", "options"};
    json_t *old = parse(before), *new = parse(now);
    int count = 0;
    for (size_t i = 0; i < COUNT_OF(values); i++)
        count += compare_member(values[i], json_object_get(old, values[i]), json_object_get(new, values[i]), lines);
    for (size_t i = 0; i < COUNT_OF(objects); i++)
        count += compare_members(json_object_get(old, objects[i]), json_object_get(new, objects[i]), lines);
    json_decref(old);
    json_decref(new);
    return count;
}
