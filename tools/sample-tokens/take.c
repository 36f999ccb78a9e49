/* SPDX-License-Identifier: Apache-2.0 */
#include "sample-tokens/take.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/version.h"
#include "sample-tokens/philox.h"

/* opening */

static int read_condition(struct take *take, int64_t start, const char *file)
{
    struct condition *condition = &take->conditions[take->sections];
    take->starts[take->sections++] = start;
    if (condition_read(condition, file))
        return -1;
    if (condition->tokens && condition->width != take->model->text.width)
        return fail("'%s' is for another model: its width is %lld, the text encoder of '%s' has %lld; make it again with encode-text",
                    file, (long long)condition->width, take->model->name, (long long)take->model->text.width);
    return 0;
}

/* Section starts count new seconds, as the duration does. */
static int read_conditions(struct take *take)
{
    const struct request *request = take->request;
    size_t count = request->sections.count + (request->condition ? 1 : 0);
    take->conditions = allocate(count, sizeof *take->conditions);
    take->starts = allocate(count, sizeof *take->starts);
    if (request->condition && read_condition(take, 0, request->condition))
        return -1;
    for (size_t i = 0; i < request->sections.count; i++) {
        double seconds;
        const char *file;
        if (section_parse(request->sections.items[i], &seconds, &file) ||
            read_condition(take, take->earlier.frames + frames_of_seconds(seconds, take->model->frame_rate_hz), file))
            return -1;
    }
    return 0;
}

static int check_earlier(const struct take *take, const char *file)
{
    const struct tokens *earlier = &take->earlier;
    const struct language_config *config = &take->model->language;
    json_t *rate = json_object_get(earlier->recipe, "sample_rate");
    if (earlier->codebooks != config->codebooks)
        return fail("'%s' is of another model: it has %lld codebooks, '%s' has %lld", file, (long long)earlier->codebooks,
                    take->model->name, (long long)config->codebooks);
    for (int64_t i = 0; i < earlier->codebooks * earlier->frames; i++)
        if (earlier->codes[i] >= config->vocabulary)
            return fail("'%s' is of another model: it has token %d, '%s' has %lld different ones", file, (int)earlier->codes[i],
                        take->model->name, (long long)config->vocabulary);
    if (json_is_integer(rate) && json_integer_value(rate) != take->model->codec.rate_hz)
        return fail("'%s' is of another model: it is for %lld Hz, '%s' makes %lld Hz", file, (long long)json_integer_value(rate),
                    take->model->name, (long long)take->model->codec.rate_hz);
    return 0;
}

static int read_earlier(struct take *take)
{
    const char *file = take->request->earlier;
    return file && (tokens_read(&take->earlier, file) || check_earlier(take, file)) ? -1 : 0;
}

static int check_melody(const struct take *take, const char *file)
{
    const struct melody *melody = &take->melody;
    int64_t expected = take->model->language.chroma_frames;
    if (melody->frames != expected)
        return fail("'%s' is for another model: it has %lld chroma frames, '%s' takes %lld; make it again with encode-audio", file,
                    (long long)melody->frames, take->model->name, (long long)expected);
    for (int64_t i = 0; i < melody->windows * melody->frames; i++)
        if (melody->chroma[i] >= CHROMA_BINS)
            return fail("'%s' has chroma bin %d, of 0 to %d", file, (int)melody->chroma[i], CHROMA_BINS - 1);
    return 0;
}

static int read_melody(struct take *take)
{
    const char *file = take->request->melody;
    return file && (melody_read(&take->melody, file) || check_melody(take, file)) ? -1 : 0;
}

static int64_t resolved_top_k(const struct take *take)
{
    int64_t vocabulary = take->model->language.vocabulary;
    if (take->request->top_k != USUAL_TOP_K)
        return take->request->top_k;
    return vocabulary < 250 ? vocabulary : 250;
}

