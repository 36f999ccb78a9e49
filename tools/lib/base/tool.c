/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tool.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failure.h"
#include "base/file.h"
#include "base/flags.h"
#include "base/json.h"
#include "base/machine.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/version.h"

enum { LONGEST_JOBS_FILE = 1 << 30, MOST_THREADS = 1024 };

struct common {
    bool quiet;
    char *progress, *jobs;
    int64_t threads;
};

static const char *const PROGRESS_NAMES[] = {"auto", "bar", "json", "none", NULL};

static const struct setting COMMON_SETTINGS[] = {
    {.name = "jobs", .type = SETTING_STRING, .scope = SCOPE_PROCESS, .offset = offsetof(struct common, jobs), .argument = "FILE",
     .help = "many pieces of work: one JSON object a line, keys as the options (- for stdin)"},
    {.name = "threads", .type = SETTING_INTEGER, .scope = SCOPE_PROCESS, .offset = offsetof(struct common, threads), .argument = "N",
     .help = "processors to use (default: all this process may use)", .minimum = 1, .maximum = MOST_THREADS},
    {.name = "progress", .type = SETTING_CHOICE, .scope = SCOPE_PROCESS, .offset = offsetof(struct common, progress),
     .argument = "auto|bar|json|none", .help = "what stderr shows of the work (default: auto)", .choices = PROGRESS_NAMES},
    {.name = "quiet", .letter = 'q', .type = SETTING_FLAG, .scope = SCOPE_PROCESS, .offset = offsetof(struct common, quiet),
     .help = "errors only on stderr"},
    {0},
};

void *tool_job(struct tool_run *run, size_t index)
{
    return run->jobs + index * run->tool->job_size;
}

/* Adds a job with its defaults. Jobs are made before any pointer to one is kept. */
static void *add_job(struct tool_run *run)
{
    run->jobs = reallocate(run->jobs, run->count + 1, run->tool->job_size);
    void *job = tool_job(run, run->count++);
    memset(job, 0, run->tool->job_size);
    if (run->tool->defaults)
        run->tool->defaults(NULL, job);
    return job;
}

static int check_job(struct tool_run *run, void *job)
{
    return run->tool->check ? run->tool->check(run->process, job) : 0;
}

/* reading jobs */

static int read_line(struct tool_run *run, const char *line, size_t length, const char *subject)
{
    json_t *object = json_parse(line, length, subject);
    if (!object) {
        char *text = copy_string(failure_text());
        failure_clear();
        misuse("%s", text);
        free(text);
        return -1;
    }
    void *job = add_job(run);
    int result = settings_from_json(run->tool->settings, job, object) || check_job(run, job) ? failure_within("%s", subject) : 0;
    json_decref(object);
    return result;
}

static int read_lines(struct tool_run *run, const struct text *content, const char *path)
{
    const char *at = text_string(content), *end = at + content->length;
    for (size_t number = 1; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);
        char *subject = format_string("'%s' line %zu", path, number);
        int result = strspn(at, " \t\r") >= length ? 0 : read_line(run, at, length, subject);
        free(subject);
        if (result)
            return -1;
        at += length + 1;
    }
    return 0;
}

static int read_jobs(struct tool_run *run, const struct flags *flags, const char *path)
{
    struct text content = {0};
    for (size_t i = 0; i < flags->count; i++)
        if (flags->items[i].setting->scope == SCOPE_JOB)
            return misuse("'--%s' cannot stand beside --jobs: put it into the jobs", flags->items[i].setting->name);
    if (flags->arguments.count)
        return misuse("unexpected argument '%s' beside --jobs", flags->arguments.items[0]);
    if (file_read(path, LONGEST_JOBS_FILE, &content))
        return -1;
    int result = read_lines(run, &content, strcmp(path, "-") ? path : "stdin");
    text_release(&content);
    return result;
}

