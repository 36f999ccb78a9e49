/* SPDX-License-Identifier: Apache-2.0 */
#include "decode-audio/clip.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "decode-audio/splice.h"
#include "decode-audio/stream.h"
#include "formats/wav.h"

enum { MOST_CHANNELS = 2 };

/* Told before hours of decoding, not after. */
static int check_length(const struct model *model, const struct tokens *tokens)
{
    const int64_t most_bytes = UINT32_MAX - 1024; /* of samples beside the header */
    int64_t frame_bytes = model->codec.hop * model->language.channels * (int64_t)sizeof(float);
    if (tokens->frames > most_bytes / frame_bytes)
        return fail("%lld frames are more sound than the 4 GiB that a WAV file holds; at most %lld frames", (long long)tokens->frames,
                    (long long)(most_bytes / frame_bytes));
    return 0;
}

static int check_codes(const struct model *model, const struct tokens *tokens)
{
    for (int64_t k = 0; k < tokens->codebooks; k++)
        for (int64_t t = 0; t < tokens->frames; t++) {
            int32_t code = tokens->codes[k * tokens->frames + t];
            if (code >= model->codec.codebook_size)
                return fail("code %d of codebook %lld at frame %lld is outside 0 to %lld of model '%s'", (int)code, (long long)k,
                            (long long)t, (long long)model->codec.codebook_size - 1, model->name);
        }
    return 0;
}

/* Every member the recipe has must say what the model says; one that is absent says nothing. */
static int check_recipe(const struct model *model, const json_t *recipe)
{
    const struct { const char *key, *meaning; int64_t expected; } members[] = {
        {"sample_rate", "a sample rate of", model->codec.rate_hz},
        {"frame_rate", "a frame rate of", model->frame_rate_hz},
        {"channels", "channels:", model->language.channels},
    };
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        double value;
        if (json_member_number(recipe, members[i].key, (double)members[i].expected, &value))
            return -1;
        if (value != (double)members[i].expected)
            return fail("was sampled for %s %g, model '%s' has %lld; decode it with the model it was sampled with",
                        members[i].meaning, value, model->name, (long long)members[i].expected);
    }
    return 0;
}

static void note_other_model(const struct model *model, const json_t *recipe, const char *path)
{
    const char *sampled_with = json_member_string(recipe, "model", NULL);
    char *identity = sampled_with ? model_identity(model) : NULL;
    if (identity && strcmp(identity, sampled_with) != 0)
        note("'%s' was sampled with another model than '%s'; decoding it all the same", path, model->name);
    free(identity);
}

int clip_check(const struct model *model, const struct tokens *tokens, const char *path)
{
    if (tokens->codebooks != model->language.codebooks)
        return fail("'%s' has %lld codebooks, model '%s' has %lld; decode it with the model it was sampled with", path,
                    (long long)tokens->codebooks, model->name, (long long)model->language.codebooks);
    if (check_length(model, tokens) || check_codes(model, tokens) || (tokens->recipe && check_recipe(model, tokens->recipe)))
        return failure_within("'%s'", path);
    if (tokens->recipe)
        note_other_model(model, tokens->recipe, path);
    return failed() ? -1 : 0;
}

/* Codebook k of channel c is row k channels + c: left and right take turns. */
static int open_streams(struct stream *streams, const struct decoder *decoder, const struct tokens *tokens)
{
    int64_t channels = decoder->model.language.channels;
    for (int64_t c = 0; c < channels; c++)
        if (stream_open(&streams[c], &decoder->codec, decoder->cutting.chunking, tokens->codes + c * tokens->frames,
                        channels * tokens->frames, tokens->frames))
            return -1;
    return 0;
}

static int interleave(float *interleaved, const float *samples, int64_t count, int64_t channels, int64_t channel)
{
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(samples[i]))
            return fail("the model computes samples that are not finite numbers: its weights are damaged");
        interleaved[i * channels + channel] = samples[i];
    }
    return 0;
}

/* splice: all zero without an original. */
static int append_streams(const struct decoder *decoder, struct stream *streams, struct splice *splice, struct wav_writer *writer)
{
    int64_t channels = decoder->model.language.channels, hop = decoder->codec.config.hop, frames, done = 0;
    float *samples = allocate((size_t)(decoder->cutting.chunking.chunk * hop), sizeof *samples);
    float *interleaved = allocate((size_t)(decoder->cutting.chunking.chunk * hop * channels), sizeof *interleaved);
    do {
        frames = 0;
        for (int64_t c = 0; c < channels && !failed(); c++) {
            frames = stream_next(&streams[c], samples);
            interleave(interleaved, samples, frames * hop, channels, c);
        }
        if (!failed() && frames > 0 && splice_apply(splice, interleaved, done * hop, frames * hop) == 0)
            wav_append(writer, interleaved, (uint64_t)(frames * hop));
        done += frames;
        progress_step("decode", streams[0].decoded, streams[0].length);
    } while (!failed() && frames > 0);
    free(samples);
    free(interleaved);
    return failed() ? -1 : 0;
}

int clip_decode(const struct decoder *decoder, const struct tokens *tokens, const char *original, const char *output)
{
    struct stream streams[MOST_CHANNELS] = {0};
    struct splice splice = {0};
    struct wav_writer writer;
    if (original && splice_open(&splice, original, &decoder->model, tokens, decoder->cutting.chunking.chunk * decoder->codec.config.hop))
        return failure_within("'--splice %s'", original);
    if (wav_create(&writer, output, decoder->codec.config.rate_hz, (int)decoder->model.language.channels)) {
        splice_close(&splice);
        return -1;
    }
    int result = open_streams(streams, decoder, tokens) || append_streams(decoder, streams, &splice, &writer) || wav_commit(&writer) ? -1 : 0;
    splice_close(&splice);
    for (int c = 0; c < MOST_CHANNELS; c++)
        stream_close(&streams[c]);
    wav_discard(&writer);
    return result;
}
