/* SPDX-License-Identifier: Apache-2.0
 * recipe - every input that decides a result's content, as one line of canonical JSON, and the key it gives.
 *
 *     {"arguments": {"weights": "f32", …}, "files": {"input": "77ab…"}, "inputs": {"condition": ["9f03…/condition.safetensors"]},
 *      "model": "51c0…", "options": {"duration": 10.0, …}, "tool": "sample-tokens", "version": 1}
 *
 * An option that is among both options and inputs is a list of VALUE=FILE: "section": [12.0] with its one input is 12=FILE.
 * arguments are options of the whole process, files (absent where there are none) outside files by the SHA-256 of their
 * content, inputs results of other jobs by key, the model its identity. Paths, programs' versions and devices are no part of
 * it. Written straight as text, for a plan of ten thousand tracks has seventy thousand of them: recipe_begin, files, inputs,
 * recipe_options, options, recipe_end. Names within each come in ascending order (assert), so that one content has one text.
 * This module must not know any stage, nor the store.
 */
#ifndef LEITMOTIF_RECIPE_H
#define LEITMOTIF_RECIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/text.h"

struct recipe {
    struct text text;
    const char *last; /* name in the part that is being written; names must outlive the recipe */
    bool open;        /* that part has a member */
    bool in_inputs;   /* files are complete */
};

/* arguments: an object's canonical JSON, or NULL for none. */
void recipe_begin(struct recipe *recipe, const char *arguments);

/* The option is an outside file with this content. */
void recipe_file(struct recipe *recipe, const char *option, const char *hash);

/* The option is file `name` of the result stored as `key`. Given again for one option: in this order. */
void recipe_input(struct recipe *recipe, const char *option, const char *key, const char *name);

void recipe_options(struct recipe *recipe, const char *model); /* no more inputs; model may be NULL */
void recipe_number(struct recipe *recipe, const char *option, double value);
void recipe_integer(struct recipe *recipe, const char *option, int64_t value);
void recipe_string(struct recipe *recipe, const char *option, const char *value); /* what is no UTF-8 becomes '?' */
void recipe_json(struct recipe *recipe, const char *option, const char *value);   /* canonical */

/* The text, yours to free(), and its SHA-256. Empties the recipe. */
char *recipe_end(struct recipe *recipe, const char *tool, int version, char key[HASH_HEX_SIZE]);

/* Parts of a JSON value for recipe_json; strings as above. */
void append_json_string(struct text *text, const char *value);
void append_json_number(struct text *text, double value); /* has a point or an exponent: a real number stays one */

/* Appends what differs but for inputs, each as a line "  prompt: \"a\" -> \"b\"", and returns how many lines. */
int recipe_difference(const char *before, const char *now, struct text *lines);

#endif
