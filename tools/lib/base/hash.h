/* SPDX-License-Identifier: Apache-2.0
 * hash - SHA-256 (FIPS 180-4) by libcrypto, as 64 lower-case hex digits; and git's name of a file's content.
 */
#ifndef LEITMOTIF_BASE_HASH_H
#define LEITMOTIF_BASE_HASH_H

#include <stddef.h>

#define HASH_HEX_SIZE 65 /* with the NUL */

void hash_bytes(const void *bytes, size_t length, char hex[HASH_HEX_SIZE]);
void hash_raw(const void *bytes, size_t length, unsigned char digest[32]);
int hash_file(const char *path, char hex[HASH_HEX_SIZE]);
int hash_git_blob(const char *path, char hex[HASH_HEX_SIZE]); /* SHA-1 of "blob LENGTH", NUL and the content: 40 digits */

#endif
