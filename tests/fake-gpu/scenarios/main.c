/* SPDX-License-Identifier: Apache-2.0
 * scenarios NAME [BYTES...]: one small program for a GPU; prints what it read, or the failure (status 1). tests/cli/fake-gpu.sh
 * runs each on the fake and knows what a GPU would do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "libtorch/cuda.h"
#include "libtorch/dispatch.h"
#include "libtorch/graph.h"
#include "libtorch/staging.h"
#include "libtorch/tensor.h"

enum { COUNT = 3 };

static const struct device GPU = {DEVICE_CUDA, 0}, HOST = {DEVICE_CPU, 0};
static char **sizes; /* the arguments after the name */

static struct tensor *numbers(struct device device, float a, float b, float c)
{
    return tensor_from(device, TENSOR_F32, SHAPE(COUNT), (const float[]){a, b, c});
}

static struct tensor *indices(struct device device, int64_t a, int64_t b, int64_t c)
{
    return tensor_from(device, TENSOR_I64, SHAPE(COUNT), (const int64_t[]){a, b, c});
}

static void print(const char *name, struct tensor *tensor)
{
    float values[COUNT];
    tensor_read(tensor, values, sizeof values);
    if (!failed())
        printf("%s %.9g %.9g %.9g\n", name, (double)values[0], (double)values[1], (double)values[2]);
}

static struct tensor *bytes(int64_t count) { return tensor_new(GPU, TENSOR_U8, SHAPE(count)); }

/* what is refused */

static void mixed(void) { tensor_mul(numbers(GPU, 1, 2, 3), numbers(HOST, 1, 2, 3)); }
static void mixed_list(void) { tensor_cat((struct tensor *[]){numbers(GPU, 1, 2, 3), numbers(HOST, 1, 2, 3)}, 2, 0); }
static void mixed_optional(void) { tensor_linear(tensor_view(numbers(GPU, 1, 2, 3), SHAPE(1, 3)), tensor_view(numbers(GPU, 1, 2, 3), SHAPE(1, 3)), tensor_narrow(numbers(HOST, 1, 2, 3), 0, 0, 1)); }
static void mixed_gpus(void) { tensor_sub(numbers(GPU, 1, 2, 3), numbers((struct device){DEVICE_CUDA, 1}, 1, 2, 3)); }
static void host_index(void) { tensor_embedding(tensor_view(numbers(GPU, 1, 2, 3), SHAPE(3, 1)), indices(HOST, 0, 1, 2)); }
static void host_index_copy(void) { tensor_index_copy(numbers(GPU, 1, 2, 3), 0, indices(HOST, 0, 1, 2), numbers(GPU, 4, 5, 6)); }
static void host_number(void) { print("product", tensor_mul(tensor_scalar(2), numbers(GPU, 1, 2, 3))); }
static void address(void) { torch.aoti_torch_get_data_ptr(numbers(GPU, 1, 2, 3), (void *[]){NULL}) ? libtorch_failure("get_data_ptr") : 0; }

/* memory */

static void uninitialised(void) { print("new", tensor_new(GPU, TENSOR_F32, SHAPE(COUNT))); }

static void allocate_sizes(void)
{
    for (char **size = sizes; *size; size++) {
        struct tensor *made = bytes(atoll(*size));
        printf("%s%s\n", made ? "got" : "refused", !made && device_refused_memory() ? " memory" : "");
        failure_clear();
    }
}

static void refused_result(void) { tensor_relu(tensor_zeros(GPU, TENSOR_F32, SHAPE(5 << 20))); }

/* What was freed is still the allocator's. */
static void free_memory(void)
{
    struct device_memory memory;
    struct scope scope;
    scope_open(&scope);
    bytes(1000);
    bytes(10 << 20);
    scope_close(&scope);
    bytes(1 << 20);
    if (device_memory(GPU, &memory) == 0)
        printf("%lld of %lld\n", (long long)memory.free, (long long)memory.total);
}

/* Views and further handles are the same memory. */
static void shared_memory(void)
{
    struct tensor *first = bytes(1 << 20);
    tensor_view(tensor_contiguous(tensor_to(tensor_narrow(first, 0, 0, 10), GPU, TENSOR_U8)), SHAPE(2, 5));
    tensor_contiguous(first);
}

/* copies that do not wait */

