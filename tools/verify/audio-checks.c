/* SPDX-License-Identifier: Apache-2.0
 * Audio files: what the header says, then one pass over all samples. docs/verify.md gives the reason for every limit.
 */
#include "verify/checks.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/progress.h"
#include "formats/audio.h"
#include "formats/loudness.h"
#include "verify/signal.h"

enum { BLOCK_FRAMES = 8192 };

static const double DC_LIMIT = 0.1;
static const double DC_NEEDS_S = 0.5;           /* a shorter sound may be half a wave */
static const double STUCK_LIMIT_S = 0.5;
static const double TRUE_PEAK_SLACK_DB = 0.05;  /* what two measurements of one signal differ by */
static const double LOUDNESS_NEEDS_S = 0.4;     /* one gating block of BS.1770 */
static const double STATED_BIT_RATE_TOLERANCE = 0.05, MEASURED_BIT_RATE_FACTOR = 2; /* of the bit rate asked for */

struct scan { /* one audio file being read */
    struct audio *audio;
    const struct audio_info *info; /* the audio's */
    struct signal signal;
    struct loudness_meter *meter; /* NULL: loudness cannot be measured, for the reason in `unmeasured` */
    char *unmeasured;
    struct loudness loudness;
};

/* --- what the header says --- */

static bool codec_matches(const struct audio_info *info, const char *expected)
{
    if (strcmp(expected, "wav") == 0)
        return strcmp(info->container, "wav") == 0;
    if (strcmp(expected, "ogg") == 0)
        return strcmp(info->container, "ogg") == 0 && strcmp(info->codec, "vorbis") == 0;
    return strcmp(info->codec, expected) == 0;
}

static void check_codec(const struct expectations *expectations, const struct audio_info *info, struct findings *findings)
{
    const char *expected = expectations->codec;
    if (!expected)
        finding_word(findings, CHECK_CODEC, VERDICT_SKIPPED, info->codec, NULL, "codec is %s in %s", info->codec, info->container);
    else
        finding_word(findings, CHECK_CODEC, verdict_if(true, codec_matches(info, expected)), info->codec, expected,
                     "codec is %s in %s, expected %s", info->codec, info->container, expected);
}

static void check_whole(struct findings *findings, enum check check, int64_t value, int64_t expected, const char *what)
{
    if (expected)
        finding_number(findings, check, verdict_if(true, value == expected), (double)value, (double)expected,
                       "%s %" PRId64 ", expected %" PRId64, what, value, expected);
    else
        finding_number(findings, check, VERDICT_SKIPPED, (double)value, NAN, "%s %" PRId64, what, value);
}

/* MP3, Vorbis and PCM state the rate they were made for; of other codecs only the size over the duration is known. */
static bool states_bit_rate(const struct audio_info *info)
{
    return strcmp(info->codec, "mp3") == 0 || strcmp(info->codec, "vorbis") == 0 || has_prefix(info->codec, "pcm_");
}

static void check_bit_rate(const struct expectations *expectations, const struct audio_info *info, struct findings *findings)
{
    double value = (double)info->bit_rate, expected = (double)expectations->bit_rate;
    bool near = fabs(value - expected) <= STATED_BIT_RATE_TOLERANCE * expected;
    bool alike = value >= expected / MEASURED_BIT_RATE_FACTOR && value <= expected * MEASURED_BIT_RATE_FACTOR;
    if (expected == 0)
        finding_number(findings, CHECK_BITRATE, VERDICT_SKIPPED, value, NAN, "bit rate is %.0f", value);
    else if (states_bit_rate(info))
        finding_number(findings, CHECK_BITRATE, verdict_if(true, near), value, expected,
                       "bit rate is %.0f, expected %.0f within %g %%", value, expected, 100 * STATED_BIT_RATE_TOLERANCE);
    else
        finding_number(findings, CHECK_BITRATE, verdict_if(true, alike), value, expected,
                       "bit rate is %.0f on average, expected %.0f, half or twice that at most", value, expected);
}

static void check_header(const struct expectations *expectations, const struct audio_info *info, struct findings *findings)
{
    check_whole(findings, CHECK_RATE, info->rate_hz, expectations->rate_hz, "sample rate is");
    check_whole(findings, CHECK_CHANNELS, info->channels, expectations->channels, "channels are");
    check_codec(expectations, info, findings);
    check_bit_rate(expectations, info, findings);
}

