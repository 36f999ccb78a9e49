/* SPDX-License-Identifier: Apache-2.0
 * plan - a project as a graph of jobs: what each take needs, what of it is stored already, and what would have to run.
 *
 * A job is one result of one stage program, keyed by its recipe; its inputs are other jobs. Two takes that need the
 * same result share its job. Stages are rows of a table and a function that writes the recipe (stages.c): the graph
 * knows nothing of them but whether they run on the device. plan_make, then plan_look at the store, which is never
 * written here; then the runner moves jobs from JOB_WAITING on.
 */
#ifndef LEITMOTIF_PLAN_H
#define LEITMOTIF_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/settings.h"
#include "formats/model.h"
#include "leitmotif/project.h"
#include "leitmotif/recipe.h"
#include "leitmotif/store.h"

struct stage {
    const char *program;
    int version;                /* of what its results mean (base/version.h) */
    bool neural;                /* one program at a time, all jobs of one model in one call; else a process per batch */
    const char *output, *file;  /* the option that names its result, and the result's name; NULL: "outputs" names them */
};

struct plan_model {
    char *request;
    struct model model;
    char *identity;
    json_t *arguments;          /* options of the whole process, as JSON text by program: {"sample-tokens": "{…}"} */
};

enum job_state {
    JOB_STORED,   /* was there before */
    JOB_WAITING,
    JOB_RUNNING,
    JOB_MADE,
    JOB_FAILED,   /* error says why */
    JOB_HELD_UP   /* something it needs failed */
};

struct job_file {             /* an outside file that an option names; the recipe knows it by its content alone */
    const char *option, *path;
    char hash[HASH_HEX_SIZE];
};

struct job {
    const struct stage *stage;
    const struct plan_model *model;
    char *name;                 /* within its take: "decode-audio", "verify main_theme.ogg" */
    const char *label;          /* for the progress bar: its first take's name */
    char key[HASH_HEX_SIZE];
    struct recipe writing;      /* until it has its key */
    char *recipe;               /* its text; NULL once it is found stored */
    struct job **inputs;
    size_t input_count, input_capacity;
    struct job_file *files;
    size_t file_count, file_capacity;
    struct plan_take **takes;   /* whose result it is part of */
    size_t take_count, take_capacity;
    enum job_state state;
    bool wanted;                /* some requested take needs it, itself or by what it continues */
    char *error;
    json_t *made_by;            /* what its program printed about the result */
};

struct plan_take {
    const struct take *take;
    const struct plan_model *model;
    struct job **jobs;          /* in the order of the stages */
    size_t job_count, job_capacity;
    struct job **conditions;    /* among them: of each section, one job for all with the same prompt; or of the one prompt */
    size_t condition_count;
    struct job *release;        /* the job whose files are released, under their own names */
    struct string_list files;   /* those names */
    struct plan_take *earlier;  /* that it continues, or NULL */
    struct job *tokens;
    int64_t frames;             /* of the whole result; 0: unknown, for it begins with an audio file */
    const char *beginning;      /* that file; NULL: none */
    bool wanted;                /* asked for */
    bool needed;                /* a take that was asked for continues it, or one that does */
    bool planned;
    size_t unfinished;          /* of its jobs, while they run */
};

struct plan {
    const struct project *project;
    struct plan_model **models;
    size_t model_count, model_capacity;
    struct job **jobs;          /* a job comes after its inputs */
    size_t job_count, job_capacity;
    json_t *by_key;             /* key -> number in jobs */
    json_t *file_hashes;        /* path -> SHA-256 */
    struct plan_take *takes;    /* the project's, in its order */
    size_t take_count;
};

struct plan_options {
    const char *device;                /* as asked for; NULL: auto */
    const struct string_list *tracks;  /* names of tracks or takes; empty or NULL: all */
};

/* The graph, with every key. project is borrowed and outlives the plan. Unknown track names are misuse; a missing model is
 * a failure that names the command that fetches it. */
int plan_make(struct plan *plan, const struct project *project, const struct plan_options *options);

/* Once after plan_make: which jobs are stored already; the others wait. Forced: all that is wanted waits; but not what a take
 * that was not asked for only lends. Such jobs become wanted here, where something that waits needs them. */
void plan_look(struct plan *plan, const struct store *store, bool force);
void plan_release(struct plan *plan);

/* For stages.c: a new job of one take; job_file_input for each outside file, which can fail (failure.h; the job is still to
 * be finished); job_input for each input; job_options, then its options by recipe_... into the
 * recipe that it returns; then plan_add keys it and returns it, or the job with the same key that the plan has already. */
struct job *job_new(const struct plan_take *take, const struct stage *stage);
void job_file_input(struct plan *plan, struct job *job, const char *option, const char *path); /* path: outlives the plan */
void job_input(struct job *job, const char *option, struct job *from, const char *file); /* file NULL: its stage's */
struct recipe *job_options(struct job *job);
struct job *plan_add(struct plan *plan, struct plan_take *take, struct job *job);

/* Every job of it is stored or made. */
bool take_complete(const struct plan_take *take);

/* Why it is no finished result: the failed job's or verify's reason, as "decode-audio: …"; yours. NULL: it is one. */
char *take_reason(const struct plan_take *take);

/* Every job of it by its name; those that encode the prompts of sections once for each section, as "encode-text" of the first,
 * then "encode-text section 2" and so on. */
typedef void (*job_visit)(void *context, const char *name, const struct job *job);
void take_visit(const struct plan_take *take, job_visit visit, void *context);

/* {"encode-text": key, …} of all its jobs; new reference. */
json_t *take_keys(const struct plan_take *take);

#endif
