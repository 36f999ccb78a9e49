/* SPDX-License-Identifier: Apache-2.0
 * report-object - a render's report as one JSON value (docs/report.md), and the texts made from it.
 *
 * report.json is this value; the page and the info file say the same, and are made from nothing else.
 */
#ifndef LEITMOTIF_REPORT_OBJECT_H
#define LEITMOTIF_REPORT_OBJECT_H

#include <jansson.h>

#include "leitmotif/report.h"

/* earlier: the folder's last report or NULL. Files that it knows by name, size and key are not hashed again. New
 * reference, or NULL on failure (a release file cannot be read). */
json_t *report_object(const struct report *report, const json_t *earlier);

/* The string at a key, or fallback when there is none (null, for one). */
const char *string_at(const json_t *object, const char *key, const char *fallback);

/* `leitmotif generate …`, which makes this take again; for takes that continue none and have no sections. */
void append_command(struct text *text, const struct project *project, const struct take_report *result);

char *info_text(const json_t *object); /* soundtrack_info.txt; yours to free() */
char *page_text(const json_t *object); /* index.html; yours to free() */

#endif
