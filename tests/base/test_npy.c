/* .npy files: every type, order and shape, and every kind of damage. */
#include "base/npy.h"
#include "base/file.h"
#include "base/scalar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static kd_failure why;

/* An .npy file of the given version with this header text and data. */
static unsigned char *make_file(unsigned version, const char *header, const void *data, size_t n_data, size_t *out_n)
{
    size_t n_header = strlen(header), n_prefix = version == 1 ? 10 : 12;
    unsigned char *bytes = malloc(n_prefix + n_header + n_data);
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (unsigned char)version;
    bytes[7] = 0;
    for (unsigned i = 0; i < n_prefix - 8; i++)
        bytes[8 + i] = (unsigned char)(n_header >> 8 * i);
    memcpy(bytes + n_prefix, header, n_header);
    if (n_data)
        memcpy(bytes + n_prefix + n_header, data, n_data);
    *out_n = n_prefix + n_header + n_data;
    return bytes;
}

static kd_status parse(unsigned version, const char *header, const void *data, size_t n_data, kd_npy *out)
{
    size_t n;
    unsigned char *bytes = make_file(version, header, data, n_data, &n);
    kd_status status = kd_npy_parse(bytes, n, "x.npy", out, &why);
    free(bytes);
    return status;
}

static void reads_every_version(void **state)
{
    const float data[6] = {1, 2, 3, 4, 5, 6};
    for (unsigned version = 1; version <= 3; version++) {
        kd_npy npy;
        if (parse(version, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n", data, sizeof data, &npy))
            fail_msg("%s", why.text);
        assert_true(npy.has_type && npy.type == KD_F32 && npy.item_bytes == 4 && npy.n_dims == 2);
        assert_true(npy.shape[0] == 2 && npy.shape[1] == 3 && npy.n_elems == 6 && npy.n_bytes == 24);
        assert_string_equal(npy.descr, "<f4");
        assert_memory_equal(npy.data, data, sizeof data);
        assert_true((uintptr_t)npy.data % 64 == 0);
        kd_npy_release(&npy);
        assert_null(npy.data);
        kd_npy_release(&npy);
    }
    kd_npy_release(NULL);
    kd_npy npy;
    assert_int_equal(parse(4, "{}", NULL, 0, &npy), KD_ERR_UNSUPPORTED);
    assert_non_null(strstr(why.text, "format version 4.0; expected 1, 2 or 3"));
}

static void reads_every_type(void **state)
{
    static const struct {
        const char *descr;
        kd_scalar type;
    } CASES[] = {{"|b1", KD_I1},  {"|i1", KD_I8},  {"<i2", KD_I16}, {"<i4", KD_I32}, {"<i8", KD_I64},
                 {"|u1", KD_U8},  {"<u2", KD_U16}, {"<u4", KD_U32}, {"<u8", KD_U64}, {"<f2", KD_F16},
                 {"<f4", KD_F32}, {"<f8", KD_F64}, {"=f4", KD_F32}, {">u1", KD_U8}};
    char header[128], data[16] = {0};
    kd_npy npy;
    for (unsigned i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (2,)}", CASES[i].descr);
        assert_int_equal(parse(1, header, data, 2 * kd_scalar_bytes(CASES[i].type), &npy), KD_OK);
        assert_true(npy.has_type && npy.type == CASES[i].type);
        kd_npy_release(&npy);
    }
    static const char *const RAW[] = {"|V1", "<V2", "|V2", "|V4", "|V8"};
    for (unsigned i = 0; i < sizeof RAW / sizeof *RAW; i++) {
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (1,)}", RAW[i]);
        assert_int_equal(parse(1, header, data, (size_t)(RAW[i][2] - '0'), &npy), KD_OK);
        assert_false(npy.has_type);
        assert_int_equal(npy.item_bytes, RAW[i][2] - '0');
        kd_npy_release(&npy);
    }
    static const char *const OTHERS[] = {"<c8", "|O", "<U5", "<M8[ns]", "|S3", "<f16", "|V3", "",
                                         "<",   "f",  "<f",  "<i",      "|V",  "<e4",  "<f44"};
    for (unsigned i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (1,)}", OTHERS[i]);
        assert_int_equal(parse(1, header, data, 16, &npy), KD_ERR_UNSUPPORTED);
    }
    assert_int_equal(parse(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", data, 4, &npy),
                     KD_ERR_UNSUPPORTED);
    assert_string_equal(why.text, "'x.npy' cannot be used: its elements are records (a structured dtype); save one field of them");
    assert_int_equal(parse(1, "{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", data, 4, &npy), KD_ERR_UNSUPPORTED);
    assert_string_equal(why.text, "'x.npy' is big-endian ('>f4'); save it as little-endian: a.astype('<f4')");
}

