/* SPDX-License-Identifier: Apache-2.0
 * A project's settings as JSON: what `check --show` prints and the report repeats. */
#include <math.h>
#include <stdlib.h>

#include "leitmotif/project.h"

static json_t *real_or_null(double number)
{
    return isnan(number) ? json_null() : json_real(number);
}

static json_t *integer_or_null(int64_t number)
{
    return number ? json_integer(number) : json_null();
}

static json_t *release_settings(const struct release *release)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "format", release->format, "rate", integer_or_null(release->rate_hz),
                     "channels", integer_or_null(release->channels), "bits", integer_or_null(release->bits), "quality",
                     real_or_null(release->quality), "bitrate", integer_or_null(release->bit_rate));
}

static json_t *loudness_settings(const struct project *project)
{
    if (!project->loudness_on)
        return json_null();
    return json_pack("{s:f, s:f, s:s}", "target", project->loudness_target, "true_peak", project->true_peak, "over", "track");
}

json_t *project_settings(const struct project *project)
{
    const struct verify_settings *verify = &project->verify;
    json_t *outputs = json_array();
    for (size_t i = 0; i < project->release_count; i++)
        json_array_append_new(outputs, release_settings(&project->releases[i]));
    return json_pack("{s:s, s:s, s:I, s:o, s:o, s:{s:o, s:o, s:o}}", "title", project->title, "model", project->model, "seed",
                     (json_int_t)project->seed, "outputs", outputs, "loudness", loudness_settings(project), "verify",
                     "max_silence", real_or_null(verify->max_silence), "duration_tolerance",
                     real_or_null(verify->duration_tolerance), "loudness_tolerance", real_or_null(verify->loudness_tolerance));
}

json_t *take_settings(const struct take *take)
{
    char *prompt = take_prompt(take);
    json_t *settings = json_pack("{s:s, s:s, s:I, s:s, s:o, s:s, s:s?, s:s?, s:f, s:f, s:I, s:f, s:o, s:I}", "name", take->name, "track", take->track,
                                 "variation", (json_int_t)take->variation, "prompt", prompt, "sections", take_sections(take), "model", take->model,
                                 "melody", take->melody, "continue", take->continues, "duration", take->duration, "temperature", take->temperature,
                                 "top_k", (json_int_t)take->top_k, "top_p", take->top_p, "guidance", real_or_null(take->guidance), "seed", (json_int_t)take->seed);
    free(prompt);
    return settings;
}
