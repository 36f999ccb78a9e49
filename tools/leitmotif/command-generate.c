/* SPDX-License-Identifier: Apache-2.0
 * leitmotif generate PROMPT: one track without a YAML file, by the same jobs and store as render. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/output.h"
#include "base/path.h"
#include "leitmotif/command.h"
#include "leitmotif/publish.h"
#include "leitmotif/render.h"

enum { LONGEST_SLUG = 48, MOST_VARIATIONS = 1000, LONGEST_PROMPT = 1 << 16 };

#define FRESH_SEED (-1)

static const char *const formats[] = {"ogg", "mp3", "wav", "flac", "opus"};

struct generate_options {
    struct render_options render; /* first: RENDER_SETTINGS; its force stays off: what is stored is not made again */
    double duration, temperature, top_p, guidance;
    int64_t top_k, variations, seed;
    char *output, *melody;
    bool replace;
};

#define FIELD(field) .scope = SCOPE_JOB, .offset = offsetof(struct generate_options, field)

static const struct setting settings[] = {
    {RENDER_SETTING(model, SETTING_STRING), .argument = "MODEL", .help = "short name, hub id or folder (default: small)"},
    {.name = "duration", .type = SETTING_NUMBER, FIELD(duration), .argument = "SECONDS", .help = "default: 10", .minimum = 0.02, .maximum = 14400},
    {.name = "temperature", .type = SETTING_NUMBER, FIELD(temperature), .argument = "X", .help = "0: always the likeliest (default: 1)", .maximum = 100},
    {.name = "top-k", .type = SETTING_INTEGER, FIELD(top_k), .argument = "N", .help = "choose among the N likeliest; 0: off (default: 250)", .maximum = 1000000},
    {.name = "top-p", .type = SETTING_NUMBER, FIELD(top_p), .argument = "P", .help = "choose among the likeliest that make up P; 0: off (default: 0)", .maximum = 1},
    {.name = "guidance", .type = SETTING_NUMBER, FIELD(guidance), .argument = "X", .help = "how closely to follow the prompt (default: the model's, 3)", .maximum = 100},
    {.name = "melody", .type = SETTING_STRING, FIELD(melody), .argument = "FILE", .help = "an audio file whose melody to follow; for melody models"},
    {.name = "variations", .type = SETTING_INTEGER, FIELD(variations), .argument = "N", .help = "takes, with seeds counting up: NAME_1, NAME_2, ... (default: one, NAME)",
     .minimum = 1, .maximum = MOST_VARIATIONS},
    {.name = "seed", .type = SETTING_INTEGER, FIELD(seed), .argument = "N", .help = "repeats a take (default: a fresh one, which is printed)", .maximum = 0x1p63},
    {.name = "output", .letter = 'o', .type = SETTING_STRING, FIELD(output), .argument = "FILE|FOLDER",
     .help = "file (.ogg .mp3 .wav .flac .opus) or folder (default: the prompt as a name, .ogg)"},
    {.name = "force", .type = SETTING_FLAG, FIELD(replace), .help = "replace output that is there"},
    RENDER_SETTINGS,
    {0},
};

static void defaults(void *target)
{
    struct generate_options *options = target;
    options->duration = 10;
    options->temperature = 1;
    options->top_k = 250;
    options->guidance = NAN;
    options->seed = FRESH_SEED;
}

/* the prompt */

/* "a calm, wide pad" -> "a-calm-wide-pad"; yours. */
static char *slug(const char *prompt)
{
    struct text text = {0};
    for (const unsigned char *at = (const unsigned char *)prompt; *at && text.length < LONGEST_SLUG; at++) {
        char letter = (char)tolower(*at);
        bool plain = *at < 0x80 && isalnum(*at);
        if (plain)
            text_append_bytes(&text, &letter, 1);
        else if (text.length && text.data[text.length - 1] != '-')
            text_append(&text, "-");
    }
    while (text.length && text.data[text.length - 1] == '-')
        text.data[--text.length] = 0;
    if (!text.length)
        text_append(&text, "track");
    return text_take(&text);
}

