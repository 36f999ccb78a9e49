/* SPDX-License-Identifier: Apache-2.0
 * recipe - every input that decides a result's content, as one JSON object, and the key it gives.
 *
 *     {"tool": "sample-tokens", "version": 1, "model": "51c0…", "options": {"duration": 10, …},
 *      "inputs": {"condition": ["9f03…/condition.safetensors"]}, "files": {}}
 *
 * inputs are results of other jobs, by key; files are outside files, by content. Paths, programs' versions and devices
 * are no part of it. This module must not know any stage, nor where results are kept.
 */
#ifndef LEITMOTIF_RECIPE_H
#define LEITMOTIF_RECIPE_H

#include <jansson.h>

#include "base/hash.h"
#include "base/text.h"

/* A recipe without options, inputs or files yet; model may be NULL. New reference. */
json_t *recipe_new(const char *tool, int version, const char *model);

/* The option's value in the recipe; steals value. */
void recipe_option(json_t *recipe, const char *option, json_t *value);

/* The option is file `name` of the result stored as `key`. Given again for one option: in this order. */
void recipe_input(json_t *recipe, const char *option, const char *key, const char *name);

/* SHA-256 of the canonical JSON. */
void recipe_key(const json_t *recipe, char key[HASH_HEX_SIZE]);

/* Appends what differs but for inputs, each as a line "  prompt: \"a\" -> \"b\"" without tool names, and returns how many
 * lines. */
int recipe_difference(const json_t *before, const json_t *now, struct text *lines);

#endif
