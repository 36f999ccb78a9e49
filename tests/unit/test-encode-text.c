/* SPDX-License-Identifier: Apache-2.0
 * Parity of encode-text, run as a user runs it, with stored token ids and hidden states; position buckets; strictness.
 * The model and the reference: $LEITMOTIF_PARITY (default tests/parity/tiny-text), as its README says.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/failure.h"
#include "base/json.h"
#include "base/memory.h"
#include "encode-text/t5.h"
#include "encode-text/tokenizer.h"
#include "formats/stage.h"

#include <cmocka.h>

#include "device.h"
#include "scratch.h"

/* Largest difference seen, over this, ten other tiny models (stereo, melody, AudioGen; float32, shards) and one of the small
 * shape: 7.8e-7, at values of 0.9. The same holds on a GPU, which sums float32 in another order. */
static const float HIDDEN_TOLERANCE = 1e-5f;

/* Of the prompts in the reference: the empty one, which is the unconditional request here, and the one whose special tokens
 * transformers knows and SentencePiece takes for text. */
enum { EMPTY_PROMPT = 2, SPECIAL_PROMPT = 7 };

static struct device device;
static struct model model;
static struct safetensors *reference;
static json_t *prompts;

static int set_up(void **state)
{
    const char *folder = getenv("LEITMOTIF_PARITY") ? getenv("LEITMOTIF_PARITY") : "tests/parity/tiny-text";
    char *path = path_join(folder, "reference.safetensors");
    if (scratch_open(state) || device_of_test_open(&device) || model_open(&model, folder) || !(reference = safetensors_open(path)))
        return failure_print("test-encode-text");
    const char *list = safetensors_metadata(reference, "prompts");
    prompts = json_parse(list, strlen(list), "prompts");
    free(path);
    return prompts ? 0 : failure_print("test-encode-text");
}

static int tear_down(void **state)
{
    json_decref(prompts);
    safetensors_close(reference);
    model_release(&model);
    return scratch_remove(state);
}

/* parity of the program */

static char *condition_path(size_t prompt)
{
    char name[32];
    snprintf(name, sizeof name, "%zu.condition", prompt);
    return scratch_path(name);
}

static char *write_jobs(void)
{
    struct text lines = {0};
    size_t i;
    json_t *prompt;
    json_array_foreach(prompts, i, prompt) {
        char *output = condition_path(i);
        json_t *job = json_pack("{s:O, s:s}", "prompt", prompt, "output", output);
        char *line = json_canonical(job);
        text_appendf(&lines, "%s\n", line);
        free(line);
        free(output);
        json_decref(job);
    }
    char *path = scratch_file("jobs", lines.data, lines.length);
    text_release(&lines);
    return path;
}

/* The program of the same build as this test. */
static char *program(void)
{
    char self[4096] = "";
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    char *tests = path_folder(self), *path = path_join(tests, "../bin/encode-text");
    free(tests);
    return path;
}

static void run_program(const char *jobs)
{
    char *path = program();
    int status = -1;
    pid_t child = fork();
    if (!child) {
        if (freopen("/dev/null", "w", stdout)) /* a line per job, beside this test's own */
            execl(path, path, "--quiet", "--threads", "2", "--device", device_of_test(), "--model", model.folder, "--jobs", jobs, (char *)NULL);
        _exit(127);
    }
    waitpid(child, &status, 0);
    free(path);
    assert_int_equal(status, 0);
}

static const struct array *stored(size_t prompt, const char *part)
{
    char name[64];
    snprintf(name, sizeof name, "prompt.%zu.%s", prompt, part);
    const struct array *array = safetensors_find(reference, name);
    assert_non_null(array);
    return array;
}

static void compare_ids(const struct condition *condition, const struct array *expected)
{
    assert_int_equal(condition->tokens, expected->shape[0]);
    for (int64_t i = 0; i < condition->tokens; i++) {
        int64_t id;
        memcpy(&id, (const char *)expected->data + i * (int64_t)sizeof id, sizeof id);
        assert_int_equal(condition->ids[i], id);
    }
}

