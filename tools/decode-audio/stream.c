/* SPDX-License-Identifier: Apache-2.0 */
#include "decode-audio/stream.h"

#include <stdlib.h>

#include "base/failure.h"
#include "base/memory.h"

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

int stream_open(struct stream *stream, const struct codec *codec, struct chunking chunking, const int32_t *codes,
                int64_t codebook_step, int64_t length)
{
    *stream = (struct stream){.codec = codec, .chunking = chunking, .codes = codes, .codebook_step = codebook_step, .length = length};
    if (recurrence_begin(&codec->recurrence, codec->weights.device, &stream->state) == 0)
        return 0;
    stream_close(stream);
    return -1;
}

void stream_close(struct stream *stream)
{
    recurrence_end(&stream->state);
    tensor_free(stream->frames);
    *stream = (struct stream){0};
}

/* Codes of frames [from, to) as [codebooks, to - from] on the codec's device. */
static struct tensor *codes_between(const struct stream *stream, int64_t from, int64_t to)
{
    int64_t codebooks = stream->codec->config.codebooks, count = to - from;
    int64_t *codes = allocate((size_t)(codebooks * count), sizeof *codes);
    for (int64_t k = 0; k < codebooks; k++)
        for (int64_t t = 0; t < count; t++)
            codes[k * count + t] = stream->codes[k * stream->codebook_step + from + t];
    struct tensor *tensor = tensor_from(stream->codec->weights.device, TENSOR_I64, SHAPE(codebooks, count), codes);
    free(codes);
    return tensor;
}

/* The next block through the LSTM, with the frames around it that the first convolution sees. */
static struct tensor *next_block(struct stream *stream, int64_t end)
{
    struct sides context = geometry_padding(stream->codec->config.kernel, 1, 1);
    int64_t from = larger(stream->ready - context.left, 0), to = smaller(end + context.right, stream->length);
    struct sides missing = {context.left - (stream->ready - from), context.right - (to - end)};
    struct tensor *latent = codec_latent(stream->codec, codes_between(stream, from, to));
    return codec_frames(stream->codec, latent, missing, &stream->state);
}

/* Drops the frames before `from`, appends the next block. */
static int advance(struct stream *stream, int64_t from)
{
    struct scope scope;
    scope_open(&scope);
    int64_t end = smaller(stream->ready + stream->chunking.block, stream->length), kept = stream->ready - from;
    struct tensor *frames = next_block(stream, end);
    if (kept > 0)
        frames = tensor_cat((struct tensor *const[]){tensor_narrow(stream->frames, 0, from - stream->first, kept), frames}, 2, 0);
    tensor_own(frames);
    scope_close(&scope);
    tensor_free(stream->frames);
    stream->frames = frames;
    stream->first = from;
    stream->ready = end;
    return failed() ? -1 : 0;
}

/* Samples of frames [from, to), of which the wanted ones [start, end) are read into `samples`. */
static int upsample(const struct stream *stream, int64_t from, int64_t to, int64_t start, int64_t end, float *samples)
{
    const struct codec_config *config = &stream->codec->config;
    bool cut = from > 0 && to < stream->length;
    enum edges edges = cut ? EDGES_CUT : config->pad_reflect ? EDGES_REFLECT : EDGES_ZERO;
    struct scope scope;
    scope_open(&scope);
    struct tensor *x = codec_samples(stream->codec, tensor_narrow(stream->frames, 0, from - stream->first, to - from), edges);
    x = tensor_narrow(x, 0, (start - from) * config->hop, (end - start) * config->hop);
    int result = tensor_read(x, samples, (size_t)((end - start) * config->hop) * sizeof *samples);
    scope_close(&scope);
    return result;
}

int64_t stream_next(struct stream *stream, float *samples)
{
    struct sides margins = geometry_margins(&stream->codec->config);
    int64_t start = stream->decoded, end = smaller(start + stream->chunking.chunk, stream->length);
    if (start == end)
        return 0;
    int64_t from = larger(start - margins.left, 0), to = smaller(end + margins.right, stream->length);
    while (stream->ready < to)
        if (advance(stream, from) != 0)
            return -1;
    if (upsample(stream, from, to, start, end, samples) != 0)
        return -1;
    stream->decoded = end;
    return end - start;
}
