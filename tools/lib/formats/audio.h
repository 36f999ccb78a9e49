/* SPDX-License-Identifier: Apache-2.0
 * audio - audio files in and out, and resampling: the one module that sees libav*.
 *
 * Samples are interleaved float32, nominally within +-1 but never clamped here except by integer formats' own range.
 * Frames are samples per channel.
 */
#ifndef LEITMOTIF_FORMATS_AUDIO_H
#define LEITMOTIF_FORMATS_AUDIO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audio_info {
    char container[32]; /* ffmpeg's short name: "wav", "flac", "ogg", "mp3" */
    char codec[32];     /* "pcm_s16le", "pcm_f32le", "flac", "vorbis", "mp3", "opus" */
    int64_t rate_hz;
    int channels;
    int bits;           /* per sample of lossless codecs, else 0 */
    int64_t bit_rate;   /* bits per second: of the stream, else of the file over its duration; 0 unknown */
    int64_t frames;     /* as declared, start/end padding already cut; -1 unknown */
    json_t *tags;       /* object of strings, keys lower case; owned by the audio */
};

struct audio;

/* Opens any file that ffmpeg's demuxers read (files only: no network protocols). NULL on failure, which names it. */
struct audio *audio_open(const char *path);
const struct audio_info *audio_info(const struct audio *audio);

/* Up to `frames` decoded frames into samples. Encoder delay and padding are cut where the file says so. Returns the
 * count, 0 at the end, -1 on failure (a decoding error is a failure, not silence). */
int64_t audio_read(struct audio *audio, float *samples, int64_t frames);
void audio_close(struct audio *audio);

/* The whole file; samples are yours to free(). Refuses more than `limit_frames`. */
int audio_load(const char *path, int64_t limit_frames, float **samples, int64_t *frames, struct audio_info *info_without_tags);

enum audio_codec { AUDIO_WAV, AUDIO_FLAC, AUDIO_OGG, AUDIO_MP3, AUDIO_OPUS };

struct audio_format {
    enum audio_codec codec;
    int64_t rate_hz;      /* > 0 */
    int channels;
    int bits;             /* wav: 16, 24, 32 (float); flac: 16, 24; else 0 */
    double quality;       /* ogg: -1 ... 10; mp3: VBR 0 ... 9; NAN: not asked for */
    int64_t bit_rate;     /* 0: not asked for */
};

/* Whether the codec takes this rate, channel count, quality, bit rate and bits: 0, or -1 with misuse() that says what it
 * takes. Settings not asked for are fine. */
int audio_format_check(const struct audio_format *format);

/* Fills in what was not asked for: bits 16; ogg quality 6, mp3 quality 2, opus 64 kbit/s for each channel. */
void audio_format_defaults(struct audio_format *format);

/* The rate to write a file of this codec at when the material has rate_hz and nobody asked for another: the lowest that
 * the codec takes and that loses nothing, else its highest; Opus always works at 48000. */
int64_t audio_codec_rate(enum audio_codec codec, int64_t rate_hz);

/* What a file name's extension means: wav flac ogg/oga mp3 opus. -1 with misuse() for others. */
int audio_codec_of(const char *path, enum audio_codec *codec);
const char *audio_codec_name(enum audio_codec codec); /* "wav" "flac" "ogg" "mp3" "opus" */

struct audio_writer;

/* A result file (base/output.h); two runs of the same make the same bytes. The format must have passed audio_format_check
 * and have its defaults. tags: object of strings or NULL, borrowed; written in the format's own way. In a WAV file, what
 * RIFF INFO has no field for stands in the comment, a line "key=value" for each. */
struct audio_writer *audio_create(const char *path, const struct audio_format *format, const json_t *tags);
int audio_append(struct audio_writer *writer, const float *samples, int64_t frames);

/* All frames are in: ends the file, which is then complete but not yet in its place. To look at it before that,
 * audio_open the path of audio_finished. */
int audio_finish(struct audio_writer *writer);
const char *audio_finished(const struct audio_writer *writer);

int audio_commit(struct audio_writer *writer);   /* finishes if need be; frees the writer, also on failure */
void audio_discard(struct audio_writer *writer); /* NULL is fine */

/* Resamples all at once (soxr where ffmpeg has it, else swr): output has round(frames * to / from) frames, no delay,
 * deterministic. New samples, yours to free(); NULL on failure. */
float *audio_resample(const float *samples, int64_t frames, int channels, int64_t from_hz, int64_t to_hz, int64_t *out_frames);

/* A file at another rate and with one or two channels, read in pieces with memory that does not depend on its length.
 * Many channels become one by their mean, two by taking the first two; one becomes two by copying it. Lasts
 * floor(frames * to / from) frames, without delay. A sample that is not finite is a failure. */
struct audio_source;
struct audio_source *audio_source_open(const char *path, int64_t rate_hz, int channels); /* NULL on failure, which names it */
int64_t audio_source_frames(const struct audio_source *source); /* of the result, by what the file declares; -1 unknown */

/* Up to `frames` frames into samples: fewer only at the end, 0 after it, -1 on failure. */
int64_t audio_source_read(struct audio_source *source, float *samples, int64_t frames);
void audio_source_close(struct audio_source *source); /* NULL is fine */

#endif
