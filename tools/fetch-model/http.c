/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch-model/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/version.h"

enum { CONNECT_SECONDS = 20, BODY_BUFFER_BYTES = 1 << 18 };

struct http {
    CURL *curl;
    char *endpoint, *token;
    long stall_seconds;
};

/* One transfer under way. */
struct transfer {
    CURL *curl;
    const struct http_receiver *receiver;
    struct http_answer *answer;
    bool begun, stopped;
};

/* URLs */

/* scheme, host (lower case) and port of a URL; false when it is none that we speak. */
static bool split(const char *url, char **scheme, char **host, char **port)
{
    CURLU *parts = curl_url();
    *scheme = *host = *port = NULL;
    bool good = parts && curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_SCHEME, scheme, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, host, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_PORT, port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                (strcasecmp(*scheme, "http") == 0 || strcasecmp(*scheme, "https") == 0);
    curl_url_cleanup(parts);
    return good;
}

static void release_split(char *scheme, char *host, char *port)
{
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
}

char *http_origin(const char *url)
{
    char *scheme, *host, *port;
    bool usual = false, good = split(url, &scheme, &host, &port);
    if (good)
        usual = strcmp(port, strcasecmp(scheme, "https") == 0 ? "443" : "80") == 0;
    char *origin = good ? format_string("%s://%s%s%s", scheme, host, usual ? "" : ":", usual ? "" : port) : copy_string("");
    release_split(scheme, host, port);
    return origin;
}

bool http_is_url(const char *text)
{
    char *origin = http_origin(text);
    bool good = origin[0] && !strpbrk(text, "?# ");
    free(origin);
    return good;
}

bool http_same_origin(const char *url, const char *other)
{
    char *one = http_origin(url), *two = http_origin(other);
    bool same = one[0] && strcasecmp(one, two) == 0;
    free(one);
    free(two);
    return same;
}

bool http_less_secure(const char *url, const char *than)
{
    char *one = http_origin(url), *two = http_origin(than);
    bool less = strncasecmp(two, "https:", 6) == 0 && strncasecmp(one, "https:", 6) != 0;
    free(one);
    free(two);
    return less;
}

char *http_escape(const char *path_part)
{
    char *escaped = curl_easy_escape(NULL, path_part, 0), *copy = copy_string(escaped ? escaped : "");
    curl_free(escaped);
    return copy;
}

/* answers */

static void read_field(CURL *curl, const char *name, char field[HTTP_FIELD_SIZE])
{
    struct curl_header *header;
    field[0] = 0;
    if (curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        snprintf(field, HTTP_FIELD_SIZE, "%s", header->value);
}

static int64_t read_size(CURL *curl, const char *name)
{
    char field[HTTP_FIELD_SIZE];
    int64_t size;
    read_field(curl, name, field);
    return parse_integer(field, &size) == 0 && size >= 0 ? size : -1;
}

static void read_answer(CURL *curl, struct http_answer *answer)
{
    curl_off_t wait = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    read_field(curl, "X-Repo-Commit", answer->commit);
    read_field(curl, "ETag", answer->etag);
    read_field(curl, "X-Linked-Etag", answer->linked_etag);
    read_field(curl, "X-Error-Code", answer->error_code);
    read_field(curl, "Content-Range", answer->content_range);
    answer->length = read_size(curl, "Content-Length");
    answer->linked_size = read_size(curl, "X-Linked-Size");
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &wait);
    answer->retry_after = wait > 0 ? (int64_t)wait : -1;
}

void http_answer_release(struct http_answer *answer)
{
    free(answer->redirect);
    answer->redirect = NULL;
}

/* transfers */

static int begin(struct transfer *transfer)
{
    if (transfer->begun)
        return 0;
    transfer->begun = true;
    read_answer(transfer->curl, transfer->answer);
    return transfer->receiver ? transfer->receiver->begin(transfer->receiver->context, transfer->answer) : 0;
}

static size_t on_body(char *bytes, size_t one, size_t length, void *context)
{
    struct transfer *transfer = context;
    if (begin(transfer) == 0 &&
        (!transfer->receiver || transfer->receiver->take(transfer->receiver->context, bytes, one * length) == 0))
        return one * length;
    transfer->stopped = true;
    return one * length + 1; /* anything but the length ends the transfer */
}

static struct curl_slist *request_headers(const struct http *http, const char *url)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Accept-Encoding: identity");
    if (http->token && http_same_origin(url, http->endpoint)) {
        char *line = format_string("Authorization: Bearer %s", http->token);
        headers = curl_slist_append(headers, line);
        free(line);
    }
    return headers;
}

static void set_options(const struct http *http, const char *url, int64_t offset, struct transfer *transfer)
{
    CURL *curl = http->curl;
    curl_easy_reset(curl); /* keeps the connection */
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "leitmotif/" LEITMOTIF_VERSION);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, http->stall_seconds);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, (long)BODY_BUFFER_BYTES);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_NOBODY, transfer->receiver ? 0L : 1L);
    char *range = format_string("%lld-", (long long)offset);
    curl_easy_setopt(curl, CURLOPT_RANGE, offset ? range : NULL); /* curl copies it; its own resuming refuses status 200 */
    free(range);
}

/* What no second try mends, in curl's own words. */
static bool is_final(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_URL_MALFORMAT ||
           code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_SSL_CERTPROBLEM || code == CURLE_COULDNT_RESOLVE_PROXY;
}

static enum http_outcome outcome_of(CURLcode code, const char *words, const char *url, struct transfer *transfer)
{
    if (transfer->stopped)
        return failed() ? HTTP_STOPPED : HTTP_ANSWERED;
    if (code == CURLE_OK)
        return begin(transfer) && failed() ? HTTP_STOPPED : HTTP_ANSWERED;
    snprintf(transfer->answer->reason, HTTP_FIELD_SIZE, "%s", words[0] ? words : curl_easy_strerror(code));
    if (!is_final(code))
        return HTTP_BROKEN;
    char *origin = http_origin(url);
    fail("cannot reach '%s': %s", origin, transfer->answer->reason);
    free(origin);
    return HTTP_STOPPED;
}

enum http_outcome http_request(struct http *http, const char *url, int64_t offset, const struct http_receiver *receiver,
                               struct http_answer *answer)
{
    *answer = (struct http_answer){.length = -1, .linked_size = -1, .retry_after = -1};
    struct transfer transfer = {.curl = http->curl, .receiver = receiver, .answer = answer};
    struct curl_slist *headers = request_headers(http, url);
    char words[CURL_ERROR_SIZE] = "", *redirect = NULL;
    set_options(http, url, offset, &transfer);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, words);
    CURLcode code = curl_easy_perform(http->curl);
    enum http_outcome outcome = outcome_of(code, words, url, &transfer);
    if (curl_easy_getinfo(http->curl, CURLINFO_REDIRECT_URL, &redirect) == CURLE_OK)
        answer->redirect = copy_string(redirect);
    curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    return outcome;
}

struct http *http_open(const char *endpoint, const char *token, long stall_seconds)
{
    struct http *http = allocate(1, sizeof *http);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    http->curl = curl_easy_init();
    http->endpoint = copy_string(endpoint);
    http->token = copy_string(token);
    http->stall_seconds = stall_seconds;
    if (http->curl)
        return http;
    fail("cannot start libcurl");
    http_close(http);
    return NULL;
}

void http_close(struct http *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->curl);
    curl_global_cleanup();
    free(http->endpoint);
    free(http->token);
    free(http);
}
