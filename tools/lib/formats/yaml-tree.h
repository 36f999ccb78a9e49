/* SPDX-License-Identifier: Apache-2.0
 * yaml-tree - one YAML document as nodes that know their line and column: the one module that sees libyaml.
 *
 * An alias is the node of its anchor, so a node may have several parents; the tree is finite all the same: cycles,
 * more than YAML_MAX_DEPTH levels and more than YAML_MAX_NODES nodes with aliases written out are problems. (Built from
 * events: libyaml's own documents take quadratic time for deep nesting before anybody could refuse it.)
 * So are duplicate keys, keys that are no plain text, tags, several documents, and bytes that are no UTF-8.
 */
#ifndef LEITMOTIF_FORMATS_YAML_TREE_H
#define LEITMOTIF_FORMATS_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/problems.h"

enum { YAML_MAX_BYTES = 16 << 20, YAML_MAX_DEPTH = 64, YAML_MAX_NODES = 2000000, YAML_MAX_ANCHORS = 256 };

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    int line, column;
    bool plain;               /* YAML_TEXT without quotes: may be a number, or null */
    char *text;               /* YAML_TEXT: without NUL inside */
    struct yaml_node **keys;  /* YAML_MAP: [count], each YAML_TEXT */
    struct yaml_node **items; /* YAML_LIST, YAML_MAP: [count] */
    size_t count;
    size_t capacity, size;    /* private from here: room for children; nodes below and itself, aliases written out; */
    int height;               /* levels below */
    bool complete;
};

struct yaml_tree {
    struct yaml_node **nodes; /* all of them, to free */
    size_t count;
    bool odd_keys;            /* some key is no text */
    const struct yaml_node *root; /* NULL: nothing could be read */
};

/* Reads the bytes of a file. Everything wrong is added to problems; with a syntax error or an endless tree the root is
 * NULL. Release it in any case. */
void yaml_tree_read(struct yaml_tree *tree, const char *bytes, size_t length, struct problems *problems);
void yaml_tree_release(struct yaml_tree *tree);

/* The value of key in a map (the first, if there are two), or NULL. */
const struct yaml_node *yaml_member(const struct yaml_node *map, const char *key);

bool yaml_null(const struct yaml_node *node); /* plain and empty, ~ or null */

#endif
