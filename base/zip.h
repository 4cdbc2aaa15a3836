/* zip.h - the directory of a zip archive that lies in memory: where each file's bytes are, so that they can be used in place.
 *
 * Libraries for zip hand out copies; what is needed here is the address of a stored file inside a mapping, and of files in an archive that is
 * itself a file of an archive. Files that are compressed or encrypted are listed without bytes. */
#ifndef KD_BASE_ZIP_H
#define KD_BASE_ZIP_H

#include "base/failure.h"
#include "base/map.h"

typedef struct kd_zip_file {
    kd_str name;
    const void *data; /* NULL: compressed or encrypted */
    size_t n_bytes;
} kd_zip_file;

typedef struct kd_zip {
    const kd_zip_file *files; /* in the order of the directory */
    unsigned n_files;
    kd_map by_name;
} kd_zip;

/* Whether bytes begin as a zip archive does. */
bool kd_zip_is(const void *data, size_t n_bytes);
/* data stays where it is while the result is used. name: of the archive, for failures. KD_ERR_DAMAGED: it is no archive, is cut short, or
 * a file lies outside of it. */
kd_status kd_zip_open(kd_arena *arena, const char *name, const void *data, size_t n_bytes, kd_zip *out, kd_failure *out_why);
/* NULL: there is none of this name. */
const kd_zip_file *kd_zip_find(const kd_zip *zip, kd_str name);

#endif
