/* SPDX-License-Identifier: Apache-2.0
 * encode-audio - sound to what a language model takes: tokens to continue (EnCodec's encoder), or a melody (chroma).
 */
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/tool.h"
#include "encode-audio/clip.h"
#include "encode-audio/tune.h"
#include "nn/neural-settings.h"

#define LONGEST_SECONDS 14400.0

static const char *const KINDS[] = {"tokens", "melody", NULL};

static const struct setting SETTINGS[] = {
    {.name = "input", .type = SETTING_STRING, .offset = offsetof(struct request, input), .argument = "FILE",
     .help = "any audio file; it is resampled and mixed to what the model wants"},
    {.name = "as", .type = SETTING_CHOICE, .offset = offsetof(struct request, as), .argument = "tokens|melody", .choices = KINDS,
     .help = "tokens: to go on after, with sample-tokens --continue; melody: to follow, with sample-tokens --melody"},
    {.name = "duration", .type = SETTING_NUMBER, .offset = offsetof(struct request, duration), .argument = "SECONDS",
     .help = "melody: of the piece that shall follow it (default: one window); tokens: encode only the first SECONDS",
     .above = true, .maximum = LONGEST_SECONDS},
    {.name = "output", .type = SETTING_STRING, .offset = offsetof(struct request, output), .argument = "FILE",
     .help = "the tokens or melody file to write"},
    NEURAL_SETTINGS,
    {0},
};

static int check(const void *process, void *job)
{
    const struct neural_settings *settings = process;
    const struct request *request = job;
    if (!settings->model)
        return misuse("--model is missing: the model that the result is for");
    if (device_check(settings->device))
        return -1;
    if (!request->input)
        return misuse("--input is missing: the audio file to encode");
    if (!request->as)
        return misuse("--as is missing: 'tokens' to go on after the input, or 'melody' to follow it");
    if (!request->output)
        return misuse("--output is missing: the file to write");
    return file_not_replaced(request->input, request->output);
}

static int outputs(const void *job, void (*each)(void *context, const char *path), void *context)
{
    each(context, ((const struct request *)job)->output);
    return 0;
}

/* What the jobs share, each part opened when the first job needs it. */
struct workshop {
    struct model model;
    char *identity;
    struct device device;
    int64_t memory;
    struct cutting cutting;
    struct encoder encoder;
    struct chroma chroma;
};

static int open_encoder(struct workshop *shop)
{
    struct model *model = &shop->model;
    if (shop->encoder.weights.count)
        return 0;
    shop->cutting = (struct cutting){geometry_encoder_plan, "encoding", &model->codec, .channels = model->language.channels};
    if (cutting_open(&shop->cutting, shop->device, shop->memory))
        return failure_within("'%s'", model->name);
    return encoder_open(&shop->encoder, &model->codec, model->folder, shop->device) ? cutting_refused(&shop->cutting) : 0;
}

/* NULL after a failure. */
static json_t *encode_tokens(struct workshop *shop, const struct request *request)
{
    json_t *result;
    if (open_encoder(shop))
        return NULL;
    do
        result = clip_encode(&shop->encoder, shop->cutting.chunking, &shop->model, shop->identity, request);
    while (!result && cutting_again(&shop->cutting));
    if (!result)
        cutting_refused(&shop->cutting);
    return result;
}

static json_t *encode_melody(struct workshop *shop, const struct request *request)
{
    if (shop->model.kind != MODEL_MELODY) {
        fail("'%s' follows no melody: use a melody model such as melody or stereo-melody", shop->model.name);
        return NULL;
    }
    if (tune_fits(&shop->model, request, shop->memory) || (!shop->chroma.bank && chroma_open(&shop->chroma)))
        return NULL;
    return tune_encode(&shop->chroma, &shop->model, shop->identity, request);
}

static bool is_melody(const struct request *request)
{
    return strcmp(request->as, "melody") == 0;
}

static json_t *encode_job(struct workshop *shop, const struct request *request)
{
    return is_melody(request) ? encode_melody(shop, request) : encode_tokens(shop, request);
}

static bool melodies_only(struct tool_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        if (!is_melody(tool_job(run, i)))
            return false;
    return true;
}

/* A melody is a CPU's work: for melodies alone a GPU, which may be full, is left alone. */
static int open_workshop(struct workshop *shop, struct tool_run *run)
{
    const struct neural_settings *process = run->process;
    const char *request = melodies_only(run) ? "cpu" : process->device;
    shop->memory = process->memory;
    if (model_open(&shop->model, process->model) || device_open(request, run->threads, process->memory, &shop->device))
        return -1;
    shop->identity = model_identity(&shop->model);
    return failed() ? -1 : 0;
}

static int work(struct tool_run *run)
{
    struct workshop shop = {0};
    int result = open_workshop(&shop, run);
    for (size_t i = 0; i < run->count && result == 0; i++)
        if (tool_job_begin(run, i))
            tool_job_end(run, i, encode_job(&shop, tool_job(run, i)));
    encoder_release(&shop.encoder);
    chroma_release(&shop.chroma);
    model_release(&shop.model);
    free(shop.identity);
    return result;
}

static const struct tool TOOL = {
    .name = "encode-audio",
    .purpose = "Turns sound into tokens to continue, or into a melody to follow.",
    .usage = "--model MODEL --input FILE --as tokens|melody --output FILE",
    .settings = SETTINGS,
    .job_size = sizeof(struct request),
    .process_size = sizeof(struct neural_settings),
    .check = check,
    .outputs = outputs,
    .work = work,
};

int main(int argc, char **argv)
{
    libtorch_start_again(argv);
    return tool_main(&TOOL, argc, argv);
}
