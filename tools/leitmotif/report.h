/* SPDX-License-Identifier: Apache-2.0
 * report - what a render came to, for people and programs: report.json (schema in docs), soundtrack_info.txt and
 * index.html in the render's folder.
 *
 * The runner fills struct report from the plan and the store; the report only shows it. It must not look at the store,
 * start tools or decide what passed. All strings and JSON values are borrowed and outlive the report.
 */
#ifndef LEITMOTIF_REPORT_H
#define LEITMOTIF_REPORT_H

#include <jansson.h>
#include <stddef.h>

#include "base/settings.h"
#include "leitmotif/project.h"

enum take_status {
    TAKE_MADE,    /* something of it was made by this render */
    TAKE_REUSED,  /* all of it was there already */
    TAKE_FAILED,  /* reason says why; it has no release files, but may have earlier ones */
    TAKE_NOT_MADE /* not asked for by this render, and not in the store; may have files of an earlier one */
};

struct take_report {              /* one take, in the project's order */
    const struct take *take;      /* name, track, variation, prompt, settings, seed */
    enum take_status status;
    const char *reason;           /* TAKE_FAILED: one line; else NULL */
    const char *model, *licence;  /* the model's name as shown, and its weights' licence; NULL when it was not found */
    double guidance;              /* as used: the take's, or the model's own */
    json_t *keys;                 /* {"encode-text": "9f…", "sample-tokens": …}: what each stage's result is stored as */
    json_t *made_by;              /* {"sample-tokens": {"seconds": 3.1, …}}: what each tool printed about its result */
    json_t *findings;             /* [{"file": "main_theme.ogg", "verify": {…the report of verify…}}]; empty when not reached */
    struct string_list files;     /* release file names in the folder, in the order of outputs:; none when failed */
    struct string_list earlier_files; /* of a failed take: those of an earlier render, which stay */
    double seconds;               /* worked on it in this render; 0 when reused */
};

struct report {
    const struct project *project;
    const char *folder;           /* WORKSPACE/TITLE, exists */
    struct take_report *takes;
    size_t take_count;
};

/* Writes the three files as results (base/file.h); one that is there with the same content is left alone. */
int report_write(const struct report *report);

/* Every release file that the report.json in folder lists (names without folders only; anything else in it is
 * ignored), so that files of tracks that left the project can be removed. No or unreadable report: an empty list. */
void report_files(const char *folder, struct string_list *files);

#endif
