/* SPDX-License-Identifier: Apache-2.0
 * Per take: encode-text (of each section) -> sample-tokens -> decode-audio -> transcode -> verify of each release file; and verify of
 * the tokens, unless they begin with an audio file. Before sample-tokens comes encode-audio of the melody, and of an audio
 * file that is continued; or the sample-tokens of the take that is continued.
 */
#include "leitmotif/stages.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/path.h"
#include "base/text.h"
#include "base/version.h"
#include "libtorch/finder.h"

enum { ENCODE_TEXT, ENCODE_AUDIO, SAMPLE_TOKENS, DECODE_AUDIO, TRANSCODE, VERIFY };

static const struct stage stages[] = {
    [ENCODE_TEXT] = {"encode-text", ENCODE_TEXT_RESULT, true, "output", "condition.safetensors"},
    [ENCODE_AUDIO] = {"encode-audio", ENCODE_AUDIO_RESULT, true, "output", "encoded.safetensors"},
    [SAMPLE_TOKENS] = {"sample-tokens", SAMPLE_TOKENS_RESULT, true, "output", "tokens.safetensors"},
    [DECODE_AUDIO] = {"decode-audio", DECODE_AUDIO_RESULT, true, "output", "audio.wav"},
    [TRANSCODE] = {"transcode", TRANSCODE_RESULT, false, NULL, NULL},
    [VERIFY] = {"verify", VERIFY_RESULT, false, "report", "report.json"},
};

#define LONGEST_SECONDS 14400.0 /* that encode-audio takes */

static int64_t rate_of(const struct plan_take *take, const struct release *release)
{
    return release_rate(release, take->model->model.codec.rate_hz);
}

static int64_t channels_of(const struct plan_take *take, const struct release *release)
{
    return release->channels ? release->channels : take->model->model.language.channels;
}

/* NAN: not asked for. */
static void option_number(struct recipe *recipe, const char *option, double value)
{
    if (!isnan(value))
        recipe_number(recipe, option, value);
}

double stages_guidance(const struct plan_take *take)
{
    return isnan(take->take->guidance) ? take->model->model.guidance : take->take->guidance;
}

static struct job *add_condition(struct plan *plan, struct plan_take *take, const char *prompt)
{
    struct job *job = job_new(take, &stages[ENCODE_TEXT]);
    recipe_string(job_options(job), "prompt", prompt);
    return plan_add(plan, take, job);
}

static void add_conditions(struct plan *plan, struct plan_take *take)
{
    const struct take *settings = take->take;
    take->condition_count = settings->sections ? settings->section_count : 1;
    take->conditions = allocate(take->condition_count, sizeof *take->conditions);
    for (size_t i = 0; i < take->condition_count; i++)
        take->conditions[i] = add_condition(plan, take, settings->sections ? settings->sections[i].prompt : settings->prompt);
}

/* An outside file as "tokens" or "melody"; the job is named "encode-audio melody". seconds 0: all there is. */
static struct job *add_encoded(struct plan *plan, struct plan_take *take, const char *file, const char *as, double seconds)
{
    struct job *job = job_new(take, &stages[ENCODE_AUDIO]);
    free(job->name);
    job->name = format_string("%s %s", stages[ENCODE_AUDIO].program, as);
    job_file_input(plan, job, "input", file);
    struct recipe *recipe = job_options(job);
    recipe_string(recipe, "as", as);
    if (seconds > 0)
        recipe_number(recipe, "duration", seconds);
    return plan_add(plan, take, job);
}

/* Old and new, in whole frames, as sample-tokens counts them. */
static int64_t frames_of(const struct plan_take *take)
{
    int64_t frames = frames_of_seconds(take->take->duration, take->model->model.frame_rate_hz);
    if (take->beginning)
        return 0;
    return take->earlier ? take->earlier->frames + frames : frames;
}

static double seconds_of(const struct plan_take *take)
{
    return take->earlier ? (double)take->frames / (double)take->model->model.frame_rate_hz : take->take->duration;
}

/* What comes before the take's own tokens, or NULL. */
static struct job *add_earlier(struct plan *plan, struct plan_take *take)
{
    const char *file = take->take->earlier_file;
    take->beginning = take->earlier ? take->earlier->beginning : file;
    take->frames = frames_of(take);
    if (take->earlier)
        return take->earlier->tokens;
    return file ? add_encoded(plan, take, file, "tokens", 0) : NULL;
}

