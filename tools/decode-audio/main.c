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

/* NULL after a failure. */
static json_t *decode_job(const struct decoder *decoder, const struct job *job)
{
    struct tokens tokens = {0};
    json_t *result = NULL;
    if (tokens_read(&tokens, job->tokens) == 0 && clip_check(decoder->model, &tokens, job->tokens) == 0 &&
        clip_decode(decoder, &tokens, job->splice, job->output) == 0)
        result = json_pack("{s:f, s:I, s:I}", "duration", (double)tokens.frames / (double)decoder->model->frame_rate_hz, "sample_rate",
                           (json_int_t)decoder->codec->config.rate_hz, "channels", (json_int_t)decoder->model->language.channels);
    tokens_release(&tokens);
    return result;
}

static void decode_all(struct tool_run *run, const struct decoder *decoder)
{
    for (size_t i = 0; i < run->count; i++)
        if (tool_job_begin(run, i))
            tool_job_end(run, i, decode_job(decoder, tool_job(run, i)));
}

static int open_codec(const struct tool_run *run, const struct model *model, struct chunking *chunking, struct codec *codec)
{
    const struct neural_settings *process = run->process;
    struct device device;
    if (geometry_plan(&model->codec, model->language.channels, process->memory, chunking))
        return failure_within("'%s'", model->name);
    if (device_open(process->device, run->threads, process->memory, &device))
        return -1;
    return codec_open(codec, &model->codec, model->folder, device);
}

static int work(struct tool_run *run)
{
    const struct neural_settings *process = run->process;
    struct model model = {0};
    struct codec codec = {0};
    struct chunking chunking;
    int result = -1;
    if (model_open(&model, process->model) == 0 && open_codec(run, &model, &chunking, &codec) == 0) {
        decode_all(run, &(struct decoder){&model, &codec, chunking});
        result = 0;
    }
    codec_release(&codec);
    model_release(&model);
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
