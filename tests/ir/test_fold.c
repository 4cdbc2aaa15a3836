/* Arithmetic on single numbers at the edges: NaN and zeros of both signs, unsigned types, conversions that would round twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "ir/fold.h"

static kd_number real(double f)
{
    return (kd_number){.is_float = true, .f = f};
}

static kd_number whole(int64_t i)
{
    return (kd_number){.i = i};
}

static double min_max(kd_opcode code, double a, double b, bool propagate_nan)
{
    kd_number out;
    assert_true(kd_fold_binary(code, KD_F32, real(a), real(b), propagate_nan, &out));
    return out.f;
}

static void min_and_max_of_nan(void **state)
{
    const kd_opcode codes[] = {KD_OP_min, KD_OP_max};
    for (unsigned i = 0; i < 2; i++) {
        assert_true(isnan(min_max(codes[i], NAN, 1, true)) && isnan(min_max(codes[i], 1, NAN, true)));
        assert_true(min_max(codes[i], NAN, 1, false) == 1 && min_max(codes[i], 1, NAN, false) == 1);
        assert_true(isnan(min_max(codes[i], NAN, NAN, false)));
    }
}

static void zeros_have_an_order(void **state)
{
    assert_true(signbit(min_max(KD_OP_min, 0.0, -0.0, false)) && signbit(min_max(KD_OP_min, -0.0, 0.0, false)));
    assert_false(signbit(min_max(KD_OP_max, 0.0, -0.0, false)) || signbit(min_max(KD_OP_max, -0.0, 0.0, false)));
}

static void abs_of_integers(void **state)
{
    kd_number out;
    assert_true(kd_fold_unary(KD_OP_abs, KD_I64, whole(-5), &out) && out.i == 5);
    assert_true(kd_fold_unary(KD_OP_abs, KD_I8, whole(-128), &out) && out.i == -128);
    assert_true(kd_fold_unary(KD_OP_abs, KD_U64, whole(-5), &out) && out.i == -5); /* 2**64 - 5 */
}

/* An integer that f64 cannot hold is not rounded to it on its way to f16; one that it can is. */
static void integers_to_floats(void **state)
{
    const int64_t limit = INT64_C(1) << 53;
    kd_number out;
    assert_true(kd_fold_cast(KD_I64, KD_BF16, KD_ROUND_NEAREST_EVEN, whole(limit), &out) && out.f == (double)limit);
    assert_true(kd_fold_cast(KD_I64, KD_BF16, KD_ROUND_NEAREST_EVEN, whole(-limit), &out) && out.f == -(double)limit);
    assert_false(kd_fold_cast(KD_I64, KD_BF16, KD_ROUND_NEAREST_EVEN, whole(limit + 1), &out));
    assert_false(kd_fold_cast(KD_I64, KD_BF16, KD_ROUND_NEAREST_EVEN, whole(-limit - 1), &out));
    assert_false(kd_fold_cast(KD_U64, KD_BF16, KD_ROUND_NEAREST_EVEN, whole(-1), &out));
    assert_true(kd_fold_cast(KD_I64, KD_F32, KD_ROUND_NEAREST_EVEN, whole((1 << 24) + 1), &out) && out.f == 1 << 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(min_and_max_of_nan),
        cmocka_unit_test(zeros_have_an_order),
        cmocka_unit_test(abs_of_integers),
        cmocka_unit_test(integers_to_floats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
