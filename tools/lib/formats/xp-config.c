/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/xp-config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/memory.h"

enum { CONFIG_MAX_BYTES = 1 << 20, REFERENCES_MAX = 16, PATH_SIZE = 256, LIST_MAX = 64 };

static int read_tree(struct xp_config *config, const char *text, size_t length)
{
    struct problems problems = {0};
    if (length > CONFIG_MAX_BYTES)
        return fail("xp.cfg has %zu bytes, more than %d", length, CONFIG_MAX_BYTES);
    yaml_tree_read(&config->tree, text, length, &problems);
    if (problems.count)
        fail("xp.cfg: line %d, column %d: %s", problems.items[0].line, problems.items[0].column, problems.items[0].text);
    else if (!config->tree.root || config->tree.root->kind != YAML_MAP)
        fail("xp.cfg is no map of settings");
    problems_release(&problems);
    return failed() ? -1 : 0;
}

int xp_config_open(struct xp_config *config, const char *path)
{
    size_t length;
    *config = (struct xp_config){.file = torch_file_open(path)};
    if (!config->file)
        return -1;
    const char *text = torch_file_text(config->file, "xp.cfg", &length);
    if (!text || read_tree(config, text, length) == 0)
        return 0;
    failure_within("'%s'", path);
    xp_config_close(config);
    return -1;
}

void xp_config_close(struct xp_config *config)
{
    yaml_tree_release(&config->tree);
    torch_file_close(config->file);
    *config = (struct xp_config){0};
}

/* The value at a dotted path as it is written. */
static const struct yaml_node *walk(const struct yaml_node *node, const char *path, size_t length)
{
    while (node && length) {
        char key[PATH_SIZE];
        const char *dot = memchr(path, '.', length);
        size_t part = dot ? (size_t)(dot - path) : length;
        if (node->kind != YAML_MAP || part >= sizeof key)
            return NULL;
        memcpy(key, path, part);
        key[part] = 0;
        node = yaml_member(node, key);
        path += dot ? part + 1 : part;
        length -= dot ? part + 1 : part;
    }
    return node;
}

static bool is_reference(const struct yaml_node *node)
{
    return node->kind == YAML_TEXT && has_prefix(node->text, "${") && has_suffix(node->text, "}");
}

static const struct yaml_node *follow(const struct xp_config *config, const struct yaml_node *node, const char *path)
{
    for (int i = 0; node && is_reference(node); i++) {
        const struct yaml_node *target = NULL;
        if (i < REFERENCES_MAX)
            target = walk(config->tree.root, node->text + 2, strlen(node->text) - 3);
        if (!target)
            fail("xp.cfg: %s is '%.100s', which leads nowhere", path, node->text);
        node = target;
    }
    return node && !yaml_null(node) ? node : NULL;
}

const struct yaml_node *xp_config_value(const struct xp_config *config, const char *path)
{
    return follow(config, walk(config->tree.root, path, strlen(path)), path);
}

static json_t *scalar_json(const struct yaml_node *node)
{
    int64_t integer;
    double number;
    if (node->plain && parse_integer(node->text, &integer) == 0)
        return json_integer(integer);
    if (node->plain && parse_number(node->text, &number) == 0)
        return json_real(number);
    if (node->plain && (strcasecmp(node->text, "true") == 0 || strcasecmp(node->text, "false") == 0))
        return json_boolean(strcasecmp(node->text, "true") == 0);
    return json_string(node->text);
}

static json_t *list_json(const struct xp_config *config, const struct yaml_node *list, const char *path)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count && i < LIST_MAX; i++) {
        const struct yaml_node *item = follow(config, list->items[i], path);
        json_array_append_new(array, !item ? json_null() : item->kind == YAML_TEXT ? scalar_json(item) : json_object());
    }
    return array;
}

json_t *xp_config_json(const struct xp_config *config, const char *path)
{
    const struct yaml_node *node = xp_config_value(config, path);
    if (!node)
        return NULL;
    if (node->kind == YAML_TEXT)
        return scalar_json(node);
    if (node->kind == YAML_LIST && node->count <= LIST_MAX)
        return list_json(config, node, path);
    fail("xp.cfg: %s is no value but a map or a long list", path);
    return NULL;
}

static bool is_empty(const struct yaml_node *node)
{
    return !node || (node->kind != YAML_TEXT && node->count == 0);
}

int xp_config_expect(const struct xp_config *config, const char *path, const char *expected)
{
    const struct yaml_node *written = walk(config->tree.root, path, strlen(path)), *node = follow(config, written, path);
    if (failed())
        return -1;
    bool nothing = !strcmp(expected, "null") || !strcmp(expected, "[]") || !strcmp(expected, "{}");
    if (!written || (nothing && is_empty(node)))
        return 0;
    json_t *value = node ? xp_config_json(config, path) : json_null();
    json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
    char *text = value ? json_canonical(value) : NULL;
    bool same = value && (json_equal(value, wanted) ||
                          (json_is_number(value) && json_is_number(wanted) && json_number_value(value) == json_number_value(wanted)));
    if (!same)
        fail("xp.cfg: %s is %.100s, and only %s is supported", path, text ? text : "a map", expected);
    free(text);
    json_decref(value);
    json_decref(wanted);
    return failed() ? -1 : 0;
}
