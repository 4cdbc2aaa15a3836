/* compile.c - 'kdsl compile': one kernel, ahead of time. */
#include "base/file.h"
#include "cli/common.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct compile_options {
    kd_common_options common;
    const char *kernel, *signature, *target, *device, *emit, *out, *out_name, *grid;
    bool assume_disjoint;
} compile_options;

static kd_exit write_out(const char *path, const void *bytes, size_t n_bytes)
{
    if (!path) {
        fwrite(bytes, 1, n_bytes, stdout);
        return KD_EXIT_OK;
    }
    kd_str part = {bytes, n_bytes};
    kd_failure why = {0};
    kd_status status = kd_file_write(&(kd_file_write_args){.path = path, .parts = &part, .n_parts = 1}, &why);
    if (status != KD_OK)
        kd_cli_error("%s", why.text);
    return status == KD_OK ? KD_EXIT_OK : KD_EXIT_WORLD;
}

/* Where the header of an object goes: beside it, with another suffix. NULL: the object goes to a pipe or a device, and there is none. */
static const char *header_path(kd_arena *arena, const char *object)
{
    struct stat st;
    if (stat(object, &st) == 0 && !S_ISREG(st.st_mode))
        return NULL;
    const char *dot = strrchr(object, '.');
    size_t n = dot && !strchr(dot, '/') ? (size_t)(dot - object) : strlen(object);
    return kd_arena_printf(arena, "%.*s.h", (int)n, object);
}

static kd_exit write_header(const kd_compiled *compiled, const kd_compile_request *request, const char *path)
{
    char *text = kd_compiled_header(compiled, request->file, request->signature);
    if (!text) {
        kd_cli_error("out of memory");
        return KD_EXIT_WORLD;
    }
    kd_exit status = write_out(path, text, strlen(text));
    free(text);
    return status;
}

/* header: where an object's header goes, or NULL. */
static kd_exit compile_and_write(kd_compiler *compiler, const kd_compile_request *request, const char *path, const char *header)
{
    kd_compiled *compiled;
    kd_exit status = kd_cli_compile_kernel(compiler, request, &compiled);
    if (status != KD_EXIT_OK)
        return status;
    size_t n_bytes;
    const void *bytes = kd_compiled_bytes(compiled, &n_bytes);
    status = write_out(path, bytes, n_bytes);
    if (status == KD_EXIT_OK && header) {
        status = write_header(compiled, request, header);
        if (status != KD_EXIT_OK)
            unlink(path); /* not one without the other */
    }
    kd_compiled_destroy(compiled);
    return status;
}

static kd_exit compile(kd_compiler *compiler, compile_options *o, const kd_text_list *words, kd_arena *arena)
{
    if (words->n != 1) {
        if (words->n)
            kd_cli_error("'%s' is one word too many; expected FILE or FILE:KERNEL", words->data[1]);
        else
            kd_cli_error("which kernel? Expected FILE or FILE:KERNEL");
        return KD_EXIT_USAGE;
    }
    kd_exit status = kd_common_options_check(&o->common);
    if (status == KD_EXIT_OK)
        status = kd_cli_check_work_group(o->target, o->common.num_warps, o->common.sub_group_size);
    if (status == KD_EXIT_OK && o->device && strcmp(o->device, "cpu") != 0) {
        kd_cli_error("--device %s: 'compile' makes code for a --target, such as spirv:bmg; 'kdsl devices' shows each device's", o->device);
        return KD_EXIT_USAGE;
    }
    bool object = !o->emit || strcmp(o->emit, "obj") == 0 || strcmp(o->emit, "spirv") == 0, ast = o->emit && strcmp(o->emit, "ast") == 0;
    if (status != KD_EXIT_OK)
        return status;
    const char *file, *kernel;
    kd_split_file_kernel(arena, words->data[0], &file, &kernel);
    kd_compile_request request = kd_common_request(&o->common, file, o->kernel ? o->kernel : kernel);
    request.signature = o->signature;
    request.target = o->target;
    request.emit = o->emit;
    request.assume_disjoint = o->assume_disjoint;
    if (!o->signature && !ast) {
        kd_cli_error("--signature is missing: the types of the parameters, as in --signature '*fp32:16, i32, BLOCK=1024'");
        return KD_EXIT_USAGE;
    }
    if (o->out_name && strcmp(o->out_name, o->kernel ? o->kernel : kernel ? kernel : o->out_name) != 0)
        kd_cli_note("--out-name has no effect: the C function is named like the kernel");
    if (object && !o->out && isatty(STDOUT_FILENO)) {
        kd_cli_error("an object is nothing to read; -o FILE says where it goes");
        return KD_EXIT_USAGE;
    }
    return compile_and_write(compiler, &request, o->out, object && o->out ? header_path(arena, o->out) : NULL);
}

int kd_cli_compile(const kd_command *command, int argc, char **argv)
{
    compile_options o = {0};
    kd_arena *arena = kd_cli_arena_create();
    kd_option options[KD_N_COMMON_OPTIONS + 9] = {
        {"--signature -s", KD_OPTION_TEXT, &o.signature, "SIG", "a type or value for each parameter", 0, 0},
        {"--emit", KD_OPTION_TEXT, &o.emit, "WHAT", "ast kd cpu llvm asm obj header (obj); GPUs: gpu layouts layouts-svg simt spirv spirv-asm", 0, 0},
        {"--out-path -o", KD_OPTION_TEXT, &o.out, "FILE", "where it goes (standard output)", 0, 0},
        {"--target -t", KD_OPTION_TEXT, &o.target, "T", "cpu (this machine), cpu:x86-64-v3, cpu:znver4 ..., or spirv:bmg, spirv:pvc, spirv:dg2 ...", 0, 0},
        {"--kernel --kernel-name -n", KD_OPTION_TEXT, &o.kernel, "NAME", "the kernel, where it is not behind the file's name", 0, 0},
        {"--assume-disjoint", KD_OPTION_FLAG, &o.assume_disjoint, NULL, "rely on it that written arrays overlap no other: faster code", 0, 0},
        {"--device", KD_OPTION_TEXT, &o.device, "NAME", NULL, 0, 0},        /* of 'run' */
        {"--out-name -on", KD_OPTION_TEXT, &o.out_name, "NAME", NULL, 0, 0}, /* of Triton's compile.py; the symbol keeps the kernel's name */
        {"--grid", KD_OPTION_TEXT, &o.grid, "G", NULL, 0, 0},            /* likewise; the launch loop takes the grid */
    };
    kd_common_options_rows(&o.common, options + 9);
    kd_text_list words = {0};
    int status = kd_options_parse(command, options, KD_N_COMMON_OPTIONS + 9, argc, argv, arena, &words);
    if (status < 0) {
        kd_cli_compiler c;
        status = kd_cli_compiler_open(&c);
        if (status == KD_EXIT_OK)
            status = compile(c.compiler, &o, &words, arena);
        kd_cli_compiler_close(&c);
    }
    kd_arena_destroy(arena);
    return status;
}
