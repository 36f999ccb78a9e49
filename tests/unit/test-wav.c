/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/wav.h"
#include "scratch.h"

static const float samples[] = {0, 1, -1, 2.5f, -0.25f, 1e-9f};

static void the_bytes_are_those_of_the_format(void **state)
{
    static const unsigned char header[] = "RIFF\x4a\0\0\0WAVEfmt \x12\0\0\0\3\0\2\0\0\x7d\0\0\0\xe8\3\0\x8\0\x20\0\0\0"
                                          "fact\4\0\0\0\3\0\0\0data\x18\0\0";
    struct wav_writer writer;
    struct text content = {0};
    (void)state;
    char *path = scratch_path("a.wav");
    assert_int_equal(wav_create(&writer, path, 32000, 2), 0);
    assert_int_equal(wav_append(&writer, samples, 2), 0);
    assert_int_equal(wav_append(&writer, samples + 4, 1), 0);
    assert_false(file_exists(path));
    assert_int_equal(wav_commit(&writer), 0);
    assert_int_equal(file_read(path, 1000, &content), 0);
    assert_int_equal(sizeof header, 58);
    assert_int_equal(content.length, sizeof header + sizeof samples);
    assert_memory_equal(content.data, header, sizeof header);
    assert_memory_equal(content.data + sizeof header, samples, sizeof samples);
    text_release(&content);
    free(path);
}

static void a_discarded_file_leaves_nothing(void **state)
{
    struct wav_writer writer;
    (void)state;
    char *path = scratch_path("only/b.wav"), *parent = scratch_path("only");
    assert_int_equal(folder_make(parent), 0);
    assert_int_equal(wav_create(&writer, path, 32000, 1), 0);
    assert_int_equal(wav_append(&writer, samples, 6), 0);
    wav_discard(&writer);
    wav_discard(&writer);
    assert_int_equal(rmdir(parent), 0);
    free(path);
    free(parent);
}

static void more_than_four_gigabytes_is_refused(void **state)
{
    struct wav_writer writer;
    (void)state;
    char *path = scratch_path("c.wav");
    assert_int_equal(wav_create(&writer, path, 32000, 2), 0);
    writer.frames = (UINT32_MAX - 58) / 8 - 1;
    assert_int_equal(wav_append(&writer, samples, 2), -1);
    assert_refused(path, "4 GiB");
    assert_int_equal(wav_append(&writer, samples, UINT64_MAX), -1);
    assert_refused(path, "4 GiB");
    assert_int_equal(wav_append(&writer, samples, 1), 0);
    wav_discard(&writer);
    free(path);
}

static void what_cannot_be_a_wav_file_is_refused(void **state)
{
    struct wav_writer writer;
    (void)state;
    char *path = scratch_path("no/such/d.wav");
    assert_int_equal(wav_create(&writer, path, 32000, 2), -1);
    assert_refused(path, "folder does not exist");
    assert_int_equal(wav_create(&writer, path, 0, 2), -1);
    assert_refused(path, "2 channels at 0 Hz");
    assert_int_equal(wav_create(&writer, path, 32000, 0), -1);
    assert_refused(path, "0 channels");
    wav_discard(&writer);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_the_format),
        cmocka_unit_test(a_discarded_file_leaves_nothing),
        cmocka_unit_test(more_than_four_gigabytes_is_refused),
        cmocka_unit_test(what_cannot_be_a_wav_file_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_remove);
}
