/* SPDX-License-Identifier: Apache-2.0
 * text - growing strings, strict parsing of numbers, UTF-8, and "did you mean".
 *
 * struct text is valid when all zero. data is NUL-terminated once anything was appended (text_string() always is).
 */
#ifndef LEITMOTIF_BASE_TEXT_H
#define LEITMOTIF_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"

struct text {
    char *data;
    size_t length, capacity;
};

void text_append(struct text *text, const char *string);
void text_append_bytes(struct text *text, const char *bytes, size_t length);
void text_appendf(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);
const char *text_string(const struct text *text); /* "" when nothing was appended */
char *text_take(struct text *text);               /* the string, yours to free(); leaves text empty */
void text_release(struct text *text);

char *format_string(const char *format, ...) PRINTF_LIKE(1, 2); /* yours to free() */

/* Whole-string parsers. 0, or -1 without recording a failure (the caller knows the subject).
 * Numbers are finite; nothing may follow; no leading blanks. The locale is never used. */
int parse_integer(const char *string, int64_t *value);
int parse_number(const char *string, double *value);
int parse_size(const char *string, int64_t *bytes); /* "512M", "6.5G", "1024": K, M, G, T are powers of 1024 */

bool utf8_valid(const char *bytes, size_t length); /* RFC 3629: no surrogates, no overlong forms */

/* Puts '?' in the place of each byte that belongs to no valid sequence. */
void utf8_mend(char *string);

/* The candidate closest to word, if close enough to be what was meant; else NULL. */
const char *closest(const char *word, const char *const *candidates, size_t count);

/* " (did you mean 'x'?)" or "": to end an error text with. Valid until the next call in this thread. */
const char *did_you_mean(const char *word, const char *const *candidates, size_t count);

bool has_prefix(const char *string, const char *prefix);
bool has_suffix(const char *string, const char *suffix);

#endif
