/* SPDX-License-Identifier: Apache-2.0
 * Decoding by libavformat and libavcodec, from one descriptor of ours: no playlist, no network, no second file.
 *
 * libavcodec cuts encoder delay and padding as the demuxer found them. The demuxers err in very short files, so that Vorbis
 * and MP3 are cut here as well, at the end that the file declares. What the file declares is compared with what was
 * decoded, since libav ends a truncated file like a whole one.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "formats/audio-libav.h"
#include "formats/audio.h"

struct audio {
    struct audio_info info;
    char *path;
    int descriptor;
    AVIOContext *io;
    AVFormatContext *format;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *frame;
    int stream;
    int frame_used;      /* samples per channel of `frame` already handed out */
    int64_t delivered;   /* frames handed out so far */
    int64_t end;         /* where to cut: the declared end of Vorbis and MP3, else INT64_MAX */
    bool finished;
};

static _Thread_local char first_message[160];

static void keep_message(void *context, int level, const char *format, va_list arguments)
{
    (void)context;
    if (level > AV_LOG_ERROR || first_message[0])
        return;
    vsnprintf(first_message, sizeof(first_message), format, arguments);
    size_t length = strlen(first_message);
    while (length && (isspace((unsigned char)first_message[length - 1]) || first_message[length - 1] == '.'))
        first_message[--length] = 0;
}

void libav_begin(void)
{
    first_message[0] = 0;
    av_log_set_callback(keep_message);
}

const char *libav_reason(int code)
{
    static _Thread_local char reason[AV_ERROR_MAX_STRING_SIZE];
    if (first_message[0])
        return first_message;
    av_strerror(code, reason, sizeof(reason));
    return reason;
}

/* --- bytes --- */

static int read_bytes(void *opaque, uint8_t *buffer, int size)
{
    struct audio *audio = opaque;
    ssize_t got;
    do
        got = read(audio->descriptor, buffer, (size_t)size);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return AVERROR(errno);
    return got ? (int)got : AVERROR_EOF;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    struct audio *audio = opaque;
    struct stat status;
    if (whence & AVSEEK_SIZE)
        return fstat(audio->descriptor, &status) == 0 ? status.st_size : AVERROR(errno);
    off_t place = lseek(audio->descriptor, offset, whence & ~AVSEEK_FORCE);
    return place < 0 ? AVERROR(errno) : place;
}

static int open_bytes(struct audio *audio)
{
    struct stat status;
    audio->descriptor = file_open(audio->path);
    if (audio->descriptor < 0)
        return -1;
    if (fstat(audio->descriptor, &status) == 0 && status.st_size == 0)
        return fail("'%s' is empty", audio->path);
    unsigned char *buffer = av_malloc(IO_BUFFER_BYTES);
    audio->io = buffer ? avio_alloc_context(buffer, IO_BUFFER_BYTES, 0, audio, read_bytes, NULL, seek_bytes) : NULL;
    if (!audio->io) {
        av_free(buffer);
        return fail("out of memory opening '%s'", audio->path);
    }
    return 0;
}

/* --- container and codec --- */

static int refuse_other_files(AVFormatContext *format, AVIOContext **io, const char *url, int flags, AVDictionary **options)
{
    (void)format, (void)io, (void)url, (void)flags, (void)options;
    return AVERROR(EPERM);
}

