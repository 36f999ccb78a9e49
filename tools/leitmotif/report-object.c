/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/report-object.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/version.h"
#include "leitmotif/wording.h"

static const char *const status_names[] = {
    [TAKE_MADE] = "done", [TAKE_REUSED] = "done", [TAKE_FAILED] = "failed", [TAKE_NOT_MADE] = "not_made",
};

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

const char *string_at(const json_t *object, const char *key, const char *fallback)
{
    const char *string = json_string_value(json_object_get(object, key));
    return string ? string : fallback;
}

/* --- release files ----------------------------------------------------------------------------------------------- */

static const json_t *named(const json_t *list, const char *key, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
        if (!strcmp(string_at(item, key, ""), name))
            return item;
    return NULL;
}

/* What verify measured; absent when it did not look. */
static json_t *measured(const json_t *verdict, const char *check)
{
    json_t *value = json_object_get(named(json_object_get(verdict, "findings"), "check", check), "value");
    return value ? json_incref(value) : json_null();
}

/* The hash in the earlier report, if it speaks of the same result: nothing of it was made since (a new encoder may write
 * other bytes under one key), same key of transcode, same size. */
static const char *known_hash(const struct take_report *result, const json_t *earlier, const char *name, json_int_t bytes)
{
    const char *key = string_at(result->keys, "transcode", NULL);
    const json_t *file = named(json_object_get(earlier, "files"), "file", name);
    const char *earlier_key = string_at(json_object_get(earlier, "keys"), "transcode", NULL);
    if (result->status != TAKE_REUSED || !file || !key || !earlier_key || strcmp(key, earlier_key) || json_integer_value(json_object_get(file, "bytes")) != bytes)
        return NULL;
    return string_at(file, "sha256", NULL);
}

static json_t *file_object(const struct report *report, const struct take_report *result, const char *name, const json_t *earlier)
{
    const json_t *verdict = json_object_get(named(result->findings, "file", name), "verify");
    const char *known;
    char *path = path_join(report->folder, name), hash[HASH_HEX_SIZE];
    struct stat status;
    int failure = stat(path, &status) ? fail("cannot read '%s': %s", path, strerror(errno)) : 0;
    if (!failure && !(known = known_hash(result, earlier, name, status.st_size)))
        failure = hash_file(path, hash);
    free(path);
    if (failure)
        return NULL;
    return json_pack("{s:s, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "file", name, "bytes", (json_int_t)status.st_size,
                     "sha256", known ? known : hash, "duration", measured(verdict, "duration"), "rate", measured(verdict, "rate"),
                     "channels", measured(verdict, "channels"), "codec", measured(verdict, "codec"), "bit_rate",
                     measured(verdict, "bitrate"), "loudness", measured(verdict, "loudness"), "true_peak",
                     measured(verdict, "true-peak"));
}

static json_t *files_array(const struct report *report, const struct take_report *result, const json_t *earlier)
{
    json_t *files = json_array();
    int status = 0;
    for (size_t i = 0; i < result->files.count && !status; i++)
        status = json_array_append_new(files, file_object(report, result, result->files.items[i], earlier));
    if (!status)
        return files;
    json_decref(files);
    return NULL;
}

/* verify's own words, without where the file stood when it looked. */
static json_t *findings_array(const struct take_report *result)
{
    json_t *list = json_array(), *item;
    size_t i;
    json_array_foreach(result->findings, i, item) {
        const json_t *verdict = json_object_get(item, "verify"), *passed = json_object_get(verdict, "passed");
        json_t *found = json_object_get(verdict, "findings");
        json_array_append_new(list, json_pack("{s:s, s:b, s:o}", "file", string_at(item, "file", ""), "passed",
                                              json_is_true(passed), "findings", found ? json_incref(found) : json_array()));
    }
    return list;
}

/* --- results ----------------------------------------------------------------------------------------------------- */

static void append_option(struct text *text, const char *option, double number)
{
    text_appendf(text, " --%s ", option);
    append_number(text, number);
}

void append_command(struct text *text, const struct project *project, const struct take_report *result)
{
    const struct take *take = result->take;
    text_append(text, "leitmotif generate --model ");
    append_shell_word(text, take->model);
    append_option(text, "duration", take->duration);
    append_option(text, "temperature", take->temperature);
    append_option(text, "top-k", (double)take->top_k);
    append_option(text, "top-p", take->top_p);
    if (!isnan(result->guidance))
        append_option(text, "guidance", result->guidance);
    if (take->melody_file) {
        text_append(text, " --melody ");
        append_shell_word(text, take->melody_file);
    }
    text_appendf(text, " --seed %lld --output ", (long long)take->seed);
    text_appendf(text, "%s.%s", take->name, project->releases[0].format);
    text_append(text, *take->prompt == '-' ? " -- " : " ");
    append_shell_word(text, take->prompt);
}

