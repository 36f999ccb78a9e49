/* SPDX-License-Identifier: Apache-2.0
 * file - whole files and folders. Results that must not be half written: base/output.h; names: base/path.h.
 */
#ifndef LEITMOTIF_BASE_FILE_H
#define LEITMOTIF_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/output.h"
#include "base/path.h"
#include "base/text.h"

/* Reads a whole file of at most limit bytes; "-" is stdin. */
int file_read(const char *path, size_t limit, struct text *content);

/* Opens a regular file for reading and never waits: a pipe or a device is refused. The descriptor, -1 on failure. */
int file_open(const char *path);

/* Maps a regular file read-only and private. *size 0: *data is NULL. Release with file_unmap. */
int file_map(const char *path, const unsigned char **data, size_t *size);
void file_unmap(const unsigned char *data, size_t size);

/* A whole small file as a result (base/output.h). */
int file_write(const char *path, const void *bytes, size_t length);

/* misuse() when both name one file, which the output would replace. NULL names none. */
int file_not_replaced(const char *input, const char *output);

bool file_exists(const char *path);
bool folder_exists(const char *path);
int folder_make(const char *path);   /* with its parents; existing is fine */
int folder_remove(const char *path); /* with its content; never follows links; missing is fine */
int folder_sync(const char *path);

#endif
