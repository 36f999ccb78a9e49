/* SPDX-License-Identifier: Apache-2.0
 * request - one piece of work as asked for: the flags, or the keys of a job line.
 */
#ifndef LEITMOTIF_SAMPLE_TOKENS_REQUEST_H
#define LEITMOTIF_SAMPLE_TOKENS_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/settings.h"

struct request {
    char *condition, *output;
    char *earlier;               /* --continue; may be NULL */
    char *melody;                /* may be NULL */
    struct string_list sections; /* "START=FILE" */
    double duration;             /* new seconds */
    double temperature, top_p;
    double guidance;             /* MODELS_GUIDANCE: the model's own */
    double extend_stride;        /* seconds; 0: the model's own */
    int64_t seed;
    int64_t top_k;               /* USUAL_TOP_K: 250, or the vocabulary where that is smaller */
    bool greedy;
};

#define MODELS_GUIDANCE (-1.0)
#define USUAL_TOP_K (-1)

void request_defaults(struct request *request);

/* What needs no model: files named, sections well-formed. */
int request_check(const struct request *request, bool needs_output);

/* "START=FILE" -> seconds, and the file inside `text`. */
int section_parse(const char *text, double *seconds, const char **file);

#endif
