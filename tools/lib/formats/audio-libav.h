/* SPDX-License-Identifier: Apache-2.0
 * audio-libav - what the parts of the audio module share; no other file includes it.
 *
 * audio-read.c decodes, audio-write.c encodes, audio-resample.c changes the rate, audio-source.c
 * reads at another one, audio-declared.c reads by itself what
 * libav does not tell. libav's own messages never reach stderr: the first error of an operation is kept to end ours with.
 */
#ifndef LEITMOTIF_FORMATS_AUDIO_LIBAV_H
#define LEITMOTIF_FORMATS_AUDIO_LIBAV_H

#include <stdint.h>

enum { IO_BUFFER_BYTES = 1 << 16 };

/* Forgets the kept message and keeps libav off stderr. Before every group of calls whose failure we report. */
void libav_begin(void);

/* Why a libav call failed: its own first error message since libav_begin, else the text of the code. Until the next call. */
const char *libav_reason(int code);

/* Frames that an MP3 file plays, by the Xing/Info and LAME header of its first frame; -1 without one. */
int64_t mp3_declared_frames(int descriptor);

/* Frames of a PCM WAV by its data chunk; -1 without one, or when its writer left the size open. */
int64_t wav_declared_frames(int descriptor);

/* The granule position of the last Ogg page: samples from the stream's beginning, pre-skip included. -1 when the page is
 * not whole or is not marked as the end of its stream. */
int64_t ogg_end_granule(int descriptor);

/* The engines of audio_resample by name: "soxr" or "swr". NULL without a failure when this libav has no such engine. */
float *resample_by(const char *engine, const float *samples, int64_t frames, int channels, int64_t from_hz, int64_t to_hz,
                   int64_t *out_frames);

/* The best engine that this libav has, for interleaved float32; frees by swr_free. NULL on failure. */
struct SwrContext *resampler_open(int channels, int64_t from_hz, int64_t to_hz);

#endif