static void compare_hidden(const struct condition *condition, const struct array *expected)
{
    assert_int_equal(condition->width, expected->shape[1]);
    for (int64_t i = 0; i < array_elements(expected); i++) {
        float value;
        memcpy(&value, (const char *)expected->data + i * (int64_t)sizeof value, sizeof value);
        assert_float_equal(condition->hidden[i], value, HIDDEN_TOLERANCE);
    }
}

static void compare_prompt(size_t prompt)
{
    struct condition condition;
    char *path = condition_path(prompt);
    assert_int_equal(condition_read(&condition, path), 0);
    if (prompt == EMPTY_PROMPT) {
        assert_int_equal(condition.tokens, 0);
        assert_int_equal(condition.width, model.text.width);
    } else {
        compare_ids(&condition, stored(prompt, "ids_spm"));
        if (prompt != SPECIAL_PROMPT) {
            compare_ids(&condition, stored(prompt, "ids"));
            compare_hidden(&condition, stored(prompt, "t5"));
        }
    }
    assert_string_equal(json_string_value(json_object_get(condition.recipe, "prompt")), json_string_value(json_array_get(prompts, prompt)));
    condition_release(&condition);
    free(path);
}

static void conditions_equal_the_reference(void **state)
{
    (void)state;
    char *jobs = write_jobs();
    run_program(jobs);
    assert_int_equal(json_array_size(prompts), SPECIAL_PROMPT + 1);
    for (size_t i = 0; i < json_array_size(prompts); i++)
        compare_prompt(i);
    free(jobs);
}

/* tokenizer */

static void files_that_are_no_tokenizer_are_refused(void **state)
{
    (void)state;
    char *text = scratch_file("text.model", "once upon a time", 16), *empty = scratch_file("empty.model", "", 0);
    assert_null(tokenizer_open(text));
    assert_refused("text.model", "is no SentencePiece model");
    assert_null(tokenizer_open(empty));
    assert_true(failed());
    failure_clear();
    assert_null(tokenizer_open("/nowhere/spiece.model"));
    assert_refused("/nowhere/spiece.model", "");
    tokenizer_close(NULL);
    free(text);
    free(empty);
}

/* T5 */

static void open_t5(struct t5 *t5, const char *folder)
{
    struct checkpoint *checkpoint = checkpoint_open(folder);
    assert_non_null(checkpoint);
    t5_open(t5, &model.text, checkpoint, device);
    checkpoint_close(checkpoint);
}

/* 32 buckets up to distance 128: the smallest distance of each. */
static void buckets_widen_as_published(void **state)
{
    static const int64_t starts[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91};
    struct t5 t5;
    (void)state;
    assert_true(model.text.buckets == 32 && model.text.max_distance == 128);
    open_t5(&t5, model.folder);
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        const int64_t last = i + 1 < COUNT_OF(starts) ? starts[i + 1] - 1 : 100000;
        assert_int_equal(t5_bucket(&t5, -starts[i]), i); /* the key stands before the query */
        assert_int_equal(t5_bucket(&t5, -last), i);
        assert_int_equal(t5_bucket(&t5, last), last ? 16 + i : 0);
    }
    t5_close(&t5);
}

static void damaged_or_foreign_ids_are_refused(void **state)
{
    struct t5 t5;
    float hidden[1024];
    (void)state;
    assert_true(model.text.width <= 1024);
    open_t5(&t5, model.folder);
    assert_int_equal(t5_encode(&t5, (int32_t[]){(int32_t)model.text.vocabulary}, 1, hidden), -1);
    assert_refused("spiece.model", "has no embedding");
    assert_int_equal(t5_encode(&t5, (int32_t[]){-1}, 1, hidden), -1);
    assert_refused("spiece.model", "has no embedding");
    assert_int_equal(t5_encode(&t5, (int32_t[]){(int32_t)model.text.vocabulary - 1}, 1, hidden), 0);
    t5_close(&t5);
}

