/* SPDX-License-Identifier: Apache-2.0
 * The report of a render: what it says, what it escapes, and that it does not change without a reason. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/failure.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/path.h"
#include "leitmotif/report-object.h"
#include "leitmotif/report.h"
#include "leitmotif/wording.h"
#include "scratch.h"

static const char hostile[] = "<script>alert(\"x\")</script> & it's $(reboot) `x`";

static const char yaml[] = "leitmotif: 1\ntitle: evil\nmodel: demo\nseed: 3\noutputs: [{format: ogg}, {format: wav}]\ntracks:\n"
                           "  good: {prompt: \"<script>alert(\\\"x\\\")</script> & it's $(reboot) `x`\", duration: 12.5, guidance: 3}\n"
                           "  bad: {prompt: \"-dash\\nand a second line\", variations: 1}\n"
                           "  later: x\n"
                           "  calm: {sections: [{duration: 2.5, prompt: \"<b>pads\\nand wind\"}, {duration: 1, prompt: \"\"}, {duration: 0.2, prompt: \"end\"}]}\n";

enum { TAKES = 4 };

/* printf OggS... | sha256sum */
#define OGG_HASH "561a9fe02cd1cebbd981906c1ca05355f917a3a744a0bfafaeaacc0ff46850ea"

struct fixture {
    struct project project;
    struct report report;
    struct take_report takes[TAKES];
    char *folder;
};

static json_t *verdict(const char *file, int passed)
{
    return json_pack("{s:s, s:{s:s, s:b, s:[{s:s, s:s, s:f, s:s}, {s:s, s:s, s:f, s:s}, {s:s, s:s, s:n, s:s}]}}", "file", file, "verify",
                     "input", "/somewhere/else", "passed", passed, "findings", "check", "duration", "status", "ok", "value", 12.5,
                     "message", "duration is 12.50 s", "check", "loudness", "status", passed ? "ok" : "failed", "value", -16.25,
                     "message", "loudness <b> is -16.2", "check", "bitrate", "status", "skipped", "value", "message", "bit rate unknown");
}

static int open_fixture(void **state)
{
    struct fixture *fixture = allocate(1, sizeof *fixture);
    char *path = scratch_file("evil.yaml", yaml, strlen(yaml));
    fixture->folder = scratch_path("evil");
    assert_int_equal(project_read(&fixture->project, path), 0);
    free(scratch_file("evil/good.ogg", "OggS...", 7));
    free(scratch_file("evil/good.wav", "RIFF", 4));
    for (size_t i = 0; i < TAKES; i++)
        fixture->takes[i] = (struct take_report){.take = &fixture->project.takes[i], .model = "demo", .licence = "Apache-2.0", .guidance = 3,
                                                 .keys = json_pack("{s:s}", "transcode", "ab"),
                                                 .made_by = json_pack("{s:{s:[{s:s}]}}", "transcode", "outputs", "file", "/somewhere/else/good.ogg"),
                                                 .findings = json_array()};
    string_list_add(&fixture->takes[0].files, "good.ogg");
    string_list_add(&fixture->takes[0].files, "good.wav");
    json_array_append_new(fixture->takes[0].findings, verdict("good.ogg", 1));
    fixture->takes[1].status = TAKE_FAILED;
    fixture->takes[1].reason = "verify bad.ogg: <silent>";
    json_array_append_new(fixture->takes[1].findings, verdict("bad_1.ogg", 0));
    fixture->takes[2].status = fixture->takes[3].status = TAKE_NOT_MADE;
    fixture->report = (struct report){.project = &fixture->project, .folder = fixture->folder, .takes = fixture->takes, .take_count = TAKES};
    free(path);
    *state = fixture;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < TAKES; i++) {
        json_decref(fixture->takes[i].keys);
        json_decref(fixture->takes[i].made_by);
        json_decref(fixture->takes[i].findings);
        string_list_release(&fixture->takes[i].files);
    }
    project_release(&fixture->project);
    folder_remove(fixture->folder);
    free(fixture->folder);
    free(fixture);
    return 0;
}

