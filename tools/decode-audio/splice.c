/* SPDX-License-Identifier: Apache-2.0 */
#include "decode-audio/splice.h"

#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* The hash of the sound that a chain of continuations began with, or NULL when it began with a prompt. */
static const char *first_input(const json_t *recipe)
{
    const json_t *before;
    while ((before = json_object_get(recipe, "continue")) != NULL)
        recipe = before;
    return json_string_value(json_object_get(recipe, "input"));
}

static int note_other_file(const struct tokens *tokens, const char *original)
{
    const char *expected = first_input(tokens->recipe);
    char hash[HASH_HEX_SIZE];
    if (expected && hash_file(original, hash))
        return -1;
    if (expected && strcmp(expected, hash) != 0)
        note("'%s' is not the file that was encoded and continued; splicing it all the same", original);
    return 0;
}

int splice_open(struct splice *splice, const char *original, const struct model *model, const struct tokens *tokens, int64_t piece)
{
    long long frames;
    *splice = (struct splice){.channels = (int)model->language.channels};
    if (json_member_integer(tokens->recipe, "continued_frames", 0, &frames))
        return -1;
    if (frames < 1 || frames > tokens->frames)
        return fail("the tokens do not say that they continue anything; --splice is for those of sample-tokens --continue");
    splice->end = frames * model->codec.hop;
    splice->fade = frames_of_seconds(SPLICE_FADE_SECONDS, model->codec.rate_hz);
    splice->room = piece + splice->fade;
    splice->held = allocate((size_t)(splice->room * splice->channels), sizeof *splice->held);
    splice->source = audio_source_open(original, model->codec.rate_hz, splice->channels);
    if (splice->source && note_other_file(tokens, original) == 0)
        return 0;
    splice_close(splice);
    return -1;
}

void splice_close(struct splice *splice)
{
    audio_source_close(splice->source);
    free(splice->held);
    *splice = (struct splice){0};
}

/* Holds the original from `at` on, up to `to` if it lasts so long; else its true end is known from here on. */
static int hold(struct splice *splice, int64_t at, int64_t to)
{
    int64_t channels = splice->channels, gone = smaller(at - splice->start, splice->count);
    memmove(splice->held, splice->held + gone * channels, (size_t)((splice->count - gone) * channels) * sizeof *splice->held);
    splice->count -= gone;
    splice->start += gone;
    int64_t wanted = to - (splice->start + splice->count);
    int64_t got = wanted > 0 ? audio_source_read(splice->source, splice->held + splice->count * channels, wanted) : 0;
    if (got < 0)
        return -1;
    splice->count += got;
    if (got < wanted)
        splice->end = splice->start + splice->count;
    return splice->end > 0 ? 0 : fail("the original holds no sound");
}

int splice_apply(struct splice *splice, float *decoded, int64_t at, int64_t count)
{
    if (at >= splice->end)
        return 0;
    if (hold(splice, at, smaller(at + count + splice->fade, splice->end)))
        return -1;
    int64_t fade = smaller(splice->fade, splice->end), last = smaller(at + count, splice->end);
    for (int64_t i = at; i < last; i++) {
        double share = smaller(splice->end - i, fade) == fade ? 1 : ((double)(splice->end - i) - 0.5) / (double)fade;
        const float *original = splice->held + (i - splice->start) * splice->channels;
        float *sample = decoded + (i - at) * splice->channels;
        for (int c = 0; c < splice->channels; c++)
            sample[c] = (float)(share * (double)original[c] + (1 - share) * (double)sample[c]);
    }
    return 0;
}