/* --- what it sounds like --- */

static void check_finite(const struct signal *signal, struct findings *findings)
{
    if (signal->not_finite)
        finding_number(findings, CHECK_FINITE, VERDICT_FAILED, (double)signal->not_finite, 0,
                       "samples that are not finite numbers: %" PRId64, signal->not_finite);
    else
        finding_number(findings, CHECK_FINITE, VERDICT_OK, 0, 0, "every sample is a finite number");
}

static double seconds_of(const struct signal *signal, int64_t frames)
{
    return (double)frames / (double)signal->rate_hz;
}

static void check_silence(const struct expectations *expectations, const struct signal *signal, struct findings *findings)
{
    double limit = max_silence(expectations), longest = seconds_of(signal, signal->silence.frames);
    double tail = seconds_of(signal, signal->tail.frames);
    if (signal->tail.frames == signal->frames) {
        finding_number(findings, CHECK_SILENCE, VERDICT_FAILED, tail, limit, "silent throughout, %.3g s", tail);
        finding_number(findings, CHECK_COLLAPSE, VERDICT_SKIPPED, tail, limit, "silent throughout");
        return;
    }
    finding_number(findings, CHECK_SILENCE, verdict_if(true, longest <= limit), longest, limit,
                   "%.3g s of silence from %.3g s, at most %g s allowed", longest, seconds_of(signal, signal->silence.start),
                   limit);
    finding_number(findings, CHECK_COLLAPSE, verdict_if(true, tail <= limit), tail, limit,
                   tail <= limit ? "%.3g s of silence at the end, at most %g s allowed"
                                 : "collapses to silence: the last %.3g s are silent, at most %g s allowed", tail, limit);
}

static void check_clipping(const struct signal *signal, struct findings *findings)
{
    if (signal->clipped)
        finding_number(findings, CHECK_CLIPPING, VERDICT_FAILED, (double)signal->clipped, 0,
                       "clipped: %" PRId64 " samples at full scale, first at %.4g s", signal->clipped,
                       seconds_of(signal, signal->clipped_first));
    else
        finding_number(findings, CHECK_CLIPPING, VERDICT_OK, 0, 0, "no three samples in a row at full scale");
}

static void check_dc(const struct signal *signal, struct findings *findings)
{
    bool long_enough = seconds_of(signal, signal->frames) >= DC_NEEDS_S;
    finding_number(findings, CHECK_DC, verdict_if(long_enough, fabs(signal->dc) <= DC_LIMIT), signal->dc, DC_LIMIT,
                   "DC offset is %.3g of full scale, at most %g allowed", signal->dc, DC_LIMIT);
}

static void check_stuck(const struct signal *signal, struct findings *findings)
{
    double held = seconds_of(signal, signal->stuck.frames);
    if (held >= STUCK_LIMIT_S)
        finding_number(findings, CHECK_STUCK, VERDICT_FAILED, held, STUCK_LIMIT_S,
                       "stuck: one value is held for %.3g s from %.3g s on", held, seconds_of(signal, signal->stuck.start));
    else
        finding_number(findings, CHECK_STUCK, VERDICT_OK, held, STUCK_LIMIT_S, "no value is held for %g s", STUCK_LIMIT_S);
}

static void check_loudness(const struct expectations *expectations, const struct scan *scan, struct findings *findings)
{
    double value = scan->loudness.integrated_lufs, expected = expectations->loudness;
    double tolerance = loudness_tolerance(expectations);
    bool asked = !isnan(expected), measurable = seconds_of(&scan->signal, scan->signal.frames) >= LOUDNESS_NEEDS_S;
    if (!scan->meter)
        finding_number(findings, CHECK_LOUDNESS, verdict_if(asked, false), NAN, expected, "%s", scan->unmeasured);
    else if (!measurable)
        finding_number(findings, CHECK_LOUDNESS, VERDICT_SKIPPED, NAN, expected, "too short for a loudness: it takes %g s",
                       LOUDNESS_NEEDS_S);
    else if (asked)
        finding_number(findings, CHECK_LOUDNESS, verdict_if(true, fabs(value - expected) <= tolerance), value, expected,
                       "loudness is %.1f LUFS, expected %g within %g", value, expected, tolerance);
    else
        finding_number(findings, CHECK_LOUDNESS, VERDICT_SKIPPED, value, NAN, "loudness is %.1f LUFS", value);
}

