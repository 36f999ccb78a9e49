/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/progress.h"
#include "base/text.h"

#define TEMPORARY_FOLDER "temporary"
#define RENDERS_FOLDER "renders"

enum { LARGEST_JSON = 1 << 28 };

void store_init(struct store *store, const char *workspace)
{
    *store = (struct store){.folder = path_join(workspace, "store"), .lock = -1};
}

static char *temporaries(const struct store *store)
{
    return path_join(store->folder, TEMPORARY_FOLDER);
}

/* Held until the descriptor is closed; tools do not inherit it. */
static int take_lock(struct store *store)
{
    char *path = path_join(store->folder, "lock");
    int result = 0;
    store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (store->lock < 0) {
        result = fail("cannot write '%s': %s", path, strerror(errno));
    } else if (flock(store->lock, LOCK_EX | LOCK_NB)) {
        note("waiting for another leitmotif that works in '%s'", store->folder);
        if (flock(store->lock, LOCK_EX))
            result = fail("cannot lock '%s': %s", path, strerror(errno));
    }
    free(path);
    return result;
}

/* With the lock nobody else works here: whatever is in the folder of temporaries was left by the dead. */
static int make_running(struct store *store)
{
    char *folder = temporaries(store);
    int result = folder_remove(folder) || folder_make(folder) ? -1 : 0;
    if (result == 0) {
        store->running = format_string("%s/XXXXXX", folder);
        if (!mkdtemp(store->running))
            result = fail("cannot make a folder in '%s': %s", folder, strerror(errno));
    }
    free(folder);
    return result;
}

int store_lock(struct store *store)
{
    if (folder_make(store->folder) || take_lock(store))
        return -1;
    return make_running(store);
}

void store_release(struct store *store)
{
    if (store->running) {
        char *folder = temporaries(store);
        folder_remove(folder);
        free(folder);
    }
    if (store->lock >= 0)
        close(store->lock);
    free(store->running);
    free(store->folder);
    *store = (struct store){.lock = -1};
}

static char *entry_path(const struct store *store, const char *key)
{
    return format_string("%s/%.2s/%s", store->folder, key, key + 2);
}

char *store_path(const struct store *store, const char *key, const char *name)
{
    return format_string("%s/%.2s/%s/%s", store->folder, key, key + 2, name);
}