static int resolve_settings(struct take *take)
{
    const struct request *request = take->request;
    const struct model *model = take->model;
    take->pattern = (struct delay_pattern){model->language.codebooks, model->language.channels, (int32_t)model->language.vocabulary};
    take->sampling = (struct sampling){request->greedy ? 0 : request->temperature, resolved_top_k(take), request->top_p};
    take->guidance = request->guidance == MODELS_GUIDANCE ? model->guidance : request->guidance;
    take->stride = model->stride_frames;
    if (request->extend_stride > 0)
        take->stride = frames_of_seconds(request->extend_stride, model->frame_rate_hz);
    if (request->top_k > model->language.vocabulary)
        return misuse("'--top-k %lld': '%s' has %lld different tokens only", (long long)request->top_k, model->name,
                      (long long)model->language.vocabulary);
    if (request->melody && model->kind != MODEL_MELODY)
        return misuse("'--melody %s': '%s' follows no melody: use a melody model such as melody, or leave --melody out", request->melody, model->name);
    if (take->stride < 1 || take->stride >= model->window_frames)
        return misuse("'--extend-stride %g': must be shorter than one window of '%s', %g s, and at least one frame, %g s",
                      request->extend_stride, model->name, (double)model->window_frames / (double)model->frame_rate_hz,
                      1 / (double)model->frame_rate_hz);
    return 0;
}

/* The melody's windows are a stride apart from the first pass on; a pass that a section began early has the one before it. */
static int64_t chroma_window(const struct take *take, size_t window)
{
    return (take->windows.items[window].offset - take->windows.items[0].offset) / take->stride;
}

static int check_melody_windows(const struct take *take)
{
    const char *file = take->request->melody;
    const struct model *model = take->model;
    int64_t last = chroma_window(take, take->windows.count - 1);
    long long stride;
    if (!file || last == 0)
        return 0;
    if (json_member_integer(take->melody.recipe, "stride_frames", take->stride, &stride))
        return failure_within("'%s'", file);
    if (stride != take->stride)
        return fail("'%s' is for windows %g s apart, these are %g s apart: leave --extend-stride out", file,
                    (double)stride / (double)model->frame_rate_hz, (double)take->stride / (double)model->frame_rate_hz);
    if (last >= take->melody.windows)
        return fail("'%s' has %lld window%s, %lld are needed: make it again with encode-audio --duration %g", file,
                    (long long)take->melody.windows, take->melody.windows == 1 ? "" : "s", (long long)last + 1,
                    (double)(model->window_frames + last * take->stride) / (double)model->frame_rate_hz);
    return 0;
}

static void start_codes(struct take *take)
{
    int64_t codebooks = take->pattern.codebooks;
    take->codes = allocate((size_t)(codebooks * take->total), sizeof *take->codes);
    memset(take->codes, -1, (size_t)(codebooks * take->total) * sizeof *take->codes);
    for (int64_t q = 0; q < codebooks && take->earlier.frames; q++)
        memcpy(take->codes + q * take->total, take->earlier.codes + q * take->earlier.frames,
               (size_t)take->earlier.frames * sizeof *take->codes);
}

static int64_t window_steps(const struct take *take, const struct window *window)
{
    return window->length - window->prompt + delay_largest(&take->pattern);
}

/* Each has a frame of its own; seconds alone do not tell. */
static int check_sections(const struct take *take)
{
    const struct string_list *sections = &take->request->sections;
    size_t before = take->sections - sections->count; /* the one that --condition gives */
    for (size_t i = 1; i < take->sections; i++) {
        const char *section = sections->items[i - before];
        if (take->starts[i] == take->starts[i - 1])
            return misuse("'--section %s' starts in the same frame as the section before it: they are %g s apart at least", section,
                          1 / (double)take->model->frame_rate_hz);
        if (take->starts[i] >= take->total)
            return misuse("'--section %s' starts after the last frame: --duration %g is %lld frames of %g s", section,
                          take->request->duration, (long long)(take->total - take->earlier.frames),
                          1 / (double)take->model->frame_rate_hz);
    }
    return 0;
}

static int plan_windows(struct take *take)
{
    int64_t frames = frames_of_seconds(take->request->duration, take->model->frame_rate_hz);
    if (frames < 1)
        return misuse("'--duration %g' is shorter than one frame, %g s", take->request->duration,
                      1 / (double)take->model->frame_rate_hz);
    take->total = take->earlier.frames + frames;
    if (check_sections(take))
        return -1;
    windows_plan(&take->windows, &(struct piece){take->earlier.frames, take->total, take->model->window_frames, take->stride,
                                                 take->starts, take->sections});
    for (size_t i = 0; i < take->windows.count; i++)
        take->steps += window_steps(take, &take->windows.items[i]);
    return 0;
}

