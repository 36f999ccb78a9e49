/* SPDX-License-Identifier: Apache-2.0
 * store - results by key: WORKSPACE/store/ab/cdef…/ holds a result's files, recipe.json and result.json.
 *
 * A result is made in store/temporary/RUN/KEY/, synced, and renamed to its place: what is in its place is whole.
 * result.json names every file with its size; an entry that lacks one, or has it in another size, counts as missing.
 * One writer at a time: store_lock waits for store/lock (flock; released by the system when its holder dies), then
 * removes store/temporary/ of dead runs. Readers need no lock. store/renders/TITLE.json is what the last render of a
 * title referred to. This module must not know any stage or recipe's meaning.
 */
#ifndef LEITMOTIF_STORE_H
#define LEITMOTIF_STORE_H

#include <jansson.h>
#include <stdbool.h>

struct store {
    char *folder;  /* WORKSPACE/store */
    char *running; /* temporaries of this run; NULL without the lock */
    int lock;
};

void store_init(struct store *store, const char *workspace); /* reading only; nothing need exist */
int store_lock(struct store *store);                         /* for writing: makes the folders; may wait, with a note */
void store_release(struct store *store);                     /* removes this run's temporaries */

/* The stored result's result.json, checked as above; new reference. NULL, without a failure, when it is missing. */
json_t *store_result(const struct store *store, const char *key);
char *store_recipe(const struct store *store, const char *key); /* its text, yours; NULL, without a failure, when missing */

char *store_path(const struct store *store, const char *key, const char *name); /* yours */

/* An empty folder to make the result of `key` in; yours to free(). NULL on failure. */
char *store_begin(const struct store *store, const char *key);
/* Puts the folder of store_begin in its place with its recipe.json and result.json: {"files": {name: bytes}, "tool":
 * made_by}. Borrows both. An entry that was there is replaced. */
int store_commit(const struct store *store, const char *key, const char *temporary, const char *recipe, const json_t *made_by);
void store_abandon(const char *temporary);
/* text with the places of results for the temporary folders of this run: a reason that is kept. Yours. */
char *store_places(const struct store *store, const char *text);

json_t *store_render(const struct store *store, const char *title); /* new reference; NULL without one, no failure */
int store_render_save(const struct store *store, const char *title, const json_t *render);

#endif
