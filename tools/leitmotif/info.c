/* SPDX-License-Identifier: Apache-2.0
 * soundtrack_info.txt: the report for people without a browser. */
#include <string.h>

#include "leitmotif/report-object.h"
#include "leitmotif/wording.h"

/* A prompt of several lines is one line here. */
static void append_line(struct text *text, const char *label, const char *string)
{
    text_appendf(text, "  %-9s ", label);
    for (; *string; string++)
        text_append_bytes(text, *string == '\n' || *string == '\t' ? " " : string, 1);
    text_append(text, "\n");
}

static void append_setting(struct text *text, const json_t *settings, const char *key, const char *before, const char *after)
{
    const json_t *value = json_object_get(settings, key);
    if (!json_is_number(value))
        return;
    text_append(text, before);
    if (json_is_integer(value))
        text_appendf(text, "%lld", (long long)json_integer_value(value));
    else
        append_number(text, json_real_value(value));
    text_append(text, after);
}

static void append_settings(struct text *text, const json_t *result)
{
    const json_t *settings = json_object_get(result, "settings"), *model = json_object_get(result, "model");
    text_appendf(text, "  %-9s %s", "settings", string_at(model, "name", string_at(model, "request", "")));
    append_setting(text, settings, "duration", ", ", " s");
    append_setting(text, settings, "temperature", ", temperature ", "");
    append_setting(text, settings, "top_k", ", top-k ", "");
    append_setting(text, settings, "top_p", ", top-p ", "");
    append_setting(text, settings, "guidance", ", guidance ", "");
    append_setting(text, settings, "seed", ", seed ", "\n");
    if (string_at(settings, "melody", NULL))
        append_line(text, "melody", string_at(settings, "melody", ""));
    if (string_at(settings, "continue", NULL))
        append_line(text, "continues", string_at(settings, "continue", ""));
}

static void append_measure(struct text *text, const json_t *file, const char *key, const char *format)
{
    const json_t *value = json_object_get(file, key);
    if (!json_is_number(value))
        return;
    text_append(text, ", ");
    text_appendf(text, format, json_number_value(value));
}

static void append_file(struct text *text, const json_t *file)
{
    const json_t *duration = json_object_get(file, "duration"), *channels = json_object_get(file, "channels");
    text_appendf(text, "  %-9s %s: ", "file", string_at(file, "file", ""));
    append_bytes(text, json_integer_value(json_object_get(file, "bytes")));
    if (json_is_number(duration)) {
        text_append(text, ", ");
        append_time(text, json_number_value(duration));
    }
    append_measure(text, file, "rate", "%.0f Hz");
    if (json_is_number(channels))
        text_append(text, json_integer_value(channels) == 2 ? " stereo" : " mono");
    append_measure(text, file, "loudness", "%.1f LUFS");
    append_measure(text, file, "true_peak", "%.1f dBTP");
    text_append(text, "\n");
}

/* "section   12 s: an intro" */
static void append_sections(struct text *text, const json_t *sections)
{
    size_t i;
    json_t *section;
    json_array_foreach(sections, i, section) {
        struct text line = {0};
        append_number(&line, json_number_value(json_object_get(section, "duration")));
        text_appendf(&line, " s: %s", string_at(section, "prompt", ""));
        append_line(text, "section", line.data);
        text_release(&line);
    }
}

static void append_result(struct text *text, const json_t *result)
{
    size_t i;
    json_t *file;
    text_appendf(text, "\n%s%s\n", string_at(result, "name", ""), !strcmp(string_at(result, "status", ""), "failed") ? "  FAILED" : "");
    if (json_array_size(json_object_get(result, "sections")))
        append_sections(text, json_object_get(result, "sections"));
    else
        append_line(text, "prompt", string_at(result, "prompt", ""));
    append_settings(text, result);
    json_array_foreach(json_object_get(result, "files"), i, file)
        append_file(text, file);
    json_array_foreach(json_object_get(result, "earlier_files"), i, file)
        append_line(text, "earlier", json_string_value(file));
    if (!strcmp(string_at(result, "status", ""), "failed"))
        append_line(text, "failed", string_at(result, "reason", ""));
    else if (!strcmp(string_at(result, "status", ""), "not_made"))
        append_line(text, "not made", "not asked for yet");
}

/* Every model once, with the licence of its weights. */
static void append_models(struct text *text, const json_t *results)
{
    json_t *told = json_object(), *result;
    size_t i;
    json_array_foreach(results, i, result) {
        const json_t *model = json_object_get(result, "model");
        const char *name = string_at(model, "name", NULL);
        if (!name || json_object_get(told, name))
            continue;
        json_object_set_new(told, name, json_true());
        text_appendf(text, "Model: %s; licence of its weights: %s.\n", name, string_at(model, "licence", "unknown"));
    }
    json_decref(told);
}

static long long count_at(const json_t *summary, const char *key)
{
    return json_integer_value(json_object_get(summary, key));
}

char *info_text(const json_t *object)
{
    struct text text = {0};
    const json_t *summary = json_object_get(object, "summary"), *results = json_object_get(object, "results");
    const char *title = string_at(json_object_get(object, "project"), "title", "");
    size_t i;
    json_t *result;
    text_appendf(&text, "%s\n", title);
    for (size_t column = 0; column < strlen(title); column++)
        text_append(&text, "=");
    text_appendf(&text, "\n\nResults: %lld done, %lld failed, %lld not made.\n", count_at(summary, "done"), count_at(summary, "failed"),
                 count_at(summary, "not_made"));
    text_appendf(&text, "AI generated, by %s.\n", string_at(object, "generator", ""));
    append_models(&text, results);
    json_array_foreach(results, i, result)
        append_result(&text, result);
    return text_take(&text);
}