/* sample-tokens takes chroma from its first pass on, which begins at most a window before what is new. */
static struct job *add_melody(struct plan *plan, struct plan_take *take)
{
    const struct take *settings = take->take;
    const struct model *model = &take->model->model;
    double window = settings->continues ? (double)model->window_frames / (double)model->frame_rate_hz : 0;
    if (!settings->melody_file)
        return NULL;
    return add_encoded(plan, take, settings->melody_file, "melody", fmin(settings->duration + window, LONGEST_SECONDS));
}

/* Where the sections after the first start: [12.0,48.0]. A take with one section is one without. */
static void option_sections(struct recipe *recipe, const struct take *take)
{
    struct text starts = {0};
    if (take->section_count < 2)
        return;
    for (size_t i = 1; i < take->section_count; i++) {
        text_append(&starts, i > 1 ? "," : "[");
        append_json_number(&starts, take->sections[i].start);
    }
    text_append(&starts, "]");
    recipe_json(recipe, "section", starts.data);
    text_release(&starts);
}

static struct job *add_tokens(struct plan *plan, struct plan_take *take)
{
    const struct take *settings = take->take;
    struct job *earlier = add_earlier(plan, take), *melody = add_melody(plan, take);
    struct job *job = job_new(take, &stages[SAMPLE_TOKENS]);
    job_input(job, "condition", take->conditions[0], NULL);
    if (earlier)
        job_input(job, "continue", earlier, NULL);
    if (melody)
        job_input(job, "melody", melody, NULL);
    for (size_t i = 1; i < take->condition_count; i++)
        job_input(job, "section", take->conditions[i], NULL);
    struct recipe *recipe = job_options(job);
    recipe_number(recipe, "duration", settings->duration);
    recipe_number(recipe, "guidance", stages_guidance(take));
    option_sections(recipe, settings);
    recipe_integer(recipe, "seed", settings->seed);
    recipe_number(recipe, "temperature", settings->temperature);
    recipe_integer(recipe, "top-k", settings->top_k);
    recipe_number(recipe, "top-p", settings->top_p);
    return plan_add(plan, take, job);
}

static struct job *add_audio(struct plan *plan, struct plan_take *take, struct job *tokens)
{
    struct job *job = job_new(take, &stages[DECODE_AUDIO]);
    if (take->beginning)
        job_file_input(plan, job, "splice", take->beginning);
    job_input(job, "tokens", tokens, NULL);
    job_options(job);
    return plan_add(plan, take, job);
}

static void append_tag(struct text *tags, const char *name, const char *value)
{
    struct text tag = {0};
    text_append(&tag, name);
    text_append(&tag, "=");
    text_append(&tag, value);
    text_append(tags, tags->length ? "," : "[");
    append_json_string(tags, text_string(&tag));
    text_release(&tag);
}

/* What every release file says of itself, as the JSON of transcode's "tag". */
static char *tags_of(const struct plan *plan, const struct plan_take *take)
{
    const struct take *settings = take->take;
    const struct model *model = &take->model->model;
    struct text tags = {0}, value = {0};
    append_tag(&tags, "title", settings->name);
    append_tag(&tags, "album", plan->project->title);
    text_appendf(&value, "AI generated with %s by Leitmotif", model->name);
    append_tag(&tags, "comment", value.data);
    append_tag(&tags, "model", model->name);
    char *prompt = take_prompt(settings);
    if (*prompt)
        append_tag(&tags, "prompt", prompt);
    free(prompt);
    value.length = 0;
    text_appendf(&value, "%lld", (long long)settings->seed);
    append_tag(&tags, "seed", value.data);
    value.length = 0;
    text_appendf(&value, "duration %g, temperature %g, top_k %lld, top_p %g, guidance %g", settings->duration,
                 settings->temperature, (long long)settings->top_k, settings->top_p, stages_guidance(take));
    if (settings->melody)
        text_appendf(&value, ", melody %s", path_name(settings->melody));
    if (settings->continues)
        text_appendf(&value, ", continues %s", path_name(settings->continues));
    append_tag(&tags, "settings", value.data);
    value.length = 0;
    text_appendf(&value, "model weights: %s", model->licence);
    append_tag(&tags, "license", value.data);
    text_append(&tags, "]");
    text_release(&value);
    return text_take(&tags);
}

