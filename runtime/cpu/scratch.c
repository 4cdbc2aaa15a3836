/* scratch.c - memory with a guard page: a kernel that runs past its scratch area stops there instead of writing elsewhere. */
#include "runtime/cpu/scratch.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALIGNMENT = 64, HUGE_FROM_BYTES = 4 << 20 };

void kd_scratch_release(kd_scratch *scratch)
{
    if (scratch->mapping)
        munmap(scratch->mapping, scratch->mapping_bytes);
    *scratch = (kd_scratch){0};
}

bool kd_scratch_reserve(kd_scratch *scratch, size_t n_bytes)
{
    if (n_bytes <= scratch->n_bytes)
        return true;
    kd_scratch_release(scratch); /* first: both at once may be too much */
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (n_bytes > SIZE_MAX / 2)
        return false;
    size_t room = (n_bytes + page - 1) / page * page;
    char *mapping = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED)
        return false;
    if (mprotect(mapping + room, page, PROT_NONE)) {
        munmap(mapping, room + page);
        return false;
    }
    if (room >= HUGE_FROM_BYTES)
        madvise(mapping, room, MADV_HUGEPAGE);                         /* only faster */
    size_t padded = (n_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; /* at most room: the page is a multiple of 64 */
    *scratch = (kd_scratch){.data = mapping + room - padded, .n_bytes = padded, .mapping = mapping, .mapping_bytes = room + page};
    return true;
}
