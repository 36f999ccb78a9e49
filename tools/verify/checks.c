/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/checks.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "formats/safetensors.h"

enum { SNIFFED_BYTES = 9 };

int finding_of_failure(struct findings *findings)
{
    finding_word(findings, CHECK_DECODE, VERDICT_FAILED, NULL, NULL, "%s", failure_text());
    failure_clear();
    return 0;
}

void check_duration(const struct expectations *expectations, struct findings *findings, double seconds)
{
    double expected = expectations->duration, tolerance = duration_tolerance(expectations);
    if (isnan(expected))
        finding_number(findings, CHECK_DURATION, VERDICT_SKIPPED, seconds, NAN, "duration is %.6g s", seconds);
    else
        finding_number(findings, CHECK_DURATION, verdict_if(true, fabs(seconds - expected) <= tolerance), seconds, expected,
                       "duration is %.6g s, expected %g s within %g s", seconds, expected, tolerance);
}

/* The first bytes of a regular file and its size. Never waits: a pipe is opened and refused. */
static int read_head(const char *path, unsigned char head[SNIFFED_BYTES], int64_t *size)
{
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return fail("cannot open '%s': %s", path, strerror(errno));
    if (fstat(descriptor, &status) != 0)
        fail("cannot open '%s': %s", path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        fail("cannot check '%s': it is no regular file", path);
    else if (pread(descriptor, head, SNIFFED_BYTES, 0) < 0)
        fail("cannot read '%s': %s", path, strerror(errno));
    close(descriptor);
    *size = failed() ? 0 : status.st_size;
    return failed() ? -1 : 0;
}

/* Safetensors begin with the length of a JSON header, in 8 bytes, low first; no audio file does. */
static bool is_safetensors(const char *path, const unsigned char head[SNIFFED_BYTES], int64_t size)
{
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | head[i];
    return has_suffix(path, ".safetensors") || (head[8] == '{' && length < (uint64_t)size);
}

static const struct stage {
    const char *format, *kind;
    int (*check)(const struct expectations *expectations, struct findings *findings);
} STAGES[] = {
    {"leitmotif.tokens/1", "tokens", check_tokens},
    {"leitmotif.condition/1", "condition", check_condition},
};

static int check_stage(const struct expectations *expectations, struct findings *findings, const char **kind)
{
    const struct stage *stage = NULL;
    struct safetensors *file = safetensors_open(expectations->input);
    if (!file)
        return finding_of_failure(findings);
    const char *format = safetensors_metadata(file, "format");
    for (size_t i = 0; format && i < COUNT_OF(STAGES); i++)
        if (strcmp(STAGES[i].format, format) == 0)
            stage = &STAGES[i];
    if (!stage)
        finding_word(findings, CHECK_DECODE, VERDICT_FAILED, format, NULL, "no file of a stage: its format is '%s'",
                     format ? format : "");
    safetensors_close(file);
    if (!stage)
        return 0;
    *kind = stage->kind;
    return stage->check(expectations, findings);
}

int check_file(const struct expectations *expectations, struct findings *findings, const char **kind)
{
    unsigned char head[SNIFFED_BYTES] = {0};
    int64_t size = 0;
    if (read_head(expectations->input, head, &size))
        return -1;
    *kind = is_safetensors(expectations->input, head, size) ? "stage" : "audio";
    return strcmp(*kind, "audio") == 0 ? check_audio(expectations, findings) : check_stage(expectations, findings, kind);
}
