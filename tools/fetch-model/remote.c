/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch-model/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "fetch-model/environment.h"

enum { MOST_REDIRECTS = 10, MOST_TRIES = 5, LONGEST_WAIT_SECONDS = 300, DISCARDED_BODY_BYTES = 1 << 20 };

int remote_open(struct remote *remote, const char *endpoint)
{
    char *token = NULL;
    double stall;
    *remote = (struct remote){0};
    if (environment_token(&token) || environment_number("HF_HUB_DOWNLOAD_TIMEOUT", 30, 1, &stall) ||
        environment_number("LEITMOTIF_RETRY_SECONDS", 1, 0, &remote->wait_seconds)) {
        free(token);
        return -1;
    }
    remote->endpoint = copy_string(endpoint);
    while (has_suffix(remote->endpoint, "/"))
        remote->endpoint[strlen(remote->endpoint) - 1] = 0;
    remote->origin = http_origin(remote->endpoint);
    remote->has_token = token != NULL;
    remote->http = http_open(remote->endpoint, token, (long)stall);
    free(token);
    return remote->http ? 0 : -1;
}

void remote_close(struct remote *remote)
{
    http_close(remote->http);
    free(remote->endpoint);
    free(remote->origin);
    *remote = (struct remote){0};
}

/* addresses and redirects */

/* Each part between slashes percent-encoded. */
static void append_path(struct text *url, const char *path)
{
    while (true) {
        size_t length = strcspn(path, "/");
        char *part = copy_bytes(path, length), *escaped = http_escape(part);
        text_appendf(url, "/%s", escaped);
        free(escaped);
        free(part);
        if (!path[length])
            return;
        path += length + 1;
    }
}

/* A revision's slashes are part of its name: refs/pr/1 is one part of the path. */
static char *resolve_url(const struct remote *remote, const struct address *address)
{
    struct text url = {0};
    char *revision = http_escape(address->revision);
    text_append(&url, remote->endpoint);
    append_path(&url, address->id);
    text_appendf(&url, "/resolve/%s", revision);
    append_path(&url, address->name);
    free(revision);
    return text_take(&url);
}

static bool is_redirect(const struct http_answer *answer)
{
    return answer->status >= 300 && answer->status < 400 && answer->redirect;
}

/* A redirect's own body is let pass: a transfer that is cut off would cost the connection. */
struct filter {
    const struct http_receiver *receiver;
    bool redirect;
    size_t discarded;
};

static int filter_begin(void *context, const struct http_answer *answer)
{
    struct filter *filter = context;
    filter->redirect = answer->status >= 300 && answer->status < 400;
    return filter->redirect ? 0 : filter->receiver->begin(filter->receiver->context, answer);
}

static int filter_take(void *context, const void *bytes, size_t length)
{
    struct filter *filter = context;
    if (!filter->redirect)
        return filter->receiver->take(filter->receiver->context, bytes, length);
    filter->discarded += length;
    return filter->discarded > DISCARDED_BODY_BYTES ? -1 : 0;
}

static void keep_field(char field[HTTP_FIELD_SIZE], const char *earlier)
{
    if (!field[0])
        memcpy(field, earlier, HTTP_FIELD_SIZE);
}

/* A redirect's ETag and Content-Length are of its own body; the X- headers are of the file. */
static void keep_earlier(struct http_answer *answer, const struct http_answer *earlier)
{
    keep_field(answer->commit, earlier->commit);
    keep_field(answer->linked_etag, earlier->linked_etag);
    if (answer->linked_size < 0)
        answer->linked_size = earlier->linked_size;
}

/* May this redirect be followed? Content may come from elsewhere, what describes it may not. */
static bool may_follow(const struct remote *remote, const char *url, const struct http_answer *answer, bool content)
{
    if (http_same_origin(answer->redirect, remote->endpoint))
        return true;
    if (!content)
        return false;
    if (!http_less_secure(answer->redirect, url))
        return true;
    fail("'%s' redirects from https to http; not followed", remote->origin);
    return false;
}

static void remember_origin(struct remote *remote, const char *url)
{
    free(remote->origin);
    remote->origin = http_origin(url);
}

/* Follows from *url (replaced by where it ends). */
static enum http_outcome follow(struct remote *remote, char **url, int64_t offset, const struct http_receiver *receiver,
                                struct http_answer *answer)
{
    struct filter filter = {.receiver = receiver};
    const struct http_receiver passing = {filter_begin, filter_take, &filter};
    struct http_answer earlier = {.linked_size = -1};
    for (int hop = 0; hop <= MOST_REDIRECTS; hop++) {
        enum http_outcome outcome = http_request(remote->http, *url, offset, receiver ? &passing : NULL, answer);
        remember_origin(remote, *url);
        keep_earlier(answer, &earlier);
        if (outcome != HTTP_ANSWERED || !is_redirect(answer) || !may_follow(remote, *url, answer, receiver != NULL))
            return failed() ? HTTP_STOPPED : outcome;
        earlier = *answer;
        free(*url);
        *url = answer->redirect;
        answer->redirect = NULL;
    }
    fail("'%s' redirects more than %d times", remote->origin, MOST_REDIRECTS);
    return HTTP_STOPPED;
}

