/* SPDX-License-Identifier: Apache-2.0
 * The same tests with every symbol newer than libtorch 2.11 taken away: this loader stands in for the archive's.
 */
#define LIBTORCH_ONLY_2_11
#include "libtorch/loader.c"

#include "test-tensor.c"
