/* header.c - the C header that goes with a kernel's object file: what a program needs to call it, with neither kdsl nor LLVM around.
 * For a GPU's SPIR-V: what a program needs to hand it to Level Zero.
 *
 * For a kernel 'add' it has add_args (the run-time arguments), add (the entry, which runs a range of program instances), add_SCRATCH_BYTES,
 * add_part (one of several equal parts of a grid, for the caller's threads) and add_launch (the whole grid, here and now). */
#include "base/scalar.h"
#include "dsl/kdsl_impl.h"

/* A word of C or C++ cannot name a field or function: it gets a '_'. */
static const char *c_name(kd_arena *arena, const char *name)
{
    static const char *const words[] = {
        "alignas", "alignof", "and", "asm", "auto", "bool", "break", "case", "catch", "char", "class", "const", "constexpr", "continue", "default",
        "delete", "do", "double", "else", "enum", "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if", "inline", "int",
        "long", "mutable", "namespace", "new", "not", "operator", "or", "private", "protected", "public", "register", "restrict", "return", "short",
        "signed", "sizeof", "static", "struct", "switch", "template", "this", "throw", "true", "try", "typedef", "typeid", "typename", "union",
        "unsigned", "using", "virtual", "void", "volatile", "while", "xor", "main"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(name, words[i]) == 0)
            return kd_arena_printf(arena, "%s_", name);
    return name;
}

static const char *c_type(kd_scalar s)
{
    switch (s) {
    case KD_I1: return "uint8_t";
    case KD_I8: return "int8_t";
    case KD_I16: return "int16_t";
    case KD_I32: return "int32_t";
    case KD_I64: return "int64_t";
    case KD_U8: return "uint8_t";
    case KD_U16: return "uint16_t";
    case KD_U32: return "uint32_t";
    case KD_U64: return "uint64_t";
    case KD_F32: return "float";
    case KD_F64: return "double";
    default: return kd_scalar_bytes(s) == 1 ? "uint8_t" : "uint16_t"; /* by its bits */
    }
}

/* Text from outside must not end the comment it stands in, nor a line of it. */
static void put_comment_text(kd_strbuf *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        bool ends = (c[0] == '*' && c[1] == '/') || (c[0] == '/' && c[1] == '*');
        kd_strbuf_printf(out, ends ? "%c " : "%c", *c == '\n' || *c == '\r' ? ' ' : *c);
    }
}