static void append_output(struct text *outputs, const struct plan_take *take, const struct release *release, const char *file)
{
    text_append(outputs, outputs->length ? ",{" : "[{");
    if (release->bit_rate)
        text_appendf(outputs, "\"bitrate\":%lld,", (long long)release->bit_rate);
    if (release->bits)
        text_appendf(outputs, "\"bits\":%d,", release->bits);
    text_appendf(outputs, "\"channels\":%lld,\"file\":", (long long)channels_of(take, release));
    append_json_string(outputs, file);
    if (!isnan(release->quality)) {
        text_append(outputs, ",\"quality\":");
        append_json_number(outputs, release->quality);
    }
    text_appendf(outputs, ",\"rate\":%lld}", (long long)rate_of(take, release));
}

/* The JSON of transcode's "outputs", files by name alone. */
static char *outputs_of(const struct plan *plan, const struct plan_take *take)
{
    struct text outputs = {0};
    for (size_t i = 0; i < plan->project->release_count; i++)
        append_output(&outputs, take, &plan->project->releases[i], take->files.items[i]);
    text_append(&outputs, "]");
    return text_take(&outputs);
}

static struct job *add_release(struct plan *plan, struct plan_take *take, struct job *audio)
{
    const struct project *project = plan->project;
    char *outputs = outputs_of(plan, take), *tags = tags_of(plan, take);
    struct job *job = job_new(take, &stages[TRANSCODE]);
    job_input(job, "input", audio, NULL);
    struct recipe *recipe = job_options(job);
    if (project->loudness_on)
        recipe_number(recipe, "loudness", project->loudness_target);
    recipe_json(recipe, "outputs", outputs);
    recipe_json(recipe, "tag", tags);
    if (project->loudness_on)
        recipe_number(recipe, "true-peak", project->true_peak);
    free(outputs);
    free(tags);
    return plan_add(plan, take, job);
}

static void expect(struct recipe *recipe, const struct plan *plan, const struct plan_take *take, const struct release *release)
{
    const struct project *project = plan->project;
    option_number(recipe, "duration-tolerance", project->verify.duration_tolerance);
    recipe_integer(recipe, "expect-channels", channels_of(take, release));
    recipe_string(recipe, "expect-codec", release->format);
    if (!take->beginning)
        recipe_number(recipe, "expect-duration", seconds_of(take));
    if (project->loudness_on)
        recipe_number(recipe, "expect-loudness", project->loudness_target);
    recipe_integer(recipe, "expect-rate", rate_of(take, release));
    if (project->loudness_on)
        option_number(recipe, "loudness-tolerance", project->verify.loudness_tolerance);
    option_number(recipe, "max-silence", project->verify.max_silence);
    if (project->loudness_on)
        recipe_number(recipe, "max-true-peak", project->true_peak);
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

static void add_tokens_verdict(struct plan *plan, struct plan_take *take, struct job *tokens)
{
    struct job *job = new_verdict(take, tokens, tokens->stage->file);
    job_options(job);
    plan_add(plan, take, job);
}

static void add_verdicts(struct plan *plan, struct plan_take *take)
{
    for (size_t i = 0; i < plan->project->release_count; i++) {
        struct job *job = new_verdict(take, take->release, take->files.items[i]);
        expect(job_options(job), plan, take, &plan->project->releases[i]);
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
    add_conditions(plan, take);
    take->tokens = add_tokens(plan, take);
    struct job *audio = add_audio(plan, take, take->tokens);
    take->release = add_release(plan, take, audio);
    if (!take->beginning) /* a sound from outside may hold one note, or be still, for as long as it likes */
        add_tokens_verdict(plan, take, take->tokens);
    add_verdicts(plan, take);
}

/* As sample-tokens resolves auto. */
json_t *stages_arguments(const struct plan_options *options)
{
    bool automatic = !options->device || strcmp(options->device, "auto") == 0;
    char *lacks_gpu = automatic ? libtorch_lacks_gpu() : NULL;
    bool cuda = automatic ? !lacks_gpu : has_prefix(options->device, "cuda");
    char *text = format_string("{\"cache\":\"f16\",\"engine\":\"%s\",\"weights\":\"f16\"}", cuda ? "torch" : "cpu");
    json_t *arguments = json_pack("{s:s}", stages[SAMPLE_TOKENS].program, text);
    free(text);
    free(lacks_gpu);
    return arguments;
}
