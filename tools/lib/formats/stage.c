/* SPDX-License-Identifier: Apache-2.0
 * Content is copied out of the file: it is small beside a model, and a reader then owns aligned, checked arrays.
 */
#include "formats/stage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/json.h"
#include "base/memory.h"
#include "formats/safetensors.h"

#define CONDITION_FORMAT "leitmotif.condition/1"
#define TOKENS_FORMAT "leitmotif.tokens/1"
#define MELODY_FORMAT "leitmotif.melody/1"

enum { WIDTH_MAX = 1 << 16, CODEBOOKS_MAX = 256, RECIPE_MAX_BYTES = 4 << 20 };

static int check_format(const struct safetensors *file, const char *expected)
{
    const char *format = safetensors_metadata(file, "format");
    if (!format)
        return fail("no '%s' file: its metadata names no format", expected);
    if (strcmp(format, expected) != 0)
        return fail("format is '%.100s', expected '%s'", format, expected);
    return 0;
}

/* The array `name` if it is of this type and rank; NULL on failure. */
static const struct array *required(const struct safetensors *file, const char *name, enum element_type type, int rank)
{
    const struct array *array = safetensors_find(file, name);
    if (!array)
        fail("array '%s' is missing", name);
    else if (array->type != type || array->rank != rank) {
        fail("array '%s' is %s %s, expected %s of %d dimension%s", name, element_name(array->type),
             shape_text(array->rank, array->shape), element_name(type), rank, rank == 1 ? "" : "s");
        array = NULL;
    }
    return array;
}

static void *copied(const struct array *array)
{
    void *copy = allocate(array->bytes, 1);
    if (array->bytes)
        memcpy(copy, array->data, array->bytes);
    return copy;
}

static int check_not_negative(const int32_t *values, int64_t count, const char *name)
{
    for (int64_t i = 0; i < count; i++)
        if (values[i] < 0)
            return fail("array '%s' holds %d at element %lld: negative", name, values[i], (long long)i);
    return 0;
}

static int check_finite(const float *values, int64_t count, const char *name)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return fail("array '%s' holds %f at element %lld: not finite", name, (double)values[i], (long long)i);
    return 0;
}

static int read_recipe(const struct safetensors *file, json_t **recipe)
{
    const char *text = safetensors_metadata(file, "recipe");
    if (!text)
        return 0;
    if (strlen(text) > RECIPE_MAX_BYTES)
        return fail("recipe has more than %d bytes", RECIPE_MAX_BYTES);
    *recipe = json_parse(text, strlen(text), "recipe");
    if (*recipe && !json_is_object(*recipe))
        return fail("recipe is no JSON object");
    return *recipe ? 0 : -1;
}

/* Opens a stage file and hands it to the reader of its kind. */
static int read_stage(void *content, const char *path, int (*reader)(void *content, const struct safetensors *file))
{
    struct safetensors *file = safetensors_open(path);
    if (!file)
        return -1;
    int result = reader(content, file);
    safetensors_close(file);
    return result ? failure_within("'%s'", path) : 0;
}

static int read_condition(void *content, const struct safetensors *file)
{
    struct condition *condition = content;
    if (check_format(file, CONDITION_FORMAT))
        return -1;
    const struct array *ids = required(file, "ids", ELEMENT_I32, 1), *hidden = required(file, "hidden", ELEMENT_F32, 2);
    if (!ids || !hidden)
        return -1;
    if (hidden->shape[0] != ids->shape[0] || hidden->shape[1] < 1 || hidden->shape[1] > WIDTH_MAX)
        return fail("array 'hidden' is %s, expected [%lld, width 1 to %d] beside 'ids' %s", shape_text(2, hidden->shape),
                    (long long)ids->shape[0], WIDTH_MAX, shape_text(1, ids->shape));
    condition->tokens = ids->shape[0];
    condition->width = hidden->shape[1];
    condition->ids = copied(ids);
    condition->hidden = copied(hidden);
    if (check_not_negative(condition->ids, condition->tokens, "ids") ||
        check_finite(condition->hidden, condition->tokens * condition->width, "hidden"))
        return -1;
    return read_recipe(file, &condition->recipe);
}

int condition_read(struct condition *condition, const char *path)
{
    *condition = (struct condition){0};
    int result = read_stage(condition, path, read_condition);
    if (result)
        condition_release(condition);
    return result;
}

