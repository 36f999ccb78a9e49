/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/wording.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void append_html(struct text *text, const char *string)
{
    for (; *string; string++)
        switch (*string) {
        case '&': text_append(text, "&amp;"); break;
        case '<': text_append(text, "&lt;"); break;
        case '>': text_append(text, "&gt;"); break;
        case '"': text_append(text, "&quot;"); break;
        case '\'': text_append(text, "&#39;"); break;
        default: text_append_bytes(text, string, 1);
        }
}

void append_shell_word(struct text *text, const char *string)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:,+-";
    if (*string && !string[strspn(string, plain)]) {
        text_append(text, string);
        return;
    }
    text_append(text, "'");
    for (; *string; string++)
        if (*string == '\'')
            text_append(text, "'\\''");
        else
            text_append_bytes(text, string, 1);
    text_append(text, "'");
}

void append_number(struct text *text, double number)
{
    char digits[32];
    double again;
    for (int precision = 6; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, number);
        if (parse_number(digits, &again) || again == number)
            break;
    }
    text_append(text, digits);
}

void append_bytes(struct text *text, int64_t bytes)
{
    static const char *const units[] = {"KB", "MB", "GB"};
    double amount = (double)bytes / 1000;
    size_t unit = 0;
    for (; unit < 2 && amount >= 999.5; unit++)
        amount /= 1000;
    if (bytes < 1000)
        text_appendf(text, "%d bytes", (int)bytes);
    else
        text_appendf(text, amount < 9.95 ? "%.1f %s" : "%.0f %s", amount, units[unit]);
}

void append_time(struct text *text, double seconds)
{
    long whole = lround(seconds);
    if (seconds < 59.95)
        text_appendf(text, "%.1f s", seconds);
    else
        text_appendf(text, "%ld:%02ld", whole / 60, whole % 60);
}
