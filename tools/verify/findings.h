/* SPDX-License-Identifier: Apache-2.0
 * findings - what was looked at in one file, and what was seen: the list that stdout and the report show.
 *
 * Each is {"check", "blames", "status", "value", "expected", "unit", "message"}; docs/verify.md explains every check.
 * This module knows neither audio nor tokens.
 */
#ifndef LEITMOTIF_VERIFY_FINDINGS_H
#define LEITMOTIF_VERIFY_FINDINGS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/text.h"

enum check {
    CHECK_DECODE, CHECK_DURATION, CHECK_RATE, CHECK_CHANNELS, CHECK_CODEC, CHECK_BITRATE,
    CHECK_FINITE, CHECK_SILENCE, CHECK_COLLAPSE, CHECK_CLIPPING, CHECK_DC, CHECK_STUCK, CHECK_LOUDNESS, CHECK_TRUE_PEAK,
    CHECK_RANGE, CHECK_REPETITION, CHECK_VARIETY, CHECKS
};

enum verdict { VERDICT_OK, VERDICT_FAILED, VERDICT_SKIPPED };

struct findings { /* valid when all zero */
    json_t *list;
    size_t failed_count;
    struct text summary; /* the first failed messages, joined by "; " */
};

/* A finding about a number; NAN or an infinity becomes null, and NAN as `expected` means that nothing was asked for. */
void finding_number(struct findings *findings, enum check check, enum verdict verdict, double value, double expected,
                    const char *message, ...) PRINTF_LIKE(6, 7);

/* The same about a word; either may be NULL. */
void finding_word(struct findings *findings, enum check check, enum verdict verdict, const char *value, const char *expected,
                  const char *message, ...) PRINTF_LIKE(6, 7);

/* The verdict on a thing that is only looked at when it was asked for. */
enum verdict verdict_if(bool asked, bool good);

/* The first failed messages and how many more there are, for one line on stderr; yours to free(). */
char *findings_summary(const struct findings *findings);

/* {"input", "kind", "passed", "findings"}: a new reference; findings keeps none of it. */
json_t *findings_object(const struct findings *findings, const char *input, const char *kind);

void findings_release(struct findings *findings);

#endif
