/* SPDX-License-Identifier: Apache-2.0 */
#include "transcode/outputs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/text.h"

enum { LIKELY_RATE_HZ = 44100 };

static int64_t *integer_setting(struct output_settings *settings, const char *name)
{
    if (!strcmp(name, "rate"))
        return &settings->rate_hz;
    if (!strcmp(name, "channels"))
        return &settings->channels;
    return !strcmp(name, "bits") ? &settings->bits : NULL;
}

/* --- one setting --- */

/* "192k", "192000": bits per second. */
static int parse_bit_rate(const char *value, int64_t *bit_rate)
{
    double number;
    bool thousands = has_suffix(value, "k");
    char *digits = copy_bytes(value, strlen(value) - thousands);
    int result = parse_number(digits, &number);
    free(digits);
    number *= thousands ? 1000 : 1;
    if (result != 0 || number < 1 || number > 1e9 || number != rint(number))
        return misuse("'--bitrate' cannot be '%s': give bits per second such as 192k or 192000", value);
    *bit_rate = (int64_t)number;
    return 0;
}

static int set_integer(int64_t *target, const char *name, const char *value)
{
    if (parse_integer(value, target) != 0 || *target < 1)
        return misuse("'--%s' cannot be '%s': give a whole number above 0", name, value);
    return 0;
}

static int set_setting(struct output_settings *settings, const char *name, const char *value)
{
    if (!strcmp(name, "bitrate"))
        return parse_bit_rate(value, &settings->bit_rate);
    if (!strcmp(name, "quality"))
        return parse_number(value, &settings->quality) == 0 ? 0 : misuse("'--quality' cannot be '%s': give a number", value);
    return set_integer(integer_setting(settings, name), name, value);
}

static struct output_settings *add_output(struct outputs *outputs, const char *file)
{
    outputs->items = grow(outputs->items, outputs->count, &outputs->capacity, sizeof(*outputs->items));
    struct output_settings *added = &outputs->items[outputs->count++];
    *added = (struct output_settings){.file = copy_string(file), .quality = NAN};
    return added;
}

static int add_checked(struct outputs *outputs, const char *file)
{
    if (!utf8_valid(file, strlen(file)))
        return misuse("'--output' is not valid UTF-8");
    add_output(outputs, file);
    return 0;
}

void outputs_init(struct outputs *outputs)
{
    *outputs = (struct outputs){.common.quality = NAN};
}

void outputs_release(struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++)
        free(outputs->items[i].file);
    free(outputs->items);
    outputs_init(outputs);
}

int outputs_set(struct outputs *outputs, const char *name, const char *value)
{
    if (!strcmp(name, "output"))
        return add_checked(outputs, value);
    return set_setting(outputs->count ? &outputs->items[outputs->count - 1] : &outputs->common, name, value);
}

/* --- job lines --- */

static int set_setting_json(struct output_settings *settings, const char *name, const json_t *value)
{
    if (json_is_string(value) && !strcmp(name, "bitrate"))
        return set_setting(settings, name, json_string_value(value));
    if (json_is_real(value) && !strcmp(name, "quality")) {
        settings->quality = json_real_value(value);
        return 0;
    }
    if (!json_is_integer(value))
        return misuse("'%s' must be a %snumber", name, strcmp(name, "quality") ? "whole " : "");
    char *text = format_string("%lld", (long long)json_integer_value(value));
    int result = set_setting(settings, name, text);
    free(text);
    return result;
}

static int add_object(struct outputs *outputs, const json_t *object)
{
    static const char *const names[] = {"file", "rate", "channels", "quality", "bitrate", "bits"};
    const char *key, *file = json_string_value(json_object_get(object, "file"));
    json_t *value;
    if (!file)
        return misuse("each of 'outputs' must be an object with a string 'file'");
    struct output_settings *settings = add_output(outputs, file);
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        bool known = false;
        for (size_t i = 0; i < COUNT_OF(names); i++)
            known = known || !strcmp(key, names[i]);
        if (!known)
            return misuse("unknown key '%s' in 'outputs'%s", key, did_you_mean(key, names, COUNT_OF(names)));
        if (strcmp(key, "file") && set_setting_json(settings, key, value) != 0)
            return -1;
    }
    return 0;
}

static int add_file(struct outputs *outputs, const json_t *value)
{
    if (!json_is_string(value))
        return misuse("'output' must be a string or an array of strings");
    add_output(outputs, json_string_value(value));
    return 0;
}

int outputs_set_json(struct outputs *outputs, const char *name, const json_t *value)
{
    bool objects = !strcmp(name, "outputs");
    size_t index;
    json_t *item;
    if (!objects && strcmp(name, "output"))
        return set_setting_json(&outputs->common, name, value);
    if (!json_is_array(value))
        return objects ? misuse("'outputs' must be an array of objects") : add_file(outputs, value);
    json_array_foreach(value, index, item)
        if ((objects ? add_object(outputs, item) : add_file(outputs, item)) != 0)
            return -1;
    return 0;
}

/* --- formats --- */

static int64_t first_given(int64_t own, int64_t common, int64_t otherwise)
{
    return own ? own : common ? common : otherwise;
}

int outputs_format(const struct outputs *outputs, size_t index, int64_t rate_hz, int channels, struct audio_format *format)
{
    const struct output_settings *own = &outputs->items[index], *common = &outputs->common;
    enum audio_codec codec;
    if (audio_codec_of(own->file, &codec) != 0)
        return -1;
    bool own_amount = own->bit_rate || !isnan(own->quality); /* replaces a bit rate or a quality that is for all */
    int64_t most = 1 << 20; /* far beyond what any format takes, and within an int */
    int64_t asked_channels = first_given(own->channels, common->channels, channels), bits = first_given(own->bits, common->bits, 0);
    *format = (struct audio_format){
        .codec = codec,
        .rate_hz = first_given(own->rate_hz, common->rate_hz, audio_codec_rate(codec, rate_hz)),
        .channels = (int)(asked_channels < most ? asked_channels : most),
        .bits = (int)(bits < most ? bits : most),
        .quality = own_amount ? own->quality : common->quality,
        .bit_rate = own_amount ? own->bit_rate : common->bit_rate,
    };
    if (audio_format_check(format) != 0)
        return failure_within("'%s'", own->file);
    audio_format_defaults(format);
    return 0;
}

int outputs_check(const struct outputs *outputs)
{
    struct audio_format format;
    if (outputs->count == 0)
        return misuse("give at least one '--output': its extension says the format");
    for (size_t i = 0; i < outputs->count; i++)
        if (outputs_format(outputs, i, LIKELY_RATE_HZ, 2, &format) != 0)
            return -1;
    return 0;
}
