/* SPDX-License-Identifier: Apache-2.0
 * The audio module: what goes into a file comes out of it, to the frame; resampling has no delay; bad files are told.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/failure.h"
#include "base/memory.h"
#include "formats/audio-libav.h"
#include "formats/audio.h"
#include "scratch.h"

static const struct audio_format FORMATS[] = {
    {AUDIO_WAV, 32000, 1, 16, NAN, 0},   {AUDIO_WAV, 48000, 2, 24, NAN, 0}, {AUDIO_WAV, 44100, 2, 32, NAN, 0},
    {AUDIO_FLAC, 44100, 2, 16, NAN, 0},  {AUDIO_FLAC, 8000, 1, 24, NAN, 0}, {AUDIO_OGG, 44100, 2, 0, 6, 0},
    {AUDIO_OGG, 32000, 1, 0, NAN, 64000}, {AUDIO_MP3, 44100, 2, 0, 2, 0},    {AUDIO_MP3, 16000, 1, 0, NAN, 64000},
    {AUDIO_MP3, 32000, 2, 0, NAN, 192000}, {AUDIO_OPUS, 48000, 1, 0, NAN, 64000}, {AUDIO_OPUS, 48000, 2, 0, NAN, 128000},
};

/* The largest error of one sample: half a step of the integer formats; of the lossy ones 1.5 times the largest measured:
 * Vorbis 0.0296, MP3 0.0357, Opus 0.0365. */
static double tolerance(const struct audio_format *format)
{
    if (format->bits)
        return format->bits == 32 ? 0 : ldexp(0.5, 1 - format->bits) + 1e-7;
    return 0.055;
}

/* Two low tones; a different one in the second channel, to notice exchanged channels. */
static float *tones(int64_t frames, int channels, int64_t rate_hz)
{
    float *samples = allocate((size_t)(frames * channels), sizeof *samples);
    for (int64_t i = 0; i < frames * channels; i++) {
        double t = (double)(i / channels) / (double)rate_hz;
        samples[i] = (float)(0.3 * sin(2 * M_PI * 440 * t) + 0.2 * sin(2 * M_PI * (i % channels ? 300 : 553) * t));
    }
    return samples;
}

static char *write_tones(const struct audio_format *format, int64_t frames, const json_t *tags)
{
    char name[32];
    snprintf(name, sizeof name, "tones.%s", audio_codec_name(format->codec));
    char *path = scratch_path(name);
    float *samples = tones(frames, format->channels, format->rate_hz);
    struct audio_writer *writer = audio_create(path, format, tags);
    assert_non_null(writer);
    assert_int_equal(audio_append(writer, samples, frames / 3), 0); /* in two pieces that fit no encoder's frame */
    assert_int_equal(audio_append(writer, samples + frames / 3 * format->channels, frames - frames / 3), 0);
    assert_int_equal(audio_commit(writer), 0);
    free(samples);
    return path;
}

static void check_round_trip(const struct audio_format *format, int64_t frames)
{
    char *path = write_tones(format, frames, NULL);
    float *samples = tones(frames, format->channels, format->rate_hz), *decoded;
    struct audio_info info;
    int64_t count;
    double largest = 0;
    assert_int_equal(audio_load(path, INT64_MAX, &decoded, &count, &info), 0);
    assert_int_equal(count, frames);
    assert_int_equal(info.frames, frames);
    assert_int_equal(info.rate_hz, format->rate_hz);
    assert_int_equal(info.channels, format->channels);
    assert_int_equal(info.bits, format->bits);
    for (int64_t i = 0; i < count * info.channels; i++)
        largest = fmax(largest, fabs(decoded[i] - samples[i]));
    if (largest > tolerance(format))
        print_error("%s at %lld Hz: largest error %g\n", info.codec, (long long)format->rate_hz, largest);
    assert_true(largest <= tolerance(format));
    free(samples);
    free(decoded);
    free(path);
}

static void test_round_trips(void **state)
{
    (void)state;
    static const int64_t lengths[] = {1, 400, 4096, 5761, 11025, 44100, 70001}; /* 5761: LAME pads over two packets */
    for (size_t f = 0; f < COUNT_OF(FORMATS); f++)
        for (size_t l = 0; l < COUNT_OF(lengths); l++)
            check_round_trip(&FORMATS[f], lengths[l]);
}

