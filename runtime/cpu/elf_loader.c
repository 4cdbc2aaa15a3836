/* elf_loader.c - a small linker for one object.
 *
 * The mapping, from low to high addresses, each part beginning on a page:
 *
 *     code (r-x)        sections with instructions, then one stub for each function that is called outside:  jmp *slot(%rip)
 *     constants (r--)   other read-only sections, then the GOT: one 8-byte slot for each symbol whose address is needed there
 *     data (rw-)        writable sections, .bss and common symbols
 *
 * Everything is written while the mapping is readable and writable, then each part gets its protection. Inside the mapping 32-bit
 * distances always reach; functions outside are reached through stub and GOT. Code made without -fPIC holds 32-bit addresses: an
 * object with such relocations is put into the low 2 GiB.
 *
 * The object's bytes are not trusted: each number that is read from them is checked before it is used as an offset, a size or an
 * index. Source: System V ABI, AMD64 Architecture Processor Supplement, 4.4 Relocation; section 3.5 for the code models. */
#include "runtime/cpu/elf_loader.h"
#include "runtime/cpu/gdb_jit.h"

#include <elf.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef SHT_X86_64_UNWIND
#define SHT_X86_64_UNWIND 0x70000001
#endif

enum { STUB_BYTES = 8, SLOT_BYTES = 8, MAX_SECTIONS = 65000, MAX_SYMBOLS = 1 << 16, MAX_NAME_BYTES = 4096 };
#define MAX_IMAGE_BYTES ((uint64_t)1 << 30) /* so that 32-bit distances reach */

enum part { PART_NONE, PART_CODE, PART_CONSTANTS, PART_DATA, N_PARTS };

typedef struct section {
    Elf64_Shdr header;
    enum part part;
    uint64_t offset; /* in the mapping */
} section;

typedef struct function {
    const char *name; /* in image->names */
    void *address;
} function;

struct kd_elf_image {
    void *base;
    size_t n_bytes;
    function *functions; /* the object's global ones */
    unsigned n_functions;
    char *names;
    kd_gdb_entry *gdb;
};

/* What is known of a symbol. */
typedef struct symbol {
    Elf64_Sym raw;
    const char *name;
    uint64_t address; /* where it is; for one outside, what the resolver said */
    bool is_outside;  /* undefined in the object */
    uint32_t slot;    /* in the GOT, from 1; 0: none */
    uint32_t stub;    /* likewise */
    uint64_t common_offset;
} symbol;

typedef struct loader {
    const unsigned char *bytes;
    size_t n_bytes;
    kd_failure *why;
    kd_elf_resolver *resolve;
    void *user;

    section *sections;
    unsigned n_sections;
    symbol *symbols;
    unsigned n_symbols;
    const char *names; /* the symbols' string table, terminated */
    size_t n_names;
    uint32_t got_symbol; /* index of _GLOBAL_OFFSET_TABLE_, or 0 */

    bool needs_low_addresses;
    uint32_t n_slots, n_stubs;
    uint64_t common_bytes, common_align;
    uint64_t file_bytes;                             /* of all sections together */
    uint64_t part_begin[N_PARTS], part_end[N_PARTS]; /* offsets in the mapping; begins are on pages */
    uint64_t stubs_offset, got_offset, common_offset;
    unsigned char *base;
} loader;

#define DAMAGED(l, ...) kd_fail((l)->why, KD_ERR_DAMAGED, "the object code is damaged: " __VA_ARGS__)
#define UNSUPPORTED(l, ...) kd_fail((l)->why, KD_ERR_UNSUPPORTED, "the object code " __VA_ARGS__)

static bool in_file(const loader *l, uint64_t offset, uint64_t size)
{
    return offset <= l->n_bytes && size <= l->n_bytes - offset;
}

static bool is_power_of_2(uint64_t n)
{
    return n && (n & (n - 1)) == 0;
}

static uint64_t align_up(uint64_t n, uint64_t alignment)
{
    return (n + alignment - 1) & ~(alignment - 1);
}

