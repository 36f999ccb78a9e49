/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/machine.h"
#include "base/memory.h"
#include "base/settings.h"
#include "base/text.h"

static char folder[] = "/tmp/test-base.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static char *place(const char *name)
{
    return path_join(folder, name);
}

static void first_failure_wins(void **state)
{
    (void)state;
    assert_int_equal(fail("cannot open '%s'\nnow\x07", "a"), -1);
    assert_int_equal(misuse("later"), -1);
    assert_string_equal(failure_text(), "cannot open 'a' now?");
    assert_int_equal(failure_status(), EXIT_FAILED);
    failure_within("job %d", 2);
    assert_string_equal(failure_text(), "job 2: cannot open 'a' now?");
    failure_clear();
    assert_false(failed());
    assert_string_equal(failure_text(), "");
}

static void failures_are_utf8(void **state)
{
    char *name = allocate(1, 3001);
    (void)state;
    fail("'a\xff\xc3\xa9\xc3'");
    assert_string_equal(failure_text(), "'a?\xc3\xa9?'");
    failure_clear();
    for (size_t shift = 0; shift < 2; shift++) { /* cut within a character, and between two */
        for (size_t i = 0; i < 3000; i += 2)
            memcpy(name + i, "\xc3\xa9", 2);
        fail("%s'%s'", shift ? "x" : "", name);
        failure_within("job 1");
        assert_true(strlen(failure_text()) > 2000 && utf8_valid(failure_text(), strlen(failure_text())));
        failure_clear();
    }
    free(name);
}

static void numbers_are_parsed_to_the_last_character(void **state)
{
    static const char *const bad[] = {"", " 1", "1 ", "1x", "nan", "inf", "-inf", "0x10", "1e999", ".", "-", "+", "1,5"};
    double number;
    int64_t integer;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(parse_number(bad[i], &number), -1);
    assert_int_equal(parse_number("-1.5e2", &number), 0);
    assert_true(number == -150);
    assert_int_equal(parse_number(".5", &number), 0);
    assert_int_equal(parse_integer("9223372036854775807", &integer), 0);
    assert_int_equal(parse_integer("9223372036854775808", &integer), -1);
    assert_int_equal(parse_integer("1.0", &integer), -1);
    assert_int_equal(parse_size("6.5G", &integer), 0);
    assert_true(integer == 6979321856);
    assert_int_equal(parse_size("512m", &integer), 0);
    assert_int_equal(parse_size("1K", &integer), 0);
    assert_true(integer == 1024);
    assert_int_equal(parse_size("10GB", &integer), -1);
    assert_int_equal(parse_size("-1", &integer), -1);
}

static void utf8_is_strict(void **state)
{
    (void)state;
    assert_true(utf8_valid("na\xc3\xafve \xf0\x9f\x8e\xb8", 11));
    assert_false(utf8_valid("\xc0\x80", 2));
    assert_false(utf8_valid("\xed\xa0\x80", 3));
    assert_false(utf8_valid("\xf4\x90\x80\x80", 4));
    assert_false(utf8_valid("\xe2\x82", 2));
    assert_false(utf8_valid("\xff", 1));
}

static void near_words_are_suggested(void **state)
{
    static const char *const names[] = {"duration", "output", "seed", "top-k", "top-p"};
    (void)state;
    assert_string_equal(closest("duratoin", names, COUNT_OF(names)), "duration");
    assert_string_equal(did_you_mean("sede", names, COUNT_OF(names)), " (did you mean 'seed'?)");
    assert_string_equal(did_you_mean("loudness", names, COUNT_OF(names)), "");
    assert_string_equal(did_you_mean("x", names, COUNT_OF(names)), "");
}

