/* SPDX-License-Identifier: Apache-2.0 */
#include "transcode/sound.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "formats/audio.h"

static const int64_t MOST_FRAMES = INT64_C(1) << 31;
static const float SILENCE = 0.001f; /* -60 dBFS */
static const double KEPT_SILENCE_SECONDS = 0.01;

static int check_samples(const struct sound *sound, const char *path)
{
    if (sound->frames == 0)
        return fail("'%s' holds no samples", path);
    if (sound->channels > 2)
        return fail("'%s' has %d channels: mono and stereo are supported; mix it down first", path, sound->channels);
    for (int64_t i = 0; i < sound->frames * sound->channels; i++)
        if (!isfinite(sound->samples[i]))
            return fail("'%s': frame %lld is not a finite number", path, (long long)(i / sound->channels));
    return 0;
}

int sound_load(struct sound *sound, const char *path)
{
    struct audio_info info;
    *sound = (struct sound){0};
    if (audio_load(path, MOST_FRAMES, &sound->samples, &sound->frames, &info) != 0)
        return -1;
    sound->channels = info.channels;
    sound->rate_hz = info.rate_hz;
    return check_samples(sound, path);
}

void sound_release(struct sound *sound)
{
    free(sound->samples);
    *sound = (struct sound){0};
}

static bool silent_at(const struct sound *sound, int64_t frame)
{
    for (int c = 0; c < sound->channels; c++)
        if (fabsf(sound->samples[frame * sound->channels + c]) >= SILENCE)
            return false;
    return true;
}

bool sound_trim(struct sound *sound)
{
    int64_t first = 0, end = sound->frames, kept = (int64_t)(KEPT_SILENCE_SECONDS * (double)sound->rate_hz);
    while (first < end && silent_at(sound, first))
        first++;
    if (first == end)
        return false;
    while (silent_at(sound, end - 1))
        end--;
    first = first > kept ? first - kept : 0;
    end = sound->frames - end > kept ? end + kept : sound->frames;
    sound->frames = end - first;
    memmove(sound->samples, sound->samples + first * sound->channels, (size_t)(sound->frames * sound->channels) * sizeof(float));
    return true;
}

/* Scales `frame`, which is `distance` of `length` frames away from the silent end of a fade. */
static void fade_frame(struct sound *sound, int64_t frame, int64_t distance, double length)
{
    double factor = 0.5 - 0.5 * cos(M_PI * (double)distance / length);
    for (int c = 0; c < sound->channels; c++)
        sound->samples[frame * sound->channels + c] *= (float)factor;
}

static int fade(struct sound *sound, double seconds, const char *option, bool at_end)
{
    double duration = (double)sound->frames / (double)sound->rate_hz;
    int64_t length = llrint(seconds * (double)sound->rate_hz);
    if (seconds > duration)
        return fail("'--%s' of %g s is longer than the sound, which has %g s", option, seconds, duration);
    if (length > sound->frames)
        length = sound->frames;
    for (int64_t i = 0; i < length; i++)
        fade_frame(sound, at_end ? sound->frames - 1 - i : i, i, (double)length);
    return 0;
}

int sound_fade(struct sound *sound, double in_seconds, double out_seconds)
{
    return fade(sound, in_seconds, "fade-in", false) || fade(sound, out_seconds, "fade-out", true) ? -1 : 0;
}

void sound_centre(struct sound *sound)
{
    for (int c = 0; c < sound->channels; c++) {
        double sum = 0;
        for (int64_t n = 0; n < sound->frames; n++)
            sum += sound->samples[n * sound->channels + c];
        float offset = (float)(sum / (double)sound->frames);
        for (int64_t n = 0; n < sound->frames; n++)
            sound->samples[n * sound->channels + c] -= offset;
    }
}

struct sound sound_with_channels(const struct sound *sound, int channels)
{
    struct sound copy = {allocate((size_t)(sound->frames * channels), sizeof(float)), sound->frames, channels, sound->rate_hz};
    for (int64_t n = 0; n < sound->frames; n++)
        for (int c = 0; c < channels; c++) {
            const float *frame = sound->samples + n * sound->channels;
            copy.samples[n * channels + c] = sound->channels == channels ? frame[c]
                                             : sound->channels == 1      ? frame[0]
                                                                         : 0.5f * (frame[0] + frame[1]);
        }
    return copy;
}

int sound_at_rate(const struct sound *sound, int64_t rate_hz, struct sound *copy)
{
    *copy = (struct sound){.channels = sound->channels, .rate_hz = rate_hz};
    copy->samples = audio_resample(sound->samples, sound->frames, sound->channels, sound->rate_hz, rate_hz, &copy->frames);
    return copy->samples ? 0 : -1;
}

int sound_measure(const struct sound *sound, struct loudness *loudness)
{
    return loudness_measure(sound->samples, sound->frames, sound->channels, sound->rate_hz, loudness);
}

int sound_loudness(const struct sound *sound, double *integrated_lufs)
{
    return loudness_integrated(sound->samples, sound->frames, sound->channels, sound->rate_hz, integrated_lufs);
}