static uint64_t page_bytes(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- reading the tables ---- */

static kd_status read_file_header(loader *l, Elf64_Ehdr *out)
{
    if (l->n_bytes < sizeof *out)
        return DAMAGED(l, "it has %zu bytes", l->n_bytes);
    memcpy(out, l->bytes, sizeof *out);
    if (memcmp(out->e_ident, ELFMAG, SELFMAG) != 0)
        return DAMAGED(l, "it is not an ELF file");
    if (out->e_ident[EI_CLASS] != ELFCLASS64 || out->e_ident[EI_DATA] != ELFDATA2LSB || out->e_machine != EM_X86_64 ||
        out->e_type != ET_REL)
        return DAMAGED(l, "it is not a relocatable object for x86-64");
    if (out->e_shentsize != sizeof(Elf64_Shdr) || out->e_shnum == 0 || out->e_shnum > MAX_SECTIONS ||
        !in_file(l, out->e_shoff, (uint64_t)out->e_shnum * sizeof(Elf64_Shdr)))
        return DAMAGED(l, "its section table is not inside it");
    return KD_OK;
}

static kd_status check_section(loader *l, section *s, unsigned index)
{
    const Elf64_Shdr *h = &s->header;
    if (h->sh_type != SHT_NOBITS && h->sh_type != SHT_NULL && !in_file(l, h->sh_offset, h->sh_size))
        return DAMAGED(l, "section %u is not inside it", index);
    if (h->sh_type != SHT_NOBITS && h->sh_type != SHT_NULL && (l->file_bytes += h->sh_size) > l->n_bytes)
        return DAMAGED(l, "its sections overlap"); /* and so could ask for work without end */
    if (h->sh_addralign > 1 && !is_power_of_2(h->sh_addralign))
        return DAMAGED(l, "section %u is aligned to %llu", index, (unsigned long long)h->sh_addralign);
    if (!(h->sh_flags & SHF_ALLOC) || h->sh_type == SHT_NULL || h->sh_type == SHT_GROUP)
        return KD_OK;
    if (h->sh_flags & SHF_TLS)
        return UNSUPPORTED(l, "has thread-local variables");
    if (h->sh_flags & SHF_COMPRESSED)
        return UNSUPPORTED(l, "has a compressed section that is loaded");
    if ((h->sh_type == SHT_INIT_ARRAY || h->sh_type == SHT_FINI_ARRAY || h->sh_type == SHT_PREINIT_ARRAY) && h->sh_size)
        return UNSUPPORTED(l, "has constructors or destructors");
    if (h->sh_addralign > page_bytes())
        return UNSUPPORTED(l, "has a section aligned to more than a page");
    if (h->sh_size > MAX_IMAGE_BYTES)
        return DAMAGED(l, "section %u has %llu bytes", index, (unsigned long long)h->sh_size);
    bool writable = h->sh_flags & SHF_WRITE, executable = h->sh_flags & SHF_EXECINSTR;
    if (writable && executable)
        return UNSUPPORTED(l, "has a section that is both writable and executable");
    s->part = executable ? PART_CODE : writable ? PART_DATA : PART_CONSTANTS;
    return KD_OK;
}

static kd_status read_sections(loader *l)
{
    Elf64_Ehdr file;
    kd_status status = read_file_header(l, &file);
    if (status)
        return status;
    l->n_sections = file.e_shnum;
    l->sections = calloc(l->n_sections, sizeof *l->sections);
    if (!l->sections)
        return kd_fail(l->why, KD_ERR_MEMORY, "no memory to load object code");
    for (unsigned i = 0; i < l->n_sections && !status; i++) {
        memcpy(&l->sections[i].header, l->bytes + file.e_shoff + i * sizeof(Elf64_Shdr), sizeof(Elf64_Shdr));
        status = check_section(l, &l->sections[i], i);
    }
    return status;
}

static kd_status check_symbol(loader *l, symbol *s, unsigned index)
{
    if (s->raw.st_name >= l->n_names)
        return DAMAGED(l, "symbol %u has a name outside the names", index);
    s->name = l->names + s->raw.st_name;
    if (strnlen(s->name, MAX_NAME_BYTES + 1) > MAX_NAME_BYTES)
        return DAMAGED(l, "symbol %u has a name of more than %d bytes", index, MAX_NAME_BYTES);
    unsigned type = ELF64_ST_TYPE(s->raw.st_info), where = s->raw.st_shndx;
    if (type == STT_TLS)
        return UNSUPPORTED(l, "has thread-local variables");
    if (type == STT_GNU_IFUNC)
        return UNSUPPORTED(l, "chooses functions when it is loaded (ifunc)");
    if (where == SHN_UNDEF) {
        s->is_outside = index != 0;
    } else if (where == SHN_COMMON) { /* st_value is the alignment */
        if (!is_power_of_2(s->raw.st_value) || s->raw.st_value > page_bytes() || s->raw.st_size > MAX_IMAGE_BYTES ||
            l->common_bytes > MAX_IMAGE_BYTES)
            return DAMAGED(l, "symbol %u is a variable of %llu bytes aligned to %llu", index, (unsigned long long)s->raw.st_size,
                           (unsigned long long)s->raw.st_value);
        s->common_offset = align_up(l->common_bytes, s->raw.st_value);
        l->common_bytes = s->common_offset + s->raw.st_size;
        if (s->raw.st_value > l->common_align)
            l->common_align = s->raw.st_value;
    } else if (where < SHN_LORESERVE) {
        if (where >= l->n_sections || s->raw.st_value > l->sections[where].header.sh_size)
            return DAMAGED(l, "symbol %u is not inside its section", index);
    } else if (where != SHN_ABS)
        return DAMAGED(l, "symbol %u is in section %#x", index, where);
    return KD_OK;
}

static kd_status read_symbols(loader *l)
{
    const Elf64_Shdr *table = NULL;
    for (unsigned i = 0; i < l->n_sections; i++) {
        if (l->sections[i].header.sh_type != SHT_SYMTAB)
            continue;
        if (table)
            return DAMAGED(l, "it has two symbol tables");
        table = &l->sections[i].header;
    }
    if (!table)
        return DAMAGED(l, "it has no symbol table");
    if (table->sh_entsize != sizeof(Elf64_Sym) || table->sh_size % sizeof(Elf64_Sym) || table->sh_link >= l->n_sections ||
        l->sections[table->sh_link].header.sh_type != SHT_STRTAB)
        return DAMAGED(l, "its symbol table makes no sense");
    const Elf64_Shdr *names = &l->sections[table->sh_link].header;
    if (names->sh_size == 0 || l->bytes[names->sh_offset + names->sh_size - 1] != '\0')
        return DAMAGED(l, "the names of its symbols have no end");
    l->names = (const char *)l->bytes + names->sh_offset;
    l->n_names = names->sh_size;
    uint64_t n_symbols = table->sh_size / sizeof(Elf64_Sym);
    if (n_symbols == 0 || n_symbols > MAX_SYMBOLS)
        return DAMAGED(l, "it has %llu symbols", (unsigned long long)n_symbols);
    l->n_symbols = (unsigned)n_symbols;
    l->symbols = calloc(l->n_symbols, sizeof *l->symbols);
    if (!l->symbols)
        return kd_fail(l->why, KD_ERR_MEMORY, "no memory to load object code");
    kd_status status = KD_OK;
    for (unsigned i = 0; i < l->n_symbols && !status; i++) {
        memcpy(&l->symbols[i].raw, l->bytes + table->sh_offset + i * sizeof(Elf64_Sym), sizeof(Elf64_Sym));
        status = check_symbol(l, &l->symbols[i], i);
        if (!status && l->symbols[i].is_outside && !strcmp(l->symbols[i].name, "_GLOBAL_OFFSET_TABLE_"))
            l->got_symbol = i;
    }
    return status;
}

/* ---- relocations ---- */

typedef struct relocation {
    Elf64_Rela raw;
    uint32_t type;
    symbol *symbol;
    const section *target;
} relocation;

/* The bytes that a relocation changes; 0: a kind that we do not know. */
static unsigned relocation_width(uint32_t type)
{
    switch (type) {
    case R_X86_64_8:
    case R_X86_64_PC8:
        return 1;
    case R_X86_64_16:
    case R_X86_64_PC16:
        return 2;
    case R_X86_64_32:
    case R_X86_64_32S:
    case R_X86_64_PC32:
    case R_X86_64_PLT32:
    case R_X86_64_GOT32:
    case R_X86_64_GOTPC32:
    case R_X86_64_GOTPCREL:
    case R_X86_64_GOTPCRELX:
    case R_X86_64_REX_GOTPCRELX:
    case R_X86_64_SIZE32:
        return 4;
    case R_X86_64_64:
    case R_X86_64_PC64:
    case R_X86_64_GOT64:
    case R_X86_64_GOTOFF64:
    case R_X86_64_GOTPC64:
    case R_X86_64_GOTPCREL64:
    case R_X86_64_PLTOFF64:
    case R_X86_64_SIZE64:
        return 8;
    default:
        return 0;
    }
}

static bool goes_through_slot(uint32_t type)
{
    return type == R_X86_64_GOT32 || type == R_X86_64_GOTPCREL || type == R_X86_64_GOTPCRELX || type == R_X86_64_REX_GOTPCRELX ||
           type == R_X86_64_GOT64 || type == R_X86_64_GOTPCREL64;
}

static bool goes_through_stub(uint32_t type)
{
    return type == R_X86_64_PLT32 || type == R_X86_64_PLTOFF64;
}

/* Calls visit for each relocation of a loaded section, checked. */
static kd_status each_relocation(loader *l, kd_status (*visit)(loader *, const relocation *))
{
    for (unsigned i = 0; i < l->n_sections; i++) {
        const Elf64_Shdr *h = &l->sections[i].header;
        if (h->sh_type != SHT_RELA && h->sh_type != SHT_REL)
            continue;
        if (h->sh_info >= l->n_sections)
            return DAMAGED(l, "section %u relocates a section that does not exist", i);
        const section *target = &l->sections[h->sh_info];
        if (target->part == PART_NONE) /* debug information: gdb relocates it by itself */
            continue;
        if (h->sh_type == SHT_REL || h->sh_entsize != sizeof(Elf64_Rela) || h->sh_size % sizeof(Elf64_Rela) ||
            target->header.sh_type == SHT_NOBITS)
            return DAMAGED(l, "section %u has relocations that make no sense", i);
        if (h->sh_link >= l->n_sections || l->sections[h->sh_link].header.sh_type != SHT_SYMTAB)
            return DAMAGED(l, "section %u has relocations without symbols", i);
        for (uint64_t at = 0; at < h->sh_size; at += sizeof(Elf64_Rela)) {
            relocation r = {.target = target};
            memcpy(&r.raw, l->bytes + h->sh_offset + at, sizeof r.raw);
            r.type = (uint32_t)ELF64_R_TYPE(r.raw.r_info);
            if (r.type == R_X86_64_NONE)
                continue;
            uint64_t index = ELF64_R_SYM(r.raw.r_info), width = relocation_width(r.type);
            if (!width)
                return UNSUPPORTED(l, "has a relocation of the unknown type %u", r.type);
            if (index >= l->n_symbols)
                return DAMAGED(l, "a relocation names symbol %llu of %u", (unsigned long long)index, l->n_symbols);
            if (r.raw.r_offset > target->header.sh_size || width > target->header.sh_size - r.raw.r_offset)
                return DAMAGED(l, "a relocation is not inside its section");
            r.symbol = &l->symbols[index];
            kd_status status = visit(l, &r);
            if (status)
                return status;
        }
    }
    return KD_OK;
}

/* Finds out which stubs and slots are needed, and where the mapping must be. */
static kd_status plan(loader *l, const relocation *r)
{
    bool stub = goes_through_stub(r->type) && r->symbol->is_outside;
    if (stub && !r->symbol->stub)
        r->symbol->stub = ++l->n_stubs;
    if ((stub || goes_through_slot(r->type)) && !r->symbol->slot)
        r->symbol->slot = ++l->n_slots;
    if (r->type == R_X86_64_32 || r->type == R_X86_64_32S)
        l->needs_low_addresses = true;
    return KD_OK;
}

static uint64_t got_address(const loader *l)
{
    return (uint64_t)(uintptr_t)l->base + l->got_offset;
}

static uint64_t slot_address(const loader *l, const symbol *s)
{
    return got_address(l) + (uint64_t)(s->slot - 1) * SLOT_BYTES;
}

static uint64_t call_address(const loader *l, const symbol *s)
{
    return s->stub ? (uint64_t)(uintptr_t)l->base + l->stubs_offset + (uint64_t)(s->stub - 1) * STUB_BYTES : s->address;
}

/* Source: table 4.9 of the ABI. S symbol, A addend, P place, G slot - GOT, L stub. All arithmetic is modulo 2^64. */
static uint64_t relocation_value(const loader *l, const relocation *r, uint64_t place)
{
    uint64_t s = r->symbol->address, a = (uint64_t)r->raw.r_addend, got = got_address(l);
    switch (r->type) {
    case R_X86_64_PC8:
    case R_X86_64_PC16:
    case R_X86_64_PC32:
    case R_X86_64_PC64:
        return s + a - place;
    case R_X86_64_PLT32:
        return call_address(l, r->symbol) + a - place;
    case R_X86_64_PLTOFF64:
        return call_address(l, r->symbol) + a - got;
    case R_X86_64_GOT32:
    case R_X86_64_GOT64:
        return slot_address(l, r->symbol) - got + a;
    case R_X86_64_GOTPCREL:
    case R_X86_64_GOTPCRELX:
    case R_X86_64_REX_GOTPCRELX:
    case R_X86_64_GOTPCREL64:
        return slot_address(l, r->symbol) + a - place;
    case R_X86_64_GOTPC32:
    case R_X86_64_GOTPC64:
        return got + a - place;
    case R_X86_64_GOTOFF64:
        return s + a - got;
    case R_X86_64_SIZE32:
    case R_X86_64_SIZE64:
        return r->symbol->raw.st_size + a;
    default:
        return s + a;
    }
}

static bool value_fits(uint32_t type, unsigned width, uint64_t value)
{
    if (width == 8)
        return true;
    unsigned bits = 8 * width;
    bool as_signed = (uint64_t)((int64_t)(value << (64 - bits)) >> (64 - bits)) == value, as_unsigned = value >> bits == 0;
    if (type == R_X86_64_32 || type == R_X86_64_SIZE32)
        return as_unsigned;
    return as_signed || ((type == R_X86_64_8 || type == R_X86_64_16) && as_unsigned);
}

static kd_status apply(loader *l, const relocation *r)
{
    unsigned width = relocation_width(r->type);
    unsigned char *at = l->base + r->target->offset + r->raw.r_offset;
    uint64_t value = relocation_value(l, r, (uint64_t)(uintptr_t)at);
    if (!value_fits(r->type, width, value))
        return UNSUPPORTED(l, "reaches for '%s' with %u bits, which is too near", r->symbol->name, 8 * width);
    memcpy(at, &value, width);
    return KD_OK;
}

/* ---- placing ---- */

static kd_status place_sections(loader *l)
{
    uint64_t at = 0, page = page_bytes();
    for (enum part part = PART_CODE; part < N_PARTS; part++) {
        l->part_begin[part] = at = align_up(at, page);
        for (unsigned i = 0; i < l->n_sections; i++) {
            section *s = &l->sections[i];
            if (s->part != part)
                continue;
            at = align_up(at, s->header.sh_addralign ? s->header.sh_addralign : 1);
            s->offset = at;
            at += s->header.sh_size; /* at most MAX_IMAGE_BYTES each: no overflow before the check */
            if (at > MAX_IMAGE_BYTES)
                return UNSUPPORTED(l, "needs more than a gibibyte");
        }
        if (part == PART_CODE) {
            l->stubs_offset = at = align_up(at, STUB_BYTES);
            at += (uint64_t)l->n_stubs * STUB_BYTES;
        } else if (part == PART_CONSTANTS) {
            l->got_offset = at = align_up(at, SLOT_BYTES);
            at += (uint64_t)l->n_slots * SLOT_BYTES;
        } else {
            l->common_offset = at = align_up(at, l->common_align ? l->common_align : 1);
            at += l->common_bytes;
        }
        l->part_end[part] = at;
    }
    if (at > MAX_IMAGE_BYTES)
        return UNSUPPORTED(l, "needs more than a gibibyte");
    return KD_OK;
}

static kd_status map_image(loader *l, kd_elf_image *image)
{
    size_t n = (size_t)align_up(l->part_end[N_PARTS - 1], page_bytes());
    if (n == 0)
        n = (size_t)page_bytes();
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (l->needs_low_addresses ? MAP_32BIT : 0);
    void *base = mmap(NULL, n, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (base == MAP_FAILED)
        return kd_fail(l->why, KD_ERR_MEMORY, "no memory for %zu bytes of object code", n);
    image->base = base;
    image->n_bytes = n;
    l->base = base;
    for (unsigned i = 0; i < l->n_sections; i++) {
        const section *s = &l->sections[i];
        if (s->part != PART_NONE && s->header.sh_type != SHT_NOBITS && s->header.sh_size)
            memcpy(l->base + s->offset, l->bytes + s->header.sh_offset, s->header.sh_size);
    }
    return KD_OK;
}

static kd_status resolve_symbols(loader *l)
{
    for (unsigned i = 1; i < l->n_symbols; i++) {
        symbol *s = &l->symbols[i];
        unsigned where = s->raw.st_shndx;
        if (i == l->got_symbol)
            s->address = got_address(l);
        else if (s->is_outside) {
            s->address = (uint64_t)(uintptr_t)l->resolve(l->user, s->name);
            if (!s->address && ELF64_ST_BIND(s->raw.st_info) != STB_WEAK && s->name[0])
                return UNSUPPORTED(l, "needs the function '%s', which the runtime does not have", s->name);
        } else if (where == SHN_COMMON)
            s->address = (uint64_t)(uintptr_t)l->base + l->common_offset + s->common_offset;
        else if (where == SHN_ABS)
            s->address = s->raw.st_value;
        else if (l->sections[where].part != PART_NONE) /* others are debug information: nothing loaded refers to it */
            s->address = (uint64_t)(uintptr_t)l->base + l->sections[where].offset + s->raw.st_value;
    }
    return KD_OK;
}

static void fill_stubs_and_slots(loader *l)
{
    for (unsigned i = 0; i < l->n_symbols; i++) {
        const symbol *s = &l->symbols[i];
        if (s->slot)
            memcpy(l->base + (slot_address(l, s) - (uint64_t)(uintptr_t)l->base), &s->address, SLOT_BYTES);
        if (s->stub) { /* jmp *distance(%rip); int3; int3 */
            unsigned char code[STUB_BYTES] = {0xff, 0x25, 0, 0, 0, 0, 0xcc, 0xcc};
            uint64_t at = call_address(l, s);
            int32_t distance = (int32_t)(slot_address(l, s) - (at + 6));
            memcpy(code + 2, &distance, sizeof distance);
            memcpy(l->base + (at - (uint64_t)(uintptr_t)l->base), code, sizeof code);
        }
    }
}

static kd_status protect(loader *l)
{
    static const int PROTECTION[N_PARTS] = {
        [PART_CODE] = PROT_READ | PROT_EXEC, [PART_CONSTANTS] = PROT_READ, [PART_DATA] = PROT_READ | PROT_WRITE};
    for (enum part part = PART_CODE; part < N_PARTS; part++) {
        size_t n = (size_t)(align_up(l->part_end[part], page_bytes()) - l->part_begin[part]);
        if (n && mprotect(l->base + l->part_begin[part], n, PROTECTION[part]))
            return kd_fail_errno(l->why, "the system does not let object code be executed");
    }
    return KD_OK;
}

/* ---- what stays ---- */

static bool is_function(const loader *l, const symbol *s)
{
    unsigned where = s->raw.st_shndx, type = ELF64_ST_TYPE(s->raw.st_info);
    return ELF64_ST_BIND(s->raw.st_info) != STB_LOCAL && (type == STT_FUNC || type == STT_NOTYPE) && s->name[0] &&
           where != SHN_UNDEF && where < SHN_LORESERVE && l->sections[where].part == PART_CODE;
}

static kd_status keep_functions(loader *l, kd_elf_image *image)
{
    size_t n_text = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < l->n_symbols; i++)
        if (is_function(l, &l->symbols[i])) {
            n_text += strlen(l->symbols[i].name) + 1;
            n++;
        }
    image->functions = calloc(n ? n : 1, sizeof *image->functions);
    char *text = image->names = malloc(n_text ? n_text : 1);
    if (!image->functions || !image->names)
        return kd_fail(l->why, KD_ERR_MEMORY, "no memory to load object code");
    for (unsigned i = 0; i < l->n_symbols; i++) {
        if (!is_function(l, &l->symbols[i]))
            continue;
        size_t length = strlen(l->symbols[i].name) + 1;
        memcpy(text, l->symbols[i].name, length);
        image->functions[image->n_functions++] = (function){text, (void *)(uintptr_t)l->symbols[i].address};
        text += length;
    }
    return KD_OK;
}

/* gdb reads a copy of the object whose section headers say where the sections are. */
static void tell_gdb(loader *l, kd_elf_image *image)
{
    unsigned char *copy = malloc(l->n_bytes);
    if (!copy)
        return;
    memcpy(copy, l->bytes, l->n_bytes);
    Elf64_Ehdr file;
    memcpy(&file, l->bytes, sizeof file);
    for (unsigned i = 0; i < l->n_sections; i++) {
        Elf64_Shdr header = l->sections[i].header;
        if (l->sections[i].part == PART_NONE)
            continue;
        header.sh_addr = (uint64_t)(uintptr_t)l->base + l->sections[i].offset;
        memcpy(copy + file.e_shoff + i * sizeof header, &header, sizeof header);
    }
    image->gdb = kd_gdb_register(copy, l->n_bytes);
}

static kd_status load(loader *l, kd_elf_image *image)
{
    kd_status status = read_sections(l);
    if (!status)
        status = read_symbols(l);
    if (!status)
        status = each_relocation(l, plan);
    if (!status)
        status = place_sections(l);
    if (!status)
        status = map_image(l, image);
    if (!status)
        status = resolve_symbols(l);
    if (!status)
        status = each_relocation(l, apply);
    if (!status) {
        fill_stubs_and_slots(l);
        status = protect(l);
    }
    if (!status)
        status = keep_functions(l, image);
    if (!status)
        tell_gdb(l, image);
    return status;
}

kd_status kd_elf_load(const void *bytes, size_t n_bytes, kd_elf_resolver *resolve, void *user, kd_elf_image **out_image,
                      kd_failure *out_why)
{
    kd_elf_image *image = calloc(1, sizeof *image);
    if (!image)
        return kd_fail(out_why, KD_ERR_MEMORY, "no memory to load object code");
    loader l = {.bytes = bytes, .n_bytes = n_bytes, .why = out_why, .resolve = resolve, .user = user};
    kd_status status = load(&l, image);
    free(l.sections);
    free(l.symbols);
    if (status)
        kd_elf_unload(image);
    else
        *out_image = image;
    return status;
}

void kd_elf_unload(kd_elf_image *image)
{
    if (!image)
        return;
    kd_gdb_unregister(image->gdb);
    if (image->base)
        munmap(image->base, image->n_bytes);
    free(image->functions);
    free(image->names);
    free(image);
}

void *kd_elf_function(const kd_elf_image *image, const char *name)
{
    for (unsigned i = 0; i < image->n_functions; i++)
        if (!strcmp(image->functions[i].name, name))
            return image->functions[i].address;
    return NULL;
}
