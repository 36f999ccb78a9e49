/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/progress.h"
#include "leitmotif/wording.h"

/* what the program is told */

/* "9f03…/audio.wav" of a recipe as a path in the store. */
static json_t *input_path(const struct store *store, const json_t *input)
{
    const char *text = json_string_value(input), *slash = strchr(text, '/');
    char *key = copy_bytes(text, (size_t)(slash - text)), *path = store_path(store, key, slash + 1);
    json_t *value = json_string(path);
    free(path);
    free(key);
    return value;
}

/* ["12=/…/condition.safetensors", …] */
static json_t *input_list(const struct store *store, const json_t *inputs, const json_t *values)
{
    json_t *list = json_array(), *input;
    size_t i;
    json_array_foreach(inputs, i, input) {
        struct text text = {0};
        json_t *path = input_path(store, input);
        append_number(&text, json_real_value(json_array_get(values, i)));
        text_appendf(&text, "=%s", json_string_value(path));
        json_array_append_new(list, json_string(text.data));
        json_decref(path);
        text_release(&text);
    }
    return list;
}

static void add_inputs(json_t *line, const struct store *store, const json_t *recipe)
{
    const char *option;
    json_t *inputs, *values;
    json_object_foreach(json_object_get(recipe, "inputs"), option, inputs) {
        values = json_object_get(line, option);
        json_object_set_new(line, option, values ? input_list(store, inputs, values) : input_path(store, json_array_get(inputs, 0)));
    }
}

static json_t *place(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    json_t *value = json_string(path);
    free(path);
    return value;
}

static void add_outputs(json_t *line, const struct stage *stage, const char *temporary)
{
    size_t i;
    json_t *output;
    if (stage->output)
        json_object_set_new(line, stage->output, place(temporary, stage->file));
    else
        json_array_foreach(json_object_get(line, "outputs"), i, output)
            json_object_set_new(output, "file", place(temporary, json_string_value(json_object_get(output, "file"))));
}

static void add_files(json_t *line, const struct job *job)
{
    for (size_t i = 0; i < job->file_count; i++)
        json_object_set_new(line, job->files[i].option, json_string(job->files[i].path));
}

static char *job_line(const struct job *job, const struct store *store, const char *temporary)
{
    json_t *recipe = json_loads(job->recipe, 0, NULL), *line = json_object_get(recipe, "options");
    add_inputs(line, store, recipe);
    add_files(line, job);
    add_outputs(line, job->stage, temporary);
    char *text = json_canonical(line);
    json_decref(recipe);
    return text;
}

/* An unnamed file with a line for each job, read from its beginning. */
static int write_lines(const struct batch *batch)
{
    struct text lines = {0};
    for (size_t i = 0; i < batch->count; i++) {
        char *line = job_line(batch->jobs[i], batch->store, batch->temporaries[i]);
        text_appendf(&lines, "%s\n", line);
        free(line);
    }
    int file = memfd_create("jobs", MFD_CLOEXEC);
    ssize_t written = 0;
    for (size_t done = 0; file >= 0 && written >= 0 && done < lines.length; done += (size_t)written)
        written = write(file, lines.data + done, lines.length - done);
    text_release(&lines);
    if (file >= 0 && written >= 0 && lseek(file, 0, SEEK_SET) == 0)
        return file;
    fail("cannot hold the list of jobs: %s", strerror(errno));
    if (file >= 0)
        close(file);
    return -1;
}

static void add_argument(struct string_list *arguments, const char *name, const char *value)
{
    if (!value)
        return;
    char *flag = format_string("--%s", name);
    string_list_add(arguments, flag);
    string_list_add(arguments, value);
    free(flag);
}

static void add_neural_arguments(struct string_list *arguments, const struct batch *batch)
{
    const struct job *job = batch->jobs[0];
    json_t *recipe = json_loads(job->recipe, 0, NULL), *value;
    const char *option;
    add_argument(arguments, "model", job->model->request);
    add_argument(arguments, "device", batch->options->device ? batch->options->device : "auto");
    add_argument(arguments, "memory", batch->options->memory);
    json_object_foreach(json_object_get(recipe, "arguments"), option, value)
        add_argument(arguments, option, json_string_value(value));
    json_decref(recipe);
}

