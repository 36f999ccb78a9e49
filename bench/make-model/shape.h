/* SPDX-License-Identifier: Apache-2.0
 * shape - the sizes of models by name, as the published ones have them, and their configuration files.
 *
 * Of a struct model only text, language, codec and window_frames are set.
 */
#ifndef LEITMOTIF_BENCH_SHAPE_H
#define LEITMOTIF_BENCH_SHAPE_H

#include <jansson.h>

#include "formats/model.h"

extern const char *const SHAPE_NAMES[]; /* ends with NULL */

struct model shape_named(const char *name); /* one of SHAPE_NAMES */

/* What stands in config.json and generation_config.json; new references. */
json_t *shape_config(const struct model *shape);
json_t *shape_generation(const struct model *shape);

#endif
