/* SPDX-License-Identifier: Apache-2.0
 * self-test - runs each operation wrapper on small numbers known by heart. Only this folder includes this.
 *
 * A wrapper that disagrees with the opened libtorch about an argument list crashes or computes nonsense: better here,
 * at start-up and by name, than in somebody's track.
 */
#ifndef LEITMOTIF_LIBTORCH_SELF_TEST_H
#define LEITMOTIF_LIBTORCH_SELF_TEST_H

#include "libtorch/libtorch.h"

int self_test(struct device device);       /* at start-up: all on a CPU, a few on a GPU */
int self_test_whole(struct device device); /* all of them */

#endif
