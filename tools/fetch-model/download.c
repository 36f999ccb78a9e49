/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch-model/download.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "fetch-model/cache.h"

/* One download under way. */
struct transfer {
    struct file *file;
    struct tally *tally;
    char *incomplete;    /* path */
    int descriptor;
    int64_t have;        /* bytes of the incomplete file */
    bool taking;         /* the answer is content, not an error's text */
    char trouble[HTTP_FIELD_SIZE]; /* why the answer cannot be used; "" if it can */
};

static char *incomplete_path(const struct file *file)
{
    return format_string("%s/blobs/%s.incomplete", file->repository->folder, file->etag);
}

int64_t download_have(const struct file *file)
{
    struct stat status;
    char *path = incomplete_path(file);
    int64_t have = file->whole ? file->size : stat(path, &status) == 0 && status.st_size <= file->size ? status.st_size : 0;
    free(path);
    return have;
}

static void show(const struct transfer *transfer)
{
    if (!transfer->tally)
        return;
    transfer->tally->done += transfer->have - transfer->file->counted;
    transfer->file->counted = transfer->have;
    progress_bytes("fetch", transfer->tally->done, transfer->tally->total);
}

/* taking the answer */

static int start_over(struct transfer *transfer)
{
    transfer->have = 0;
    if (ftruncate(transfer->descriptor, 0))
        return fail("cannot write '%s': %s", transfer->incomplete, strerror(errno));
    return 0;
}

/* "bytes FIRST-LAST/TOTAL": is this the part asked for, of a file of the size announced? */
static bool is_continuation(const struct transfer *transfer, const char *range)
{
    int64_t first, last, total;
    return sscanf(range, "bytes %" SCNd64 "-%" SCNd64 "/%" SCNd64, &first, &last, &total) == 3 && first == transfer->have &&
           last == transfer->file->size - 1 && total == transfer->file->size;
}

/* A server that ignores Range sends the whole; its length must be the one announced. */
static int begin_whole(struct transfer *transfer, const struct http_answer *answer)
{
    const struct file *file = transfer->file;
    if (answer->length >= 0 && answer->length != file->size)
        return fail("'%s' of '%s' was announced with %" PRId64 " bytes and comes with %" PRId64 "; run it again later", file->name,
                    file->repository->id, file->size, answer->length);
    return start_over(transfer);
}

static int begin(void *context, const struct http_answer *answer)
{
    struct transfer *transfer = context;
    transfer->taking = answer->status == 200 || answer->status == 206;
    if (answer->status == 200)
        return begin_whole(transfer, answer);
    if (answer->status == 206 && !is_continuation(transfer, answer->content_range)) {
        snprintf(transfer->trouble, sizeof transfer->trouble, "the server sends another part than asked for");
        return start_over(transfer), -1;
    }
    if (answer->status == 416) {
        snprintf(transfer->trouble, sizeof transfer->trouble, "the server has no byte %" PRId64, transfer->have);
        return start_over(transfer), -1;
    }
    return 0;
}

