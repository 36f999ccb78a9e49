/* SPDX-License-Identifier: Apache-2.0 */
#include "sample-tokens/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

void request_defaults(struct request *request)
{
    request->duration = 10;
    request->temperature = 1;
    request->top_k = USUAL_TOP_K;
    request->guidance = MODELS_GUIDANCE;
}

int section_parse(const char *text, double *seconds, const char **file)
{
    const char *equals = strchr(text, '=');
    if (!equals || !equals[1])
        return misuse("'--section %s': expected START=FILE, such as 12.5=outro.safetensors", text);
    char *start = copy_bytes(text, (size_t)(equals - text));
    int result = parse_number(start, seconds) || *seconds < 0
                     ? misuse("'--section %s': '%s' is no number of seconds from 0 on", text, start) : 0;
    free(start);
    *file = equals + 1;
    return result;
}

static int check_sections(const struct request *request)
{
    double last = -1;
    bool at_start = false;
    for (size_t i = 0; i < request->sections.count; i++) {
        double seconds = 0;
        const char *file, *text = request->sections.items[i];
        if (section_parse(text, &seconds, &file))
            return -1;
        if (file_not_replaced(file, request->output))
            return -1;
        if (seconds <= last)
            return misuse("'--section %s' starts no later than the one before it: give sections in order", text);
        if (seconds >= request->duration)
            return misuse("'--section %s' starts at or after the end: --duration is %g s", text, request->duration);
        at_start |= seconds == 0;
        last = seconds;
    }
    if (at_start && request->condition)
        return misuse("--condition and a section at 0 s both give the first condition: leave one out");
    if (!at_start && !request->condition)
        return misuse("--condition is missing: the file that encode-text wrote");
    return 0;
}

int request_check(const struct request *request, bool needs_output)
{
    if (needs_output && !request->output)
        return misuse("--output is missing: the tokens file to write");
    if (file_not_replaced(request->condition, request->output) || file_not_replaced(request->earlier, request->output) ||
        file_not_replaced(request->melody, request->output))
        return -1;
    return check_sections(request);
}
