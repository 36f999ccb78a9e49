/* SPDX-License-Identifier: Apache-2.0
 * Encoding by libavcodec and libavformat into one descriptor of a result file.
 *
 * Bit-exact mode keeps versions, dates and random serial numbers out of the files. Encoder delay and padding are noted by
 * libavformat in each format's own way: LAME header, Opus pre-skip, granule positions.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/output.h"
#include "base/text.h"
#include "formats/audio-libav.h"
#include "formats/audio.h"

enum { FREE_FRAME_SIZE = 4096 };
static const int64_t WAV_MOST_BYTES = UINT32_MAX - (1 << 20);

struct audio_writer {
    struct output output;
    struct audio_format format;
    AVIOContext *io;
    AVFormatContext *container;
    AVStream *stream; /* of container */
    AVCodecContext *encoder;
    AVPacket *packet;
    AVFrame *frame;     /* being filled */
    int filled, room;   /* samples per channel in frame, and as many as it takes */
    int64_t encoded;    /* frames handed to the encoder */
    uint32_t padding;   /* frames that the MP3 encoder added at the end, so far */
    bool begun, finished;
    char path[40];      /* of the descriptor */
};

/* --- encoders --- */

struct encoding {
    const char *muxer, *encoder;
    enum AVSampleFormat samples;
};

static struct encoding encoding_of(const struct audio_format *format)
{
    switch (format->codec) {
    case AUDIO_FLAC:
        return (struct encoding){"flac", "flac", format->bits == 24 ? AV_SAMPLE_FMT_S32 : AV_SAMPLE_FMT_S16};
    case AUDIO_OGG:
        return (struct encoding){"ogg", "libvorbis", AV_SAMPLE_FMT_FLTP};
    case AUDIO_MP3:
        return (struct encoding){"mp3", "libmp3lame", AV_SAMPLE_FMT_FLTP};
    case AUDIO_OPUS:
        return (struct encoding){"opus", "libopus", AV_SAMPLE_FMT_FLT};
    case AUDIO_WAV:
        break;
    }
    if (format->bits == 32)
        return (struct encoding){"wav", "pcm_f32le", AV_SAMPLE_FMT_FLT};
    return format->bits == 24 ? (struct encoding){"wav", "pcm_s24le", AV_SAMPLE_FMT_S32}
                              : (struct encoding){"wav", "pcm_s16le", AV_SAMPLE_FMT_S16};
}

static void set_encoder(AVCodecContext *encoder, const struct audio_format *format, enum AVSampleFormat samples)
{
    encoder->sample_fmt = samples;
    encoder->sample_rate = (int)format->rate_hz;
    encoder->time_base = (AVRational){1, encoder->sample_rate};
    encoder->flags |= AV_CODEC_FLAG_BITEXACT;
    encoder->thread_count = 1;
    av_channel_layout_default(&encoder->ch_layout, format->channels);
    if (samples == AV_SAMPLE_FMT_S32)
        encoder->bits_per_raw_sample = 24;
    if (format->bit_rate)
        encoder->bit_rate = format->bit_rate;
    if (!isnan(format->quality)) {
        encoder->flags |= AV_CODEC_FLAG_QSCALE;
        encoder->global_quality = (int)lrint(format->quality * FF_QP2LAMBDA);
    }
    if (format->codec == AUDIO_MP3)
        encoder->compression_level = 2; /* LAME's own recommendation: near its best, not its slowest */
}

static int open_encoder(struct audio_writer *writer, const struct encoding *encoding)
{
    const char *path = writer->output.path;
    const AVCodec *codec = avcodec_find_encoder_by_name(encoding->encoder);
    if (!codec)
        return fail("cannot write '%s': this libavcodec has no encoder '%s'", path, encoding->encoder);
    writer->encoder = avcodec_alloc_context3(codec);
    writer->packet = av_packet_alloc();
    writer->frame = av_frame_alloc();
    if (!writer->encoder || !writer->packet || !writer->frame)
        return fail("out of memory writing '%s'", path);
    set_encoder(writer->encoder, &writer->format, encoding->samples);
    if (writer->container->oformat->flags & AVFMT_GLOBALHEADER)
        writer->encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    int code = avcodec_open2(writer->encoder, codec, NULL);
    if (code < 0)
        return fail("cannot write '%s': %s refuses these settings: %s", path, encoding->encoder, libav_reason(code));
    writer->room = writer->encoder->frame_size ? writer->encoder->frame_size : FREE_FRAME_SIZE;
    return 0;
}

/* --- tags --- */

static bool riff_has(const char *key)
{
    static const char *const keys[] = {"artist", "comment", "copyright", "date", "genre", "language", "title", "album", "track"};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (!strcmp(keys[i], key))
            return true;
    return false;
}