static void sent_to_gpu(bool waits)
{
    struct tensor *pinned = tensor_pinned(GPU, TENSOR_F32, SHAPE(COUNT)), *onto = numbers(GPU, 0, 0, 0);
    memcpy(tensor_data(pinned), (float[]){1, 2, 3}, sizeof(float[COUNT]));
    tensor_send(onto, pinned);
    if (waits)
        device_wait(GPU);
    memset(tensor_data(pinned), 0, sizeof(float[COUNT]));
    print("sent", onto);
}

static void send_and_wait(void) { sent_to_gpu(true); }
static void send_and_overwrite(void) { sent_to_gpu(false); }

static void fetched(bool waits)
{
    struct tensor *pinned = tensor_pinned(GPU, TENSOR_F32, SHAPE(COUNT));
    tensor_send(pinned, numbers(GPU, 1, 2, 3));
    if (waits)
        device_wait(GPU);
    print("fetched", pinned);
}

static void fetch_and_wait(void) { fetched(true); }
static void fetch_too_early(void) { fetched(false); }

static void staged(void)
{
    struct staging staging = {.device = GPU};
    enum { MANY = 5 << 20 }; /* more than both buffers hold */
    float *data = allocate(MANY, sizeof *data);
    for (int i = 0; i < MANY; i++)
        data[i] = (float)i;
    struct tensor *tensor = staging_tensor(&staging, TENSOR_F32, SHAPE(MANY), data);
    memset(data, 0, MANY * sizeof *data);
    staging_release(&staging);
    print("last", tensor_narrow(tensor, 0, MANY - COUNT, COUNT));
    free(data);
}

/* cuDNN: two layers of width 1, all weights 1 and all biases 0 */

static void lstm(bool arranged)
{
    enum { LAYERS = 2, WEIGHTS = 4 * LAYERS };
    struct tensor *y, *h, *c, *weights[WEIGHTS], *state = tensor_zeros(GPU, TENSOR_F32, SHAPE(LAYERS, 1, 1));
    for (int i = 0; i < WEIGHTS; i++) {
        float value = i % 4 < 2;
        weights[i] = tensor_from(GPU, TENSOR_F32, i % 4 < 2 ? 2 : 1, (const int64_t[]){4, 1}, (const float[]){value, value, value, value});
    }
    if (arranged)
        operation("aten::_cudnn_rnn_flatten_weight", "",
                  ARGUMENTS(of_tensors(weights, WEIGHTS), of_integer(4), of_integer(1), of_integer(2), of_integer(1), of_integer(0),
                            of_integer(LAYERS), of_flag(false), of_flag(false)));
    tensor_lstm(tensor_from(GPU, TENSOR_F32, SHAPE(1, 1, 1), (const float[]){1}), state, state, weights, LAYERS, &y, &h, &c);
    print("y and h", tensor_view(tensor_cat((struct tensor *[]){y, h}, 2, 0), SHAPE(COUNT)));
}

static void lstm_in_pieces(void) { lstm(false); }
static void lstm_in_one_piece(void) { lstm(true); }

/* graphs: out += 2 x, where x may come from pinned memory */

static struct step {
    struct tensor *x, *out, *pinned, *kept;
    void (*also)(struct step *step);
} step;

static int work(void *context)
{
    struct step *s = context;
    struct scope scope;
    scope_open(&scope);
    if (s->pinned)
        tensor_send(s->x, s->pinned);
    struct tensor *twice = tensor_mul(s->x, tensor_scalar(2));
    tensor_copy(s->out, tensor_add(s->out, twice));
    if (s->also)
        s->also(s);
    scope_close(&scope);
    return failed() ? -1 : 0;
}

static struct graph *record(bool from_pinned, void (*also)(struct step *step))
{
    char *reason = NULL;
    step = (struct step){.x = numbers(GPU, 1, 2, 3), .out = numbers(GPU, 0, 0, 0), .also = also};
    if (from_pinned) {
        step.pinned = tensor_pinned(GPU, TENSOR_F32, SHAPE(COUNT));
        memcpy(tensor_data(step.pinned), (float[]){4, 5, 6}, sizeof(float[COUNT]));
    }
    struct graph *graph = graph_record(GPU, work, &step, &reason);
    if (!graph)
        printf("not recorded: %s\n", reason);
    free(reason);
    return graph;
}

static void keep_result(struct step *s) { s->kept = tensor_own(tensor_mul(s->x, tensor_scalar(3))); }

