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
    int line, column;         /* of the bit rate, else of the format */
                              /* a format is there at most once, so name + "." + format is a file's name */
};

struct verify_settings {
    double max_silence, duration_tolerance, loudness_tolerance; /* seconds, seconds, LU; NAN: the tool's default */
};

struct section {              /* a part of a take that has a prompt of its own */
    char *prompt;
    double start, duration;   /* seconds; start from where the take's new seconds begin */
    int line, column;
};

struct section_list {         /* of one track: its variations share it */
    struct section *items;
    size_t count;
};

struct take {                 /* one result: a track, or one of its variations */
    char *name;               /* file name stem: "main_theme", "exploration_2" */
    char *track;              /* key in tracks: */
    int variation;            /* 0 without variations, else 1, 2, ... */
    char *prompt, *model;     /* prompt NULL: it has sections */
    const struct section *sections; /* the project's, or NULL */
    size_t section_count;
    char *melody, *melody_file;     /* audio to follow: as written, and its path; NULL: none */
    char *continues, *earlier_file; /* what it goes on from: as written; and its path, where it is an audio file */
    const struct take *earlier;     /* where it is a take of this project */
    double duration, temperature, top_p, guidance; /* duration: of all sections; guidance NAN: the model's default */
    int64_t top_k;
    int64_t seed;             /* resolved: explicit (variation k: k - 1 more), or take_seed() with attempt 0 */
    bool seed_explicit;
    int line, column;         /* of the track's key */
    int model_line, model_column; /* of the model's name; 1:1 when it is the default */
    int melody_line, melody_column, continue_line, continue_column; /* of the values */
};

struct project {
    char *path, *folder, *title;
    char *model;              /* the file's; takes may have their own */
    int64_t seed;
    struct take *takes;       /* in the file's order */
    size_t take_count;
    struct section_list *sections;
    size_t section_list_count;
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

/* Of a valid project: what its models cannot do, as more problems with the same outcome; a model that is not on this
 * machine, with the command that fetches it, or that cannot be read, is a warning: what it can do is unknown. */
int project_check_models(struct project *project);

/* What an output has no rate or channels for is the model's: does its format allow that? -1 with misuse(). */
int release_check(const struct release *release, const struct model *model);
int64_t release_rate(const struct release *release, int64_t model_rate_hz); /* Hz of its files */

void project_release(struct project *project);

/* The seed of a take: the first 63 bits of SHA-256("<seed> NUL <track> NUL <variation> NUL <attempt>"), numbers in decimal. */
int64_t take_seed(int64_t project_seed, const char *track, int variation, int attempt);

/* The settings of the file itself: {"title", "model", "seed", "outputs", "loudness", "verify"}; what is not set is null.
 * New reference. */
json_t *project_settings(const struct project *project);

/* All settings of one take as an object, for `check --show`, recipes' readers and the report. New reference. */
json_t *take_settings(const struct take *take);

/* The prompt; of a take with sections all of them, in one text: "an intro (12 s) | the theme (36 s)". Yours to free(). */
char *take_prompt(const struct take *take);

/* [{"start", "duration", "prompt"}], null for a take without. New reference. */
json_t *take_sections(const struct take *take);

#endif
