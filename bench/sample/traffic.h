/* SPDX-License-Identifier: Apache-2.0
 * traffic - the bytes that a step of the language model cannot do without reading: what its speed is held against.
 *
 * Counted from the configuration, whatever an engine really reads: an engine that reads more has a lower share.
 */
#ifndef LEITMOTIF_BENCH_TRAFFIC_H
#define LEITMOTIF_BENCH_TRAFFIC_H

#include "formats/model.h"
#include "formats/safetensors.h"

/* Weights of every layer and the heads, once for all tracks. Not the embeddings, of which a step reads a few rows, and not
 * what only the condition goes through: its projection, keys and values. type: ELEMENT_F32, ELEMENT_F16, or ELEMENT_I8 with
 * a float32 scale for each output. */
int64_t traffic_weights(const struct language_config *config, enum element_type type);

/* Keys and values of one track: `positions` of each of its rows, and `text` of the conditional one. */
int64_t traffic_cache(const struct language_config *config, enum element_type type, int64_t rows, int64_t positions, int64_t text);

#endif
