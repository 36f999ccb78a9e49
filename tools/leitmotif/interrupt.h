/* SPDX-License-Identifier: Apache-2.0
 * interrupt - while children run, the signals that end a program are only noted, so that they can be passed on and
 * waited for; then the program dies of the same signal.
 */
#ifndef LEITMOTIF_INTERRUPT_H
#define LEITMOTIF_INTERRUPT_H

#include <poll.h>

void interrupt_begin(void);
int interrupt_signal(void); /* SIGINT, SIGTERM or SIGHUP if one came since interrupt_begin, else 0 */
int interrupt_count(void);  /* how many came */

/* poll() that also wakes when a noted signal comes or a child ends. */
void interrupt_poll(struct pollfd *descriptors, nfds_t count, int timeout_ms);

void interrupt_end(void); /* as it was before */
_Noreturn void interrupt_die(int signal_number); /* after interrupt_end; as process 1: exit status 128 + signal */

#endif
