/* SPDX-License-Identifier: Apache-2.0
 * What each release format is called and what it takes. No libav here: this is what the formats themselves allow.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/text.h"
#include "formats/audio.h"

enum { LOWEST_RATE_HZ = 8000, HIGHEST_RATE_HZ = 192000, NATURAL_RATE_HZ = 48000 };

static const struct rule {
    const char *name, *other_extension;
    const int *rates_hz; /* ascending, ends with 0; NULL: all between lowest and highest */
    const int *bits;     /* ends with 0; NULL: has no such choice */
    double quality_minimum, quality_maximum, quality; /* quality: the default; minimum == maximum: has no such choice */
    int64_t bit_rate_minimum, bit_rate_maximum;       /* for each channel; 0: has no such choice */
} RULES[] = {
    [AUDIO_WAV] = {"wav", NULL, NULL, (const int[]){16, 24, 32, 0}, 0, 0, NAN, 0, 0},
    [AUDIO_FLAC] = {"flac", NULL, NULL, (const int[]){16, 24, 0}, 0, 0, NAN, 0, 0},
    [AUDIO_OGG] = {"ogg", "oga", NULL, NULL, -1, 10, 6, 8000, 250000},
    [AUDIO_MP3] = {"mp3", NULL, (const int[]){8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 0}, NULL, 0, 9, 2, 8000, 320000},
    [AUDIO_OPUS] = {"opus", NULL, (const int[]){8000, 12000, 16000, 24000, 48000, 0}, NULL, 0, 0, NAN, 6000, 255000},
};

/* Layer III knows these only (ISO 11172-3 and 13818-3), in kbit/s; the lowest rates stop at 64. */
static const int MPEG1_KILOBITS[] = {32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0};
static const int MPEG2_KILOBITS[] = {8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0};
static const int MPEG25_KILOBITS[] = {8, 16, 24, 32, 40, 48, 56, 64, 0};

int audio_codec_of(const char *path, enum audio_codec *codec)
{
    const char *extension = path_extension(path);
    for (size_t i = 0; i < COUNT_OF(RULES); i++)
        if (!strcasecmp(extension, RULES[i].name) || (RULES[i].other_extension && !strcasecmp(extension, RULES[i].other_extension))) {
            *codec = (enum audio_codec)i;
            return 0;
        }
    if (!extension[0])
        return misuse("'%s' has no extension to tell its format by: use .wav, .flac, .ogg, .mp3 or .opus", path);
    return misuse("'%s': '.%s' is no format that can be written: use .wav, .flac, .ogg, .mp3 or .opus", path, extension);
}

const char *audio_codec_name(enum audio_codec codec)
{
    return RULES[codec].name;
}

int64_t audio_codec_rate(enum audio_codec codec, int64_t rate_hz)
{
    const int *rates = RULES[codec].rates_hz;
    if (codec == AUDIO_OPUS)
        return NATURAL_RATE_HZ;
    if (!rates)
        return rate_hz < LOWEST_RATE_HZ ? LOWEST_RATE_HZ : rate_hz > HIGHEST_RATE_HZ ? HIGHEST_RATE_HZ : rate_hz;
    while (rates[1] && rates[0] < rate_hz)
        rates++;
    return rates[0];
}

static bool listed(const int *list, int64_t value)
{
    for (; *list; list++)
        if (*list == value)
            return true;
    return false;
}

/* "a, b or c" */
static const char *list_text(const int *list, const char *unit)
{
    static _Thread_local char line[160];
    int length = 0;
    for (int i = 0; list[i]; i++)
        length += snprintf(line + length, sizeof(line) - (size_t)length, "%s%d%s", i == 0 ? "" : list[i + 1] ? ", " : " or ", list[i], unit);
    return line;
}

static int check_rate(const struct rule *rule, int64_t rate_hz)
{
    if (rule->rates_hz ? listed(rule->rates_hz, rate_hz) : rate_hz >= LOWEST_RATE_HZ && rate_hz <= HIGHEST_RATE_HZ)
        return 0;
    if (!rule->rates_hz)
        return misuse("%s cannot have a rate of %lld Hz: it must be %d to %d", rule->name, (long long)rate_hz, LOWEST_RATE_HZ, HIGHEST_RATE_HZ);
    return misuse("%s cannot have a rate of %lld Hz: it takes %s", rule->name, (long long)rate_hz, list_text(rule->rates_hz, ""));
}

static int check_bits(const struct rule *rule, int bits)
{
    if (!bits)
        return 0;
    if (!rule->bits)
        return misuse("%s has no bits to choose: that is for wav and flac", rule->name);
    return listed(rule->bits, bits) ? 0 : misuse("%s cannot have %d bits: it takes %s", rule->name, bits, list_text(rule->bits, ""));
}

static int check_quality(const struct rule *rule, double quality)
{
    if (isnan(quality))
        return 0;
    if (rule->quality_minimum == rule->quality_maximum)
        return misuse("%s has no quality to choose: %s", rule->name, rule->bit_rate_maximum ? "give a bit rate" : "it is lossless");
    if (quality < rule->quality_minimum || quality > rule->quality_maximum)
        return misuse("%s cannot have quality %g: it must be %g to %g", rule->name, quality, rule->quality_minimum, rule->quality_maximum);
    return 0;
}

static int check_mp3_bit_rate(const struct audio_format *format)
{
    const int *kilobits = format->rate_hz > 24000 ? MPEG1_KILOBITS : format->rate_hz > 12000 ? MPEG2_KILOBITS : MPEG25_KILOBITS;
    if (format->bit_rate % 1000 == 0 && listed(kilobits, format->bit_rate / 1000))
        return 0;
    return misuse("mp3 at %lld Hz cannot have a bit rate of %g kbit/s: it takes %s", (long long)format->rate_hz,
                  (double)format->bit_rate / 1000, list_text(kilobits, ""));
}

static int check_bit_rate(const struct rule *rule, const struct audio_format *format)
{
    if (!format->bit_rate)
        return 0;
    if (!rule->bit_rate_maximum)
        return misuse("%s has no bit rate to choose: it is lossless", rule->name);
    if (!isnan(format->quality))
        return misuse("%s cannot have both a quality and a bit rate: give one", rule->name);
    if (format->codec == AUDIO_MP3)
        return check_mp3_bit_rate(format);
    int64_t minimum = rule->bit_rate_minimum * format->channels, maximum = rule->bit_rate_maximum * format->channels;
    if (format->bit_rate < minimum || format->bit_rate > maximum)
        return misuse("%s with %d channel%s cannot have a bit rate of %g kbit/s: it must be %g to %g", rule->name, format->channels,
                      format->channels == 1 ? "" : "s", (double)format->bit_rate / 1000, (double)minimum / 1000, (double)maximum / 1000);
    return 0;
}

int audio_format_check(const struct audio_format *format)
{
    const struct rule *rule = &RULES[format->codec];
    if (format->channels < 1 || format->channels > 2)
        return misuse("%s cannot be written with %d channels: 1 or 2 are supported", rule->name, format->channels);
    if (check_rate(rule, format->rate_hz) || check_bits(rule, format->bits) || check_quality(rule, format->quality))
        return -1;
    return check_bit_rate(rule, format);
}

void audio_format_defaults(struct audio_format *format)
{
    const struct rule *rule = &RULES[format->codec];
    if (rule->bits && !format->bits)
        format->bits = 16;
    if (isnan(format->quality) && !format->bit_rate)
        format->quality = rule->quality;
    if (format->codec == AUDIO_OPUS && !format->bit_rate)
        format->bit_rate = 64000 * format->channels;
}
