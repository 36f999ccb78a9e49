/* SPDX-License-Identifier: Apache-2.0
 * leitmotif new FILE [--force]: a commented project to start from, which renders as it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/path.h"
#include "leitmotif/command.h"

struct new_options {
    bool force;
};

static const struct setting settings[] = {
    {.name = "force", .type = SETTING_FLAG, .scope = SCOPE_JOB, .offset = offsetof(struct new_options, force),
     .help = "replace FILE if it is there"},
    {0},
};

static const char before_title[] =
    "# A soundtrack. Check it:   leitmotif check FILE\n"
    "#               Make it:    leitmotif render FILE\n"
    "# Change a prompt and render again: only that track is made again.\n"
    "\n"
    "leitmotif: 1                      # the version of this format\n";

static const char after_title[] =
    "model: demo                       # small, medium or large sound far better; 'leitmotif check' says how to get them\n"
    "seed: 0                           # another number gives another take of every track\n"
    "\n"
    "# For every track that does not say otherwise.\n"
    "defaults:\n"
    "  duration: 10                    # seconds\n"
    "  temperature: 1.0                # lower: calmer and more repetitive; 0: always the likeliest\n"
    "  top_k: 250                      # choose among the 250 likeliest; 0: among all\n"
    "  top_p: 0                        # choose among the likeliest that make up this share; 0: off\n"
    "  guidance: 3.0                   # how closely to follow the prompt\n"
    "\n"
    "# One file per track and format. Formats: wav flac ogg mp3 opus.\n"
    "outputs:\n"
    "  - {format: ogg, quality: 6, rate: 44100, channels: 2}\n"
    "  - {format: mp3, bitrate: 192k, rate: 44100, channels: 2}\n"
    "\n"
    "# Every track at one loudness, in LUFS, with its peaks below a ceiling in dBTP.\n"
    "loudness: {target: -16, true_peak: -1, over: track}\n"
    "\n"
    "# What a result must hold to; a track that does not is reported as failed.\n"
    "verify: {max_silence: 3, duration_tolerance: 0.2, loudness_tolerance: 1}\n"
    "\n"
    "tracks:\n"
    "  main_theme:\n"
    "    prompt: an orchestral theme with a bright, memorable melody\n"
    "    duration: 12\n"
    "    guidance: 3.5\n"
    "\n"
    "  exploration:                    # three takes: exploration_1, exploration_2, exploration_3\n"
    "    prompt: calm ambient pads, slow and spacious\n"
    "    variations: 3\n"
    "\n"
    "  battle:\n"
    "    prompt: fast battle drums\n"
    "    seed: 42                      # this take, whatever the seed above\n"
    "\n"
    "  calm_space:                     # one piece whose prompt changes on the way; it lasts as long as its sections\n"
    "    sections:\n"
    "      - {duration: 6, prompt: an introspective intro with soft synth pads}\n"
    "      - {duration: 10, prompt: the main theme with layered arpeggios}\n"
    "\n"
    "  title_screen: a cheerful chiptune   # a prompt alone is a track, too\n";

/* The file's name without its extension, with '-' for what no title may have. Yours to free(). */
static char *title_for(const char *path)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    struct text title = {0};
    const char *name = path_name(path), *dot = strrchr(name, '.');
    text_append_bytes(&title, name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
    for (char *at = title.data; *at; at++)
        if (!strchr(allowed, *at) || (at == title.data && *at == '.'))
            *at = '-';
    if (!strcmp(title.data, "store"))
        text_append(&title, "-1");
    return text_take(&title);
}

static int write_starter(const char *path)
{
    char *title = title_for(path);
    char *content = format_string("%stitle: %-27s# also the folder of the files that are made\n%s", before_title, title, after_title);
    int status = file_write(path, content, strlen(content));
    free(content);
    free(title);
    return status;
}

static int new_file(const void *options, const struct string_list *arguments)
{
    const struct new_options *new_options = options;
    if (arguments->count != 1)
        return misuse("new takes one FILE; see 'leitmotif new --help'");
    const char *path = arguments->items[0];
    if (file_exists(path) && !new_options->force)
        return fail("'%s' exists already; --force replaces it", path);
    if (write_starter(path))
        return -1;
    printf("%s: written; make it by: leitmotif render %s\n", path, path);
    return EXIT_DONE;
}

const struct command new_command = {
    .name = "new",
    .text = {
        .program = "leitmotif new",
        .usage = "[--force] FILE",
        .purpose = "writes a commented project to start from, which renders as it is",
    },
    .settings = settings,
    .options_size = sizeof(struct new_options),
    .run = new_file,
};
