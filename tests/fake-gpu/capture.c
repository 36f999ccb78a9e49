/* SPDX-License-Identifier: Apache-2.0
 * Graphs. While a stream is recorded its operations run, so that results have shapes; when the recording ends what they changed is
 * as it was before, and what they made is garbage, since on a GPU nothing has run. A replay runs them once more, into
 * the memory that the recording saw.
 */
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "settings.h"

enum { OUT_OF_MEMORY = 2, ILLEGAL_STATE = 401, NOT_SUPPORTED = 801, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901, INVALID_HANDLE = 400 };

struct node {
    struct call *call;
    struct kept results[MAX_RESULTS]; /* tensor NULL: of an argument's memory, nothing to copy */
    size_t count;
};

struct snapshot {
    struct storage *storage;
    char *bytes;
};

struct graph {
    unsigned number;
    int users; /* the graph, and what was made of it */
    uint64_t outside; /* memory_outside when it was recorded */
    struct node *nodes;
    struct kept *made; /* on the GPU, during the recording */
    struct snapshot *snapshots;
    size_t node_count, made_count, snapshot_count;
};

static struct {
    void *stream;
    struct graph *graph;
    bool lost;
    unsigned number;
} recording;

void *capture_stream(void) { return recording.stream; }
bool capture_is_lost(void) { return recording.lost; }
unsigned capture_number(void) { return queue_is_captured() ? recording.number : 0; }

int32_t capture_refuse(const char *what)
{
    recording.lost = true;
    return refuse("CUDA error: operation not permitted when stream is capturing (%s)", what);
}

/* A place for one more item at the end of an array; its size doubles at powers of two. */
static void *grown(void *items, size_t count, size_t size)
{
    if (count & (count - 1))
        return items;
    items = realloc(items, (count ? 2 * count : 1) * size);
    if (!items)
        abort();
    return items;
}

/* recording */

static void snapshot(struct storage *storage)
{
    struct graph *graph = recording.graph;
    if (storage->capture == graph->number || !storage->bytes)
        return;
    for (size_t i = 0; i < graph->snapshot_count; i++)
        if (graph->snapshots[i].storage == storage)
            return;
    graph->snapshots = grown(graph->snapshots, graph->snapshot_count, sizeof *graph->snapshots);
    struct snapshot *taken = &graph->snapshots[graph->snapshot_count++];
    *taken = (struct snapshot){storage, malloc(storage->bytes)};
    if (!taken->bytes)
        abort();
    memcpy(taken->bytes, storage->base, storage->bytes);
    storage_keep(storage);
}

void capture_before(const struct call *call)
{
    const char *name = call->name, *overload = call->overload;
    const bool in_place = name[strlen(name) - 1] == '_', out = strstr(overload, "out") != NULL;
    for (size_t i = 0; i < call->tensor_count; i++)
        if (out || (in_place && i == 0))
            snapshot(call->tensors[i]->tensor.storage);
}

/* A number of the host is an argument of the kernel: as it is now. */
static void fix_numbers(struct call *call)
{
    for (size_t i = 0; i < call->tensor_count; i++) {
        struct kept *kept = &call->tensors[i]->tensor;
        struct tensor *copy = NULL;
        if (kept->storage->gpu != HOST || kept->storage->pinned)
            continue;
        if (real.aoti_torch_clone(kept->tensor, &copy))
            abort();
        unkeep(kept);
        *kept = (struct kept){copy, NULL};
    }
}

static bool is_argument(const struct call *call, const struct storage *storage)
{
    for (size_t i = 0; i < call->tensor_count; i++)
        if (call->tensors[i]->tensor.storage == storage)
            return true;
    return false;
}

void capture_after(struct call *call, struct tensor *const *results, size_t count)
{
    struct graph *graph = recording.graph;
    graph->nodes = grown(graph->nodes, graph->node_count, sizeof *graph->nodes);
    struct node *node = &graph->nodes[graph->node_count++];
    *node = (struct node){.call = call, .count = count};
    for (size_t i = 0; i < count; i++) {
        struct storage *storage = storage_of(results[i]);
        if (!is_argument(call, storage))
            node->results[i] = keep(results[i], storage);
    }
    call_disown(call);
    fix_numbers(call);
    counters.recorded++;
}

void capture_made(struct tensor *tensor, struct storage *storage)
{
    struct graph *graph = recording.graph;
    graph->made = grown(graph->made, graph->made_count, sizeof *graph->made);
    graph->made[graph->made_count++] = keep(tensor, storage);
}

static void undo(struct graph *graph)
{
    for (size_t i = 0; i < graph->snapshot_count; i++) {
        struct snapshot *taken = &graph->snapshots[i];
        memcpy(taken->storage->base, taken->bytes, taken->storage->bytes);
        storage_unkeep(taken->storage);
        free(taken->bytes);
    }
    graph->snapshot_count = 0;
    for (size_t i = 0; i < graph->made_count; i++) {
        storage_poison(graph->made[i].storage);
        if (graph->made[i].storage->held) /* memory that another graph's replays may write to */
            memory_count_outside();
    }
}

static void graph_leave(struct graph *graph)
{
    if (--graph->users)
        return;
    for (size_t i = 0; i < graph->node_count; i++) {
        for (size_t k = 0; k < graph->nodes[i].count; k++)
            unkeep(&graph->nodes[i].results[k]);
        call_free(graph->nodes[i].call);
    }
    for (size_t i = 0; i < graph->made_count; i++)
        unkeep(&graph->made[i]);
    free(graph->nodes);
    free(graph->made);
    free(graph->snapshots);
    free(graph);
}

