/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch-model/repository.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "fetch-model/cache.h"

enum { GIT_HASH_LENGTH = 40, SHA256_LENGTH = 64 };

static const int64_t MOST_BYTES = (int64_t)1 << 48; /* so that sums of what servers claim stay in range */

static bool is_hex(const char *text, size_t length)
{
    return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

static void find_commit_offline(struct repository *repository)
{
    char *commit = is_hex(repository->revision, COMMIT_LENGTH) ? copy_string(repository->revision)
                                                               : hub_commit(repository->folder, repository->revision);
    if (commit && is_hex(commit, COMMIT_LENGTH))
        strcpy(repository->commit, commit);
    free(commit);
}

struct repository *repository_open(const struct place *place, const char *id, const char *revision)
{
    struct repository *repository = allocate(1, sizeof *repository);
    *repository = (struct repository){.place = place, .id = copy_string(id), .revision = copy_string(revision)};
    repository->folder = hub_folder(place->root, id);
    if (!place->remote)
        find_commit_offline(repository);
    return repository;
}

void repository_close(struct repository *repository)
{
    if (!repository)
        return;
    for (size_t i = 0; i < repository->count; i++) {
        free(repository->files[i]->name);
        free(repository->files[i]);
    }
    free(repository->files);
    free(repository->id);
    free(repository->revision);
    free(repository->folder);
    free(repository);
}

struct address repository_address(const struct file *file)
{
    const struct repository *repository = file->repository;
    return (struct address){repository->id, repository->commit[0] ? repository->commit : repository->revision, file->name};
}

char *repository_blob(const struct file *file)
{
    return format_string("%s/blobs/%s", file->repository->folder, file->etag);
}

char *repository_snapshot(const struct repository *repository)
{
    return format_string("%s/snapshots/%s", repository->folder, repository->commit);
}

char *repository_content(const struct file *file)
{
    if (file->etag[0])
        return repository_blob(file);
    char *snapshot = repository_snapshot(file->repository), *path = path_join(snapshot, file->name);
    free(snapshot);
    return path;
}

/* what the hub says */

/* The name of the content: W/ and quotes off. It becomes a file's name, and what the content is checked against. */
static int read_etag(const struct address *address, const struct http_answer *answer, char etag[HASH_HEX_SIZE])
{
    const char *at = answer->linked_etag[0] ? answer->linked_etag : answer->etag;
    at += has_prefix(at, "W/") ? 2 : 0;
    at += strspn(at, "\"");
    char *bare = copy_bytes(at, strcspn(at, "\""));
    bool good = is_hex(bare, GIT_HASH_LENGTH) || is_hex(bare, SHA256_LENGTH);
    if (good)
        strcpy(etag, bare);
    else
        fail("'%s' of '%s' has the ETag '%s', which is no hash to check it by; is it a hub? give the right one as --endpoint",
             address->name, address->id, bare);
    free(bare);
    return good ? 0 : -1;
}

static int read_commit(struct repository *repository, const struct http_answer *answer)
{
    if (!is_hex(answer->commit, COMMIT_LENGTH))
        return fail("'%s' names no commit of '%s'; is it a hub? give the right one as --endpoint", repository->place->remote->origin,
                    repository->id);
    if (repository->commit[0] && strcmp(repository->commit, answer->commit) != 0)
        return fail("'%s' answers of another commit of '%s' than asked for", repository->place->remote->origin, repository->id);
    strcpy(repository->commit, answer->commit);
    return 0;
}

static bool is_in_cache(const struct file *file)
{
    struct stat status;
    char *blob = repository_blob(file);
    bool whole = stat(blob, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == file->size;
    free(blob);
    return whole;
}

static int describe(struct file *file, const struct address *address, const struct http_answer *answer)
{
    file->size = answer->linked_size >= 0 ? answer->linked_size : answer->redirect ? -1 : answer->length;
    if (read_etag(address, answer, file->etag) || read_commit(file->repository, answer))
        return -1;
    if (file->size < 0 || file->size > MOST_BYTES)
        return fail("'%s' does not say how large '%s' of '%s' is, or nonsense", file->repository->place->remote->origin, address->name, address->id);
    file->present = true;
    file->whole = is_in_cache(file);
    return 0;
}

static int note_absent(struct file *file, const struct http_answer *answer)
{
    struct repository *repository = file->repository;
    if (!answer->commit[0]) /* no hub, or one that does not tell: nothing to remember it by */
        return 0;
    return read_commit(repository, answer) ? -1 : cache_mark_absent(repository->folder, repository->commit, file->name);
}

/* An answer that describes the file: itself, or a redirect to where its content is. */
static bool is_description(const struct http_answer *answer)
{
    return answer->status == 200 || (answer->redirect && (answer->linked_etag[0] || answer->commit[0]));
}

static int ask(struct file *file)
{
    struct remote *remote = file->repository->place->remote;
    const struct address address = repository_address(file);
    struct tries tries = {0};
    struct http_answer answer;
    int result = -1;
    bool again;
    do {
        enum http_outcome outcome = remote_request(remote, &address, 0, NULL, &answer);
        again = false;
        if (outcome == HTTP_ANSWERED && is_description(&answer))
            result = describe(file, &address, &answer);
        else if (outcome == HTTP_ANSWERED && remote_is_absent(&answer, file->repository->optional))
            result = note_absent(file, &answer);
        else
            again = remote_again(remote, &address, &tries, outcome, &answer);
        http_answer_release(&answer);
    } while (again);
    return result;
}

/* what the cache holds */

static void look_in_cache(struct file *file)
{
    struct stat status;
    char *path = repository_content(file);
    file->present = file->whole = file->repository->commit[0] && stat(path, &status) == 0 && S_ISREG(status.st_mode);
    file->size = file->present ? (int64_t)status.st_size : 0;
    free(path);
}

struct file *repository_file(struct repository *repository, const char *name)
{
    for (size_t i = 0; i < repository->count; i++)
        if (strcmp(repository->files[i]->name, name) == 0)
            return repository->files[i];
    if (failed())
        return NULL;
    struct file *file = allocate(1, sizeof *file);
    *file = (struct file){.repository = repository, .name = copy_string(name)};
    repository->files = grow(repository->files, repository->count, &repository->capacity, sizeof *repository->files);
    repository->files[repository->count++] = file;
    if (!repository->place->remote)
        look_in_cache(file);
    else if (ask(file))
        return NULL;
    return file;
}