/* A file of the folder; yours to free(). */
static char *content_of(const struct fixture *fixture, const char *name)
{
    struct text content = {0};
    char *path = path_join(fixture->folder, name);
    assert_int_equal(file_read(path, 1 << 20, &content), 0);
    free(path);
    return text_take(&content);
}

static void assert_says(const char *content, const char *expected)
{
    if (!strstr(content, expected))
        print_error("'%s' is not in\n%s\n", expected, content);
    assert_non_null(strstr(content, expected));
}

static void the_json_has_settings_files_and_findings(void **state)
{
    struct fixture *fixture = *state;
    json_t *report = report_object(&fixture->report, NULL), *results = json_object_get(report, "results");
    const json_t *good = json_array_get(results, 0), *bad = json_array_get(results, 1), *later = json_array_get(results, 2);
    const json_t *file = json_array_get(json_object_get(good, "files"), 0);
    assert_string_equal(string_at(report, "format", ""), "leitmotif.report/1");
    assert_true(json_is_true(json_object_get(report, "ai_generated")));
    assert_int_equal(json_array_size(results), TAKES);
    assert_string_equal(string_at(good, "prompt", ""), hostile);
    assert_string_equal(string_at(good, "status", ""), "done");
    assert_string_equal(string_at(bad, "status", ""), "failed");
    assert_string_equal(string_at(bad, "reason", ""), "verify bad.ogg: <silent>");
    assert_string_equal(string_at(later, "status", ""), "not_made");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(report, "summary"), "failed")), 1);
    assert_int_equal(json_integer_value(json_object_get(file, "bytes")), 7);
    assert_true(json_number_value(json_object_get(file, "loudness")) == -16.25);
    assert_true(json_is_null(json_object_get(file, "bit_rate")));
    assert_string_equal(string_at(file, "sha256", ""), OGG_HASH);
    assert_int_equal(json_array_size(json_object_get(bad, "files")), 0);
    json_decref(report);
}

static void sections_are_told_one_by_one(void **state)
{
    struct fixture *fixture = *state;
    json_t *report = report_object(&fixture->report, NULL), *results = json_object_get(report, "results");
    const json_t *calm = json_array_get(results, 3), *last = json_array_get(json_object_get(calm, "sections"), 2);
    assert_true(json_is_null(json_object_get(json_array_get(results, 0), "sections")));
    assert_int_equal(json_array_size(json_object_get(calm, "sections")), 3);
    assert_true(json_number_value(json_object_get(last, "start")) == 3.5 && json_number_value(json_object_get(last, "duration")) == 0.2);
    assert_string_equal(string_at(last, "prompt", ""), "end");
    assert_string_equal(string_at(calm, "prompt", ""), "<b>pads\nand wind (2.5 s) | no prompt (1 s) | end (0.2 s)");
    assert_true(json_number_value(json_object_get(json_object_get(calm, "settings"), "duration")) == 3.7);
    assert_true(json_is_null(json_object_get(calm, "command")));
    json_decref(report);
    assert_int_equal(report_write(&fixture->report), 0);
    char *page = content_of(fixture, "index.html"), *info = content_of(fixture, "soundtrack_info.txt");
    assert_says(page, "<ol class=\"prompt sections\">\n<li><span>2.5 s</span> &lt;b&gt;pads\nand wind</li>\n<li><span>1 s</span> </li>");
    assert_says(page, "only: it has sections.</p>");
    assert_says(info, "\ncalm\n  section   2.5 s: <b>pads and wind\n  section   1 s: \n  section   0.2 s: end\n  settings  demo, 3.7 s, ");
    free(page);
    free(info);
}

/* Where verify found the file is nobody's business, and would differ from run to run. */
static void no_path_of_the_store_is_told(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(report_write(&fixture->report), 0);
    char *json = content_of(fixture, "report.json");
    assert_null(strstr(json, "/somewhere/else"));
    assert_says(json, "\"outputs\": [\n            {\n              \"file\": \"good.ogg\"");
    free(json);
}

