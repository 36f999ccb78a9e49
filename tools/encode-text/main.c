/* SPDX-License-Identifier: Apache-2.0
 * encode-text - a prompt to a condition: SentencePiece, then T5, one prompt per pass.
 */
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/tool.h"
#include "base/version.h"
#include "encode-text/t5.h"
#include "encode-text/tokenizer.h"
#include "formats/stage.h"
#include "nn/budget.h"
#include "nn/neural-settings.h"

enum { MAX_PROMPT_FILE = 1 << 20 };

struct job {
    char *prompt, *prompt_file, *output;
};

/* What all jobs share. tokenizer and t5 stay empty when no job has a prompt to encode. */
struct encoder {
    struct budget budget;
    struct model model;
    char *identity;
    struct tokenizer *tokenizer;
    struct t5 t5;
};

static const struct setting SETTINGS[] = {
    {.name = "prompt", .type = SETTING_STRING, .offset = offsetof(struct job, prompt), .argument = "TEXT",
     .help = "what to make; \"\" is the unconditional request"},
    {.name = "prompt-file", .type = SETTING_STRING, .offset = offsetof(struct job, prompt_file), .argument = "FILE",
     .help = "the same from a file in UTF-8, without its last line end (- for stdin)"},
    {.name = "output", .type = SETTING_STRING, .offset = offsetof(struct job, output), .argument = "FILE", .help = "the condition to write"},
    NEURAL_SETTINGS,
    {0},
};

static int check(const void *process, void *job)
{
    const struct neural_settings *settings = process;
    const struct job *work = job;
    if (!settings->model)
        return misuse("--model is missing: the model whose text encoder is to read the prompt");
    if (device_check(settings->device))
        return -1;
    if (!work->prompt && !work->prompt_file)
        return misuse("--prompt is missing: say what to make, or give --prompt-file");
    if (work->prompt && work->prompt_file)
        return misuse("--prompt and --prompt-file exclude each other: give one");
    if (!work->output)
        return misuse("--output is missing: the condition to write");
    return file_not_replaced(work->prompt_file, work->output);
}

static int outputs(const void *job, void (*each)(void *context, const char *path), void *context)
{
    each(context, ((const struct job *)job)->output);
    return 0;
}

/* memory */

/* T5's work grows with the square of a prompt's length, so that on a CPU too there is a limit: what the machine has. */
static int open_budget(struct encoder *encoder, struct device device, int64_t memory)
{
    struct device_memory machine;
    if (budget_open(&encoder->budget, device, memory))
        return -1;
    if (encoder->budget.allowed == INT64_MAX && device_memory(device, &machine) == 0)
        encoder->budget.allowed = machine.total;
    return failed() ? -1 : 0;
}

static struct memory_plan plan_of(const struct encoder *encoder, int64_t tokens)
{
    struct memory_plan plan = {0};
    t5_plan(&plan, &encoder->model.text, tokens, encoder->budget.device);
    return plan;
}

#define A_PROMPT "a prompt of %lld token%s"
#define A_PROMPT_OF(tokens) (long long)(tokens), (tokens) == 1 ? "" : "s"

/* tokens: 1 when there is no prompt yet. */
static int check_memory(const struct encoder *encoder, int64_t tokens)
{
    struct memory_plan plan = plan_of(encoder, tokens);
    if (budget_holds(&encoder->budget, &plan))
        return 0;
    char *advice = budget_advice(&encoder->budget, &plan, tokens > 1 ? "shorten the prompt" : NULL);
    budget_refuse(&encoder->budget, &plan, advice, A_PROMPT, A_PROMPT_OF(tokens));
    free(advice);
    return -1;
}

/* There is nothing to make smaller: a prompt is one pass. */
static int explain_refusal(const struct encoder *encoder, int64_t tokens)
{
    struct memory_plan plan = plan_of(encoder, tokens);
    return budget_refused(&encoder->budget, &plan, A_PROMPT, A_PROMPT_OF(tokens));
}

/* prompts */

static int read_prompt_file(const char *path, struct text *prompt)
{
    if (file_read(path, MAX_PROMPT_FILE, prompt))
        return -1;
    const char *string = text_string(prompt);
    if (strlen(string) != prompt->length)
        return misuse("prompt file '%s' holds a NUL byte: a prompt is text in UTF-8", path);
    if (!utf8_valid(string, prompt->length))
        return misuse("prompt file '%s' is not valid UTF-8: save it as UTF-8", path);
    if (has_suffix(string, "\n"))
        prompt->length -= has_suffix(string, "\r\n") ? 2 : 1;
    if (prompt->data)
        prompt->data[prompt->length] = 0;
    return 0;
}

