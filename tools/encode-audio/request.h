/* SPDX-License-Identifier: Apache-2.0
 * request - one piece of work as asked for, and what both kinds of it share.
 */
#ifndef LEITMOTIF_ENCODE_AUDIO_REQUEST_H
#define LEITMOTIF_ENCODE_AUDIO_REQUEST_H

#include <jansson.h>

#include "formats/model.h"

struct request {
    char *input, *output;
    char *as;        /* "tokens" or "melody" */
    double duration; /* seconds; 0: not given */
};

/* The members of a recipe that both kinds have: tool, version, model, what it is of. New reference, NULL on failure. */
json_t *request_recipe(const struct request *request, const struct model *model, const char *identity);

#endif
