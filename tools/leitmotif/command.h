/* SPDX-License-Identifier: Apache-2.0
 * command - one word after `leitmotif`: its flags as a table, and what it does.
 */
#ifndef LEITMOTIF_COMMAND_H
#define LEITMOTIF_COMMAND_H

#include <stddef.h>

#include "base/flags.h"

struct command {
    const char *name;               /* "check" */
    struct flags_text text;         /* for --help; program is "leitmotif check" */
    const struct setting *settings; /* all SCOPE_JOB; ends with {0} */
    size_t options_size;            /* the struct that settings fill; zero-filled, then defaults */
    void (*defaults)(void *options); /* or NULL */

    /* Does it, results on stdout; returns the exit status, or -1 with a recorded failure, which command_main prints. */
    int (*run)(const void *options, const struct string_list *arguments);
};

extern const struct command render_command, plan_command, check_command, new_command, generate_command;

/* argv[0] is the command's own name. Returns the exit status. */
int command_main(const struct command *command, int argc, char **argv);

#endif
