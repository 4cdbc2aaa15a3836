/* link.c - gives a module what it imports and PoCL lacks: modules of emulation/, which lie beside this library, are linked to it. */
#include "ze_pocl.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OP_NAME = 5, OP_ENTRY_POINT = 15, OP_VARIABLE = 59, OP_LOAD = 61, OP_ACCESS_CHAIN = 65, DECORATION_BUILTIN = 11 };
enum { OP_DECORATE = 71, DECORATION_LINKAGE = 41, IMPORT = 1, EXPORT = 0, VERSION_1_4 = 0x00010400, MAX_MODULES = 32 };

typedef struct module {
    uint32_t *words;
    size_t n_words;
} module;

/* Calls visit with each name that the module imports or exports, until it returns true. */
static bool each_linkage(const module *m, uint32_t linkage, bool (*visit)(const char *name, void *user), void *user)
{
    for (size_t at = 5; at < m->n_words && m->words[at] >> 16; at += m->words[at] >> 16) {
        const uint32_t *op = m->words + at;
        uint32_t n = op[0] >> 16;
        if ((op[0] & 0xffff) == OP_DECORATE && n > 4 && op[2] == DECORATION_LINKAGE && op[n - 1] == linkage &&
            visit((const char *)(op + 3), user))
            return true;
    }
    return false;
}

static bool is_name(const char *name, void *user)
{
    return strcmp(name, user) == 0;
}

static bool is_exported(const char *name, void *user)
{
    return each_linkage(user, EXPORT, is_name, (void *)name);
}

/* Instructions that PoCL's translator makes calls of: of functions that PoCL lacks. Here they become calls of the emulation's. */
static const struct {
    uint32_t code, extended; /* extended: of OpExtInst, where the result is f16 */
    const char *function;
} CALLS[] = {{6116, 0, "_Z32intel_convert_bfloat16_as_ushortf"}, {6117, 0, "_Z31intel_convert_as_bfloat16_floatt"}, {12, 23, "_Z4fabsDh"}};
enum { N_CALLS = sizeof CALLS / sizeof *CALLS, OP_FUNCTION_CALL = 57, OP_TYPE_FLOAT = 22, OP_EXT_INST = 12 };

/* The id of the type; 0: the module has none. */
static uint32_t type_f16(const module *m)
{
    for (size_t at = 5; at < m->n_words && m->words[at] >> 16; at += m->words[at] >> 16)
        if ((m->words[at] & 0xffff) == OP_TYPE_FLOAT && m->words[at + 2] == 16)
            return m->words[at + 1];
    return 0;
}

static bool is_call(const uint32_t *op, size_t i, uint32_t f16)
{
    return (op[0] & 0xffff) == CALLS[i].code && (CALLS[i].code != OP_EXT_INST || (op[4] == CALLS[i].extended && op[1] == f16));
}

static bool has_call_in_disguise(const module *m, module *has)
{
    uint32_t f16 = type_f16(m);
    for (size_t at = 5; at < m->n_words && m->words[at] >> 16; at += m->words[at] >> 16)
        for (size_t i = 0; i < N_CALLS; i++)
            if (is_call(m->words + at, i, f16) && is_exported(CALLS[i].function, has))
                return true;
    return false;
}

/* By its OpName: the linker takes exports away. */
static uint32_t function_named(const module *m, const char *name)
{
    for (size_t at = 5; at < m->n_words && m->words[at] >> 16; at += m->words[at] >> 16) {
        const uint32_t *op = m->words + at;
        if ((op[0] & 0xffff) == OP_NAME && op[0] >> 16 > 2 && strcmp((const char *)(op + 2), name) == 0)
            return op[1];
    }
    return 0;
}

/* OpConvert TYPE RESULT VALUE, OpExtInst TYPE RESULT SET INSTRUCTION VALUE -> OpFunctionCall TYPE RESULT FUNCTION VALUE. */
static void show_calls(module *m)
{
    uint32_t functions[N_CALLS], f16 = type_f16(m);
    for (size_t i = 0; i < N_CALLS; i++)
        functions[i] = function_named(m, CALLS[i].function);
    uint32_t *words = malloc((m->n_words + m->n_words / 4 + 1) * sizeof *words);
    size_t n = 5;
    memcpy(words, m->words, 5 * sizeof *words);
    for (size_t at = 5, size; at < m->n_words && (size = m->words[at] >> 16); at += size) {
        const uint32_t *op = m->words + at;
        uint32_t function = 0;
        for (size_t i = 0; i < N_CALLS; i++)
            function = is_call(op, i, f16) ? functions[i] : function;
        memcpy(words + n, op, size * sizeof *words);
        if (function) {
            words[n] = 5u << 16 | OP_FUNCTION_CALL;
            words[n + 3] = function;
            words[n + 4] = op[size - 1];
        }
        n += function ? 5 : size;
    }
    free(m->words);
    *m = (module){words, n};
}

