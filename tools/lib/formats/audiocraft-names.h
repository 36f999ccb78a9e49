/* SPDX-License-Identifier: Apache-2.0
 * audiocraft-names - the names of transformers' layout for the tensors of other files.
 */
#ifndef LEITMOTIF_FORMATS_AUDIOCRAFT_NAMES_H
#define LEITMOTIF_FORMATS_AUDIOCRAFT_NAMES_H

#include "formats/sources.h"

enum { NAMES_PER_TENSOR = 3 };

/* Fills names (yours) and returns how many there are: 1; 3 for queries, keys and values packed into one matrix, by
 * thirds of its rows; 0 for what means nothing to inference; -1 with a failure for names that are not known. */
int audiocraft_names(enum naming naming, const char *name, char *names[NAMES_PER_TENSOR]);

#endif
