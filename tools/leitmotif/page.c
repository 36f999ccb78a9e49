/* SPDX-License-Identifier: Apache-2.0
 * index.html: one page to listen to everything, with what each take was made of and what its checks found. It loads
 * nothing but the audio files beside it. Whatever comes from the project is escaped. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "leitmotif/page-style.h"
#include "leitmotif/report-object.h"
#include "leitmotif/wording.h"

enum { MAX_PRELOADED = 50 }; /* results; of more, players learn their length when they are started */

static bool has_status(const json_t *result, const char *status)
{
    return !strcmp(string_at(result, "status", ""), status);
}

/* before, escaped text, after: the whole page is made of these. */
static void append_element(struct text *page, const char *before, const char *content, const char *after)
{
    text_append(page, before);
    append_html(page, content);
    text_append(page, after);
}

static void append_json_number(struct text *page, const json_t *value)
{
    if (json_is_integer(value))
        text_appendf(page, "%lld", (long long)json_integer_value(value));
    else
        append_number(page, json_real_value(value));
}

/* --- one result -------------------------------------------------------------------------------------------------- */

static void append_head(struct text *page, const json_t *result)
{
    const char *word = has_status(result, "done") ? "passed" : has_status(result, "failed") ? "failed" : "not made";
    const json_t *first = json_array_get(json_object_get(result, "files"), 0), *duration = json_object_get(first, "duration");
    append_element(page, "<div class=\"head\"><h2>", string_at(result, "name", ""), "</h2>");
    text_appendf(page, "<span class=\"badge%s\">", has_status(result, "not_made") ? "" : has_status(result, "failed") ? " failed" : " done");
    if (json_is_number(duration)) {
        append_time(page, json_number_value(duration));
        text_append(page, " · ");
    }
    append_element(page, "", word, "</span></div>\n");
}

static const struct audio_type {
    const char *format, *type;
    bool small;
} audio_types[] = {
    {"ogg", "audio/ogg; codecs=vorbis", true}, {"opus", "audio/ogg; codecs=opus", true}, {"mp3", "audio/mpeg", true},
    {"flac", "audio/flac", false}, {"wav", "audio/wav", false},
};

static const struct audio_type *type_of(const char *file)
{
    const char *dot = strrchr(file, '.');
    for (size_t i = 0; dot && i < COUNT_OF(audio_types); i++)
        if (!strcmp(dot + 1, audio_types[i].format))
            return &audio_types[i];
    return NULL;
}

/* A browser takes the first source that it can play: small files come before large ones. */
static void append_sources(struct text *page, const json_t *files, bool small)
{
    size_t i;
    json_t *file;
    json_array_foreach(files, i, file) {
        const char *name = string_at(file, "file", "");
        const struct audio_type *type = type_of(name);
        if (!type || type->small != small)
            continue;
        append_element(page, "<source src=\"", name, "\" type=\"");
        append_element(page, "", type->type, "\">");
    }
}

static void append_player(struct text *page, const json_t *result, bool preload)
{
    const json_t *files = json_object_get(result, "files");
    if (!json_array_size(files))
        return;
    text_appendf(page, "<audio controls preload=\"%s\" ", preload ? "metadata" : "none");
    append_element(page, "aria-label=\"", string_at(result, "name", ""), "\">");
    append_sources(page, files, true);
    append_sources(page, files, false);
    text_append(page, "</audio>\n");
}

static void append_measure(struct text *page, const json_t *file, const char *key, const char *format)
{
    const json_t *value = json_object_get(file, key);
    if (json_is_number(value))
        text_appendf(page, format, json_number_value(value));
}

static void append_files(struct text *page, const json_t *files)
{
    size_t i;
    json_t *file;
    if (!json_array_size(files))
        return;
    text_append(page, "<ul class=\"files\">\n");
    json_array_foreach(files, i, file) {
        const char *name = string_at(file, "file", "");
        append_element(page, "<li><a href=\"", name, "\" download>");
        append_element(page, "", name, "</a> <span>");
        append_bytes(page, json_integer_value(json_object_get(file, "bytes")));
        append_measure(page, file, "loudness", " · %.1f LUFS");
        append_measure(page, file, "true_peak", " · %.1f dBTP");
        text_append(page, "</span></li>\n");
    }
    text_append(page, "</ul>\n");
}

static void append_text_setting(struct text *page, const json_t *settings, const char *key, const char *label)
{
    const char *value = string_at(settings, key, NULL);
    if (!value)
        return;
    text_appendf(page, "<div><dt>%s</dt><dd>", label);
    append_element(page, "", value, "</dd></div>");
}

