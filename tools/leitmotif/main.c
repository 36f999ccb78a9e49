/* SPDX-License-Identifier: Apache-2.0
 * leitmotif - whole soundtracks from one YAML file: finds the command and runs it.
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/output.h"
#include "base/text.h"
#include "base/version.h"
#include "leitmotif/command.h"

static const struct command *const commands[] = {
    &render_command, &plan_command, &check_command, &new_command, &generate_command,
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static void print_help(void)
{
    printf("leitmotif - renders whole soundtracks from one YAML file\n\nUsage: leitmotif COMMAND [OPTION...]\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        printf("  %-10s %s\n", commands[i]->name, commands[i]->text.purpose);
    printf("\n'leitmotif COMMAND --help' tells more. Exit status: 0 done, 1 failed, 2 misuse or an invalid YAML file.\n");
}

static int refuse(const char *name)
{
    const char *names[COUNT_OF(commands) + 2];
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        names[i] = commands[i]->name;
    names[COUNT_OF(commands)] = "--help";
    names[COUNT_OF(commands) + 1] = "--version";
    const char *kind = name[0] == '-' ? "option" : "command";
    misuse("unknown %s '%s'%s; see 'leitmotif --help'", kind, name, did_you_mean(name, names, COUNT_OF(names)));
    return failure_print("leitmotif");
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name) {
        misuse("a command is missing; see 'leitmotif --help'");
        return failure_print("leitmotif");
    }
    const struct command *command = find_command(name);
    if (command)
        return command_main(command, argc - 1, argv + 1);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        print_help();
    else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        printf("leitmotif %s\n", LEITMOTIF_VERSION);
    else
        return refuse(name);
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    keep_standard_descriptors();
    setlocale(LC_CTYPE, "C.UTF-8");
    cleanup_on_signals();
    int status = run(argc, argv);
    const char *reason = fflush(stdout) ? strerror(errno) : ferror(stdout) ? "an earlier line was lost" : NULL;
    if (reason && status == EXIT_DONE) {
        fprintf(stderr, "leitmotif: cannot write to stdout: %s\n", reason);
        return EXIT_FAILED;
    }
    return status;
}