static void set_tags(AVDictionary **dictionary, const json_t *tags, enum audio_codec codec)
{
    struct text comment = {0};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)tags, key, value) {
        bool into_comment = codec == AUDIO_WAV && (!riff_has(key) || !strcmp(key, "comment"));
        if (!into_comment)
            av_dict_set(dictionary, key, json_string_value(value), 0);
        else if (strcmp(key, "comment"))
            text_appendf(&comment, "%s%s=%s", comment.length ? "\n" : "", key, json_string_value(value));
        else
            text_appendf(&comment, "%s%s", comment.length ? "\n" : "", json_string_value(value));
    }
    if (comment.length)
        av_dict_set(dictionary, "comment", text_string(&comment), 0);
    text_release(&comment);
}

/* --- container --- */

#if LIBAVFORMAT_VERSION_MAJOR < 61
static int write_bytes(void *opaque, uint8_t *bytes, int size)
#else
static int write_bytes(void *opaque, const uint8_t *bytes, int size)
#endif
{
    struct audio_writer *writer = opaque;
    return output_write(&writer->output, bytes, (size_t)size) == 0 ? size : AVERROR(EIO);
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    struct audio_writer *writer = opaque;
    struct stat status;
    if (whence & AVSEEK_SIZE)
        return fstat(writer->output.descriptor, &status) == 0 ? status.st_size : AVERROR(errno);
    off_t place = lseek(writer->output.descriptor, offset, whence & ~AVSEEK_FORCE);
    return place < 0 ? AVERROR(errno) : place;
}

static int open_container(struct audio_writer *writer, const char *muxer)
{
    unsigned char *buffer = av_malloc(IO_BUFFER_BYTES);
    writer->io = buffer ? avio_alloc_context(buffer, IO_BUFFER_BYTES, 1, writer, NULL, write_bytes, seek_bytes) : NULL;
    if (!writer->io)
        av_free(buffer);
    if (!writer->io || avformat_alloc_output_context2(&writer->container, NULL, muxer, NULL) < 0)
        return fail("cannot write '%s': this libavformat has no format '%s', or memory ran out", writer->output.path, muxer);
    writer->container->pb = writer->io;
    writer->container->flags |= AVFMT_FLAG_BITEXACT;
    return 0;
}

static int begin_container(struct audio_writer *writer, const json_t *tags)
{
    AVDictionary *options = NULL;
    writer->stream = avformat_new_stream(writer->container, NULL);
    if (!writer->stream)
        return fail("out of memory writing '%s'", writer->output.path);
    writer->stream->time_base = writer->encoder->time_base;
    int code = avcodec_parameters_from_context(writer->stream->codecpar, writer->encoder);
    set_tags(&writer->container->metadata, tags, writer->format.codec);
    if (writer->format.codec == AUDIO_MP3)
        av_dict_set(&options, "id3v2_version", "3", 0); /* the version that every player reads */
    if (writer->format.codec == AUDIO_OGG)
        av_dict_set(&options, "page_duration", "200000", 0); /* us: libavformat misreads the length of files of one page */
    if (code >= 0)
        code = avformat_write_header(writer->container, &options);
    av_dict_free(&options);
    writer->begun = code >= 0;
    return code < 0 ? fail("cannot write '%s': %s", writer->output.path, libav_reason(code)) : 0;
}

struct audio_writer *audio_create(const char *path, const struct audio_format *format, const json_t *tags)
{
    struct audio_writer *writer = allocate(1, sizeof(*writer));
    struct encoding encoding = encoding_of(format);
    writer->format = *format;
    libav_begin();
    if (audio_format_check(format) == 0 && output_open(&writer->output, path) == 0 && open_container(writer, encoding.muxer) == 0 &&
        open_encoder(writer, &encoding) == 0 && begin_container(writer, tags) == 0)
        return writer;
    audio_discard(writer);
    return NULL;
}

/* --- samples --- */

/* LAME's padding may reach over two packets, but libavformat notes in the header only what the last one says: so that says
 * all of it. The side data's second number (32 bits, little-endian) is the count of samples to drop at the end. */
static void collect_padding(struct audio_writer *writer)
{
    size_t size = 0;
    uint8_t *drop = av_packet_get_side_data(writer->packet, AV_PKT_DATA_SKIP_SAMPLES, &size);
    if (!drop || size < 8)
        return;
    for (int i = 0; i < 4; i++)
        writer->padding += (uint32_t)drop[4 + i] << 8 * i;
    for (int i = 0; i < 4; i++)
        drop[4 + i] = (uint8_t)(writer->padding >> 8 * i);
}