/* A failed take's files of an earlier render stay, and are named as such. */
static void append_earlier_files(struct text *page, const json_t *files)
{
    size_t i;
    json_t *file;
    if (!json_array_size(files))
        return;
    text_append(page, "<p class=\"note\">From an earlier render:");
    json_array_foreach(files, i, file) {
        append_element(page, " <a href=\"", json_string_value(file), "\" download>");
        append_element(page, "", json_string_value(file), "</a>");
    }
    text_append(page, "</p>\n");
}

static void append_settings(struct text *page, const json_t *result)
{
    static const char *const names[][2] = {{"duration", "seconds"}, {"temperature", "temperature"}, {"top_k", "top-k"},
                                           {"top_p", "top-p"},      {"guidance", "guidance"},       {"seed", "seed"}};
    const json_t *settings = json_object_get(result, "settings"), *model = json_object_get(result, "model");
    append_element(page, "<dl class=\"settings\"><div><dt>model</dt><dd>", string_at(model, "name", string_at(model, "request", "")),
                   "</dd></div>");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const json_t *value = json_object_get(settings, names[i][0]);
        if (!json_is_number(value))
            continue;
        text_appendf(page, "<div><dt>%s</dt><dd>", names[i][1]);
        append_json_number(page, value);
        text_append(page, "</dd></div>");
    }
    append_text_setting(page, settings, "melody", "melody");
    append_text_setting(page, settings, "continue", "continues");
    text_append(page, "</dl>\n");
}

/* --- findings ---------------------------------------------------------------------------------------------------- */

static size_t count_findings(const json_t *verdicts, const char *status)
{
    size_t i, j, count = 0;
    json_t *verdict, *finding;
    json_array_foreach(verdicts, i, verdict)
        json_array_foreach(json_object_get(verdict, "findings"), j, finding)
            count += !strcmp(string_at(finding, "status", ""), status);
    return count;
}

/* A check that was not asked for still measured something. */
static void append_finding(struct text *page, const json_t *finding)
{
    const char *status = string_at(finding, "status", "");
    const char *class = !strcmp(status, "ok") ? "ok" : !strcmp(status, "failed") ? "bad" : "skipped";
    append_element(page, "<tr><td>", string_at(finding, "check", ""), "</td><td>");
    append_element(page, "", string_at(finding, "message", ""), "</td>");
    text_appendf(page, "<td class=\"%s\">", class);
    append_element(page, "", !strcmp(status, "skipped") ? "not asked" : status, "</td></tr>\n");
}

static void append_findings(struct text *page, const json_t *verdicts)
{
    size_t i, j, bad = count_findings(verdicts, "failed"), good = count_findings(verdicts, "ok");
    json_t *verdict, *finding;
    if (!json_array_size(verdicts))
        return;
    text_appendf(page, "<details%s><summary>", bad ? " open" : "");
    if (bad)
        text_appendf(page, "<b>%zu of %zu checks failed</b>", bad, bad + good);
    else
        text_appendf(page, "%zu checks passed", good);
    text_append(page, "</summary>\n");
    json_array_foreach(verdicts, i, verdict) {
        append_element(page, "<div class=\"scroll\"><table><caption>", string_at(verdict, "file", ""), "</caption><tbody>\n");
        json_array_foreach(json_object_get(verdict, "findings"), j, finding)
            append_finding(page, finding);
        text_append(page, "</tbody></table></div>\n");
    }
    text_append(page, "</details>\n");
}

/* Options stay in one piece where the line wraps. */
static void append_command_words(struct text *page, const char *command)
{
    while (*command) {
        size_t length = strcspn(command, " ");
        char *word = copy_bytes(command, length);
        bool option = has_prefix(word, "--");
        append_element(page, option ? "<span>" : "", word, option ? "</span>" : "");
        free(word);
        command += length;
        length = strspn(command, " ");
        text_append_bytes(page, command, length);
        command += length;
    }
}

static void append_prompt(struct text *page, const json_t *result)
{
    const json_t *sections = json_object_get(result, "sections");
    size_t i;
    json_t *section;
    if (!json_array_size(sections)) {
        append_element(page, "<p class=\"prompt\">", string_at(result, "prompt", ""), "</p>\n");
        return;
    }
    text_append(page, "<ol class=\"prompt sections\">\n");
    json_array_foreach(sections, i, section) {
        text_append(page, "<li><span>");
        append_json_number(page, json_object_get(section, "duration"));
        append_element(page, " s</span> ", string_at(section, "prompt", ""), "</li>\n");
    }
    text_append(page, "</ol>\n");
}

