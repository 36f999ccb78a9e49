/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/yaml-tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/memory.h"

struct position {
    int line, column;
};

struct anchor {
    char *name;
    struct yaml_node *node;
};

struct builder {              /* a tree while its events come in */
    yaml_parser_t parser;
    const char *bytes;
    size_t length;
    struct yaml_tree *tree;
    size_t node_capacity;
    struct anchor anchors[YAML_MAX_ANCHORS];
    size_t anchor_count;
    struct problems *problems;
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

static void syntax_problem(struct builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    yaml_mark_t mark = parser->problem_mark;
    const char *hint = tab_at(builder->bytes, builder->length, mark) ? " (a tab: indent with spaces)" : "";
    if (parser->error == YAML_READER_ERROR) {
        size_t offset = parser->problem_offset < builder->length ? parser->problem_offset : builder->length;
        struct position at = position_of(builder->bytes, offset);
        problem_add(builder->problems, at.line, at.column, "not YAML: %s", parser->problem);
    } else {
        problem_add(builder->problems, (int)mark.line + 1, (int)mark.column + 1, "not YAML: %s%s%s%s", parser->problem,
                    parser->context ? " " : "", parser->context ? parser->context : "", hint);
    }
}

/* --- events to nodes ---------------------------------------------------------------------------------------------
 * A function that returns NULL or -1 has added a problem after which the rest of the file means nothing. */

static int next_event(struct builder *builder, yaml_event_t *event)
{
    if (yaml_parser_parse(&builder->parser, event))
        return 0;
    syntax_problem(builder);
    return -1;
}

static struct yaml_node *stop_at(struct builder *builder, yaml_mark_t mark, const char *reason)
{
    problem_add(builder->problems, (int)mark.line + 1, (int)mark.column + 1, "%s", reason);
    return NULL;
}

static struct yaml_node *new_node(struct builder *builder, enum yaml_kind kind, const yaml_event_t *event)
{
    struct yaml_tree *tree = builder->tree;
    struct yaml_node *node = allocate(1, sizeof *node);
    *node = (struct yaml_node){.kind = kind, .size = 1, .line = (int)event->start_mark.line + 1,
                               .column = (int)event->start_mark.column + 1};
    tree->nodes = grow(tree->nodes, tree->count, &builder->node_capacity, sizeof *tree->nodes);
    tree->nodes[tree->count++] = node;
    return node;
}

/* A name may be given again; an alias then means the newest. */
static int keep_anchor(struct builder *builder, const yaml_char_t *name, struct yaml_node *node, yaml_mark_t mark)
{
    if (!name)
        return 0;
    if (builder->anchor_count == YAML_MAX_ANCHORS)
        return stop_at(builder, mark, "too many anchors"), -1;
    builder->anchors[builder->anchor_count++] = (struct anchor){copy_string((const char *)name), node};
    return 0;
}

static struct yaml_node *build_alias(struct builder *builder, const yaml_event_t *event, int depth)
{
    const char *name = (const char *)event->data.alias.anchor;
    size_t i = builder->anchor_count;
    while (i && strcmp(builder->anchors[i - 1].name, name))
        i--;
    if (!i)
        return stop_at(builder, event->start_mark, "the alias has no anchor above it");
    struct yaml_node *node = builder->anchors[i - 1].node;
    if (!node->complete)
        return stop_at(builder, event->start_mark, "the alias stands inside its own anchor");
    if (depth + node->height > YAML_MAX_DEPTH)
        return stop_at(builder, event->start_mark, "nested too deeply");
    return node;
}

static void check_tag(struct builder *builder, const yaml_char_t *tag, const char *usual, const yaml_event_t *event)
{
    if (tag && strcmp((const char *)tag, usual))
        problem_add(builder->problems, (int)event->start_mark.line + 1, (int)event->start_mark.column + 1,
                    "tag '%s' is not supported; remove it", (const char *)tag);
}

static struct yaml_node *build_text(struct builder *builder, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    struct yaml_node *node = new_node(builder, YAML_TEXT, event);
    node->text = copy_bytes(value, event->data.scalar.length);
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.tag;
    node->complete = true;
    check_tag(builder, event->data.scalar.tag, YAML_STR_TAG, event);
    if (strlen(node->text) != event->data.scalar.length)
        problem_add(builder->problems, node->line, node->column, "the text holds a NUL character");
    return keep_anchor(builder, event->data.scalar.anchor, node, event->start_mark) ? NULL : node;
}

static struct yaml_node *build_node(struct builder *builder, const yaml_event_t *event, int depth);

/* The node that the next event begins; *ended at the end of the list or map around it. */
static struct yaml_node *build_next(struct builder *builder, int depth, bool *ended)
{
    yaml_event_t event;
    if (next_event(builder, &event))
        return NULL;
    *ended = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
    struct yaml_node *node = *ended ? NULL : build_node(builder, &event, depth);
    yaml_event_delete(&event);
    return node;
}

/* Adds a child, NULL for a list's key; the size counts what aliases stand for. */
static int add_child(struct builder *builder, struct yaml_node *node, struct yaml_node *key, struct yaml_node *item)
{
    size_t capacity = node->capacity;
    node->items = grow(node->items, node->count, &node->capacity, sizeof *node->items);
    if (key)
        node->keys = grow(node->keys, node->count, &capacity, sizeof *node->keys);
    if (key)
        node->keys[node->count] = key;
    node->items[node->count++] = item;
    node->size += item->size + (key != NULL);
    node->height = node->height > item->height + 1 ? node->height : item->height + 1;
    if (node->size <= YAML_MAX_NODES)
        return 0;
    problem_add(builder->problems, item->line, item->column, "too many values, aliases written out");
    return -1;
}

static int build_children(struct builder *builder, struct yaml_node *node, int depth)
{
    for (;;) {
        bool ended = false;
        struct yaml_node *key = build_next(builder, depth + 1, &ended), *item = key;
        if (ended)
            return 0;
        if (key && node->kind == YAML_MAP)
            item = build_next(builder, depth + 1, &ended);
        if (!item || add_child(builder, node, node->kind == YAML_MAP ? key : NULL, item))
            return -1;
    }
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
    for (size_t i = 0; i < map->count; i++)
        sorted[i] = map->keys[i];
    qsort(sorted, map->count, sizeof *sorted, by_text);
    for (size_t i = 1; i < map->count; i++)
        if (!strcmp(sorted[i]->text, sorted[i - 1]->text))
            problem_add(problems, sorted[i]->line, sorted[i]->column, "key '%s' is there twice; first in line %d",
                        sorted[i]->text, sorted[i - 1]->line);
    free(sorted);
}

/* Keys are texts from here on, so that later readers need not ask; a file with others has no root. */
static void check_keys(struct builder *builder, struct yaml_node *map)
{
    size_t texts = 0;
    for (size_t i = 0; i < map->count; i++) {
        const struct yaml_node *key = map->keys[i];
        if (key->kind == YAML_TEXT && !yaml_null(key))
            texts++;
        else
            problem_add(builder->problems, key->line, key->column, "a key must be a text");
    }
    if (texts == map->count)
        check_duplicates(map, builder->problems);
    else
        builder->tree->odd_keys = true;
}

static struct yaml_node *build_collection(struct builder *builder, const yaml_event_t *event, int depth)
{
    bool map = event->type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *tag = map ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    const yaml_char_t *anchor = map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    struct yaml_node *node = new_node(builder, map ? YAML_MAP : YAML_LIST, event);
    check_tag(builder, tag, map ? YAML_MAP_TAG : YAML_SEQ_TAG, event);
    if (depth > YAML_MAX_DEPTH)
        return stop_at(builder, event->start_mark, "nested too deeply");
    if (keep_anchor(builder, anchor, node, event->start_mark) || build_children(builder, node, depth))
        return NULL;
    if (map)
        check_keys(builder, node);
    node->complete = true;
    return node;
}

static struct yaml_node *build_node(struct builder *builder, const yaml_event_t *event, int depth)
{
    if (event->type == YAML_ALIAS_EVENT)
        return build_alias(builder, event, depth);
    return event->type == YAML_SCALAR_EVENT ? build_text(builder, event) : build_collection(builder, event, depth);
}

/* --- the document ------------------------------------------------------------------------------------------------ */

/* The next event's type, which tells where documents begin and end; its place in *mark. */
static yaml_event_type_t next_type(struct builder *builder, yaml_mark_t *mark)
{
    yaml_event_t event;
    if (next_event(builder, &event))
        return YAML_NO_EVENT;
    yaml_event_type_t type = event.type;
    *mark = event.start_mark;
    yaml_event_delete(&event);
    return type;
}

static void build_document(struct builder *builder)
{
    bool ended;
    yaml_mark_t mark;
    yaml_event_type_t type = next_type(builder, &mark); /* the stream's start */
    if (type == YAML_STREAM_START_EVENT)
        type = next_type(builder, &mark);
    if (type == YAML_STREAM_END_EVENT)
        problem_add(builder->problems, 1, 1, "the file is empty");
    if (type != YAML_DOCUMENT_START_EVENT)
        return;
    const struct yaml_node *root = build_next(builder, 1, &ended);
    if (!root || next_type(builder, &mark) != YAML_DOCUMENT_END_EVENT)
        return;
    type = next_type(builder, &mark);
    if (type == YAML_DOCUMENT_START_EVENT)
        stop_at(builder, mark, "a second document begins here; a file holds one");
    else if (type == YAML_STREAM_END_EVENT && !builder->tree->odd_keys)
        builder->tree->root = root;
}

void yaml_tree_read(struct yaml_tree *tree, const char *bytes, size_t length, struct problems *problems)
{
    *tree = (struct yaml_tree){0};
    if (!bytes_valid(bytes, length, problems))
        return;
    struct builder *builder = allocate(1, sizeof *builder);
    *builder = (struct builder){.bytes = bytes, .length = length, .tree = tree, .problems = problems};
    if (yaml_parser_initialize(&builder->parser)) {
        yaml_parser_set_input_string(&builder->parser, (const unsigned char *)bytes, length);
        build_document(builder);
        yaml_parser_delete(&builder->parser);
    } else {
        problem_add(problems, 1, 1, "not enough memory");
    }
    for (size_t i = 0; i < builder->anchor_count; i++)
        free(builder->anchors[i].name);
    free(builder);
}

void yaml_tree_release(struct yaml_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        free(tree->nodes[i]->text);
        free(tree->nodes[i]->keys);
        free(tree->nodes[i]->items);
        free(tree->nodes[i]);
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
