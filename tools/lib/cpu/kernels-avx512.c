/* SPDX-License-Identifier: Apache-2.0
 * The kernels for AVX-512F, BW, VL and DQ.
 */
#if defined(__x86_64__)
#include "cpu/lanes-avx512.h"
#include "cpu/kernels-vector.h"

KERNELS(KERNELS_AVX512, "avx512");
#endif
