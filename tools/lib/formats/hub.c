/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/hub.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

enum { REFERENCE_MAX_BYTES = 256 };

static const struct {
    const char *name, *id;
} known[] = {
    {"small", "facebook/musicgen-small"},
    {"medium", "facebook/musicgen-medium"},
    {"large", "facebook/musicgen-large"},
    {"melody", "facebook/musicgen-melody"},
    {"melody-large", "facebook/musicgen-melody-large"},
    {"stereo-small", "facebook/musicgen-stereo-small"},
    {"stereo-medium", "facebook/musicgen-stereo-medium"},
    {"stereo-large", "facebook/musicgen-stereo-large"},
    {"stereo-melody", "facebook/musicgen-stereo-melody"},
    {"stereo-melody-large", "facebook/musicgen-stereo-melody-large"},
    {"audiogen-medium", "facebook/audiogen-medium"},
    {"demo", NULL}, /* comes with the project, in model-cache/demo */
};

bool hub_name_known(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(known[i].name, name) == 0)
            return true;
    return false;
}

const char *hub_name_suggestion(const char *name)
{
    const char *names[COUNT_OF(known)];
    for (size_t i = 0; i < COUNT_OF(known); i++)
        names[i] = known[i].name;
    return did_you_mean(name, names, COUNT_OF(known));
}

const char *hub_id_of_name(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].id;
    return NULL;
}

bool hub_is_plain_name(const char *name, size_t length)
{
    if (length == 0 || name[0] == '.' || name[0] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
            return false;
    return true;
}

bool hub_is_id(const char *request)
{
    const char *slash = strchr(request, '/');
    return slash && hub_is_plain_name(request, (size_t)(slash - request)) && hub_is_plain_name(slash + 1, strlen(slash + 1));
}

const char *hub_licence(const char *id)
{
    static const struct {
        const char *prefix, *licence;
    } licences[] = {
        {"facebook/musicgen-", "CC-BY-NC-4.0"}, {"facebook/audiogen-", "CC-BY-NC-4.0"}, {"facebook/encodec_", "CC-BY-NC-4.0"},
        {"t5-", "Apache-2.0"},                  {"google-t5/t5-", "Apache-2.0"},
    };
    for (size_t i = 0; i < COUNT_OF(licences); i++)
        if (has_prefix(id, licences[i].prefix))
            return licences[i].licence;
    return "unknown";
}

/* Adds $variable/below if the variable is set. */
static bool add_root(struct string_list *roots, const char *variable, const char *below)
{
    const char *value = getenv(variable);
    if (!value || !value[0])
        return false;
    char *root = below[0] ? path_join(value, below) : copy_string(value);
    string_list_add(roots, root);
    free(root);
    return true;
}

void hub_roots(struct string_list *roots)
{
    if (!add_root(roots, "HF_HUB_CACHE", ""))
        add_root(roots, "HUGGINGFACE_HUB_CACHE", ""); /* its older name */
    add_root(roots, "HF_HOME", "hub");
    if (!add_root(roots, "XDG_CACHE_HOME", "huggingface/hub"))
        add_root(roots, "HOME", ".cache/huggingface/hub");
    add_root(roots, "AUDIOCRAFT_CACHE_DIR", "");
}

char *hub_folder(const char *root, const char *id)
{
    const char *slash = strchr(id, '/');
    if (!slash)
        return format_string("%s/models--%s", root, id);
    return format_string("%s/models--%.*s--%s", root, (int)(slash - id), id, slash + 1);
}

char *hub_commit(const char *folder, const char *revision)
{
    char *references = path_join(folder, "refs"), *path = path_join(references, revision), *commit = NULL;
    struct text content = {0};
    if (file_exists(path) && file_read(path, REFERENCE_MAX_BYTES, &content) == 0) {
        while (content.length && isspace((unsigned char)content.data[content.length - 1]))
            content.data[--content.length] = 0;
        if (hub_is_plain_name(text_string(&content), content.length))
            commit = copy_string(text_string(&content));
        else
            fail("'%s' names no commit; fetch the model again", path);
    }
    text_release(&content);
    free(references);
    free(path);
    return commit;
}
