/* SPDX-License-Identifier: Apache-2.0
 * settings - a program's options as one table, read from flags (popt) and from job lines (JSON) alike.
 *
 * A table ends with {0}. A setting's value lands at `offset` in the struct that its scope names: SCOPE_PROCESS in the
 * process struct, SCOPE_JOB in the job struct. Types and the fields they fill:
 *   STRING, CHOICE  char *     (owned; settings_release frees)      NUMBER   double
 *   LIST            struct string_list (repeatable; arrays in jobs)  INTEGER  int64_t
 *   FLAG            bool                                             SIZE     int64_t, bytes
 *   CALL            nothing: call(target, name, value) is called in the order given (transcode's outputs)
 *                   without `call` it is a key of job lines only, and no flag
 * minimum bounds NUMBER and INTEGER unless both bounds are 0 and `above` is not set; maximum does where it is larger than
 * minimum; `above` excludes the minimum itself. Values are parsed to the last
 * character, NaN and infinities are misuse. Strings must be valid UTF-8 without NUL.
 */
#ifndef LEITMOTIF_BASE_SETTINGS_H
#define LEITMOTIF_BASE_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct string_list {
    char **items;
    size_t count, capacity;
};

enum setting_type { SETTING_STRING = 1, SETTING_CHOICE, SETTING_LIST, SETTING_FLAG, SETTING_NUMBER, SETTING_INTEGER, SETTING_SIZE, SETTING_CALL };
enum setting_scope { SCOPE_JOB, SCOPE_PROCESS };

struct setting {
    const char *name; /* long option and job key */
    char letter;      /* short option or 0 */
    enum setting_type type;
    enum setting_scope scope;
    size_t offset;
    const char *argument, *help; /* for --help */
    const char *const *choices;  /* CHOICE: NULL-terminated */
    double minimum, maximum;
    bool above;
    int (*call)(void *target, const char *name, const char *value);      /* CALL from a flag */
    int (*call_json)(void *target, const char *name, const json_t *value); /* CALL from a job line */
};

/* One value given as text (flag) or as JSON (job). 0, or -1 with misuse() that names the setting. */
int setting_set(const struct setting *setting, void *target, const char *value);
int setting_set_json(const struct setting *setting, void *target, const json_t *value);

const struct setting *setting_find(const struct setting *table, const char *name);
const char *setting_suggestion(const struct setting *table, const char *name, enum setting_scope scope); /* as did_you_mean() */

/* All members of object into target, by the SCOPE_JOB settings of table. Unknown keys are misuse with a suggestion. */
int settings_from_json(const struct setting *table, void *target, const json_t *object);

void settings_release(const struct setting *table, void *target, enum setting_scope scope);
void string_list_add(struct string_list *list, const char *item);
void string_list_release(struct string_list *list);

#endif