enum http_outcome remote_request(struct remote *remote, const struct address *address, int64_t offset,
                                 const struct http_receiver *receiver, struct http_answer *answer)
{
    char *url = resolve_url(remote, address);
    enum http_outcome outcome = follow(remote, &url, offset, receiver, answer);
    free(url);
    return outcome;
}

/* refusals */

static bool has_code(const struct http_answer *answer, const char *code)
{
    return strcmp(answer->error_code, code) == 0;
}

bool remote_is_absent(const struct http_answer *answer, bool or_all)
{
    if (or_all && (answer->status == 401 || has_code(answer, "RepoNotFound")))
        return true;
    return answer->status == 404 && (!answer->error_code[0] || has_code(answer, "EntryNotFound"));
}

/* Without a token the hub says 401 also of a repository that does not exist. */
static int refuse_repository(const struct remote *remote, const struct address *address)
{
    if (remote->has_token)
        return fail("'%s' has no '%s' that your token may read; check the name, or the token", remote->endpoint, address->id);
    return fail("'%s' has no '%s' open to all; check the name, or set HF_TOKEN if it is private", remote->endpoint, address->id);
}

static int refuse_access(const struct remote *remote, const struct address *address, const struct http_answer *answer)
{
    if (has_code(answer, "GatedRepo"))
        return fail("'%s' is gated: accept its terms at %s/%s, then set HF_TOKEN to a token of that account", address->id,
                    remote->endpoint, address->id);
    if (answer->status == 401 && remote->has_token)
        return fail("'%s' refuses the token (HTTP status 401); set HF_TOKEN to a valid one, or unset it", remote->origin);
    if (answer->status == 401)
        return refuse_repository(remote, address);
    return fail("'%s' forbids reading '%s' of '%s' (HTTP status 403); set HF_TOKEN to a token that may", remote->origin,
                address->name, address->id);
}

/* What no second try mends, and what the person can do. Always returns -1. */
static int refuse(const struct remote *remote, const struct address *address, const struct http_answer *answer)
{
    if (has_code(answer, "RepoNotFound"))
        return refuse_repository(remote, address);
    if (has_code(answer, "RevisionNotFound"))
        return fail("'%s' has no revision '%s'; give another --revision", address->id, address->revision);
    if (answer->status == 401 || answer->status == 403)
        return refuse_access(remote, address, answer);
    if (answer->status == 404)
        return fail("'%s' has no '%s' any more; run it again", address->id, address->name);
    if (is_redirect(answer)) {
        char *elsewhere = http_origin(answer->redirect);
        fail("'%s' sends on to '%s' without describing '%s'; is it a hub? give the right one as --endpoint", remote->origin,
             elsewhere, address->name);
        free(elsewhere);
        return -1;
    }
    return fail("'%s' answers HTTP status %ld for '%s' of '%s'", remote->origin, answer->status, address->name, address->id);
}

/* trying again */

static void sleep_seconds(double seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left))
        ;
}

/* Waits and returns true, or gives up. wanted: seconds that the server asks for, or -1. */
static bool wait_or_give_up(struct remote *remote, const struct address *address, struct tries *tries, const char *reason,
                            int64_t wanted)
{
    double wait = remote->wait_seconds * (double)(1 << tries->count);
    if (wanted > LONGEST_WAIT_SECONDS) {
        fail("cannot fetch '%s' of '%s' from '%s': %s, and it asks to wait %lld s; run it again then", address->name,
             address->id, remote->origin, reason, (long long)wanted);
        return false;
    }
    if (++tries->count == MOST_TRIES) {
        fail("cannot fetch '%s' of '%s' from '%s': %s, %d times in a row; run it again later: what is there is kept",
             address->name, address->id, remote->origin, reason, MOST_TRIES);
        return false;
    }
    wait = wanted >= 0 ? (double)wanted : wait;
    note("'%s' of '%s': %s; trying again in %.1f s", address->name, address->id, reason, wait);
    sleep_seconds(wait);
    return true;
}

bool remote_again_after(struct remote *remote, const struct address *address, struct tries *tries, const char *reason)
{
    return wait_or_give_up(remote, address, tries, reason, -1);
}

/* A storage host refuses addresses that have expired: the hub gives a new one. */
static bool is_passing(const struct remote *remote, const struct http_answer *answer)
{
    if (answer->status == 408 || answer->status == 429 || answer->status >= 500)
        return true;
    return answer->status >= 400 && !http_same_origin(remote->origin, remote->endpoint);
}

bool remote_again(struct remote *remote, const struct address *address, struct tries *tries, enum http_outcome outcome,
                  const struct http_answer *answer)
{
    char reason[HTTP_FIELD_SIZE];
    if (outcome == HTTP_STOPPED)
        return false;
    if (outcome == HTTP_BROKEN)
        return wait_or_give_up(remote, address, tries, answer->reason, -1);
    if (!is_passing(remote, answer)) {
        refuse(remote, address, answer);
        return false;
    }
    snprintf(reason, sizeof reason, "HTTP status %ld", answer->status);
    return wait_or_give_up(remote, address, tries, reason, answer->retry_after);
}
