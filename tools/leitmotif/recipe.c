/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/recipe.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

json_t *recipe_new(const char *tool, int version, const char *model)
{
    json_t *recipe = json_object();
    json_object_set_new(recipe, "tool", json_string(tool));
    json_object_set_new(recipe, "version", json_integer(version));
    if (model)
        json_object_set_new(recipe, "model", json_string(model));
    json_object_set_new(recipe, "options", json_object());
    json_object_set_new(recipe, "inputs", json_object());
    json_object_set_new(recipe, "files", json_object());
    return recipe;
}

void recipe_option(json_t *recipe, const char *option, json_t *value)
{
    json_object_set_new(json_object_get(recipe, "options"), option, value);
}

void recipe_input(json_t *recipe, const char *option, const char *key, const char *name)
{
    json_t *inputs = json_object_get(recipe, "inputs");
    json_t *list = json_object_get(inputs, option);
    if (!list) {
        list = json_array();
        json_object_set_new(inputs, option, list);
    }
    json_array_append_new(list, json_sprintf("%s/%s", key, name));
}

void recipe_key(const json_t *recipe, char key[HASH_HEX_SIZE])
{
    char *canonical = json_canonical(recipe);
    hash_bytes(canonical, strlen(canonical), key);
    free(canonical);
}

static void append_value(struct text *lines, const json_t *value)
{
    enum { SHOWN_BYTES = 60 };
    if (!value) {
        text_append(lines, "nothing");
        return;
    }
    char *text = json_canonical(value);
    size_t length = strlen(text);
    if (length > SHOWN_BYTES) {
        length = SHOWN_BYTES;
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--; /* not inside a UTF-8 character */
    }
    text_append_bytes(lines, text, length);
    if (text[length])
        text_append(lines, "…");
    free(text);
}

static int compare_member(const char *name, const json_t *before, const json_t *now, struct text *lines)
{
    if (before && now && json_equal(before, now))
        return 0;
    if (!before && !now)
        return 0;
    text_appendf(lines, "  %s: ", name);
    append_value(lines, before);
    text_append(lines, " -> ");
    append_value(lines, now);
    text_append(lines, "\n");
    return 1;
}

static int compare_members(json_t *before, json_t *now, struct text *lines)
{
    int count = 0;
    const char *name;
    json_t *value;
    json_object_foreach(now, name, value)
        count += compare_member(name, json_object_get(before, name), value, lines);
    json_object_foreach(before, name, value) {
        if (!json_object_get(now, name))
            count += compare_member(name, value, NULL, lines);
    }
    return count;
}

int recipe_difference(const json_t *before, const json_t *now, struct text *lines)
{
    static const char *const parts[] = {"options", "files"};
    int count = compare_member("version", json_object_get(before, "version"), json_object_get(now, "version"), lines);
    count += compare_member("model", json_object_get(before, "model"), json_object_get(now, "model"), lines);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        count += compare_members(json_object_get(before, parts[i]), json_object_get(now, parts[i]), lines);
    return count;
}
