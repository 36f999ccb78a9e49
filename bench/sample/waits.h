/* SPDX-License-Identifier: Apache-2.0
 * waits - how long this program has waited for the device. The linker puts the functions of waits.c in the place of those that
 * wait (--wrap), so that what is measured is the product's own code.
 */
#ifndef LEITMOTIF_BENCH_WAITS_H
#define LEITMOTIF_BENCH_WAITS_H

double waits_seconds(void); /* in all, so far */

#endif