int take_open(struct take *take, const struct request *request, const struct model *model)
{
    take->request = request;
    take->model = model;
    if (resolve_settings(take) || read_earlier(take) || read_conditions(take) || read_melody(take) || plan_windows(take) ||
        check_melody_windows(take))
        return -1;
    struct engine_settings needs = {0};
    take_require(take, &needs);
    take->ids = allocate((size_t)(needs.prefill * take->pattern.codebooks), sizeof *take->ids);
    take->guided = allocate((size_t)(take->pattern.codebooks * model->language.vocabulary), sizeof *take->guided);
    start_codes(take);
    return 0;
}

void take_release(struct take *take)
{
    for (size_t i = 0; i < take->sections; i++)
        condition_release(&take->conditions[i]);
    free(take->conditions);
    free(take->starts);
    tokens_release(&take->earlier);
    melody_release(&take->melody);
    windows_release(&take->windows);
    free(take->codes);
    free(take->ids);
    free(take->guided);
    *take = (struct take){0};
}

/* driving */

static void raise(int64_t *size, int64_t needed)
{
    if (*size < needed)
        *size = needed;
}

static bool guided_by(const struct take *take, const struct condition *condition)
{
    return take->guidance != 1 && (condition->tokens > 0 || take->melody.windows > 0);
}

void take_require(const struct take *take, struct engine_settings *settings)
{
    for (size_t i = 0; i < take->sections; i++) {
        int64_t prefix = engine_prefix(&take->model->language, &take->conditions[i]);
        raise(&settings->prefix, prefix);
        raise(&settings->text_tokens, prefix ? 0 : take->conditions[i].tokens);
        raise(&settings->rows, guided_by(take, &take->conditions[i]) ? 2 : 1);
    }
    for (size_t i = 0; i < take->windows.count; i++) {
        const struct window *window = &take->windows.items[i];
        raise(&settings->positions, window->length + delay_largest(&take->pattern)); /* the last column is not fed */
        raise(&settings->prefill, window->prompt + 1);
    }
}

int take_check_sizes(const struct take *take, const struct engine_settings *settings)
{
    struct engine_settings needed = *settings;
    take_require(take, &needed);
    if (needed.prefix == settings->prefix && needed.text_tokens == settings->text_tokens && needed.rows == settings->rows &&
        needed.positions == settings->positions && needed.prefill == settings->prefill)
        return 0;
    return fail("'%s': a file that it is made from grew after the run began; make it again", take->request->output);
}

bool take_finished(const struct take *take)
{
    return take->window == take->windows.count;
}

bool take_window_begins(const struct take *take)
{
    return take->fed == 0;
}

const struct condition *take_condition(const struct take *take)
{
    return &take->conditions[take->windows.items[take->window].section];
}

const int32_t *take_chroma(const struct take *take)
{
    return take->melody.windows ? take->melody.chroma + chroma_window(take, take->window) * take->melody.frames : NULL;
}

bool take_guided(const struct take *take)
{
    return guided_by(take, take_condition(take));
}

double take_seconds(const struct take *take)
{
    return (double)(take->total - take->earlier.frames) / (double)take->model->frame_rate_hz;
}

int64_t take_prompt(const struct take *take)
{
    return take->windows.items[0].prompt;
}

void take_rewind(struct take *take)
{
    if (take->fed)
        take->steps_done -= take->fed - take->windows.items[take->window].prompt;
    take->fed = 0;
}

void take_feed(struct take *take, struct engine_feed *feed)
{
    const struct window *window = &take->windows.items[take->window];
    feed->columns = take->fed == 0 ? window->prompt + 1 : 1;
    feed->ids = take->ids;
    for (int64_t i = 0; i < feed->columns; i++)
        delay_column(&take->pattern, take->codes + window->offset, take->total, window->length, take->fed + i,
                     take->ids + i * take->pattern.codebooks);
}

