/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch-model/environment.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/memory.h"

enum { TOKEN_MAX_BYTES = 4096 };

static const char *variable_or_null(const char *variable)
{
    const char *value = getenv(variable);
    return value && value[0] ? value : NULL;
}

/* Where the hub's client keeps its token; yours, NULL without a home. */
static char *token_path(void)
{
    static const struct {
        const char *variable, *below;
    } places[] = {{"HF_HOME", "token"}, {"XDG_CACHE_HOME", "huggingface/token"}, {"HOME", ".cache/huggingface/token"}};
    if (variable_or_null("HF_TOKEN_PATH"))
        return copy_string(getenv("HF_TOKEN_PATH"));
    for (size_t i = 0; i < COUNT_OF(places); i++)
        if (variable_or_null(places[i].variable))
            return path_join(getenv(places[i].variable), places[i].below);
    return NULL;
}

static int read_token(struct text *token)
{
    char *path = token_path();
    int result = path && file_exists(path) ? file_read(path, TOKEN_MAX_BYTES, token) : 0;
    free(path);
    return result;
}

int environment_token(char **token)
{
    struct text text = {0};
    *token = NULL;
    if (variable_or_null("HF_TOKEN"))
        text_append(&text, getenv("HF_TOKEN"));
    else if (read_token(&text))
        return -1;
    const char *start = text_string(&text) + strspn(text_string(&text), " \t\r\n");
    size_t length = strlen(start);
    while (length && isspace((unsigned char)start[length - 1]))
        length--;
    int result = 0;
    for (size_t i = 0; result == 0 && i < length; i++)
        if (!isgraph((unsigned char)start[i]))
            result = fail("the hub token holds a character that no token has; set HF_TOKEN anew, or unset it");
    if (result == 0 && length)
        *token = copy_bytes(start, length);
    text_release(&text);
    return result;
}

int environment_number(const char *variable, double fallback, double minimum, double *value)
{
    *value = fallback;
    if (!variable_or_null(variable))
        return 0;
    if (parse_number(getenv(variable), value) || *value < minimum || *value > 3600)
        return misuse("%s is '%s': give a number of seconds from %g to 3600", variable, getenv(variable), minimum);
    return 0;
}

const char *environment_endpoint(void)
{
    const char *endpoint = variable_or_null("HF_ENDPOINT");
    return endpoint ? endpoint : "https://huggingface.co";
}

bool environment_offline(void)
{
    static const char *const yes[] = {"1", "on", "yes", "true"};
    const char *value = variable_or_null("HF_HUB_OFFLINE");
    for (size_t i = 0; value && i < COUNT_OF(yes); i++)
        if (strcasecmp(value, yes[i]) == 0)
            return true;
    return false;
}
