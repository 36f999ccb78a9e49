/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic.h"

enum { NORM_PARTS = 2 }; /* weight and bias */

static int64_t matrix_bytes(int64_t rows, int64_t columns, enum element_type type)
{
    int64_t scales = type == ELEMENT_I8 ? rows * (int64_t)sizeof(float) : 0;
    return rows * columns * (int64_t)element_size(type) + scales;
}

int64_t traffic_weights(const struct language_config *config, enum element_type type)
{
    int64_t d = config->width, f = config->feed_forward;
    int64_t cross = config->chroma_frames ? 0 : 1; /* melody models have no cross-attention */
    int64_t matrices = matrix_bytes((4 + 2 * cross) * d, d, type) + matrix_bytes(f, d, type) + matrix_bytes(d, f, type);
    int64_t norms = (2 + cross) * NORM_PARTS * d * (int64_t)sizeof(float);
    return config->layers * (matrices + norms) + matrix_bytes(config->codebooks * config->vocabulary, d, type) +
           NORM_PARTS * d * (int64_t)sizeof(float);
}

int64_t traffic_cache(const struct language_config *config, enum element_type type, int64_t rows, int64_t positions, int64_t text)
{
    return config->layers * 2 * config->width * (rows * positions + text) * (int64_t)element_size(type);
}
