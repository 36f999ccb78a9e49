/* SPDX-License-Identifier: Apache-2.0
 * project - a YAML file read, checked wholly, and resolved: every take with every setting it will be made with.
 *
 * Everything wrong is found in one reading, each as "file:line:column: text" (project_problem). Nothing here runs
 * tools or looks at the store.
 */
#ifndef LEITMOTIF_PROJECT_H
#define LEITMOTIF_PROJECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "formats/model.h"

struct release {              /* one entry of outputs: */
    char *format;             /* wav flac ogg mp3 opus */
    int64_t rate_hz;          /* 0: the model's */
    int channels;             /* 0: the model's */
    int bits;                 /* 0: the format's default */
    double quality;           /* NAN: not set */
    int64_t bit_rate;         /* bits per second, 0: not set */
                              /* a format is there at most once, so name + "." + format is a file's name */
};

struct verify_settings {
    double max_silence, duration_tolerance, loudness_tolerance; /* seconds, seconds, LU; NAN: the tool's default */
};

struct take {                 /* one result: a track, or one of its variations */
    char *name;               /* file name stem: "main_theme", "exploration_2" */
    char *track;              /* key in tracks: */
    int variation;            /* 0 without variations, else 1, 2, ... */
    char *prompt, *model;
    double duration, temperature, top_p, guidance; /* guidance NAN: the model's default */
    int64_t top_k;
    int64_t seed;             /* resolved: explicit (variation k: k - 1 more), or take_seed() with attempt 0 */
    bool seed_explicit;
    int line, column;         /* of the track's key */
    int model_line, model_column; /* of the model's name; 1:1 when it is the default */
};

struct project {
    char *path, *folder, *title;
    char *model;              /* the file's; takes may have their own */
    int64_t seed;
    struct take *takes;       /* in the file's order */
    size_t take_count;
    struct release *releases;
    size_t release_count;
    bool loudness_on;
    double loudness_target, true_peak; /* LUFS, dBTP */
    struct verify_settings verify;
    struct text problems, warnings; /* one per line */
    size_t problem_count, warning_count;
};

/* 0: valid. -1 with misuse(): "'game.yaml': 3 problems" (or the reading failure itself); the lines are in problems. */
int project_read(struct project *project, const char *path);

/* Warns of every model that is not on this machine, with the command that fetches it, or that does not fit the outputs. */
void project_check_models(struct project *project);

/* What an output has no rate or channels for is the model's: does its format allow that? -1 with misuse(). */
int project_check_outputs(const struct project *project, const struct model *model);
int64_t release_rate(const struct release *release, int64_t model_rate_hz); /* Hz of its files */

void project_release(struct project *project);

/* The seed of a take: the first 63 bits of SHA-256("<seed> NUL <track> NUL <variation> NUL <attempt>"), numbers in decimal. */
int64_t take_seed(int64_t project_seed, const char *track, int variation, int attempt);

/* The settings of the file itself: {"title", "model", "seed", "outputs", "loudness", "verify"}; what is not set is null.
 * New reference. */
json_t *project_settings(const struct project *project);

/* All settings of one take as an object, for `check --show`, recipes' readers and the report. New reference. */
json_t *take_settings(const struct take *take);

#endif