static void put_top(kd_strbuf *out, const kd_kernel_desc *desc, const char *name, const char *source_path, const char *signature)
{
    kd_strbuf_printf(out, "/* %s: a kernel of ", name);
    put_comment_text(out, source_path);
    kd_strbuf_printf(out, ", compiled by kdsl %s for %s and the signature\n *\n *     ", kd_version(), desc->target);
    put_comment_text(out, signature ? signature : "");
    kd_strbuf_puts(out, desc->format == KD_CODE_SPIRV ? "\n */\n" : "\n *\n * Link with the object file, and with -lm -lmvec. */\n");
    kd_strbuf_printf(out, "#ifndef KDSL_KERNEL_%s_H\n#define KDSL_KERNEL_%s_H\n\n#include <stddef.h>\n#include <stdint.h>\n#include <stdlib.h>\n\n", name, name);
    kd_strbuf_puts(out, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
}

static void put_arg(kd_strbuf *out, const kd_kernel_arg *arg, const char *name)
{
    bool by_bits = kd_scalar_is_float(arg->type) && arg->type != KD_F32 && arg->type != KD_F64;
    kd_strbuf_printf(out, "    %s%s%s%s;", arg->is_pointer && !arg->is_written ? "const " : "", c_type(arg->type), arg->is_pointer ? " *" : " ", name);
    const char *sep = " /* ";
    if (by_bits || arg->type == KD_I1) {
        kd_strbuf_printf(out, "%s%s%s", sep, kd_scalar_name(arg->type), arg->type == KD_I1 ? ": 0 or 1" : ", by its bits");
        sep = "; ";
    }
    if (arg->divisible_by > 1) {
        kd_strbuf_printf(out, "%s%s a multiple of %u", sep, arg->is_pointer ? "address" : "value", arg->divisible_by);
        sep = "; ";
    }
    kd_strbuf_puts(out, sep[1] == '/' ? "\n" : " */\n");
}

/* The order and offsets are the object's; a compiler that lays the struct out differently must not get away with it. */
static void put_args(kd_strbuf *out, const kd_kernel_desc *desc, const char *name, kd_arena *arena)
{
    kd_strbuf_printf(out, "/* The arguments of a launch.%s */\ntypedef struct %s_args {\n",
                     desc->needs_disjoint ? " No array that the kernel writes overlaps another argument's." : "", name);
    for (uint32_t i = 0; i < desc->n_args; i++)
        put_arg(out, &desc->args[i], c_name(arena, desc->args[i].name));
    if (!desc->n_args)
        kd_strbuf_puts(out, "    char none;\n");
    kd_strbuf_printf(out, "} %s_args;\n\n", name);
    for (uint32_t i = 0; i < desc->n_args; i++)
        kd_strbuf_printf(out, "typedef char %s_check_%u[offsetof(%s_args, %s) == %u ? 1 : -1];\n", name, i, name, c_name(arena, desc->args[i].name),
                         desc->args[i].offset_bytes);
    if (desc->n_args)
        kd_strbuf_puts(out, "\n");
}

static void put_entry(kd_strbuf *out, const kd_kernel_desc *desc, const char *name)
{
    kd_strbuf_printf(out,
                     "/* How many program instances run along each axis. */\n"
                     "typedef struct %s_grid {\n    uint32_t x, y, z;\n} %s_grid;\n\n"
                     "/* Memory that each thread needs while it runs the kernel, aligned to 64 bytes. */\n"
                     "enum { %s_SCRATCH_BYTES = %u };\n\n",
                     name, name, name, desc->scratch_bytes);
    kd_strbuf_printf(out,
                     "/* The kernel itself: runs the instances first <= i < last of a grid (x fastest). args points to a %s_args. Returns 0, or 1 where\n"
                     " * a device_assert failed. Any number of threads may run it at once, each with scratch of its own. */\n"
                     "int32_t %s(const void *args, const uint32_t grid[3], uint64_t first, uint64_t last, void *scratch)",
                     name, name);
    if (strcmp(name, desc->name) != 0)
        kd_strbuf_printf(out, " __asm__(\"%s\")", desc->name);
    kd_strbuf_puts(out, ";\n\n");
}

static void put_launch(kd_strbuf *out, const char *name)
{
    kd_strbuf_printf(out,
                     "/* Runs one of n_parts equal parts of a grid, on the calling thread. scratch: %s_SCRATCH_BYTES, aligned to 64; NULL where that is 0. */\n"
                     "static inline int32_t %s_part(%s_grid grid, const %s_args *args, uint32_t part, uint32_t n_parts, void *scratch)\n"
                     "{\n"
                     "    const uint32_t extents[3] = {grid.x, grid.y, grid.z};\n"
                     "    uint64_t n = (uint64_t)grid.x * grid.y * grid.z, each = n / n_parts, more = n %% n_parts;\n"
                     "    uint64_t first = each * part + (part < more ? part : more);\n"
                     "    return %s(args, extents, first, first + each + (part < more), scratch);\n"
                     "}\n\n",
                     name, name, name, name, name);
    kd_strbuf_printf(out,
                     "/* Runs a whole grid on the calling thread. Returns 0; 1 where a device_assert failed; -1 where there is no memory for scratch. */\n"
                     "static inline int32_t %s_launch(%s_grid grid, const %s_args *args)\n"
                     "{\n"
                     "    void *memory = %s_SCRATCH_BYTES > 0 ? malloc((size_t)%s_SCRATCH_BYTES + 64) : NULL;\n"
                     "    if (%s_SCRATCH_BYTES > 0 && !memory)\n"
                     "        return -1;\n"
                     "    int32_t status = %s_part(grid, args, 0, 1, (void *)(((uintptr_t)memory + 63) & ~(uintptr_t)63));\n"
                     "    free(memory);\n"
                     "    return status;\n"
                     "}\n\n",
                     name, name, name, name, name, name, name);
}

/* ---- SPIR-V ---- */

static void put_text(kd_strbuf *out, const char *text)
{
    kd_strbuf_puts(out, "\"");
    for (const char *c = text; *c; c++)
        kd_strbuf_printf(out, (unsigned char)*c < ' ' || *c == 127 ? "\\%03o" : *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    kd_strbuf_puts(out, "\"");
}

static void put_gpu_launch(kd_strbuf *out, const kd_kernel_desc *desc, const char *name)
{
    kd_strbuf_printf(out, "/* For zeModuleCreate and zeKernelCreate. */\n#define %s_BUILD_FLAGS ", name);
    put_text(out, desc->build_flags);
    kd_strbuf_printf(out, "\n#define %s_KERNEL ", name);
    put_text(out, desc->name);
    kd_strbuf_printf(out,
                     "\n\n/* For zeKernelSetGroupSize(kernel, %s_WORK_GROUP, 1, 1); the launch has as many groups as the grid has programs. */\n"
                     "enum {\n    %s_WORK_GROUP = %u, /* work-items: %u sub-groups of %u lanes */\n    %s_SLM_BYTES = %u,  /* the kernel has them itself */\n"
                     "    %s_N_ARGS = %u\n};\n\n",
                     name, name, desc->num_warps * desc->sub_group_size, desc->num_warps, desc->sub_group_size, name, desc->slm_bytes, name, desc->n_args);
    if (desc->n_args) {
        kd_strbuf_printf(out,
                         "/* Where each argument is: zeKernelSetArgumentValue(kernel, i, %s_ARGS[i].n_bytes, (const char *)&args + %s_ARGS[i].offset). */\n"
                         "static const struct {\n    uint32_t offset, n_bytes;\n} %s_ARGS[%s_N_ARGS] = {",
                         name, name, name, name);
        for (unsigned i = 0; i < desc->n_args; i++)
            kd_strbuf_printf(out, "%s{%u, %u}", i ? ", " : "", desc->args[i].offset_bytes, desc->args[i].size_bytes);
        kd_strbuf_puts(out, "};\n\n");
    }
    if (!desc->n_messages)
        return;
    kd_strbuf_printf(out,
                     "/* One more argument: a pointer to four uint32_t that are 0 before the launch. After it the first is 0, or 1 + the number of the\n"
                     " * message of the first assert that failed, and the others are the program that it failed in. */\n"
                     "enum { %s_N_MESSAGES = %u };\nstatic const char *const %s_MESSAGES[%s_N_MESSAGES] = {\n",
                     name, desc->n_messages, name, name);
    for (unsigned i = 0; i < desc->n_messages; i++) {
        kd_strbuf_puts(out, "    ");
        put_text(out, desc->messages[i]);
        kd_strbuf_puts(out, ",\n");
    }
    kd_strbuf_puts(out, "};\n\n");
}

static void put_code(kd_strbuf *out, const char *name, kd_str code)
{
    kd_strbuf_printf(out, "/* SPIR-V. */\nstatic const uint32_t %s_SPIRV[%zu] = {", name, code.len / 4);
    for (size_t i = 0; i < code.len / 4; i++) {
        uint32_t word;
        memcpy(&word, code.ptr + 4 * i, 4);
        kd_strbuf_printf(out, "%s0x%x", i % 12 ? ", " : i ? ",\n    " : "\n    ", word);
    }
    kd_strbuf_puts(out, "\n};\n\n");
}

kd_str kd_write_header(kd_arena *arena, const kd_kernel_desc *desc, const char *source_path, const char *signature, kd_str code)
{
    kd_strbuf out = kd_strbuf_in(arena);
    const char *name = c_name(arena, desc->name);
    put_top(&out, desc, name, source_path, signature);
    put_args(&out, desc, name, arena);
    if (desc->format == KD_CODE_SPIRV) {
        put_gpu_launch(&out, desc, name);
        if (code.len)
            put_code(&out, name, code);
    } else {
        put_entry(&out, desc, name);
        put_launch(&out, name);
    }
    kd_strbuf_puts(&out, "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
    return (kd_str){kd_strbuf_text(&out), out.len};
}
