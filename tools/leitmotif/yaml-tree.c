/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/yaml-tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/memory.h"

struct position {
    int line, column;
};

/* Where a byte is: lines and columns from 1, columns in characters. A byte order mark has no width. */
static struct position position_of(const char *bytes, size_t offset)
{
    struct position at = {1, 1};
    size_t i = offset >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3) ? 3 : 0;
    for (; i < offset; i++) {
        if (bytes[i] == '\n')
            at = (struct position){at.line + 1, 1};
        else if (((unsigned char)bytes[i] & 0xc0) != 0x80)
            at.column++;
    }
    return at;
}

static size_t character_length(unsigned char lead)
{
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* The first byte that no YAML file may hold, or length. libyaml would also take UTF-16. */
static size_t first_bad_byte(const char *bytes, size_t length, const char **reason)
{
    for (size_t i = 0; i < length;) {
        unsigned char lead = (unsigned char)bytes[i];
        size_t size = character_length(lead);
        *reason = "is not valid UTF-8";
        if (size > length - i || !utf8_valid(bytes + i, size))
            return i;
        *reason = "is a control character, which YAML does not allow";
        if ((lead < 0x20 && !strchr("\t\n\r", lead)) || !lead || lead == 0x7f)
            return i;
        i += size;
    }
    return length;
}

static bool bytes_valid(const char *bytes, size_t length, struct problems *problems)
{
    const char *reason;
    size_t bad = first_bad_byte(bytes, length, &reason);
    if (bad == length)
        return true;
    struct position at = position_of(bytes, bad);
    problem_add(problems, at.line, at.column, "byte 0x%02x %s", (unsigned char)bytes[bad], reason);
    return false;
}

/* Is there a tab at a mark of libyaml, which counts lines and columns from 0? */
static bool tab_at(const char *bytes, size_t length, yaml_mark_t mark)
{
    size_t i = 0;
    for (; mark.line && i < length; i++)
        mark.line -= bytes[i] == '\n';
    for (; mark.column && i < length && bytes[i] != '\n'; mark.column--)
        i += character_length((unsigned char)bytes[i]);
    return i < length && bytes[i] == '\t';
}

static void syntax_problem(const yaml_parser_t *parser, const char *bytes, size_t length, struct problems *problems)
{
    yaml_mark_t mark = parser->problem_mark;
    const char *hint = tab_at(bytes, length, mark) ? " (a tab: indent with spaces)" : "";
    if (parser->error == YAML_READER_ERROR) {
        struct position at = position_of(bytes, parser->problem_offset < length ? parser->problem_offset : length);
        problem_add(problems, at.line, at.column, "not YAML: %s", parser->problem);
    } else {
        problem_add(problems, (int)mark.line + 1, (int)mark.column + 1, "not YAML: %s%s%s%s", parser->problem,
                    parser->context ? " " : "", parser->context ? parser->context : "", hint);
    }
}

/* --- from libyaml's document to nodes ------------------------------------------------------------------------- */

static void check_tag(const yaml_node_t *from, const struct yaml_node *node, struct problems *problems)
{
    static const char *const usual[] = {YAML_STR_TAG, YAML_SEQ_TAG, YAML_MAP_TAG};
    if (strcmp((const char *)from->tag, usual[node->kind]))
        problem_add(problems, node->line, node->column, "tag '%s' is not supported; remove it", (const char *)from->tag);
}

static void take_scalar(struct yaml_node *node, const yaml_node_t *from, struct problems *problems)
{
    node->plain = from->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = copy_bytes((const char *)from->data.scalar.value, from->data.scalar.length);
    if (strlen(node->text) != from->data.scalar.length)
        problem_add(problems, node->line, node->column, "the text holds a NUL character");
}

static void take_list(struct yaml_tree *tree, struct yaml_node *node, const yaml_node_t *from)
{
    const yaml_node_item_t *first = from->data.sequence.items.start;
    node->count = (size_t)(from->data.sequence.items.top - first);
    node->items = allocate(node->count + 1, sizeof(struct yaml_node *));
    for (size_t i = 0; i < node->count; i++)
        node->items[i] = &tree->nodes[first[i] - 1];
}

static void take_map(struct yaml_tree *tree, struct yaml_node *node, const yaml_node_t *from)
{
    const yaml_node_pair_t *first = from->data.mapping.pairs.start;
    node->count = (size_t)(from->data.mapping.pairs.top - first);
    node->keys = allocate(node->count + 1, sizeof(struct yaml_node *));
    node->items = allocate(node->count + 1, sizeof(struct yaml_node *));
    for (size_t i = 0; i < node->count; i++) {
        node->keys[i] = &tree->nodes[first[i].key - 1];
        node->items[i] = &tree->nodes[first[i].value - 1];
    }
}

static void take_node(struct yaml_tree *tree, size_t index, const yaml_node_t *from, struct problems *problems)
{
    struct yaml_node *node = &tree->nodes[index];
    node->line = (int)from->start_mark.line + 1;
    node->column = (int)from->start_mark.column + 1;
    if (from->type == YAML_SCALAR_NODE) {
        node->kind = YAML_TEXT;
        take_scalar(node, from, problems);
    } else if (from->type == YAML_SEQUENCE_NODE) {
        node->kind = YAML_LIST;
        take_list(tree, node, from);
    } else {
        node->kind = YAML_MAP;
        take_map(tree, node, from);
    }
    check_tag(from, node, problems);
}

/* --- what makes a tree refused ---------------------------------------------------------------------------------- */

struct measure {              /* of one node, aliases written out */
    enum { UNKNOWN, UNDERWAY, KNOWN } state;
    int height;
    size_t size;
};

static const char *measure(const struct yaml_tree *tree, const struct yaml_node *node, struct measure *measures, int depth);

static const char *measure_children(const struct yaml_tree *tree, const struct yaml_node *node, struct measure *measures,
                                    int depth)
{
    struct measure *mine = &measures[node - tree->nodes];
    for (size_t i = 0; i < node->count; i++) {
        const char *reason = measure(tree, node->items[i], measures, depth + 1);
        if (reason)
            return reason;
        const struct measure *child = &measures[node->items[i] - tree->nodes];
        mine->size += child->size + (node->kind == YAML_MAP);
        mine->height = mine->height > child->height + 1 ? mine->height : child->height + 1;
        if (mine->size > YAML_MAX_NODES)
            return "holds too many values, aliases written out";
    }
    return NULL;
}

/* Each node is measured once, so this takes no longer than the file is long. NULL, or why the tree is refused. */
static const char *measure(const struct yaml_tree *tree, const struct yaml_node *node, struct measure *measures, int depth)
{
    struct measure *mine = &measures[node - tree->nodes];
    if (mine->state == UNDERWAY)
        return "an alias stands inside its own anchor";
    if (depth + mine->height > YAML_MAX_DEPTH)
        return "nested too deeply";
    if (mine->state == KNOWN)
        return NULL;
    *mine = (struct measure){UNDERWAY, 0, 1};
    const char *reason = measure_children(tree, node, measures, depth);
    mine->state = KNOWN;
    return reason;
}

static bool tree_finite(const struct yaml_tree *tree, struct problems *problems)
{
    struct measure *measures = allocate(tree->count, sizeof *measures);
    const char *reason = measure(tree, tree->root, measures, 1);
    free(measures);
    if (reason)
        problem_add(problems, tree->root->line, tree->root->column, "%s", reason);
    return !reason;
}

static int by_text(const void *left, const void *right)
{
    const struct yaml_node *a = *(struct yaml_node *const *)left, *b = *(struct yaml_node *const *)right;
    int order = strcmp(a->text, b->text);
    return order ? order : a->line != b->line ? (a->line < b->line ? -1 : 1) : a->column - b->column;
}

static void check_duplicates(const struct yaml_node *map, struct problems *problems)
{
    struct yaml_node **sorted = allocate(map->count + 1, sizeof *sorted);
    memcpy(sorted, map->keys, map->count * sizeof *sorted);
    qsort(sorted, map->count, sizeof *sorted, by_text);
    for (size_t i = 1; i < map->count; i++)
        if (!strcmp(sorted[i]->text, sorted[i - 1]->text))
            problem_add(problems, sorted[i]->line, sorted[i]->column, "key '%s' is there twice; first in line %d",
                        sorted[i]->text, sorted[i - 1]->line);
    free(sorted);
}

/* Keys are texts from here on, so that later readers need not ask. */
static bool check_keys(const struct yaml_node *map, struct problems *problems)
{
    bool valid = true;
    for (size_t i = 0; i < map->count; i++) {
        const struct yaml_node *key = map->keys[i];
        if (key->kind == YAML_TEXT && !yaml_null(key))
            continue;
        problem_add(problems, key->line, key->column, "a key must be a text");
        valid = false;
    }
    return valid;
}

static bool maps_valid(const struct yaml_tree *tree, struct problems *problems)
{
    bool valid = true;
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->nodes[i].kind != YAML_MAP)
            continue;
        if (check_keys(&tree->nodes[i], problems))
            check_duplicates(&tree->nodes[i], problems);
        else
            valid = false;
    }
    return valid;
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

