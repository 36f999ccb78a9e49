/* SPDX-License-Identifier: Apache-2.0
 * RIFF little endian: "RIFF" size "WAVE", "fmt " (18 bytes: format 3, channels, rate, bytes per second, bytes per
 * frame, 32 bits, no extension), "fact" (4 bytes: frames), "data". 58 bytes before the samples. Sizes are written
 * by wav_commit.
 */
#include "formats/wav.h"

#include <stddef.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"

enum { HEADER_BYTES = 58, FORMAT_FLOAT = 3, SAMPLE_BYTES = 4, CHANNELS_MAX = 64, RATE_MAX_HZ = 1 << 22 };
enum { RIFF_SIZE_AT = 4, RATE_AT = 24, FACT_FRAMES_AT = 46, DATA_SIZE_AT = 54 };

static void put16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)(value & 255);
    at[1] = (unsigned char)(value >> 8 & 255);
}

static void put32(unsigned char *at, uint32_t value)
{
    put16(at, value & 0xffff);
    put16(at + 2, value >> 16);
}

static void fill_header(unsigned char header[HEADER_BYTES], int64_t rate_hz, int channels)
{
    memset(header, 0, HEADER_BYTES);
    memcpy(header, "RIFF", 4);
    memcpy(header + 8, "WAVEfmt ", 8);
    put32(header + 16, 18);
    put16(header + 20, FORMAT_FLOAT);
    put16(header + 22, (unsigned)channels);
    put32(header + RATE_AT, (uint32_t)rate_hz);
    put32(header + 28, (uint32_t)rate_hz * SAMPLE_BYTES * (uint32_t)channels);
    put16(header + 32, SAMPLE_BYTES * (unsigned)channels);
    put16(header + 34, 8 * SAMPLE_BYTES);
    memcpy(header + 38, "fact", 4);
    put32(header + 42, 4);
    memcpy(header + 50, "data", 4);
}

int wav_create(struct wav_writer *writer, const char *path, int64_t rate_hz, int channels)
{
    unsigned char header[HEADER_BYTES];
    *writer = (struct wav_writer){.channels = channels};
    if (channels < 1 || channels > CHANNELS_MAX || rate_hz < 1 || rate_hz > RATE_MAX_HZ)
        return fail("cannot write '%s': %d channels at %lld Hz are beyond a WAV file", path, channels, (long long)rate_hz);
    fill_header(header, rate_hz, channels);
    if (output_open(&writer->output, path))
        return -1;
    if (output_write(&writer->output, header, sizeof header) == 0)
        return 0;
    wav_discard(writer);
    return -1;
}

static uint64_t data_bytes(const struct wav_writer *writer, uint64_t frames)
{
    return frames * SAMPLE_BYTES * (uint64_t)writer->channels;
}

int wav_append(struct wav_writer *writer, const float *interleaved, uint64_t frames)
{
    uint64_t most = (UINT32_MAX - HEADER_BYTES) / data_bytes(writer, 1);
    if (frames > most - writer->frames)
        return fail("cannot write '%s': more than a WAV file's 4 GiB; make it shorter", writer->output.path);
    if (output_write(&writer->output, interleaved, (size_t)data_bytes(writer, frames)))
        return -1;
    writer->frames += frames;
    return 0;
}

static int mend_sizes(struct wav_writer *writer)
{
    uint32_t bytes = (uint32_t)data_bytes(writer, writer->frames);
    const struct {
        uint64_t at;
        uint32_t value;
    } sizes[] = {{RIFF_SIZE_AT, HEADER_BYTES - 8 + bytes}, {FACT_FRAMES_AT, (uint32_t)writer->frames}, {DATA_SIZE_AT, bytes}};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        unsigned char field[4];
        put32(field, sizes[i].value);
        if (output_write_at(&writer->output, sizes[i].at, field, sizeof field))
            return -1;
    }
    return 0;
}

int wav_commit(struct wav_writer *writer)
{
    if (mend_sizes(writer) == 0)
        return output_commit(&writer->output);
    wav_discard(writer);
    return -1;
}

void wav_discard(struct wav_writer *writer)
{
    output_discard(&writer->output);
}
