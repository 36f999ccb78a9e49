/* SPDX-License-Identifier: Apache-2.0
 * codec-plan - how a clip is cut for EnCodec's encoder or decoder, and what both halves allocate, by purpose.
 *
 * A half's own plan is its planner: codec_plan_shared, and what only that half has. This module must not know tensors or files.
 */
#ifndef LEITMOTIF_NN_CODEC_PLAN_H
#define LEITMOTIF_NN_CODEC_PLAN_H

#include "nn/budget.h"
#include "nn/codec-geometry.h"

/* Convolutions between frames and samples run `chunk` frames at a time (plus margins), the LSTM and what lies beyond it
 * `block` frames at a time, CHUNKS_IN_A_BLOCK chunks: on a device each call of an LSTM has costs of its own. */
struct chunking { int64_t chunk, block; };

enum { CHUNK_DEFAULT_FRAMES = 50, CHUNK_LEAST_FRAMES = 4, CHUNKS_IN_A_BLOCK = 8 };

struct chunking codec_chunking(int64_t chunk);

/* For a clip that is its device's second try, after the first was refused memory: half the chunk. False when it is the
 * least already. */
bool codec_halve_chunking(const struct codec_config *codec, struct chunking *chunking);

/* Bytes on `device` in groups: "weights", folded, with as many values besides what the halves share; "loading" them;
 * "chunks" of `window` frames with their margins; what libraries need. */
void codec_plan_shared(struct memory_plan *plan, const struct codec_config *codec, int64_t own_floats, int64_t window, struct device device);

/* Adds all that is allocated at any time. */
typedef void codec_planner(struct memory_plan *plan, const struct codec_config *codec, int64_t channels, struct chunking chunking,
                           struct device device);

/* The default chunk, or the longest whose plan the budget holds; the plan is for it. what: "decoding", for the refusal,
 * which says what would be needed at least. */
int codec_choose_chunking(codec_planner *planner, const struct codec_config *codec, int64_t channels, const struct budget *budget,
                          const char *what, struct chunking *chunking, struct memory_plan *plan);

#endif
