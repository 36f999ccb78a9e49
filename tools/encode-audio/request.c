/* SPDX-License-Identifier: Apache-2.0 */
#include "encode-audio/request.h"

#include "base/hash.h"
#include "base/version.h"

json_t *request_recipe(const struct request *request, const struct model *model, const char *identity)
{
    char input[HASH_HEX_SIZE];
    if (hash_file(request->input, input))
        return NULL;
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}", "tool", "encode-audio", "version", ENCODE_AUDIO_RESULT, "model", identity,
                     "model_name", model->name, "as", request->as, "input", input);
}