static int begin(void *stream)
{
    if (!strcmp(setting_text("FAKE_GPU_CAPTURE", ""), "refuse"))
        return NOT_SUPPORTED;
    if (!stream)
        return CAPTURE_UNSUPPORTED;
    if (recording.stream)
        return ILLEGAL_STATE;
    queue_flush();
    recording.stream = stream;
    recording.number++;
    recording.lost = false;
    recording.graph = calloc(1, sizeof *recording.graph);
    if (!recording.graph)
        abort();
    *recording.graph = (struct graph){.number = recording.number, .users = 1};
    return 0;
}

static int end(void *stream, void **result)
{
    struct graph *graph = recording.graph;
    *result = NULL;
    if (!recording.stream || stream != recording.stream)
        return ILLEGAL_STATE;
    undo(graph);
    graph->outside = memory_outside();
    recording.stream = NULL;
    recording.graph = NULL;
    if (recording.lost || !strcmp(setting_text("FAKE_GPU_CAPTURE", ""), "fail")) {
        graph_leave(graph);
        return CAPTURE_INVALIDATED;
    }
    counters.captures++;
    *result = graph;
    return 0;
}

/* replaying */

static const struct call *uses_freed_memory(const struct graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++)
        for (size_t k = 0; k < graph->nodes[i].call->tensor_count; k++) {
            const struct storage *storage = graph->nodes[i].call->tensors[k]->tensor.storage;
            if (storage && storage->capture != graph->number && !storage->held)
                return graph->nodes[i].call;
        }
    return NULL;
}

static void check_launch(const struct graph *graph)
{
    const struct call *call = uses_freed_memory(graph);
    if (graph->outside != memory_outside())
        violate("a graph is launched after memory was allocated on the GPU: its temporaries may overwrite it");
    if (call)
        violate("a graph is launched after memory that its '%s' uses was freed", call->name);
}

static void replay_node(const struct node *node)
{
    stack_value stack[STACK_SLOTS];
    const struct call *call = node->call;
    call_make(call, stack);
    if (call_real(call->name, call->overload, stack, call->built_for)) {
        violate("the replay of '%s' fails: %s", call->name,
                real.torch_exception_get_what_without_backtrace ? real.torch_exception_get_what_without_backtrace() : "");
        return;
    }
    size_t count = node->count ? node->count : 1;
    for (size_t i = 0; i < count; i++) {
        struct tensor *result = (struct tensor *)(uintptr_t)stack[i];
        if (node->results[i].tensor && real.aoti_torch_copy_(node->results[i].tensor, result, 0))
            violate("the result of '%s' has another shape at its replay", call->name);
        real.aoti_torch_delete_tensor_object(result);
    }
}

void capture_replay(void *executable)
{
    struct graph *graph = executable;
    size_t first = !strcmp(setting_text("FAKE_GPU_CAPTURE", ""), "wrong");
    for (size_t i = first; i < graph->node_count && !violated(); i++)
        replay_node(&graph->nodes[i]);
}

/* the runtime's calls; each leaves its error for cudaGetLastError */

static int last_error;

static int remembered(int error)
{
    if (error)
        last_error = error;
    return error;
}

int cudaGetLastError(void)
{
    int error = last_error;
    last_error = 0;
    return error;
}

const char *cudaGetErrorString(int error)
{
    switch (error) {
    case 0: return "no error";
    case OUT_OF_MEMORY: return "out of memory";
    case 101: return "invalid device ordinal";
    case INVALID_HANDLE: return "invalid resource handle";
    case ILLEGAL_STATE: return "the operation cannot be performed in the present state";
    case 700: return "an illegal memory access was encountered";
    case NOT_SUPPORTED: return "operation not supported";
    case CAPTURE_UNSUPPORTED: return "operation not permitted when stream is capturing";
    case CAPTURE_INVALIDATED: return "operation failed due to a previous error during capture";
    default: return "unrecognized error code";
    }
}

int cudaRuntimeGetVersion(int *version)
{
    *version = 13000;
    return 0;
}

int cudaStreamBeginCapture(void *stream, int mode)
{
    enum { THREAD_LOCAL = 1 };
    if (!enter())
        return ILLEGAL_STATE;
    int error = mode == THREAD_LOCAL ? begin(stream) : NOT_SUPPORTED;
    leave();
    return remembered(error);
}

int cudaStreamEndCapture(void *stream, void **graph)
{
    if (!enter())
        return ILLEGAL_STATE;
    int error = end(stream, graph);
    leave();
    return remembered(error);
}

int cudaGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long flags)
{
    (void)flags;
    *executable = graph;
    if (!graph)
        return remembered(INVALID_HANDLE);
    ((struct graph *)graph)->users++;
    return 0;
}

int cudaGraphLaunch(void *executable, void *stream)
{
    if (!enter())
        return ILLEGAL_STATE;
    int error = !executable ? INVALID_HANDLE : recording.stream && stream == recording.stream ? CAPTURE_UNSUPPORTED : 0;
    if (!error) {
        check_launch(executable);
        error = violated() ? 700 : !strcmp(setting_text("FAKE_GPU_CAPTURE", ""), "launch") ? OUT_OF_MEMORY : 0;
    }
    if (!error) {
        queue_flush();
        queue_launch(executable);
        counters.launches++;
    }
    leave();
    return remembered(error);
}

static int destroy(void *graph)
{
    if (!graph || !enter())
        return remembered(INVALID_HANDLE);
    queue_flush();
    graph_leave(graph);
    leave();
    return 0;
}

int cudaGraphExecDestroy(void *executable) { return destroy(executable); }
int cudaGraphDestroy(void *graph) { return destroy(graph); }
