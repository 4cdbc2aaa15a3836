/* bug.h - our own mistakes: what cannot happen aborts, and says where. */
#ifndef KD_BASE_BUG_H
#define KD_BASE_BUG_H

_Noreturn void kd_bug_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define KD_ASSERT(condition) ((condition) ? (void)0 : kd_bug_at(__FILE__, __LINE__, "assertion failed: %s", #condition))
#define KD_UNREACHABLE()     kd_bug_at(__FILE__, __LINE__, "unreachable")

#endif
