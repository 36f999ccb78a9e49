/* SPDX-License-Identifier: Apache-2.0
 * Per take: encode-text -> sample-tokens -> decode-audio -> transcode -> verify of each release file; and verify of
 * the tokens.
 */
#include "leitmotif/stages.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/version.h"

enum { ENCODE_TEXT, SAMPLE_TOKENS, DECODE_AUDIO, TRANSCODE, VERIFY };

static const struct stage stages[] = {
    [ENCODE_TEXT] = {"encode-text", ENCODE_TEXT_RESULT, true, "output", "condition.safetensors"},
    [SAMPLE_TOKENS] = {"sample-tokens", SAMPLE_TOKENS_RESULT, true, "output", "tokens.safetensors"},
    [DECODE_AUDIO] = {"decode-audio", DECODE_AUDIO_RESULT, true, "output", "audio.wav"},
    [TRANSCODE] = {"transcode", TRANSCODE_RESULT, false, NULL, NULL},
    [VERIFY] = {"verify", VERIFY_RESULT, false, "report", "report.json"},
};

enum { OPUS_RATE_HZ = 48000 }; /* the only rate of its files, whatever is asked for */

static int64_t rate_of(const struct plan_take *take, const struct release *release)
{
    if (strcmp(release->format, "opus") == 0)
        return OPUS_RATE_HZ;
    return release->rate_hz ? release->rate_hz : take->model->model.codec.rate_hz;
}

static int64_t channels_of(const struct plan_take *take, const struct release *release)
{
    return release->channels ? release->channels : take->model->model.language.channels;
}

static void option_number(struct job *job, const char *option, double value)
{
    if (!isnan(value))
        job_option(job, option, json_real(value));
}

double stages_guidance(const struct plan_take *take)
{
    return isnan(take->take->guidance) ? take->model->model.guidance : take->take->guidance;
}

static struct job *add_condition(struct plan *plan, struct plan_take *take)
{
    struct job *job = job_new(take, &stages[ENCODE_TEXT]);
    job_option(job, "prompt", json_string(take->take->prompt));
    return plan_add(plan, take, job);
}

static struct job *add_tokens(struct plan *plan, struct plan_take *take, struct job *condition)
{
    struct job *job = job_new(take, &stages[SAMPLE_TOKENS]);
    job_input(job, "condition", condition, NULL);
    option_number(job, "duration", take->take->duration);
    job_option(job, "seed", json_integer(take->take->seed));
    option_number(job, "temperature", take->take->temperature);
    job_option(job, "top-k", json_integer(take->take->top_k));
    option_number(job, "top-p", take->take->top_p);
    option_number(job, "guidance", stages_guidance(take));
    return plan_add(plan, take, job);
}

static struct job *add_audio(struct plan *plan, struct plan_take *take, struct job *tokens)
{
    struct job *job = job_new(take, &stages[DECODE_AUDIO]);
    job_input(job, "tokens", tokens, NULL);
    return plan_add(plan, take, job);
}

static void add_tag(json_t *tags, char *tag)
{
    json_array_append_new(tags, json_string(tag));
    free(tag);
}

/* What every release file says of itself. */
static json_t *tags_of(const struct plan *plan, const struct plan_take *take)
{
    const struct take *settings = take->take;
    const struct model *model = &take->model->model;
    json_t *tags = json_array();
    add_tag(tags, format_string("title=%s", settings->name));
    add_tag(tags, format_string("album=%s", plan->project->title));
    add_tag(tags, format_string("comment=AI generated with %s by Leitmotif", model->name));
    add_tag(tags, format_string("model=%s", model->name));
    add_tag(tags, format_string("prompt=%s", settings->prompt));
    add_tag(tags, format_string("seed=%lld", (long long)settings->seed));
    add_tag(tags, format_string("settings=duration %g, temperature %g, top_k %lld, top_p %g, guidance %g", settings->duration,
                                settings->temperature, (long long)settings->top_k, settings->top_p, stages_guidance(take)));
    add_tag(tags, format_string("license=model weights: %s", model->licence));
    return tags;
}

