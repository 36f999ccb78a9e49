/* SPDX-License-Identifier: Apache-2.0 */
#include "base/progress.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { BAR_WIDTH = 24, LABEL_SIZE = 80 };

static const double SECONDS_BETWEEN = 0.1;

static struct {
    enum progress_mode mode; /* resolved: never AUTO */
    bool terminal, quiet, shown, bytes;
    size_t job, jobs;
    char label[LABEL_SIZE], stage[32];
    double stage_started, last;
    int last_percent;
    int64_t first; /* done when the stage was first seen */
} state = {.mode = PROGRESS_NONE};

void progress_start(enum progress_mode mode)
{
    state.terminal = isatty(STDERR_FILENO);
    if (mode == PROGRESS_AUTO)
        mode = state.terminal ? PROGRESS_BAR : PROGRESS_NONE;
    state.mode = mode;
}

void progress_quiet(void)
{
    state.quiet = true;
    if (state.mode == PROGRESS_BAR)
        state.mode = PROGRESS_NONE;
}

void progress_job(size_t job, size_t jobs, const char *label)
{
    state.job = job;
    state.jobs = jobs;
    snprintf(state.label, sizeof state.label, "%s", label ? label : "");
    state.stage[0] = 0;
}

static double remaining_seconds(int64_t done, int64_t total, double elapsed)
{
    int64_t made = done - state.first;
    return made > 0 ? elapsed / (double)made * (double)(total - done) : 0;
}

static double rate_per_second(int64_t done, double elapsed)
{
    return done > state.first && elapsed > 0 ? (double)(done - state.first) / elapsed : 0;
}

static void print_json(int64_t done, int64_t total, double elapsed)
{
    json_t *line = json_pack("{s:I,s:I,s:s,s:I,s:I,s:f,s:f}", "job", (json_int_t)state.job, "jobs", (json_int_t)state.jobs,
                             "stage", state.stage, "done", (json_int_t)done, "total", (json_int_t)total, "seconds", elapsed,
                             "remaining", remaining_seconds(done, total, elapsed));
    if (line && state.bytes)
        json_object_set_new(line, "rate", json_real(rate_per_second(done, elapsed)));
    if (line)
        json_dumpf(line, stderr, JSON_COMPACT | JSON_REAL_PRECISION(6));
    fputc('\n', stderr);
    json_decref(line);
}

static void print_bar(int64_t done, int64_t total, double elapsed)
{
    static const char filled[] = "########################", empty[] = "........................";
    int percent = total > 0 ? (int)(100 * done / total) : 100, cells = BAR_WIDTH * percent / 100;
    double left = remaining_seconds(done, total, elapsed);
    if (!state.terminal && percent == state.last_percent)
        return;
    state.last_percent = percent;
    fprintf(stderr, "%s", state.terminal ? "\r" : "");
    if (state.jobs > 1)
        fprintf(stderr, "[%zu/%zu] ", state.job, state.jobs);
    fprintf(stderr, "%-8s %.*s%.*s %3d %%  %d:%02d left  ", state.stage, cells, filled, BAR_WIDTH - cells, empty, percent,
            (int)left / 60, (int)left % 60);
    if (state.bytes)
        fprintf(stderr, "%.1f MB/s  ", rate_per_second(done, elapsed) / 1e6);
    fprintf(stderr, "%.40s%s", state.label, state.terminal ? "\033[K" : "\n");
    state.shown = state.terminal;
}

static void step(const char *stage, int64_t done, int64_t total, bool bytes)
{
    state.bytes = bytes;
    if (state.mode == PROGRESS_NONE)
        return;
    double now = clock_seconds();
    bool first = strcmp(stage, state.stage) != 0;
    if (first) {
        snprintf(state.stage, sizeof state.stage, "%s", stage);
        state.stage_started = now;
        state.first = done;
        state.last_percent = -1;
    } else if (now - state.last < SECONDS_BETWEEN && done < total)
        return;
    state.last = now;
    if (state.mode == PROGRESS_JSON)
        print_json(done, total, now - state.stage_started);
    else
        print_bar(done, total, now - state.stage_started);
}

void progress_step(const char *stage, int64_t done, int64_t total)
{
    step(stage, done, total, false);
}

void progress_bytes(const char *stage, int64_t done, int64_t total)
{
    step(stage, done, total, true);
}

static void clear_bar(void)
{
    if (state.shown)
        fputs("\r\033[K", stderr);
    state.shown = false;
}

void progress_end(void)
{
    clear_bar();
}

void note(const char *format, ...)
{
    va_list arguments;
    if (state.quiet)
        return;
    clear_bar();
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}
