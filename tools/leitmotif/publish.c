/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/output.h"
#include "base/path.h"

static bool same_state(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool publish_needed(const char *stored, const char *place)
{
    struct stat source, target;
    return stat(stored, &source) || stat(place, &target) || !S_ISREG(target.st_mode) || !same_state(&source, &target);
}

/* By the system, which may share the blocks; by hand where it cannot. */
static int copy_content(int source, const char *path, struct output *output)
{
    char block[1 << 16];
    ssize_t got;
    while ((got = copy_file_range(source, NULL, output->descriptor, NULL, 1 << 30, 0)) > 0)
        continue;
    if (got == 0)
        return 0;
    while ((got = read(source, block, sizeof block)) > 0)
        if (output_write(output, block, (size_t)got))
            return -1;
    return got < 0 ? fail("cannot read '%s': %s", path, strerror(errno)) : 0;
}

static int copy_state(int source, const char *path, struct output *output)
{
    struct stat status;
    if (fstat(source, &status))
        return fail("cannot read '%s': %s", path, strerror(errno));
    const struct timespec times[] = {status.st_atim, status.st_mtim};
    if (!output->direct && futimens(output->descriptor, times))
        return fail("cannot write '%s': %s", output->path, strerror(errno));
    return 0;
}

int publish_file(const char *stored, const char *place)
{
    struct output output = {.descriptor = -1};
    if (!publish_needed(stored, place))
        return 0;
    int source = open(stored, O_RDONLY | O_CLOEXEC);
    if (source < 0)
        return fail("cannot open '%s': %s", stored, strerror(errno));
    int result = output_open(&output, place) || copy_content(source, stored, &output) || copy_state(source, stored, &output) ? -1 : 0;
    if (result == 0)
        result = output_commit(&output);
    output_discard(&output);
    close(source);
    return result;
}

/* Whether the folder holds anything but the report and these: most often not, and then nobody need read a long report. */
static bool holds_others(const char *folder, const json_t *kept)
{
    static const char *const own[] = {".", "..", "report.json", "soundtrack_info.txt", "index.html"};
    DIR *listing = opendir(folder);
    struct dirent *entry;
    bool others = false;
    while (listing && !others && (entry = readdir(listing))) {
        others = !json_object_get(kept, entry->d_name);
        for (size_t i = 0; i < COUNT_OF(own); i++)
            others = others && strcmp(entry->d_name, own[i]) != 0;
    }
    if (listing)
        closedir(listing);
    return others;
}

void publish_leftovers(const char *folder, const json_t *kept, struct string_list *leftovers)
{
    struct string_list earlier = {0};
    if (!holds_others(folder, kept))
        return;
    report_files(folder, &earlier);
    for (size_t i = 0; i < earlier.count; i++) {
        char *place = path_join(folder, earlier.items[i]);
        if (!json_object_get(kept, earlier.items[i]) && file_exists(place))
            string_list_add(leftovers, earlier.items[i]);
        free(place);
    }
    string_list_release(&earlier);
}

/* The value that the first verdict with this check found, in text; nothing where there is none. */
static void append_value(struct text *line, const struct plan_take *take, const char *check, const char *format)
{
    for (size_t i = 0; i < take->job_count; i++) {
        size_t f;
        json_t *finding;
        json_array_foreach(json_object_get(take->jobs[i]->made_by, "findings"), f, finding) {
            const json_t *value = json_object_get(finding, "value");
            if (strcmp(json_member_string(finding, "check", ""), check) == 0 && json_is_number(value)) {
                char number[32];
                snprintf(number, sizeof number, "%.1f", json_number_value(value));
                text_appendf(line, "%s%s", number, format);
                return;
            }
        }
    }
}

void publish_print(const struct plan_take *take, const struct take_report *report)
{
    struct text line = {0};
    text_appendf(&line, "%s: ", take->take->name);
    append_value(&line, take, "duration", " s, ");
    append_value(&line, take, "loudness", " LUFS, ");
    for (size_t i = 0; i < report->files.count; i++)
        text_appendf(&line, "%s%s", i ? " " : "", report->files.items[i]);
    text_appendf(&line, ", seed %lld", (long long)take->take->seed);
    if (report->status == TAKE_MADE)
        printf("%s, made in %.1f s\n", text_string(&line), report->seconds);
    else
        printf("%s, reused\n", text_string(&line));
    fflush(stdout);
    text_release(&line);
}
