/* fuzz_values.c - the words behind 'kdsl run FILE': a line each, NAME=VALUE; the last one is the grid. What has values has a signature, which
 * the compiler accepts or rejects with a message, and launch arguments for what it makes. */
#include "cli/run_impl.h"
#include "base/vec.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
int LLVMFuzzerInitialize(int *argc, char ***argv);
const char *__asan_default_options(void);

static const char source[] = "import triton\n"
                             "import triton.language as tl\n"
                             "@triton.jit\n"
                             "def relu(x):\n"
                             "    return x\n"
                             "@triton.jit\n"
                             "def kernel(x, y, n, t, act: tl.constexpr = 'relu', BLOCK: tl.constexpr = 16, eps=1e-5, bias=None, m: tl.int64 = 3):\n"
                             "    pass\n";

/* An array of 10**12 elements is refused; one of 10**9 would be filled, which takes a while. */
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1:max_allocation_size_mb=64";
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    FILE *nowhere = fopen("/dev/null", "w"); /* for what is said about the words; the fuzzer has kept the old one */
    if (nowhere)
        stderr = nowhere;
    return 0;
}

static kd_text_list split(kd_arena *arena, const uint8_t *data, size_t n_bytes)
{
    kd_text_list lines = {0};
    const char *at = (const char *)data, *end = at + n_bytes;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        kd_vec_push(arena, &lines, kd_arena_strndup(arena, at, (size_t)(stop - at)));
        at = stop + 1;
    }
    return lines;
}

static void compile_and_pack(run_args *args)
{
    kd_compile_request request = {.text = source, .kernel = "kernel", .signature = run_args_signature(args), .emit = "kd"};
    kd_compiled *compiled = NULL;
    kd_status status = kd_compile(args->compiler, &request, &compiled);
    if (status != KD_OK && !*kd_compiler_messages(args->compiler))
        abort();
    kd_arg *packed;
    kd_array **arrays;
    if (status == KD_OK)
        run_args_pack(args, kd_compiled_desc(compiled), &packed, &arrays);
    run_args_share(args);
    kd_compiled_destroy(compiled);
}

static void run(run_args *args, kd_text_list words)
{
    uint32_t grid[3];
    const char *last = words.n ? words.data[--words.n] : "";
    kd_exit status = run_args_collect(args, &words);
    if (status == KD_EXIT_OK)
        status = run_args_evaluate(args);
    if (status == KD_EXIT_OK)
        status = run_args_grid(args, last, grid);
    if (status != KD_EXIT_OK && status != args->failed)
        abort();
    if (status == KD_EXIT_OK)
        compile_and_pack(args);
    run_args_release(args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (memchr(data, '@', n_bytes)) /* a file: other fuzzers read these */
        return 0;
    kd_compiler *compiler;
    if (kd_compiler_create(&(kd_compiler_options){.memory_limit_bytes = 48 << 20}, &compiler) != KD_OK)
        abort();
    const kd_file_info *file;
    kd_compile_request request = {.text = source, .kernel = "kernel"};
    if (kd_compiler_inspect(compiler, &request, false, &file) != KD_OK)
        abort();
    kd_arena *arena = kd_arena_create(NULL);
    run_args args = {.arena = arena, .compiler = compiler, .file = file, .kernel = kd_file_info_find(compiler, file, "kernel")};
    if (!args.kernel)
        abort();
    run(&args, split(arena, data, n_bytes));
    kd_arena_destroy(arena);
    kd_compiler_destroy(compiler);
    return 0;
}