static void reads_every_shape(void **state)
{
    static const struct {
        const char *shape;
        unsigned n_dims;
        uint64_t n_elems;
    } CASES[] = {{"()", 0, 1},          {"(3,)", 1, 3},   {"( 3 , )", 1, 3}, {"(3L, 2L)", 2, 6},
                 {"(0,)", 1, 0},        {"(5, 0)", 2, 0}, {"(1,1,1)", 3, 1}, {"(0, 99999999999999)", 2, 0},
                 {"(2, 3, 4,)", 3, 24}, {"(7)", 1, 7}};
    char header[128], data[64] = {0};
    for (unsigned i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        kd_npy npy;
        snprintf(header, sizeof header, "{\"shape\": %s, 'fortran_order': True, 'descr': '|u1'}", CASES[i].shape);
        if (parse(1, header, data, CASES[i].n_elems, &npy))
            fail_msg("%s", why.text);
        assert_int_equal(npy.n_dims, CASES[i].n_dims);
        assert_true(npy.n_elems == CASES[i].n_elems);
        assert_non_null(npy.data);
        kd_npy_release(&npy);
    }
}

static void turns_fortran_order(void **state)
{
    uint16_t data[24], want[24];
    for (uint16_t i = 0; i < 24; i++) /* [2, 3, 4]: the first index runs fastest in the file */
        data[i] = i;
    for (uint16_t i = 0; i < 2; i++)
        for (uint16_t j = 0; j < 3; j++)
            for (uint16_t k = 0; k < 4; k++)
                want[(i * 3 + j) * 4 + k] = (uint16_t)(i + 2 * j + 6 * k);
    kd_npy npy;
    assert_int_equal(parse(1, "{'descr': '<u2', 'fortran_order': True, 'shape': (2, 3, 4)}", data, sizeof data, &npy), KD_OK);
    assert_memory_equal(npy.data, want, sizeof want);
    kd_npy_release(&npy);
    assert_int_equal(parse(1, "{'descr': '<u2', 'fortran_order': True, 'shape': (1, 24, 1)}", data, sizeof data, &npy), KD_OK);
    assert_memory_equal(npy.data, data, sizeof data);
    kd_npy_release(&npy);
}

static void refuses_damage(void **state)
{
    static const struct {
        const char *header;
        size_t n_data;
        const char *text;
    } CASES[] = {
        {"", 4, "its header is not a dictionary"},
        {"[1]", 4, "its header is not a dictionary"},
        {"{'descr': '<f4', 'fortran_order': False}", 4, "its header lacks 'descr', 'fortran_order' or 'shape'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", 4, "a key besides"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4, "a key besides"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", 4, "is not a dictionary of"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", 4, "text behind the dictionary"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", 4, "neither True nor False"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 1}", 4, "a shape that is not a tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 4, "a shape that is not a tuple of numbers"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)}", 4, "a shape that is not a tuple of numbers"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}", 4, "a shape that is not a tuple of numbers"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (", 4, "a shape that is not a tuple of numbers"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 4, "a shape beyond all bounds"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4294967296)}", 4,
         "more elements than memory has addresses"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976,)}", 4, "more elements than memory has addresses"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}", 4,
         "has 4 bytes of data, but its shape and type ask for 4000000000000"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 4, "has 4 bytes of data, but its shape and type ask for 8"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 5, "it goes on behind the 4 bytes of data"},
        {"{'descr': '<f\n', 'fortran_order': False, 'shape': (1,)}", 4, "no readable 'descr'"},
        {"{'descr': '<f4, 'fortran_order': False, 'shape': (1,)}", 4, "dictionary"},
        {"{'descr': '<f4aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'fortran_order': False, 'shape': (1,)}", 4, "no readable 'descr'"},
    };
    char data[8] = {0};
    for (unsigned i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        kd_npy npy;
        assert_int_equal(parse(1, CASES[i].header, data, CASES[i].n_data, &npy), KD_ERR_DAMAGED);
        if (!strstr(why.text, CASES[i].text))
            fail_msg("expected '%s', found '%s'", CASES[i].text, why.text);
    }
    char header[512] = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
    for (int i = 0; i < 33; i++)
        strcat(header, "1, ");
    strcat(header, ")}");
    kd_npy npy;
    assert_int_equal(parse(1, header, data, 4, &npy), KD_ERR_UNSUPPORTED);
    assert_int_equal(kd_npy_parse("\x93NUMPY\2\0\xff\xff\xff\xff", 12, "x.npy", &npy, &why), KD_ERR_DAMAGED);
    assert_string_equal(why.text, "'x.npy' is damaged: it claims a header of 4294967295 bytes");
    assert_int_equal(kd_npy_parse("PK\3\4......", 10, "x.npz", &npy, &why), KD_ERR_DAMAGED);
    assert_string_equal(why.text, "'x.npz' is not an .npy file but a zip archive (.npz?); save one array with numpy.save");
    assert_int_equal(kd_npy_parse("", 0, "x.npy", &npy, &why), KD_ERR_DAMAGED);
    assert_string_equal(why.text, "'x.npy' is not an .npy file: it is empty");
}

