/* failure.c - formats failure sentences without memory of its own. */
#include "base/failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Marks a text that did not fit, without cutting a UTF-8 character in half. */
static void mark_cut(kd_failure *why)
{
    size_t end = sizeof why->text - 4;
    while (end > 0 && (why->text[end] & 0xc0) == 0x80)
        end--;
    memcpy(why->text + end, "...", 4);
}

kd_status kd_vfail(kd_failure *out_why, kd_status status, const char *format, va_list args)
{
    int saved = errno;
    if (out_why) {
        int n = vsnprintf(out_why->text, sizeof out_why->text, format, args);
        if (n < 0)
            out_why->text[0] = '\0';
        else if ((size_t)n >= sizeof out_why->text)
            mark_cut(out_why);
    }
    errno = saved;
    return status;
}

kd_status kd_fail(kd_failure *out_why, kd_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    kd_vfail(out_why, status, format, args);
    va_end(args);
    return status;
}

kd_status kd_fail_errno(kd_failure *out_why, const char *format, ...)
{
    int code = errno;
    kd_status status = code == ENOENT || code == ENOTDIR ? KD_ERR_NOT_FOUND : code == ENOMEM ? KD_ERR_MEMORY : KD_ERR_IO;
    if (out_why) {
        va_list args;
        va_start(args, format);
        kd_vfail(out_why, status, format, args);
        va_end(args);
        size_t used = strlen(out_why->text), room = sizeof out_why->text - used;
        char buffer[128];
        const char *reason = strerror_r(code, buffer, sizeof buffer); /* the GNU one: thread-safe, returns the text */
        int n = snprintf(out_why->text + used, room, ": %s", reason);
        if (n < 0 || (size_t)n >= room)
            mark_cut(out_why);
    }
    errno = code;
    return status;
}
