/* SPDX-License-Identifier: Apache-2.0
 * file - whole files in, results out so that a killed program leaves no half file.
 *
 * A result: output_open() makes a temporary beside its place (".NAME.XXXXXX.part", locked while its writer lives;
 * those of dead writers for the same NAME are removed), the caller writes to .descriptor (or by output_write), and
 * output_commit() syncs, closes, renames and syncs the folder. output_discard() removes the temporary; so do exit()
 * and the signals that end a program (after cleanup_on_signals()).
 * A place that exists and is no regular file (/dev/stdout, a pipe, /dev/full) is not replaced: the result is
 * collected in an unnamed temporary and copied there by output_commit().
 */
#ifndef LEITMOTIF_BASE_FILE_H
#define LEITMOTIF_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* Reads a whole file of at most limit bytes; "-" is stdin. */
int file_read(const char *path, size_t limit, struct text *content);

/* Maps a regular file read-only and private. *size 0: *data is NULL. Release with file_unmap. */
int file_map(const char *path, const unsigned char **data, size_t *size);
void file_unmap(const unsigned char *data, size_t size);

struct output {
    char *path;      /* where the result will be */
    char *temporary; /* where it grows; NULL when unnamed */
    int descriptor;  /* open for reading and writing, seekable */
    bool direct;     /* path is no regular file: copied at the end */
    bool active;
};

/* Fails when path's folder is missing or not writable, when path is a folder, or when the disk refuses. */
int output_open(struct output *output, const char *path);
int output_write(struct output *output, const void *bytes, size_t length);
int output_write_at(struct output *output, uint64_t offset, const void *bytes, size_t length); /* to mend a header */
int output_commit(struct output *output);  /* discards on failure */
void output_discard(struct output *output); /* accepts all-zero and finished outputs */

/* Would output_open(path) work? Asked for every job before long work starts. Leaves nothing behind. */
int output_check(const char *path);

/* A whole small file as a result. */
int file_write(const char *path, const void *bytes, size_t length);

/* Removes unfinished outputs when SIGINT, SIGTERM, SIGHUP or SIGPIPE ends the program, then dies of that signal. */
void cleanup_on_signals(void);

bool file_exists(const char *path);
bool folder_exists(const char *path);
int folder_make(const char *path);      /* with its parents; existing is fine */
int folder_remove(const char *path);    /* with its content; never follows links; missing is fine */
int folder_sync(const char *path);

char *path_join(const char *folder, const char *name); /* yours; an absolute name stays as it is */
char *path_folder(const char *path);                    /* yours; "." when there is none */
const char *path_name(const char *path);                /* the last component, inside path */
const char *path_extension(const char *path);           /* after the last dot of the name, or "" */

/* The folder of the running executable's project: its own folder's parent's parent when that holds "pipelines" or
 * "model-cache" (build/bin -> project), else its parent; yours to free. NULL when unknown. */
char *project_folder(void);

/* path below the first root that has it: the project folder, then /opt/leitmotif; yours, or NULL. */
char *project_find(const char *path);

#endif
