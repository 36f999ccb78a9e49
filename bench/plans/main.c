/* SPDX-License-Identifier: Apache-2.0
 * plans - what encode-text, decode-audio and encode-audio plan to allocate for a model, by purpose, as JSON: for
 * docs/memory.md. The plans are theirs; nothing is opened but the model's configuration. sample-tokens has --dry-run for that.
 */
#include <string.h>

#include "base/failure.h"
#include "base/tool.h"
#include "decode-audio/geometry.h"
#include "encode-audio/geometry.h"
#include "encode-text/t5.h"

enum { DEFAULT_TEXT = 30 };

struct job {
    char *model, *device; /* device NULL: cuda */
    int64_t text;         /* tokens; 0: DEFAULT_TEXT */
};

static const char *const DEVICES[] = {"cpu", "cuda", NULL};

static const struct setting SETTINGS[] = {
    {.name = "model", .type = SETTING_STRING, .offset = offsetof(struct job, model), .argument = "MODEL",
     .help = "a folder, a short name or a hub id; its weights are not read"},
    {.name = "device", .type = SETTING_CHOICE, .offset = offsetof(struct job, device), .argument = "cpu|cuda", .choices = DEVICES,
     .help = "a kind of device, which need not be there (default: cuda)"},
    {.name = "text", .type = SETTING_INTEGER, .offset = offsetof(struct job, text), .argument = "TOKENS",
     .help = "length of the prompt (default: 30)", .minimum = 1, .maximum = 1 << 20},
    {0},
};

static int check(const void *process, void *job)
{
    (void)process;
    return ((const struct job *)job)->model ? 0 : misuse("--model is missing: the model to plan for");
}

static json_t *codec_plan_json(cutting_planner *planner, const struct model *model, struct device device)
{
    struct memory_plan plan = {0};
    planner(&plan, &model->codec, model->language.channels, chunking_of(CHUNK_DEFAULT_FRAMES), device);
    return memory_plan_json(&plan);
}

static json_t *plans_of(const struct job *job)
{
    struct device device = {job->device && strcmp(job->device, "cpu") == 0 ? DEVICE_CPU : DEVICE_CUDA, 0};
    struct memory_plan text = {0};
    struct model model = {0};
    json_t *plans = NULL;
    if (model_open(&model, job->model) == 0) {
        t5_plan(&text, &model.text, job->text ? job->text : DEFAULT_TEXT, device);
        plans = json_pack("{s:o, s:o, s:o}", "encode-text", memory_plan_json(&text), "decode-audio",
                          codec_plan_json(geometry_plan, &model, device), "encode-audio", codec_plan_json(geometry_encoder_plan, &model, device));
    }
    model_release(&model);
    return plans;
}

static int work(struct tool_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        if (tool_job_begin(run, i))
            tool_job_end(run, i, plans_of(tool_job(run, i)));
    return 0;
}

int main(int argc, char **argv)
{
    static const struct tool TOOL = {
        .name = "plans",
        .purpose = "Say what T5 and EnCodec would allocate.",
        .usage = "--model MODEL",
        .settings = SETTINGS,
        .job_size = sizeof(struct job),
        .check = check,
        .work = work,
        .keeps_result = true,
    };
    return tool_main(&TOOL, argc, argv);
}
