/* SPDX-License-Identifier: Apache-2.0
 * hub - published models by name, and the caches on this machine in the hub's layout. Nothing here touches the network.
 *
 *   ROOT/models--OWNER--NAME/blobs/ETAG               content; 64 hex digits: its SHA-256, 40: git's SHA-1
 *                            snapshots/COMMIT/FILE    relative links to blobs; a broken one counts as no file
 *                            refs/REVISION            40 hex digits: the commit
 *                            .no_exist/COMMIT/FILE    empty: known not to exist
 */
#ifndef LEITMOTIF_FORMATS_HUB_H
#define LEITMOTIF_FORMATS_HUB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/settings.h"

enum { COMMIT_LENGTH = 40 };

bool hub_name_known(const char *name);          /* is it a short name? */
const char *hub_name_suggestion(const char *name); /* as did_you_mean(), among the short names */
const char *hub_id_of_name(const char *name);   /* "small" -> "facebook/musicgen-small"; NULL for others, demo included */
bool hub_is_id(const char *request);            /* OWNER/NAME in the hub's letters, so that it is one folder below a root */
bool hub_is_plain_name(const char *name, size_t length); /* the same for one part */

/* Of the weights, told by where they come from because the files do not say: "CC-BY-NC-4.0", "Apache-2.0" or "unknown". */
const char *hub_licence(const char *id);

/* The cache roots of the environment, in the order of lookup; the first is the one that is written. */
void hub_roots(struct string_list *roots);

char *hub_folder(const char *root, const char *id); /* ROOT/models--OWNER--NAME, yours */

/* The commit that refs/REVISION of a repository's folder names, yours; NULL without one, or with a failure when it is
 * no commit's name. */
char *hub_commit(const char *folder, const char *revision);

#endif
