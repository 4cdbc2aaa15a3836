/* resolve.h - where the modules that a kernel file imports come from.
 *
 * One interface, so that a Python front can answer with live objects instead of files. */
#ifndef KD_PARSER_RESOLVE_H
#define KD_PARSER_RESOLVE_H

#include "base/failure.h"
#include "parser/ast.h"

typedef struct kd_resolver kd_resolver;

struct kd_resolver {
    /* The module that 'importer' means by level dots and a dotted name, parsed; NULL where there is none (nothing is reported).
     * 'from m import x' binds x of module m, or else the module m.x: two calls. Syntax errors go to the sink once. */
    kd_module_ast *(*find_module)(kd_resolver *resolver, const kd_module_ast *importer, unsigned level, kd_str name);
};

/* The modules of files. */
typedef struct kd_file_resolver kd_file_resolver;

enum { KD_MAX_SOURCE_BYTES = 16 << 20 };

/* Finds absolute names among the built-in modules ('find_builtin' gives the text of a dotted name, or an empty one), then beside the
 * importing file, then in the folders above it that are roots of its package (a folder below them has an __init__.py, or the name
 * that is looked for), then in each of include_dirs. Relative names start in the importing file's folder. A folder's module is its
 * __init__.py. Files are read once, whatever ways lead to them. A file that is there but cannot be read is an error in the sink. */
kd_file_resolver *kd_file_resolver_create(kd_arena *arena, kd_diags *diags, const char *const *include_dirs, unsigned n_include_dirs,
                                          kd_str (*find_builtin)(kd_str dotted_name));
kd_resolver *kd_file_resolver_interface(kd_file_resolver *resolver);
/* Reads one module by path, or gives it again. KD_ERR_NOT_FOUND, KD_ERR_IO, KD_ERR_MEMORY; KD_ERR_UNSUPPORTED: more than
 * KD_MAX_SOURCE_BYTES. Nothing is reported for these; syntax errors are. */
kd_status kd_file_resolver_open(kd_file_resolver *resolver, const char *path, kd_module_ast **out, kd_failure *out_why);

/* The files that were read (not the built-in ones), in order: what a cache entry depends on. */
unsigned kd_file_resolver_n_files(const kd_file_resolver *resolver);
const kd_source *kd_file_resolver_file(const kd_file_resolver *resolver, unsigned i);
/* The places that were tried without finding a file: if one appears, a cache entry is stale. */
unsigned kd_file_resolver_n_misses(const kd_file_resolver *resolver);
const char *kd_file_resolver_miss(const kd_file_resolver *resolver, unsigned i);

#endif
