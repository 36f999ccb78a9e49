/* SPDX-License-Identifier: Apache-2.0
 * model-parts - what the files of formats/model share among themselves; nobody else includes this.
 */
#ifndef LEITMOTIF_FORMATS_MODEL_PARTS_H
#define LEITMOTIF_FORMATS_MODEL_PARTS_H

#include <stdbool.h>

#include "formats/model.h"

/* Is the request a folder that exists? Short names are never taken for one: './small' is. */
bool model_is_folder(const char *request);

/* The hub id of a short name, or of a folder below "models--OWNER--NAME/snapshots/"; the request itself when it is an
 * id already. Yours; NULL when there is none (a folder of one's own, demo). */
char *model_hub_id(const char *request, const char *folder);

bool model_is_demo(const char *folder);

/* The folder (yours) of a text encoder or codec in transformers' layout, by its hub id: BESIDE/NAME, then wherever models are
 * looked up. NULL with a failure that says where it was not and how to fetch it. */
char *model_part_find(const char *id, const char *beside);

/* Reads the configuration that model->sources have into model's numbers and kind. */
int model_configure(struct model *model);

#endif
