/* file.h - whole files in, whole files out. */
#ifndef KD_BASE_FILE_H
#define KD_BASE_FILE_H

#include "base/failure.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole file in memory for free(), with a NUL behind its last byte. Reads what can be read: pipes and /dev/stdin too.
 * KD_ERR_NOT_FOUND, KD_ERR_IO (errno says why), KD_ERR_MEMORY; KD_ERR_UNSUPPORTED: more than limit_bytes. */
kd_status kd_file_read(const char *path, size_t limit_bytes, char **out_data, size_t *out_n_bytes, kd_failure *out_why);

/* A file's bytes, read-only, shared with the page cache. Reading them faults (SIGBUS) where somebody cuts the file short
 * meanwhile, so this is for files that are ours or replaced by renaming. */
typedef struct kd_mapping {
    const void *data; /* never NULL */
    size_t n_bytes;
} kd_mapping;

kd_status kd_file_map(const char *path, kd_mapping *out, kd_failure *out_why);
void kd_file_unmap(kd_mapping *mapping);
/* Lets go of the memory that holds a part of it; the next who reads there gets it from the file again. Nothing where the part is outside. */
void kd_mapping_release(const kd_mapping *mapping, const void *data, size_t n_bytes);

typedef struct kd_file_write_args {
    const char *path;
    const kd_str *parts; /* written one behind the other */
    unsigned n_parts;
    unsigned mode;        /* 0: 0666; the umask applies. A file that exists keeps its own */
    bool replace;         /* whatever has the name goes, its mode too, and a symbolic link is not followed */
    bool sync;            /* on the disk before the name points to it: the file survives a power cut whole */
    const char *temp_dir; /* where the bytes gather: on the file's file system; NULL: the file's own folder */
} kd_file_write_args;

/* Writes a file at once: others see its old content or its new content, whatever happens. A failure or a kill leaves the old
 * file; a kill may leave a temporary file (kd_file_is_temp) where the file system has no unnamed files. A path that is no
 * regular file (/dev/stdout, a pipe) is written straight to; a symbolic link is followed. */
kd_status kd_file_write(const kd_file_write_args *args, kd_failure *out_why);

/* True of the names that kd_file_write gives to its temporary files. */
bool kd_file_is_temp(const char *name);

/* Makes a folder and those above it. Good where it exists; mode (less the umask) is for the folders it makes. */
kd_status kd_dir_make(const char *path, unsigned mode, kd_failure *out_why);

/* The folder for kdsl's caches: $KDSL_CACHE_DIR, else $XDG_CACHE_HOME/kdsl, else $HOME/.cache/kdsl; NULL where none of them is
 * set (the latter two to an absolute path), or memory ran out. For free(). The folder may not exist yet. */
char *kd_cache_dir(void);

#endif
