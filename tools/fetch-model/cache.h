/* SPDX-License-Identifier: Apache-2.0
 * cache - writing a cache in the hub's layout (formats/hub.h) so that the hub's own client and other fetches may do so at
 * the same time: every entry appears whole, and a blob is written under its lock.
 */
#ifndef LEITMOTIF_FETCH_MODEL_CACHE_H
#define LEITMOTIF_FETCH_MODEL_CACHE_H

#include <stdint.h>

/* The root to write: --cache-dir, else the first of the environment's, else the project's model-cache. Made, absolute
 * and yours; NULL with a failure. */
char *cache_root(const char *wanted);

/* Waits for ROOT/.locks/models--OWNER--NAME/ETAG.lock; the lock ends with the descriptor. -1 on failure. */
int cache_lock(const char *root, const char *repository, const char *etag);

/* The functions below take a repository's folder ROOT/models--OWNER--NAME. */
int cache_link(const char *folder, const char *commit, const char *name, const char *etag); /* snapshot -> blob */
int cache_mark_absent(const char *folder, const char *commit, const char *name);
int cache_refer(const char *folder, const char *revision, const char *commit);

/* Bytes that an unprivileged program may still write there. */
int cache_free_bytes(const char *root, int64_t *bytes);

#endif
