/* SPDX-License-Identifier: Apache-2.0
 * Maps of the YAML read by the tables of project-schema, one value at a time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "leitmotif/project-schema.h"

/* A number as people write it: 14400, 0.02, and the largest seed in full. */
static void append_number(struct text *text, double number)
{
    if (number >= 0x1p63)
        text_appendf(text, "%lld", (long long)INT64_MAX);
    else if (number == floor(number))
        text_appendf(text, "%.0f", number);
    else
        text_appendf(text, "%g", number);
}

static void append_expected(struct text *text, const struct field *field)
{
    static const char *const types[] = {
        [FIELD_NUMBER] = "a number",
        [FIELD_INTEGER] = "a whole number",
        [FIELD_TEXT] = "a text",
        [FIELD_CHOICE] = "one of",
        [FIELD_BIT_RATE] = "a bit rate such as 192k,",
    };
    text_append(text, types[field->type]);
    for (size_t i = 0; field->choices && field->choices[i]; i++)
        text_appendf(text, "%s %s", i ? "," : "", field->choices[i]);
    if (field->minimum < field->maximum) {
        text_append(text, " from ");
        append_number(text, field->minimum);
        text_append(text, " to ");
        append_number(text, field->maximum);
    }
    if (field->unit)
        text_appendf(text, " %s", field->unit);
}

/* "'top_p' must be a number from 0 to 1, not 'ten'" and its like. */
static void wrong_value(struct reading *reading, const struct field *field, const struct yaml_node *value)
{
    static const char *const kinds[] = {[YAML_LIST] = "a list", [YAML_MAP] = "a map"};
    struct text expected = {0};
    append_expected(&expected, field);
    if (yaml_null(value))
        problem_add(&reading->problems, value->line, value->column, "'%s' has no value; give %s, or remove the key",
                    field->name, expected.data);
    else if (value->kind == YAML_TEXT)
        problem_add(&reading->problems, value->line, value->column, "'%s' must be %s, not %s'%s'", field->name,
                    expected.data, value->plain ? "" : "the quoted ", value->text);
    else
        problem_add(&reading->problems, value->line, value->column, "'%s' must be %s, not %s", field->name,
                    expected.data, kinds[value->kind]);
    text_release(&expected);
}

static bool within(const struct field *field, double number)
{
    return field->minimum >= field->maximum || (number >= field->minimum && number <= field->maximum);
}

static int take_number(const struct field *field, const struct yaml_node *value, double *number)
{
    double parsed;
    if (!value->plain || parse_number(value->text, &parsed) || !within(field, parsed))
        return -1;
    *number = parsed;
    return 0;
}

static int take_integer(const struct field *field, const struct yaml_node *value, int64_t *number)
{
    int64_t parsed;
    if (!value->plain || parse_integer(value->text, &parsed) || !within(field, (double)parsed))
        return -1;
    *number = parsed;
    return 0;
}

/* 192000 or 192k; here a quoted one is no mistake. */
static int take_bit_rate(const struct field *field, const struct yaml_node *value, int64_t *bits_per_second)
{
    size_t length = strlen(value->text);
    bool kilo = length && (value->text[length - 1] == 'k' || value->text[length - 1] == 'K');
    char *digits = copy_bytes(value->text, length - kilo);
    double number;
    int status = parse_number(digits, &number);
    free(digits);
    number *= kilo ? 1000 : 1;
    if (status || !within(field, number) || number != floor(number))
        return -1;
    *bits_per_second = (int64_t)number;
    return 0;
}

static int take_text(const struct yaml_node *value, char **text)
{
    if (yaml_null(value))
        return -1;
    free(*text);
    *text = copy_string(value->text);
    return 0;
}

static int take_choice(const struct field *field, const struct yaml_node *value, char **text)
{
    for (size_t i = 0; field->choices[i]; i++)
        if (!strcmp(field->choices[i], value->text))
            return take_text(value, text);
    return -1;
}

