/* sanitizer_options.h - for unit tests that run out of memory on purpose, or fork while threads run. */
#ifndef KD_TESTS_SANITIZER_OPTIONS_H
#define KD_TESTS_SANITIZER_OPTIONS_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
#endif
#if __has_feature(thread_sanitizer)
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1:die_after_fork=0";
}
#endif
#endif

#endif
