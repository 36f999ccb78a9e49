/* SPDX-License-Identifier: Apache-2.0 */
#include "libtorch/finder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "libtorch/driver.h"

enum { MAX_PATH_FILE = 4096 };

/* place is the library itself, or a folder: torch/lib, torch/, or what holds torch/. The library's path, or NULL. */
static char *library_in(const char *place)
{
    static const char *const below[] = {"libtorch.so", "lib/libtorch.so", "torch/lib/libtorch.so"};
    if (!folder_exists(place))
        return file_exists(place) ? copy_string(place) : NULL;
    for (size_t i = 0; i < COUNT_OF(below); i++) {
        char *path = path_join(place, below[i]);
        if (file_exists(path))
            return path;
        free(path);
    }
    return NULL;
}

static char *first_line(const struct text *content)
{
    const char *string = text_string(content);
    return copy_bytes(string, strcspn(string, "\r\n"));
}

/* The folder that the installer wrote down in libtorch.path; yours, or NULL. */
static char *recorded_folder(void)
{
    struct text content = {0};
    char *folder = NULL, *record = project_find("libtorch.path");
    if (record && !file_read(record, MAX_PATH_FILE, &content))
        folder = first_line(&content);
    failure_clear(); /* an unreadable record is no record */
    text_release(&content);
    free(record);
    return folder;
}

/* The torch package of python3, found without importing it and without looking in the working directory. */
static char *python_folder(void)
{
    static const char command[] = "python3 -c 'import sys; sys.path = [p for p in sys.path if p]; import importlib.util as u; "
                                  "print(u.find_spec(\"torch\").submodule_search_locations[0])' 2>/dev/null";
    char line[MAX_PATH_FILE] = "";
    FILE *pipe = popen(command, "r");
    if (!pipe)
        return NULL;
    char *got = fgets(line, sizeof line, pipe);
    pclose(pipe);
    line[strcspn(line, "\n")] = 0;
    return got && *line ? copy_string(line) : NULL;
}

char *libtorch_find(void)
{
    char *(*const places[])(void) = {recorded_folder, python_folder};
    const char *given = getenv("LEITMOTIF_LIBTORCH");
    if (given && *given) {
        char *library = library_in(given);
        if (!library)
            fail("cannot find libtorch.so in '%s', which LEITMOTIF_LIBTORCH names: set it to the folder that holds torch/", given);
        return library;
    }
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        char *folder = places[i]();
        char *library = folder ? library_in(folder) : NULL;
        free(folder);
        if (library)
            return library;
    }
    fail("cannot find libtorch (no libtorch.path of an installation, no torch in python3): " LIBTORCH_REMEDY);
    return NULL;
}

/* name beside library, if it is there; yours, or NULL. */
static char *beside(const char *library, const char *name)
{
    char *folder = path_folder(library), *path = path_join(folder, name);
    free(folder);
    if (file_exists(path))
        return path;
    free(path);
    return NULL;
}

char *libtorch_find_cpu(const char *library)
{
    return beside(library, "libtorch_cpu.so");
}

/* Asked where there is a GPU. */
static char *libtorch_lacks_cuda(void)
{
    char *library = libtorch_find(), *cuda = library ? beside(library, "libtorch_cuda.so") : NULL;
    const char *reason = cuda ? NULL : library ? NO_CUDA_FOR_GPU : "there is no libtorch, which a GPU needs";
    failure_clear(); /* the tool that needs libtorch will say that it is missing */
    free(library);
    free(cuda);
    return reason ? copy_string(reason) : NULL;
}

char *libtorch_lacks_gpu(void)
{
    struct driver driver;
    char *reason = driver_open(&driver);
    return reason ? reason : libtorch_lacks_cuda();
}
