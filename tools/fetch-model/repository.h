/* SPDX-License-Identifier: Apache-2.0
 * repository - one model's repository at one revision, as the hub tells it or, offline, as the cache holds it.
 *
 * The first answer names the commit; everything after it is asked of that commit, so that a push in between mixes nothing.
 */
#ifndef LEITMOTIF_FETCH_MODEL_REPOSITORY_H
#define LEITMOTIF_FETCH_MODEL_REPOSITORY_H

#include "base/hash.h"
#include "fetch-model/remote.h"
#include "formats/hub.h"

/* Where everything comes from and goes to. */
struct place {
    struct remote *remote; /* NULL: offline */
    char *root;
};

struct file {
    struct repository *repository;
    char *name;
    bool present;             /* in the repository; offline: in the cache */
    bool whole;               /* its content is in the cache */
    char etag[HASH_HEX_SIZE]; /* 64 or 40 hex digits; offline: "" */
    int64_t size;
    int64_t counted;          /* bytes of it in the tally of a download */
};

struct repository {
    const struct place *place;
    char *id, *revision;
    bool optional;                  /* where the hub does not show it, it has no files: no failure */
    char *folder;                   /* ROOT/models--OWNER--NAME */
    char commit[COMMIT_LENGTH + 1]; /* "" until known */
    struct file **files;            /* as asked for so far */
    size_t count, capacity;
};

struct repository *repository_open(const struct place *place, const char *id, const char *revision); /* never NULL */
void repository_close(struct repository *repository); /* accepts NULL */

/* What there is to know of a file; asked once. Borrowed; NULL with a failure. */
struct file *repository_file(struct repository *repository, const char *name);

struct address repository_address(const struct file *file); /* borrowed from it */
char *repository_blob(const struct file *file);             /* path of its blob, yours */
char *repository_snapshot(const struct repository *repository); /* path, yours */
char *repository_content(const struct file *file);          /* the path to read a whole file by, yours */

#endif
