/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/findings.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_MESSAGE = 2048, MESSAGES_IN_SUMMARY = 3 };
static const double MOST_EXACT = 9007199254740992.0; /* 2^53 */

/* What is to blame: "sound" may come out better when the piece is made again with another seed, "file" will not. */
static const struct {
    const char *name, *blames, *unit;
} ABOUT[CHECKS] = {
    [CHECK_DECODE] = {"decode", "file", NULL},
    [CHECK_DURATION] = {"duration", "file", "s"},
    [CHECK_RATE] = {"rate", "file", "Hz"},
    [CHECK_CHANNELS] = {"channels", "file", NULL},
    [CHECK_CODEC] = {"codec", "file", NULL},
    [CHECK_BITRATE] = {"bitrate", "file", "bit/s"},
    [CHECK_FINITE] = {"finite", "file", "samples"},
    [CHECK_SILENCE] = {"silence", "sound", "s"},
    [CHECK_COLLAPSE] = {"collapse", "sound", "s"},
    [CHECK_CLIPPING] = {"clipping", "sound", "samples"},
    [CHECK_DC] = {"dc", "sound", "of full scale"},
    [CHECK_STUCK] = {"stuck", "sound", "s"},
    [CHECK_LOUDNESS] = {"loudness", "file", "LUFS"},
    [CHECK_TRUE_PEAK] = {"true-peak", "file", "dBTP"},
    [CHECK_RANGE] = {"range", "file", NULL},
    [CHECK_REPETITION] = {"repetition", "sound", "s"},
    [CHECK_VARIETY] = {"variety", "sound", "frames"},
};

static const char *const STATUS[] = {[VERDICT_OK] = "ok", [VERDICT_FAILED] = "failed", [VERDICT_SKIPPED] = "skipped"};

/* Whole numbers without a fraction: they are counts, rates and such. */
static json_t *number_or_null(double value)
{
    if (!isfinite(value))
        return json_null();
    return value == rint(value) && fabs(value) < MOST_EXACT ? json_integer((json_int_t)value) : json_real(value);
}

static json_t *word_or_null(const char *word)
{
    return word ? json_string(word) : json_null();
}

static void add(struct findings *findings, enum check check, enum verdict verdict, json_t *value, json_t *expected,
                const char *message, va_list arguments)
{
    char line[LONGEST_MESSAGE];
    vsnprintf(line, sizeof line, message, arguments);
    if (verdict == VERDICT_FAILED && ++findings->failed_count <= MESSAGES_IN_SUMMARY)
        text_appendf(&findings->summary, "%s%s", findings->failed_count > 1 ? "; " : "", line);
    if (!findings->list)
        findings->list = json_array();
    json_t *text = json_string(line); /* a message cut inside a character is no UTF-8 */
    json_array_append_new(findings->list,
                          json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "check", ABOUT[check].name, "blames",
                                    ABOUT[check].blames, "status", STATUS[verdict], "value", value, "expected", expected,
                                    "unit", word_or_null(ABOUT[check].unit), "message",
                                    text ? text : json_string(ABOUT[check].name)));
}

void finding_number(struct findings *findings, enum check check, enum verdict verdict, double value, double expected,
                    const char *message, ...)
{
    va_list arguments;
    va_start(arguments, message);
    add(findings, check, verdict, number_or_null(value), number_or_null(expected), message, arguments);
    va_end(arguments);
}

void finding_word(struct findings *findings, enum check check, enum verdict verdict, const char *value, const char *expected,
                  const char *message, ...)
{
    va_list arguments;
    va_start(arguments, message);
    add(findings, check, verdict, word_or_null(value), word_or_null(expected), message, arguments);
    va_end(arguments);
}

enum verdict verdict_if(bool asked, bool good)
{
    if (!asked)
        return VERDICT_SKIPPED;
    return good ? VERDICT_OK : VERDICT_FAILED;
}

char *findings_summary(const struct findings *findings)
{
    const char *first = text_string(&findings->summary);
    if (findings->failed_count <= MESSAGES_IN_SUMMARY)
        return format_string("%s", first);
    return format_string("%s; and %zu more", first, findings->failed_count - MESSAGES_IN_SUMMARY);
}

json_t *findings_object(const struct findings *findings, const char *input, const char *kind)
{
    return json_pack("{s:s, s:s, s:b, s:O}", "input", input, "kind", kind, "passed", findings->failed_count == 0, "findings",
                     findings->list);
}

void findings_release(struct findings *findings)
{
    json_decref(findings->list);
    text_release(&findings->summary);
    *findings = (struct findings){0};
}
