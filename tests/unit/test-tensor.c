/* SPDX-License-Identifier: Apache-2.0
 * libtorch from C: finding it, its refusals, scopes, sticky failures, and every wrapper by the start-up self-test.
 */
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/failure.h"
#include "base/file.h"
#include "base/memory.h"
#include "libtorch/dispatch.h"
#include "libtorch/finder.h"
#include "libtorch/self-test.h"
#include "libtorch/tensor.h"

#include <cmocka.h> /* after our own fail(), whose name it takes for a macro without arguments */

#define assert_failure(part) assert_failure_with(part, EXIT_FAILED)
#define CPU ((struct device){DEVICE_CPU, 0})

/* A failure is recorded, holds part, is one line, and is cleared. */
static void assert_failure_with(const char *part, int status)
{
    if (!strstr(failure_text(), part))
        fail_msg("'%s' is not in '%s'", part, failure_text());
    assert_null(strchr(failure_text(), '\n'));
    assert_int_equal(failure_status(), status);
    failure_clear();
}

static void assert_values(struct tensor *tensor, const float *expected, size_t count)
{
    float got[16] = {0};
    assert_false(failed());
    assert_int_equal(tensor_elements(tensor), count);
    assert_int_equal(tensor_read(tensor, got, count * sizeof *got), 0);
    for (size_t i = 0; i < count; i++)
        assert_float_equal(got[i], expected[i], 1e-6);
}

#define assert_tensor(tensor, ...) \
    assert_values(tensor, (const float[]){__VA_ARGS__}, sizeof((float[]){__VA_ARGS__}) / sizeof(float))

/* finding */

static char *real_library; /* found before any test plays with the environment */

static void use_library(const char *where) { assert_int_equal(setenv("LEITMOTIF_LIBTORCH", where, 1), 0); }

static void variable_names_library_or_folder(void **state)
{
    (void)state;
    char *lib = path_folder(real_library), *package = path_folder(lib), *holder = path_folder(package);
    const char *const places[] = {real_library, lib, package, holder};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        use_library(places[i]);
        char *found = libtorch_find();
        assert_non_null(found);
        assert_string_equal(path_name(found), "libtorch.so");
        free(found);
    }
    free(lib);
    free(package);
    free(holder);
}

static void variable_that_names_nothing_is_an_error(void **state)
{
    (void)state;
    use_library("/nowhere");
    assert_int_equal(libtorch_open(1), -1);
    assert_failure("cannot find libtorch.so in '/nowhere', which LEITMOTIF_LIBTORCH names");
}

/* Without a variable and without python3 there is an installation's record, or a message that helps. */
static void absence_is_explained(void **state)
{
    (void)state;
    char *path = copy_string(getenv("PATH"));
    unsetenv("LEITMOTIF_LIBTORCH");
    setenv("PATH", "/nowhere", 1);
    char *found = libtorch_find();
    if (found)
        assert_true(file_exists(found));
    else
        assert_failure("run docker/install-dependencies.sh, or set LEITMOTIF_LIBTORCH");
    setenv("PATH", path, 1);
    free(path);
    free(found);
}

static void library_that_cannot_be_opened_is_named(void **state)
{
    (void)state;
    use_library("/etc/passwd");
    assert_int_equal(libtorch_open(1), -1);
    assert_failure("cannot open '/etc/passwd': ");
}

static void library_without_the_symbols_is_too_old(void **state)
{
    Dl_info mathematics;
    (void)state;
    assert_true(dladdr((void *)(uintptr_t)cos, &mathematics));
    use_library(mathematics.dli_fname);
    assert_int_equal(libtorch_open(1), -1);
    assert_failure("(version unknown) is too old: it has no 'aoti_torch_abi_version', libtorch 2.11 or newer is needed");
}

/* A CUDA build without NVIDIA's packages: libtorch.so cannot be opened, its CPU half can. In a process of its own,
 * because a process opens libtorch once. */
