/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

#define INSTALLED_FOLDER "/opt/leitmotif"

char *path_join(const char *folder, const char *name)
{
    if (name[0] == '/' || !folder[0])
        return copy_string(name);
    return format_string("%s%s%s", folder, has_suffix(folder, "/") ? "" : "/", name);
}

char *path_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return copy_string(".");
    return slash == path ? copy_string("/") : copy_bytes(path, (size_t)(slash - path));
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *path_extension(const char *path)
{
    const char *name = path_name(path), *dot = strrchr(name, '.');
    return dot && dot != name ? dot + 1 : "";
}

static bool is_project(const char *folder)
{
    char *models = path_join(folder, "model-cache"), *pipelines = path_join(folder, "pipelines");
    bool found = folder_exists(models) || folder_exists(pipelines);
    free(models);
    free(pipelines);
    return found;
}

/* From build/bin/NAME the project is three levels up; from bin/NAME, two. Builds elsewhere (build/asan/bin) go on up. */
char *project_folder(void)
{
    char executable[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", executable, sizeof executable - 1);
    if (length <= 0)
        return NULL;
    executable[length] = 0;
    for (int level = 0; level < 5; level++) {
        char *slash = strrchr(executable, '/');
        if (!slash || slash == executable)
            return NULL;
        *slash = 0;
        if (is_project(executable))
            return copy_string(executable);
    }
    return NULL;
}

/* folder/path if it exists; frees folder. */
static char *found_below(char *folder, const char *path)
{
    char *candidate = folder ? path_join(folder, path) : NULL;
    free(folder);
    if (candidate && access(candidate, F_OK) == 0)
        return candidate;
    free(candidate);
    return NULL;
}

char *project_find(const char *path)
{
    char *found = found_below(project_folder(), path);
    return found ? found : found_below(copy_string(INSTALLED_FOLDER), path);
}
