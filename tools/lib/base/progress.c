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

enum { BAR_WIDTH = 24, LABEL_SIZE = 80, LONGEST_LINE = 256 };

static const double SECONDS_BETWEEN = 0.1;

static struct {
    enum progress_mode mode; /* resolved: never AUTO */
    bool terminal, quiet, shown;
    size_t job, jobs;
    char label[LABEL_SIZE], stage[32];
    double started, stage_started, last; /* of job 1, of the stage, of what was shown last */
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
    if (job <= 1 || state.started == 0)
        state.started = clock_seconds();
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

static void print_json(int64_t done, int64_t total, double elapsed)
{
    json_t *line = json_pack("{s:I,s:I,s:s,s:I,s:I,s:f,s:f}", "job", (json_int_t)state.job, "jobs", (json_int_t)state.jobs,
                             "stage", state.stage, "done", (json_int_t)done, "total", (json_int_t)total, "seconds", elapsed,
                             "remaining", remaining_seconds(done, total, elapsed));
    if (line)
        json_dumpf(line, stderr, JSON_COMPACT | JSON_REAL_PRECISION(6));
    fputc('\n', stderr);
    json_decref(line);
}

/* At most `most` columns of a line; a character is a column here, and none is cut in two. */
static void cut_utf8(char *line, size_t most)
{
    size_t characters = 0;
    for (char *at = line; *at; at++)
        if ((*at & 0xc0) != 0x80 && characters++ == most) {
            *at = 0;
            return;
        }
}

/* Columns of the terminal, less one: a full last column would wrap. */
static int columns(void)
{
    struct winsize size;
    if (!state.terminal || ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || size.ws_col < 2)
        return LONGEST_LINE - 1;
    return size.ws_col - 1 < LONGEST_LINE - 1 ? size.ws_col - 1 : LONGEST_LINE - 1;
}

/* Of this job; with several, of all that are left, taken to be alike. */
static double remaining_of_all(int64_t done, int64_t total, double remaining)
{
    double part = total > 0 ? (double)done / (double)total : 1, made = (double)state.job - 1 + part;
    if (state.jobs <= 1 || made <= 0)
        return remaining;
    return (clock_seconds() - state.started) / made * ((double)state.jobs - made);
}

static void print_bar(int64_t done, int64_t total, double elapsed)
{
    static const char filled[] = "########################", empty[] = "........................";
    int percent = total > 0 ? (int)(100 * done / total) : 100, cells = BAR_WIDTH * percent / 100;
    int left = (int)remaining_of_all(done, total, remaining_seconds(done, total, elapsed));
    char line[LONGEST_LINE], count[32] = "";
    if (!state.terminal && percent == state.last_percent)
        return;
    state.last_percent = percent;
    if (state.jobs > 1)
        snprintf(count, sizeof count, "[%zu/%zu] ", state.job, state.jobs);
    snprintf(line, sizeof line, "%s%-8s %.*s%.*s %3d %%  %d:%02d left  %s", count, state.stage, cells, filled, BAR_WIDTH - cells, empty,
             percent, left / 60, left % 60, state.label);
    cut_utf8(line, (size_t)columns());
    fprintf(stderr, "%s%s%s", state.terminal ? "\r" : "", line, state.terminal ? "\033[K" : "\n");
    state.shown = state.terminal;
}

void progress_step(const char *stage, int64_t done, int64_t total)
{
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