/* The token of one codebook in the next column, if that has one which is not known yet. */
static int choose(struct take *take, struct sampler *sampler, const float *logits, int64_t codebook)
{
    const struct window *window = &take->windows.items[take->window];
    int64_t frame = delay_frame(&take->pattern, take->fed, codebook), place = window->offset + frame;
    if (frame < window->prompt || frame >= window->length)
        return 0;
    double uniform = take->sampling.temperature == 0 ? 0 : philox_uniform(take->request->seed, place, codebook);
    int32_t token = sampler_choose(sampler, logits + codebook * take->model->language.vocabulary, &take->sampling, uniform);
    take->codes[codebook * take->total + place] = token;
    return token < 0 ? -1 : 0;
}

int take_accept(struct take *take, struct sampler *sampler, const struct engine_feed *feed)
{
    const struct window *window = &take->windows.items[take->window];
    int64_t count = take->pattern.codebooks * take->model->language.vocabulary;
    const float *logits = feed->logits;
    if (take_guided(take)) {
        guide(take->guided, logits, logits + count, (size_t)count, take->guidance);
        logits = take->guided;
    }
    take->fed += feed->columns;
    take->steps_done++;
    for (int64_t q = 0; q < take->pattern.codebooks; q++)
        if (choose(take, sampler, logits, q))
            return -1;
    if (take->fed == delay_columns(&take->pattern, window->length) - 1) {
        take->window++;
        take->fed = 0;
    }
    return 0;
}

/* results */

/* What a file said of its own making, or its content's hash where it said nothing. New reference. */
static json_t *origin(json_t *recipe, const void *bytes, size_t length)
{
    char hex[HASH_HEX_SIZE];
    if (recipe)
        return json_incref(recipe);
    hash_bytes(bytes, length, hex);
    return json_pack("{s:s}", "sha256", hex);
}

static json_t *sections_recipe(const struct take *take)
{
    json_t *list = json_array();
    for (size_t i = 0; i < take->sections; i++) {
        const struct condition *condition = &take->conditions[i];
        size_t bytes = (size_t)(condition->tokens * condition->width) * sizeof *condition->hidden;
        json_array_append_new(list, json_pack("{s:I, s:o}", "frame", (json_int_t)take->starts[i], "condition",
                                              origin(condition->recipe, condition->hidden, bytes)));
    }
    return list;
}

/* Frames of the piece's beginning that no continuation made: those of the first link in a chain of them. */
static int64_t continued_frames(const struct take *take)
{
    const json_t *before = json_object_get(take->earlier.recipe, "continued_frames");
    int64_t frames = json_is_integer(before) ? json_integer_value(before) : 0;
    return frames > 0 && frames < take->earlier.frames ? frames : take->earlier.frames;
}

json_t *take_recipe(const struct take *take, const char *identity, json_t *engine)
{
    const struct model *model = take->model;
    json_t *recipe = json_pack(
        "{s:s, s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:f, s:f, s:o}", "tool", "sample-tokens", "version",
        SAMPLE_TOKENS_RESULT, "model", identity, "model_name", model->name, "frame_rate", (json_int_t)model->frame_rate_hz,
        "sample_rate", (json_int_t)model->codec.rate_hz, "channels", (json_int_t)model->language.channels, "vocabulary",
        (json_int_t)model->language.vocabulary, "frames", (json_int_t)take->total, "window_frames", (json_int_t)model->window_frames, "stride_frames", (json_int_t)take->stride,
        "seed", (json_int_t)take->request->seed, "temperature", take->sampling.temperature, "top_k",
        (json_int_t)take->sampling.top_k, "top_p", take->sampling.top_p, "guidance", take->guidance, "sections", sections_recipe(take));
    assert(recipe);
    if (take->melody.windows)
        json_object_set_new(recipe, "melody", origin(take->melody.recipe, take->melody.chroma,
                                                     (size_t)(take->melody.windows * take->melody.frames) * sizeof(int32_t)));
    if (take->earlier.frames)
        json_object_set_new(recipe, "continued_frames", json_integer(continued_frames(take)));
    if (take->earlier.frames)
        json_object_set_new(recipe, "continue", origin(take->earlier.recipe, take->earlier.codes,
                                                       (size_t)(take->earlier.codebooks * take->earlier.frames) * sizeof(int32_t)));
    json_object_update(recipe, engine);
    return recipe;
}

int take_write(const struct take *take, json_t *recipe)
{
    struct tokens tokens = {take->pattern.codebooks, take->total, take->codes, recipe};
    return tokens_write(&tokens, "sample-tokens", take->request->output);
}