static void cpu_half_serves_where_the_whole_cannot_be_opened(void **state)
{
    char folder[] = "/tmp/test-tensor.XXXXXX";
    char *lib = path_folder(real_library);
    (void)state;
    assert_non_null(mkdtemp(folder));
    for (const char *const *name = (const char *const[]){"libtorch_cpu.so", "libc10.so", "libgomp.so.1", NULL}; *name; name++) {
        char *from = path_join(lib, *name), *to = path_join(folder, *name);
        assert_int_equal(symlink(from, to), 0);
        free(from);
        free(to);
    }
    char *broken = path_join(folder, "libtorch.so");
    assert_int_equal(file_write(broken, "text", 4), 0);
    use_library(broken);
    pid_t child = fork();
    if (!child)
        _exit(libtorch_open(1) || strcmp(path_name(libtorch_place()), "libtorch_cpu.so"));
    int status = -1;
    waitpid(child, &status, 0);
    folder_remove(folder);
    free(broken);
    free(lib);
    assert_int_equal(status, 0);
}

static void opens(void **state)
{
    (void)state;
    use_library(real_library);
    libtorch_open(2);
    assert_string_equal(failure_text(), "");
    if (strcmp(libtorch_place(), real_library)) /* a CUDA build without NVIDIA's packages: its CPU half serves */
        assert_non_null(strstr(libtorch_place(), "libtorch_cpu.so"));
    assert_true(atoi(libtorch_version()) >= 2);
#ifdef LIBTORCH_ONLY_2_11
    assert_null(torch.torch_exception_get_what_without_backtrace);
    assert_null(torch.torch_new_stable_ivalue);
#endif
}

/* devices */

static void cpu_is_always_there(void **state)
{
    struct device device = {DEVICE_CUDA, 7};
    (void)state;
    assert_int_equal(device_resolve("cpu", &device), 0);
    assert_int_equal(device.kind, DEVICE_CPU);
    assert_string_equal(device_text(device), "cpu");
    assert_int_equal(device_resolve("auto", &device), 0);
    assert_string_equal(device_text((struct device){DEVICE_CUDA, 1}), "cuda:1");
}

static void words_that_are_no_device_are_misuse(void **state)
{
    static const char *const words[] = {"", "gpu", "CPU", "cuda:", "cuda:x", "cuda:-1", "cuda:1x"};
    struct device device;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        assert_int_equal(device_resolve(words[i], &device), -1);
        assert_failure_with("is no device: say auto, cpu, cuda or cuda:N", EXIT_MISUSE);
    }
}

static void missing_gpu_has_a_reason(void **state)
{
    struct device device;
    (void)state;
    if (!device_resolve("cuda:99", &device))
        fail_msg("there are no hundred GPUs");
    assert_failure("cannot use device 'cuda:99': ");
}

/* every wrapper */

static void wrappers_agree_with_known_numbers(void **state)
{
    (void)state;
    assert_int_equal(self_test(CPU), 0);
}

static int32_t (*real_subtract)(struct tensor *, struct tensor *, double, struct tensor **);

static int32_t wrong_subtract(struct tensor *a, struct tensor *b, double factor, struct tensor **result)
{
    return real_subtract(a, b, factor * 1.001, result);
}

static void wrong_numbers_are_noticed(void **state)
{
    (void)state;
    real_subtract = torch.aoti_torch_aten_subtract_Tensor;
    torch.aoti_torch_aten_subtract_Tensor = wrong_subtract;
    assert_int_equal(self_test(CPU), -1);
    torch.aoti_torch_aten_subtract_Tensor = real_subtract;
    assert_failure("computes 'add' wrongly on cpu");
}

static int32_t (*real_dispatch)(const char *, const char *, stack_value *, uint64_t);
static int32_t (*real_empty)(int64_t, const int64_t *, const int64_t *, int32_t, int32_t, int32_t, struct tensor **);
static int countdown;

/* The call whose turn it is fails in libtorch itself (a negative size), so that its text is libtorch's own. */
static int32_t failing_empty(int64_t rank, const int64_t *shape, const int64_t *strides, int32_t type, int32_t kind, int32_t index, struct tensor **result)
{
    static const int64_t negative[MAX_RANK] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return real_empty(rank, countdown-- ? shape : negative, strides, type, kind, index, result);
}

static int32_t failing_dispatch(const char *name, const char *overload, stack_value *stack, uint64_t built_for)
{
    int32_t status = real_dispatch(name, overload, stack, built_for);
    return countdown-- ? status : 1; /* what it returned is lost: a leak of some bytes in this test only */
}

