/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void reserve(struct text *text, size_t more)
{
    size_t needed = text->length + more + 1;
    if (needed <= text->capacity)
        return;
    size_t capacity = text->capacity ? text->capacity : 64;
    while (capacity < needed)
        capacity *= 2;
    text->data = reallocate(text->data, capacity, 1);
    text->capacity = capacity;
}

void text_append_bytes(struct text *text, const char *bytes, size_t length)
{
    reserve(text, length);
    if (length)
        memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = 0;
}

void text_append(struct text *text, const char *string)
{
    text_append_bytes(text, string, strlen(string));
}

static void append_formatted(struct text *text, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length > 0) {
        reserve(text, (size_t)length);
        vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

void text_appendf(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    append_formatted(text, format, arguments);
    va_end(arguments);
}

const char *text_string(const struct text *text)
{
    return text->data ? text->data : "";
}

char *text_take(struct text *text)
{
    char *taken = text->data ? text->data : copy_string("");
    *text = (struct text){0};
    return taken;
}

void text_release(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

char *format_string(const char *format, ...)
{
    struct text text = {0};
    va_list arguments;
    va_start(arguments, format);
    append_formatted(&text, format, arguments);
    va_end(arguments);
    return text_take(&text);
}

int parse_integer(const char *string, int64_t *value)
{
    const char *digits = string + (*string == '-' || *string == '+');
    char *end;
    if (*digits < '0' || *digits > '9')
        return -1;
    errno = 0;
    long long parsed = strtoll(string, &end, 10);
    if (errno || *end)
        return -1;
    *value = parsed;
    return 0;
}

/* strtod in the "C" locale, whatever locale the program runs in. */
static double number_at(const char *string, char **end)
{
    static locale_t c_locale;
    if (!c_locale)
        c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return strtod_l(string, end, c_locale);
}

/* Decimal notation only: strtod also takes hexadecimal, "inf" and "nan". */
static int parse_number_until(const char *string, double *value, char **end)
{
    const char *digits = string + (*string == '-' || *string == '+');
    if (!((*digits >= '0' && *digits <= '9') || (*digits == '.' && digits[1] >= '0' && digits[1] <= '9')))
        return -1;
    if (*digits == '0' && (digits[1] == 'x' || digits[1] == 'X'))
        return -1;
    double parsed = number_at(string, end);
    if (!isfinite(parsed))
        return -1;
    *value = parsed;
    return 0;
}

int parse_number(const char *string, double *value)
{
    char *end;
    double parsed;
    if (parse_number_until(string, &parsed, &end) || *end)
        return -1;
    *value = parsed;
    return 0;
}

int parse_size(const char *string, int64_t *bytes)
{
    static const char units[] = "KMGT";
    char *end;
    double number, factor = 1;
    if (parse_number_until(string, &number, &end) || number < 0)
        return -1;
    const char *unit = *end ? strchr(units, *end >= 'a' ? *end - 32 : *end) : NULL;
    if (unit) {
        factor = ldexp(1, 10 * (int)(unit - units + 1));
        end++;
    }
    if (*end || number * factor > 9e18)
        return -1;
    *bytes = (int64_t)(number * factor);
    return 0;
}

/* Bytes in the sequence that starts here, 0 if it is not valid. */
static size_t utf8_sequence(const unsigned char *at, size_t left)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : at[0] >> 3 == 30 ? 4 : 0;
    if (length <= 1 || length > left)
        return length == 1;
    unsigned code = at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (at[i] >> 6 != 2)
            return 0;
        code = code << 6 | (at[i] & 63);
    }
    return code >= least[length] && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000) ? length : 0;
}

bool utf8_valid(const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes, *end = at + length;
    while (at < end) {
        size_t step = utf8_sequence(at, (size_t)(end - at));
        if (!step)
            return false;
        at += step;
    }
    return true;
}

void utf8_mend(char *string)
{
    unsigned char *at = (unsigned char *)string, *end = at + strlen(string);
    while (at < end) {
        size_t step = utf8_sequence(at, (size_t)(end - at));
        if (!step)
            *at = '?';
        at += step ? step : 1;
    }
}

enum { LONGEST_WORD = 64 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein distance (optimal string alignment): insert, delete, replace, swap neighbours. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[3][LONGEST_WORD + 1], length_a = strlen(a), length_b = strlen(b);
    if (length_a > LONGEST_WORD || length_b > LONGEST_WORD)
        return SIZE_MAX;
    for (size_t j = 0; j <= length_b; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= length_a; i++) {
        size_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= length_b; j++) {
            now[j] = smaller(smaller(last[j], now[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = smaller(now[j], before[j - 2] + 1);
        }
    }
    return row[length_a % 3][length_b];
}

const char *closest(const char *word, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 1;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(word, candidates[i]);
        if (distance <= best_distance && (!best || distance < best_distance)) {
            best = candidates[i];
            best_distance = distance;
        }
    }
    return best;
}

const char *did_you_mean(const char *word, const char *const *candidates, size_t count)
{
    static _Thread_local char text[LONGEST_WORD + 32];
    const char *best = closest(word, candidates, count);
    text[0] = 0;
    if (best)
        snprintf(text, sizeof text, " (did you mean '%s'?)", best);
    return text;
}

bool has_prefix(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

bool has_suffix(const char *string, const char *suffix)
{
    size_t length = strlen(string), tail = strlen(suffix);
    return length >= tail && strcmp(string + length - tail, suffix) == 0;
}
