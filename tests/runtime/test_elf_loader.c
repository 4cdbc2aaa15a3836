/* The object loader: every code model, what it refuses, and damage anywhere. */
#include "runtime/cpu/elf_loader.h"
#include "runtime/cpu/symbols.h"

#include <elf.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/kernel_desc.h"
#include "test_objects.h"

enum { N_OBJECTS = sizeof OBJECTS / sizeof *OBJECTS };

static void *resolve(void *user, const char *name)
{
    return kd_cpu_symbol(name);
}

static kd_cpu_entry *entry_of(const kd_elf_image *image, const char *name)
{
    return (kd_cpu_entry *)kd_elf_function(image, name);
}

static void loads_every_code_model(void **state)
{
    assert_true(N_OBJECTS >= 5);
    for (unsigned i = 0; i < N_OBJECTS; i++) {
        kd_elf_image *image = NULL;
        kd_failure why = {""};
        if (kd_elf_load(OBJECTS[i].bytes, OBJECTS[i].n_bytes, resolve, NULL, &image, &why))
            fail_msg("%s: %s", OBJECTS[i].name, why.text);
        assert_non_null(entry_of(image, "relocations"));
        double out[8] = {0}, *args = out;
        assert_int_equal(entry_of(image, "relocations")(&args, (uint32_t[3]){1, 1, 1}, 0, 1, NULL), 0);
        assert_true(out[0] == 1.5);
        assert_true(out[1] == sin(1.5) + exp2(1.5));
        assert_true(out[2] == 4 * 3 + 7 + 8);
        assert_true(out[3] == 49);
        assert_true(out[4] == 10 + (3 + 7) + 33 + 42 + 3 + 77 + 12 + (9 + 7) - 1);
        assert_true(fabs(out[5] - 2 * exp(1)) < 1e-5);
        assert_true(out[6] == 46);
        assert_true(out[7] == 2);
        kd_elf_unload(image);
    }
}

static void keeps_images_apart(void **state)
{
    kd_elf_image *a = NULL, *b = NULL;
    assert_int_equal(kd_elf_load(OBJECTS[0].bytes, OBJECTS[0].n_bytes, resolve, NULL, &a, NULL), KD_OK);
    assert_int_equal(kd_elf_load(OBJECTS[0].bytes, OBJECTS[0].n_bytes, resolve, NULL, &b, NULL), KD_OK);
    assert_ptr_not_equal(kd_elf_function(a, "add"), kd_elf_function(b, "add"));
    kd_elf_unload(a);
    double out[8], *args = out;
    assert_int_equal(entry_of(b, "relocations")(&args, (uint32_t[3]){1, 1, 1}, 0, 1, NULL), 0);
    assert_null(kd_elf_function(b, "no_such_function"));
    assert_null(kd_elf_function(b, "common_variable")); /* not a function */
    kd_elf_unload(b);
    kd_elf_unload(NULL);
}

/* The protections of a mapping from /proc: "r-xp". */
static void protection_at(const void *address, char out[5])
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    assert_non_null(maps);
    strcpy(out, "none");
    while (fgets(line, sizeof line, maps)) {
        unsigned long begin, end;
        char protection[5];
        if (sscanf(line, "%lx-%lx %4s", &begin, &end, protection) == 3 && (uintptr_t)address >= begin && (uintptr_t)address < end)
            strcpy(out, protection);
    }
    fclose(maps);
}

static void code_is_not_writable(void **state)
{
    kd_elf_image *image = NULL;
    char protection[5];
    assert_int_equal(kd_elf_load(OBJECTS[0].bytes, OBJECTS[0].n_bytes, resolve, NULL, &image, NULL), KD_OK);
    protection_at(kd_elf_function(image, "add"), protection);
    assert_string_equal(protection, "r-xp");
    kd_elf_unload(image);
}

static void *resolve_nothing(void *user, const char *name)
{
    return NULL;
}