static void test_integers_saturate(void **state)
{
    (void)state;
    const float loud[] = {1.5f, -1.5f, 1.0f, -1.0f};
    for (int bits = 16; bits <= 24; bits += 8) {
        struct audio_format format = {AUDIO_WAV, 8000, 1, bits, NAN, 0};
        char *path = scratch_path("loud.wav");
        float *decoded;
        int64_t count;
        struct audio_writer *writer = audio_create(path, &format, NULL);
        assert_int_equal(audio_append(writer, loud, 4), 0);
        assert_int_equal(audio_commit(writer), 0);
        assert_int_equal(audio_load(path, 4, &decoded, &count, NULL), 0);
        float highest = (float)(1 - ldexp(1, 1 - bits));
        assert_true(decoded[0] == highest && decoded[1] == -1 && decoded[2] == highest && decoded[3] == -1);
        free(decoded);
        free(path);
    }
}

static void test_tags(void **state)
{
    (void)state;
    static const enum audio_codec codecs[] = {AUDIO_FLAC, AUDIO_OGG, AUDIO_MP3, AUDIO_OPUS};
    json_t *tags = json_pack("{s:s, s:s, s:s}", "title", "Thème", "comment", "two\nlines", "prompt", "a; b = \"c\"");
    for (size_t i = 0; i < COUNT_OF(codecs); i++) {
        struct audio_format format = {codecs[i], 48000, 1, 0, NAN, 0};
        audio_format_defaults(&format);
        char *path = write_tones(&format, 5000, tags);
        struct audio *audio = audio_open(path);
        const char *key;
        json_t *value;
        json_object_foreach(tags, key, value)
            assert_string_equal(json_string_value(json_object_get(audio_info(audio)->tags, key)), json_string_value(value));
        audio_close(audio);
        free(path);
    }
    json_decref(tags);
}

static void test_wav_keeps_other_tags_in_its_comment(void **state)
{
    (void)state;
    json_t *tags = json_pack("{s:s, s:s, s:s}", "title", "Theme", "comment", "made", "seed", "7");
    char *path = write_tones(&FORMATS[0], 100, tags);
    struct audio *audio = audio_open(path);
    assert_string_equal(json_string_value(json_object_get(audio_info(audio)->tags, "title")), "Theme");
    assert_string_equal(json_string_value(json_object_get(audio_info(audio)->tags, "comment")), "made\nseed=7");
    audio_close(audio);
    json_decref(tags);
    free(path);
}

/* Cut anywhere after its headers, a file is refused when it is opened or when it is read to its end. */
static void test_truncated_files(void **state)
{
    (void)state;
    for (size_t f = 0; f < COUNT_OF(FORMATS); f++)
        for (int tenths = 1; tenths <= 9; tenths++) {
            char *path = write_tones(&FORMATS[f], 100000, NULL);
            FILE *file = fopen(path, "rb");
            float *decoded = NULL;
            int64_t count;
            fseek(file, 0, SEEK_END);
            long length = ftell(file);
            fclose(file);
            assert_int_equal(truncate(path, length * tenths / 10), 0);
            assert_int_equal(audio_load(path, INT64_MAX, &decoded, &count, NULL), -1);
            assert_refused(path, "trunc");
            assert_null(decoded);
            free(path);
        }
}

static void test_damaged_files(void **state)
{
    (void)state;
    static const size_t checked[] = {3, 5, 10}; /* flac, ogg and opus have checksums */
    for (size_t i = 0; i < COUNT_OF(checked); i++) {
        char *path = write_tones(&FORMATS[checked[i]], 100000, NULL);
        FILE *file = fopen(path, "r+b");
        float *decoded;
        int64_t count;
        fseek(file, 0, SEEK_END);
        fseek(file, ftell(file) / 2, SEEK_SET);
        fwrite("damaged", 1, 7, file);
        fclose(file);
        assert_int_equal(audio_load(path, INT64_MAX, &decoded, &count, NULL), -1);
        assert_refused(path, "damaged");
        free(path);
    }
}