static int read_one(struct tool_run *run, const struct flags *flags, const char *argument)
{
    void *job = add_job(run);
    if (flags_apply(flags, run->tool->settings, SCOPE_JOB, job))
        return -1;
    if (argument && setting_set(setting_find(run->tool->settings, run->tool->positional), job, argument))
        return -1;
    return check_job(run, job);
}

static int read_flags(struct tool_run *run, const struct flags *flags)
{
    const struct string_list *arguments = &flags->arguments;
    if (arguments->count && !run->tool->positional)
        return misuse("unexpected argument '%s'; see --help", arguments->items[0]);
    if (!arguments->count)
        return read_one(run, flags, NULL);
    if (flags_have(flags, run->tool->positional))
        return misuse("unexpected argument '%s' beside --%s", arguments->items[0], run->tool->positional);
    for (size_t i = 0; i < arguments->count; i++)
        if (read_one(run, flags, arguments->items[i]))
            return -1;
    return 0;
}

/* two jobs with one output */

struct places {
    char **items;
    size_t count, capacity;
};

static void add_place(void *context, const char *path)
{
    struct places *places = context;
    char *target = realpath(path, NULL); /* a link is written through; what is no file may take many results */
    if (target && !file_exists(target)) {
        free(target);
        return;
    }
    char *folder = path_folder(target ? target : path), *real = realpath(folder, NULL);
    places->items = grow(places->items, places->count, &places->capacity, sizeof *places->items);
    places->items[places->count++] = path_join(real ? real : folder, path_name(target ? target : path));
    free(folder);
    free(real);
    free(target);
}

