/* SPDX-License-Identifier: Apache-2.0
 * cutting - how clips are cut for EnCodec's encoder or decoder, so that what either half allocates keeps to a budget.
 *
 *     cutting_open; per clip, while it fails and cutting_again: once more
 *
 * A half's plan is its planner: cutting_plan_shared, and what only that half has. This module must not know tensors or files.
 */
#ifndef LEITMOTIF_NN_CUTTING_H
#define LEITMOTIF_NN_CUTTING_H

#include "nn/budget.h"
#include "nn/codec-geometry.h"

/* Convolutions between frames and samples run `chunk` frames at a time (plus margins), the LSTM and what lies beyond it
 * `block` frames at a time, CHUNKS_IN_A_BLOCK chunks: on a device each call of an LSTM has costs of its own. */
struct chunking { int64_t chunk, block; };

enum { CHUNK_DEFAULT_FRAMES = 50, CHUNK_LEAST_FRAMES = 4, CHUNKS_IN_A_BLOCK = 8 };

struct chunking chunking_of(int64_t chunk);

/* Adds all that is allocated at any time for clips of so many channels. */
typedef void cutting_planner(struct memory_plan *plan, const struct codec_config *codec, int64_t channels, struct chunking chunking,
                             struct device device);

/* Bytes on `device` in groups: "weights", folded, with own_floats values besides what the halves share; "loading" them;
 * "chunks" of `window` frames with their margins; what kernels and libraries need. */
void cutting_plan_shared(struct memory_plan *plan, const struct codec_config *codec, int64_t own_floats, int64_t window,
                         struct device device);

struct cutting {
    cutting_planner *planner;
    const char *what;                 /* "decoding", for texts */
    const struct codec_config *codec; /* borrowed */
    int64_t channels;
    struct budget budget;
    struct chunking chunking;
    struct memory_plan plan;          /* of that chunking */
    bool halved;
};

/* Takes the default chunk, or the longest whose plan fits; the first four members are set already. The device must be open.
 * A refusal says what would be needed at least. */
int cutting_open(struct cutting *cutting, struct device device, int64_t memory);

/* After a failed clip: should it be done again? When the device refused memory that was planned, which others took
 * meanwhile, once: then the chunk is halved, the failure cleared, and a note says so. */
bool cutting_again(struct cutting *cutting);

/* After a failure, always -1: says what was needed if that was refused. */
int cutting_refused(const struct cutting *cutting);

#endif
