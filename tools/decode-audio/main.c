/* SPDX-License-Identifier: Apache-2.0
 * decode-audio - tokens to sound: EnCodec's decoder, in chunks, into a float32 WAV file.
 */
#include "base/failure.h"
#include "base/file.h"
#include "base/tool.h"
#include "decode-audio/clip.h"
#include "nn/neural-settings.h"

struct job {
    char *tokens, *output;
    char *splice; /* or NULL */
};

static const struct setting SETTINGS[] = {
    {.name = "tokens", .type = SETTING_STRING, .offset = offsetof(struct job, tokens), .argument = "FILE", .help = "tokens to decode"},
    {.name = "splice", .type = SETTING_STRING, .offset = offsetof(struct job, splice), .argument = "ORIGINAL",
     .help = "an audio file that the tokens continue: its own samples are put back before the continuation"},
    {.name = "output", .type = SETTING_STRING, .offset = offsetof(struct job, output), .argument = "FILE",
     .help = "the WAV file to write: 32-bit float at the codec's rate, never clamped"},
    NEURAL_SETTINGS,
    {0},
};

static int check(const void *process, void *job)
{
    const struct neural_settings *settings = process;
    const struct job *work = job;
    if (!settings->model)
        return misuse("--model is missing: the model that the tokens were sampled with");
    if (device_check(settings->device))
        return -1;
    if (!work->tokens)
        return misuse("--tokens is missing: the file to decode");
    if (!work->output)
        return misuse("--output is missing: the WAV file to write");
    return file_not_replaced(work->tokens, work->output) || file_not_replaced(work->splice, work->output) ? -1 : 0;
}

static int outputs(const void *job, void (*each)(void *context, const char *path), void *context)
{
    each(context, ((const struct job *)job)->output);
    return 0;
}

static int decode_clip(struct decoder *decoder, const struct tokens *tokens, const struct job *job)
{
    int result;
    do
        result = clip_decode(decoder, tokens, job->splice, job->output);
    while (result && cutting_again(&decoder->cutting));
    return result ? cutting_refused(&decoder->cutting) : 0;
}

/* NULL after a failure. */
static json_t *decode_job(struct decoder *decoder, const struct job *job)
{
    struct tokens tokens = {0};
    json_t *result = NULL;
    if (tokens_read(&tokens, job->tokens) == 0 && clip_check(&decoder->model, &tokens, job->tokens) == 0 &&
        decode_clip(decoder, &tokens, job) == 0)
        result = json_pack("{s:f, s:I, s:I}", "duration", (double)tokens.frames / (double)decoder->model.frame_rate_hz, "sample_rate",
                           (json_int_t)decoder->codec.config.rate_hz, "channels", (json_int_t)decoder->model.language.channels);
    tokens_release(&tokens);
    return result;
}
static void decode_all(struct tool_run *run, struct decoder *decoder)
{
    for (size_t i = 0; i < run->count; i++)
        if (tool_job_begin(run, i))
            tool_job_end(run, i, decode_job(decoder, tool_job(run, i)));
}

static int open_decoder(struct decoder *decoder, const struct tool_run *run)
{
    const struct neural_settings *process = run->process;
    struct model *model = &decoder->model;
    struct device device;
    if (model_open(model, process->model) || device_open(process->device, run->threads, process->memory, &device))
        return -1;
    decoder->cutting = (struct cutting){geometry_plan, "decoding", &model->codec, .channels = model->language.channels};
    if (cutting_open(&decoder->cutting, device, process->memory))
        return failure_within("'%s'", model->name);
    return codec_open(&decoder->codec, &model->codec, model->folder, device) ? cutting_refused(&decoder->cutting) : 0;
}

static int work(struct tool_run *run)
{
    struct decoder decoder = {0};
    int result = open_decoder(&decoder, run);
    if (result == 0)
        decode_all(run, &decoder);
    codec_release(&decoder.codec);
    model_release(&decoder.model);
    return result;
}

static const struct tool TOOL = {
    .name = "decode-audio",
    .purpose = "Decodes tokens into sound.",
    .usage = "--model MODEL --tokens FILE --output FILE",
    .settings = SETTINGS,
    .job_size = sizeof(struct job),
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
