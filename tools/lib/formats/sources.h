/* SPDX-License-Identifier: Apache-2.0
 * sources - which files a model's weights are in, and under whose names. Looks, opens only what says where to look further.
 *
 * transformers' layout: one source, the folder. audiocraft's: state_dict.bin (the language model), compression_state_dict.bin
 * (the codec, or a pointer to a repository in transformers' layout), and the text encoder that its configuration names.
 */
#ifndef LEITMOTIF_FORMATS_SOURCES_H
#define LEITMOTIF_FORMATS_SOURCES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define AUDIOCRAFT_LANGUAGE_FILE "state_dict.bin"
#define AUDIOCRAFT_CODEC_FILE "compression_state_dict.bin"

enum naming {
    NAMES_MODEL,               /* transformers' names of a whole model: stay as they are */
    NAMES_TEXT, NAMES_ENCODEC, /* transformers' names of a text encoder or codec by itself */
    NAMES_AUDIOCRAFT_LANGUAGE, NAMES_AUDIOCRAFT_CODEC
};

struct source {
    enum naming naming;
    char *folder;              /* holds config.json too, but for audiocraft's files */
    char *label;               /* "", or the part's name: "t5-base" */
    const char *weights;       /* name of the file: a constant; "….index.json" lists shards */
};

enum { SOURCES_MAX = 3 };

struct sources {
    struct source items[SOURCES_MAX]; /* audiocraft: language model, codec, text encoder */
    size_t count;
    bool audiocraft;
    char *tokenizer;           /* spiece.model; there or not */
};

/* Of a folder with both layouts the one with fewer bytes, if it is whole. A failure leaves nothing to release. */
int sources_find(struct sources *sources, const char *folder);
void sources_release(struct sources *sources); /* accepts all-zero */

/* The file that holds or lists weights in transformers' layout; NULL when there is none. */
const char *sources_weights(const char *folder);

/* The map of an index (tensor -> shard): a new reference, NULL with a failure. Shards are plain file names. */
json_t *sources_map(const char *index);

/* The names of the files that hold a source's weights, the index last: a new array of strings, NULL on failure. */
json_t *sources_files(const struct source *source);

#endif
