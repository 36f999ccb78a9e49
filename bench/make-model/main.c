/* SPDX-License-Identifier: Apache-2.0
 * make-model - a folder with a model of a published shape and random weights, for measuring: what speed depends on is the
 * shape. Weights are float16, drawn from a seeded generator and written as they are drawn: no shape needs memory. Or they
 * are a hole in the file, where only sizes are wanted.
 *
 * config.json is written last: a folder with one is whole.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/tool.h"
#include "shape.h"
#include "tensors.h"

enum { NORMALS = 1 << 16, BLOCK = 1 << 16, LARGEST_TOKENIZER = 16 << 20 };

struct job {
    char *shape, *tokenizer, *output;
    bool sparse;
};

static const struct setting SETTINGS[] = {
    {.name = "shape", .type = SETTING_CHOICE, .offset = offsetof(struct job, shape), .argument = "SHAPE", .choices = SHAPE_NAMES,
     .help = "tiny, small, medium, large, melody, stereo-small ... or audiogen"},
    {.name = "tokenizer", .type = SETTING_STRING, .offset = offsetof(struct job, tokenizer), .argument = "FILE",
     .help = "the spiece.model to copy, such as the demo model's"},
    {.name = "output", .type = SETTING_STRING, .offset = offsetof(struct job, output), .argument = "FOLDER", .help = "the folder to make"},
    {.name = "sparse", .type = SETTING_FLAG, .offset = offsetof(struct job, sparse),
     .help = "weights that are all 0 and take no room on the disk: for plans, which depend on sizes only"},
    {0},
};

/* Values are picked from one table of normal numbers by 16 random bits each: 3 thousand million are drawn in seconds. */
struct generator {
    uint64_t state;
    float normals[NORMALS];
    uint16_t halves[NORMALS]; /* of the present drawing */
    struct drawing drawing;
    uint16_t block[BLOCK];
    const struct tensors *tensors;
    int64_t done, total; /* bytes */
};

/* SplitMix64: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. */
static uint64_t random_bits(struct generator *generator)
{
    uint64_t z = generator->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double random_share(struct generator *generator) /* in (0, 1] */
{
    return ((double)(random_bits(generator) >> 11) + 1) * 0x1p-53;
}

static struct generator *generator_new(const struct tensors *tensors)
{
    struct generator *generator = allocate(1, sizeof *generator);
    generator->tensors = tensors;
    for (size_t i = 0; i < NORMALS; i++) {
        double radius = sqrt(-2 * log(random_share(generator)));
        generator->normals[i] = (float)(radius * cos(2 * acos(-1) * random_share(generator)));
    }
    for (size_t i = 0; i < tensors->count; i++)
        generator->total += (int64_t)tensors->arrays[i].bytes;
    return generator;
}

static void use_drawing(struct generator *generator, struct drawing drawing)
{
    generator->drawing = drawing;
    for (size_t i = 0; i < NORMALS; i++)
        generator->halves[i] = float_to_half(drawing.mean + drawing.deviation * generator->normals[i]);
}

static int write_random(void *context, struct output *output, const struct array *array)
{
    struct generator *generator = context;
    use_drawing(generator, generator->tensors->drawings[array - generator->tensors->arrays]);
    for (size_t left = array->bytes / sizeof *generator->block, count; left; left -= count) {
        uint64_t bits = 0;
        count = left < BLOCK ? left : BLOCK;
        for (size_t i = 0; i < count; i++, bits >>= 16) {
            if (i % 4 == 0)
                bits = random_bits(generator);
            generator->block[i] = generator->halves[bits & 0xffff];
        }
        if (output_write(output, generator->block, count * sizeof *generator->block))
            return -1;
        generator->done += (int64_t)(count * sizeof *generator->block);
        progress_bytes("write", generator->done, generator->total);
    }
    return 0;
}

static int leave_hole(void *context, struct output *output, const struct array *array)
{
    (void)context;
    off_t end = lseek(output->descriptor, (off_t)array->bytes, SEEK_CUR);
    if (end < 0 || ftruncate(output->descriptor, end))
        return fail("cannot write '%s': %s", output->path, strerror(errno));
    return 0;
}

static int write_weights(const char *folder, const struct tensors *tensors, bool sparse)
{
    char *path = path_join(folder, "model.safetensors");
    struct generator *generator = sparse ? NULL : generator_new(tensors);
    json_t *metadata = json_pack("{s:s}", "format", "pt");
    int result = safetensors_stream(path, tensors->arrays, tensors->count, metadata, sparse ? leave_hole : write_random, generator);
    json_decref(metadata);
    free(generator);
    free(path);
    return result;
}

static int write_json(const char *folder, const char *name, json_t *value)
{
    char *path = path_join(folder, name), *text = json_canonical(value);
    int result = file_write(path, text, strlen(text));
    json_decref(value);
    free(text);
    free(path);
    return result;
}

static int copy_tokenizer(const char *folder, const char *tokenizer)
{
    struct text content = {0};
    char *path = path_join(folder, "spiece.model");
    int result = file_read(tokenizer, LARGEST_TOKENIZER, &content) || file_write(path, content.data, content.length) ? -1 : 0;
    text_release(&content);
    free(path);
    return result;
}

static json_t *make(const struct job *job)
{
    struct model shape = shape_named(job->shape);
    struct tensors tensors = {0};
    int64_t elements = 0;
    tensors_list(&tensors, &shape);
    for (size_t i = 0; i < tensors.count; i++)
        elements += array_elements(&tensors.arrays[i]);
    if (folder_make(job->output) == 0 && copy_tokenizer(job->output, job->tokenizer) == 0 &&
        write_weights(job->output, &tensors, job->sparse) == 0 && write_json(job->output, "generation_config.json", shape_generation(&shape)) == 0)
        write_json(job->output, "config.json", shape_config(&shape));
    tensors_release(&tensors);
    return failed() ? NULL : json_pack("{s:I}", "weights", (json_int_t)elements);
}

static int check(const void *process, void *job)
{
    const struct job *work = job;
    (void)process;
    if (!work->shape)
        return misuse("--shape is missing: tiny, small, medium, large, audiogen ...; --help");
    if (!work->tokenizer)
        return misuse("--tokenizer is missing: a spiece.model to copy, such as the demo model's");
    if (!work->output)
        return misuse("--output is missing: the folder to make");
    return 0;
}

static int work(struct tool_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        if (tool_job_begin(run, i))
            tool_job_end(run, i, make(tool_job(run, i)));
    return 0;
}

int main(int argc, char **argv)
{
    static const struct tool TOOL = {
        .name = "make-model",
        .purpose = "Make a model of a published shape with random weights, to measure with.",
        .usage = "--shape SHAPE --tokenizer FILE --output FOLDER",
        .settings = SETTINGS,
        .job_size = sizeof(struct job),
        .check = check,
        .work = work,
    };
    return tool_main(&TOOL, argc, argv);
}
