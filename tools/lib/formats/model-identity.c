/* SPDX-License-Identifier: Apache-2.0
 * What a model is, whatever it was asked for by: SHA-256 over lines "NAME SHA256" of the files that decide what comes
 * out. In the hub's cache a large file is a link to blobs/SHA256, so that nothing is read. Other hashes are kept in
 * CACHE/file-hash/DEVICE-INODE as one line: size, change times in nanoseconds, hash.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "formats/model.h"

enum { MEMORY_MAX_BYTES = 4096, SETTLED_SECONDS = 2, TARGET_SIZE = 4096, SMALL_FILE_BYTES = 1 << 20 };

static bool is_hash(const char *name)
{
    return strlen(name) == HASH_HEX_SIZE - 1 && strspn(name, "0123456789abcdef") == HASH_HEX_SIZE - 1;
}

/* The hash that the hub's cache gives the file by its link. */
static bool hash_of_link(const char *path, char hex[HASH_HEX_SIZE])
{
    char target[TARGET_SIZE];
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0)
        return false;
    target[length] = 0;
    char *folder = path_folder(target);
    bool named = strcmp(path_name(folder), "blobs") == 0 && is_hash(path_name(target));
    if (named)
        memcpy(hex, path_name(target), HASH_HEX_SIZE);
    free(folder);
    return named;
}

/* CACHE/file-hash, yours; NULL when no place is known. */
static char *memory_folder(void)
{
    static const struct {
        const char *variable, *below;
    } places[] = {{"LEITMOTIF_CACHE", "file-hash"}, {"XDG_CACHE_HOME", "leitmotif/file-hash"}, {"HOME", ".cache/leitmotif/file-hash"}};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        const char *value = getenv(places[i].variable);
        if (value && value[0])
            return path_join(value, places[i].below);
    }
    return NULL;
}

static int64_t nanoseconds(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* What must be unchanged for a remembered hash to hold. */
static char *state_text(const struct stat *status)
{
    return format_string("%" PRId64 " %" PRId64 " %" PRId64 " ", (int64_t)status->st_size, nanoseconds(status->st_mtim),
                         nanoseconds(status->st_ctim));
}

static bool recall(const char *memory, const char *state, char hex[HASH_HEX_SIZE])
{
    struct text content = {0};
    bool known = false;
    if (memory && file_exists(memory) && file_read(memory, MEMORY_MAX_BYTES, &content) == 0 &&
        has_prefix(text_string(&content), state)) {
        known = is_hash(text_string(&content) + strlen(state));
        if (known)
            memcpy(hex, text_string(&content) + strlen(state), HASH_HEX_SIZE);
    }
    text_release(&content);
    failure_clear(); /* what cannot be remembered is computed */
    return known;
}

/* Small files are hashed faster than recalled. A file changed just now could change again within the clock's grain:
 * then its times would not show it. */
static bool is_worth_remembering(const struct stat *status)
{
    return status->st_size >= SMALL_FILE_BYTES && time(NULL) - status->st_ctim.tv_sec >= SETTLED_SECONDS;
}

static void remember(const char *memory, const char *state, const char *hex)
{
    char *folder = path_folder(memory), *line = format_string("%s%s", state, hex);
    if (folder_make(folder) == 0)
        file_write(memory, line, strlen(line));
    failure_clear(); /* a cache that cannot be written costs time only */
    free(folder);
    free(line);
}

static int hash_and_remember(const char *path, const struct stat *status, char hex[HASH_HEX_SIZE])
{
    char *folder = memory_folder(), *state = state_text(status), *memory = NULL;
    if (folder)
        memory = format_string("%s/%" PRIx64 "-%" PRIx64, folder, (uint64_t)status->st_dev, (uint64_t)status->st_ino);
    int result = 0;
    if (!recall(memory, state, hex)) {
        result = hash_file(path, hex);
        if (result == 0 && memory && is_worth_remembering(status))
            remember(memory, state, hex);
    }
    free(memory);
    free(state);
    free(folder);
    return result;
}

/* Appends "NAME HASH\n"; a file that is not there and may be absent adds nothing. */
static int add_file(struct text *text, const char *name, const char *path, bool required)
{
    struct stat status;
    char hex[HASH_HEX_SIZE];
    if (stat(path, &status))
        return required ? fail("'%s' is missing", path) : 0;
    if (!hash_of_link(path, hex) && hash_and_remember(path, &status, hex))
        return -1;
    text_appendf(text, "%s %s\n", name, hex);
    return 0;
}

/* A file of a source, under the name LABEL/NAME. */
static int add_named(struct text *text, const struct source *source, const char *name, bool required)
{
    char *path = path_join(source->folder, name);
    char *shown = source->label[0] ? path_join(source->label, name) : copy_string(name);
    int result = add_file(text, shown, path, required);
    free(path);
    free(shown);
    return result;
}

/* What is read beside the weights in transformers' layout. */
static int add_settings(struct text *text, const struct source *source, const char *tokenizer)
{
    bool whole = source->naming == NAMES_MODEL;
    if (add_named(text, source, "config.json", false) || (whole && add_named(text, source, "generation_config.json", false)))
        return -1;
    return (whole || source->naming == NAMES_TEXT) && add_file(text, "spiece.model", tokenizer, false) ? -1 : 0;
}

static int add_source(struct text *text, const struct source *source, const char *tokenizer)
{
    bool audiocraft = source->naming == NAMES_AUDIOCRAFT_LANGUAGE || source->naming == NAMES_AUDIOCRAFT_CODEC;
    json_t *weights = sources_files(source);
    int result = weights && (audiocraft || add_settings(text, source, tokenizer) == 0) ? 0 : -1;
    for (size_t i = 0; result == 0 && i < json_array_size(weights); i++)
        result = add_named(text, source, json_string_value(json_array_get(weights, i)), true);
    json_decref(weights);
    return result;
}

char *model_identity(const struct model *model)
{
    char hex[HASH_HEX_SIZE];
    struct text text = {0};
    int result = failed() ? -1 : 0;
    for (size_t i = 0; result == 0 && i < model->sources.count; i++)
        result = add_source(&text, &model->sources.items[i], model->sources.tokenizer);
    if (result == 0)
        hash_bytes(text_string(&text), text.length, hex);
    text_release(&text);
    return result == 0 ? copy_string(hex) : NULL;
}
