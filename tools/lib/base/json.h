/* SPDX-License-Identifier: Apache-2.0
 * json - jansson with the project's rules: duplicate keys rejected, nothing after the value, canonical text.
 * References are jansson's (json_decref).
 */
#ifndef LEITMOTIF_BASE_JSON_H
#define LEITMOTIF_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>

/* subject names the text in the failure ("'config.json'", "'jobs.jsonl' line 3"). New reference or NULL. */
json_t *json_parse(const char *bytes, size_t length, const char *subject);
json_t *json_read(const char *path, size_t limit);

/* Canonical: keys sorted, no spaces, 17 significant digits at most, ASCII escapes off. Yours to free(). */
char *json_canonical(const json_t *value);

/* Members with a type; a failure names the key. Absent members give the default and no failure. */
int json_member_integer(const json_t *object, const char *key, long long fallback, long long *value);
int json_member_number(const json_t *object, const char *key, double fallback, double *value);
const char *json_member_string(const json_t *object, const char *key, const char *fallback);

#endif
