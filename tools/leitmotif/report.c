/* SPDX-License-Identifier: Apache-2.0 */
#include "leitmotif/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "leitmotif/report-object.h"

enum { MAX_REPORT_BYTES = 1 << 30 };

/* The last report of a folder; NULL, without a failure, when there is none or it is no JSON. */
static json_t *earlier_report(const char *folder)
{
    char *path = path_join(folder, "report.json");
    json_t *report = file_exists(path) ? json_read(path, MAX_REPORT_BYTES) : NULL;
    free(path);
    failure_clear();
    return report;
}

static bool has_content(const char *path, const char *content)
{
    struct text present = {0};
    bool same = file_exists(path) && file_read(path, MAX_REPORT_BYTES, &present) == 0 && !strcmp(text_string(&present), content);
    text_release(&present);
    failure_clear();
    return same;
}

static int write_text(const char *folder, const char *name, const char *content)
{
    char *path = path_join(folder, name);
    int status = has_content(path, content) ? 0 : file_write(path, content, strlen(content));
    free(path);
    return status;
}

static int write_texts(const char *folder, const json_t *object)
{
    char *json = json_dumps(object, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
    char *lines = format_string("%s\n", json), *info = info_text(object), *page = page_text(object);
    int status = write_text(folder, "report.json", lines) || write_text(folder, "soundtrack_info.txt", info) ||
                         write_text(folder, "index.html", page)
                     ? -1
                     : 0;
    free(json);
    free(lines);
    free(info);
    free(page);
    return status;
}

int report_write(const struct report *report)
{
    json_t *earlier = earlier_report(report->folder);
    json_t *object = report_object(report, earlier);
    int status = object ? write_texts(report->folder, object) : -1;
    json_decref(object);
    json_decref(earlier);
    return status;
}

/* Only a name below the folder: a report from elsewhere cannot make anybody remove files from elsewhere. */
static bool plain_name(const char *name)
{
    return *name && *name != '.' && !strchr(name, '/');
}

static void add_plain(struct string_list *files, const char *name)
{
    if (name && plain_name(name))
        string_list_add(files, name);
}

void report_files(const char *folder, struct string_list *files)
{
    json_t *report = earlier_report(folder), *result, *file;
    size_t i, j;
    json_array_foreach(json_object_get(report, "results"), i, result) {
        json_array_foreach(json_object_get(result, "files"), j, file)
            add_plain(files, string_at(file, "file", ""));
        json_array_foreach(json_object_get(result, "earlier_files"), j, file)
            add_plain(files, json_string_value(file));
    }
    json_decref(report);
}
