/* SPDX-License-Identifier: Apache-2.0
 * The kernels for AVX-512 with VNNI, whose dot products serve int8 weights.
 */
#if defined(__x86_64__)
#include "cpu/lanes-avx512.h"
#include "cpu/kernels-vector.h"

KERNELS(KERNELS_AVX512_VNNI, "avx512-vnni");
#endif
