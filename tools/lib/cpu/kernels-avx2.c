/* SPDX-License-Identifier: Apache-2.0
 * The kernels for AVX2, FMA and F16C.
 */
#if defined(__x86_64__)
#include "cpu/lanes-avx2.h"
#include "cpu/kernels-vector.h"

KERNELS(KERNELS_AVX2, "avx2");
#endif
