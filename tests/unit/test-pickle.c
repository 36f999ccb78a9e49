/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/pickle.h"
#include "scratch.h"

#define BYTES(text) (const unsigned char *)(text), sizeof(text) - 1
#define TENSOR "ctorch._utils\n_rebuild_tensor_v2\n"
#define STORAGE "(U\7storagectorch\nHalfStorage\nU\1""0U\3cpuK\6tQ"
#define MAP "ccollections\nOrderedDict\n)R"

static void tensors_are_described(void **state)
{
    static const char text[] = "\x80\2}(U\1a" TENSOR "(" STORAGE "K\2K\2K\3\x86K\3K\1\x86\x89" MAP "tRu.";
    (void)state;
    struct pickle *pickle = pickle_read(BYTES(text));
    assert_non_null(pickle);
    const struct pickle_value *value = pickle_member(pickle_root(pickle), "a");
    assert_non_null(value);
    assert_int_equal(value->kind, PICKLE_TENSOR);
    const struct pickle_tensor *tensor = value->tensor;
    assert_int_equal(tensor->storage->type, ELEMENT_F16);
    assert_int_equal(tensor->storage->elements, 6);
    assert_memory_equal(tensor->storage->text.bytes, "0", tensor->storage->text.length);
    assert_true(tensor->offset == 2 && tensor->rank == 2 && tensor->shape[1] == 3 && tensor->stride[0] == 3);
    assert_null(pickle_member(pickle_root(pickle), "b"));
    assert_null(pickle_member(value, "a"));
    pickle_free(pickle);
}

static void assert_reads(const unsigned char *bytes, size_t length)
{
    struct pickle *pickle = pickle_read(bytes, length);
    assert_string_equal(failure_text(), "");
    assert_non_null(pickle);
    pickle_free(pickle);
}

/* Every operation that PyTorch's files have. */
static void plain_values_are_read_and_dropped(void **state)
{
    (void)state;
    assert_reads(BYTES("\x80\2N."));
    assert_reads(BYTES("\x80\2\x88\x89\x86."));
    assert_reads(BYTES("\x80\2(K\1M\1\2J\1\2\3\4\x8a\2\1\2\x8b\1\0\0\0\1t."));
    assert_reads(BYTES("\x80\2\x8a\11\1\2\3\4\5\6\7\10\11."));
    assert_reads(BYTES("\x80\2G\0\0\0\0\0\0\0\0."));
    assert_reads(BYTES("\x80\2]q\0(X\1\0\0\0ar\1\0\0\0h\1j\1\0\0\0e."));
    assert_reads(BYTES("\x80\2]Na."));
    assert_reads(BYTES("\x80\2}U\1aNs."));
    assert_reads(BYTES("\x80\2NN0."));
    assert_reads(BYTES("\x80\2N(NN1."));
}

static void ordered_maps(void **state)
{
    (void)state;
    assert_reads(BYTES("\x80\2" MAP "."));
    assert_reads(BYTES("\x80\2ccollections\nOrderedDict\n](U\1aK\1\x86\x65\x85R."));
    assert_reads(BYTES("\x80\2" MAP "}U\11_metadata" MAP "sb."));
    assert_reads(BYTES("\x80\2ctorch\nSize\nK\1\x85\x85R."));
    assert_reads(BYTES("\x80\2""ctorch._utils\n_rebuild_parameter\n" TENSOR "(" STORAGE "K\0))\x89" MAP "tR\x89" MAP "\x87R."));
}

static void integers_keep_their_sign(void **state)
{
    static const struct {
        const char *text;
        size_t length;
        int64_t value;
    } numbers[] = {
        {"\x80\2J\xff\xff\xff\xff.", 8, -1}, {"\x80\2K\xff.", 5, 255},           {"\x80\2\x8a\0.", 5, 0},
        {"\x80\2\x8a\1\xfe.", 6, -2},        {"\x80\2\x8a\5\0\0\0\0\1.", 10, 4294967296},
    };
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct pickle *pickle = pickle_read((const unsigned char *)numbers[i].text, numbers[i].length);
        assert_non_null(pickle);
        assert_int_equal(pickle_root(pickle)->kind, PICKLE_INTEGER);
        assert_int_equal(pickle_root(pickle)->integer, numbers[i].value);
        pickle_free(pickle);
    }
}

static void refused(const unsigned char *bytes, size_t length, const char *reason)
{
    assert_null(pickle_read(bytes, length));
    assert_refused("", reason);
}