/* Without a name, so that content alone decides what a file is: a text file called x.mp3 is no audio. */
static int open_container(struct audio *audio)
{
    audio->format = avformat_alloc_context();
    if (!audio->format)
        return fail("out of memory opening '%s'", audio->path);
    audio->format->pb = audio->io;
    audio->format->io_open = refuse_other_files;
    audio->format->error_recognition |= AV_EF_CRCCHECK;
    int code = avformat_open_input(&audio->format, NULL, NULL, NULL);
    if (code < 0)
        return fail("'%s' is no audio file, or a truncated one: %s", audio->path, libav_reason(code));
    code = avformat_find_stream_info(audio->format, NULL);
    if (code < 0)
        return fail("cannot read '%s': %s", audio->path, libav_reason(code));
    audio->stream = av_find_best_stream(audio->format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    if (audio->stream < 0)
        return fail("'%s' holds no audio that can be decoded", audio->path);
    for (unsigned i = 0; i < audio->format->nb_streams; i++)
        if ((int)i != audio->stream)
            audio->format->streams[i]->discard = AVDISCARD_ALL;
    return 0;
}

static int open_decoder(struct audio *audio)
{
    const AVStream *stream = audio->format->streams[audio->stream];
    const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
    audio->decoder = codec ? avcodec_alloc_context3(codec) : NULL;
    audio->packet = av_packet_alloc();
    audio->frame = av_frame_alloc();
    if (!audio->decoder || !audio->packet || !audio->frame)
        return fail("out of memory opening '%s'", audio->path);
    int code = avcodec_parameters_to_context(audio->decoder, stream->codecpar);
    audio->decoder->pkt_timebase = stream->time_base;
    audio->decoder->err_recognition = AV_EF_CRCCHECK | AV_EF_EXPLODE;
    audio->decoder->thread_count = 1;
    if (codec->id == AV_CODEC_ID_VORBIS)
        audio->decoder->flags2 |= AV_CODEC_FLAG2_SKIP_MANUAL;
    if (code >= 0)
        code = avcodec_open2(audio->decoder, codec, NULL);
    if (code < 0)
        return fail("cannot decode '%s': %s", audio->path, libav_reason(code));
    if (audio->decoder->sample_rate <= 0 || audio->decoder->ch_layout.nb_channels <= 0)
        return fail("'%s' has no sample rate or no channels", audio->path);
    return 0;
}

/* --- what the file says of itself --- */

static bool container_is(const struct audio *audio, const char *name)
{
    return !strcmp(audio->info.container, name);
}

static void copy_first_name(char *target, size_t size, const char *names)
{
    snprintf(target, size, "%.*s", (int)strcspn(names, ","), names);
}

/* Text of other encodings is kept as far as it is ASCII. */
static void add_tags(json_t *tags, const AVDictionary *dictionary)
{
    const AVDictionaryEntry *entry = NULL;
    while ((entry = av_dict_get(dictionary, "", entry, AV_DICT_IGNORE_SUFFIX))) {
        char *key = copy_string(entry->key), *value = copy_string(entry->value);
        for (char *c = key; *c; c++)
            *c = (char)((unsigned char)*c < 128 ? tolower((unsigned char)*c) : '?');
        if (!utf8_valid(value, strlen(value)))
            for (char *c = value; *c; c++)
                *c = (char)((unsigned char)*c < 128 ? *c : '?');
        json_object_set_new(tags, key, json_string(value));
        free(key);
        free(value);
    }
}

/* Opus counts the pre-skip as samples (RFC 7845, 4.3): OpusHead has it at byte 10. */
static int64_t ogg_declared_frames(const struct audio *audio)
{
    const AVCodecParameters *codec = audio->format->streams[audio->stream]->codecpar;
    int64_t granule = ogg_end_granule(audio->descriptor);
    if (granule >= 0 && codec->codec_id == AV_CODEC_ID_OPUS && codec->extradata_size >= 12)
        granule -= codec->extradata[10] | codec->extradata[11] << 8;
    return granule;
}

static int64_t declared_frames(const struct audio *audio)
{
    const AVStream *stream = audio->format->streams[audio->stream];
    bool estimated = audio->format->duration_estimation_method == AVFMT_DURATION_FROM_BITRATE;
    if (container_is(audio, "mp3"))
        return mp3_declared_frames(audio->descriptor);
    if (container_is(audio, "ogg"))
        return ogg_declared_frames(audio);
    if (container_is(audio, "wav") && av_get_exact_bits_per_sample(stream->codecpar->codec_id))
        return wav_declared_frames(audio->descriptor);
    if (stream->duration == AV_NOPTS_VALUE || estimated)
        return -1;
    return av_rescale_q(stream->duration, stream->time_base, (AVRational){1, audio->decoder->sample_rate});
}

static void describe(struct audio *audio)
{
    const AVStream *stream = audio->format->streams[audio->stream];
    const AVCodecDescriptor *codec = avcodec_descriptor_get(stream->codecpar->codec_id);
    struct audio_info *info = &audio->info;
    copy_first_name(info->container, sizeof(info->container), audio->format->iformat->name);
    copy_first_name(info->codec, sizeof(info->codec), avcodec_get_name(stream->codecpar->codec_id));
    info->rate_hz = audio->decoder->sample_rate;
    info->channels = audio->decoder->ch_layout.nb_channels;
    if (codec && (codec->props & AV_CODEC_PROP_LOSSLESS))
        info->bits = stream->codecpar->bits_per_raw_sample ? stream->codecpar->bits_per_raw_sample
                                                           : stream->codecpar->bits_per_coded_sample;
    info->frames = declared_frames(audio);
    info->bit_rate = stream->codecpar->bit_rate ? stream->codecpar->bit_rate : audio->format->bit_rate;
    info->tags = json_object();
    add_tags(info->tags, audio->format->metadata);
    add_tags(info->tags, stream->metadata);
}

struct audio *audio_open(const char *path)
{
    struct audio *audio = allocate(1, sizeof(*audio));
    audio->path = copy_string(path);
    libav_begin();
    if (open_bytes(audio) != 0 || open_container(audio) != 0 || open_decoder(audio) != 0) {
        audio_close(audio);
        return NULL;
    }
    describe(audio);
    bool cut = audio->decoder->codec_id == AV_CODEC_ID_VORBIS || container_is(audio, "mp3");
    audio->end = cut && audio->info.frames >= 0 ? audio->info.frames : INT64_MAX;
    return audio;
}

const struct audio_info *audio_info(const struct audio *audio)
{
    return &audio->info;
}

void audio_close(struct audio *audio)
{
    if (!audio)
        return;
    av_frame_free(&audio->frame);
    av_packet_free(&audio->packet);
    avcodec_free_context(&audio->decoder);
    avformat_close_input(&audio->format);
    if (audio->io)
        av_freep(&audio->io->buffer);
    avio_context_free(&audio->io);
    if (audio->descriptor >= 0)
        close(audio->descriptor);
    json_decref(audio->info.tags);
    free(audio->path);
    free(audio);
}

/* --- samples --- */

/* One more packet to the decoder, or the word that there are no more. */
static int feed(struct audio *audio)
{
    int code = av_read_frame(audio->format, audio->packet);
    if (code == AVERROR_EOF)
        return avcodec_send_packet(audio->decoder, NULL);
    if (code < 0)
        return code;
    if (audio->packet->stream_index == audio->stream)
        code = avcodec_send_packet(audio->decoder, audio->packet);
    av_packet_unref(audio->packet);
    return code;
}

static int end_of_audio(struct audio *audio)
{
    audio->finished = true;
    if (audio->delivered < audio->info.frames)
        return fail("'%s' is truncated or damaged: it declares %lld frames and holds %lld", audio->path,
                    (long long)audio->info.frames, (long long)audio->delivered);
    if (container_is(audio, "ogg") && ogg_end_granule(audio->descriptor) < 0)
        return fail("'%s' is truncated: its last page is missing", audio->path);
    return 0;
}

/* The next frame with samples in it: 1, 0 at the end, -1. */
static int next_frame(struct audio *audio)
{
    audio->frame_used = 0;
    for (;;) {
        int code = avcodec_receive_frame(audio->decoder, audio->frame);
        if (code == AVERROR_EOF)
            return end_of_audio(audio);
        if (code == AVERROR(EAGAIN))
            code = feed(audio);
        else if (code == 0 && audio->frame->nb_samples > 0)
            break;
        if (code < 0)
            return fail("'%s' is truncated or damaged after frame %lld: %s", audio->path, (long long)audio->delivered,
                        libav_reason(code));
    }
    if (audio->frame->sample_rate != audio->info.rate_hz || audio->frame->ch_layout.nb_channels != audio->info.channels)
        return fail("'%s' changes its rate or channels after frame %lld", audio->path, (long long)audio->delivered);
    return 1;
}

static float sample_at(const void *plane, int64_t index, enum AVSampleFormat packed_format)
{
    switch (packed_format) {
    case AV_SAMPLE_FMT_U8: return (float)(((const uint8_t *)plane)[index] - 128) / 128.0f;
    case AV_SAMPLE_FMT_S16: return (float)((const int16_t *)plane)[index] / 32768.0f;
    case AV_SAMPLE_FMT_S32: return (float)(((const int32_t *)plane)[index] / 2147483648.0);
    case AV_SAMPLE_FMT_S64: return (float)((double)((const int64_t *)plane)[index] / 9223372036854775808.0);
    case AV_SAMPLE_FMT_FLT: return ((const float *)plane)[index];
    case AV_SAMPLE_FMT_DBL: return (float)((const double *)plane)[index];
    default: return NAN; /* libavutil has no other */
    }
}

static void copy_frame(const AVFrame *frame, int from, int count, float *samples)
{
    enum AVSampleFormat packed = av_get_packed_sample_fmt(frame->format);
    bool planar = av_sample_fmt_is_planar(frame->format);
    int channels = frame->ch_layout.nb_channels;
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < count; i++)
            samples[(int64_t)i * channels + c] =
                planar ? sample_at(frame->extended_data[c], from + i, packed)
                       : sample_at(frame->extended_data[0], (int64_t)(from + i) * channels + c, packed);
}

