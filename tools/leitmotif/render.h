/* SPDX-License-Identifier: Apache-2.0
 * render - a project made: planned, run, and every finished take handed over to be published.
 *
 * What render and generate share. Order: render_open, render_run, then look at takes, render_release.
 */
#ifndef LEITMOTIF_RENDER_H
#define LEITMOTIF_RENDER_H

#include "leitmotif/plan.h"
#include "leitmotif/report.h"

struct render_options {
    char *model, *device, *workspace, *progress;
    int64_t memory, threads; /* 0: not given */
    bool force, fail_fast, quiet;
};

/* The settings of these options, for the table of a command whose options struct begins with struct render_options. */
#define RENDER_SETTING(field, kind) .name = #field, .type = kind, .scope = SCOPE_JOB, .offset = offsetof(struct render_options, field)
#define RENDER_SETTINGS \
    {RENDER_SETTING(device, SETTING_STRING), .argument = "auto|cpu|cuda[:N]", .help = "where the models run (default: auto)"}, \
    {RENDER_SETTING(memory, SETTING_SIZE), .argument = "SIZE", .help = "most memory a program may use on the device, e.g. 6.5G", \
     .minimum = 1, .maximum = 1e15}, \
    {RENDER_SETTING(workspace, SETTING_STRING), .argument = "FOLDER", \
     .help = "where results are kept (default: $LEITMOTIF_WORKSPACE, else ./workspace)"}, \
    {RENDER_SETTING(threads, SETTING_INTEGER), .argument = "N", \
     .help = "processors to use (default: all this process may use)", .minimum = 1, .maximum = 1024}, \
    {RENDER_SETTING(progress, SETTING_CHOICE), .argument = "auto|bar|json|none", \
     .help = "what stderr shows of the work (default: auto)", .choices = render_progress_names}, \
    {RENDER_SETTING(quiet, SETTING_FLAG), .letter = 'q', .help = "errors only on stderr"}

extern const char *const render_progress_names[];

struct render {
    const struct render_options *options;
    struct project *project;
    struct store store;
    struct plan plan;
    struct take_report *takes;   /* one for each of the plan's; reasons are owned by it */
    /* Puts the release files of a finished take where the user wants them, names them in report->files, and prints the
     * take's line if it was asked for. */
    int (*publish)(void *context, const struct plan_take *take, struct take_report *report);
    void *context;
    size_t failed_count, asked_count;
};

/* "--workspace", else the environment's, else ./workspace. */
const char *render_workspace(const struct render_options *options);

/* Refuses what is no device, starts progress, reads the project and prints what is wrong with it; --model replaces every
 * take's model. */
int render_read(const struct render_options *options, const char *path, struct project *project);
int render_prepare(const struct render_options *options, struct project *project); /* the same for one made by hand */

/* Plans, takes the workspace's lock, and finds every program that will be needed. project is borrowed. Nothing is made
 * when it fails. tracks: NULL for all. */
int render_open(struct render *render, const struct render_options *options, struct project *project, const struct string_list *tracks);

/* Makes what is missing. Every take is published or told as failed as soon as that is known. Ends the program when a
 * signal stopped it. */
void render_run(struct render *render);

/* keys, made_by and findings of every take, for the report. */
void render_describe(struct render *render);

void render_release(struct render *render);

#endif
