/* SPDX-License-Identifier: Apache-2.0
 * project-schema - which keys a project's YAML has, as tables: type, range, and what is not supported yet.
 *
 * docs/yaml.md explains the same keys to people, pipelines/schema.json to editors; a test holds the three together.
 */
#ifndef LEITMOTIF_PROJECT_SCHEMA_H
#define LEITMOTIF_PROJECT_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "formats/audio.h"
#include "leitmotif/project.h"
#include "formats/yaml-tree.h"

enum field_type {
    FIELD_NUMBER = 1,  /* double */
    FIELD_INTEGER,     /* int64_t */
    FIELD_TEXT,        /* char *, owned */
    FIELD_CHOICE,      /* char *, owned: one of choices */
    FIELD_BIT_RATE,    /* int64_t, bits per second: 192000 or 192k */
    FIELD_BLOCK,       /* read by a function of its own */
    FIELD_UNSUPPORTED  /* a key of the full language that this version does not do */
};

struct reading;

struct field {
    const char *name;
    enum field_type type;
    size_t offset;               /* in the block's struct */
    double minimum, maximum;     /* of numbers; both 0: as wide as the type */
    const char *unit;            /* for the error text, or NULL */
    const char *const *choices;  /* NULL-terminated */
    bool required;
    /* FIELD_BLOCK; also after the value of any other type was read, for rules beyond its range. */
    void (*read)(struct reading *reading, const struct yaml_node *value, void *target);
};

/* Settings of a track as they are written; defaults fill the sampling part before the track is read. */
struct track_settings {
    char *prompt, *model;
    struct section_list sections;           /* the project's; all zero: none */
    char *melody, *melody_file, *continues; /* as struct take has them */
    const struct yaml_node *melody_value, *continue_value;
    double duration, temperature, top_p, guidance;
    int64_t top_k, variations; /* variations 0: not set */
    int64_t seed;              /* -1: not set */
};

struct section_settings {      /* one entry of sections: as it is written */
    char *prompt;
    double duration;
};

struct output_settings {       /* one entry of outputs: as it is written; 0 and NAN: not set */
    char *format;
    int64_t rate, channels, bits, bit_rate;
    double quality;
};

struct reading {               /* one file on its way into a project */
    struct project *project;
    struct problems problems;
    struct track_settings defaults; /* only the sampling part is set */
    const struct yaml_node *model;  /* the value of the file's own model: or NULL */
    const struct yaml_node *tracks; /* the map, or NULL */
    size_t take_capacity, release_capacity, section_capacity;
};

/* A block is a map in the YAML: its fields are read in the table's order (tracks after defaults). Tables end with {0}. */
struct block {
    const char *name;
    const struct field *fields;
};

extern const struct block project_block, defaults_block, output_block, loudness_block, verify_block, track_block, section_block;

/* Reads a map into target by the block's table. Unknown, unsupported, missing and wrong values become problems at
 * their place; missing keys are told at where: the block's key (a text, which names the track), or the map itself. */
void block_read(struct reading *reading, const struct block *block, const struct yaml_node *map,
                const struct yaml_node *where, void *target);

/* One value into target, as the field says. */
void field_read(struct reading *reading, const struct field *field, const struct yaml_node *value, void *target);

/* NULL, or why a title or track cannot have this name: "begins with a dot". */
const char *name_refused(const char *name);

enum audio_codec format_codec(const char *format); /* of a name that 'format' allows */
void section_list_release(struct section_list *list);
void sections_stand_alone(struct reading *reading, const struct yaml_node *track); /* what cannot stand beside them is a problem */
void outputs_default(struct reading *reading);   /* for a file that names none: one ogg */
void takes_check_names(struct reading *reading); /* two results with one name are a problem */
void takes_link(struct reading *reading);        /* every take that continues another is told which, or a problem */

/* The path of a file that a value names, relative to the project's, yours; NULL with a problem when it cannot be read. */
char *file_named(struct reading *reading, const struct yaml_node *value, const char *key);

/* The end of reading: hands the problems' lines to the project. 0, or -1 with misuse() when there were any. */
int project_refuse(struct project *project, struct problems *problems);

/* The readers that the tables name. */
void read_version(struct reading *reading, const struct yaml_node *value, void *target);
void read_title(struct reading *reading, const struct yaml_node *value, void *target);
void read_model(struct reading *reading, const struct yaml_node *value, void *target);
void read_track_model(struct reading *reading, const struct yaml_node *value, void *target);
void read_defaults(struct reading *reading, const struct yaml_node *value, void *target);
void read_outputs(struct reading *reading, const struct yaml_node *value, void *target);
void read_loudness(struct reading *reading, const struct yaml_node *value, void *target);
void read_over(struct reading *reading, const struct yaml_node *value, void *target);
void read_verify(struct reading *reading, const struct yaml_node *value, void *target);
void read_tracks(struct reading *reading, const struct yaml_node *value, void *target);
void read_melody(struct reading *reading, const struct yaml_node *value, void *target);
void read_continue(struct reading *reading, const struct yaml_node *value, void *target);
void read_sections(struct reading *reading, const struct yaml_node *value, void *target);
void read_variations(struct reading *reading, const struct yaml_node *value, void *target);

#endif