static void append_again(struct text *page, const json_t *result)
{
    const char *command = string_at(result, "command", NULL);
    if (!command) {
        const char *continues = string_at(json_object_get(result, "settings"), "continue", NULL);
        text_append(page, "<p class=\"note\">Made again by a render of the project only: it ");
        append_element(page, continues ? "continues " : "has sections", continues ? continues : "", ".</p>\n");
        return;
    }
    text_append(page, "<p class=\"note\">The same tokens again, as loud as they come and at the model's own rate:</p>\n"
                      "<div class=\"again\"><code>");
    append_command_words(page, command);
    text_append(page, "</code><button type=\"button\" hidden>Copy</button></div>\n");
}

static void append_result(struct text *page, const json_t *result, bool preload)
{
    append_element(page, "<article id=\"", string_at(result, "name", ""), has_status(result, "failed") ? "\" class=\"result failed\">\n" : "\" class=\"result\">\n");
    append_head(page, result);
    append_prompt(page, result);
    if (has_status(result, "failed"))
        append_element(page, "<p class=\"reason\">", string_at(result, "reason", "failed"), "</p>\n");
    append_player(page, result, preload);
    append_files(page, json_object_get(result, "files"));
    append_earlier_files(page, json_object_get(result, "earlier_files"));
    append_settings(page, result);
    append_findings(page, json_object_get(result, "findings"));
    append_again(page, result);
    text_append(page, "</article>\n");
}

/* --- the whole page ---------------------------------------------------------------------------------------------- */

/* As measured, for a take that continues another is longer than was asked of it; else as asked. */
static double seconds_of(const json_t *result)
{
    const json_t *file = json_array_get(json_object_get(result, "files"), 0), *measured = json_object_get(file, "duration");
    if (json_is_number(measured))
        return json_number_value(measured);
    return json_number_value(json_object_get(json_object_get(result, "settings"), "duration"));
}

static double total_seconds(const json_t *results)
{
    size_t i;
    json_t *result;
    double seconds = 0;
    json_array_foreach(results, i, result)
        if (has_status(result, "done"))
            seconds += seconds_of(result);
    return seconds;
}

/* Every model once: "medium (weights: CC-BY-NC-4.0)". */
static void append_models(struct text *page, const json_t *results)
{
    json_t *told = json_object(), *result;
    size_t i;
    json_array_foreach(results, i, result) {
        const json_t *model = json_object_get(result, "model");
        const char *name = string_at(model, "name", "");
        if (!*name || json_object_get(told, name))
            continue;
        json_object_set_new(told, name, json_true());
        append_element(page, " · ", name, " (weights: ");
        append_element(page, "", string_at(model, "licence", "unknown"), ")");
    }
    json_decref(told);
}

static void append_failed_links(struct text *page, const json_t *results, size_t failed_count)
{
    const char *before = " ";
    size_t i;
    json_t *result;
    text_appendf(page, "<p class=\"alarm\">%zu failed:", failed_count);
    json_array_foreach(results, i, result)
        if (has_status(result, "failed")) {
            text_append(page, before);
            append_element(page, "<a href=\"#", string_at(result, "name", ""), "\">");
            append_element(page, "", string_at(result, "name", ""), "</a>");
            before = ", ";
        }
    text_append(page, "</p>\n");
}

static void append_top(struct text *page, const json_t *object)
{
    const json_t *summary = json_object_get(object, "summary"), *results = json_object_get(object, "results");
    size_t count = json_array_size(results), failed_count = (size_t)json_integer_value(json_object_get(summary, "failed"));
    append_element(page, "<header>\n<h1>", string_at(json_object_get(object, "project"), "title", ""), "</h1>\n<p class=\"facts\">");
    text_appendf(page, "%zu result%s · ", count, count == 1 ? "" : "s");
    append_time(page, total_seconds(results));
    append_models(page, results);
    text_append(page, " · AI generated</p>\n");
    if (failed_count)
        append_failed_links(page, results, failed_count);
    text_append(page, "</header>\n");
}

char *page_text(const json_t *object)
{
    struct text page = {0};
    const json_t *results = json_object_get(object, "results");
    size_t i;
    json_t *result;
    append_element(&page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
                   string_at(json_object_get(object, "project"), "title", ""), "</title>\n<style>\n");
    text_append(&page, page_style);
    text_append(&page, "</style>\n</head>\n<body>\n<div class=\"page\">\n");
    append_top(&page, object);
    text_append(&page, "<main>\n");
    json_array_foreach(results, i, result)
        append_result(&page, result, json_array_size(results) <= MAX_PRELOADED);
    append_element(&page, "</main>\n<footer>Made by ", string_at(object, "generator", "leitmotif"),
                   ". The same for programs: <a href=\"report.json\">report.json</a>; as text: "
                   "<a href=\"soundtrack_info.txt\">soundtrack_info.txt</a>.</footer>\n</div>\n<script>\n");
    text_append(&page, page_script);
    text_append(&page, "</script>\n</body>\n</html>\n");
    return text_take(&page);
}
