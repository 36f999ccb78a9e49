/* SPDX-License-Identifier: Apache-2.0
 * Opening libtorch, resolving its symbols, and what must be set before and after.
 */
#include <dlfcn.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/text.h"
#include "libtorch/dispatch.h"
#include "libtorch/finder.h"
#include "libtorch/libtorch.h"
#include "libtorch/self-test.h"

struct libtorch_symbols torch;

/* How often a waiting thread looks before it sleeps: some microseconds. GOMP's own default burns a core for milliseconds,
 * which on a machine that others share makes a step of a small model up to ten times slower. */
#define BARRIER_SPINS "1000"

static void *library;
static char *place;
static char version[32];
static int threads_used;

const char *libtorch_version(void) { return version; }
int libtorch_threads(void) { return threads_used; }
const char *libtorch_place(void) { return place ? place : ""; }
void *libtorch_symbol(const char *name) { return library ? dlsym(library, name) : NULL; }

/* Activations come and go by tens of megabytes. Handed back to the kernel each time, half of a decoder's time is page
 * faults: keep them in one heap instead. */
static void keep_pages(void)
{
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, -1);
    mallopt(M_ARENA_MAX, 1);
}

/* A program that reads audio has libgomp (below FFmpeg's resampler) before its main begins, and libgomp reads the
 * environment only then: such a program starts itself once more. Where it cannot, waiting threads only burn more. */
__attribute__((constructor)) static void restart_with_spins(int argc, char **argv)
{
    char program[PATH_MAX] = "";
    (void)argc;
    if (!dlsym(RTLD_DEFAULT, "omp_get_num_threads") || getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY"))
        return;
    if (readlink("/proc/self/exe", program, sizeof program - 1) > 0 && setenv("GOMP_SPINCOUNT", BARRIER_SPINS, 1) == 0)
        execv(program, argv);
}

/* What libtorch and the libraries below it read once, when they are loaded. */
static void set_environment(int threads)
{
    char *count = format_string("%d", threads);
    setenv("OMP_NUM_THREADS", count, 1);
    setenv("MKL_NUM_THREADS", count, 1);
    setenv("GOMP_SPINCOUNT", BARRIER_SPINS, 0);
    setenv("NVIDIA_TF32_OVERRIDE", "0", 0); /* float32 is to be float32, unless the user says otherwise */
    free(count);
}

/* Opens path, or where that cannot be (a CUDA build without NVIDIA's packages) its CPU half. Takes path. */
static int open_library(char *path)
{
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        char *reason = copy_string(dlerror()), *half = libtorch_find_cpu(path);
        library = half ? dlopen(half, RTLD_NOW | RTLD_LOCAL) : NULL;
        if (!library)
            fail("cannot open '%s': %s; " LIBTORCH_REMEDY, path, reason);
        free(reason);
        free(path);
        path = half;
    }
    if (!library) {
        free(path);
        return -1;
    }
    place = path;
    return 0;
}

static void read_version(void)
{
    uint64_t code = torch.aoti_torch_abi_version ? torch.aoti_torch_abi_version() : 0;
    if (code)
        snprintf(version, sizeof version, "%d.%d.%d", (int)(code >> 56), (int)(code >> 48 & 255), (int)(code >> 40 & 255));
}

static int resolve(void)
{
    const char *missing = NULL;
#define RESOLVE(result, name, arguments)               \
    *(void **)&torch.name = dlsym(library, #name);     \
    if (!torch.name && !missing)                      \
        missing = #name;
    LIBTORCH_REQUIRED(RESOLVE)
#undef RESOLVE
    read_version();
    if (missing)
        return fail("'%s' (version %s) is too old: it has no '%s', libtorch 2.11 or newer is needed; " LIBTORCH_REMEDY, place,
                    *version ? version : "unknown", missing);
#ifndef LIBTORCH_ONLY_2_11 /* a test build takes away what 2.11 does not have */
#define RESOLVE(result, name, arguments) *(void **)&torch.name = dlsym(library, #name);
    LIBTORCH_OPTIONAL(RESOLVE)
#undef RESOLVE
#endif
    *(void **)&torch.set_num_threads = dlsym(library, "_ZN2at15set_num_threadsEi");
    *(void **)&torch.operator_new = dlsym(RTLD_DEFAULT, "_Znwm"); /* the one that comes first for libtorch as well */
    if (!torch.operator_new)
        *(void **)&torch.operator_new = dlsym(library, "_Znwm");
    return 0;
}

int libtorch_open(int threads)
{
    threads_used = threads;
    keep_pages();
    set_environment(threads);
    char *path = libtorch_find();
    if (!path || open_library(path) || resolve())
        return -1;
    if (torch.set_num_threads)
        torch.set_num_threads(threads);
    return self_test((struct device){DEVICE_CPU, 0});
}
