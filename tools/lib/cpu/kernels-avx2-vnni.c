/* SPDX-License-Identifier: Apache-2.0
 * The kernels for AVX2 with AVX-VNNI, whose dot products serve int8 weights.
 */
#if defined(__x86_64__)
#include "cpu/lanes-avx2.h"
#include "cpu/kernels-vector.h"

KERNELS(KERNELS_AVX2_VNNI, "avx2-vnni");
#endif
