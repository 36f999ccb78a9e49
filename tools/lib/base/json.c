/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <string.h>

#include "base/failure.h"
#include "base/file.h"

json_t *json_parse(const char *bytes, size_t length, const char *subject)
{
    json_error_t error;
    json_t *value = json_loadb(bytes, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value)
        return value;
    if (json_error_code(&error) == json_error_null_character)
        fail("%s holds a NUL character (\\u0000), which no text may", subject);
    else if (memchr(bytes, '\n', length))
        fail("%s is not valid JSON: %s (line %d, column %d)", subject, error.text, error.line, error.column);
    else
        fail("%s is not valid JSON: %s (column %d)", subject, error.text, error.column);
    return NULL;
}

json_t *json_read(const char *path, size_t limit)
{
    struct text content = {0};
    json_t *value = NULL;
    if (file_read(path, limit, &content) == 0) {
        char *subject = format_string("'%s'", path);
        value = json_parse(text_string(&content), content.length, subject);
        free(subject);
    }
    text_release(&content);
    return value;
}

char *json_canonical(const json_t *value)
{
    return json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
}

int json_member_integer(const json_t *object, const char *key, long long fallback, long long *value)
{
    const json_t *member = json_object_get(object, key);
    *value = member ? json_integer_value(member) : fallback;
    return !member || json_is_integer(member) ? 0 : fail("'%s' is not a whole number", key);
}

int json_member_number(const json_t *object, const char *key, double fallback, double *value)
{
    const json_t *member = json_object_get(object, key);
    *value = member ? json_number_value(member) : fallback;
    return !member || json_is_number(member) ? 0 : fail("'%s' is not a number", key);
}

const char *json_member_string(const json_t *object, const char *key, const char *fallback)
{
    const json_t *member = json_object_get(object, key);
    if (member && !json_is_string(member)) {
        fail("'%s' is not a string", key);
        return NULL;
    }
    return member ? json_string_value(member) : fallback;
}
