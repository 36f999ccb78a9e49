/* SPDX-License-Identifier: Apache-2.0 */
#include "sample-tokens/engine.h"

int64_t engine_prefix(const struct language_config *config, const struct condition *condition)
{
    return config->chroma_frames ? config->chroma_frames + (condition->tokens ? condition->tokens : 1) : 0;
}