/* Each allocation, then each operation, fails once in turn: a failure comes back, and nothing else happens. */
static void each_failure_is_survived(void **state)
{
    int failures = 0;
    (void)state;
    real_empty = torch.aoti_torch_empty_strided;
    real_dispatch = torch.torch_call_dispatcher;
    torch.aoti_torch_empty_strided = failing_empty;
    for (int turn = 0; countdown = turn, self_test(CPU); turn += 7, failures++)
        assert_failure("libtorch cannot do 'empty_strided'");
    torch.aoti_torch_empty_strided = real_empty;
    torch.torch_call_dispatcher = failing_dispatch;
    for (int turn = 0; countdown = turn, self_test(CPU); turn++, failures++)
        assert_failure("libtorch cannot do 'aten::");
    torch.torch_call_dispatcher = real_dispatch;
    assert_true(failures > 50);
}

/* making and looking */

static void tensors_know_their_shape_type_and_device(void **state)
{
    struct scope scope;
    (void)state;
    scope_open(&scope);
    for (enum tensor_type type = TENSOR_F32; type <= TENSOR_BOOL; type++) {
        struct tensor *x = tensor_zeros(CPU, type, SHAPE(2, 0, 3));
        assert_int_equal(tensor_type_of(x), type);
        assert_int_equal(tensor_rank(x), 3);
        assert_int_equal(tensor_size(x, 0), 2);
        assert_int_equal(tensor_size(x, -1), 3);
        assert_int_equal(tensor_elements(x), 0);
        assert_int_equal(tensor_device(x).kind, DEVICE_CPU);
    }
    assert_int_equal(tensor_rank(tensor_scalar(2)), 0);
    scope_close(&scope);
}

static void data_goes_in_unaligned_and_comes_out_of_views(void **state)
{
    char bytes[1 + 6 * sizeof(float)];
    float values[] = {1, 2, 3, 4, 5, 6}, wrapped[] = {1, 2};
    struct scope scope;
    (void)state;
    memcpy(bytes + 1, values, sizeof values);
    scope_open(&scope);
    struct tensor *x = tensor_from(CPU, TENSOR_F32, SHAPE(2, 3), bytes + 1);
    assert_tensor(tensor_transpose(x, 0, -1), 1, 4, 2, 5, 3, 6);
    assert_tensor(tensor_narrow(tensor_select(x, 0, 1), 0, 1, 2), 5, 6);
    struct tensor *borrowed = tensor_wrap(wrapped, TENSOR_F32, SHAPE(2));
    assert_ptr_equal(tensor_data(borrowed), wrapped);
    tensor_copy(borrowed, tensor_scalar(9));
    assert_true(wrapped[0] == 9 && wrapped[1] == 9);
    assert_ptr_equal(tensor_data(tensor_to(x, CPU, TENSOR_F32)), tensor_data(x)); /* nothing to do: no copy */
    scope_close(&scope);
}

static void halves_keep_their_type_beside_numbers(void **state)
{
    struct scope scope;
    (void)state;
    scope_open(&scope);
    struct tensor *half = tensor_cast(tensor_from(CPU, TENSOR_F32, SHAPE(2), (float[]){-0.5f, 2}), TENSOR_F16);
    assert_int_equal(tensor_type_of(tensor_mul(half, tensor_scalar(2))), TENSOR_F16);
    assert_int_equal(tensor_type_of(tensor_elu(half)), TENSOR_F16);
    assert_int_equal(tensor_type_of(tensor_add(half, half)), TENSOR_F16);
    scope_close(&scope);
}

/* Every length beside whole lanes, through zero and far into both ends. Largest measured difference: 4.3e-8. */
static void elu_agrees_with_the_library(void **state)
{
    enum { COUNT = 100003 };
    struct scope scope;
    (void)state;
    float *x = allocate(COUNT, sizeof *x), *y = allocate(COUNT, sizeof *y);
    for (int i = 0; i < COUNT; i++)
        x[i] = -40 + 60.0f * (float)i / COUNT;
    x[0] = -INFINITY;
    x[1] = -0.0f;
    for (int64_t count = COUNT - 5; count <= COUNT; count++) {
        scope_open(&scope);
        tensor_read(tensor_elu(tensor_wrap(x, TENSOR_F32, SHAPE(count))), y, (size_t)count * sizeof *y);
        for (int64_t i = 0; i < count; i++)
            assert_float_equal(y[i], x[i] > 0 ? (double)x[i] : expm1(x[i]), 1e-7);
        scope_close(&scope);
    }
    scope_open(&scope);
    float special[] = {NAN, INFINITY, -1e-30f}, result[3] = {0};
    tensor_read(tensor_elu(tensor_wrap(special, TENSOR_F32, SHAPE(3))), result, sizeof result);
    assert_true(isnan(result[0]) && isinf(result[1]) && result[2] == -1e-30f);
    struct tensor *columns = tensor_transpose(tensor_from(CPU, TENSOR_F32, SHAPE(2, 2), (float[]){1, 2, 3, 4}), 0, 1);
    assert_tensor(tensor_elu(columns), 1, 3, 2, 4); /* not contiguous */
    scope_close(&scope);
    free(x);
    free(y);
}