static void the_command_makes_the_take_again(void **state)
{
    struct fixture *fixture = *state;
    struct text good = {0}, bad = {0};
    append_command(&good, &fixture->project, &fixture->takes[0]);
    append_command(&bad, &fixture->project, &fixture->takes[1]);
    char *expected = format_string("leitmotif generate --model demo --duration 12.5 --temperature 1 --top-k 250 --top-p 0 --guidance 3 "
                                   "--seed %lld --output good.ogg '<script>alert(\"x\")</script> & it'\\''s $(reboot) `x`'",
                                   (long long)fixture->project.takes[0].seed);
    assert_string_equal(good.data, expected);
    assert_says(bad.data, "--output bad_1.ogg -- '-dash\nand a second line'");
    free(expected);
    text_release(&good);
    text_release(&bad);
}

static void the_page_escapes_everything(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(report_write(&fixture->report), 0);
    char *page = content_of(fixture, "index.html");
    assert_null(strstr(page, "<script>alert"));
    assert_null(strstr(page, "<silent>"));
    assert_null(strstr(page, "<b> is"));
    assert_says(page, "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; it&#39;s $(reboot) `x`</p>");
    assert_says(page, "<source src=\"good.ogg\" type=\"audio/ogg; codecs=vorbis\"><source src=\"good.wav\" type=\"audio/wav\">");
    assert_says(page, "1 failed: <a href=\"#bad_1\">bad_1</a>");
    assert_says(page, "verify bad.ogg: &lt;silent&gt;");
    assert_says(page, "<b>1 of 2 checks failed</b>");
    assert_says(page, "demo (weights: Apache-2.0) · AI generated");
    assert_null(strstr(page, "http"));
    free(page);
}

static void the_info_file_tells_the_same(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(report_write(&fixture->report), 0);
    char *info = content_of(fixture, "soundtrack_info.txt");
    assert_says(info, "evil\n====\n\nResults: 1 done, 1 failed, 2 not made.\nAI generated, by leitmotif ");
    assert_says(info, "Model: demo; licence of its weights: Apache-2.0.\n");
    assert_says(info, hostile);
    assert_says(info, "\nbad_1  FAILED\n  prompt    -dash and a second line\n");
    assert_says(info, "  failed    verify bad.ogg: <silent>\n");
    assert_says(info, "  file      good.ogg: 7 bytes, 12.5 s, -16.2 LUFS\n");
    free(info);
}

/* What was reused, and how long it took, is no part of it: the same results make the same bytes. */
static void the_same_results_make_the_same_bytes(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(report_write(&fixture->report), 0);
    char *before = content_of(fixture, "report.json"), *page = content_of(fixture, "index.html");
    fixture->takes[0].status = TAKE_REUSED;
    fixture->takes[0].seconds = 5;
    assert_int_equal(report_write(&fixture->report), 0);
    char *after = content_of(fixture, "report.json"), *page_after = content_of(fixture, "index.html");
    assert_string_equal(before, after);
    assert_string_equal(page, page_after);
    free(before);
    free(after);
    free(page);
    free(page_after);
}

static const char *hash_in(const json_t *report)
{
    const json_t *files = json_object_get(json_array_get(json_object_get(report, "results"), 0), "files");
    return string_at(json_array_get(files, 0), "sha256", "");
}

/* A release file is hashed again when it was made again, or its key or its size says that it is another. */
static void hashes_are_taken_over_only_for_the_same_result(void **state)
{
    struct fixture *fixture = *state;
    json_t *first = report_object(&fixture->report, NULL);
    const json_t *result = json_array_get(json_object_get(first, "results"), 0);
    json_object_set_new(json_array_get(json_object_get(result, "files"), 0), "sha256", json_string("remembered"));
    json_t *made = report_object(&fixture->report, first);
    assert_string_equal(hash_in(made), OGG_HASH);
    json_decref(made);
    fixture->takes[0].status = TAKE_REUSED;
    json_t *second = report_object(&fixture->report, first);
    assert_string_equal(hash_in(second), "remembered");
    json_t *keys = fixture->takes[0].keys;
    fixture->takes[0].keys = json_pack("{s:s}", "transcode", "cd");
    json_t *third = report_object(&fixture->report, first);
    assert_string_equal(hash_in(third), OGG_HASH);
    json_decref(fixture->takes[0].keys);
    fixture->takes[0].keys = keys;
    free(scratch_file("evil/good.ogg", "OggS..", 6));
    json_t *fourth = report_object(&fixture->report, first);
    assert_string_not_equal(hash_in(fourth), "remembered");
    json_decref(first);
    json_decref(second);
    json_decref(third);
    json_decref(fourth);
}

