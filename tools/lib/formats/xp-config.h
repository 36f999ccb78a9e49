/* SPDX-License-Identifier: Apache-2.0
 * xp-config - the configuration of the experiment inside a weight file of audiocraft: YAML, in which "${a.b}" stands for
 * another value of the document. Knows no key.
 */
#ifndef LEITMOTIF_FORMATS_XP_CONFIG_H
#define LEITMOTIF_FORMATS_XP_CONFIG_H

#include <jansson.h>

#include "formats/torch-file.h"
#include "formats/yaml-tree.h"

struct xp_config {
    struct torch_file *file;
    struct yaml_tree tree;
};

/* Opens a weight file; tree.root is NULL when it holds no configuration (a pointer). A failure names the file. */
int xp_config_open(struct xp_config *config, const char *path);
void xp_config_close(struct xp_config *config); /* accepts all-zero */

/* The value at a dotted path, references followed; NULL when it is absent or null, and with a failure for a reference
 * that leads nowhere. */
const struct yaml_node *xp_config_value(const struct xp_config *config, const char *path);

/* The value as JSON: whole numbers, fractions, true and false, texts, and lists of them. A new reference; NULL as above,
 * and with a failure for maps. */
json_t *xp_config_json(const struct xp_config *config, const char *path);

/* Refuses another value than the expected one, a JSON text; absent counts as expected, null as "null", "[]" and "{}". */
int xp_config_expect(const struct xp_config *config, const char *path, const char *expected);

#endif