/* scopes */

static int freed;
static int32_t (*real_delete)(struct tensor *);

static int32_t counting_delete(struct tensor *tensor)
{
    freed++;
    return real_delete(tensor);
}

static int count_frees(void **state)
{
    (void)state;
    freed = 0;
    real_delete = torch.aoti_torch_delete_tensor_object;
    torch.aoti_torch_delete_tensor_object = counting_delete;
    return 0;
}

static int count_no_more(void **state)
{
    (void)state;
    torch.aoti_torch_delete_tensor_object = real_delete;
    return 0;
}

static void scopes_free_what_is_in_them(void **state)
{
    struct scope outer, inner;
    (void)state;
    scope_open(&outer);
    struct tensor *first = tensor_scalar(1);
    scope_open(&inner);
    tensor_scalar(2);
    struct tensor *kept = tensor_scalar(3);
    tensor_scalar(4);
    assert_ptr_equal(scope_keep(&inner, kept), kept);
    assert_ptr_equal(scope_keep(&inner, first), first); /* not of this scope: stays where it is */
    scope_close(&inner);
    assert_int_equal(freed, 2);
    assert_tensor(kept, 3);
    freed = 0;
    scope_close(&outer);
    assert_int_equal(freed, 2);
}

static void owned_tensors_outlive_scopes(void **state)
{
    struct scope outer, inner;
    (void)state;
    scope_open(&outer);
    struct tensor *early = tensor_scalar(1);
    scope_open(&inner);
    struct tensor *owned = tensor_own(tensor_scalar(2));
    assert_ptr_equal(scope_keep(&inner, owned), owned);
    scope_close(&inner);
    tensor_own(early);
    scope_close(&outer);
    assert_int_equal(freed, 0);
    assert_tensor(owned, 2);
    freed = 0;
    tensor_free(owned);
    tensor_free(early);
    tensor_free(NULL);
    assert_int_equal(freed, 2);
}

static void chains_leave_no_temporaries(void **state)
{
    struct scope scope;
    (void)state;
    scope_open(&scope);
    tensor_gelu(tensor_mul(tensor_scalar(2), tensor_scalar(3)));
    scope_close(&scope);
    count_no_more(NULL);
    int per_chain = freed;
    count_frees(NULL);
    scope_open(&scope);
    struct tensor *result = tensor_own(tensor_gelu(tensor_mul(tensor_scalar(2), tensor_scalar(3))));
    scope_close(&scope);
    assert_int_equal(freed, per_chain - 1);
    tensor_free(result);
}

/* failures */

static void first_failure_sticks(void **state)
{
    struct scope scope;
    struct tensor *y, *h, *c;
    (void)state;
    scope_open(&scope);
    struct tensor *x = tensor_zeros(CPU, TENSOR_F32, SHAPE(2, 3));
    assert_null(tensor_linear(x, tensor_zeros(CPU, TENSOR_F32, SHAPE(3, 2)), NULL));
    assert_true(failed());
    assert_null(tensor_add(x, x));
    assert_null(tensor_view(NULL, SHAPE(6)));
    assert_null(tensor_layer_norm(NULL, NULL, NULL, 1e-5));
    assert_null(tensor_new(CPU, TENSOR_F32, SHAPE(1)));
    assert_null(tensor_gelu(NULL));
    assert_int_equal(tensor_lstm(NULL, NULL, NULL, NULL, 1, &y, &h, &c), -1);
    assert_true(!y && !h && !c);
    assert_int_equal(tensor_copy(x, NULL), -1);
    assert_int_equal(tensor_read(x, NULL, 0), -1);
    assert_int_equal(tensor_size(NULL, 3), 0);
    assert_null(tensor_data(NULL));
    assert_null(scope_keep(&scope, NULL));
    assert_null(tensor_own(NULL));
    assert_failure(torch.torch_exception_get_what_without_backtrace
                       ? "libtorch cannot do 'aten::linear': mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"
                       : "libtorch cannot do 'aten::linear': it wrote the reason to stderr");
    assert_non_null(tensor_add(x, x)); /* and after failure_clear work goes on */
    scope_close(&scope);
}

