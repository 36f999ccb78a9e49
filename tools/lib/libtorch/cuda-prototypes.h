/* SPDX-License-Identifier: Apache-2.0
 * cuda-prototypes - the functions of NVIDIA's driver, of its management library and of the CUDA runtime that are called, and
 * those of libtorch's CUDA half: written by hand as prototypes.h is, found at run time, so that nothing of CUDA is needed to
 * build. A function of NVIDIA's returns 0 or an error's number; streams and graphs are opaque.
 */
#ifndef LEITMOTIF_LIBTORCH_CUDA_PROTOTYPES_H
#define LEITMOTIF_LIBTORCH_CUDA_PROTOTYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libcuda.so.1. Versions are 1000 * major + 10 * minor of CUDA. */
#define CUDA_DRIVER(FUNCTION)                                                  \
    FUNCTION(int, cuInit, (unsigned flags))                                    \
    FUNCTION(int, cuDriverGetVersion, (int *version))                          \
    FUNCTION(int, cuDeviceGetCount, (int *count))                              \
    FUNCTION(int, cuDeviceGet, (int *device, int index))                       \
    FUNCTION(int, cuDeviceGetName, (char *name, int size, int device))         \
    FUNCTION(int, cuDeviceTotalMem_v2, (size_t *bytes, int device))

/* libnvidia-ml.so.1, for the driver's own number. */
#define CUDA_MANAGEMENT(FUNCTION)                                              \
    FUNCTION(int, nvmlInit_v2, (void))                                         \
    FUNCTION(int, nvmlSystemGetDriverVersion, (char *version, unsigned size))  \
    FUNCTION(int, nvmlShutdown, (void))

/* libcudart, which libtorch's CUDA half is linked with. Capture mode 1: only this thread is held to what may be captured. */
#define CUDA_RUNTIME(FUNCTION)                                                 \
    FUNCTION(int, cudaRuntimeGetVersion, (int *version))                       \
    FUNCTION(int, cudaSetDevice, (int index))                                  \
    FUNCTION(int, cudaMemGetInfo, (size_t *free, size_t *total))               \
    FUNCTION(int, cudaGetLastError, (void))                                    \
    FUNCTION(const char *, cudaGetErrorString, (int error))                    \
    FUNCTION(int, cudaStreamBeginCapture, (void *stream, int mode))            \
    FUNCTION(int, cudaStreamEndCapture, (void *stream, void **graph))          \
    FUNCTION(int, cudaGraphInstantiateWithFlags, (void **executable, void *graph, unsigned long long flags)) \
    FUNCTION(int, cudaGraphLaunch, (void *executable, void *stream))           \
    FUNCTION(int, cudaGraphExecDestroy, (void *executable))                    \
    FUNCTION(int, cudaGraphDestroy, (void *graph))

/* libtorch_cuda: absent in a build for CPUs. 0, or 1 with a text as in prototypes.h. */
#define LIBTORCH_CUDA(FUNCTION)                                                                          \
    FUNCTION(int32_t, aoti_torch_get_current_cuda_stream, (int32_t device, void **stream))               \
    FUNCTION(int32_t, torch_get_cuda_stream_from_pool, (bool high_priority, int32_t device, void **stream)) \
    FUNCTION(int32_t, torch_set_current_cuda_stream, (void *stream, int32_t device))                     \
    FUNCTION(int32_t, torch_cuda_stream_synchronize, (void *stream, int32_t device))

/* C++ functions that nobody promises: (context, ...) of at::globalContext(). Absent ones are left alone. */
#define LIBTORCH_CONTEXT(FUNCTION)                                                                       \
    FUNCTION(void *, globalContext, _ZN2at13globalContextEv, (void))                                     \
    FUNCTION(void, setDeterministicCuDNN, _ZN2at7Context21setDeterministicCuDNNEb, (void *, bool))       \
    FUNCTION(void, setBenchmarkCuDNN, _ZN2at7Context17setBenchmarkCuDNNEb, (void *, bool))               \
    FUNCTION(void, setAllowTF32CuDNN, _ZN2at7Context17setAllowTF32CuDNNEb, (void *, bool))               \
    FUNCTION(void, setAllowTF32CuBLAS, _ZN2at7Context18setAllowTF32CuBLASEb, (void *, bool))             \
    FUNCTION(void, setAllowFP16ReductionCuBLAS, _ZN2at7Context27setAllowFP16ReductionCuBLASEbb, (void *, bool, bool)) \
    FUNCTION(void, setSDPUseCuDNN, _ZN2at7Context14setSDPUseCuDNNEb, (void *, bool))

#endif