static void a_missing_release_file_is_a_failure(void **state)
{
    struct fixture *fixture = *state;
    string_list_add(&fixture->takes[0].files, "gone.ogg");
    assert_int_equal(report_write(&fixture->report), -1);
    assert_refused("gone.ogg", "No such file");
}

static void files_of_an_earlier_report_are_names_in_its_folder(void **state)
{
    static const char earlier[] = "{\"results\": [{\"files\": [{\"file\": \"a.ogg\"}, {\"file\": \"../b.ogg\"}, {\"file\": \"/etc/passwd\"}, "
                                  "{\"file\": \".hidden\"}, {\"file\": 3}, {}, 7]}, {}, {\"files\": [{\"file\": \"c.mp3\"}]}]}";
    struct fixture *fixture = *state;
    struct string_list files = {0};
    report_files(fixture->folder, &files);
    assert_int_equal(files.count, 0);
    free(scratch_file("evil/report.json", earlier, strlen(earlier)));
    report_files(fixture->folder, &files);
    assert_int_equal(files.count, 2);
    assert_string_equal(files.items[0], "a.ogg");
    assert_string_equal(files.items[1], "c.mp3");
    free(scratch_file("evil/report.json", "{", 1));
    report_files(fixture->folder, &files);
    assert_int_equal(files.count, 2);
    assert_false(failed());
    string_list_release(&files);
}

/* Every key is explained; what the tools say is theirs to explain. */
static void assert_keys_in(const char *page, const json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)value, key, member) {
        char *quoted = format_string("`%s`", key);
        assert_says(page, quoted);
        free(quoted);
        if (strcmp(key, "keys") && strcmp(key, "made_by") && strcmp(key, "outputs"))
            assert_keys_in(page, member);
    }
    json_array_foreach(value, i, member)
        assert_keys_in(page, member);
}

static void every_key_is_in_the_documentation(void **state)
{
    struct fixture *fixture = *state;
    struct text page = {0};
    json_t *report = report_object(&fixture->report, NULL);
    assert_int_equal(file_read("docs/report.md", 1 << 20, &page), 0);
    json_object_del(json_object_get(report, "project"), "verify"); /* docs/yaml.md has those */
    assert_keys_in(page.data, report);
    json_decref(report);
    text_release(&page);
}

static void numbers_sizes_and_times_are_written_for_people(void **state)
{
    struct text text = {0};
    (void)state;
    append_number(&text, 0.1);
    text_append(&text, " ");
    append_number(&text, 14400);
    text_append(&text, " ");
    append_number(&text, 0.1 + 0.2);
    assert_string_equal(text.data, "0.1 14400 0.30000000000000004");
    text.length = 0;
    append_bytes(&text, 999);
    append_bytes(&text, 1000);
    append_bytes(&text, 613000);
    append_bytes(&text, 999600);
    append_bytes(&text, 4100000000);
    assert_string_equal(text.data, "999 bytes1.0 KB613 KB1.0 MB4.1 GB");
    text.length = 0;
    append_time(&text, 12);
    append_time(&text, 59.99);
    append_time(&text, 205.4);
    assert_string_equal(text.data, "12.0 s1:003:25");
    text.length = 0;
    append_shell_word(&text, "");
    append_shell_word(&text, "a-b_c/d.e");
    append_shell_word(&text, "a b");
    append_shell_word(&text, "~");
    assert_string_equal(text.data, "''a-b_c/d.e'a b''~'");
    text_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_json_has_settings_files_and_findings, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(sections_are_told_one_by_one, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(no_path_of_the_store_is_told, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(the_command_makes_the_take_again, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(the_page_escapes_everything, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(the_info_file_tells_the_same, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(the_same_results_make_the_same_bytes, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(hashes_are_taken_over_only_for_the_same_result, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(a_missing_release_file_is_a_failure, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(files_of_an_earlier_report_are_names_in_its_folder, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(every_key_is_in_the_documentation, open_fixture, close_fixture),
        cmocka_unit_test(numbers_sizes_and_times_are_written_for_people),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_remove);
}
