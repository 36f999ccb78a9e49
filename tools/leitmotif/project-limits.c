/* SPDX-License-Identifier: Apache-2.0
 * What the models of a project can do, said where the project asks for more: melodies are for melody models, a take is
 * continued by a model with the same codec's shape, a section lasts a frame at least, and a bit rate must be one that the format
 * has at the model's rate. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "formats/model.h"
#include "leitmotif/project-schema.h"

struct known_model {
    const char *request;
    struct model model;
    bool open;           /* else nothing is known of it */
};

struct limits {
    struct project *project;
    struct problems problems, warnings;
    struct known_model *models;
    size_t count, capacity;
};

static const struct known_model *find_model(const struct limits *limits, const char *request)
{
    for (size_t i = 0; i < limits->count; i++)
        if (!strcmp(limits->models[i].request, request))
            return &limits->models[i];
    return NULL;
}

static void open_model(struct limits *limits, const struct take *take)
{
    limits->models = grow(limits->models, limits->count, &limits->capacity, sizeof *limits->models);
    struct known_model *known = &limits->models[limits->count++];
    *known = (struct known_model){.request = take->model};
    known->open = model_open(&known->model, take->model) == 0;
    if (!known->open)
        problem_add(&limits->warnings, take->model_line, take->model_column, "warning: %s", failure_text());
    failure_clear();
}

/* NULL: unknown. */
static const struct model *model_of(const struct limits *limits, const struct take *take)
{
    const struct known_model *known = find_model(limits, take->model);
    return known->open ? &known->model : NULL;
}

/* --- takes --------------------------------------------------------------------------------------------------------- */

static void check_melody(struct limits *limits, const struct take *take)
{
    const struct model *model = model_of(limits, take);
    if (take->melody && model && model->kind != MODEL_MELODY)
        problem_add(&limits->problems, take->melody_line, take->melody_column,
                    "'melody': '%s' is no melody model; use one, such as 'model: melody', or remove the key", model->name);
}

static bool same_codec(const struct model *a, const struct model *b)
{
    return a->frame_rate_hz == b->frame_rate_hz && a->codec.rate_hz == b->codec.rate_hz &&
           a->codec.codebook_size == b->codec.codebook_size && a->language.codebooks == b->language.codebooks &&
           a->language.channels == b->language.channels;
}

/* "'audiogen-medium' (16000 Hz, mono, 4 codebooks of 2048, 50 frames a second)" */
static void append_codec(struct text *text, const struct model *model)
{
    text_appendf(text, "'%s' (%lld Hz, %s, %lld codebooks of %lld, %lld frames a second)", model->name, (long long)model->codec.rate_hz,
                 model->language.channels == 2 ? "stereo" : "mono", (long long)model->language.codebooks,
                 (long long)model->codec.codebook_size, (long long)model->frame_rate_hz);
}

static void check_continued(struct limits *limits, const struct take *take)
{
    const struct model *model = model_of(limits, take), *before = take->earlier ? model_of(limits, take->earlier) : NULL;
    struct text text = {0};
    if (!model || !before || same_codec(model, before))
        return;
    text_appendf(&text, "'continue': '%s' is by ", take->earlier->name);
    append_codec(&text, before);
    text_append(&text, ", which ");
    append_codec(&text, model);
    text_append(&text, " cannot continue");
    problem_add(&limits->problems, take->continue_line, take->continue_column, "%s", text_string(&text));
    text_release(&text);
}

static void check_sections(struct limits *limits, const struct take *take)
{
    const struct model *model = model_of(limits, take);
    for (size_t i = 0; model && i < take->section_count; i++) {
        const struct section *section = &take->sections[i];
        double end = i + 1 < take->section_count ? section[1].start : take->duration;
        if (frames_of_seconds(end, model->frame_rate_hz) == frames_of_seconds(section->start, model->frame_rate_hz))
            problem_add(&limits->problems, section->line, section->column,
                        "'sections': this one holds no frame of '%s', which has %lld a second; make it longer", model->name,
                        (long long)model->frame_rate_hz);
    }
}

/* --- outputs --------------------------------------------------------------------------------------------------------- */

static void check_release(struct limits *limits, const struct model *model, const struct release *release)
{
    if (release_check(release, model))
        problem_add(&limits->problems, release->line, release->column, "with model '%s', %s; give the output a 'rate' or another setting",
                    model->name, failure_text());
    failure_clear();
}

/* --- all -------------------------------------------------------------------------------------------------------------- */

static void check_all(struct limits *limits)
{
    const struct project *project = limits->project;
    for (size_t i = 0; i < project->take_count; i++)
        if (!find_model(limits, project->takes[i].model))
            open_model(limits, &project->takes[i]);
    for (size_t i = 0; i < project->take_count; i++)
        if (project->takes[i].variation <= 1) { /* the others say the same */
            check_melody(limits, &project->takes[i]);
            check_continued(limits, &project->takes[i]);
            check_sections(limits, &project->takes[i]);
        }
    for (size_t i = 0; i < limits->count; i++)
        for (size_t j = 0; limits->models[i].open && j < project->release_count; j++)
            check_release(limits, &limits->models[i].model, &project->releases[j]);
}

int project_check_models(struct project *project)
{
    struct limits limits = {.project = project};
    check_all(&limits);
    project->warning_count = limits.warnings.count;
    problems_tell(&limits.warnings, project->path, &project->warnings);
    int status = project_refuse(project, &limits.problems);
    for (size_t i = 0; i < limits.count; i++)
        model_release(&limits.models[i].model);
    free(limits.models);
    problems_release(&limits.warnings);
    problems_release(&limits.problems);
    return status;
}
