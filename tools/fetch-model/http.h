/* SPDX-License-Identifier: Apache-2.0
 * http - one request at a time over a kept connection, by libcurl; the only file that sees it. No redirect is followed
 * and nothing is tried again here: hub.c does both. A proxy is taken from the environment as curl does.
 *
 * The token goes to the origin (scheme, host and port) it was given for and to no other.
 */
#ifndef LEITMOTIF_FETCH_MODEL_HTTP_H
#define LEITMOTIF_FETCH_MODEL_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_FIELD_SIZE = 256 };

/* What an answer said; "" and -1: did not say. */
struct http_answer {
    long status;
    char commit[HTTP_FIELD_SIZE], etag[HTTP_FIELD_SIZE], linked_etag[HTTP_FIELD_SIZE];
    char error_code[HTTP_FIELD_SIZE], content_range[HTTP_FIELD_SIZE];
    int64_t length, linked_size;  /* bytes */
    int64_t retry_after;          /* seconds */
    char *redirect;               /* the absolute URL of a redirect, or NULL; http_answer_release frees it */
    char reason[HTTP_FIELD_SIZE]; /* HTTP_BROKEN: why */
};

enum http_outcome {
    HTTP_ANSWERED, /* whatever the status */
    HTTP_BROKEN,   /* the network failed, before or within the answer: may be tried again */
    HTTP_STOPPED,  /* a failure is recorded: by the receiver, or one that no second try mends */
};

/* Takes an answer's body; begin() sees the answer before the first byte and also when there is none. Both return -1, with
 * a failure or without, to end the transfer. */
struct http_receiver {
    int (*begin)(void *context, const struct http_answer *answer);
    int (*take)(void *context, const void *bytes, size_t length);
    void *context;
};

struct http;

/* endpoint: the URL whose origin gets the token (NULL: none). Ends a request that stands still for stall_seconds. */
struct http *http_open(const char *endpoint, const char *token, long stall_seconds);
void http_close(struct http *http);

/* Clears *answer first. receiver NULL: HEAD; else GET, from byte offset on if that is not 0. */
enum http_outcome http_request(struct http *http, const char *url, int64_t offset, const struct http_receiver *receiver,
                               struct http_answer *answer);
void http_answer_release(struct http_answer *answer);

bool http_is_url(const char *text);                          /* http or https, with a host, without a query or fragment */
bool http_same_origin(const char *url, const char *other);   /* scheme, host and port */
bool http_less_secure(const char *url, const char *than);    /* http after https */
char *http_origin(const char *url);                          /* "https://host:port" for messages, yours; "" for no URL */
char *http_escape(const char *path_part);                    /* percent-encoded, yours */

#endif