static void nothing_is_called(void **state)
{
    (void)state;
    refused(BYTES("\x80\2cos\nsystem\nU\4true\x85R."), "calls 'os.system'");
    refused(BYTES("\x80\2cposix\nsystem\n."), "calls 'posix.system'");
    refused(BYTES("\x80\2""cbuiltins\neval\n."), "calls 'builtins.eval'");
    refused(BYTES("\x80\2""ctorch\nload\n."), "calls 'torch.load'");
    refused(BYTES("\x80\2""ctorch._utils\n_rebuild_tensor\n."), "_rebuild_tensor'");
    refused(BYTES("\x80\2""ctorch\nHalfStorage\n)R."), "calls a storage's type");
    refused(BYTES("\x80\2K\1)R."), "calls what is no name");
    refused(BYTES("\x80\2(ios\nsystem\n."), "operation 0x69");
    refused(BYTES("\x80\4\x95"), "pickle protocol 4");
    refused(BYTES("\x80\2\x93."), "operation 0x93");
    refused(BYTES("\x80\2\x81."), "operation 0x81");
    refused(BYTES("\x80\2K\1}b."), "attributes to what is no OrderedDict");
    refused(BYTES("\x80\2}}b."), "attributes to what is no OrderedDict");
}

static void damage_is_refused(void **state)
{
    (void)state;
    refused(BYTES(""), "ends within");
    refused(BYTES("\x80\2"), "ends within");
    refused(BYTES("\x80\2."), "not there");
    refused(BYTES("\x80\2N.N"), "bytes follow");
    refused(BYTES("\x80\2X\377\377\377\377a."), "ends within");
    refused(BYTES("\x80\2\x8b\377\377\377\177a."), "ends within");
    refused(BYTES("\x80\2""cos"), "name without an end");
    refused(BYTES("\x80\2t."), "mark that is not there");
    refused(BYTES("\x80\2(."), "not there");
    refused(BYTES("\x80\2(\x85."), "not there");
    refused(BYTES("\x80\2Nh\0."), "no number 0");
    refused(BYTES("\x80\2Nq\1."), "no number 1 yet");
    refused(BYTES("\x80\2Nr\377\377\377\377."), "no number 4294967295 yet");
    refused(BYTES("\x80\2}K\1a."), "no list");
    refused(BYTES("\x80\2](K\1u."), "no dict");
    refused(BYTES("\x80\2}(K\1u."), "no dict");
}

static void tensors_are_checked(void **state)
{
    (void)state;
    refused(BYTES("\x80\2" TENSOR "(" STORAGE "K\0K\1\x85)\x89" MAP "tR."), "1 dimensions and 0 strides");
    refused(BYTES("\x80\2" TENSOR "(" STORAGE "J\377\377\377\377))\x89" MAP "tR."), "describes a tensor wrongly");
    refused(BYTES("\x80\2" TENSOR "(K\1K\0))\x89" MAP "tR."), "describes a tensor wrongly");
    refused(BYTES("\x80\2" TENSOR "(" STORAGE "K\0)tR."), "describes a tensor wrongly");
    refused(BYTES("\x80\2" TENSOR "(" STORAGE "K\0J\377\377\377\377\x85K\1\x85\x89" MAP "tR."), "no whole numbers");
    refused(BYTES("\x80\2" TENSOR "(" STORAGE "K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1t(K\1K\1K\1K\1K\1K\1K\1K\1K\1t\x89" MAP "tR."),
            "at most 8");
    refused(BYTES("\x80\2(U\7storageK\1U\1""0U\3cpuK\6tQ."), "describes a storage wrongly");
    refused(BYTES("\x80\2(U\7storagetQ."), "something else than 5 fields");
    refused(BYTES("\x80\2" "K\1Q."), "something else than 5 fields");
}

static void a_value_never_holds_itself(void **state)
{
    (void)state;
    refused(BYTES("\x80\2]q\0h\0a."), "contains itself");
    refused(BYTES("\x80\2}q\0U\1ah\0s."), "contains itself");
    refused(BYTES("\x80\2]q\0h\0\x85\x61."), "contains itself");
    assert_reads(BYTES("\x80\2]q\0(]q\1h\1h\1e.")); /* shared, not circular */
}

/* Deeper than any stack of calls: neither reading, checking nor freeing may recurse. */
static void depth_costs_no_stack(void **state)
{
    enum { DEPTH = 500000 };
    unsigned char *text = malloc(DEPTH + 4);
    (void)state;
    memcpy(text, "\x80\2N", 3);
    memset(text + 3, 0x85, DEPTH);
    text[DEPTH + 3] = '.';
    assert_reads(text, DEPTH + 4);
    free(text);
}

static void the_number_of_values_is_capped(void **state)
{
    enum { COUNT = 1000001 };
    unsigned char *text = malloc(COUNT + 3);
    (void)state;
    memcpy(text, "\x80\2", 2);
    memset(text + 2, 'N', COUNT);
    text[COUNT + 2] = '.';
    refused(text, COUNT + 3, "more than 1000000 values");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_described),
        cmocka_unit_test(plain_values_are_read_and_dropped),
        cmocka_unit_test(ordered_maps),
        cmocka_unit_test(integers_keep_their_sign),
        cmocka_unit_test(nothing_is_called),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(tensors_are_checked),
        cmocka_unit_test(a_value_never_holds_itself),
        cmocka_unit_test(depth_costs_no_stack),
        cmocka_unit_test(the_number_of_values_is_capped),
    };
    return cmocka_run_group_tests(tests, scratch_open, scratch_remove);
}