static int write_fully(const struct transfer *transfer, const char *bytes, size_t length)
{
    for (off_t at = transfer->have; length;) {
        ssize_t written = pwrite(transfer->descriptor, bytes, length, at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return fail("cannot write '%s': %s; what is there is kept", transfer->incomplete, strerror(errno));
        bytes += written;
        at += written;
        length -= (size_t)written;
    }
    return 0;
}

static int take(void *context, const void *bytes, size_t length)
{
    struct transfer *transfer = context;
    const struct file *file = transfer->file;
    if (!transfer->taking)
        return -1; /* an error's text: the status says enough */
    if ((int64_t)length > file->size - transfer->have) {
        start_over(transfer);
        return fail("'%s' of '%s' was announced with %" PRId64 " bytes and more come; run it again later", file->name,
                    file->repository->id, file->size);
    }
    if (write_fully(transfer, bytes, length))
        return -1;
    transfer->have += (int64_t)length;
    show(transfer);
    return 0;
}

/* One request's worth. True: another is needed. */
static bool go_on(struct transfer *transfer, struct tries *tries)
{
    struct remote *remote = transfer->file->repository->place->remote;
    const struct address address = repository_address(transfer->file);
    const struct http_receiver receiver = {begin, take, transfer};
    struct http_answer answer;
    int64_t before = transfer->have;
    transfer->taking = false;
    transfer->trouble[0] = 0;
    enum http_outcome outcome = remote_request(remote, &address, transfer->have, &receiver, &answer);
    bool again = false;
    if (transfer->have > before)
        tries->count = 0; /* it got on: as long as it does, it is not given up */
    if (transfer->have < transfer->file->size && transfer->trouble[0] && !failed())
        again = remote_again_after(remote, &address, tries, transfer->trouble);
    else if (transfer->have < transfer->file->size && outcome == HTTP_ANSWERED && transfer->taking)
        again = remote_again_after(remote, &address, tries, "the answer ended early");
    else if (transfer->have < transfer->file->size)
        again = remote_again(remote, &address, tries, outcome, &answer);
    http_answer_release(&answer);
    return again;
}

/* the finished content */

static int check_hash(const struct transfer *transfer)
{
    const struct file *file = transfer->file;
    char hex[HASH_HEX_SIZE];
    bool git = strlen(file->etag) < HASH_HEX_SIZE - 1;
    if (git ? hash_git_blob(transfer->incomplete, hex) : hash_file(transfer->incomplete, hex))
        return -1;
    if (strcmp(hex, file->etag) == 0)
        return 0;
    unlink(transfer->incomplete);
    return fail("'%s' of '%s' has the %s %s, not %s as the hub says: removed; fetch it again", file->name, file->repository->id,
                git ? "git hash" : "SHA-256", hex, file->etag);
}

static int publish(const struct transfer *transfer)
{
    char *blob = repository_blob(transfer->file), *folder = path_folder(blob);
    int result = 0;
    if (fsync(transfer->descriptor) || rename(transfer->incomplete, blob))
        result = fail("cannot write '%s': %s", blob, strerror(errno));
    if (result == 0)
        result = folder_sync(folder);
    free(folder);
    free(blob);
    return result;
}

static int transfer_all(struct transfer *transfer)
{
    struct stat status;
    struct tries tries = {0};
    transfer->descriptor = open(transfer->incomplete, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (transfer->descriptor < 0 || fstat(transfer->descriptor, &status))
        return fail("cannot write '%s': %s", transfer->incomplete, strerror(errno));
    transfer->have = status.st_size;
    if (transfer->have > transfer->file->size && start_over(transfer))
        return -1;
    show(transfer);
    while (transfer->have < transfer->file->size && go_on(transfer, &tries))
        ;
    if (failed() || check_hash(transfer) || publish(transfer))
        return -1;
    return 0;
}

/* While this program waited for the lock, another may have finished the blob. */
static bool is_done_by_another(const struct file *file)
{
    struct stat status;
    char *blob = repository_blob(file);
    bool done = stat(blob, &status) == 0 && status.st_size == file->size;
    free(blob);
    return done;
}

static int download_locked(struct file *file, struct tally *tally)
{
    struct transfer transfer = {.file = file, .tally = tally, .descriptor = -1};
    transfer.incomplete = incomplete_path(file);
    int result = is_done_by_another(file) ? 0 : transfer_all(&transfer);
    if (transfer.descriptor >= 0)
        close(transfer.descriptor);
    free(transfer.incomplete);
    file->whole = result == 0;
    if (file->whole) {
        transfer.have = file->size;
        show(&transfer);
    }
    return result;
}

void tally_start(struct tally *tally, struct file *const *files, size_t count)
{
    *tally = (struct tally){0};
    for (size_t i = 0; i < count; i++) {
        files[i]->counted = download_have(files[i]);
        tally->done += files[i]->counted;
        tally->total += files[i]->size;
    }
}

int download(struct file *file, struct tally *tally)
{
    const struct repository *repository = file->repository;
    char *blobs = path_join(repository->folder, "blobs");
    int lock = folder_make(blobs) ? -1 : cache_lock(repository->place->root, path_name(repository->folder), file->etag);
    int result = lock < 0 ? -1 : download_locked(file, tally);
    if (lock >= 0)
        close(lock);
    free(blobs);
    return result;
}