void condition_release(struct condition *condition)
{
    free(condition->ids);
    free(condition->hidden);
    json_decref(condition->recipe);
    *condition = (struct condition){0};
}

static int read_tokens(void *content, const struct safetensors *file)
{
    struct tokens *tokens = content;
    if (check_format(file, TOKENS_FORMAT))
        return -1;
    const struct array *codes = required(file, "codes", ELEMENT_I32, 2);
    if (!codes)
        return -1;
    if (codes->shape[0] < 1 || codes->shape[0] > CODEBOOKS_MAX || codes->shape[1] < 1)
        return fail("array 'codes' is %s, expected [codebooks 1 to %d, frames 1 and more]", shape_text(2, codes->shape),
                    CODEBOOKS_MAX);
    tokens->codebooks = codes->shape[0];
    tokens->frames = codes->shape[1];
    tokens->codes = copied(codes);
    if (check_not_negative(tokens->codes, tokens->codebooks * tokens->frames, "codes"))
        return -1;
    return read_recipe(file, &tokens->recipe);
}

int tokens_read(struct tokens *tokens, const char *path)
{
    *tokens = (struct tokens){0};
    int result = read_stage(tokens, path, read_tokens);
    if (result)
        tokens_release(tokens);
    return result;
}

void tokens_release(struct tokens *tokens)
{
    free(tokens->codes);
    json_decref(tokens->recipe);
    *tokens = (struct tokens){0};
}

static int read_melody(void *content, const struct safetensors *file)
{
    struct melody *melody = content;
    if (check_format(file, MELODY_FORMAT))
        return -1;
    const struct array *chroma = required(file, "chroma", ELEMENT_I32, 2);
    if (!chroma)
        return -1;
    if (chroma->shape[0] < 1 || chroma->shape[1] < 1)
        return fail("array 'chroma' is %s, expected [windows 1 and more, frames 1 and more]", shape_text(2, chroma->shape));
    melody->windows = chroma->shape[0];
    melody->frames = chroma->shape[1];
    melody->chroma = copied(chroma);
    if (check_not_negative(melody->chroma, melody->windows * melody->frames, "chroma"))
        return -1;
    return read_recipe(file, &melody->recipe);
}

int melody_read(struct melody *melody, const char *path)
{
    *melody = (struct melody){0};
    int result = read_stage(melody, path, read_melody);
    if (result)
        melody_release(melody);
    return result;
}

void melody_release(struct melody *melody)
{
    free(melody->chroma);
    json_decref(melody->recipe);
    *melody = (struct melody){0};
}

static int write_stage(const char *path, const char *format, const char *tool, const json_t *recipe,
                       const struct array *arrays, size_t count)
{
    json_t *metadata = json_pack("{s:s, s:s}", "format", format, "tool", tool);
    char *text = recipe ? json_canonical(recipe) : NULL;
    if (text)
        json_object_set_new(metadata, "recipe", json_string(text));
    int result = safetensors_write(path, arrays, count, metadata);
    free(text);
    json_decref(metadata);
    return result;
}

int condition_write(const struct condition *condition, const char *tool, const char *path)
{
    size_t tokens = (size_t)condition->tokens, width = (size_t)condition->width;
    const struct array arrays[] = {
        {"ids", ELEMENT_I32, 1, {condition->tokens}, condition->ids, tokens * sizeof *condition->ids},
        {"hidden", ELEMENT_F32, 2, {condition->tokens, condition->width}, condition->hidden,
         tokens * width * sizeof *condition->hidden},
    };
    return write_stage(path, CONDITION_FORMAT, tool, condition->recipe, arrays, COUNT_OF(arrays));
}

int tokens_write(const struct tokens *tokens, const char *tool, const char *path)
{
    const struct array codes = {"codes", ELEMENT_I32, 2, {tokens->codebooks, tokens->frames}, tokens->codes,
                                (size_t)tokens->codebooks * (size_t)tokens->frames * sizeof *tokens->codes};
    return write_stage(path, TOKENS_FORMAT, tool, tokens->recipe, &codes, 1);
}

int melody_write(const struct melody *melody, const char *tool, const char *path)
{
    const struct array chroma = {"chroma", ELEMENT_I32, 2, {melody->windows, melody->frames}, melody->chroma,
                                 (size_t)melody->windows * (size_t)melody->frames * sizeof *melody->chroma};
    return write_stage(path, MELODY_FORMAT, tool, melody->recipe, &chroma, 1);
}
