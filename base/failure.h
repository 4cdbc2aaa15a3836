/* failure.h - the sentence that goes with a kd_status: what failed, on what, and what was expected.
 *
 *     kd_failure why = {0};
 *     if (kd_file_read(path, limit, &text, &n, &why))
 *         ... why.text: "cannot open 'x.py': No such file or directory"
 *
 * Lower-case start, no full stop, like a diagnostic. Functions that take a kd_failure accept NULL and write it only when they fail.
 */
#ifndef KD_BASE_FAILURE_H
#define KD_BASE_FAILURE_H

#include "base/status.h"

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kd_failure {
    char text[480]; /* cut off with "..." where the sentence is longer */
} kd_failure;

/* Writes the sentence and returns status: "return kd_fail(why, KD_ERR_DAMAGED, ...)". Keeps errno. */
kd_status kd_fail(kd_failure *out_why, kd_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
kd_status kd_vfail(kd_failure *out_why, kd_status status, const char *format, va_list args);
/* The same with ": " and the text of errno behind it. ENOENT and ENOTDIR become KD_ERR_NOT_FOUND, ENOMEM KD_ERR_MEMORY, the
 * rest KD_ERR_IO. */
kd_status kd_fail_errno(kd_failure *out_why, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