/* Asked for on a terminal; yours, or NULL. */
static char *ask_prompt(void)
{
    char *line = NULL;
    size_t capacity = 0;
    if (!isatty(STDIN_FILENO)) {
        misuse("generate takes a PROMPT, such as \"calm piano\"; see 'leitmotif generate --help'");
        return NULL;
    }
    fputs("prompt: ", stderr);
    ssize_t length = getline(&line, &capacity, stdin);
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        line[--length] = 0;
    if (length > 0)
        return line;
    free(line);
    misuse("no prompt was given");
    return NULL;
}

static char *get_prompt(const struct string_list *arguments)
{
    if (arguments->count > 1) {
        misuse("generate takes one PROMPT: put it in quotes (unexpected '%s')", arguments->items[1]);
        return NULL;
    }
    char *prompt = arguments->count ? copy_string(arguments->items[0]) : ask_prompt();
    if (prompt && strlen(prompt) <= LONGEST_PROMPT && utf8_valid(prompt, strlen(prompt)))
        return prompt;
    if (prompt)
        misuse("the prompt is %s", strlen(prompt) > LONGEST_PROMPT ? "longer than 65536 bytes" : "not valid UTF-8");
    free(prompt);
    return NULL;
}

/* the output */

struct target {
    struct render *render;
    char *stem;         /* path without number and extension */
    const char *format; /* one of formats */
};

static bool is_folder(const char *output)
{
    return output && (folder_exists(output) || has_suffix(output, "/"));
}

static const char *format_of(const char *output)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        if (strcasecmp(path_extension(output), formats[i]) == 0)
            return formats[i];
    misuse("'--output %s': is no folder, and has none of the extensions .ogg .mp3 .wav .flac .opus", output);
    return NULL;
}

static int choose_output(struct target *target, const char *output, const char *name)
{
    if (!output || is_folder(output)) {
        target->stem = output ? path_join(output, name) : copy_string(name);
        target->format = formats[0];
        return 0;
    }
    target->format = format_of(output);
    if (target->format)
        target->stem = copy_bytes(output, strlen(output) - strlen(path_extension(output)) - 1);
    return target->format ? 0 : -1;
}

static char *place_of(const struct target *target, const struct take *take)
{
    if (take->variation)
        return format_string("%s_%d.%s", target->stem, take->variation, target->format);
    return format_string("%s.%s", target->stem, target->format);
}

/* Before any work: is it free, and can it be written? */
static int check_places(const struct target *target, const struct project *project, bool replace)
{
    int result = 0;
    for (size_t i = 0; i < project->take_count && result == 0; i++) {
        char *place = place_of(target, &project->takes[i]);
        if (!replace && file_exists(place))
            result = fail("'%s' exists already; --force replaces it", place);
        else
            result = file_not_replaced(project->takes[0].melody_file, place) || output_check(place) ? -1 : 0;
        free(place);
    }
    return result;
}

/* the melody */

static int check_melody_model(const char *request)
{
    struct model model;
    if (model_open(&model, request))
        return -1;
    int result = 0;
    if (model.kind != MODEL_MELODY)
        result = misuse("'--melody': '%s' is no melody model; use one, such as --model melody", model.name);
    model_release(&model);
    return result;
}

static int check_melody(const struct take *take)
{
    if (!take->melody_file)
        return 0;
    if (!utf8_valid(take->melody_file, strlen(take->melody_file)))
        return misuse("'--melody %s': is not valid UTF-8", take->melody_file);
    int descriptor = file_open(take->melody_file);
    if (descriptor < 0)
        return failure_within("'--melody'");
    close(descriptor);
    return check_melody_model(take->model);
}

/* the project */