static void survives_every_length(void **state)
{
    size_t n;
    unsigned char *bytes = make_file(2, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2)}", "0123456789abcdef", 16, &n);
    kd_npy npy;
    for (size_t cut = 0; cut < n; cut++) {
        unsigned char *copy = malloc(cut ? cut : 1);
        memcpy(copy, bytes, cut);
        assert_int_equal(kd_npy_parse(copy, cut, "x.npy", &npy, &why), KD_ERR_DAMAGED);
        free(copy);
    }
    assert_int_equal(kd_npy_parse(bytes, n, "x.npy", &npy, &why), KD_OK);
    kd_npy_release(&npy);
    for (size_t i = 0; i < n; i++)
        for (unsigned value = 0; value < 256; value += 5) {
            unsigned char old = bytes[i];
            bytes[i] = (unsigned char)value;
            if (kd_npy_parse(bytes, n, "x.npy", &npy, &why) == KD_OK)
                kd_npy_release(&npy);
            bytes[i] = old;
        }
    free(bytes);
}

static void takes_elements_for_another_type(void **state)
{
    kd_npy npy;
    assert_int_equal(parse(1, "{'descr': '|V2', 'fortran_order': False, 'shape': (2,)}", "abcd", 4, &npy), KD_OK);
    assert_int_equal(kd_npy_retype(&npy, KD_F32, &why), KD_ERR_ARGUMENT);
    assert_string_equal(why.text, "elements of '|V2' have 2 bytes, but f32 has 4");
    assert_false(npy.has_type);
    assert_int_equal(kd_npy_retype(&npy, KD_BF16, &why), KD_OK);
    assert_true(npy.has_type && npy.type == KD_BF16);
    kd_npy_release(&npy);
}

static void writes_what_it_reads(void **state)
{
    char path[] = "/tmp/kdsl-test-npy-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    unsigned char data[24 * 8];
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)i;
    for (int type = 0; type < KD_N_SCALARS; type++)
        for (unsigned n_dims = 0; n_dims <= 3; n_dims++) {
            const uint64_t shape[3] = {4, 3, 2};
            uint64_t n_elems = n_dims == 0 ? 1 : n_dims == 1 ? 4 : n_dims == 2 ? 12 : 24;
            kd_npy npy;
            if (kd_npy_write(path, (kd_scalar)type, n_dims, shape, data, &why) || kd_npy_read(path, &npy, &why))
                fail_msg("%s", why.text);
            assert_int_equal(npy.n_dims, n_dims);
            assert_memory_equal(npy.shape, shape, n_dims * sizeof *shape);
            assert_true(npy.n_elems == n_elems);
            assert_memory_equal(npy.data, data, n_elems * kd_scalar_bytes((kd_scalar)type));
            if (type == KD_BF16)
                assert_false(npy.has_type);
            else
                assert_int_equal(npy.type, kd_scalar_is_fp8((kd_scalar)type) ? KD_U8 : type);
            kd_npy_release(&npy);
        }
    kd_npy npy;
    const uint64_t empty[2] = {3, 0};
    assert_int_equal(kd_npy_write(path, KD_F32, 2, empty, NULL, &why), KD_OK);
    assert_int_equal(kd_npy_read(path, &npy, &why), KD_OK);
    assert_true(npy.n_elems == 0 && npy.shape[0] == 3 && npy.shape[1] == 0);
    kd_npy_release(&npy);
    uint64_t most[KD_NPY_MAX_DIMS];
    for (unsigned i = 0; i < KD_NPY_MAX_DIMS; i++)
        most[i] = i ? 99999999999999999u : 0;
    assert_int_equal(kd_npy_write(path, KD_F32, KD_NPY_MAX_DIMS, most, NULL, &why), KD_OK);
    assert_int_equal(kd_npy_read(path, &npy, &why), KD_OK);
    assert_int_equal(npy.n_dims, KD_NPY_MAX_DIMS);
    kd_npy_release(&npy);
    most[0] = 1;
    assert_int_equal(kd_npy_write(path, KD_F32, KD_NPY_MAX_DIMS, most, data, &why), KD_ERR_ARGUMENT);
    assert_int_equal(kd_npy_write("/no/such/folder/x.npy", KD_F32, 0, NULL, data, &why), KD_ERR_NOT_FOUND);
    unlink(path);
    assert_int_equal(kd_npy_read(path, &npy, &why), KD_ERR_NOT_FOUND);
    assert_int_equal(kd_npy_read("/tmp", &npy, &why), KD_ERR_IO);
}

static void pads_the_header_for_aligned_data(void **state)
{
    char path[] = "/tmp/kdsl-test-npy-XXXXXX", *bytes;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    size_t n;
    const uint64_t shape[1] = {3};
    assert_int_equal(kd_npy_write(path, KD_F32, 1, shape, (const float[]){1, 2, 3}, &why), KD_OK);
    assert_int_equal(kd_file_read(path, 4096, &bytes, &n, &why), KD_OK);
    assert_int_equal(n, 128 + 12);
    assert_memory_equal(bytes, "\x93NUMPY\1\0\x76\0{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 10 + 57);
    assert_true(bytes[127] == '\n');
    free(bytes);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_version),
        cmocka_unit_test(reads_every_type),
        cmocka_unit_test(reads_every_shape),
        cmocka_unit_test(turns_fortran_order),
        cmocka_unit_test(refuses_damage),
        cmocka_unit_test(survives_every_length),
        cmocka_unit_test(takes_elements_for_another_type),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(pads_the_header_for_aligned_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