/* Writes the text encoder's tensors of the model, with the prefix cut off, changed by `change`, into a folder. */
static char *write_alone(const char *name, void (*change)(struct array *array))
{
    struct array arrays[512];
    size_t count = 0;
    char *weights = path_join(model.folder, "model.safetensors"), *into = path_join(name, "model.safetensors");
    struct safetensors *file = safetensors_open(weights);
    assert_non_null(file);
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const struct array *array = safetensors_array(file, i);
        if (has_prefix(array->name, "text_encoder.")) {
            assert_true(count < COUNT_OF(arrays));
            arrays[count] = *array;
            arrays[count].name += strlen("text_encoder.");
            if (change)
                change(&arrays[count]);
            count++;
        }
    }
    char *path = scratch_file(into, "", 0), *folder = path_folder(path);
    assert_int_equal(safetensors_write(path, arrays, count, NULL), 0);
    safetensors_close(file);
    free(weights);
    free(into);
    free(path);
    return folder;
}

static float *encode_with(const char *folder)
{
    static const int32_t ids[] = {5, 17, 3, 1};
    struct t5 t5;
    float *hidden = allocate((size_t)(4 * model.text.width), sizeof *hidden);
    open_t5(&t5, folder);
    assert_string_equal(failure_text(), "");
    assert_int_equal(t5_encode(&t5, ids, 4, hidden), 0);
    t5_close(&t5);
    return hidden;
}

static void call_embedding_by_its_other_name(struct array *array)
{
    if (!strcmp(array->name, "shared.weight"))
        array->name = "encoder.embed_tokens.weight";
    else if (!strcmp(array->name, "encoder.embed_tokens.weight"))
        array->name = "shared.weight";
}

static void stands_alone_under_either_name(void **state)
{
    (void)state;
    char *alone = write_alone("alone", NULL), *other = write_alone("other", call_embedding_by_its_other_name);
    float *whole = encode_with(model.folder), *by_itself = encode_with(alone), *renamed = encode_with(other);
    const size_t bytes = (size_t)(4 * model.text.width) * sizeof *whole;
    assert_memory_equal(whole, by_itself, bytes);
    assert_memory_equal(whole, renamed, bytes);
    free(whole);
    free(by_itself);
    free(renamed);
    free(alone);
    free(other);
}

static void add_a_gate(struct array *array)
{
    if (!strcmp(array->name, "encoder.block.1.layer.1.DenseReluDense.wi.weight"))
        array->name = "encoder.block.1.layer.1.DenseReluDense.wi_0.weight";
}

static void lose_a_row(struct array *array)
{
    if (strcmp(array->name, "encoder.block.0.layer.0.SelfAttention.k.weight"))
        return;
    array->bytes -= array->bytes / (size_t)array->shape[0];
    array->shape[0]--;
}

static void hold_nothing_finite(struct array *array)
{
    static uint16_t numbers[1024];
    if (strcmp(array->name, "encoder.final_layer_norm.weight"))
        return;
    memset(numbers, 0xff, sizeof numbers); /* NaN, as halves or as floats */
    array->data = numbers;
}

static void other_weights_are_refused(void **state)
{
    struct t5 t5;
    float *hidden = allocate((size_t)model.text.width, sizeof *hidden);
    (void)state;
    char *gated = write_alone("gated", add_a_gate), *short_of_a_row = write_alone("short", lose_a_row);
    char *damaged = write_alone("damaged", hold_nothing_finite);
    open_t5(&t5, gated);
    assert_refused("gated", "DenseReluDense.wi.weight' is missing");
    t5_close(&t5);
    open_t5(&t5, short_of_a_row);
    assert_refused("SelfAttention.k.weight", "expected [");
    t5_close(&t5);
    open_t5(&t5, damaged);
    assert_int_equal(t5_encode(&t5, (int32_t[]){1}, 1, hidden), -1);
    assert_refused("T5", "not finite");
    t5_close(&t5);
    free(hidden);
    free(gated);
    free(short_of_a_row);
    free(damaged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_equal_the_reference),    cmocka_unit_test(files_that_are_no_tokenizer_are_refused),
        cmocka_unit_test(buckets_widen_as_published),        cmocka_unit_test(damaged_or_foreign_ids_are_refused),
        cmocka_unit_test(stands_alone_under_either_name),    cmocka_unit_test(other_weights_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
