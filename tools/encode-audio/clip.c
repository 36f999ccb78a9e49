/* SPDX-License-Identifier: Apache-2.0 */
#include "encode-audio/clip.h"

#include <stdlib.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/progress.h"
#include "encode-audio/stream.h"
#include "formats/audio.h"
#include "formats/stage.h"

enum { MOST_CHANNELS = 2, PIECE_SAMPLES = 1 << 14, MOST_FRAMES = 1 << 24 };

struct clip {
    struct stream streams[MOST_CHANNELS];
    int64_t channels;
    int64_t most; /* samples to encode, of each channel */
    float *interleaved, *single; /* [PIECE_SAMPLES, channels], [PIECE_SAMPLES] */
};

static int push(struct clip *clip, int64_t count)
{
    for (int64_t c = 0; c < clip->channels; c++) {
        for (int64_t i = 0; i < count; i++)
            clip->single[i] = clip->interleaved[i * clip->channels + c];
        if (stream_push(&clip->streams[c], clip->single, count))
            return -1;
    }
    return 0;
}

static int finish(struct clip *clip)
{
    for (int64_t c = 0; c < clip->channels; c++)
        if (stream_finish(&clip->streams[c]))
            return -1;
    return 0;
}

static int encode(struct clip *clip, struct audio_source *source, const char *path)
{
    int64_t done = 0, got, total = audio_source_frames(source);
    total = total < 0 || total > clip->most ? clip->most : total;
    do {
        int64_t wanted = clip->most - done < PIECE_SAMPLES ? clip->most - done : PIECE_SAMPLES;
        got = audio_source_read(source, clip->interleaved, wanted);
        if (got < 0 || push(clip, got))
            return -1;
        done += got;
        progress_step("encode", done < total ? done : total, total);
    } while (got > 0);
    if (done == 0)
        return fail("'%s' holds no sound", path);
    if (done == clip->most && done == MOST_FRAMES * clip->streams[0].encoder->config.hop)
        return fail("'%s' is longer than %d frames, the most that is encoded; give --duration", path, MOST_FRAMES);
    return finish(clip);
}

/* Codebook k of channel c is row k channels + c: left and right take turns. */
static int32_t *gather(const struct clip *clip, int64_t codebooks)
{
    int64_t frames = clip->streams[0].count;
    int32_t *codes = allocate((size_t)(codebooks * clip->channels * frames), sizeof *codes);
    for (int64_t k = 0; k < codebooks; k++)
        for (int64_t c = 0; c < clip->channels; c++)
            for (int64_t t = 0; t < frames; t++)
                codes[(k * clip->channels + c) * frames + t] = clip->streams[c].codes[t * codebooks + k];
    return codes;
}

static int write(const struct clip *clip, const struct model *model, const char *identity, const struct request *request)
{
    int64_t frames = clip->streams[0].count;
    json_t *recipe = request_recipe(request, model, identity);
    if (!recipe)
        return -1;
    json_object_update_new(recipe, json_pack("{s:I, s:I, s:I, s:I, s:I}", "frame_rate", (json_int_t)model->frame_rate_hz, "sample_rate",
                                             (json_int_t)model->codec.rate_hz, "channels", (json_int_t)clip->channels, "vocabulary",
                                             (json_int_t)model->codec.codebook_size, "frames", (json_int_t)frames));
    if (request->duration > 0)
        json_object_set_new(recipe, "duration", json_real(request->duration));
    int32_t *codes = gather(clip, model->codec.codebooks);
    struct tokens tokens = {model->language.codebooks, frames, codes, recipe};
    int result = tokens_write(&tokens, "encode-audio", request->output);
    free(codes);
    json_decref(recipe);
    return result;
}

static int64_t samples_wanted(const struct model *model, const struct request *request)
{
    int64_t most = MOST_FRAMES * model->codec.hop;
    int64_t asked = request->duration > 0 ? frames_of_seconds(request->duration, model->codec.rate_hz) : most;
    return asked < 1 ? 1 : asked < most ? asked : most;
}

json_t *clip_encode(const struct encoder *encoder, struct chunking chunking, const struct model *model, const char *identity,
                    const struct request *request)
{
    struct clip clip = {.channels = model->language.channels, .most = samples_wanted(model, request)};
    struct audio_source *source = audio_source_open(request->input, model->codec.rate_hz, (int)clip.channels);
    json_t *result = NULL;
    for (int64_t c = 0; c < clip.channels && source && !failed(); c++)
        stream_open(&clip.streams[c], encoder, chunking);
    clip.single = allocate(PIECE_SAMPLES, sizeof *clip.single);
    clip.interleaved = allocate((size_t)(PIECE_SAMPLES * clip.channels), sizeof *clip.interleaved);
    if (source && !failed() && encode(&clip, source, request->input) == 0 && write(&clip, model, identity, request) == 0)
        result = json_pack("{s:I, s:f}", "frames", (json_int_t)clip.streams[0].count, "duration",
                           (double)clip.streams[0].count / (double)model->frame_rate_hz);
    for (int64_t c = 0; c < clip.channels; c++)
        stream_close(&clip.streams[c]);
    free(clip.single);
    free(clip.interleaved);
    audio_source_close(source);
    return result;
}