static void names_the_missing_function(void **state)
{
    kd_elf_image *image = NULL;
    kd_failure why = {""};
    assert_int_equal(kd_elf_load(OBJECTS[0].bytes, OBJECTS[0].n_bytes, resolve_nothing, NULL, &image, &why), KD_ERR_UNSUPPORTED);
    assert_null(image);
    assert_non_null(strstr(why.text, "needs the function '"));
    assert_null(kd_cpu_symbol("system"));
    assert_null(kd_cpu_symbol("dlopen"));
    assert_null(kd_cpu_symbol("no_such_function"));
    assert_non_null(kd_cpu_symbol("tgamma"));
    assert_non_null(kd_cpu_symbol("__udivti3"));
}

static void refuses_other_files(void **state)
{
    kd_elf_image *image = NULL;
    kd_failure why = {""};
    assert_int_equal(kd_elf_load("", 0, resolve, NULL, &image, &why), KD_ERR_DAMAGED);
    assert_int_equal(
        kd_elf_load("#!/bin/sh\n#####################################################", 64, resolve, NULL, &image, &why),
        KD_ERR_DAMAGED);
    assert_string_equal(why.text, "the object code is damaged: it is not an ELF file");
    unsigned char *copy = malloc(OBJECTS[0].n_bytes);
    memcpy(copy, OBJECTS[0].bytes, OBJECTS[0].n_bytes);
    ((Elf64_Ehdr *)copy)->e_machine = EM_AARCH64;
    assert_int_equal(kd_elf_load(copy, OBJECTS[0].n_bytes, resolve, NULL, &image, &why), KD_ERR_DAMAGED);
    assert_string_equal(why.text, "the object code is damaged: it is not a relocatable object for x86-64");
    free(copy);
}

static void survives_every_length(void **state)
{
    for (size_t n = 0; n < OBJECTS[0].n_bytes; n += n < 4096 ? 1 : 37) {
        unsigned char *copy = malloc(n ? n : 1); /* so that ASan sees reads past the end */
        memcpy(copy, OBJECTS[0].bytes, n);
        kd_elf_image *image = NULL;
        assert_int_not_equal(kd_elf_load(copy, n, resolve, NULL, &image, NULL), KD_OK);
        free(copy);
    }
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

/* Damage in headers, symbols and relocations: refused, or loaded and never run. */
static void survives_damage(void **state)
{
    static const uint64_t NASTY[] = {
        0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0xffffffff, 0x7fffffffffffffff, 0xffffffffffffffff, 1ull << 62};
    uint32_t seed = 12345;
    for (unsigned round = 0; round < 30000; round++) {
        const struct test_object *object = &OBJECTS[round % N_OBJECTS];
        unsigned char *copy = malloc(object->n_bytes);
        memcpy(copy, object->bytes, object->n_bytes);
        const Elf64_Ehdr *file = (const Elf64_Ehdr *)object->bytes;
        for (unsigned hits = 1 + next_random(&seed) % 3; hits; hits--) {
            size_t at = next_random(&seed) % (object->n_bytes - 8), width = 1u << next_random(&seed) % 4;
            if (next_random(&seed) % 2) /* most of what matters is in the section table */
                at = file->e_shoff + next_random(&seed) % (file->e_shnum * sizeof(Elf64_Shdr) - 8);
            uint64_t value = next_random(&seed) % 2 ? NASTY[next_random(&seed) % 10] : next_random(&seed);
            memcpy(copy + at, &value, width);
        }
        kd_elf_image *image = NULL;
        kd_failure why = {""};
        kd_status status = kd_elf_load(copy, object->n_bytes, resolve, NULL, &image, &why);
        assert_true(status == KD_OK || status == KD_ERR_DAMAGED || status == KD_ERR_UNSUPPORTED || status == KD_ERR_MEMORY);
        assert_true(status == KD_OK || why.text[0]);
        free(copy);
        kd_elf_unload(image);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_every_code_model), cmocka_unit_test(keeps_images_apart),
        cmocka_unit_test(code_is_not_writable),   cmocka_unit_test(names_the_missing_function),
        cmocka_unit_test(refuses_other_files),    cmocka_unit_test(survives_every_length),
        cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
