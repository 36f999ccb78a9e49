/* SPDX-License-Identifier: Apache-2.0
 * remote - the hub as a server: addresses, redirects, what is tried again and when, and refusals in words.
 *
 * A request asks for ENDPOINT/ID/resolve/REVISION/NAME. Redirects within the endpoint's origin are followed (renamed
 * repositories); to another origin only for content, never from https to http, and never with the token.
 */
#ifndef LEITMOTIF_FETCH_MODEL_REMOTE_H
#define LEITMOTIF_FETCH_MODEL_REMOTE_H

#include "fetch-model/http.h"

struct remote {
    struct http *http;
    char *endpoint;      /* without a slash at the end */
    char *origin;        /* of the last answer, for messages */
    bool has_token;
    double wait_seconds; /* before the second try; doubles */
};

/* A file's address. */
struct address {
    const char *id, *revision, *name;
};

/* Tries of one file so far. */
struct tries {
    int count;
};

/* endpoint as given (a URL); the token and the waiting times come from the environment. */
int remote_open(struct remote *remote, const char *endpoint);
void remote_close(struct remote *remote); /* accepts all-zero */

/* One request with its redirects; receiver NULL: HEAD. What an earlier answer of the chain said of commit, etag and size
 * stays where the last says nothing. The caller releases answer. */
enum http_outcome remote_request(struct remote *remote, const struct address *address, int64_t offset,
                                 const struct http_receiver *receiver, struct http_answer *answer);

/* Is this worth another try? Then waits (Retry-After, or longer each time) and returns true. Else records the failure. */
bool remote_again(struct remote *remote, const struct address *address, struct tries *tries, enum http_outcome outcome,
                  const struct http_answer *answer);

/* The same for a transfer that went wrong in a way the network did not notice: reason says how. */
bool remote_again_after(struct remote *remote, const struct address *address, struct tries *tries, const char *reason);

/* Does the answer say that this one file is not in the repository? or_all: or that there is no such repository. */
bool remote_is_absent(const struct http_answer *answer, bool or_all);

#endif