static void test_what_is_no_audio(void **state)
{
    (void)state;
    char *text = scratch_file("text.mp3", "this is a text, and long enough to be one\n", 42), *empty = scratch_file("empty.wav", "", 0);
    char *list = scratch_file("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n", 56);
    assert_null(audio_open(text));
    assert_refused("text.mp3", "no audio file");
    assert_null(audio_open(empty));
    assert_refused("empty.wav", "is empty");
    assert_null(audio_open(list));
    assert_refused("list.m3u8", "'");
    assert_null(audio_open("/nowhere/x.wav"));
    assert_refused("/nowhere/x.wav", "No such file");
    assert_null(audio_open("/tmp"));
    assert_refused("/tmp", "not a regular file");
    free(text);
    free(empty);
    free(list);
}

static void test_a_limit_is_kept(void **state)
{
    (void)state;
    char *path = write_tones(&FORMATS[0], 1000, NULL);
    float *decoded;
    int64_t count;
    assert_int_equal(audio_load(path, 999, &decoded, &count, NULL), -1);
    assert_refused("tones.wav", "999");
    free(path);
}

static void test_what_formats_take(void **state)
{
    (void)state;
    static const struct {
        struct audio_format format;
        const char *reason;
    } refused[] = {
        {{AUDIO_OPUS, 44100, 2, 0, NAN, 0}, "8000, 12000, 16000, 24000 or 48000"}, {{AUDIO_MP3, 96000, 2, 0, NAN, 0}, "48000"},
        {{AUDIO_MP3, 44100, 2, 0, 9.5, 0}, "0 to 9"},      {{AUDIO_OGG, 44100, 2, 0, -1.5, 0}, "-1 to 10"},
        {{AUDIO_WAV, 44100, 2, 20, NAN, 0}, "16, 24 or 32"}, {{AUDIO_FLAC, 44100, 2, 32, NAN, 0}, "16 or 24"},
        {{AUDIO_OGG, 44100, 2, 16, NAN, 0}, "wav and flac"}, {{AUDIO_OPUS, 48000, 2, 0, 5, 0}, "bit rate"},
        {{AUDIO_FLAC, 44100, 2, 0, 5, 0}, "lossless"},     {{AUDIO_WAV, 44100, 2, 0, NAN, 192000}, "lossless"},
        {{AUDIO_MP3, 44100, 2, 0, NAN, 200000}, "192, 224"}, {{AUDIO_MP3, 22050, 2, 0, NAN, 192000}, "160"},
        {{AUDIO_OGG, 44100, 2, 0, 5, 192000}, "both"},     {{AUDIO_WAV, 44100, 3, 0, NAN, 0}, "1 or 2"},
        {{AUDIO_WAV, 7999, 1, 0, NAN, 0}, "8000 to 192000"}, {{AUDIO_OPUS, 48000, 1, 0, NAN, 5000}, "6 to 255"},
    };
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        assert_int_equal(audio_format_check(&refused[i].format), -1);
        assert_int_equal(failure_status(), EXIT_MISUSE);
        assert_refused(audio_codec_name(refused[i].format.codec), refused[i].reason);
    }
    assert_int_equal(audio_codec_rate(AUDIO_MP3, 32000), 32000);
    assert_int_equal(audio_codec_rate(AUDIO_MP3, 40000), 44100);
    assert_int_equal(audio_codec_rate(AUDIO_MP3, 96000), 48000);
    assert_int_equal(audio_codec_rate(AUDIO_OPUS, 32000), 48000);
    assert_int_equal(audio_codec_rate(AUDIO_OGG, 32000), 32000);
}

/* A tone at the new rate is the tone, from the first sample: no delay, no gain. Largest errors inside: soxr 3.0e-8, swr
 * 2.0e-7; the ends, where silence begins, are left out. */
