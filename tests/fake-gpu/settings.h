/* SPDX-License-Identifier: Apache-2.0
 * settings - what the environment says of the fake GPU, for all three libraries. README.md lists the variables.
 */
#ifndef LEITMOTIF_FAKE_GPU_SETTINGS_H
#define LEITMOTIF_FAKE_GPU_SETTINGS_H

#include <stddef.h>

const char *setting_text(const char *name, const char *otherwise);
size_t setting_size(const char *name, const char *otherwise); /* bytes, with K, M or G */
int setting_count(const char *name, int otherwise);
size_t size_of_text(const char *text); /* "24G" */

size_t gpu_memory(void); /* FAKE_GPU_MEMORY */
int gpu_count(void);     /* FAKE_GPU_COUNT */

#endif