/* As `printf 'hello\n' | git hash-object --stdin` says, and of an empty file. */
static void hash_of_git(void **state)
{
    char hex[HASH_HEX_SIZE], *path = place("blob");
    (void)state;
    assert_int_equal(file_write(path, "hello\n", 6), 0);
    assert_int_equal(hash_git_blob(path, hex), 0);
    assert_string_equal(hex, "ce013625030ba8dba906f756967f9e9ca394464a");
    assert_int_equal(file_write(path, "", 0), 0);
    assert_int_equal(hash_git_blob(path, hex), 0);
    assert_string_equal(hex, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    unlink(path);
    assert_int_equal(hash_git_blob(path, hex), -1);
    failure_clear();
    free(path);
}

static void hash_is_sha256(void **state)
{
    char hex[HASH_HEX_SIZE];
    (void)state;
    hash_bytes("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void json_is_strict_and_canonical(void **state)
{
    (void)state;
    json_t *value = json_parse("{\"b\":0.1,\"a\":[1,\"\\u00e9\"]}", 26, "'x'");
    char *text = json_canonical(value);
    assert_string_equal(text, "{\"a\":[1,\"\xc3\xa9\"],\"b\":0.10000000000000001}");
    free(text);
    json_decref(value);
    assert_null(json_parse("{\"a\":1,\"a\":2}", 13, "'x'"));
    assert_non_null(strstr(failure_text(), "'x' is not valid JSON"));
    failure_clear();
    assert_null(json_parse("{} x", 4, "'x'"));
    assert_non_null(strstr(failure_text(), "(column 4)")); /* of one line: no line */
    failure_clear();
    assert_null(json_parse("{}\nx", 4, "'x'"));
    assert_non_null(strstr(failure_text(), "(line 2, column 1)"));
    failure_clear();
    assert_null(json_parse("\"a\\u0000\"", 9, "'x'"));
    assert_string_equal(failure_text(), "'x' holds a NUL character (\\u0000), which no text may");
    failure_clear();
}

static size_t files_in_folder(void)
{
    char *command = format_string("ls -A %s | wc -l", folder);
    FILE *pipe = popen(command, "r");
    int count = -1;
    assert_int_equal(fscanf(pipe, "%d", &count), 1);
    pclose(pipe);
    free(command);
    return (size_t)count;
}

static void outputs_appear_whole_or_not(void **state)
{
    struct output output = {0};
    struct text content = {0};
    struct stat status;
    char *path = place("a.bin");
    (void)state;
    umask(022);
    assert_int_equal(file_write(path, "old", 3), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0644);
    assert_int_equal(output_open(&output, path), 0);
    assert_int_equal(output_write(&output, "newer", 5), 0);
    assert_int_equal(output_write_at(&output, 0, "N", 1), 0);
    assert_int_equal(file_read(path, 100, &content), 0);
    assert_string_equal(text_string(&content), "old");
    assert_int_equal(output_commit(&output), 0);
    assert_int_equal(file_read(path, 100, &content), 0);
    assert_string_equal(text_string(&content), "Newer");
    assert_int_equal(output_open(&output, path), 0);
    output_discard(&output);
    assert_int_equal(files_in_folder(), 1);
    assert_int_equal(file_read(path, 4, &content), -1);
    failure_clear();
    unlink(path);
    text_release(&content);
    free(path);
}

/* A writer killed by SIGKILL leaves its temporary; the next writer of the same name removes it, but no living one's. */
static void dead_writers_temporaries_are_removed(void **state)
{
    struct output living = {0}, other = {0};
    char *path = place("b.bin");
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        output_open(&other, path);
        raise(SIGKILL);
    }
    waitpid(child, &status, 0);
    assert_int_equal(files_in_folder(), 1);
    assert_int_equal(output_open(&living, path), 0);
    assert_int_equal(files_in_folder(), 1);
    assert_int_equal(output_open(&other, path), 0);
    assert_int_equal(files_in_folder(), 2);
    output_discard(&other);
    assert_int_equal(output_commit(&living), 0);
    assert_int_equal(files_in_folder(), 1);
    unlink(path);
    free(path);
}

static void signals_remove_temporaries(void **state)
{
    struct output output = {0};
    char *path = place("c.bin");
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        cleanup_on_signals();
        output_open(&output, path);
        raise(SIGTERM);
        _exit(0);
    }
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    assert_int_equal(files_in_folder(), 0);
    free(path);
}

static void refused_outputs_say_why(void **state)
{
    struct output output = {0};
    char *missing = place("none/x"), *link = place("link");
    struct text content = {0};
    (void)state;
    assert_int_equal(output_check(missing), -1);
    assert_non_null(strstr(failure_text(), "its folder does not exist"));
    failure_clear();
    assert_int_equal(output_check(folder), -1);
    assert_non_null(strstr(failure_text(), "is a folder"));
    failure_clear();
    assert_int_equal(file_write("/dev/full", "x", 1), -1);
    assert_non_null(strstr(failure_text(), "No space left"));
    failure_clear();
    char *target = place("target");
    assert_int_equal(file_write(target, "1", 1), 0);
    assert_int_equal(symlink(target, link), 0);
    assert_int_equal(file_write(link, "2", 1), 0);
    assert_int_equal(file_read(target, 10, &content), 0);
    assert_string_equal(text_string(&content), "2");
    output_discard(&output);
    unlink(link), unlink(target);
    text_release(&content);
    free(missing), free(link), free(target);
}

static void folders_are_made_and_removed(void **state)
{
    char *deep = place("x/y/z"), *top = place("x");
    (void)state;
    assert_int_equal(folder_make(deep), 0);
    assert_int_equal(folder_make(deep), 0);
    assert_true(folder_exists(deep));
    assert_int_equal(folder_remove(top), 0);
    assert_false(folder_exists(top));
    assert_int_equal(folder_remove(top), 0);
    free(deep), free(top);
}

struct values {
    char *name, *kind;
    double level, amount;
    int64_t seed, memory;
    bool on;
    struct string_list tags;
};

static const char *const KINDS[] = {"red", "green", NULL};
static const struct setting TABLE[] = {
    {.name = "name", .type = SETTING_STRING, .offset = offsetof(struct values, name)},
    {.name = "kind", .type = SETTING_CHOICE, .offset = offsetof(struct values, kind), .choices = KINDS},
    {.name = "level", .type = SETTING_NUMBER, .offset = offsetof(struct values, level), .minimum = -70, .maximum = 0},
    {.name = "amount", .type = SETTING_NUMBER, .offset = offsetof(struct values, amount), .above = true},
    {.name = "seed", .type = SETTING_INTEGER, .offset = offsetof(struct values, seed), .minimum = 0, .maximum = 9.3e18},
    {.name = "memory", .type = SETTING_SIZE, .offset = offsetof(struct values, memory), .scope = SCOPE_PROCESS},
    {.name = "on", .type = SETTING_FLAG, .offset = offsetof(struct values, on)},
    {.name = "tag", .type = SETTING_LIST, .offset = offsetof(struct values, tags)},
    {0},
};

static int set_all(struct values *values, const char *text)
{
    json_t *object = json_loads(text, JSON_DECODE_ANY, NULL);
    int result = settings_from_json(TABLE, values, object);
    json_decref(object);
    return result;
}

static void settings_take_good_values(void **state)
{
    struct values values = {0};
    (void)state;
    assert_int_equal(set_all(&values, "{\"name\":\"a\",\"kind\":\"green\",\"level\":-14,\"amount\":1e-9,\"seed\":9223372036854775807,"
                                      "\"on\":true,\"tag\":[\"x\",\"y\"]}"), 0);
    assert_string_equal(values.name, "a");
    assert_true(values.level == -14 && values.seed == INT64_MAX && values.on && values.tags.count == 2);
    assert_int_equal(setting_set(setting_find(TABLE, "memory"), &values, "2G"), 0);
    assert_true(values.memory == 2147483648);
    settings_release(TABLE, &values, SCOPE_JOB);
    assert_null(values.name);
}

static void settings_refuse_bad_values(void **state)
{
    static const struct { const char *text, *message; } cases[] = {
        {"{\"kind\":\"gren\"}", "'--kind' cannot be 'gren' (did you mean 'green'?): use one of red, green"},
        {"{\"level\":1}", "'--level' cannot be 1: it must be at least -70 and at most 0"},
        {"{\"level\":\"1\"}", "'level' must be a number"},
        {"{\"amount\":0}", "'--amount' cannot be 0: it must be above 0"},
        {"{\"seed\":-1}", "'--seed' cannot be -1: it must be at least 0 and at most 9.3e+18"},
        {"{\"seed\":1.5}", "'seed' must be a whole number"},
        {"{\"memory\":\"1G\"}", "'memory' belongs to the whole program: give it as --memory, not in a job"},
        {"{\"tag\":\"x\"}", "'tag' must be an array of strings"},
        {"{\"nam\":\"x\"}", "unknown key 'nam' (did you mean 'name'?)"},
        {"[]", "a job must be a JSON object"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct values values = {0};
        assert_int_equal(set_all(&values, cases[i].text), -1);
        assert_string_equal(failure_text(), cases[i].message);
        assert_int_equal(failure_status(), EXIT_MISUSE);
        failure_clear();
        settings_release(TABLE, &values, SCOPE_JOB);
    }
}

static void memory_available_is_some_of_the_machine(void **state)
{
    int64_t all = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    (void)state;
    assert_in_range(memory_available(), 1 << 20, all);
}

static void processors_available_are_those_allowed(void **state)
{
    cpu_set_t before, one;
    int first = 0;
    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_in_range(processors_available(), 1, CPU_COUNT(&before));
    while (!CPU_ISSET(first, &before))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(processors_available(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_failure_wins),
        cmocka_unit_test(failures_are_utf8),
        cmocka_unit_test(numbers_are_parsed_to_the_last_character),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(near_words_are_suggested),
        cmocka_unit_test(hash_of_git),
        cmocka_unit_test(hash_is_sha256),
        cmocka_unit_test(json_is_strict_and_canonical),
        cmocka_unit_test(outputs_appear_whole_or_not),
        cmocka_unit_test(dead_writers_temporaries_are_removed),
        cmocka_unit_test(signals_remove_temporaries),
        cmocka_unit_test(refused_outputs_say_why),
        cmocka_unit_test(folders_are_made_and_removed),
        cmocka_unit_test(settings_take_good_values),
        cmocka_unit_test(settings_refuse_bad_values),
        cmocka_unit_test(memory_available_is_some_of_the_machine),
        cmocka_unit_test(processors_available_are_those_allowed),
    };
    return cmocka_run_group_tests_name("base", tests, set_up, tear_down);
}