static bool read_module(const char *path, module *out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *out = (module){0};
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size % 4 == 0 && (out->words = malloc((size_t)st.st_size + 4)) &&
        read(fd, out->words, (size_t)st.st_size) == st.st_size)
        out->n_words = (size_t)st.st_size / 4;
    if (fd >= 0)
        close(fd);
    return zp_spirv_is_whole(out->words, out->n_words);
}

static bool write_module(const char *path, const module *m)
{
    FILE *file = fopen(path, "wb");
    bool good = file && fwrite(m->words, 4, m->n_words, file) == m->n_words;
    return (!file || fclose(file) == 0) && good;
}

static bool run(char **argv)
{
    int status = -1;
    pid_t child = vfork();
    if (child == 0) {
        execvp(argv[0], argv);
        _exit(127);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* The emulation's modules that have something which m imports: their paths, for free(). */
static unsigned find_needed(const module *m, char *paths[MAX_MODULES])
{
    Dl_info info;
    char folder[PATH_MAX];
    unsigned n = 0;
    if (!dladdr((void *)zp_link, &info))
        return 0;
    snprintf(folder, sizeof folder, "%s", info.dli_fname);
    char *slash = strrchr(folder, '/');
    strcpy(slash ? slash : folder, slash ? "" : ".");
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && n < MAX_MODULES && (entry = readdir(dir));) {
        if (strncmp(entry->d_name, "emulation_", 10) != 0 || !strstr(entry->d_name, ".spv"))
            continue;
        char path[PATH_MAX + 300];
        module has;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (read_module(path, &has) && (each_linkage(m, IMPORT, is_exported, &has) || has_call_in_disguise(m, &has)))
            paths[n++] = strdup(path);
        free(has.words);
    }
    if (dir)
        closedir(dir);
    return n;
}

/* ---- builtin variables: each module has its own, but LLVM's translator wants one of a kind ---- */

enum { MAX_BUILTINS = 64 };

typedef struct builtins {
    uint32_t first[MAX_BUILTINS]; /* the variable of each BuiltIn */
    uint32_t *instead; /* by id: the variable to use; 0: it stays */
} builtins;

static uint32_t replaced(const builtins *b, uint32_t bound, uint32_t id)
{
    return id < bound && b->instead[id] ? b->instead[id] : id;
}

static void find_builtins(const module *m, builtins *b, uint32_t bound)
{
    for (size_t at = 5; at < m->n_words; at += m->words[at] >> 16) {
        const uint32_t *op = m->words + at;
        if ((op[0] & 0xffff) != OP_DECORATE || op[0] >> 16 != 4 || op[2] != DECORATION_BUILTIN || op[3] >= MAX_BUILTINS ||
            op[1] >= bound)
            continue;
        if (b->first[op[3]])
            b->instead[op[1]] = b->first[op[3]];
        else
            b->first[op[3]] = op[1];
    }
}

/* Whether the instruction is only about a variable that goes. */
static bool goes(const builtins *b, uint32_t bound, const uint32_t *op)
{
    uint32_t code = op[0] & 0xffff, id = code == OP_VARIABLE ? op[2] : code == OP_NAME || code == OP_DECORATE ? op[1] : 0;
    return id && id < bound && b->instead[id];
}

static size_t end_of_name(const uint32_t *op)
{
    return 3 + strlen((const char *)(op + 3)) / 4 + 1;
}

static void merge_builtins(module *m)
{
    uint32_t bound = m->words[3];
    builtins b = {.instead = calloc(bound, sizeof(uint32_t))};
    find_builtins(m, &b, bound);
    size_t to = 5;
    for (size_t at = 5, n; at < m->n_words; at += n) {
        uint32_t *op = m->words + at, code = op[0] & 0xffff;
        n = op[0] >> 16;
        if (goes(&b, bound, op))
            continue;
        if (code == OP_LOAD || (code >= OP_ACCESS_CHAIN && code <= OP_ACCESS_CHAIN + 5))
            op[3] = replaced(&b, bound, op[3]);
        for (size_t i = code == OP_ENTRY_POINT ? end_of_name(op) : n; i < n; i++)
            op[i] = replaced(&b, bound, op[i]);
        memmove(m->words + to, op, n * 4);
        to += n;
    }
    m->n_words = to;
    free(b.instead);
}

/* ---- a barrier in front of the first shuffle of each block ---- */

enum { OP_CONSTANT = 43, OP_CONTROL_BARRIER = 224, OP_LABEL = 248, OP_SHUFFLE = 345, OP_SHUFFLE_XOR = 346, ACQUIRE_RELEASE_LOCAL = 0x108 };

static bool is_shuffle(const uint32_t *op)
{
    return (op[0] & 0xffff) == OP_SHUFFLE || (op[0] & 0xffff) == OP_SHUFFLE_XOR;
}

/* The constant that says whom shuffles are among; 0: there are none. */
static uint32_t scope_of_shuffles(const module *m, size_t *out_n_labels)
{
    uint32_t scope = 0;
    for (size_t at = 5; at < m->n_words; at += m->words[at] >> 16) {
        const uint32_t *op = m->words + at;
        *out_n_labels += (op[0] & 0xffff) == OP_LABEL;
        scope = !scope && is_shuffle(op) ? op[3] : scope;
    }
    return scope;
}

/* PoCL 6 gives a shuffle old values where nothing else has a barrier between it and a branch with barriers that was not taken. */
static void part_shuffles(module *m)
{
    size_t n_labels = 0, n = 5;
    uint32_t scope = scope_of_shuffles(m, &n_labels), semantics = m->words[3]; /* a new id */
    if (!scope)
        return;
    uint32_t *words = malloc((m->n_words + 4 * n_labels + 4) * sizeof *words);
    bool first = true;
    memcpy(words, m->words, 5 * sizeof *words);
    words[3]++;
    for (size_t at = 5, size; at < m->n_words; at += size, n += size) {
        const uint32_t *op = m->words + at, barrier[] = {4u << 16 | OP_CONTROL_BARRIER, scope, scope, semantics};
        size = op[0] >> 16;
        if (first && is_shuffle(op)) {
            memcpy(words + n, barrier, sizeof barrier);
            n += 4;
        }
        first = (op[0] & 0xffff) == OP_LABEL || (first && !is_shuffle(op));
        memcpy(words + n, op, size * sizeof *words);
        if ((op[0] & 0xffff) == OP_CONSTANT && op[2] == scope) {
            memcpy(words + n + size, (uint32_t[]){4u << 16 | OP_CONSTANT, op[1], semantics, ACQUIRE_RELEASE_LOCAL}, 16);
            n += 4;
        }
    }
    free(m->words);
    *m = (module){words, n};
}

static bool link_emulation(uint32_t **words, size_t *n_words)
{
    module m = {*words, *n_words};
    char program[] = "spirv-link", pointers[] = "--allow-pointer-mismatch", partial[] = "--allow-partial-linkage", output[] = "-o";
    char *argv[MAX_MODULES + 8] = {program, partial, pointers};
    unsigned n = find_needed(&m, argv + 6);
    if (n == 0)
        return true;
    char in[] = "/tmp/ze_pocl-XXXXXX", out[] = "/tmp/ze_pocl-XXXXXX";
    int in_fd = mkstemp(in), out_fd = mkstemp(out);
    argv[3] = output;
    argv[4] = out;
    argv[5] = in;
    uint32_t version = m.words[1];
    m.words[1] = VERSION_1_4; /* the linker wants one version */
    module linked = {0};
    bool good = in_fd >= 0 && out_fd >= 0 && write_module(in, &m) && run(argv) && read_module(out, &linked);
    m.words[1] = version;
    if (in_fd >= 0)
        close(in_fd);
    if (out_fd >= 0)
        close(out_fd);
    unlink(in);
    unlink(out);
    for (unsigned i = 0; i < n; i++)
        free(argv[6 + i]);
    if (good) {
        merge_builtins(&linked);
        show_calls(&linked);
        free(*words);
        *words = linked.words;
        *n_words = linked.n_words;
    } else {
        free(linked.words);
    }
    return good;
}

bool zp_link(uint32_t **words, size_t *n_words)
{
    if (!link_emulation(words, n_words))
        return false;
    module m = {*words, *n_words};
    part_shuffles(&m);
    *words = m.words;
    *n_words = m.n_words;
    return true;
}
