/* SPDX-License-Identifier: Apache-2.0
 * audiocraft-config - what the configurations inside audiocraft's weight files say, in the terms of transformers' config.json:
 * so one reader (model-config.c) checks the numbers of both layouts. What must have one value for the programs to compute the
 * model is checked here.
 */
#ifndef LEITMOTIF_FORMATS_AUDIOCRAFT_CONFIG_H
#define LEITMOTIF_FORMATS_AUDIOCRAFT_CONFIG_H

#include <jansson.h>

#include "formats/sources.h"

/* The hub names (yours) of what the folder's files need beside them: *text of the text encoder ("t5-base"), *codec of the
 * codec ("facebook/encodec_32khz") that compression_state_dict.bin points to, NULL when it holds the codec itself. */
int audiocraft_parts(const char *folder, char **text, char **codec);

/* As config.json, and under "generation" what generation_config.json says, but for "seconds" in place of max_length.
 * A new reference; NULL on failure. */
json_t *audiocraft_config(const struct sources *sources);

#endif
