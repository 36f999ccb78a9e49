/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/expectations.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

/* docs/verify.md gives the reasons. */
static const double DURATION_TOLERANCE_S = 0.1, LOUDNESS_TOLERANCE_LU = 0.5, MAX_SILENCE_S = 2;

enum { LOWEST_BIT_RATE = 1000, HIGHEST_BIT_RATE = 100000000 };

static int set_bit_rate(struct expectations *job, const char *name, double bits_per_second)
{
    if (!(bits_per_second >= LOWEST_BIT_RATE && bits_per_second <= HIGHEST_BIT_RATE))
        return misuse("'--%s' cannot be %.15g: give bits per second, such as 192k", name, bits_per_second);
    job->bit_rate = llround(bits_per_second);
    return 0;
}

/* "192k" is 192000: the thousands of bit rates are decimal. */
static int bit_rate_from_text(void *target, const char *name, const char *value)
{
    size_t length = strlen(value);
    bool thousands = length && (value[length - 1] == 'k' || value[length - 1] == 'K');
    char *digits = copy_bytes(value, length - thousands);
    double number;
    int result = parse_number(digits, &number) ? misuse("'--%s' cannot be '%s': give bits per second, such as 192k", name, value)
                                               : set_bit_rate(target, name, number * (thousands ? 1000 : 1));
    free(digits);
    return result;
}

static int bit_rate_from_json(void *target, const char *name, const json_t *value)
{
    if (json_is_string(value))
        return bit_rate_from_text(target, name, json_string_value(value));
    if (!json_is_number(value))
        return misuse("'%s' must be a number or a string such as \"192k\"", name);
    return set_bit_rate(target, name, json_number_value(value));
}

#define FIELD(field) .offset = offsetof(struct expectations, field)

const struct setting EXPECTATIONS[] = {
    {.name = "input", .type = SETTING_STRING, FIELD(input), .argument = "FILE",
     .help = "the file to check, also as an argument without a name"},
    {.name = "report", .type = SETTING_STRING, FIELD(report), .argument = "FILE", .help = "write the findings there too, as JSON"},
    {.name = "expect-duration", .type = SETTING_NUMBER, FIELD(duration), .argument = "SECONDS",
     .help = "how long it must be", .above = true},
    {.name = "duration-tolerance", .type = SETTING_NUMBER, FIELD(duration_tolerance), .argument = "SECONDS",
     .help = "how far the duration may be off (default: 0.1)", .maximum = INFINITY},
    {.name = "expect-rate", .type = SETTING_INTEGER, FIELD(rate_hz), .argument = "HZ",
     .help = "the sample rate it must have", .above = true},
    {.name = "expect-channels", .type = SETTING_INTEGER, FIELD(channels), .argument = "N",
     .help = "the channels it must have", .above = true},
    {.name = "expect-codec", .type = SETTING_STRING, FIELD(codec), .argument = "NAME",
     .help = "wav, flac, ogg (Vorbis), mp3, opus, or ffmpeg's name of a codec such as pcm_s16le"},
    {.name = "expect-bitrate", .type = SETTING_CALL, .argument = "BITS", .help = "bits per second it must have, such as 192k",
     .call = bit_rate_from_text, .call_json = bit_rate_from_json},
    {.name = "expect-loudness", .type = SETTING_NUMBER, FIELD(loudness), .argument = "LUFS",
     .help = "the integrated loudness it must have, such as -14", .minimum = -70, .maximum = 0},
    {.name = "loudness-tolerance", .type = SETTING_NUMBER, FIELD(loudness_tolerance), .argument = "LU",
     .help = "how far the loudness may be off (default: 0.5)", .maximum = INFINITY},
    {.name = "max-true-peak", .type = SETTING_NUMBER, FIELD(max_true_peak), .argument = "DBTP",
     .help = "the highest true peak allowed, such as -1"},
    {.name = "max-silence", .type = SETTING_NUMBER, FIELD(max_silence), .argument = "SECONDS",
     .help = "the longest silence allowed (default: 2)", .maximum = INFINITY},
    {0},
};

void expectations_defaults(void *process, void *job)
{
    struct expectations *expectations = job;
    (void)process;
    if (!expectations)
        return;
    expectations->duration = expectations->duration_tolerance = NAN;
    expectations->loudness = expectations->loudness_tolerance = NAN;
    expectations->max_true_peak = expectations->max_silence = NAN;
}

int expectations_check(const void *process, void *job)
{
    const struct expectations *expectations = job;
    (void)process;
    if (!expectations->input || !*expectations->input)
        return misuse("no file to check: give its name");
    if (!isnan(expectations->duration_tolerance) && isnan(expectations->duration))
        return misuse("'--duration-tolerance' needs --expect-duration");
    if (!isnan(expectations->loudness_tolerance) && isnan(expectations->loudness))
        return misuse("'--loudness-tolerance' needs --expect-loudness");
    return file_not_replaced(expectations->input, expectations->report);
}

static double or_default(double asked, double fallback)
{
    return isnan(asked) ? fallback : asked;
}

double duration_tolerance(const struct expectations *expectations)
{
    return or_default(expectations->duration_tolerance, DURATION_TOLERANCE_S);
}

double loudness_tolerance(const struct expectations *expectations)
{
    return or_default(expectations->loudness_tolerance, LOUDNESS_TOLERANCE_LU);
}

double max_silence(const struct expectations *expectations)
{
    return or_default(expectations->max_silence, MAX_SILENCE_S);
}

static int refuse(const struct expectations *expectations, const char *kind, const char *name)
{
    return misuse("'--%s' means nothing to '%s': it holds %s, not audio", name, expectations->input, kind);
}

int expectations_refuse_audio(const struct expectations *expectations, const char *kind)
{
    const struct {
        const char *name;
        bool asked;
    } audio[] = {
        {"expect-rate", expectations->rate_hz != 0},
        {"expect-channels", expectations->channels != 0},
        {"expect-codec", expectations->codec != NULL},
        {"expect-bitrate", expectations->bit_rate != 0},
        {"expect-loudness", !isnan(expectations->loudness)},
        {"max-true-peak", !isnan(expectations->max_true_peak)},
        {"max-silence", !isnan(expectations->max_silence)},
    };
    for (size_t i = 0; i < COUNT_OF(audio); i++)
        if (audio[i].asked)
            return refuse(expectations, kind, audio[i].name);
    return 0;
}

int expectations_refuse_duration(const struct expectations *expectations, const char *kind)
{
    return isnan(expectations->duration) ? 0 : refuse(expectations, kind, "expect-duration");
}