static int write_packets(struct audio_writer *writer)
{
    int code;
    while ((code = avcodec_receive_packet(writer->encoder, writer->packet)) == 0) {
        writer->packet->stream_index = writer->stream->index;
        if (writer->format.codec == AUDIO_MP3)
            collect_padding(writer);
        av_packet_rescale_ts(writer->packet, writer->encoder->time_base, writer->stream->time_base);
        code = av_write_frame(writer->container, writer->packet);
        av_packet_unref(writer->packet);
        if (code < 0 || writer->io->error < 0)
            return fail("cannot write '%s': %s", writer->output.path, libav_reason(code < 0 ? code : writer->io->error));
    }
    return code == AVERROR(EAGAIN) || code == AVERROR_EOF ? 0 : fail("cannot encode '%s': %s", writer->output.path, libav_reason(code));
}

/* The frame's samples, or the end (NULL), to the encoder, and what comes out to the file. */
static int encode(struct audio_writer *writer, AVFrame *frame)
{
    int code = avcodec_send_frame(writer->encoder, frame);
    if (code < 0)
        return fail("cannot encode '%s': %s", writer->output.path, libav_reason(code));
    return write_packets(writer);
}

static int encode_filled(struct audio_writer *writer)
{
    writer->frame->nb_samples = writer->filled;
    writer->frame->pts = writer->encoded;
    writer->encoded += writer->filled;
    writer->filled = 0;
    int result = encode(writer, writer->frame);
    av_frame_unref(writer->frame);
    return result;
}

static int prepare_frame(struct audio_writer *writer)
{
    AVFrame *frame = writer->frame;
    frame->format = writer->encoder->sample_fmt;
    frame->sample_rate = writer->encoder->sample_rate;
    frame->nb_samples = writer->room;
    if (av_channel_layout_copy(&frame->ch_layout, &writer->encoder->ch_layout) < 0 || av_frame_get_buffer(frame, 0) < 0)
        return fail("out of memory writing '%s'", writer->output.path);
    return 0;
}

static int32_t rounded(float sample, double scale)
{
    double value = rint(sample * scale);
    return (int32_t)fmax(-scale, fmin(scale - 1, value));
}

static void put_sample(AVFrame *frame, int channel, int64_t packed, int planar, float sample)
{
    switch ((enum AVSampleFormat)frame->format) {
    case AV_SAMPLE_FMT_S16: ((int16_t *)frame->data[0])[packed] = (int16_t)rounded(sample, 32768); break;
    case AV_SAMPLE_FMT_S32: ((int32_t *)frame->data[0])[packed] = rounded(sample, 8388608) * 256; break;
    case AV_SAMPLE_FMT_FLT: ((float *)frame->data[0])[packed] = sample; break;
    default: ((float *)frame->data[channel])[planar] = sample; break;
    }
}

int audio_append(struct audio_writer *writer, const float *samples, int64_t frames)
{
    int channels = writer->format.channels;
    libav_begin();
    if (writer->format.codec == AUDIO_WAV && (writer->encoded + frames) * channels * writer->format.bits / 8 > WAV_MOST_BYTES)
        return fail("cannot write '%s': longer than 4 GiB, the most a wav file holds; use flac", writer->output.path);
    for (int64_t i = 0; i < frames; i++) {
        if (writer->filled == 0 && prepare_frame(writer) != 0)
            return -1;
        for (int c = 0; c < channels; c++)
            put_sample(writer->frame, c, (int64_t)writer->filled * channels + c, writer->filled, samples[i * channels + c]);
        if (++writer->filled == writer->room && encode_filled(writer) != 0)
            return -1;
    }
    return 0;
}

/* --- the end --- */

int audio_finish(struct audio_writer *writer)
{
    libav_begin();
    if (writer->finished)
        return 0;
    if ((writer->filled && encode_filled(writer) != 0) || encode(writer, NULL) != 0)
        return -1;
    int code = av_write_trailer(writer->container);
    avio_flush(writer->io);
    if (code >= 0)
        code = writer->io->error;
    if (code < 0)
        return fail("cannot write '%s': %s", writer->output.path, libav_reason(code));
    writer->begun = false;
    writer->finished = true;
    snprintf(writer->path, sizeof(writer->path), "/proc/self/fd/%d", writer->output.descriptor);
    return 0;
}

const char *audio_finished(const struct audio_writer *writer)
{
    return writer->finished ? writer->path : NULL;
}

static void free_writer(struct audio_writer *writer)
{
    av_frame_free(&writer->frame);
    av_packet_free(&writer->packet);
    avcodec_free_context(&writer->encoder);
    avformat_free_context(writer->container);
    if (writer->io)
        av_freep(&writer->io->buffer);
    avio_context_free(&writer->io);
    free(writer);
}

int audio_commit(struct audio_writer *writer)
{
    int result = audio_finish(writer) == 0 ? output_commit(&writer->output) : -1;
    audio_discard(writer);
    return result;
}

void audio_discard(struct audio_writer *writer)
{
    if (!writer)
        return;
    output_discard(&writer->output);
    free_writer(writer);
}
