/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/model.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/path.h"
#include "base/text.h"
#include "formats/model-parts.h"

/* The licence of the weights, told by where they come from: the files do not say. */
static const char *licence_of(const char *id, const char *folder)
{
    if (id && (has_prefix(id, "facebook/musicgen-") || has_prefix(id, "facebook/audiogen-")))
        return "CC-BY-NC-4.0";
    return model_is_demo(folder) ? "Apache-2.0" : "unknown";
}

/* The request, but for a folder: the id it was fetched under, else its own name. */
static char *shown_name(const char *request, const char *id, const char *folder)
{
    if (!model_is_folder(request))
        return copy_string(request);
    if (id)
        return copy_string(id);
    char *real = realpath(folder, NULL), *name = copy_string(path_name(real ? real : folder));
    free(real);
    return name;
}

int model_open(struct model *model, const char *request)
{
    *model = (struct model){0};
    char *folder = model_find(request);
    if (!folder)
        return -1;
    char *id = model_hub_id(request, folder);
    model->request = copy_string(request);
    model->folder = folder;
    model->name = shown_name(request, id, folder);
    model->licence = licence_of(id, folder);
    /* AudioGen is wired like MusicGen and nothing in its files says which it is. */
    model->kind = id && has_prefix(id, "facebook/audiogen-") ? MODEL_AUDIOGEN : MODEL_TEXT;
    free(id);
    if (model_configure(model) == 0)
        return 0;
    model_release(model);
    return -1;
}

void model_release(struct model *model)
{
    free(model->request);
    free(model->name);
    free(model->folder);
    *model = (struct model){0};
}

int64_t frames_of_seconds(double seconds, int64_t rate_hz)
{
    return (int64_t)floor(seconds * (double)rate_hz + 1e-6);
}
