/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/interrupt.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"

static const int noted[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};

static struct sigaction actions_before[COUNT_OF(noted)];
static sigset_t mask_before;
static volatile sig_atomic_t came, count;

static void take_note(int signal_number)
{
    if (signal_number == SIGCHLD)
        return;
    came = signal_number;
    count++;
}

/* Blocked outside of interrupt_poll, so that none comes between looking and sleeping. One that is ignored (nohup, a
 * shell's background job) stays so. */
void interrupt_begin(void)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    came = count = 0;
    for (size_t i = 0; i < COUNT_OF(noted); i++) {
        struct sigaction action = {.sa_handler = take_note};
        sigaction(noted[i], NULL, &actions_before[i]);
        if (noted[i] == SIGCHLD || actions_before[i].sa_handler != SIG_IGN)
            sigaction(noted[i], &action, NULL);
        sigaddset(&blocked, noted[i]);
    }
    sigprocmask(SIG_BLOCK, &blocked, &mask_before);
}

int interrupt_signal(void)
{
    return came;
}

int interrupt_count(void)
{
    return count;
}

void interrupt_poll(struct pollfd *descriptors, nfds_t descriptor_count, int timeout_ms)
{
    struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
    ppoll(descriptors, descriptor_count, timeout_ms < 0 ? NULL : &timeout, &mask_before);
}

void interrupt_end(void)
{
    for (size_t i = 0; i < COUNT_OF(noted); i++)
        sigaction(noted[i], &actions_before[i], NULL);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

void interrupt_die(int signal_number)
{
    raise(signal_number); /* cleanup_on_signals() removes what is half written, and ends us */
    exit(128 + signal_number);
}
