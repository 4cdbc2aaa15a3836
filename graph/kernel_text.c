/* kernel_text.c - kernels of one node: their head, and the lines that all of them have. */
#include "graph/kernel_text.h"

#include "base/scalar.h"

#include <inttypes.h>
#include <stdarg.h>

enum { MIN_BLOCK = 16 };

int64_t kernel_block_of(int64_t n, int64_t most)
{
    int64_t block = MIN_BLOCK;
    while (block < n && block < most)
        block *= 2;
    return block;
}

kd_kernel_text kernel_begin(kd_plan *plan, const kd_gnode *node, kd_kernel_source *out)
{
    *out = (kd_kernel_source){.nodes = node->origin};
    return (kd_kernel_text){.plan = plan, .arena = plan->arena, .node = node, .lines = kd_strbuf_in(plan->arena), .out = out};
}

void kernel_line(kd_kernel_text *k, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    kd_strbuf_printf(&k->lines, "    %s\n", kd_arena_vprintf(k->arena, format, args));
    va_end(args);
}

static void add_arg(kd_kernel_text *k, const char *name, kd_buffer *buffer)
{
    kd_kernel_operand arg = {name, buffer};
    kd_vec_push(k->arena, &k->args, arg);
}

void kernel_reads(kd_kernel_text *k, const char *name, kd_buffer *buffer, uint64_t n_read)
{
    uint64_t n = (uint64_t)kd_tensor_n_elems(&buffer->type);
    add_arg(k, name, buffer);
    k->out->n_read_bytes += (n_read < n ? n_read : n) * kd_scalar_bytes(buffer->type.type);
}

void kernel_writes(kd_kernel_text *k, const char *name, kd_buffer *buffer)
{
    add_arg(k, name, buffer);
    k->out->n_written_bytes += kd_tensor_n_bytes(&buffer->type);
}

void kernel_constant(kd_kernel_text *k, const char *name, int64_t value)
{
    kd_kernel_constant constant = {name, value};
    kd_vec_push(k->arena, &k->constants, constant);
}

const char *kernel_places(kd_kernel_text *k, const char *pointer, unsigned n_dims, const int64_t strides[], int64_t offset,
                          const char *const names[])
{
    kd_strbuf text = kd_strbuf_in(k->arena);
    kd_strbuf_puts(&text, pointer);
    if (offset)
        kd_strbuf_printf(&text, " + %" PRId64, offset);
    for (unsigned d = 0; d < n_dims; d++)
        if (strides[d] == 1)
            kd_strbuf_printf(&text, " + %s", names[d]);
        else if (strides[d])
            kd_strbuf_printf(&text, " + %s * %" PRId64, names[d], strides[d]);
    return kd_strbuf_text(&text);
}

const char *kernel_mask(kd_kernel_text *k, const char *one, const char *two, bool loads)
{
    const char *other = loads ? ", other=0" : "";
    if (!one && !two)
        return "";
    return one && two ? kd_arena_printf(k->arena, ", mask=%s & %s%s", one, two, other)
                      : kd_arena_printf(k->arena, ", mask=%s%s", one ? one : two, other);
}

void kernel_write_launch(const kd_kernel_source *kernel, kd_strbuf *text)
{
    kd_strbuf_printf(text, kernel->grid[1] > 1 ? "    grid: %u, %u\n" : "    grid: %u\n", kernel->grid[0], kernel->grid[1]);
    if (kernel->num_warps)
        kd_strbuf_printf(text, "    num_warps: %u\n", kernel->num_warps);
}

static void write_head(kd_kernel_text *k, const char *what, kd_strbuf *text)
{
    kd_strbuf signature = kd_strbuf_in(k->arena);
    kd_strbuf_puts(text, "import triton\nimport triton.language as tl\n");
    if (strstr(k->out->body, "libdevice."))
        kd_strbuf_puts(text, "from triton.language.extra import libdevice\n");
    kd_strbuf_printf(text, "\n\n@triton.jit\ndef %s(", k->out->name);
    for (unsigned i = 0; i < k->args.n; i++) {
        const kd_buffer *b = k->args.data[i].buffer;
        kd_strbuf_printf(text, i ? ", %s" : "%s", k->args.data[i].name);
        kd_strbuf_printf(&signature, i ? ", *%s%s" : "*%s%s", kd_scalar_triton_name(b->type.type), kd_buffer_alignment(k->plan, b));
    }
    for (unsigned i = 0; i < k->constants.n; i++) {
        kd_strbuf_printf(text, ", %s: tl.constexpr = %" PRId64, k->constants.data[i].name, k->constants.data[i].value);
        kd_strbuf_printf(&signature, ", %" PRId64, k->constants.data[i].value);
    }
    kd_strbuf_printf(text, "):\n    \"\"\"Nodes %s: %s.\n\n", k->node->origin, what);
    for (unsigned i = 0; i < k->args.n; i++)
        kd_strbuf_printf(text, "    %s: %%%s, %s\n", k->args.data[i].name, k->args.data[i].buffer->value->name,
                         kd_tensor_type_text(k->arena, &k->args.data[i].buffer->type));
    kernel_write_launch(k->out, text);
    kd_strbuf_puts(text, "    \"\"\"\n");
    k->out->signature = kd_strbuf_text(&signature);
}

kd_status kernel_finish(kd_kernel_text *k, const char *what, unsigned number)
{
    kd_kernel_source *out = k->out;
    for (unsigned i = 0; i < k->args.n; i++) { /* places are i32 */
        const kd_tensor_type *t = &k->args.data[i].buffer->type;
        if (kd_tensor_n_bytes(t) / kd_scalar_bytes(t->type) > INT32_MAX)
            return kd_fail(k->plan->why, KD_ERR_UNSUPPORTED, "%s = %s: a tensor of more than 2^31 elements is not supported yet",
                           k->node->origin, k->node->op->name);
    }
    out->name = kd_arena_printf(k->arena, "%s_%u", what, number);
    out->body = kd_strbuf_text(&k->lines);
    kd_strbuf text = kd_strbuf_in(k->arena);
    write_head(k, what, &text);
    kd_strbuf_puts(&text, out->body);
    out->text = kd_strbuf_text(&text);
    out->buffers = kd_arena_array(k->arena, kd_buffer *, k->args.n);
    for (unsigned i = 0; i < k->args.n; i++)
        out->buffers[i] = k->args.data[i].buffer;
    out->n_buffers = k->args.n;
    out->n_programs = (uint64_t)out->grid[0] * out->grid[1];
    return KD_OK;
}
