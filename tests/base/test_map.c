/* Maps and hashes. */
#include "base/hash.h"
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void finds_what_was_put(void **state)
{
    enum { N = 5000 };
    kd_arena *arena = kd_arena_create(NULL);
    kd_map map = kd_map_in(arena);
    assert_null(kd_map_get(&map, kd_str_of("nothing")));
    for (uintptr_t i = 1; i <= N; i++) {
        void **place = kd_map_at(&map, kd_str_of(kd_arena_printf(arena, "key %d", (int)i)));
        assert_null(*place);
        *place = (void *)i;
    }
    assert_int_equal(map.n_entries, N);
    for (uintptr_t i = 1; i <= N; i++) {
        kd_str key = kd_str_of(kd_arena_printf(arena, "key %d", (int)i));
        assert_ptr_equal(kd_map_get(&map, key), (void *)i);
        assert_ptr_equal(*kd_map_at(&map, key), (void *)i);
        assert_ptr_equal(map.entries[i - 1].value, (void *)i); /* the order of insertion */
    }
    assert_int_equal(map.n_entries, N);
    assert_null(kd_map_get(&map, kd_str_of("key 5001")));
    kd_arena_destroy(arena);
}

static void keys_are_bytes(void **state)
{
    kd_arena *arena = kd_arena_create(NULL);
    kd_map map = kd_map_in(arena);
    int one, two, three;
    *kd_map_at(&map, (kd_str){"a\0b", 3}) = &one;
    *kd_map_at(&map, (kd_str){"a\0c", 3}) = &two;
    *kd_map_at(&map, (kd_str){NULL, 0}) = &three;
    assert_ptr_equal(kd_map_get(&map, (kd_str){"a\0b", 3}), &one);
    assert_ptr_equal(kd_map_get(&map, (kd_str){"a\0c", 3}), &two);
    assert_null(kd_map_get(&map, kd_str_of("a")));
    assert_ptr_equal(kd_map_get(&map, kd_str_of("")), &three);
    kd_arena_destroy(arena);
}

static void pointers_are_keys(void **state)
{
    kd_arena *arena = kd_arena_create(NULL);
    kd_map map = kd_map_in(arena);
    int keys[100];
    for (int i = 0; i < 100; i++)
        *kd_map_at_ptr(&map, &keys[i]) = &keys[99 - i];
    for (int i = 0; i < 100; i++)
        assert_ptr_equal(kd_map_get_ptr(&map, &keys[i]), &keys[99 - i]);
    assert_null(kd_map_get_ptr(&map, &map));
    kd_arena_destroy(arena);
}

static void hashes_keep_pieces_apart(void **state)
{
    kd_hash a = {0, 0}, b = {0, 0}, c = {0, 0}, d = {0, 0}, zero = {0, 0};
    kd_hash_add_text(&a, "ab");
    kd_hash_add_text(&a, "c");
    kd_hash_add_text(&b, "a");
    kd_hash_add_text(&b, "bc");
    assert_false(kd_hash_equal(a, b));
    kd_hash_add_text(&c, NULL);
    kd_hash_add_text(&d, "");
    assert_false(kd_hash_equal(c, d));
    assert_false(kd_hash_equal(d, zero));
    char text[33];
    kd_hash_print((kd_hash){.low = 0xab, .high = 1}, text);
    assert_string_equal(text, "000000000000000100000000000000ab");
}

static void hashes_stay_the_same(void **state)
{
    kd_hash hash = {0, 0};
    char text[33];
    kd_hash_add_text(&hash, "kernel");
    kd_hash_add_u64(&hash, 42);
    kd_hash_print(hash, text);
    assert_string_equal(text, "6babac3a06b4f515a5fa46104d5a6fe2"); /* on disk: another one makes all caches stale, which is harmless but not for nothing */
}

static void hashes_files(void **state)
{
    kd_hash file, memory = {0, 0};
    char path[] = "/tmp/kdsl-test-map-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "abc", 3), 3);
    close(fd);
    kd_hash_add(&memory, "abc", 3);
    assert_int_equal(kd_hash_file(path, 100, &file, NULL), KD_OK);
    assert_true(kd_hash_equal(file, memory));
    unlink(path);
    assert_int_equal(kd_hash_file(path, 100, &file, NULL), KD_ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_put),       cmocka_unit_test(keys_are_bytes),       cmocka_unit_test(pointers_are_keys),
        cmocka_unit_test(hashes_keep_pieces_apart), cmocka_unit_test(hashes_stay_the_same), cmocka_unit_test(hashes_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