static void take_document(struct yaml_tree *tree, yaml_document_t *document, struct problems *problems)
{
    tree->count = (size_t)(document->nodes.top - document->nodes.start);
    tree->nodes = allocate(tree->count + 1, sizeof *tree->nodes);
    for (size_t i = 0; i < tree->count; i++)
        take_node(tree, i, &document->nodes.start[i], problems);
    tree->root = tree->count ? &tree->nodes[0] : NULL;
    if (!tree->root)
        problem_add(problems, 1, 1, "the file is empty");
    else if (!tree_finite(tree, problems) || !maps_valid(tree, problems))
        tree->root = NULL;
}

static void refuse_second_document(yaml_parser_t *parser, const char *bytes, size_t length, struct problems *problems)
{
    yaml_document_t document;
    if (!yaml_parser_load(parser, &document)) {
        syntax_problem(parser, bytes, length, problems);
        return;
    }
    if (yaml_document_get_root_node(&document))
        problem_add(problems, (int)document.start_mark.line + 1, (int)document.start_mark.column + 1,
                    "a second document begins here; a file holds one");
    yaml_document_delete(&document);
}

void yaml_tree_read(struct yaml_tree *tree, const char *bytes, size_t length, struct problems *problems)
{
    yaml_parser_t parser;
    yaml_document_t document;
    *tree = (struct yaml_tree){0};
    if (!bytes_valid(bytes, length, problems))
        return;
    if (!yaml_parser_initialize(&parser)) {
        problem_add(problems, 1, 1, "not enough memory");
        return;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, length);
    if (yaml_parser_load(&parser, &document)) {
        take_document(tree, &document, problems);
        yaml_document_delete(&document);
        if (tree->count)
            refuse_second_document(&parser, bytes, length, problems);
    } else {
        syntax_problem(&parser, bytes, length, problems);
    }
    yaml_parser_delete(&parser);
}

void yaml_tree_release(struct yaml_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        free(tree->nodes[i].text);
        free(tree->nodes[i].keys);
        free(tree->nodes[i].items);
    }
    free(tree->nodes);
    *tree = (struct yaml_tree){0};
}

const struct yaml_node *yaml_member(const struct yaml_node *map, const char *key)
{
    for (size_t i = 0; i < map->count; i++)
        if (!strcmp(map->keys[i]->text, key))
            return map->items[i];
    return NULL;
}

bool yaml_null(const struct yaml_node *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; node->kind == YAML_TEXT && node->plain && i < COUNT_OF(words); i++)
        if (!strcmp(node->text, words[i]))
            return true;
    return false;
}