static int list_arguments(const struct batch *batch, struct string_list *arguments)
{
    char *path = process_find(batch->stage->program);
    char *threads = format_string("%d", batch->stage->neural ? batch->options->threads : 1);
    if (path) {
        string_list_add(arguments, path);
        add_argument(arguments, "jobs", "-");
        add_argument(arguments, "progress", batch->options->show_progress ? "json" : "none");
        add_argument(arguments, "threads", threads);
        if (batch->stage->neural)
            add_neural_arguments(arguments, batch);
        arguments->items = grow(arguments->items, arguments->count, &arguments->capacity, sizeof *arguments->items);
        arguments->items[arguments->count] = NULL;
    }
    free(threads);
    free(path);
    return path ? 0 : -1;
}

static int start_program(struct batch *batch)
{
    struct string_list arguments = {0};
    int lines = -1, result = list_arguments(batch, &arguments);
    if (result == 0)
        lines = write_lines(batch);
    if (lines >= 0) {
        result = process_start(&batch->process, arguments.items, lines);
        close(lines);
    }
    string_list_release(&arguments);
    return lines < 0 ? -1 : result;
}

/* what becomes of its jobs */

static void settle(struct batch *batch, size_t number, enum job_state state)
{
    struct job *job = batch->jobs[number];
    if (batch->temporaries[number] && state != JOB_MADE)
        store_abandon(batch->temporaries[number]);
    free(batch->temporaries[number]);
    batch->temporaries[number] = NULL;
    job->state = state;
    if (state != JOB_WAITING)
        batch->settled(batch->context, job);
}

static void settle_failed(struct batch *batch, size_t number, const char *error)
{
    batch->jobs[number]->error = store_places(batch->store, error);
    settle(batch, number, JOB_FAILED);
}

static bool has_file(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    bool found = file_exists(path);
    free(path);
    return found;
}

/* The first of the outputs that is not there; yours, or NULL. */
static char *absent_output(const char *recipe_text, const char *temporary)
{
    json_t *recipe = json_loads(recipe_text, 0, NULL), *output;
    char *absent = NULL;
    size_t i;
    json_array_foreach(json_object_get(json_object_get(recipe, "options"), "outputs"), i, output) {
        const char *file = json_string_value(json_object_get(output, "file"));
        if (!absent && !has_file(temporary, file))
            absent = copy_string(file);
    }
    json_decref(recipe);
    return absent;
}

/* The first file that a finished job should have written and has not; yours, or NULL. */
static char *absent_file(const struct job *job, const char *temporary)
{
    const struct stage *stage = job->stage;
    if (!stage->output)
        return absent_output(job->recipe, temporary);
    return has_file(temporary, stage->file) ? NULL : copy_string(stage->file);
}

/* A result is stored under what its files held when the plan was made: it must be made of that. */
static int check_files_unchanged(const struct job *job)
{
    char hash[HASH_HEX_SIZE];
    for (size_t i = 0; i < job->file_count; i++) {
        if (hash_file(job->files[i].path, hash))
            return -1;
        if (strcmp(hash, job->files[i].hash))
            return fail("'%s' changed while it was used; render again", job->files[i].path);
    }
    return 0;
}

static int keep_result(struct batch *batch, size_t number)
{
    struct job *job = batch->jobs[number];
    const char *temporary = batch->temporaries[number];
    char *absent = absent_file(job, temporary);
    if (absent) {
        fail("'%s' said that it was done, but wrote no '%s'", batch->stage->program, absent);
        free(absent);
        return -1;
    }
    if (check_files_unchanged(job))
        return -1;
    return store_commit(batch->store, job->key, temporary, job->recipe, job->made_by);
}

