/* kernel_text.h - between the files that write kernels of one node each: attention, matrix products, convolutions. */
#ifndef KD_GRAPH_KERNEL_TEXT_H
#define KD_GRAPH_KERNEL_TEXT_H

#include "graph/plan.h"

typedef struct kd_kernel_operand {
    const char *name;
    kd_buffer *buffer;
} kd_kernel_operand;

typedef struct kd_kernel_constant {
    const char *name;
    int64_t value;
} kd_kernel_constant;

/* A kernel that is being written: its lines, the buffers that they name, and constants of the signature. */
typedef struct kd_kernel_text {
    kd_plan *plan;
    kd_arena *arena;
    const kd_gnode *node;
    kd_strbuf lines;
    KD_VEC(kd_kernel_operand) args;
    KD_VEC(kd_kernel_constant) constants;
    kd_kernel_source *out;
} kd_kernel_text;

kd_kernel_text kernel_begin(kd_plan *plan, const kd_gnode *node, kd_kernel_source *out);
/* A line of the body. */
void kernel_line(kd_kernel_text *k, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An argument. n_read: so many of its elements are read. */
void kernel_reads(kd_kernel_text *k, const char *name, kd_buffer *buffer, uint64_t n_read);
void kernel_writes(kd_kernel_text *k, const char *name, kd_buffer *buffer);
/* Before the lines that use it, or behind them. */
void kernel_constant(kd_kernel_text *k, const char *name, int64_t value);
/* "query + 64 + batch * 4096 + row[:, None] * 64": where the elements of a tile are. names: of the coordinates; a stride of 0 leaves one out. */
const char *kernel_places(kd_kernel_text *k, const char *pointer, unsigned n_dims, const int64_t strides[], int64_t offset,
                          const char *const names[]);
/* ", mask=a & b, other=0", or nothing where both are NULL. */
const char *kernel_mask(kd_kernel_text *k, const char *one, const char *two, bool loads);
/* Puts it together. what: "attention", for its name and its comment. */
kd_status kernel_finish(kd_kernel_text *k, const char *what, unsigned number);
/* What a launch by hand needs, for the comment of a kernel: how many programs, and sub-groups on a GPU. */
void kernel_write_launch(const kd_kernel_source *kernel, kd_strbuf *text);

/* The least power of two from 16 up that holds n, but no more than most. */
int64_t kernel_block_of(int64_t n, int64_t most);

#endif
