/* Element types: names, sizes, and every float format in both directions. */
#include "base/float.h"
#include "base/scalar.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void names_parse(void **state)
{
    kd_scalar type;
    for (int s = 0; s < KD_N_SCALARS; s++) {
        const char *names[] = {kd_scalar_name((kd_scalar)s), kd_scalar_triton_name((kd_scalar)s), kd_scalar_tl_name((kd_scalar)s)};
        for (unsigned i = 0; i < 3; i++) {
            assert_true(kd_scalar_parse(kd_str_of(names[i]), &type));
            assert_int_equal(type, s);
        }
    }
    assert_true(kd_scalar_parse(kd_str_of("u1"), &type) && type == KD_I1);
    assert_false(kd_scalar_parse(kd_str_of("f33"), &type));
    assert_false(kd_scalar_parse(kd_str_of(""), &type));
    assert_false(kd_scalar_parse(kd_str_of("f3"), &type));
}

static void facts_agree(void **state)
{
    for (int s = 0; s < KD_N_SCALARS; s++) {
        kd_scalar type = (kd_scalar)s;
        assert_true(kd_scalar_bytes(type) == (kd_scalar_bits(type) + 7) / 8);
        assert_true(kd_scalar_is_int(type) != kd_scalar_is_float(type));
        assert_true(!kd_scalar_is_fp8(type) || (kd_scalar_is_float(type) && kd_scalar_bytes(type) == 1));
        assert_true(!kd_scalar_is_unsigned(type) || kd_scalar_is_int(type));
    }
    assert_int_equal(kd_scalar_bits(KD_I1), 1);
}

/* Every encoding of the small formats is a number that encodes to itself, and the numbers between two round to the nearer one. */
static void floats_round_to_nearest_even(void **state)
{
    static const kd_scalar TYPES[] = {KD_F8E4NV, KD_F8E5, KD_F8E4B8, KD_F8E5B16, KD_F8E4B15, KD_F16, KD_BF16};
    for (unsigned t = 0; t < sizeof TYPES / sizeof *TYPES; t++) {
        kd_scalar type = TYPES[t];
        uint64_t n = 1ull << (kd_scalar_bits(type) - 1);
        for (uint64_t bits = 0; bits < n; bits++) {
            double value = kd_float_decode(bits, type);
            if (isnan(value) || isinf(value))
                continue;
            assert_true(kd_float_encode(value, type, KD_FLOAT_NEAREST_EVEN) == bits);
            assert_true(kd_float_encode(value, type, KD_FLOAT_TOWARD_ZERO) == bits);
            double next = kd_float_decode(bits + 1, type);
            if (bits + 1 == n || isnan(next) || isinf(next))
                continue;
            assert_true(next > value);
            double middle = value + (next - value) / 2;
            assert_true(kd_float_encode(middle, type, KD_FLOAT_NEAREST_EVEN) == (bits & 1 ? bits + 1 : bits));
            assert_true(kd_float_encode(nextafter(middle, 0), type, KD_FLOAT_NEAREST_EVEN) == bits);
            assert_true(kd_float_encode(nextafter(middle, INFINITY), type, KD_FLOAT_NEAREST_EVEN) == bits + 1);
            assert_true(kd_float_encode(nextafter(next, 0), type, KD_FLOAT_TOWARD_ZERO) == bits);
            if (bits)
                assert_true(kd_float_decode(kd_float_encode(-value, type, KD_FLOAT_NEAREST_EVEN), type) == -value);
        }
    }
}

static void known_encodings(void **state)
{
    static const struct {
        kd_scalar type;
        double value;
        uint64_t bits;
    } CASES[] = {
        {KD_F16, 1, 0x3c00},       {KD_F16, 65504, 0x7bff},
        {KD_F16, 65520, 0x7c00},   {KD_F16, -INFINITY, 0xfc00},
        {KD_F16, 0x1p-24, 1},      {KD_F16, 0x1p-25, 0},
        {KD_BF16, 1, 0x3f80},      {KD_BF16, 1e39, 0x7f80},
        {KD_F32, 0.1, 0x3dcccccd}, {KD_F64, 0.1, 0x3fb999999999999a},
        {KD_F8E4NV, 448, 0x7e},    {KD_F8E4NV, 1000, 0x7e},
        {KD_F8E4NV, 1, 0x38},      {KD_F8E5, 57344, 0x7b},
        {KD_F8E5, 1e9, 0x7b},      {KD_F8E5, 1, 0x3c},
        {KD_F8E4B8, 240, 0x7f},    {KD_F8E4B8, -0.0, 0},
        {KD_F8E5B16, 1, 0x40},     {KD_F8E4B15, 1, 0x78},
    };
    for (unsigned i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_true(kd_float_encode(CASES[i].value, CASES[i].type, KD_FLOAT_NEAREST_EVEN) == CASES[i].bits);
    assert_true(isnan(kd_float_decode(kd_float_encode(NAN, KD_F16, KD_FLOAT_NEAREST_EVEN), KD_F16)));
    assert_true(isnan(kd_float_decode(0x7f, KD_F8E4NV)));
    assert_true(isnan(kd_float_decode(0x80, KD_F8E4B8)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_parse),
        cmocka_unit_test(facts_agree),
        cmocka_unit_test(floats_round_to_nearest_even),
        cmocka_unit_test(known_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
