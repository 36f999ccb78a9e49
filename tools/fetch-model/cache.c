/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch-model/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "formats/hub.h"

static char *usual_root(void)
{
    struct string_list roots = {0};
    hub_roots(&roots);
    char *root = roots.count ? copy_string(roots.items[0]) : project_find("model-cache");
    string_list_release(&roots);
    return root;
}

char *cache_root(const char *wanted)
{
    char *root = wanted ? copy_string(wanted) : usual_root(), *real = NULL;
    if (!root)
        fail("no cache is known; give --cache-dir");
    else if (folder_make(root) == 0) {
        real = realpath(root, NULL);
        if (!real)
            fail("cannot use '%s': %s", root, strerror(errno));
    }
    free(root);
    return real;
}

static int make_parent(const char *path)
{
    char *parent = path_folder(path);
    int result = folder_make(parent);
    free(parent);
    return result;
}

/* locks */

/* Some clients remove a lock's file when they are done: a lock on a removed file is none. */
static bool is_current(int descriptor, const char *path)
{
    struct stat held, named;
    return fstat(descriptor, &held) == 0 && stat(path, &named) == 0 && held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static int lock_path(const char *path)
{
    while (true) {
        int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (descriptor < 0)
            return fail("cannot write '%s': %s", path, strerror(errno));
        if (flock(descriptor, LOCK_EX | LOCK_NB)) {
            if (errno == EWOULDBLOCK)
                note("another program fetches '%s'; waiting for it", path_name(path));
            while (flock(descriptor, LOCK_EX) && errno == EINTR)
                ;
        }
        if (is_current(descriptor, path))
            return descriptor;
        close(descriptor);
    }
}

int cache_lock(const char *root, const char *repository, const char *etag)
{
    char *path = format_string("%s/.locks/%s/%s.lock", root, repository, etag);
    int descriptor = make_parent(path) ? -1 : lock_path(path);
    free(path);
    return descriptor;
}

/* entries */

/* A link made beside its place and renamed, so that there is never a moment without one. */
static int replace_link(const char *path, const char *target)
{
    char *temporary = format_string("%s.%ld.part", path, (long)getpid());
    unlink(temporary);
    int result = symlink(target, temporary) || rename(temporary, path) ? fail("cannot link '%s': %s", path, strerror(errno)) : 0;
    if (result)
        unlink(temporary);
    free(temporary);
    return result;
}

static bool links_to(const char *path, const char *target)
{
    char current[256];
    ssize_t length = readlink(path, current, sizeof current);
    return length == (ssize_t)strlen(target) && memcmp(current, target, (size_t)length) == 0;
}

int cache_link(const char *folder, const char *commit, const char *name, const char *etag)
{
    char *path = format_string("%s/snapshots/%s/%s", folder, commit, name), *target = format_string("../../blobs/%s", etag);
    int result = make_parent(path);
    if (result == 0 && !links_to(path, target))
        result = replace_link(path, target);
    free(path);
    free(target);
    return result;
}

int cache_mark_absent(const char *folder, const char *commit, const char *name)
{
    char *path = format_string("%s/.no_exist/%s/%s", folder, commit, name);
    int result = make_parent(path), descriptor = result ? -1 : open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (result == 0 && descriptor < 0)
        result = fail("cannot write '%s': %s", path, strerror(errno));
    if (descriptor >= 0)
        close(descriptor);
    free(path);
    return result;
}

int cache_refer(const char *folder, const char *revision, const char *commit)
{
    char *path = format_string("%s/refs/%s", folder, revision), *current = hub_commit(folder, revision);
    failure_clear(); /* a reference that names no commit is replaced */
    int result = current && strcmp(current, commit) == 0 ? 0 : make_parent(path) || file_write(path, commit, strlen(commit));
    free(current);
    free(path);
    return result ? -1 : 0;
}

int cache_free_bytes(const char *root, int64_t *bytes)
{
    struct statvfs status;
    if (statvfs(root, &status))
        return fail("cannot ask how much is free in '%s': %s", root, strerror(errno));
    *bytes = (int64_t)status.f_bavail * (int64_t)status.f_frsize;
    return 0;
}
