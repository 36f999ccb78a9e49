/* SPDX-License-Identifier: Apache-2.0
 * download - one file's content into its blob, so that it can be killed at any byte.
 *
 * Under the blob's lock: what blobs/ETAG.incomplete holds is kept and the rest is asked for by Range; then size and hash are
 * checked, and only then is it synced and renamed to blobs/ETAG. Content with a wrong hash is removed.
 */
#ifndef LEITMOTIF_FETCH_MODEL_DOWNLOAD_H
#define LEITMOTIF_FETCH_MODEL_DOWNLOAD_H

#include "fetch-model/repository.h"

/* Bytes of all files of a model, for the bar: those in the cache, those there are. */
struct tally {
    int64_t done, total;
};

void tally_start(struct tally *tally, struct file *const *files, size_t count);

/* Makes file->whole true. tally NULL: no bar. */
int download(struct file *file, struct tally *tally);

/* Bytes of it that are in the cache already. */
int64_t download_have(const struct file *file);

#endif
