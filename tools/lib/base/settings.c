/* SPDX-License-Identifier: Apache-2.0 */
#include "base/settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { MANY_SETTINGS = 64 };

static void *field(const struct setting *setting, void *target)
{
    return (char *)target + setting->offset;
}

void string_list_add(struct string_list *list, const char *item)
{
    list->items = grow(list->items, list->count, &list->capacity, sizeof *list->items);
    list->items[list->count++] = copy_string(item);
}

void string_list_release(struct string_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct string_list){0};
}

static void set_string(const struct setting *setting, void *target, const char *value)
{
    char **string = field(setting, target);
    free(*string);
    *string = copy_string(value);
}

static int set_choice(const struct setting *setting, void *target, const char *value)
{
    struct text all = {0};
    size_t count = 0;
    for (; setting->choices[count]; count++) {
        if (strcmp(setting->choices[count], value) == 0) {
            set_string(setting, target, value);
            text_release(&all);
            return 0;
        }
        text_appendf(&all, "%s%s", count ? ", " : "", setting->choices[count]);
    }
    misuse("'--%s' cannot be '%s'%s: use one of %s", setting->name, value, did_you_mean(value, setting->choices, count),
           text_string(&all));
    text_release(&all);
    return -1;
}

static int check_range(const struct setting *setting, double value)
{
    bool lower = setting->minimum != 0 || setting->maximum != 0 || setting->above;
    bool upper = setting->maximum > setting->minimum;
    bool too_low = lower && (setting->above ? value <= setting->minimum : value < setting->minimum);
    if (!too_low && !(upper && value > setting->maximum))
        return 0;
    const char *relation = setting->above ? "above" : "at least";
    if (!upper || isinf(setting->maximum))
        return misuse("'--%s' cannot be %.15g: it must be %s %.15g", setting->name, value, relation, setting->minimum);
    return misuse("'--%s' cannot be %.15g: it must be %s %.15g and at most %.15g", setting->name, value, relation,
                  setting->minimum, setting->maximum);
}

static int set_number(const struct setting *setting, void *target, double value)
{
    if (!isfinite(value))
        return misuse("'--%s' must be a finite number", setting->name);
    if (check_range(setting, value))
        return -1;
    *(double *)field(setting, target) = value;
    return 0;
}

static int set_integer(const struct setting *setting, void *target, int64_t value)
{
    if (check_range(setting, (double)value))
        return -1;
    *(int64_t *)field(setting, target) = value;
    return 0;
}

static int set_size(const struct setting *setting, void *target, const char *value)
{
    int64_t bytes;
    if (parse_size(value, &bytes) || bytes <= 0)
        return misuse("'--%s' cannot be '%s': give a size such as 512M or 6.5G", setting->name, value);
    *(int64_t *)field(setting, target) = bytes;
    return 0;
}

static int set_text(const struct setting *setting, void *target, const char *value)
{
    if (!utf8_valid(value, strlen(value)))
        return misuse("'--%s' is not valid UTF-8", setting->name);
    if (setting->type == SETTING_STRING)
        set_string(setting, target, value);
    else
        string_list_add(field(setting, target), value);
    return 0;
}

int setting_set(const struct setting *setting, void *target, const char *value)
{
    double number;
    int64_t integer;
    switch (setting->type) {
    case SETTING_STRING:
    case SETTING_LIST:
        return set_text(setting, target, value);
    case SETTING_CHOICE:
        return set_choice(setting, target, value);
    case SETTING_FLAG:
        *(bool *)field(setting, target) = true;
        return 0;
    case SETTING_NUMBER:
        if (parse_number(value, &number))
            return misuse("'--%s' cannot be '%s': give a number", setting->name, value);
        return set_number(setting, target, number);
    case SETTING_INTEGER:
        if (parse_integer(value, &integer))
            return misuse("'--%s' cannot be '%s': give a whole number", setting->name, value);
        return set_integer(setting, target, integer);
    case SETTING_SIZE:
        return set_size(setting, target, value);
    case SETTING_CALL:
        return setting->call(target, setting->name, value);
    }
    return -1;
}

static int set_list_json(const struct setting *setting, void *target, const json_t *value)
{
    size_t index;
    json_t *item;
    json_array_foreach(value, index, item) {
        if (!json_is_string(item))
            return misuse("'%s' must be an array of strings", setting->name);
        if (set_text(setting, target, json_string_value(item)))
            return -1;
    }
    return 0;
}

static int wrong_json_type(const struct setting *setting)
{
    static const char *const wanted[] = {
        [SETTING_STRING] = "a string", [SETTING_CHOICE] = "a string", [SETTING_LIST] = "an array of strings",
        [SETTING_FLAG] = "true or false", [SETTING_NUMBER] = "a number", [SETTING_INTEGER] = "a whole number",
        [SETTING_SIZE] = "a size", [SETTING_CALL] = "of another type"};
    return misuse("'%s' must be %s", setting->name, wanted[setting->type]);
}

int setting_set_json(const struct setting *setting, void *target, const json_t *value)
{
    switch (setting->type) {
    case SETTING_LIST:
        return json_is_array(value) ? set_list_json(setting, target, value) : wrong_json_type(setting);
    case SETTING_FLAG:
        if (!json_is_boolean(value))
            return wrong_json_type(setting);
        *(bool *)field(setting, target) = json_is_true(value);
        return 0;
    case SETTING_NUMBER:
        return json_is_number(value) ? set_number(setting, target, json_number_value(value)) : wrong_json_type(setting);
    case SETTING_INTEGER:
        return json_is_integer(value) ? set_integer(setting, target, json_integer_value(value)) : wrong_json_type(setting);
    case SETTING_CALL:
        return setting->call_json(target, setting->name, value);
    default:
        return json_is_string(value) ? setting_set(setting, target, json_string_value(value)) : wrong_json_type(setting);
    }
}

const struct setting *setting_find(const struct setting *table, const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

const char *setting_suggestion(const struct setting *table, const char *name, enum setting_scope scope)
{
    const char *names[MANY_SETTINGS];
    size_t count = 0;
    for (; table->name && count < MANY_SETTINGS; table++)
        if (table->scope == scope)
            names[count++] = table->name;
    return did_you_mean(name, names, count);
}

int settings_from_json(const struct setting *table, void *target, const json_t *object)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return misuse("a job must be a JSON object");
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        const struct setting *setting = setting_find(table, key);
        if (!setting)
            return misuse("unknown key '%s'%s", key, setting_suggestion(table, key, SCOPE_JOB));
        if (setting->scope == SCOPE_PROCESS)
            return misuse("'%s' belongs to the whole program: give it as --%s, not in a job", key, key);
        if (setting_set_json(setting, target, value))
            return -1;
    }
    return 0;
}

void settings_release(const struct setting *table, void *target, enum setting_scope scope)
{
    for (; table->name; table++) {
        if (table->scope != scope)
            continue;
        if (table->type == SETTING_STRING || table->type == SETTING_CHOICE) {
            char **string = field(table, target);
            free(*string);
            *string = NULL;
        } else if (table->type == SETTING_LIST)
            string_list_release(field(table, target));
    }
}
