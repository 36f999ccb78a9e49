/* SPDX-License-Identifier: Apache-2.0
 * zip-archive - the members of a ZIP archive in memory, found by its central directory. Only what PyTorch writes:
 * members that are stored, not compressed; ZIP64 where sizes need it. Nothing is copied but the names.
 *
 * Checked wholly before use: every member lies inside the archive and overlaps no other, its local header agrees with
 * the directory, names are unique, relative and without "..". Knows nothing of what members mean.
 */
#ifndef LEITMOTIF_FORMATS_ZIP_ARCHIVE_H
#define LEITMOTIF_FORMATS_ZIP_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zip_member {
    char *name;                /* UTF-8 */
    const unsigned char *data; /* inside the archive's bytes */
    size_t size;
    uint64_t header;           /* private: where its local header begins */
};

struct zip_archive {
    struct zip_member *members; /* sorted by name */
    size_t count;
};

/* Could the bytes be an archive at all? Looks at the first four. */
bool zip_archive_begins(const unsigned char *bytes, size_t size);

/* Borrows the bytes until zip_archive_release, which accepts all-zero. A failure leaves nothing to release. */
int zip_archive_read(struct zip_archive *archive, const unsigned char *bytes, size_t size);
void zip_archive_release(struct zip_archive *archive);

const struct zip_member *zip_archive_find(const struct zip_archive *archive, const char *name); /* or NULL, no failure */

#endif
