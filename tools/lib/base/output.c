/* SPDX-License-Identifier: Apache-2.0 */
#include "base/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

#define TEMPORARY_SUFFIX ".part"

enum { COPY_SIZE = 1 << 16, OPEN_OUTPUTS = 64, RANDOM_LENGTH = 6 };

/* The temporaries of this process that exist now, for exit() and signals: fixed strings in a fixed table, because a
 * signal handler may not allocate. An output beyond the table is still found by the next writer of its name. */
static char unfinished[OPEN_OUTPUTS][PATH_MAX];

static void remove_unfinished(void)
{
    for (int i = 0; i < OPEN_OUTPUTS; i++)
        if (unfinished[i][0])
            unlink(unfinished[i]);
}

static void remember(const char *temporary)
{
    static bool registered;
    if (!registered)
        atexit(remove_unfinished);
    registered = true;
    for (int i = 0; i < OPEN_OUTPUTS && strlen(temporary) < PATH_MAX; i++)
        if (!unfinished[i][0]) {
            strcpy(unfinished[i] + 1, temporary + 1); /* the first character last: a handler sees all or nothing */
            unfinished[i][0] = temporary[0];
            return;
        }
}

static void forget(const char *temporary)
{
    for (int i = 0; i < OPEN_OUTPUTS; i++)
        if (strcmp(unfinished[i], temporary) == 0)
            unfinished[i][0] = 0;
}

void keep_standard_descriptors(void)
{
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        if (fcntl(i, F_GETFD) < 0)
            open("/dev/null", i == STDIN_FILENO ? O_WRONLY : O_RDONLY); /* takes the lowest number, which is i */
}

static void die_of(int signal_number)
{
    remove_unfinished();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
    _exit(128 + signal_number); /* process 1 of a container does not die of a raised signal */
}

void cleanup_on_signals(void)
{
    static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error of write(), told like a full disk */
    for (size_t i = 0; i < COUNT_OF(fatal); i++) {
        struct sigaction action = {.sa_handler = die_of, .sa_flags = SA_RESETHAND | SA_NODEFER}, old;
        sigaction(fatal[i], NULL, &old);
        if (old.sa_handler != SIG_IGN)
            sigaction(fatal[i], &action, NULL);
    }
}

/* Is name ".NAME.XXXXXX.part" for this NAME? */
static bool is_temporary_of(const char *name, const char *of)
{
    size_t length = strlen(of), whole = strlen(name);
    return whole == 1 + length + 1 + RANDOM_LENGTH + strlen(TEMPORARY_SUFFIX) && name[0] == '.' &&
           strncmp(name + 1, of, length) == 0 && name[1 + length] == '.' && has_suffix(name, TEMPORARY_SUFFIX);
}

/* Removes one temporary if no living process holds its lock. */
static void remove_if_stale(int folder, const char *name)
{
    int descriptor = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0)
        return;
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        unlinkat(folder, name, 0);
    close(descriptor);
}

static void remove_stale(const char *folder, const char *of)
{
    DIR *listing = opendir(folder);
    struct dirent *entry;
    while (listing && (entry = readdir(listing)))
        if (is_temporary_of(entry->d_name, of))
            remove_if_stale(dirfd(listing), entry->d_name);
    if (listing)
        closedir(listing);
}

/* A file just made could be taken for stale before its lock: then it is gone, and another is made. */
static int open_temporary(struct output *output, const char *folder, const char *name)
{
    struct stat status;
    for (int attempt = 0; attempt < 10; attempt++) {
        free(output->temporary);
        output->temporary = format_string("%s/.%s.XXXXXX" TEMPORARY_SUFFIX, folder, name);
        output->descriptor = mkostemps(output->temporary, (int)strlen(TEMPORARY_SUFFIX), O_CLOEXEC);
        if (output->descriptor < 0)
            return -1;
        if (flock(output->descriptor, LOCK_EX | LOCK_NB) == 0 && fstat(output->descriptor, &status) == 0 && status.st_nlink > 0)
            return 0;
        unlink(output->temporary);
        close(output->descriptor);
    }
    errno = EAGAIN;
    return -1;
}

