/* SPDX-License-Identifier: Apache-2.0
 * The outputs: of a project, and what each release format allows of rate, bits, quality and bit rate. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "leitmotif/project-schema.h"

enum { MAX_RATES = 10, OPUS_RATE_HZ = 48000 };

struct format_rule {
    const char *format;
    int64_t rates[MAX_RATES];     /* all it knows; none: every rate */
    const char *bits;             /* words to look in, or NULL: it has no such setting */
    double lowest, highest;       /* quality; both 0: it has none */
    int64_t lowest_bit_rate, highest_bit_rate; /* both 0: it has none */
};

static const struct format_rule rules[] = {
    {"wav", {0}, "16, 24 or 32", 0, 0, 0, 0},
    {"flac", {0}, "16 or 24", 0, 0, 0, 0},
    {"ogg", {0}, NULL, -1, 10, 32000, 500000},
    {"mp3", {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}, NULL, 0, 9, 8000, 320000},
    {"opus", {8000, 12000, 16000, 24000, 48000}, NULL, 0, 0, 6000, 510000},
};

/* The constant bit rates of MPEG layer III in kbit/s: MPEG-1 from 32 kHz on; MPEG-2 below, of which MPEG-2.5 (up to
 * 12 kHz) uses those up to 64. */
static const int mpeg1_rates[] = {32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320};
static const int mpeg2_rates[] = {8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160};
enum { MPEG2_5_RATES = 8, MPEG2_5_HIGHEST_HZ = 12000, MPEG1_LOWEST_HZ = 32000 };

static const struct format_rule *rule_of(const char *format)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (!strcmp(rules[i].format, format))
            return &rules[i];
    return NULL;
}

/* Where the entry's value for key stands. */
static void refuse(struct reading *reading, const struct yaml_node *entry, const char *key, const char *reason)
{
    const struct yaml_node *value = yaml_member(entry, key);
    problem_add(&reading->problems, value->line, value->column, "'%s' %s", key, reason);
}

static void check_rate(struct reading *reading, const struct yaml_node *entry, const struct format_rule *rule,
                       const struct output_settings *output)
{
    struct text reason = {0};
    if (!output->rate || !rule->rates[0])
        return;
    text_appendf(&reason, "of %s must be one of", rule->format);
    for (size_t i = 0; i < MAX_RATES && rule->rates[i]; i++) {
        if (rule->rates[i] == output->rate) {
            text_release(&reason);
            return;
        }
        text_appendf(&reason, "%s %lld", i ? "," : "", (long long)rule->rates[i]);
    }
    text_appendf(&reason, ", not %lld", (long long)output->rate);
    refuse(reading, entry, "rate", reason.data);
    text_release(&reason);
}

static void check_bits(struct reading *reading, const struct yaml_node *entry, const struct format_rule *rule,
                       const struct output_settings *output)
{
    char word[24], reason[80];
    if (!output->bits)
        return;
    snprintf(word, sizeof word, "%lld", (long long)output->bits);
    if (!rule->bits)
        snprintf(reason, sizeof reason, "is a setting of wav and flac, not of %s", rule->format);
    else if (!strstr(rule->bits, word))
        snprintf(reason, sizeof reason, "of %s must be %s, not %s", rule->format, rule->bits, word);
    else
        return;
    refuse(reading, entry, "bits", reason);
}

static void check_quality(struct reading *reading, const struct yaml_node *entry, const struct format_rule *rule,
                          const struct output_settings *output)
{
    char reason[80];
    if (isnan(output->quality))
        return;
    if (rule->lowest >= rule->highest)
        snprintf(reason, sizeof reason, "is a setting of ogg and mp3, not of %s", rule->format);
    else if (output->quality < rule->lowest || output->quality > rule->highest)
        snprintf(reason, sizeof reason, "of %s must be from %g to %g, not %g", rule->format, rule->lowest, rule->highest,
                 output->quality);
    else if (output->bit_rate)
        snprintf(reason, sizeof reason, "and 'bitrate' exclude each other; remove one");
    else
        return;
    refuse(reading, entry, "quality", reason);
}

static bool mp3_knows(int64_t rate_hz, int64_t bit_rate)
{
    bool mpeg1 = rate_hz >= MPEG1_LOWEST_HZ;
    const int *rates = mpeg1 ? mpeg1_rates : mpeg2_rates;
    size_t count = mpeg1 ? COUNT_OF(mpeg1_rates) : rate_hz <= MPEG2_5_HIGHEST_HZ ? MPEG2_5_RATES : COUNT_OF(mpeg2_rates);
    for (size_t i = 0; i < count; i++)
        if (rates[i] * 1000 == bit_rate)
            return true;
    return false;
}

static bool mp3_allows(const struct output_settings *output)
{
    if (output->rate)
        return mp3_knows(output->rate, output->bit_rate);
    return mp3_knows(8000, output->bit_rate) || mp3_knows(16000, output->bit_rate) || mp3_knows(44100, output->bit_rate);
}

static void check_bit_rate(struct reading *reading, const struct yaml_node *entry, const struct format_rule *rule,
                           const struct output_settings *output)
{
    char reason[160];
    int64_t highest = rule->highest_bit_rate;
    if (!output->bit_rate)
        return;
    if (!strcmp(rule->format, "opus") && output->channels == 1)
        highest = 256000;
    if (!highest)
        snprintf(reason, sizeof reason, "is a setting of ogg, mp3 and opus, not of %s", rule->format);
    else if (output->bit_rate < rule->lowest_bit_rate || output->bit_rate > highest)
        snprintf(reason, sizeof reason, "of %s must be from %lldk to %lldk, not %g", rule->format,
                 (long long)rule->lowest_bit_rate / 1000, (long long)highest / 1000, (double)output->bit_rate);
    else if (!strcmp(rule->format, "mp3") && !mp3_allows(output))
        snprintf(reason, sizeof reason, "%lld is none that mp3 knows%s; 320k, 256k, 192k, 160k, 128k and 96k are usual from 32000 Hz on, "
                 "160k, 128k, 96k and 64k below", (long long)output->bit_rate, output->rate ? " at this rate" : "");
    else
        return;
    refuse(reading, entry, "bitrate", reason);
}

static void check_output(struct reading *reading, const struct yaml_node *entry, const struct output_settings *output)
{
    const struct project *project = reading->project;
    const struct format_rule *rule = rule_of(output->format);
    check_rate(reading, entry, rule, output);
    check_bits(reading, entry, rule, output);
    check_quality(reading, entry, rule, output);
    check_bit_rate(reading, entry, rule, output);
    for (size_t i = 0; i < project->release_count; i++)
        if (!strcmp(project->releases[i].format, output->format))
            refuse(reading, entry, "format", "is there twice: both would write one file; keep one of them");
}

static void add_release(struct reading *reading, struct output_settings *output)
{
    struct project *project = reading->project;
    bool opus = !strcmp(output->format, "opus");
    project->releases = grow(project->releases, project->release_count, &reading->release_capacity, sizeof *project->releases);
    project->releases[project->release_count++] = (struct release){
        .format = output->format,
        .rate_hz = opus && !output->rate ? OPUS_RATE_HZ : output->rate,
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
