/* SPDX-License-Identifier: Apache-2.0
 * transcode - one piece of audio into release files: any of wav, flac, ogg, mp3 and opus, at one loudness.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/tool.h"
#include "transcode/release.h"

struct job {
    char *input;
    struct outputs outputs;
    double loudness, true_peak, gain, fade_in, fade_out; /* NAN, or 0 for fades: not asked for */
    bool trim_silence;
    struct string_list tag;
    json_t *tags; /* those of `tag` */
};

static const double DEFAULT_CEILING_DBTP = -1;

static int set_output(void *job, const char *name, const char *value)
{
    return outputs_set(&((struct job *)job)->outputs, name, value);
}

static int set_output_json(void *job, const char *name, const json_t *value)
{
    return outputs_set_json(&((struct job *)job)->outputs, name, value);
}

#define JOB(field) .scope = SCOPE_JOB, .offset = offsetof(struct job, field)
#define OF_OUTPUT .type = SETTING_CALL, .scope = SCOPE_JOB, .call = set_output, .call_json = set_output_json

static const struct setting SETTINGS[] = {
    {.name = "input", .letter = 'i', .type = SETTING_STRING, JOB(input), .argument = "FILE", .help = "any audio file"},
    {.name = "output", .letter = 'o', OF_OUTPUT, .argument = "FILE", .help = "a release file: .wav .flac .ogg .mp3 .opus (repeatable)"},
    {.name = "outputs", .type = SETTING_CALL, .scope = SCOPE_JOB, .call_json = set_output_json},
    {.name = "rate", OF_OUTPUT, .argument = "HZ", .help = "sample rate (default: the input's; opus 48000)"},
    {.name = "channels", OF_OUTPUT, .argument = "1|2", .help = "mono to stereo gives two equal channels (default: the input's)"},
    {.name = "quality", OF_OUTPUT, .argument = "Q", .help = "ogg: -1 to 10, 10 is best (default: 6); mp3: 0 to 9, 0 is best (default: 2)"},
    {.name = "bitrate", OF_OUTPUT, .argument = "RATE", .help = "instead of a quality, e.g. 192k (default of opus: 64k for each channel)"},
    {.name = "bits", OF_OUTPUT, .argument = "N", .help = "wav: 16, 24 or 32 (float); flac: 16 or 24 (default: 16)"},
    {.name = "loudness", .type = SETTING_NUMBER, JOB(loudness), .argument = "LUFS", .help = "integrated loudness to reach, above -70 to 0",
     .minimum = -70, .maximum = 0, .above = true},
    {.name = "true-peak", .type = SETTING_NUMBER, JOB(true_peak), .argument = "DBTP",
     .help = "ceiling that a limiter holds (default: -1 with --loudness, else none)", .minimum = -40, .maximum = 0},
    {.name = "gain", .type = SETTING_NUMBER, JOB(gain), .argument = "DB", .help = "instead of a loudness: louder or quieter by this",
     .minimum = -100, .maximum = 100},
    {.name = "fade-in", .type = SETTING_NUMBER, JOB(fade_in), .argument = "SECONDS", .help = "from silence at the beginning", .above = true},
    {.name = "fade-out", .type = SETTING_NUMBER, JOB(fade_out), .argument = "SECONDS", .help = "to silence at the end", .above = true},
    {.name = "trim-silence", .type = SETTING_FLAG, JOB(trim_silence), .help = "cut what is below -60 dBFS at both ends, but for 10 ms"},
    {.name = "tag", .type = SETTING_LIST, JOB(tag), .argument = "KEY=VALUE", .help = "e.g. title=Theme; other keys are free (repeatable)"},
    {0},
};

static void set_defaults(void *process, void *job_)
{
    struct job *job = job_;
    (void)process;
    if (!job)
        return;
    outputs_init(&job->outputs);
    job->loudness = job->true_peak = job->gain = NAN;
}

/* Vorbis comments allow the least: printable ASCII but "=". */
static int add_tag(json_t *tags, const char *tag)
{
    size_t length = strcspn(tag, "=");
    bool good = length > 0 && tag[length] == '=';
    for (size_t i = 0; i < length; i++)
        good = good && tag[i] >= 0x20 && tag[i] <= 0x7d;
    if (!good)
        return misuse("'--tag' cannot be '%s': give KEY=VALUE, the key in plain letters", tag);
    char *key = copy_bytes(tag, length);
    int result = json_object_get(tags, key) ? misuse("'--tag' gives '%s' twice", key) : 0;
    if (result == 0)
        json_object_set_new(tags, key, json_string(tag + length + 1));
    free(key);
    return result;
}

static int check_input(const struct job *job)
{
    if (!job->input)
        return misuse("give '--input'");
    for (size_t i = 0; i < job->outputs.count; i++)
        if (file_not_replaced(job->input, job->outputs.items[i].file))
            return -1;
    return 0;
}

static int check(const void *process, void *job_)
{
    struct job *job = job_;
    (void)process;
    if (outputs_check(&job->outputs) != 0 || check_input(job) != 0)
        return -1;
    if (!isnan(job->gain) && !isnan(job->loudness))
        return misuse("'--gain' and '--loudness' exclude each other: a loudness decides the gain");
    job->tags = json_object();
    for (size_t i = 0; i < job->tag.count; i++)
        if (add_tag(job->tags, job->tag.items[i]) != 0)
            return -1;
    return 0;
}

static int list_outputs(const void *job_, void (*each)(void *context, const char *path), void *context)
{
    const struct job *job = job_;
    for (size_t i = 0; i < job->outputs.count; i++)
        each(context, job->outputs.items[i].file);
    return 0;
}

static void release_job(void *job_)
{
    struct job *job = job_;
    outputs_release(&job->outputs);
    json_decref(job->tags);
}

static json_t *make(const struct job *job)
{
    bool limited = !isnan(job->true_peak) || !isnan(job->loudness);
    struct release_request request = {
        .input = job->input,
        .outputs = &job->outputs,
        .level = {.target_lufs = job->loudness,
                  .ceiling_dbtp = !limited ? NAN : isnan(job->true_peak) ? DEFAULT_CEILING_DBTP : job->true_peak,
                  .gain_db = isnan(job->gain) ? 0 : job->gain},
        .fade_in_seconds = job->fade_in,
        .fade_out_seconds = job->fade_out,
        .trim_silence = job->trim_silence,
        .tags = job->tags,
    };
    return release_make(&request);
}

static int work(struct tool_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        if (tool_job_begin(run, i))
            tool_job_end(run, i, make(tool_job(run, i)));
    return 0;
}

static const struct tool TOOL = {
    .name = "transcode",
    .purpose = "make release files of a piece of audio, at one loudness",
    .usage = "--input FILE --output FILE [SETTINGS OF IT] [--output FILE ...]",
    .notes = "A --rate, --channels, --quality, --bitrate or --bits after an --output is for it; before the first, for all.\n"
             "In --jobs, \"outputs\" lists them: [{\"file\": \"a.ogg\", \"rate\": 44100, \"quality\": 6}, ...].",
    .settings = SETTINGS,
    .job_size = sizeof(struct job),
    .defaults = set_defaults,
    .check = check,
    .outputs = list_outputs,
    .release = release_job,
    .work = work,
};

int main(int argc, char **argv)
{
    return tool_main(&TOOL, argc, argv);
}
