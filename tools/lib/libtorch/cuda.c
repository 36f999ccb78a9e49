/* SPDX-License-Identifier: Apache-2.0 */
#include "libtorch/cuda.h"

#include "base/failure.h"
#include "libtorch/dispatch.h"

struct cuda_symbols cuda;

static bool begun;

bool cuda_begun(void) { return begun; }

const char *cuda_resolve(void)
{
    const char *missing = NULL;
#define RESOLVE(result, name, arguments)                  \
    *(void **)&cuda.name = libtorch_symbol(#name);        \
    if (!cuda.name && !missing)                           \
        missing = #name;
    LIBTORCH_CUDA(RESOLVE) CUDA_RUNTIME(RESOLVE)
#undef RESOLVE
#define RESOLVE(result, name, mangled, arguments) *(void **)&cuda.name = libtorch_symbol(#mangled);
    LIBTORCH_CONTEXT(RESOLVE)
#undef RESOLVE
    return missing;
}

int cuda_failure(int error, int index, const char *what)
{
    const char *text = cuda.cudaGetErrorString(error);
    cuda.cudaGetLastError(); /* or it would be the next operation's */
    return fail("cannot %s on cuda:%d: %s", what, index, text ? text : "unknown error");
}

/* float32 is float32, sums of float16 products are float32, and what is computed twice is the same twice: cuDNN takes only
 * such algorithms, and attention has one implementation, whatever the shape. What a libtorch does not know it does not do. */
static void be_exact(void)
{
    void *context = cuda.globalContext ? cuda.globalContext() : NULL;
    if (!context)
        return;
    if (cuda.setDeterministicCuDNN)
        cuda.setDeterministicCuDNN(context, true);
    if (cuda.setBenchmarkCuDNN)
        cuda.setBenchmarkCuDNN(context, false);
    if (cuda.setAllowTF32CuDNN)
        cuda.setAllowTF32CuDNN(context, false);
    if (cuda.setAllowTF32CuBLAS)
        cuda.setAllowTF32CuBLAS(context, false);
    if (cuda.setAllowFP16ReductionCuBLAS)
        cuda.setAllowFP16ReductionCuBLAS(context, false, true); /* sums in parts are fine, in float32 */
    if (cuda.setSDPUseCuDNN)
        cuda.setSDPUseCuDNN(context, false);
}

int cuda_begin(int index)
{
    void *stream = NULL;
    begun = true;
    int error = cuda.cudaSetDevice(index);
    if (error)
        return cuda_failure(error, index, "work");
    be_exact();
    if (cuda.torch_get_cuda_stream_from_pool(false, index, &stream) || cuda.torch_set_current_cuda_stream(stream, index))
        return libtorch_failure("a stream of its own");
    return 0;
}

void *cuda_stream(int index)
{
    void *stream = NULL;
    cuda.aoti_torch_get_current_cuda_stream(index, &stream);
    return stream;
}
