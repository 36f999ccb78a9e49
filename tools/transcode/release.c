/* SPDX-License-Identifier: Apache-2.0 */
#include "transcode/release.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/progress.h"

enum { ENCODE_ATTEMPTS = 8 };

static const double LOUDNESS_TOLERANCE_LU = 0.2; /* of a file: encoding again for less would not be heard */
static const double STATED_TOLERANCE_LU = 0.5;   /* what a note is written for */
static const double PEAK_TOLERANCE_DB = 0.05;    /* after all attempts; what verify grants to measuring */
static const double CORRECTION_MARGIN_DB = 0.15; /* a new encoding errs anew */

struct item {
    struct audio_format format;
    struct audio_writer *writer;
    struct loudness before, after; /* of the material at this rate, and of the file, decoded */
    double gain_db, reduction_db;
    int64_t frames, beyond_full_scale; /* samples that a player or an integer format clips */
    int attempts;
};

struct release {
    const struct release_request *request;
    struct sound input;          /* trimmed and faded */
    struct loudness input_level; /* as it came */
    struct sound *rates;         /* input at each rate in use */
    size_t rate_count;
    struct master *masters;      /* one for each rate and channel count in use */
    size_t master_count;
    struct item *items;          /* one for each output */
    json_t *notes;
};

static void add_note(struct release *release, const char *format, ...) PRINTF_LIKE(2, 3);

static void add_note(struct release *release, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    json_array_append_new(release->notes, json_string(line));
    note("%s", line);
}

/* --- the material --- */

static int load(struct release *release)
{
    const struct release_request *request = release->request;
    progress_step("decode", 0, (int64_t)request->outputs->count + 1);
    if (sound_load(&release->input, request->input) != 0 || sound_measure(&release->input, &release->input_level) != 0)
        return -1;
    if (!isnan(request->level.target_lufs))
        sound_centre(&release->input);
    if (request->trim_silence && !sound_trim(&release->input))
        add_note(release, "'%s' is silent: nothing was trimmed", request->input);
    return sound_fade(&release->input, request->fade_in_seconds, request->fade_out_seconds);
}

static const struct sound *at_rate(struct release *release, int64_t rate_hz)
{
    for (size_t i = 0; i < release->rate_count; i++)
        if (release->rates[i].rate_hz == rate_hz)
            return &release->rates[i];
    struct sound *sound = &release->rates[release->rate_count];
    if (sound_at_rate(&release->input, rate_hz, sound) != 0)
        return NULL;
    release->rate_count++;
    return sound;
}

static struct master *master_for(struct release *release, const struct audio_format *format)
{
    for (size_t i = 0; i < release->master_count; i++) {
        struct master *master = &release->masters[i];
        if (master->source.rate_hz == format->rate_hz && master->source.channels == format->channels)
            return master;
    }
    const struct sound *sound = at_rate(release, format->rate_hz);
    if (!sound)
        return NULL;
    struct master *master = &release->masters[release->master_count++];
    struct sound source = sound_with_channels(sound, format->channels);
    return master_open(master, &source, &release->request->level) == 0 ? master : NULL;
}

/* --- one file --- */

static int encode(const struct release *release, size_t index, const struct sound *sound)
{
    struct item *item = &release->items[index];
    audio_discard(item->writer);
    item->writer = audio_create(release->request->outputs->items[index].file, &item->format, release->request->tags);
    item->attempts++;
    if (!item->writer)
        return -1;
    return audio_append(item->writer, sound->samples, sound->frames) == 0 ? audio_finish(item->writer) : -1;
}

/* Decodes the file: it must have what went in, which Opus counts at 48 kHz. */
static int check_file(struct item *item, const char *file, const struct sound *sound)
{
    struct sound decoded;
    int result = -1;
    if (sound_load(&decoded, audio_finished(item->writer)) == 0) {
        int64_t expected = sound->frames * decoded.rate_hz / sound->rate_hz;
        item->frames = decoded.frames;
        if (decoded.frames != expected || decoded.channels != sound->channels)
            fail("it holds %lld frames of %d channels instead of %lld of %d", (long long)decoded.frames, decoded.channels,
                 (long long)expected, sound->channels);
        else
            result = sound_measure(&decoded, &item->after);
    }
    sound_release(&decoded);
    return result == 0 ? 0 : failure_within("'%s' was not encoded well", file);
}

/* Lowers or raises what is asked of the master by what the encoder changed. False: the file is as it was asked for. */
static bool correct(const struct level *asked, const struct master *master, const struct item *item, struct level *level)
{
    double excess_db = item->after.true_peak_dbtp - asked->ceiling_dbtp;
    double missing_lu = asked->target_lufs - item->after.integrated_lufs;
    bool reached = fabs(level->target_lufs - master->after.integrated_lufs) <= LOUDNESS_TOLERANCE_LU;
    bool again = false;
    if (excess_db > 0) {
        level->ceiling_dbtp -= excess_db + CORRECTION_MARGIN_DB;
        again = true;
    }
    if (reached && fabs(missing_lu) > LOUDNESS_TOLERANCE_LU) {
        level->target_lufs += missing_lu;
        again = true;
    }
    return again;
}

