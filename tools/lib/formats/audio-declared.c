/* SPDX-License-Identifier: Apache-2.0
 * What files say of themselves and libav does not pass on.
 *
 * MP3: the first frame may be a header frame (Xing for VBR, Info for CBR): after the side information come the tag,
 * flags, and, as flagged, frame count, byte count, 100 bytes of seek table, quality; then the LAME part: 9 bytes of
 * encoder name, and 12 bytes later the delay and padding, 12 bits each. The decoder itself delays by 529 samples.
 * Ogg (RFC 3533): a page is "OggS", version, flags (4: last of its stream), granule (8), serial (4), number (4),
 * checksum (4), segment count, segment lengths, segments.
 * WAV: RIFF chunks of name, size (4, little-endian), content, padded to even: "fmt " has the bytes of one frame at 12,
 * "data" the samples. RF64 has the data's size in "ds64" at 8.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/audio-libav.h"

enum { DECODER_DELAY = 529, OGG_HEADER_BYTES = 27, OGG_PAGE_MAX_BYTES = OGG_HEADER_BYTES + 255 + 255 * 255, OGG_LAST_PAGE = 4 };

static uint32_t big_endian(const unsigned char *bytes, int count)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

static uint64_t little_endian(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

/* Where the first MPEG frame begins: after an ID3v2 tag, whose size has 7 bits to the byte, and its padding. */
static int64_t mp3_first_frame(int descriptor)
{
    unsigned char head[4096];
    int64_t offset = 0;
    if (pread(descriptor, head, 10, 0) == 10 && !memcmp(head, "ID3", 3)) {
        offset = 10 + ((int64_t)(head[6] & 127) << 21 | (head[7] & 127) << 14 | (head[8] & 127) << 7 | (head[9] & 127));
        if (head[5] & 0x10)
            offset += 10;
    }
    ssize_t got = pread(descriptor, head, sizeof(head), offset);
    for (ssize_t i = 0; i + 1 < got; i++)
        if (head[i] == 0xff && (head[i + 1] & 0xe0) == 0xe0)
            return offset + i;
    return -1;
}

int64_t mp3_declared_frames(int descriptor)
{
    unsigned char frame[256];
    int64_t start = mp3_first_frame(descriptor);
    if (start < 0 || pread(descriptor, frame, sizeof(frame), start) != (ssize_t)sizeof(frame))
        return -1;
    int mpeg1 = (frame[1] & 0x18) == 0x18, mono = (frame[3] & 0xc0) == 0xc0;
    const unsigned char *tag = frame + 4 + (mpeg1 ? (mono ? 17 : 32) : (mono ? 9 : 17));
    if (memcmp(tag, "Xing", 4) && memcmp(tag, "Info", 4))
        return -1;
    uint32_t flags = big_endian(tag + 4, 4);
    if (!(flags & 1))
        return -1;
    int64_t frames = (int64_t)big_endian(tag + 8, 4) * (mpeg1 ? 1152 : 576);
    const unsigned char *encoder = tag + 12 + (flags & 2 ? 4 : 0) + (flags & 4 ? 100 : 0) + (flags & 8 ? 4 : 0);
    if (memcmp(encoder, "LAME", 4) && memcmp(encoder, "Lavf", 4) && memcmp(encoder, "Lavc", 4))
        return frames;
    uint32_t delays = big_endian(encoder + 21, 3);
    int64_t delay = (delays >> 12) + DECODER_DELAY, padding = (int64_t)(delays & 4095) - DECODER_DELAY;
    return frames - delay - (padding > 0 ? padding : 0);
}

/* Whether the page at `page`, of which `left` bytes follow to the end of the file, fills them and ends its stream. */
static bool page_ends_stream(const unsigned char *page, int64_t left)
{
    if (left < OGG_HEADER_BYTES || left < OGG_HEADER_BYTES + page[26])
        return false;
    int64_t length = OGG_HEADER_BYTES + page[26];
    for (int i = 0; i < page[26]; i++)
        length += page[OGG_HEADER_BYTES + i];
    return length <= left && (page[5] & OGG_LAST_PAGE);
}

int64_t ogg_end_granule(int descriptor)
{
    static _Thread_local unsigned char tail[OGG_PAGE_MAX_BYTES];
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return -1;
    int64_t start = status.st_size > (off_t)sizeof(tail) ? status.st_size - (off_t)sizeof(tail) : 0;
    ssize_t got = pread(descriptor, tail, sizeof(tail), start);
    for (ssize_t i = got - 4; i >= 0; i--)
        if (!memcmp(tail + i, "OggS", 4))
            return page_ends_stream(tail + i, got - i) ? (int64_t)little_endian(tail + i + 6, 8) : -1;
    return -1;
}

int64_t wav_declared_frames(int descriptor)
{
    unsigned char chunk[24];
    uint64_t frame_bytes = 0, large_size = 0;
    int64_t at = 12;
    ssize_t got;
    while ((got = pread(descriptor, chunk, sizeof(chunk), at)) >= 8) {
        uint64_t size = little_endian(chunk + 4, 4);
        if (!memcmp(chunk, "data", 4)) {
            if (size == UINT32_MAX)
                size = large_size;
            return frame_bytes && size ? (int64_t)(size / frame_bytes) : -1;
        }
        if (got == sizeof(chunk) && !memcmp(chunk, "fmt ", 4))
            frame_bytes = little_endian(chunk + 8 + 12, 2);
        if (got == sizeof(chunk) && !memcmp(chunk, "ds64", 4))
            large_size = little_endian(chunk + 8 + 8, 8);
        at += 8 + (int64_t)(size + size % 2);
    }
    return -1;
}