static struct take make_take(const struct generate_options *options, const char *prompt, const char *name, int64_t seed, int variation)
{
    return (struct take){
        .name = variation ? format_string("%s_%d", name, variation) : copy_string(name),
        .track = copy_string(name),
        .variation = variation,
        .prompt = copy_string(prompt),
        .model = copy_string(options->render.model ? options->render.model : "small"),
        .melody = options->melody ? copy_string(options->melody) : NULL,
        .melody_file = options->melody ? copy_string(options->melody) : NULL,
        .duration = options->duration,
        .temperature = options->temperature,
        .top_p = options->top_p,
        .guidance = options->guidance,
        .top_k = options->top_k,
        .seed = seed + (variation ? variation - 1 : 0),
        .seed_explicit = true,
    };
}

static int64_t fresh_seed(void)
{
    uint32_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = (uint32_t)getpid();
    return seed;
}

static void make_project(struct project *project, const struct generate_options *options, const char *prompt, const char *name, const char *format)
{
    int64_t seed = options->seed == FRESH_SEED ? fresh_seed() : options->seed;
    *project = (struct project){
        .path = copy_string("generate"), .folder = copy_string("."), .title = copy_string(name),
        .model = copy_string(options->render.model ? options->render.model : "small"),
        .verify = {NAN, NAN, NAN},
        .takes = allocate((size_t)options->variations + 1, sizeof *project->takes),
        .releases = allocate(1, sizeof *project->releases), .release_count = 1,
    };
    project->releases[0] = (struct release){.format = copy_string(format), .quality = NAN};
    if (!options->variations)
        project->takes[project->take_count++] = make_take(options, prompt, name, seed, 0);
    for (int i = 1; i <= options->variations; i++)
        project->takes[project->take_count++] = make_take(options, prompt, name, seed, i);
}

/* making */

static int publish(void *context, const struct plan_take *take, struct take_report *report)
{
    const struct target *target = context;
    char *stored = store_path(&target->render->store, take->release->key, take->files.items[0]);
    char *place = place_of(target, take->take);
    int result = publish_file(stored, place);
    if (result == 0) {
        string_list_add(&report->files, place);
        publish_print(take, report);
    }
    free(stored);
    free(place);
    return result;
}

static int make(struct target *target, const struct generate_options *options, struct project *project)
{
    struct render render = {.publish = publish, .context = target};
    target->render = &render;
    int status = check_places(target, project, options->replace) || check_melody(&project->takes[0]) || render_prepare(&options->render, project) ||
                         render_open(&render, &options->render, project, NULL)
                     ? -1
                     : 0;
    if (status == 0) {
        render_run(&render);
        status = render.failed_count ? EXIT_FAILED : EXIT_DONE;
    }
    render_release(&render);
    return status;
}

static int generate_prompt(const struct generate_options *options, const char *prompt)
{
    struct project project = {0};
    struct target target = {0};
    char *name = slug(prompt);
    int status = choose_output(&target, options->output, name);
    if (status == 0 && options->seed > INT64_MAX - options->variations)
        status = misuse("'--seed %lld': too large for so many variations", (long long)options->seed);
    if (status == 0) {
        if (is_folder(options->output))
            status = folder_make(options->output);
        make_project(&project, options, prompt, name, target.format);
        if (status == 0)
            status = make(&target, options, &project);
        project_release(&project);
    }
    free(target.stem);
    free(name);
    return status;
}

static int generate(const void *options, const struct string_list *arguments)
{
    char *prompt = get_prompt(arguments);
    int status = prompt ? generate_prompt(options, prompt) : -1;
    free(prompt);
    return status;
}

const struct command generate_command = {
    .name = "generate",
    .text = {
        .program = "leitmotif generate",
        .usage = "[OPTION...] \"PROMPT\"",
        .purpose = "makes one track without a YAML file",
        .notes = "Without a PROMPT, on a terminal, it asks for one. The same prompt, settings and seed give the same track.",
    },
    .settings = settings,
    .options_size = sizeof(struct generate_options),
    .defaults = defaults,
    .run = generate,
};
