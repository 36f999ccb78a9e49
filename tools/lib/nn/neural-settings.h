/* SPDX-License-Identifier: Apache-2.0
 * neural-settings - the options that every program with a model has, for its table of settings (base/settings.h).
 */
#ifndef LEITMOTIF_NN_NEURAL_SETTINGS_H
#define LEITMOTIF_NN_NEURAL_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/settings.h"

struct neural_settings {
    char *model;
    char *device;   /* NULL: auto */
    int64_t memory; /* bytes; 0: what this machine has */
};

/* Rows for a table whose process struct is struct neural_settings. */
#define NEURAL_SETTINGS \
    {.name = "model", .type = SETTING_STRING, .scope = SCOPE_PROCESS, .offset = offsetof(struct neural_settings, model), \
     .argument = "MODEL", .help = "a folder, a short name (small, medium, demo, ...) or a hub id"}, \
    {.name = "device", .type = SETTING_STRING, .scope = SCOPE_PROCESS, .offset = offsetof(struct neural_settings, device), \
     .argument = "auto|cpu|cuda[:N]", .help = "where to compute (default: auto)"}, \
    {.name = "memory", .type = SETTING_SIZE, .scope = SCOPE_PROCESS, .offset = offsetof(struct neural_settings, memory), \
     .argument = "SIZE", .help = "most to allocate for weights and work, such as 512M"}

#endif
