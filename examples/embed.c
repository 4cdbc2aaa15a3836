/* embed.c - a C program that compiles a Triton kernel and runs it, with libkdsl alone.
 *
 *     cc embed.c $(pkg-config --cflags --libs kdsl) -o embed && ./embed examples/vector_add.py
 */
#include <kdsl.h>
#include <runtime/runtime.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 1000003, BLOCK = 1024 };

int main(int argc, char **argv)
{
    const char *file = argc > 1 ? argv[1] : "examples/vector_add.py";
    kd_compiler *compiler = NULL;
    kd_compiled *add = NULL;
    kd_device *device = NULL;
    kd_queue *queue = NULL;
    kd_kernel *kernel = NULL;
    kd_failure why = {0};

    /* Source and signature in, machine code out: 1024 is the value of BLOCK_SIZE, the others are types. */
    if (kd_compiler_create(&(kd_compiler_options){0}, &compiler) != KD_OK)
        return 3;
    kd_compile_request request = {.file = file, .kernel = "add_kernel", .signature = "*fp32:16, *fp32:16, *fp32:16, i32, 1024"};
    if (kd_compile(compiler, &request, &add) != KD_OK) {
        fprintf(stderr, "%s", kd_compiler_messages(compiler));
        return 1;
    }

    float *x = aligned_alloc(64, sizeof(float) * (N + 16)), *y = aligned_alloc(64, sizeof(float) * (N + 16));
    float *out = aligned_alloc(64, sizeof(float) * (N + 16));
    if (!x || !y || !out)
        return 3;
    for (int i = 0; i < N; i++) {
        x[i] = (float)i;
        y[i] = 0.5f;
    }

    /* One device, one queue; the kernel is loaded once and launched as often as needed. */
    size_t n_bytes;
    const void *code = kd_compiled_bytes(add, &n_bytes);
    if (kd_device_open("cpu", NULL, &device, &why) != KD_OK || kd_queue_create(device, &queue) != KD_OK ||
        kd_kernel_load(device, kd_compiled_desc(add), code, n_bytes, &kernel) != KD_OK) {
        fprintf(stderr, "embed: %s\n", device ? kd_device_error(device) : why.text);
        return 3;
    }
    kd_arg args[] = {kd_arg_ptr(x, sizeof(float) * N), kd_arg_ptr(y, sizeof(float) * N), kd_arg_ptr(out, sizeof(float) * N), kd_arg_i64(N)};
    uint32_t grid[3] = {(N + BLOCK - 1) / BLOCK, 1, 1};
    if (kd_kernel_launch(queue, kernel, grid, args, 4, NULL) != KD_OK || kd_queue_finish(queue) != KD_OK) {
        fprintf(stderr, "embed: %s\n", kd_device_error(device));
        return 3;
    }

    int wrong = 0;
    for (int i = 0; i < N; i++)
        wrong += out[i] != x[i] + y[i];
    printf("%d elements, %d wrong\n", N, wrong);

    kd_kernel_destroy(kernel);
    kd_queue_destroy(queue);
    kd_device_close(device);
    kd_compiled_destroy(add);
    kd_compiler_destroy(compiler);
    free(x);
    free(y);
    free(out);
    return wrong != 0;
}
