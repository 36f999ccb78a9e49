/* SPDX-License-Identifier: Apache-2.0 */
#include "libtorch/graph.h"

#include <stdlib.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/text.h"
#include "libtorch/cuda.h"

enum { CAPTURE_OF_THIS_THREAD = 1 };

struct graph {
    struct device device;
    void *executable;
};

static char *reason_of(int error)
{
    const char *text = cuda.cudaGetErrorString(error);
    cuda.cudaGetLastError(); /* or it would be the next operation's */
    return copy_string(text ? text : "unknown error");
}

/* The launches of work(context), not run; NULL with a reason. */
static void *capture(void *stream, int (*work)(void *context), void *context, char **reason)
{
    void *recorded = NULL;
    int error = cuda.cudaStreamBeginCapture(stream, CAPTURE_OF_THIS_THREAD);
    if (error) {
        *reason = reason_of(error);
        return NULL;
    }
    int result = work(context);
    error = cuda.cudaStreamEndCapture(stream, &recorded);
    if (result) { /* says more than the broken recording */
        *reason = copy_string(failure_text());
        failure_clear();
        cuda.cudaGetLastError();
    } else if (error) {
        *reason = reason_of(error);
    }
    if (*reason && recorded)
        cuda.cudaGraphDestroy(recorded);
    return *reason ? NULL : recorded;
}

struct graph *graph_record(struct device device, int (*work)(void *context), void *context, char **reason)
{
    void *executable = NULL;
    *reason = NULL;
    if (device.kind == DEVICE_CPU) {
        *reason = copy_string("a CPU has none");
        return NULL;
    }
    void *recorded = capture(cuda_stream(device.index), work, context, reason);
    if (!recorded)
        return NULL;
    int error = cuda.cudaGraphInstantiateWithFlags(&executable, recorded, 0);
    cuda.cudaGraphDestroy(recorded);
    if (error) {
        *reason = reason_of(error);
        return NULL;
    }
    struct graph *graph = allocate(1, sizeof *graph);
    *graph = (struct graph){device, executable};
    return graph;
}

int graph_replay(struct graph *graph)
{
    int error = cuda.cudaGraphLaunch(graph->executable, cuda_stream(graph->device.index));
    return error ? cuda_failure(error, graph->device.index, "replay a step") : 0;
}

void graph_free(struct graph *graph)
{
    if (!graph)
        return;
    cuda.torch_cuda_stream_synchronize(cuda_stream(graph->device.index), graph->device.index);
    cuda.cudaGraphExecDestroy(graph->executable);
    free(graph);
}
