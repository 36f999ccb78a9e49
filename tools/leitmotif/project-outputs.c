/* SPDX-License-Identifier: Apache-2.0
 * The outputs: of a project. What a format allows of rate, bits, quality and bit rate is formats/audio's to say; here it is
 * said at the line where it stands. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "formats/audio.h"
#include "leitmotif/project-schema.h"

/* Where the entry's value for key stands. */
static void refuse(struct reading *reading, const struct yaml_node *entry, const char *key, const char *reason)
{
    const struct yaml_node *value = yaml_member(entry, key);
    problem_add(&reading->problems, value->line, value->column, "'%s': %s", key, reason);
}

/* An output without settings, which every format allows; settings that depend on nothing else are tried upon it. */
static struct audio_format plain_format(enum audio_codec codec)
{
    return (struct audio_format){.codec = codec, .rate_hz = 48000, .channels = 2, .quality = NAN};
}

static bool allowed(const struct audio_format *format)
{
    return audio_format_check(format) == 0;
}

/* The recorded failure, if there is one, is about key. */
static void tell_failure(struct reading *reading, const struct yaml_node *entry, const char *key)
{
    if (failed())
        refuse(reading, entry, key, failure_text());
    failure_clear();
}

/* What was not given is the model's, which is not known here: then one possible value that allows it is enough. */
static bool bit_rate_possible(struct audio_format format, const struct output_settings *output)
{
    static const int64_t rates_hz[] = {48000, 16000, 8000};
    for (int channels = 2; channels >= 1; channels--)
        for (size_t i = 0; i < COUNT_OF(rates_hz); i++) {
            format.channels = output->channels ? (int)output->channels : channels;
            format.rate_hz = output->rate ? output->rate : rates_hz[i];
            if (allowed(&format)) {
                failure_clear();
                return true;
            }
        }
    return false;
}

static void check_settings(struct reading *reading, const struct yaml_node *entry, const struct output_settings *output,
                           enum audio_codec codec)
{
    struct audio_format rate = plain_format(codec), bits = rate, quality = rate, bit_rate = rate;
    rate.rate_hz = output->rate ? output->rate : rate.rate_hz;
    bits.bits = (int)output->bits;
    quality.quality = output->quality;
    bit_rate.bit_rate = output->bit_rate;
    bit_rate.quality = output->quality;
    if (codec == AUDIO_OPUS && output->rate && output->rate != audio_codec_rate(AUDIO_OPUS, output->rate))
        refuse(reading, entry, "rate", "opus always plays at 48000 Hz; remove it");
    else if (!allowed(&rate))
        tell_failure(reading, entry, "rate");
    else if (output->bit_rate && !bit_rate_possible(bit_rate, output))
        tell_failure(reading, entry, "bitrate");
    if (!allowed(&bits))
        tell_failure(reading, entry, "bits");
    if (!allowed(&quality))
        tell_failure(reading, entry, "quality");
}

static enum audio_codec codec_of(const char *format)
{
    enum audio_codec codec = AUDIO_WAV;
    while (strcmp(audio_codec_name(codec), format))
        codec++;
    return codec;
}

static void check_output(struct reading *reading, const struct yaml_node *entry, const struct output_settings *output)
{
    const struct project *project = reading->project;
    check_settings(reading, entry, output, codec_of(output->format));
    for (size_t i = 0; i < project->release_count; i++)
        if (!strcmp(project->releases[i].format, output->format))
            refuse(reading, entry, "format", "it is there twice and both would write one file; keep one of them");
}

static void add_release(struct reading *reading, struct output_settings *output)
{
    struct project *project = reading->project;
    project->releases = grow(project->releases, project->release_count, &reading->release_capacity, sizeof *project->releases);
    project->releases[project->release_count++] = (struct release){
        .format = output->format,
        .rate_hz = output->rate,
        .channels = (int)output->channels,
        .bits = (int)output->bits,
        .quality = output->quality,
        .bit_rate = output->bit_rate,
    };
    output->format = NULL;
}

static void read_output(struct reading *reading, const struct yaml_node *entry)
{
    struct output_settings output = {.quality = NAN};
    block_read(reading, &output_block, entry, entry, &output);
    if (output.format) {
        check_output(reading, entry, &output);
        add_release(reading, &output);
    }
    free(output.format);
}

void read_outputs(struct reading *reading, const struct yaml_node *value, void *target)
{
    (void)target;
    if (value->kind != YAML_LIST || !value->count) {
        problem_add(&reading->problems, value->line, value->column,
                    "'outputs' must be a list with an entry per format, such as '- {format: ogg}'");
        return;
    }
    for (size_t i = 0; i < value->count; i++)
        read_output(reading, value->items[i]);
}

void outputs_default(struct reading *reading)
{
    struct output_settings output = {.format = copy_string("ogg"), .quality = NAN};
    add_release(reading, &output);
}

int64_t release_rate(const struct release *release, int64_t model_rate_hz)
{
    return release->rate_hz ? release->rate_hz : audio_codec_rate(codec_of(release->format), model_rate_hz);
}

int project_check_outputs(const struct project *project, const struct model *model)
{
    for (size_t i = 0; i < project->release_count; i++) {
        const struct release *release = &project->releases[i];
        const struct audio_format format = {
            .codec = codec_of(release->format),
            .rate_hz = release_rate(release, model->codec.rate_hz),
            .channels = release->channels ? release->channels : (int)model->language.channels,
            .bits = release->bits,
            .quality = release->quality,
            .bit_rate = release->bit_rate,
        };
        if (allowed(&format))
            continue;
        char *reason = copy_string(failure_text());
        failure_clear();
        misuse("'%s': with model '%s', %s; give the output a 'rate' or another setting", project->path, model->name, reason);
        free(reason);
        return -1;
    }
    return 0;
}
