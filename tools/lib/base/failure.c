/* SPDX-License-Identifier: Apache-2.0 */
#include "base/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { FAILURE_SIZE = 2048 };

static _Thread_local char record[FAILURE_SIZE];
static _Thread_local int status;

/* One line of UTF-8, whatever a file name or a library's message holds, and wherever it was cut: it goes into JSON too. */
static void make_one_line(char *text)
{
    utf8_mend(text);
    size_t length = strlen(text);
    while (length && (text[length - 1] == '\n' || text[length - 1] == ' '))
        text[--length] = 0;
    for (; *text; text++)
        if ((unsigned char)*text < 32 || *text == 127)
            *text = *text == '\n' || *text == '\t' ? ' ' : '?';
}

static int store(int new_status, const char *format, va_list arguments)
{
    if (status)
        return -1;
    vsnprintf(record, sizeof record, format, arguments);
    make_one_line(record);
    status = new_status;
    return -1;
}

int fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    store(EXIT_FAILED, format, arguments);
    va_end(arguments);
    return -1;
}

int misuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    store(EXIT_MISUSE, format, arguments);
    va_end(arguments);
    return -1;
}

int failure_within(const char *format, ...)
{
    char longer[2 * FAILURE_SIZE];
    va_list arguments;
    if (!status)
        return -1;
    va_start(arguments, format);
    int length = vsnprintf(longer, FAILURE_SIZE, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= FAILURE_SIZE)
        return -1;
    snprintf(longer + length, FAILURE_SIZE + 2, ": %s", record);
    memcpy(record, longer, sizeof record - 1);
    make_one_line(record);
    return -1;
}

bool failed(void)
{
    return status != EXIT_DONE;
}

const char *failure_text(void)
{
    return status ? record : "";
}

int failure_status(void)
{
    return status;
}

void failure_clear(void)
{
    status = EXIT_DONE;
    record[0] = 0;
}

int failure_print(const char *program)
{
    if (status)
        fprintf(stderr, "%s: %s\n", program, record);
    return status;
}
