/* SPDX-License-Identifier: Apache-2.0
 * publish - release files from the store to where the user wants them.
 *
 * A file is copied whole and renamed, and gets the stored file's time: one of the same size and time is left alone.
 */
#ifndef LEITMOTIF_PUBLISH_H
#define LEITMOTIF_PUBLISH_H

#include "leitmotif/plan.h"
#include "leitmotif/report.h"

/* Would publish_file have to copy? */
bool publish_needed(const char *stored, const char *place);
int publish_file(const char *stored, const char *place);

/* One line on stdout: "NAME: 12.0 s, -14.0 LUFS, FILES, seed 7, made in 3.2 s". The first figures are verify's, of the take's
 * first file. */
void publish_print(const struct plan_take *take, const struct take_report *report);

/* Files that the folder's earlier report lists, that are still there, and that `kept` (an object of names) lacks: their
 * tracks left the project. Foreign files are never among them. */
void publish_leftovers(const char *folder, const json_t *kept, struct string_list *leftovers);

#endif