static void test_resampling(void **state)
{
    (void)state;
    static const int64_t rates[][2] = {{32000, 44100}, {32000, 48000}, {44100, 32000}, {48000, 8000}, {44100, 48000}};
    static const char *const engines[] = {"soxr", "swr"};
    for (size_t e = 0; e < COUNT_OF(engines); e++)
        for (size_t r = 0; r < COUNT_OF(rates); r++) {
            int64_t frames = rates[r][0] + 17, count, edge = rates[r][1] / 20;
            float *in = tones(frames, 2, rates[r][0]), *expected = tones(rates[r][1] * 2, 2, rates[r][1]);
            float *out = resample_by(engines[e], in, frames, 2, rates[r][0], rates[r][1], &count);
            if (!out && e == 0)
                skip(); /* this libswresample has no soxr */
            assert_non_null(out);
            assert_int_equal(count, llround((double)frames * (double)rates[r][1] / (double)rates[r][0]));
            for (int64_t i = edge * 2; i < (count - edge) * 2; i++)
                assert_true(fabs(out[i] - expected[i]) < 3e-7);
            free(in);
            free(out);
            free(expected);
        }
}

static void test_resampling_the_shortest(void **state)
{
    (void)state;
    const float one[] = {0.5f};
    int64_t count;
    float *out = audio_resample(one, 1, 1, 32000, 48000, &count);
    assert_non_null(out);
    assert_int_equal(count, 2);
    free(out);
    out = audio_resample(one, 1, 1, 32000, 32000, &count);
    assert_true(count == 1 && out[0] == 0.5f);
    free(out);
}

/* Read in pieces, a file is what resampling it at once makes of it, with the channels asked for. */
static void test_source(void **state)
{
    enum { FRAMES = 50000 };
    (void)state;
    char *path = write_tones(&FORMATS[0], FRAMES, NULL);
    float *decoded, *whole, *pieces, mixed[2];
    int64_t count, made, done = 0, got;
    struct audio_info info;
    assert_int_equal(audio_load(path, FRAMES, &decoded, &count, &info), 0);
    whole = audio_resample(decoded, count, info.channels, info.rate_hz, 32000, &made);
    struct audio_source *source = audio_source_open(path, 32000, 2);
    assert_non_null(source);
    assert_int_equal(audio_source_frames(source), count * 32000 / info.rate_hz);
    pieces = calloc((size_t)made * 2 + 2000, sizeof *pieces);
    while ((got = audio_source_read(source, pieces + done * 2, 777)) > 0)
        done += got;
    assert_int_equal(got, 0);
    assert_int_equal(done, count * 32000 / info.rate_hz);
    for (int64_t i = 0; i < done; i++)
        for (int c = 0; c < 2; c++)
            assert_true(fabsf(pieces[2 * i + c] - whole[i * info.channels + (info.channels > 1 ? c : 0)]) < 1e-6f);
    audio_source_close(source);
    source = audio_source_open(path, info.rate_hz, 1);
    assert_int_equal(audio_source_read(source, mixed, 2), 2);
    float mean = info.channels > 1 ? (decoded[2] + decoded[3]) / 2 : decoded[1];
    assert_true(fabsf(mixed[1] - mean) < 1e-6f);
    audio_source_close(source);
    free(decoded);
    free(whole);
    free(pieces);
    free(path);
}

/* Nothing but the header of an unfinished WAV says how long it is. */
static void test_wav_of_open_length(void **state)
{
    (void)state;
    char *path = write_tones(&FORMATS[0], 1000, NULL);
    FILE *file = fopen(path, "r+b");
    float *decoded;
    int64_t count;
    char head[256];
    size_t length = fread(head, 1, sizeof head, file), at = 12;
    while (at + 8 < length && memcmp(head + at, "data", 4))
        at++;
    fseek(file, (long)at + 4, SEEK_SET);
    fwrite("\xff\xff\xff\xff", 1, 4, file);
    fclose(file);
    assert_int_equal(audio_load(path, INT64_MAX, &decoded, &count, NULL), 0);
    assert_int_equal(count, 1000);
    free(decoded);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_integers_saturate),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_wav_keeps_other_tags_in_its_comment),
        cmocka_unit_test(test_truncated_files),
        cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_what_is_no_audio),
        cmocka_unit_test(test_a_limit_is_kept),
        cmocka_unit_test(test_what_formats_take),
        cmocka_unit_test(test_resampling),
        cmocka_unit_test(test_resampling_the_shortest),
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_wav_of_open_length),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_remove);
}