static json_t *output_of(const struct plan_take *take, const struct release *release, const char *file)
{
    json_t *output = json_object();
    json_object_set_new(output, "file", json_string(file));
    json_object_set_new(output, "rate", json_integer(rate_of(take, release)));
    json_object_set_new(output, "channels", json_integer(channels_of(take, release)));
    if (release->bits)
        json_object_set_new(output, "bits", json_integer(release->bits));
    if (!isnan(release->quality))
        json_object_set_new(output, "quality", json_real(release->quality));
    if (release->bit_rate)
        json_object_set_new(output, "bitrate", json_integer(release->bit_rate));
    return output;
}

static json_t *outputs_of(const struct plan *plan, const struct plan_take *take)
{
    json_t *outputs = json_array();
    for (size_t i = 0; i < plan->project->release_count; i++)
        json_array_append_new(outputs, output_of(take, &plan->project->releases[i], take->files.items[i]));
    return outputs;
}

static struct job *add_release(struct plan *plan, struct plan_take *take, struct job *audio)
{
    struct job *job = job_new(take, &stages[TRANSCODE]);
    job_input(job, "input", audio, NULL);
    job_option(job, "outputs", outputs_of(plan, take));
    job_option(job, "tag", tags_of(plan, take));
    if (plan->project->loudness_on) {
        option_number(job, "loudness", plan->project->loudness_target);
        option_number(job, "true-peak", plan->project->true_peak);
    }
    return plan_add(plan, take, job);
}

static void expect(struct job *job, const struct plan *plan, const struct plan_take *take, const struct release *release)
{
    const struct project *project = plan->project;
    option_number(job, "expect-duration", take->take->duration);
    option_number(job, "duration-tolerance", project->verify.duration_tolerance);
    job_option(job, "expect-rate", json_integer(rate_of(take, release)));
    job_option(job, "expect-channels", json_integer(channels_of(take, release)));
    job_option(job, "expect-codec", json_string(release->format));
    option_number(job, "max-silence", project->verify.max_silence);
    if (project->loudness_on) {
        option_number(job, "expect-loudness", project->loudness_target);
        option_number(job, "loudness-tolerance", project->verify.loudness_tolerance);
        option_number(job, "max-true-peak", project->true_peak);
    }
}

/* A verdict on file `name` of a result; named "verify FILE". */
static struct job *new_verdict(const struct plan_take *take, struct job *from, const char *file)
{
    struct job *job = job_new(take, &stages[VERIFY]);
    job_input(job, "input", from, file);
    free(job->name);
    job->name = format_string("%s %s", stages[VERIFY].program, file);
    return job;
}

static void add_verdicts(struct plan *plan, struct plan_take *take)
{
    for (size_t i = 0; i < plan->project->release_count; i++) {
        struct job *job = new_verdict(take, take->release, take->files.items[i]);
        expect(job, plan, take, &plan->project->releases[i]);
        plan_add(plan, take, job);
    }
}

void stages_name_files(const struct project *project, struct plan_take *take)
{
    for (size_t i = 0; i < project->release_count; i++) {
        char *name = format_string("%s.%s", take->take->name, project->releases[i].format);
        string_list_add(&take->files, name);
        free(name);
    }
}

void stages_plan_take(struct plan *plan, struct plan_take *take)
{
    struct job *condition = add_condition(plan, take);
    struct job *tokens = add_tokens(plan, take, condition);
    struct job *audio = add_audio(plan, take, tokens);
    take->release = add_release(plan, take, audio);
    plan_add(plan, take, new_verdict(take, tokens, tokens->stage->file));
    add_verdicts(plan, take);
}

/* As sample-tokens resolves auto: exact weights either way, halved in memory where the device computes in float16. */
json_t *stages_arguments(const struct plan_options *options)
{
    bool automatic = !options->device || strcmp(options->device, "auto") == 0;
    bool cuda = automatic ? access("/dev/nvidiactl", F_OK) == 0 : has_prefix(options->device, "cuda");
    return json_pack("{s:{s:s,s:s,s:s}}", "sample-tokens", "engine", "torch", "weights", cuda ? "f16" : "f32", "cache", "f16");
}