int64_t audio_read(struct audio *audio, float *samples, int64_t frames)
{
    int64_t done = 0;
    libav_begin();
    while (done < frames && !audio->finished) {
        int left = audio->frame->nb_samples - audio->frame_used;
        if (left <= 0) {
            int more = next_frame(audio);
            if (more < 0)
                return -1;
            continue;
        }
        int count = (int64_t)left < frames - done ? left : (int)(frames - done);
        if (count > audio->end - audio->delivered)
            count = (int)(audio->end - audio->delivered);
        if (count == 0) { /* padding */
            audio->frame_used = audio->frame->nb_samples;
            continue;
        }
        copy_frame(audio->frame, audio->frame_used, count, samples + done * audio->info.channels);
        audio->frame_used += count;
        audio->delivered += count;
        done += count;
    }
    return done;
}

int audio_load(const char *path, int64_t limit_frames, float **samples, int64_t *frames, struct audio_info *info_without_tags)
{
    struct audio *audio = audio_open(path);
    if (!audio)
        return -1;
    int64_t count = 0, got, capacity = 1 << 16;
    size_t frame_bytes = (size_t)audio->info.channels * sizeof(float);
    float *block = reallocate(NULL, (size_t)capacity, frame_bytes);
    while ((got = audio_read(audio, block + count * audio->info.channels, capacity - count)) > 0) {
        count += got;
        if (count > limit_frames) {
            got = fail("'%s' is longer than %lld frames, the most that is accepted", path, (long long)limit_frames);
            break;
        }
        if (count == capacity)
            block = reallocate(block, (size_t)(capacity *= 2), frame_bytes);
    }
    if (info_without_tags) {
        *info_without_tags = audio->info;
        info_without_tags->tags = NULL;
    }
    audio_close(audio);
    *samples = got < 0 ? NULL : block;
    *frames = got < 0 ? 0 : count;
    if (got < 0)
        free(block);
    return got < 0 ? -1 : 0;
}