/* Line feeds and tabs are fine in a text; what else moves a terminal's cursor is not. */
static bool text_clean(struct reading *reading, const struct field *field, const struct yaml_node *value)
{
    for (const char *at = value->text; *at; at++)
        if (((unsigned char)*at < 0x20 && !strchr("\t\n", *at)) || *at == 0x7f) {
            problem_add(&reading->problems, value->line, value->column, "'%s' holds the control character 0x%02x; remove it",
                        field->name, (unsigned char)*at);
            return false;
        }
    return true;
}

static int take_value(struct reading *reading, const struct field *field, const struct yaml_node *value, void *target)
{
    void *place = (char *)target + field->offset;
    int status = -1;
    if (value->kind == YAML_TEXT && field->type == FIELD_NUMBER)
        status = take_number(field, value, place);
    else if (value->kind == YAML_TEXT && field->type == FIELD_INTEGER)
        status = take_integer(field, value, place);
    else if (value->kind == YAML_TEXT && field->type == FIELD_BIT_RATE)
        status = take_bit_rate(field, value, place);
    else if (value->kind == YAML_TEXT && field->type == FIELD_CHOICE)
        status = take_choice(field, value, place);
    else if (value->kind == YAML_TEXT && field->type == FIELD_TEXT)
        status = take_text(value, place);
    if (status)
        wrong_value(reading, field, value);
    else if (field->type == FIELD_TEXT && !text_clean(reading, field, value))
        status = -1;
    return status;
}

static const struct field *field_find(const struct block *block, const char *name)
{
    for (const struct field *field = block->fields; field->name; field++)
        if (!strcmp(field->name, name))
            return field;
    return NULL;
}

/* Only keys that this version does are worth suggesting. */
static const char *suggestion(const struct block *block, const char *name)
{
    const char *names[32];
    size_t count = 0;
    for (const struct field *field = block->fields; field->name && count < COUNT_OF(names); field++)
        if (field->type != FIELD_UNSUPPORTED)
            names[count++] = field->name;
    return did_you_mean(name, names, count);
}

/* "defaults", or with its own name "track 'main_theme'". */
static char *block_title(const struct block *block, const struct yaml_node *where)
{
    return where->kind == YAML_TEXT ? format_string("%s '%s'", block->name, where->text) : copy_string(block->name);
}

static void check_keys_known(struct reading *reading, const struct block *block, const struct yaml_node *map, const char *title)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct yaml_node *key = map->keys[i];
        const struct field *field = field_find(block, key->text);
        if (!field)
            problem_add(&reading->problems, key->line, key->column, "unknown key '%s' in %s%s", key->text, title,
                        suggestion(block, key->text));
        else if (field->type == FIELD_UNSUPPORTED)
            problem_add(&reading->problems, key->line, key->column, "'%s' is not supported by this version; remove it", key->text);
    }
}

static void read_fields(struct reading *reading, const struct block *block, const struct yaml_node *map,
                        const struct yaml_node *where, const char *title, void *target)
{
    for (const struct field *field = block->fields; field->name; field++) {
        const struct yaml_node *value = yaml_member(map, field->name);
        if (!value && field->required)
            problem_add(&reading->problems, where->line, where->column, "'%s' is missing in %s", field->name, title);
        else if (value && field->type != FIELD_UNSUPPORTED)
            field_read(reading, field, value, target);
    }
}

void field_read(struct reading *reading, const struct field *field, const struct yaml_node *value, void *target)
{
    if (field->type == FIELD_BLOCK && yaml_null(value))
        problem_add(&reading->problems, value->line, value->column, "'%s' has no value; give one, or remove the key", field->name);
    else if ((field->type == FIELD_BLOCK || !take_value(reading, field, value, target)) && field->read)
        field->read(reading, value, target);
}

void block_read(struct reading *reading, const struct block *block, const struct yaml_node *map,
                const struct yaml_node *where, void *target)
{
    char *title = block_title(block, where);
    if (map->kind == YAML_MAP) {
        check_keys_known(reading, block, map, title);
        read_fields(reading, block, map, where, title, target);
    } else {
        problem_add(&reading->problems, map->line, map->column, "%s must be a map of 'key: value'", title);
    }
    free(title);
}
