/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/failure.h"
#include "base/path.h"

enum { BLOCK_SIZE = 1 << 14 };

/* The folder that holds the stage programs; yours. */
static char *tools_folder(void)
{
    const char *chosen = getenv("LEITMOTIF_TOOLS");
    char executable[PATH_MAX];
    if (chosen && chosen[0])
        return format_string("%s", chosen);
    ssize_t length = readlink("/proc/self/exe", executable, sizeof executable - 1);
    executable[length > 0 ? length : 0] = 0;
    return path_folder(executable);
}

char *process_find(const char *name)
{
    char *folder = tools_folder(), *path = path_join(folder, name);
    if (access(path, X_OK)) {
        fail("cannot run '%s': %s; the stage programs must stand beside leitmotif, or in $LEITMOTIF_TOOLS", path, strerror(errno));
        free(path);
        path = NULL;
    }
    free(folder);
    return path;
}

/* Both ends are closed on exec; ours does not block. */
static int open_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC))
        return fail("cannot make a pipe: %s", strerror(errno));
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return 0;
}

static void close_pipe(int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

static _Noreturn void become(char *const arguments[], pid_t parent, int input, int output, int errors)
{
    sigset_t none;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* it died before it could be watched */
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(arguments[0], arguments);
    dprintf(STDERR_FILENO, "cannot run '%s': %s\n", arguments[0], strerror(errno));
    _exit(127);
}

static int start_between(struct process *process, char *const arguments[], int input, const int output[2], const int errors[2])
{
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        return fail("cannot start '%s': %s", arguments[0], strerror(errno));
    if (child == 0)
        become(arguments, parent, input, output[1], errors[1]);
    setpgid(child, child); /* here too: whoever comes first */
    *process = (struct process){.pid = child, .output.descriptor = output[0], .errors.descriptor = errors[0]};
    close(output[1]);
    close(errors[1]);
    return 0;
}

int process_start(struct process *process, char *const arguments[], int input)
{
    int output[2], errors[2];
    *process = (struct process){.output.descriptor = -1, .errors.descriptor = -1};
    if (open_pipe(output))
        return -1;
    if (open_pipe(errors)) {
        close_pipe(output);
        return -1;
    }
    if (start_between(process, arguments, input, output, errors) == 0)
        return 0;
    close_pipe(output);
    close_pipe(errors);
    return -1;
}

static void hand_over_lines(struct pipe_reader *reader, line_handler *handle, void *context)
{
    char *start = reader->partial.data, *end = start + reader->partial.length, *newline;
    while (start < end && (newline = memchr(start, '\n', (size_t)(end - start)))) {
        *newline = 0;
        handle(context, start, (size_t)(newline - start));
        start = newline + 1;
    }
    struct text rest = {0};
    text_append_bytes(&rest, start, (size_t)(end - start));
    text_release(&reader->partial);
    reader->partial = rest;
}

static void close_reader(struct pipe_reader *reader, line_handler *handle, void *context)
{
    if (reader->partial.length)
        handle(context, reader->partial.data, reader->partial.length);
    text_release(&reader->partial);
    close(reader->descriptor);
    reader->descriptor = -1;
}

void process_read(struct pipe_reader *reader, line_handler *handle, void *context)
{
    char block[BLOCK_SIZE];
    while (reader->descriptor >= 0) {
        ssize_t got = read(reader->descriptor, block, sizeof block);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            close_reader(reader, handle, context);
            return;
        }
        text_append_bytes(&reader->partial, block, (size_t)got);
        hand_over_lines(reader, handle, context);
    }
}

bool process_ended(struct process *process)
{
    siginfo_t information = {0};
    if (waitid(P_PID, (id_t)process->pid, &information, WEXITED | WNOHANG | WNOWAIT) || information.si_pid == 0)
        return false;
    kill(-process->pid, SIGKILL); /* before it is waited for: until then nobody else can have its number */
    waitpid(process->pid, &process->status, 0);
    process->pid = 0;
    return true;
}

void process_signal(const struct process *process, int signal_number)
{
    if (process->pid > 0)
        kill(-process->pid, signal_number);
}

char *process_fate(const struct process *process)
{
    if (WIFSIGNALED(process->status))
        return format_string("died of signal %d (%s)", WTERMSIG(process->status), strsignal(WTERMSIG(process->status)));
    if (WEXITSTATUS(process->status))
        return format_string("ended with status %d", WEXITSTATUS(process->status));
    return format_string("%s", "");
}

static void release_reader(struct pipe_reader *reader)
{
    if (reader->descriptor >= 0)
        close(reader->descriptor);
    text_release(&reader->partial);
    reader->descriptor = -1;
}

void process_release(struct process *process)
{
    if (process->pid > 0) {
        process_signal(process, SIGKILL);
        waitpid(process->pid, &process->status, 0);
        process->pid = 0;
    }
    release_reader(&process->output);
    release_reader(&process->errors);
}
