/* SPDX-License-Identifier: Apache-2.0
 * verify - is this result of a stage fit to be released? Findings to stdout and a report; exit status 1 when not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/tool.h"
#include "verify/checks.h"

static int results(const void *job, void (*each)(void *context, const char *path), void *context)
{
    const struct expectations *expectations = job;
    if (expectations->report)
        each(context, expectations->report);
    return 0;
}

static int write_report(const char *path, const json_t *object)
{
    char *text = json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(12)), *lines = format_string("%s\n", text);
    int result = file_write(path, lines, strlen(lines));
    free(lines);
    free(text);
    return result;
}

/* One line for the person; the job itself is done, and what it found is on stdout. */
static void complain(const char *input, const struct findings *findings)
{
    char *summary = findings_summary(findings), *quoted = format_string("'%s'", input);
    progress_end();
    if (strstr(summary, quoted)) /* a reader's own words name the file */
        fail("%s", summary);
    else
        fail("%s: %s", quoted, summary);
    failure_print("verify");
    failure_clear();
    free(quoted);
    free(summary);
}

static json_t *check_one(const struct expectations *expectations)
{
    struct findings findings = {0};
    const char *kind;
    json_t *object;
    if (check_file(expectations, &findings, &kind)) {
        object = json_pack("{s:s}", "input", expectations->input);
    } else {
        object = findings_object(&findings, expectations->input, kind);
        if (findings.failed_count)
            complain(expectations->input, &findings);
        if (expectations->report)
            write_report(expectations->report, object);
    }
    findings_release(&findings);
    return object;
}

static int work(struct tool_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        if (tool_job_begin(run, i))
            tool_job_end(run, i, check_one(tool_job(run, i)));
    return 0;
}

int main(int argc, char **argv)
{
    static const struct tool tool = {
        .name = "verify",
        .purpose = "checks results of any stage: audio files, tokens, conditions",
        .usage = "FILE... [--expect-duration SECONDS] [--expect-loudness LUFS] ...",
        .notes = "Prints one JSON object a file. Exit status: 0 all good, 1 found bad or cannot be read, 2 misuse.",
        .settings = EXPECTATIONS,
        .job_size = sizeof(struct expectations),
        .defaults = expectations_defaults,
        .check = expectations_check,
        .outputs = results,
        .work = work,
        .keeps_result = true,
        .positional = "input",
    };
    return tool_main(&tool, argc, argv);
}
