/* SPDX-License-Identifier: Apache-2.0
 * choice - the smallest set of files that makes a model run.
 *
 * A model has one form or both, and the one that leaves less to fetch is taken:
 *   transformers'  config.json, spiece.model, model.safetensors or its shards, else pytorch_model.bin or its shards
 *   audiocraft's   state_dict.bin, compression_state_dict.bin; T5 from its own repository; the codec too where the file
 *                  only points at one
 * The repository of a text encoder or of a codec by itself is its configuration and its weights.
 */
#ifndef LEITMOTIF_FETCH_MODEL_CHOICE_H
#define LEITMOTIF_FETCH_MODEL_CHOICE_H

#include "fetch-model/repository.h"

enum { MOST_REPOSITORIES = 3 };

struct choice {
    struct file **files; /* borrowed from the repositories */
    size_t count, capacity;
    struct repository *repositories[MOST_REPOSITORIES]; /* the model's own first; NULL where not needed */
};

/* Looks and chooses. Failure: none of the forms is whole; the text names what is missing. */
int choice_make(struct choice *choice, const struct place *place, const char *id, const char *revision);
void choice_release(struct choice *choice);

int64_t choice_bytes(const struct choice *choice);         /* of all its files */
int64_t choice_bytes_to_come(const struct choice *choice); /* of them not in the cache, broken off downloads taken off */

#endif
