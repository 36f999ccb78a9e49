/* SPDX-License-Identifier: Apache-2.0
 * expectations - one file to check and what was asked of it: a job of verify.
 */
#ifndef LEITMOTIF_VERIFY_EXPECTATIONS_H
#define LEITMOTIF_VERIFY_EXPECTATIONS_H

#include "base/settings.h"

struct expectations {
    char *input, *report;              /* report may be NULL */
    double duration, duration_tolerance; /* seconds */
    int64_t rate_hz, channels, bit_rate; /* 0: not asked for */
    char *codec;                       /* NULL: not asked for */
    double loudness, loudness_tolerance; /* LUFS, LU */
    double max_true_peak;              /* dBTP */
    double max_silence;                /* seconds */
};

extern const struct setting EXPECTATIONS[];

void expectations_defaults(void *process, void *job); /* numbers that were not asked for are NAN */
int expectations_check(const void *process, void *job);

double duration_tolerance(const struct expectations *expectations); /* asked for, else the default */
double loudness_tolerance(const struct expectations *expectations);
double max_silence(const struct expectations *expectations);

/* Refuses (misuse) what was asked for and means nothing to a file of this kind ("tokens", "condition"). */
int expectations_refuse_audio(const struct expectations *expectations, const char *kind);
int expectations_refuse_duration(const struct expectations *expectations, const char *kind);

#endif
