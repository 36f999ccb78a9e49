/* SPDX-License-Identifier: Apache-2.0
 * checks - one file looked at as what it is. Everything that is wrong with the file becomes a finding and no failure; a
 * failure (-1) means that it could not be checked at all: it cannot be opened, or something was asked for that means
 * nothing to its kind.
 */
#ifndef LEITMOTIF_VERIFY_CHECKS_H
#define LEITMOTIF_VERIFY_CHECKS_H

#include "verify/expectations.h"
#include "verify/findings.h"

/* Finds out by content what the file is. *kind: "audio", "tokens", "condition", or "stage" for a broken or foreign
 * safetensors file. */
int check_file(const struct expectations *expectations, struct findings *findings, const char **kind);

int check_audio(const struct expectations *expectations, struct findings *findings);
int check_tokens(const struct expectations *expectations, struct findings *findings);
int check_condition(const struct expectations *expectations, struct findings *findings);

/* The recorded failure, which says that the file is no good, becomes the finding "decode" and is cleared. Returns 0. */
int finding_of_failure(struct findings *findings);

void check_duration(const struct expectations *expectations, struct findings *findings, double seconds);

#endif