static void replayed(void)
{
    struct graph *graph = record(false, keep_result);
    print("recorded", step.out);
    print("garbage", step.kept);
    graph_replay(graph);
    graph_replay(graph);
    print("replayed", step.out);
    print("result", step.kept);
    tensor_copy(step.x, numbers(HOST, 10, 20, 30));
    graph_replay(graph);
    print("changed", step.out);
    graph_free(graph);
    tensor_free(step.kept);
}

static void replayed_from_pinned(void)
{
    struct graph *graph = record(true, NULL);
    graph_replay(graph);
    device_wait(GPU);
    memcpy(tensor_data(step.pinned), (float[]){7, 8, 9}, sizeof(float[COUNT]));
    graph_replay(graph);
    print("replayed", step.out);
    graph_free(graph);
}

static void replayed_overwritten(void)
{
    struct graph *graph = record(true, NULL);
    graph_replay(graph);
    memcpy(tensor_data(step.pinned), (float[]){0, 0, 0}, sizeof(float[COUNT])); /* without waiting */
    print("replayed", step.out);
    graph_free(graph);
}

static void wait_inside(struct step *s) { (void)s, device_wait(GPU); }
static void read_inside(struct step *s) { print("inside", s->x); }
static void unpinned_inside(struct step *s) { tensor_send(s->x, numbers(HOST, 1, 2, 3)); }
static void convolve_inside(struct step *s)
{
    tensor_conv1d(tensor_view(s->x, SHAPE(1, 1, 3)), tensor_view(s->x, SHAPE(1, 1, 3)), tensor_narrow(s->x, 0, 0, 1), 1, 0, 1);
}
static void choose_inside(struct step *s) { tensor_where(tensor_less_equal(s->x, s->out), s->x, tensor_scalar(0)); }
static void capture_number(void) { record(false, choose_inside); }
static void capture_library(void) { record(false, convolve_inside); }
static void capture_wait(void) { record(false, wait_inside); }
static void capture_read(void) { record(false, read_inside); }
static void capture_unpinned(void) { record(false, unpinned_inside); }
static void capture_anything(void) { graph_free(record(false, NULL)); }

static void capture_default(void)
{
    cuda.torch_set_current_cuda_stream(NULL, 0);
    record(false, NULL);
}

static void allocated_between(void)
{
    struct graph *graph = record(false, NULL);
    graph_replay(graph);
    bytes(1);
    graph_replay(graph);
    graph_free(graph);
}

static void freed_between(void)
{
    struct scope scope;
    scope_open(&scope);
    struct graph *graph = record(false, NULL);
    graph_replay(graph);
    scope_close(&scope);
    graph_replay(graph);
    graph_free(graph);
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
#define SCENARIO(name) {#name, name}
    SCENARIO(mixed), SCENARIO(mixed_list), SCENARIO(mixed_optional), SCENARIO(mixed_gpus), SCENARIO(host_index), SCENARIO(host_index_copy),
    SCENARIO(host_number), SCENARIO(address), SCENARIO(uninitialised), SCENARIO(allocate_sizes), SCENARIO(refused_result),
    SCENARIO(free_memory), SCENARIO(shared_memory), SCENARIO(send_and_wait), SCENARIO(send_and_overwrite), SCENARIO(fetch_and_wait),
    SCENARIO(fetch_too_early), SCENARIO(staged), SCENARIO(lstm_in_pieces), SCENARIO(lstm_in_one_piece), SCENARIO(replayed), SCENARIO(replayed_from_pinned), SCENARIO(replayed_overwritten),
    SCENARIO(capture_wait), SCENARIO(capture_read), SCENARIO(capture_unpinned), SCENARIO(capture_library), SCENARIO(capture_number), SCENARIO(capture_anything), SCENARIO(capture_default),
    SCENARIO(allocated_between), SCENARIO(freed_between),
};

int main(int argc, char **argv)
{
    struct device device;
    struct scope scope;
    const char *limit = getenv("LIMIT");
    if (argc < 2 || device_open("cuda", 1, limit ? atoll(limit) : 0, &device)) {
        fprintf(stderr, "%s\n", argc < 2 ? "scenarios NAME" : failure_text());
        return 2;
    }
    sizes = argv + 2;
    scope_open(&scope);
    for (size_t i = 0; i < COUNT_OF(scenarios); i++)
        if (!strcmp(scenarios[i].name, argv[1]))
            scenarios[i].run();
    scope_close(&scope);
    if (failed())
        fprintf(stderr, "%s\n", failure_text());
    return failed() ? 1 : 0;
}
