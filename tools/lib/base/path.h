/* SPDX-License-Identifier: Apache-2.0
 * path - names of files, and where the project's own files are found.
 */
#ifndef LEITMOTIF_BASE_PATH_H
#define LEITMOTIF_BASE_PATH_H

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