static int read_prompt(const struct job *job, struct text *prompt)
{
    if (job->prompt_file)
        return read_prompt_file(job->prompt_file, prompt);
    text_append(prompt, job->prompt);
    return 0;
}

/* encoding */

static int encode_prompt(const struct encoder *encoder, const struct text *prompt, struct condition *condition)
{
    condition->width = encoder->model.text.width;
    condition->recipe = json_pack("{s:s, s:i, s:s, s:s}", "tool", "encode-text", "version", ENCODE_TEXT_RESULT, "model", encoder->identity,
                                  "prompt", text_string(prompt));
    if (!prompt->length) /* the unconditional request: no tokens at all */
        return 0;
    if (tokenizer_encode(encoder->tokenizer, prompt->data, prompt->length, &condition->ids, &condition->tokens) ||
        check_memory(encoder, condition->tokens))
        return -1;
    condition->hidden = allocate((size_t)(condition->tokens * condition->width), sizeof *condition->hidden);
    if (t5_encode(&encoder->t5, condition->ids, condition->tokens, condition->hidden))
        return explain_refusal(encoder, condition->tokens);
    return 0;
}

/* NULL after a failure. */
static json_t *encode_job(const struct encoder *encoder, const struct job *job)
{
    struct text prompt = {0};
    struct condition condition = {0};
    json_t *result = NULL;
    if (read_prompt(job, &prompt) == 0 && encode_prompt(encoder, &prompt, &condition) == 0 &&
        condition_write(&condition, "encode-text", job->output) == 0)
        result = json_pack("{s:I}", "tokens", (json_int_t)condition.tokens);
    condition_release(&condition);
    text_release(&prompt);
    return result;
}

static void encode_all(struct tool_run *run, const struct encoder *encoder)
{
    for (size_t i = 0; i < run->count; i++) {
        if (!tool_job_begin(run, i))
            continue;
        progress_step("encode", (int64_t)i, (int64_t)run->count);
        json_t *result = encode_job(encoder, tool_job(run, i));
        progress_step("encode", (int64_t)i + 1, (int64_t)run->count);
        tool_job_end(run, i, result);
    }
}

/* opening */

static int open_tokenizer(struct encoder *encoder)
{
    encoder->tokenizer = tokenizer_open(encoder->model.sources.tokenizer);
    return encoder->tokenizer ? 0 : -1;
}

static int open_t5(struct encoder *encoder, const struct neural_settings *process, int threads)
{
    struct device device;
    if (device_open(process->device, threads, process->memory, &device) || open_budget(encoder, device, process->memory) ||
        check_memory(encoder, 1))
        return -1;
    struct checkpoint *checkpoint = checkpoint_open(encoder->model.folder);
    int result = checkpoint ? t5_open(&encoder->t5, &encoder->model.text, checkpoint, device) : -1;
    checkpoint_close(checkpoint);
    return result ? explain_refusal(encoder, 1) : 0;
}

/* Does any job have something to encode? Whether a file is empty is not known yet. */
static bool has_text(struct tool_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        const struct job *job = tool_job(run, i);
        if (job->prompt_file || *job->prompt)
            return true;
    }
    return false;
}

static int open_encoder(struct encoder *encoder, struct tool_run *run)
{
    const struct neural_settings *process = run->process;
    if (model_open(&encoder->model, process->model))
        return -1;
    encoder->identity = model_identity(&encoder->model);
    if (!encoder->identity)
        return -1;
    return has_text(run) && (open_tokenizer(encoder) || open_t5(encoder, process, run->threads)) ? -1 : 0;
}

static void close_encoder(struct encoder *encoder)
{
    t5_close(&encoder->t5);
    tokenizer_close(encoder->tokenizer);
    free(encoder->identity);
    model_release(&encoder->model);
}

static int work(struct tool_run *run)
{
    struct encoder encoder = {0};
    int result = open_encoder(&encoder, run);
    if (result == 0)
        encode_all(run, &encoder);
    close_encoder(&encoder);
    return result;
}

static const struct tool TOOL = {
    .name = "encode-text",
    .purpose = "Encodes prompts into conditions for sample-tokens.",
    .usage = "--model MODEL --prompt TEXT --output FILE",
    .settings = SETTINGS,
    .job_size = sizeof(struct job),
    .process_size = sizeof(struct neural_settings),
    .check = check,
    .outputs = outputs,
    .work = work,
};

int main(int argc, char **argv) { return tool_main(&TOOL, argc, argv); }
