/* SPDX-License-Identifier: Apache-2.0 */
#include "encode-audio/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t room(const struct stream *stream)
{
    struct sides margins = geometry_encoder_margins(&stream->encoder->config);
    return (margins.left + stream->chunking.block + margins.right) * stream->encoder->config.hop;
}

/* Of all samples so far, a partial one included. */
static int64_t frames_of(const struct stream *stream)
{
    return geometry_divide_up(stream->start + stream->held, stream->encoder->config.hop);
}

int stream_open(struct stream *stream, const struct encoder *encoder, struct chunking chunking)
{
    *stream = (struct stream){.encoder = encoder, .chunking = chunking};
    stream->samples = allocate((size_t)room(stream), sizeof *stream->samples);
    if (recurrence_begin(&encoder->recurrence, encoder->weights.device, &stream->state) == 0)
        return 0;
    stream_close(stream);
    return -1;
}

void stream_close(struct stream *stream)
{
    recurrence_end(&stream->state);
    tensor_free(stream->frames);
    free(stream->samples);
    free(stream->codes);
    *stream = (struct stream){0};
}

/* Features [1, width, end - start] of frames [start, end). */
static struct tensor *chunk_features(const struct stream *stream, int64_t start, int64_t end)
{
    const struct codec_config *config = &stream->encoder->config;
    struct sides margins = geometry_encoder_margins(config);
    int64_t hop = config->hop, known = stream->start + stream->held;
    int64_t from = larger(start - margins.left, 0), to = smaller((end + margins.right) * hop, known); /* frame, sample */
    bool cut = from > 0 && !(stream->ended && to == known);
    enum edges edges = cut ? EDGES_CUT : config->pad_reflect ? EDGES_REFLECT : EDGES_ZERO;
    struct scope scope;
    scope_open(&scope);
    struct tensor *samples = tensor_from(stream->encoder->weights.device, TENSOR_F32, SHAPE(1, 1, to - from * hop),
                                         stream->samples + (from * hop - stream->start));
    struct tensor *features = encoder_features(stream->encoder, samples, edges);
    features = scope_keep(&scope, tensor_contiguous(tensor_narrow(features, 2, start - from, end - start)));
    scope_close(&scope);
    return features;
}

static struct tensor *block_features(const struct stream *stream, int64_t start, int64_t end)
{
    struct tensor *parts[CHUNKS_IN_A_BLOCK];
    int count = 0;
    for (int64_t at = start; at < end && !failed(); at += stream->chunking.chunk) {
        assert(count < CHUNKS_IN_A_BLOCK);
        parts[count++] = chunk_features(stream, at, smaller(at + stream->chunking.chunk, end));
    }
    return count == 1 ? parts[0] : tensor_cat(parts, count, 2);
}

/* Codes of the frames that have all they need around them. */
static void append_codes(struct stream *stream)
{
    const struct codec_config *config = &stream->encoder->config;
    struct sides context = geometry_padding(config->last_kernel, 1, 1);
    bool last = stream->ended && stream->ready == frames_of(stream);
    int64_t start = stream->count, end = last ? stream->ready : stream->ready - context.right, count = end - start;
    if (failed() || count <= 0)
        return;
    int64_t from = larger(start - context.left, 0), to = smaller(end + context.right, stream->ready);
    struct sides missing = {context.left - (start - from), context.right - (to - end)};
    struct tensor *latent = encoder_latent(stream->encoder, tensor_narrow(stream->frames, 0, from - stream->first, to - from), missing);
    int64_t *codes = allocate((size_t)(config->codebooks * count), sizeof *codes);
    encoder_codes(stream->encoder, latent, codes);
    if (end > stream->capacity) {
        stream->capacity = larger(end, 2 * stream->capacity);
        stream->codes = reallocate(stream->codes, (size_t)(stream->capacity * config->codebooks), sizeof *stream->codes);
    }
    for (int64_t t = 0; t < count; t++)
        for (int64_t k = 0; k < config->codebooks; k++)
            stream->codes[(start + t) * config->codebooks + k] = (int32_t)codes[k * count + t];
    free(codes);
    stream->count = end;
}

/* Frames [ready, end) through the LSTM, with those before them that later codes need. */
static void append_frames(struct stream *stream, int64_t end)
{
    struct sides context = geometry_padding(stream->encoder->config.last_kernel, 1, 1);
    int64_t from = larger(stream->count - context.left, 0), kept = stream->ready - from;
    struct tensor *frames = recurrence_run(&stream->encoder->recurrence, block_features(stream, stream->ready, end), &stream->state);
    if (kept > 0)
        frames = tensor_cat((struct tensor *const[]){tensor_narrow(stream->frames, 0, from - stream->first, kept), frames}, 2, 0);
    if (failed())
        return;
    tensor_own(frames);
    tensor_free(stream->frames);
    stream->frames = frames;
    stream->first = from;
    stream->ready = end;
}

static void drop_samples(struct stream *stream)
{
    struct sides margins = geometry_encoder_margins(&stream->encoder->config);
    int64_t from = larger(stream->ready - margins.left, 0) * stream->encoder->config.hop, gone = from - stream->start;
    memmove(stream->samples, stream->samples + gone, (size_t)(stream->held - gone) * sizeof *stream->samples);
    stream->start = from;
    stream->held -= gone;
}

static int run_block(struct stream *stream, int64_t end)
{
    struct scope scope;
    scope_open(&scope);
    if (end > stream->ready)
        append_frames(stream, end);
    append_codes(stream);
    scope_close(&scope);
    drop_samples(stream);
    return failed() ? -1 : 0;
}

int stream_push(struct stream *stream, const float *samples, int64_t count)
{
    struct sides margins = geometry_encoder_margins(&stream->encoder->config);
    while (count > 0) {
        int64_t end = stream->ready + stream->chunking.block, needed = (end + margins.right) * stream->encoder->config.hop;
        int64_t taken = smaller(needed - (stream->start + stream->held), count);
        memcpy(stream->samples + stream->held, samples, (size_t)taken * sizeof *samples);
        stream->held += taken;
        samples += taken;
        count -= taken;
        if (stream->start + stream->held == needed && run_block(stream, end))
            return -1;
    }
    return 0;
}

int stream_finish(struct stream *stream)
{
    int64_t frames = frames_of(stream);
    assert(frames > 0);
    stream->ended = true;
    while (stream->count < frames)
        if (run_block(stream, smaller(stream->ready + stream->chunking.block, frames)))
            return -1;
    return 0;
}
