/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <stdlib.h>

const char *setting_text(const char *name, const char *otherwise)
{
    const char *given = getenv(name);
    return given && *given ? given : otherwise;
}

size_t size_of_text(const char *text)
{
    char *end;
    double number = strtod(text, &end);
    return (size_t)(number * (*end == 'G' ? 1 << 30 : *end == 'M' ? 1 << 20 : *end == 'K' ? 1 << 10 : 1));
}

size_t setting_size(const char *name, const char *otherwise) { return size_of_text(setting_text(name, otherwise)); }

int setting_count(const char *name, int otherwise)
{
    const char *given = setting_text(name, NULL);
    return given ? atoi(given) : otherwise;
}

size_t gpu_memory(void) { return setting_size("FAKE_GPU_MEMORY", "24G"); }
int gpu_count(void) { return setting_count("FAKE_GPU_COUNT", 1); }