/* Files without their folders, which are temporary ones of the run that made them. Changes value, which is a copy. */
static void forget_folders(json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;
    json_object_foreach(value, key, member) {
        const char *path = json_string_value(member);
        if (path && strchr(path, '/') && (!strcmp(key, "file") || !strcmp(key, "output") || !strcmp(key, "input"))) {
            char *name = copy_string(path_name(path));
            json_string_set(member, name);
            free(name);
        } else {
            forget_folders(member);
        }
    }
    json_array_foreach(value, i, member)
        forget_folders(member);
}

static json_t *made_by_object(const struct take_report *result)
{
    json_t *made_by = json_deep_copy(result->made_by);
    forget_folders(made_by);
    return made_by ? made_by : json_object();
}

/* generate has neither earlier takes to go on from nor sections: such a take is made again by its project only. */
static json_t *command_or_null(const struct report *report, const struct take_report *result)
{
    struct text command = {0};
    if (result->take->continues || result->take->sections)
        return json_null();
    append_command(&command, report->project, result);
    json_t *value = json_string(text_string(&command));
    text_release(&command);
    return value;
}

static json_t *settings_object(const struct take_report *result)
{
    const struct take *take = result->take;
    return json_pack("{s:s?, s:s?, s:f, s:f, s:I, s:f, s:o, s:I}", "melody", take->melody, "continue", take->continues,
                     "duration", take->duration, "temperature", take->temperature, "top_k", (json_int_t)take->top_k, "top_p",
                     take->top_p, "guidance", isnan(result->guidance) ? json_null() : json_real(result->guidance), "seed",
                     (json_int_t)take->seed);
}

static json_t *model_object(const struct take_report *result)
{
    return json_pack("{s:s, s:o, s:o}", "request", result->take->model, "name", text_or_null(result->model), "licence",
                     text_or_null(result->licence));
}

static json_t *names_array(const struct string_list *names)
{
    json_t *array = json_array();
    for (size_t i = 0; i < names->count; i++)
        json_array_append_new(array, json_string(names->items[i]));
    return array;
}

/* NULL with a failure. Paths alone may hold bytes that JSON cannot. */
static json_t *result_object(const struct report *report, const struct take_report *result, const json_t *earlier)
{
    const struct take *take = result->take;
    json_t *files = files_array(report, result, earlier);
    if (!files)
        return NULL;
    char *prompt = take_prompt(take);
    json_t *object = json_pack("{s:s, s:s, s:I, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:O?, s:o, s:o}", "name", take->name, "track",
                               take->track, "variation", (json_int_t)take->variation, "prompt", prompt, "sections", take_sections(take),
                               "model", model_object(result), "settings", settings_object(result), "status", status_names[result->status],
                               "reason", text_or_null(result->reason), "files", files, "findings", findings_array(result), "keys",
                               result->keys, "made_by", made_by_object(result), "command", command_or_null(report, result));
    free(prompt);
    if (object && result->earlier_files.count)
        json_object_set_new(object, "earlier_files", names_array(&result->earlier_files));
    if (!object)
        fail("cannot report on '%s': the path of its model is no UTF-8", take->name);
    return object;
}

static json_t *summary_object(const struct report *report)
{
    json_int_t done = 0, bad = 0;
    for (size_t i = 0; i < report->take_count; i++) {
        done += report->takes[i].status == TAKE_MADE || report->takes[i].status == TAKE_REUSED;
        bad += report->takes[i].status == TAKE_FAILED;
    }
    json_int_t all = (json_int_t)report->take_count;
    return json_pack("{s:I, s:I, s:I, s:I}", "results", all, "done", done, "failed", bad, "not_made", all - done - bad);
}

/* Earlier results by name: a list searched for each of a thousand would show. */
static json_t *by_name(const json_t *earlier)
{
    json_t *index = json_object(), *result;
    size_t i;
    json_array_foreach(json_object_get(earlier, "results"), i, result)
        json_object_set(index, string_at(result, "name", ""), result);
    return index;
}

static json_t *results_array(const struct report *report, const json_t *earlier)
{
    json_t *results = json_array(), *index = by_name(earlier);
    int status = 0;
    for (size_t i = 0; i < report->take_count && !status; i++) {
        const struct take_report *result = &report->takes[i];
        status = json_array_append_new(results, result_object(report, result, json_object_get(index, result->take->name)));
    }
    json_decref(index);
    if (!status)
        return results;
    json_decref(results);
    return NULL;
}

json_t *report_object(const struct report *report, const json_t *earlier)
{
    json_t *results = results_array(report, earlier);
    if (!results)
        return NULL;
    return json_pack("{s:s, s:s, s:b, s:o, s:o, s:o}", "format", "leitmotif.report/1", "generator", "leitmotif " LEITMOTIF_VERSION,
                     "ai_generated", 1, "project", project_settings(report->project), "summary", summary_object(report), "results",
                     results);
}