static int open_beside(struct output *output)
{
    mode_t mask = umask(0);
    umask(mask);
    char *folder = path_folder(output->path);
    remove_stale(folder, path_name(output->path));
    int result = open_temporary(output, folder, path_name(output->path));
    if (result)
        fail("cannot write '%s': %s", output->path, errno == ENOENT ? "its folder does not exist; make it first" : strerror(errno));
    else {
        fchmod(output->descriptor, 0666 & ~mask);
        remember(output->temporary);
    }
    free(folder);
    return result;
}

static int open_unnamed(struct output *output)
{
    FILE *unnamed = tmpfile();
    output->direct = true;
    output->descriptor = unnamed ? dup(fileno(unnamed)) : -1;
    if (unnamed)
        fclose(unnamed);
    return output->descriptor < 0 ? fail("cannot make a temporary file: %s", strerror(errno)) : 0;
}

/* A link to a file is written through: its target is the place. */
static char *resolved(const char *path)
{
    struct stat status;
    char *target = lstat(path, &status) == 0 && S_ISLNK(status.st_mode) ? realpath(path, NULL) : NULL;
    return target ? target : copy_string(path);
}

int output_open(struct output *output, const char *path)
{
    struct stat status;
    *output = (struct output){.path = resolved(path), .descriptor = -1};
    int result;
    if (!path[0] || has_suffix(path, "/"))
        result = fail("cannot write '%s': not a file name", path);
    else if (stat(output->path, &status) || S_ISREG(status.st_mode))
        result = open_beside(output);
    else if (S_ISDIR(status.st_mode))
        result = fail("cannot write '%s': it is a folder", path);
    else
        result = open_unnamed(output);
    output->active = result == 0;
    if (result)
        output_discard(output);
    return result;
}

static int write_fully(int descriptor, const char *path, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length) {
        ssize_t written = write(descriptor, at, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return fail("cannot write '%s': %s", path, strerror(errno));
        at += written;
        length -= (size_t)written;
    }
    return 0;
}

int output_write(struct output *output, const void *bytes, size_t length)
{
    return write_fully(output->descriptor, output->path, bytes, length);
}

int output_write_at(struct output *output, uint64_t offset, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length) {
        ssize_t written = pwrite(output->descriptor, at, length, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return fail("cannot write '%s': %s", output->path, strerror(errno));
        at += written;
        offset += (uint64_t)written;
        length -= (size_t)written;
    }
    return 0;
}

static int copy_out(struct output *output)
{
    char *block = allocate(1, COPY_SIZE);
    int target = open(output->path, O_WRONLY | O_CLOEXEC), result = 0;
    ssize_t got = 0;
    if (target < 0)
        result = fail("cannot open '%s': %s", output->path, strerror(errno));
    for (off_t offset = 0; result == 0 && (got = pread(output->descriptor, block, COPY_SIZE, offset)) > 0; offset += got)
        result = write_fully(target, output->path, block, (size_t)got);
    if (result == 0 && got < 0)
        result = fail("cannot read back '%s': %s", output->path, strerror(errno));
    if (target >= 0 && close(target) && result == 0)
        result = fail("cannot write '%s': %s", output->path, strerror(errno));
    free(block);
    return result;
}

static int publish(struct output *output)
{
    if (fsync(output->descriptor))
        return fail("cannot write '%s': %s", output->path, strerror(errno));
    if (rename(output->temporary, output->path))
        return fail("cannot write '%s': %s", output->path, strerror(errno));
    forget(output->temporary);
    free(output->temporary);
    output->temporary = NULL;
    char *folder = path_folder(output->path);
    int result = folder_sync(folder);
    free(folder);
    return result;
}

int output_commit(struct output *output)
{
    int result = output->direct ? copy_out(output) : publish(output);
    output_discard(output);
    return result;
}

void output_discard(struct output *output)
{
    if (output->temporary) {
        if (output->active)
            unlink(output->temporary);
        forget(output->temporary);
    }
    if (output->active && output->descriptor >= 0)
        close(output->descriptor);
    free(output->temporary);
    free(output->path);
    *output = (struct output){.descriptor = -1};
}

int output_check(const char *path)
{
    struct output output;
    int result = output_open(&output, path);
    output_discard(&output);
    return result;
}
