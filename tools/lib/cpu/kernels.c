/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/kernels.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"

const char *const KERNEL_NAMES[] = {"plain", "avx2", "avx2-vnni", "avx512", "avx512-vnni", NULL};

#if defined(__x86_64__)
#include <cpuid.h>

extern const struct kernels KERNELS_AVX2, KERNELS_AVX2_VNNI, KERNELS_AVX512, KERNELS_AVX512_VNNI;

/* CPUID's answers that not every compiler's builtin knows; the registers that they are about are AVX's, which "avx2" covers. */

static bool has_f16c(void)
{
    unsigned a, b, c = 0, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & 1u << 29);
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

static bool has_avx_vnni(void)
{
    unsigned a = 0, b, c, d;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4);
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

static bool has_avx512_vnni(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512vnni");
}
#endif

static bool always(void)
{
    return true;
}

static const struct {
    const struct kernels *kernels;
    bool (*runs)(void);
} VERSIONS[] = { /* as KERNEL_NAMES */
    {&KERNELS_PLAIN, always},
#if defined(__x86_64__)
    {&KERNELS_AVX2, has_avx2},
    {&KERNELS_AVX2_VNNI, has_avx_vnni},
    {&KERNELS_AVX512, has_avx512},
    {&KERNELS_AVX512_VNNI, has_avx512_vnni},
#endif
};

enum { VERSION_COUNT = sizeof VERSIONS / sizeof VERSIONS[0] };

const struct kernels *kernels_find(const char *name)
{
    for (int i = 0; i < VERSION_COUNT; i++)
        if (strcmp(VERSIONS[i].kernels->name, name) == 0)
            return VERSIONS[i].runs() ? VERSIONS[i].kernels : NULL;
    return NULL;
}

const struct kernels *kernels_choose(void)
{
    const char *wanted = getenv("LEITMOTIF_KERNELS");
    int best = VERSION_COUNT - 1;
    if (wanted && *wanted) {
        const struct kernels *kernels = kernels_find(wanted);
        if (!kernels)
            fail("LEITMOTIF_KERNELS '%s': this machine has no such kernels; unset it, or set it to plain", wanted);
        return kernels;
    }
    while (!VERSIONS[best].runs())
        best--;
    return VERSIONS[best].kernels;
}
