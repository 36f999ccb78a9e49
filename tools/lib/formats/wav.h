/* SPDX-License-Identifier: Apache-2.0
 * wav - a growing 32-bit float WAV file (RIFF, WAVE_FORMAT_IEEE_FLOAT with fact chunk), written as a result
 * (base/file.h): sizes are mended at the end. At most 4 GiB.
 */
#ifndef LEITMOTIF_FORMATS_WAV_H
#define LEITMOTIF_FORMATS_WAV_H

#include <stdint.h>

#include "base/file.h"

struct wav_writer {
    struct output output;
    int channels;
    uint64_t frames;
};

int wav_create(struct wav_writer *writer, const char *path, int64_t rate_hz, int channels);
int wav_append(struct wav_writer *writer, const float *interleaved, uint64_t frames);
int wav_commit(struct wav_writer *writer);
void wav_discard(struct wav_writer *writer);

#endif