static void take_done(struct batch *batch, size_t number, json_t *line)
{
    static const char *const passing[] = {"job", "output", "status", "input"}; /* places and numbers of this run only */
    for (size_t i = 0; i < COUNT_OF(passing); i++)
        json_object_del(line, passing[i]);
    json_decref(batch->jobs[number]->made_by);
    batch->jobs[number]->made_by = json_incref(line);
    if (keep_result(batch, number))
        settle_failed(batch, number, failure_text());
    else
        settle(batch, number, JOB_MADE);
    failure_clear();
}

/* A verdict ("passed") is a result whether good or bad. */
static void take_output_line(void *context, const char *text, size_t length)
{
    struct batch *batch = context;
    json_t *line = json_parse(text, length, "line");
    json_int_t number = json_integer_value(json_object_get(line, "job"));
    failure_clear();
    if (number >= 1 && (size_t)number <= batch->count && batch->temporaries[number - 1]) {
        bool done = strcmp(json_member_string(line, "status", ""), "done") == 0;
        if (done || json_object_get(line, "passed"))
            take_done(batch, (size_t)number - 1, line);
        else
            settle_failed(batch, (size_t)number - 1, json_member_string(line, "error", "failed without a reason"));
    }
    json_decref(line);
}

/* Progress, a failure ("PROGRAM: text", told again where its job fails), or a note for the person. */
static void take_error_line(void *context, const char *text, size_t length)
{
    struct batch *batch = context;
    size_t name = strlen(batch->stage->program);
    if (length == 0)
        return;
    if (text[0] == '{') {
        json_t *line = json_parse(text, length, "line");
        failure_clear();
        if (line)
            batch->progress(batch->context, batch, line);
        json_decref(line);
        return;
    }
    bool failure = strncmp(text, batch->stage->program, name) == 0 && strncmp(text + name, ": ", 2) == 0;
    if (!failure)
        batch->note(batch->context, text);
    free(batch->complaint);
    batch->complaint = copy_bytes(failure ? text + name + 2 : text, failure ? length - name - 2 : length);
}

/* its life */

static int make_temporaries(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        batch->temporaries[i] = store_begin(batch->store, batch->jobs[i]->key);
        if (!batch->temporaries[i])
            return -1;
    }
    return 0;
}

void batch_start(struct batch *batch, struct job **jobs, size_t count)
{
    batch->jobs = jobs;
    batch->count = count;
    batch->stage = jobs[0]->stage;
    batch->temporaries = allocate(count, sizeof *batch->temporaries);
    for (size_t i = 0; i < count; i++)
        jobs[i]->state = JOB_RUNNING;
    if (make_temporaries(batch) == 0 && start_program(batch) == 0)
        return;
    char *error = copy_string(failure_text());
    failure_clear();
    for (size_t i = 0; i < count; i++)
        settle_failed(batch, i, error);
    free(error);
}

static void read_all(struct batch *batch)
{
    process_read(&batch->process.errors, take_error_line, batch);
    process_read(&batch->process.output, take_output_line, batch);
}

/* A complaint explains an exit status, never a signal. */
static char *why_unsettled(const struct batch *batch)
{
    if (WIFSIGNALED(batch->process.status) || (WEXITSTATUS(batch->process.status) && !batch->complaint))
        return process_fate(&batch->process);
    return copy_string(WEXITSTATUS(batch->process.status) ? batch->complaint : "ended without making it");
}

void batch_look(struct batch *batch, bool stopped)
{
    read_all(batch);
    batch->ended = !batch->process.pid || process_ended(&batch->process);
    if (!batch->ended)
        return;
    read_all(batch);
    char *error = why_unsettled(batch);
    for (size_t i = 0; i < batch->count; i++) {
        if (!batch->temporaries[i])
            continue;
        if (stopped)
            settle(batch, i, JOB_WAITING);
        else
            settle_failed(batch, i, error);
    }
    free(error);
}

void batch_release(struct batch *batch)
{
    process_release(&batch->process);
    for (size_t i = 0; i < batch->count; i++)
        free(batch->temporaries[i]);
    free(batch->temporaries);
    free(batch->jobs);
    free(batch->complaint);
}