static int compare_places(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int check_places(struct tool_run *run)
{
    struct places places = {0};
    int result = 0;
    for (size_t i = 0; run->tool->outputs && i < run->count; i++)
        run->tool->outputs(tool_job(run, i), add_place, &places);
    if (places.count)
        qsort(places.items, places.count, sizeof *places.items, compare_places);
    for (size_t i = 0; i < places.count; i++)
        if (i && result == 0 && strcmp(places.items[i - 1], places.items[i]) == 0)
            result = misuse("two results would be written to '%s'", places.items[i]);
    for (size_t i = 0; i < places.count; i++)
        free(places.items[i]);
    free(places.items);
    return result;
}

/* running jobs */

static void first_place(void *context, const char *path)
{
    const char **first = context;
    if (!*first)
        *first = path;
}

static const char *job_label(struct tool_run *run, size_t index)
{
    const char *label = NULL;
    if (run->tool->outputs)
        run->tool->outputs(tool_job(run, index), first_place, &label);
    return label;
}

static void check_place(void *context, const char *path)
{
    (void)context;
    if (!failed())
        output_check(path);
}

bool tool_job_begin(struct tool_run *run, size_t index)
{
    const char *label = job_label(run, index);
    run->started[index] = clock_seconds();
    progress_job(index + 1, run->count, label ? path_name(label) : NULL);
    if (run->tool->outputs)
        run->tool->outputs(tool_job(run, index), check_place, NULL);
    if (!failed())
        return true;
    tool_job_end(run, index, NULL);
    return false;
}

static double rounded(double seconds)
{
    return round(seconds * 1000) / 1000;
}

static void print_line(struct tool_run *run, size_t index, const json_t *result)
{
    const char *label = job_label(run, index);
    json_t *line = json_object();
    json_object_set_new(line, "job", json_integer((json_int_t)index + 1));
    if (label)
        json_object_set_new(line, "output", json_string(label));
    json_object_set_new(line, "status", json_string(failed() ? "failed" : "done"));
    if (failed())
        json_object_set_new(line, "error", json_string(failure_text()));
    json_object_set_new(line, "seconds", json_real(rounded(clock_seconds() - run->started[index])));
    if (result)
        json_object_update(line, (json_t *)(uintptr_t)result);
    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

void tool_job_end(struct tool_run *run, size_t index, json_t *result)
{
    progress_end();
    int status = failure_status();
    if (status == EXIT_DONE && json_is_false(json_object_get(result, "passed")))
        status = EXIT_FAILED;
    if (run->by_jobs || run->tool->keeps_result)
        print_line(run, index, result);
    if (failed() && run->count > 1)
        failure_within("job %zu", index + 1);
    failure_print(run->tool->name);
    failure_clear();
    if (status != EXIT_DONE)
        run->status = run->count > 1 ? EXIT_FAILED : status;
    json_decref(result);
}

/* the program */

static int processors(void)
{
    int count = processors_available();
    return count < MOST_THREADS ? count : MOST_THREADS;
}

static void start_progress(const struct common *common)
{
    enum progress_mode mode = PROGRESS_AUTO;
    for (int i = 0; common->progress && PROGRESS_NAMES[i]; i++)
        if (strcmp(PROGRESS_NAMES[i], common->progress) == 0)
            mode = (enum progress_mode)i;
    progress_start(mode);
    if (common->quiet)
        progress_quiet();
}

static int read_work(struct tool_run *run, const struct flags *flags, const char *jobs)
{
    if (run->tool->defaults)
        run->tool->defaults(run->process, NULL);
    if (flags_apply(flags, run->tool->settings, SCOPE_PROCESS, run->process))
        return -1;
    run->by_jobs = jobs != NULL;
    if (jobs ? read_jobs(run, flags, jobs) : read_flags(run, flags))
        return -1;
    return check_places(run);
}

static int do_work(struct tool_run *run, const struct flags *flags, const struct common *common)
{
    run->threads = common->threads ? (int)common->threads : processors();
    start_progress(common);
    if (read_work(run, flags, common->jobs) == 0) {
        run->started = allocate(run->count, sizeof *run->started);
        cleanup_on_signals();
        if (run->count)
            run->tool->work(run);
        progress_end();
    }
    int status = failure_print(run->tool->name);
    return status ? status : run->status;
}

static void release_run(struct tool_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        if (run->tool->release)
            run->tool->release(tool_job(run, i));
        settings_release(run->tool->settings, tool_job(run, i), SCOPE_JOB);
    }
    settings_release(run->tool->settings, run->process, SCOPE_PROCESS);
    free(run->process);
    free(run->jobs);
    free(run->started);
}

static int run_tool(const struct tool *tool, const struct flags *flags)
{
    struct common common = {0};
    struct tool_run run = {.tool = tool, .process = allocate(1, tool->process_size)};
    int status = flags_apply(flags, COMMON_SETTINGS, SCOPE_PROCESS, &common) ? failure_print(tool->name)
                                                                              : do_work(&run, flags, &common);
    release_run(&run);
    settings_release(COMMON_SETTINGS, &common, SCOPE_PROCESS);
    return status;
}

static int finish_stdout(const char *name, int status)
{
    if ((fflush(stdout) || ferror(stdout)) && status == EXIT_DONE) {
        fprintf(stderr, "%s: cannot write to stdout: %s\n", name, strerror(errno));
        return EXIT_FAILED;
    }
    return status;
}

int tool_main(const struct tool *tool, int argc, char **argv)
{
    const struct setting *tables[] = {tool->settings, COMMON_SETTINGS, NULL};
    const struct flags_text text = {tool->name, tool->usage, tool->purpose, tool->notes};
    struct flags flags;
    int status = EXIT_DONE;
    keep_standard_descriptors();
    setlocale(LC_CTYPE, "C.UTF-8");
    if (flags_read(&flags, tables, argc, argv))
        status = failure_print(tool->name);
    else if (flags.help)
        flags_print_help(&text, tables);
    else if (flags.version)
        printf("%s %s\n", tool->name, LEITMOTIF_VERSION);
    else
        status = run_tool(tool, &flags);
    flags_release(&flags);
    return finish_stdout(tool->name, status);
}