static void impossible_sizes_and_indices_fail(void **state)
{
    struct scope scope;
    (void)state;
    scope_open(&scope);
    assert_null(tensor_new(CPU, TENSOR_F32, SHAPE(INT64_C(1) << 62)));
    assert_failure("libtorch cannot do 'empty_strided'");
    assert_null(tensor_embedding(tensor_zeros(CPU, TENSOR_F32, SHAPE(2, 2)), tensor_from(CPU, TENSOR_I64, SHAPE(1), (int64_t[]){2})));
    assert_failure("libtorch cannot do 'aten::embedding'");
    scope_close(&scope);
}

/* threads */

static void (*real_grad_mode)(bool);
static int switched_off;

static void counting_grad_mode(bool on)
{
    switched_off += !on;
    real_grad_mode(on);
}

static void *thread_main(void *result)
{
    struct scope scope;
    scope_open(&scope);
    tensor_read(tensor_add(tensor_scalar(1), tensor_scalar(2)), result, sizeof(float));
    tensor_linear(tensor_scalar(1), tensor_scalar(1), NULL); /* fails, in this thread only */
    scope_close(&scope);
    return failed() ? result : NULL;
}

static void threads_have_scopes_and_failures_of_their_own(void **state)
{
    pthread_t thread;
    float sum = 0;
    void *returned = NULL;
    (void)state;
    real_grad_mode = torch.aoti_torch_grad_mode_set_enabled;
    torch.aoti_torch_grad_mode_set_enabled = counting_grad_mode;
    assert_int_equal(pthread_create(&thread, NULL, thread_main, &sum), 0);
    pthread_join(thread, &returned);
    torch.aoti_torch_grad_mode_set_enabled = real_grad_mode;
    assert_ptr_equal(returned, &sum);
    assert_true(sum == 3);
    assert_false(failed());
    assert_int_equal(switched_off, 1); /* once per thread, before its first operation */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* These come first: a process opens libtorch once. */
        cmocka_unit_test(variable_names_library_or_folder),
        cmocka_unit_test(variable_that_names_nothing_is_an_error),
        cmocka_unit_test(absence_is_explained),
        cmocka_unit_test(library_that_cannot_be_opened_is_named),
        cmocka_unit_test(library_without_the_symbols_is_too_old),
        cmocka_unit_test(cpu_half_serves_where_the_whole_cannot_be_opened),
        cmocka_unit_test(opens),
        cmocka_unit_test(cpu_is_always_there),
        cmocka_unit_test(words_that_are_no_device_are_misuse),
        cmocka_unit_test(missing_gpu_has_a_reason),
        cmocka_unit_test(wrappers_agree_with_known_numbers),
        cmocka_unit_test(wrong_numbers_are_noticed),
        cmocka_unit_test(each_failure_is_survived),
        cmocka_unit_test(tensors_know_their_shape_type_and_device),
        cmocka_unit_test(data_goes_in_unaligned_and_comes_out_of_views),
        cmocka_unit_test(halves_keep_their_type_beside_numbers),
        cmocka_unit_test(elu_agrees_with_the_library),
        cmocka_unit_test_setup_teardown(scopes_free_what_is_in_them, count_frees, count_no_more),
        cmocka_unit_test_setup_teardown(owned_tensors_outlive_scopes, count_frees, count_no_more),
        cmocka_unit_test_setup_teardown(chains_leave_no_temporaries, count_frees, count_no_more),
        cmocka_unit_test(first_failure_sticks),
        cmocka_unit_test(impossible_sizes_and_indices_fail),
        cmocka_unit_test(threads_have_scopes_and_failures_of_their_own),
    };
    real_library = libtorch_find();
    if (!real_library)
        return failure_print("test-tensor");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