/* A JSON object of the store, or NULL: what cannot be read counts as missing. */
static json_t *read_object(char *path)
{
    json_t *value = file_exists(path) ? json_read(path, LARGEST_JSON) : NULL;
    if (!value)
        failure_clear();
    free(path);
    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

static bool files_are_whole(const char *entry, json_t *files)
{
    const char *name;
    json_t *bytes;
    json_object_foreach(files, name, bytes) {
        struct stat status;
        char *path = path_join(entry, name);
        bool whole = stat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == json_integer_value(bytes);
        free(path);
        if (!whole)
            return false;
    }
    return json_object_size(files) > 0;
}

json_t *store_result(const struct store *store, const char *key)
{
    json_t *result = read_object(store_path(store, key, "result.json"));
    if (!result)
        return NULL;
    char *entry = entry_path(store, key);
    if (!files_are_whole(entry, json_object_get(result, "files"))) {
        json_decref(result);
        result = NULL;
    }
    free(entry);
    return result;
}

/* A whole file, yours; NULL, without a failure, when it cannot be read. */
static char *read_text(const char *path)
{
    struct text content = {0};
    bool there = file_exists(path) && file_read(path, LARGEST_JSON, &content) == 0;
    failure_clear();
    if (there)
        return text_take(&content);
    text_release(&content);
    return NULL;
}

char *store_recipe(const struct store *store, const char *key)
{
    char *path = store_path(store, key, "recipe.json"), *text = read_text(path);
    free(path);
    return text;
}

char *store_begin(const struct store *store, const char *key)
{
    char *temporary = path_join(store->running, key);
    if (mkdir(temporary, 0777) == 0)
        return temporary;
    fail("cannot make folder '%s': %s", temporary, strerror(errno));
    free(temporary);
    return NULL;
}

/* The sizes of a folder's files as {name: bytes}; hidden ones, a broken tool's own temporaries, are removed. */
static json_t *list_files(const char *folder)
{
    json_t *files = json_object();
    DIR *listing = opendir(folder);
    struct dirent *entry;
    while (listing && (entry = readdir(listing))) {
        struct stat status;
        if (fstatat(dirfd(listing), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) || !S_ISREG(status.st_mode))
            continue;
        if (entry->d_name[0] == '.')
            unlinkat(dirfd(listing), entry->d_name, 0);
        else
            json_object_set_new(files, entry->d_name, json_integer(status.st_size));
    }
    if (listing)
        closedir(listing);
    return files;
}

static int write_text(const char *folder, const char *name, const char *text)
{
    char *path = path_join(folder, name);
    int result = file_write(path, text, strlen(text));
    free(path);
    return result;
}

static int write_object(const char *folder, const char *name, const json_t *value)
{
    char *text = json_canonical(value);
    int result = write_text(folder, name, text);
    free(text);
    return result;
}

/* A folder cannot be renamed over one that holds files: what is there, broken or to be replaced, goes first. */
static int put_in_place(const char *temporary, const char *entry)
{
    char *parent = path_folder(entry);
    int result = folder_make(parent) || folder_remove(entry) ? -1 : 0;
    if (result == 0 && rename(temporary, entry))
        result = fail("cannot move '%s' to '%s': %s", temporary, entry, strerror(errno));
    if (result == 0)
        result = folder_sync(parent);
    free(parent);
    return result;
}

int store_commit(const struct store *store, const char *key, const char *temporary, const char *recipe, const json_t *made_by)
{
    json_t *result = json_object();
    char *entry = entry_path(store, key);
    json_object_set_new(result, "files", list_files(temporary));
    if (made_by)
        json_object_set_new(result, "tool", json_incref((json_t *)(uintptr_t)made_by));
    int status = write_text(temporary, "recipe.json", recipe) || write_object(temporary, "result.json", result) ||
                         put_in_place(temporary, entry)
                     ? -1
                     : 0;
    json_decref(result);
    free(entry);
    return status;
}

char *store_places(const struct store *store, const char *text)
{
    enum { KEY_LENGTH = HASH_HEX_SIZE - 1 };
    struct text told = {0};
    char *prefix = format_string("%s/", store->running);
    const char *found;
    while ((found = strstr(text, prefix)) && strlen(found + strlen(prefix)) >= KEY_LENGTH) {
        char *key = copy_bytes(found + strlen(prefix), KEY_LENGTH), *entry = entry_path(store, key);
        text_append_bytes(&told, text, (size_t)(found - text));
        text_append(&told, entry);
        text = found + strlen(prefix) + KEY_LENGTH;
        free(entry);
        free(key);
    }
    text_append(&told, text);
    free(prefix);
    return text_take(&told);
}

void store_abandon(const char *temporary)
{
    folder_remove(temporary);
}

static char *render_path(const struct store *store, const char *title)
{
    return format_string("%s/" RENDERS_FOLDER "/%s.json", store->folder, title);
}

json_t *store_render(const struct store *store, const char *title)
{
    return read_object(render_path(store, title));
}

/* One that says the same is left alone. */
int store_render_save(const struct store *store, const char *title, const json_t *render)
{
    char *folder = path_join(store->folder, RENDERS_FOLDER), *path = render_path(store, title), *text = json_canonical(render);
    char *before = read_text(path);
    int result = before && strcmp(before, text) == 0 ? 0 : -1;
    if (result)
        result = folder_make(folder) || file_write(path, text, strlen(text)) ? -1 : 0;
    free(before);
    free(text);
    free(path);
    free(folder);
    return result;
}