static int check_result(struct release *release, const struct item *item, const char *file)
{
    const struct level *asked = &release->request->level;
    if (item->after.true_peak_dbtp - asked->ceiling_dbtp > PEAK_TOLERANCE_DB)
        return fail("'%s' has a true peak of %.2f dBTP after %d attempts: give a lower --true-peak or a higher quality", file,
                    item->after.true_peak_dbtp, item->attempts);
    double missing_lu = asked->target_lufs - item->after.integrated_lufs; /* NAN without a target */
    if (!isnan(asked->target_lufs) && !isfinite(item->before.integrated_lufs))
        add_note(release, "'%s' is silent or shorter than 0.4 s: it has no loudness, so its level was left as it is", file);
    else if (fabs(missing_lu) > STATED_TOLERANCE_LU)
        add_note(release, "'%s' has %.1f LUFS: its encoder, or %g dB of limiting below %g dBTP, allow no more", file,
                 item->after.integrated_lufs, MASTER_MOST_REDUCTION_DB, asked->ceiling_dbtp);
    if (item->beyond_full_scale)
        add_note(release, "'%s' has %lld samples beyond full scale, which will be clipped: use --true-peak or a lower --gain", file,
                 (long long)item->beyond_full_scale);
    return 0;
}

static int64_t beyond_full_scale(const struct audio_format *format, const struct sound *sound)
{
    int64_t count = 0;
    if (format->codec == AUDIO_WAV && format->bits == 32)
        return 0;
    for (int64_t i = 0; i < sound->frames * sound->channels; i++)
        count += fabsf(sound->samples[i]) > 1;
    return count;
}

static int make_file(struct release *release, size_t index)
{
    struct item *item = &release->items[index];
    const char *file = release->request->outputs->items[index].file;
    struct level level = release->request->level;
    if (outputs_format(release->request->outputs, index, release->input.rate_hz, release->input.channels, &item->format) != 0)
        return -1;
    struct master *master = master_for(release, &item->format);
    if (!master)
        return -1;
    do {
        if (master_apply(master, &level) != 0 || encode(release, index, &master->sound) != 0 ||
            check_file(item, file, &master->sound) != 0)
            return -1;
    } while (item->attempts < ENCODE_ATTEMPTS && correct(&release->request->level, master, item, &level));
    item->before = master->before;
    item->gain_db = master->gain_db;
    item->reduction_db = master->reduction_db;
    item->beyond_full_scale = beyond_full_scale(&item->format, &master->sound);
    return check_result(release, item, file);
}

/* --- the result --- */

/* To hundredths; null for what has no level. */
static json_t *decibels(double value)
{
    return isfinite(value) ? json_real(round(value * 100) / 100) : json_null();
}

static json_t *describe(const struct item *item, const char *file)
{
    json_t *object = json_pack("{s:s, s:s, s:I, s:i, s:I, s:i, s:I}", "file", file, "format", audio_codec_name(item->format.codec),
                               "rate", (json_int_t)item->format.rate_hz, "channels", item->format.channels, "frames",
                               (json_int_t)item->frames, "attempts", item->attempts, "clipped", (json_int_t)item->beyond_full_scale);
    json_object_set_new(object, "loudness_before", decibels(item->before.integrated_lufs));
    json_object_set_new(object, "loudness", decibels(item->after.integrated_lufs));
    json_object_set_new(object, "true_peak_before", decibels(item->before.true_peak_dbtp));
    json_object_set_new(object, "true_peak", decibels(item->after.true_peak_dbtp));
    json_object_set_new(object, "gain", decibels(item->gain_db));
    json_object_set_new(object, "reduction", decibels(item->reduction_db));
    return object;
}

static json_t *describe_all(const struct release *release)
{
    const struct outputs *outputs = release->request->outputs;
    json_t *files = json_array();
    for (size_t i = 0; i < outputs->count; i++)
        json_array_append_new(files, describe(&release->items[i], outputs->items[i].file));
    json_t *result = json_pack("{s:s, s:o, s:O}", "input", release->request->input, "outputs", files, "notes", release->notes);
    json_object_set_new(result, "loudness_before", decibels(release->input_level.integrated_lufs));
    json_object_set_new(result, "true_peak_before", decibels(release->input_level.true_peak_dbtp));
    json_object_set_new(result, "duration", json_real((double)release->input.frames / (double)release->input.rate_hz));
    return result;
}

static void close_all(struct release *release)
{
    for (size_t i = 0; i < release->request->outputs->count; i++)
        audio_discard(release->items[i].writer);
    for (size_t i = 0; i < release->master_count; i++)
        master_release(&release->masters[i]);
    for (size_t i = 0; i < release->rate_count; i++)
        sound_release(&release->rates[i]);
    sound_release(&release->input);
    free(release->items);
    free(release->masters);
    free(release->rates);
    json_decref(release->notes);
}

/* Only when every file is complete does the first get its name. */
static int commit_all(struct release *release)
{
    int result = 0;
    for (size_t i = 0; i < release->request->outputs->count && result == 0; i++) {
        result = audio_commit(release->items[i].writer);
        release->items[i].writer = NULL;
    }
    return result;
}

json_t *release_make(const struct release_request *request)
{
    size_t count = request->outputs->count;
    struct release release = {.request = request, .notes = json_array()};
    release.items = allocate(count, sizeof(*release.items));
    release.masters = allocate(count, sizeof(*release.masters));
    release.rates = allocate(count, sizeof(*release.rates));
    json_t *result = NULL;
    int done = load(&release);
    for (size_t i = 0; i < count && done == 0; i++) {
        progress_step("encode", (int64_t)i + 1, (int64_t)count + 1);
        done = make_file(&release, i);
    }
    if (done == 0 && commit_all(&release) == 0)
        result = describe_all(&release);
    close_all(&release);
    return result;
}
