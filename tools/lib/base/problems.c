/* SPDX-License-Identifier: Apache-2.0 */
#include "base/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

/* What the file says is quoted in the text: nothing of it may break the line or reach the terminal. */
static char *printable(char *text)
{
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    return text;
}

void problem_add(struct problems *problems, int line, int column, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = copy_string(format);
    va_end(arguments);
    problems->items = grow(problems->items, problems->count, &problems->capacity, sizeof *problems->items);
    problems->items[problems->count] = (struct problem){line, column, problems->count, printable(text)};
    problems->count++;
}

static int by_place(const void *left, const void *right)
{
    const struct problem *a = left, *b = right;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

void problems_tell(struct problems *problems, const char *path, struct text *lines)
{
    if (problems->count)
        qsort(problems->items, problems->count, sizeof *problems->items, by_place);
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        text_appendf(lines, "%s:%d:%d: %s\n", path, problem->line, problem->column, problem->text);
    }
}

void problems_release(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        free(problems->items[i].text);
    free(problems->items);
    *problems = (struct problems){0};
}
