/* What tests/ze_pocl emulates, against plain loops: the systolic array, and 2D block messages with edges out of range. */
#include "runtime/runtime.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ze_pocl/beside.h"
#include "test_gpu_matrix.h"

static kd_device *device;
static kd_queue *queue;
static const char *no_driver;

static int open_gpu(void **state)
{
    use_ze_pocl();
    setenv("ZE_POCL", "sizes=56", 1); /* 8, 16 and 32 */
    static kd_failure why;
    kd_status status = kd_device_open("level_zero", NULL, &device, &why);
    no_driver = why.text;
    return status == KD_ERR_NOT_FOUND ? 0 : status || kd_queue_create(device, &queue);
}

static int close_gpu(void **state)
{
    kd_queue_destroy(queue);
    kd_device_close(device);
    return 0;
}

static void need(kd_status status)
{
    if (status)
        fail_msg("%s: %s", kd_status_text(status), kd_device_error(device));
}

static uint32_t random_state = 1;
static uint32_t random_bits(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

/* Runs a kernel of n_pointers buffers and ints behind them; all buffers come back. One work-group of 64 work-items. */
static void run(const char *name, uint32_t lanes, unsigned n_pointers, void **buffers, const size_t *n_bytes, const int *ints,
                unsigned n_ints)
{
    if (!device) {
        print_message("%s\n", no_driver);
        skip();
    }
    kd_kernel_arg args[16];
    kd_arg values[16];
    void *places[16] = {0};
    uint32_t at = 0;
    for (unsigned i = 0; i < n_pointers; i++, at += 8) {
        args[i] =
            (kd_kernel_arg){.name = "p", .is_pointer = true, .type = KD_U8, .offset_bytes = at, .size_bytes = 8, .divisible_by = 1};
        need(kd_memory_alloc(device, n_bytes[i], &places[i]));
        need(kd_queue_copy(queue, places[i], buffers[i], n_bytes[i], NULL));
        values[i] = kd_arg_ptr(places[i], n_bytes[i]);
    }
    for (unsigned i = 0; i < n_ints; i++, at += 4) {
        args[n_pointers + i] = (kd_kernel_arg){.name = "i", .type = KD_I32, .offset_bytes = at, .size_bytes = 4, .divisible_by = 1};
        values[n_pointers + i] = kd_arg_i64(ints[i]);
    }
    const kd_kernel_desc desc = {.name = name,
                                 .target = "spirv:bmg",
                                 .format = KD_CODE_SPIRV,
                                 .args = args,
                                 .n_args = n_pointers + n_ints,
                                 .args_size_bytes = (at + 7) / 8 * 8,
                                 .num_warps = 64 / lanes,
                                 .sub_group_size = lanes};
    kd_kernel *kernel = NULL;
    need(kd_kernel_load(device, &desc, GPU_MATRIX, sizeof GPU_MATRIX, &kernel));
    need(kd_kernel_launch(queue, kernel, (uint32_t[3]){1, 1, 1}, values, n_pointers + n_ints, NULL));
    for (unsigned i = 0; i < n_pointers; i++)
        need(kd_queue_copy(queue, buffers[i], places[i], n_bytes[i], NULL));
    need(kd_queue_finish(queue));
    kd_kernel_destroy(kernel);
    for (unsigned i = 0; i < n_pointers; i++)
        kd_memory_free(device, places[i]);
}

/* ---- the systolic array ---- */

typedef struct matrix_case {
    const char *kernel;
    unsigned lanes, m, k, bits; /* of an element of a and b; 32: tf32 */
    char type;                  /* b bf16, f f16, i i8, u u8, t tf32 */
} matrix_case;

/* Small whole numbers, so that sums are exact. */
static uint32_t encode(char type, int v)
{
    float f = (float)v;
    uint32_t bits;
    memcpy(&bits, &f, 4);
    if (type == 'b')
        return bits >> 16;
    if (type == 't')
        return bits | 0x1fff * (v != 0); /* the low bits do not count */
    if (type == 'f')
        return v ? (bits >> 16 & 0x8000) | (((bits >> 23 & 0xff) - 112) << 10) | (bits >> 13 & 0x3ff) : 0;
    return (uint32_t)v & 0xff;
}

static void put_bits(void *words, size_t index, unsigned bits, uint32_t v)
{
    memcpy((char *)words + index * (bits / 8), &v, bits / 8);
}

static void multiplies(const matrix_case *c)
{
    unsigned n = c->lanes, groups = 64 / n, word_bits = c->bits == 32 ? 32 : n == 16 ? 16 : 32, of_word = word_bits / c->bits;
    unsigned a_words = c->bits == 32 ? 4 : c->m, of_dword = 32 / c->bits;
    static int a[64][8][32], b[64][32][16], acc[64][8][16];
    static char a_bytes[64 * 8 * 4], b_bytes[64 * 8 * 4], c_bytes[64 * 8 * 4], d_bytes[64 * 8 * 4];
    for (unsigned g = 0; g < groups; g++) {
        for (unsigned k = 0; k < c->k; k++) {
            for (unsigned i = 0; i < c->m; i++)
                a[g][i][k] = (int)(random_bits() % 31) - (c->type == 'u' ? 0 : 15);
            for (unsigned j = 0; j < n; j++)
                b[g][k][j] = (int)(random_bits() % 31) - (c->type == 'u' ? 0 : 15);
        }
        for (unsigned lane = 0; lane < n; lane++) {
            size_t item = g * n + lane;
            for (unsigned w = 0; w < a_words; w++)
                for (unsigned p = 0; p < of_word; p++) {
                    int v = c->bits == 32 ? a[g][2 * w + lane / 8][lane % 8] : a[g][w][lane * of_word + p];
                    put_bits(a_bytes, (item * a_words + w) * of_word + p, c->bits, encode(c->type, v));
                }
            for (unsigned k = 0; k < c->k; k++)
                put_bits(b_bytes, item * 8 * of_dword + k, c->bits, encode(c->type, b[g][k][lane]));
            for (unsigned i = 0; i < c->m; i++) {
                int v = acc[g][i][lane] = (int)(random_bits() % 100);
                float f = (float)v;
                memcpy(c_bytes + (item * c->m + i) * 4, c->type == 'i' || c->type == 'u' ? (void *)&v : (void *)&f, 4);
            }
        }
    }
    void *buffers[] = {a_bytes, b_bytes, c_bytes, d_bytes};
    run(c->kernel, n, 4, buffers, (size_t[]){64 * a_words * word_bits / 8, 64 * 32, 64 * c->m * 4, 64 * c->m * 4}, NULL, 0);
    for (unsigned g = 0; g < groups; g++)
        for (unsigned lane = 0; lane < n; lane++)
            for (unsigned i = 0; i < c->m; i++) {
                int want = acc[g][i][lane], got;
                for (unsigned k = 0; k < c->k; k++)
                    want += 2 * a[g][i][k] * b[g][k][lane];
                float f;
                memcpy(&f, d_bytes + ((g * n + lane) * c->m + i) * 4, 4);
                memcpy(&got, &f, 4);
                if (c->type != 'i' && c->type != 'u')
                    got = (int)f;
                if (got != want)
                    fail_msg("%s: sub-group %u, row %u, column %u: %d instead of %d", c->kernel, g, i, lane, got, want);
            }
}

static void multiplies_matrices(void **state)
{
    const matrix_case cases[] = {
        {"bf16_16", 16, 8, 16, 16, 'b'}, {"f16_16", 16, 8, 16, 16, 'f'},     {"i8_16", 16, 8, 32, 8, 'i'},
        {"u8_16", 16, 8, 32, 8, 'u'},    {"tf32_16", 16, 8, 8, 32, 't'},     {"bf16_8", 8, 8, 16, 16, 'b'},
        {"i8_8", 8, 8, 32, 8, 'i'},      {"bf16_rows4", 16, 4, 16, 16, 'b'},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        multiplies(&cases[i]);
}

/* ---- 2D blocks ---- */

enum { PITCH = 208, ROWS = 40 };
static unsigned char surface[PITCH * ROWS];

typedef struct block_case {
    const char *kernel;
    unsigned bytes, n; /* of an element; words of a work-item */
    unsigned word_bytes;
    /* Where part p of word i of a lane comes from. */
    void (*place)(unsigned lane, unsigned i, unsigned p, int *x, int *y);
} block_case;

static void at_16b_8r16x2c(unsigned lane, unsigned i, unsigned p, int *x, int *y)
{
    *x = (int)(i / 8 * 16 + lane), *y = (int)(i % 8);
}
static void at_8b_8r32x2c(unsigned lane, unsigned i, unsigned p, int *x, int *y)
{
    *x = (int)(i / 8 * 32 + 2 * lane + p), *y = (int)(i % 8);
}
static void at_32b_8r8x1c(unsigned lane, unsigned i, unsigned p, int *x, int *y)
{
    *x = (int)(lane % 8), *y = (int)(2 * i + lane / 8);
}
static void at_transform_16b(unsigned lane, unsigned i, unsigned p, int *x, int *y)
{
    *x = (int)lane, *y = (int)(2 * i + p);
}
static void at_transform_8b(unsigned lane, unsigned i, unsigned p, int *x, int *y)
{
    *x = (int)(i / 8 * 16 + lane), *y = (int)(i % 8 * 4 + p);
}
static void at_transpose_32b(unsigned lane, unsigned i, unsigned p, int *x, int *y)
{
    *x = (int)i, *y = (int)lane;
}
static void at_transpose_8_rows(unsigned lane, unsigned i, unsigned p, int *x, int *y)
{
    *x = (int)(2 * i + lane / 8), *y = (int)(lane % 8);
}
static void at_transform_of_4(unsigned lane, unsigned i, unsigned p, int *x, int *y)
{
    *x = (int)(i / 8 * 16 + lane), *y = (int)(i % 8 * 2 + p);
}

static uint32_t element_of(const block_case *c, int width, int height, int x, int y)
{
    uint32_t v = 0;
    int bytes = (int)c->bytes;
    if (x >= 0 && y >= 0 && (x + 1) * bytes <= width && y < height)
        memcpy(&v, surface + y * PITCH + x * bytes, c->bytes);
    return v;
}

static void reads_block(const block_case *c, int width, int height, int x, int y)
{
    static unsigned char out[64 * 32 * 4];
    void *buffers[] = {surface, out};
    run(c->kernel, 16, 2, buffers, (size_t[]){sizeof surface, 64 * c->n * c->word_bytes}, (int[]){width, height, PITCH, x, y}, 5);
    for (unsigned item = 0; item < 64; item++)
        for (unsigned i = 0; i < c->n; i++) {
            uint32_t got = 0, want = 0;
            memcpy(&got, out + (item * c->n + i) * c->word_bytes, c->word_bytes);
            for (unsigned p = 0; p < c->word_bytes / c->bytes; p++) {
                int dx, dy;
                c->place(item % 16, i, p, &dx, &dy);
                want |= element_of(c, width, height, x + dx, y + dy) << 8 * c->bytes * p;
            }
            if (got != want)
                fail_msg("%s at %d, %d: word %u of lane %u is %x instead of %x", c->kernel, x, y, i, item % 16, got, want);
        }
}

static void reads_blocks(void **state)
{
    const block_case cases[] = {
        {"read_16b", 2, 16, 2, at_16b_8r16x2c},      {"read_8b", 1, 16, 2, at_8b_8r32x2c},
        {"read_32b", 4, 4, 4, at_32b_8r8x1c},        {"transform_16b", 2, 16, 4, at_transform_16b},
        {"transform_8b", 1, 16, 4, at_transform_8b}, {"transpose_32b", 4, 8, 4, at_transpose_32b},
        {"transpose_any", 4, 4, 4, at_transpose_8_rows}, {"transform_any", 2, 32, 4, at_transform_of_4},
    };
    const int places[][2] = {{0, 0}, {4, 3}, {-2, -5}, {40, 30}, {1000, 0}};
    for (size_t i = 0; i < sizeof surface; i++)
        surface[i] = (unsigned char)(random_bits() | 1);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned k = 0; k < 5; k++)
            reads_block(&cases[i], 180, 33, places[k][0], places[k][1]);
}

static void writes_blocks(void **state)
{
    static unsigned char before[sizeof surface];
    static uint32_t in[64 * 8];
    const int width = 180, height = 33, places[][2] = {{0, 0}, {-3, -2}, {40, 30}};
    for (unsigned k = 0; k < 3; k++) {
        for (unsigned i = 0; i < 64 * 8; i++)
            in[i] = random_bits();
        memcpy(before, surface, sizeof surface);
        void *buffers[] = {surface, in};
        int x = places[k][0], y = places[k][1];
        run("write_32b", 16, 2, buffers, (size_t[]){sizeof surface, sizeof in}, (int[]){width, height, PITCH, x, y}, 5);
        for (int lane = 0; lane < 16; lane++)
            for (int row = 0; row < 8; row++)
                if (x + lane >= 0 && (x + lane + 1) * 4 <= width && y + row >= 0 && y + row < height)
                    memcpy(before + (y + row) * PITCH + (x + lane) * 4, &in[lane * 8 + row], 4);
        assert_memory_equal(surface, before, sizeof surface);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multiplies_matrices),
        cmocka_unit_test(reads_blocks),
        cmocka_unit_test(writes_blocks),
    };
    return cmocka_run_group_tests(tests, open_gpu, close_gpu);
}
