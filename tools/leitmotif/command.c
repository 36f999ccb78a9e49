/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/command.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/version.h"

static int run(const struct command *command, const struct flags *flags)
{
    void *options = allocate(1, command->options_size + 1);
    int status = -1;
    if (command->defaults)
        command->defaults(options);
    if (!flags_apply(flags, command->settings, SCOPE_JOB, options))
        status = command->run(options, &flags->arguments);
    settings_release(command->settings, options, SCOPE_JOB);
    free(options);
    return status;
}

int command_main(const struct command *command, int argc, char **argv)
{
    const struct setting *const tables[] = {command->settings, NULL};
    struct flags flags;
    int status = flags_read(&flags, tables, argc, argv);
    if (status == 0 && flags.help)
        flags_print_help(&command->text, tables);
    else if (status == 0 && flags.version)
        printf("leitmotif %s\n", LEITMOTIF_VERSION);
    else if (status == 0)
        status = run(command, &flags);
    flags_release(&flags);
    return status < 0 ? failure_print("leitmotif") : status;
}