static void check_true_peak(const struct expectations *expectations, const struct scan *scan, struct findings *findings)
{
    double value = scan->loudness.true_peak_dbtp, limit = expectations->max_true_peak;
    if (!scan->meter)
        finding_number(findings, CHECK_TRUE_PEAK, verdict_if(!isnan(limit), false), NAN, limit, "%s", scan->unmeasured);
    else if (isnan(limit))
        finding_number(findings, CHECK_TRUE_PEAK, VERDICT_SKIPPED, value, NAN, "true peak is %.2f dBTP", value);
    else
        finding_number(findings, CHECK_TRUE_PEAK, verdict_if(true, value <= limit + TRUE_PEAK_SLACK_DB), value, limit,
                       "true peak is %.2f dBTP, at most %g allowed", value, limit);
}

static void check_sound(const struct expectations *expectations, const struct scan *scan, struct findings *findings)
{
    check_finite(&scan->signal, findings);
    check_silence(expectations, &scan->signal, findings);
    check_clipping(&scan->signal, findings);
    check_dc(&scan->signal, findings);
    check_stuck(&scan->signal, findings);
    check_loudness(expectations, scan, findings);
    check_true_peak(expectations, scan, findings);
}

static void skip_sound(struct findings *findings)
{
    static const enum check sound[] = {CHECK_DURATION, CHECK_FINITE, CHECK_SILENCE, CHECK_COLLAPSE, CHECK_CLIPPING,
                                       CHECK_DC, CHECK_STUCK, CHECK_LOUDNESS, CHECK_TRUE_PEAK};
    for (size_t i = 0; i < COUNT_OF(sound); i++)
        finding_number(findings, sound[i], VERDICT_SKIPPED, NAN, NAN, "not looked at: the file does not decode");
}

/* --- reading --- */

/* The meter has no use for numbers that are not finite: one would be its whole result. */
static void silence_not_finite(float *samples, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(samples[i]))
            samples[i] = 0;
}

static int scan_samples(struct scan *scan)
{
    float *block = allocate((size_t)scan->info->channels * BLOCK_FRAMES, sizeof *block);
    int64_t got;
    while ((got = audio_read(scan->audio, block, BLOCK_FRAMES)) > 0) {
        signal_add(&scan->signal, block, got);
        if (scan->meter) {
            silence_not_finite(block, got * scan->info->channels);
            loudness_add(scan->meter, block, got);
        }
        int64_t total = scan->info->frames; /* may be unknown */
        progress_step("verify", scan->signal.frames, total > scan->signal.frames ? total : scan->signal.frames);
    }
    free(block);
    signal_end(&scan->signal);
    if (scan->meter && !failed())
        loudness_result(scan->meter, &scan->loudness);
    if (!failed() && scan->signal.frames == 0)
        return fail("the file holds no samples");
    return failed() ? -1 : 0;
}

static void open_meter(struct scan *scan)
{
    scan->meter = loudness_open(scan->info->channels, scan->info->rate_hz);
    if (!scan->meter)
        scan->unmeasured = copy_string(failure_text());
    failure_clear();
}

static void check_open_audio(const struct expectations *expectations, struct scan *scan, struct findings *findings)
{
    open_meter(scan);
    if (scan_samples(scan)) {
        finding_of_failure(findings);
        check_header(expectations, scan->info, findings);
        skip_sound(findings);
        return;
    }
    finding_number(findings, CHECK_DECODE, VERDICT_OK, (double)scan->signal.frames, NAN, "decodes to the end");
    check_duration(expectations, findings, seconds_of(&scan->signal, scan->signal.frames));
    check_header(expectations, scan->info, findings);
    check_sound(expectations, scan, findings);
}

int check_audio(const struct expectations *expectations, struct findings *findings)
{
    struct scan scan = {.audio = audio_open(expectations->input)};
    if (!scan.audio)
        return finding_of_failure(findings);
    scan.info = audio_info(scan.audio);
    signal_begin(&scan.signal, scan.info->channels, scan.info->rate_hz);
    check_open_audio(expectations, &scan, findings);
    signal_release(&scan.signal);
    loudness_close(scan.meter);
    free(scan.unmeasured);
    audio_close(scan.audio);
    return 0;
}
