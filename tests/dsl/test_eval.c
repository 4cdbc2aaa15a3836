/* Expressions of a command line whose names need other expressions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dsl/inspect.h"

typedef struct names {
    kd_compiler *compiler;
    kd_eval_scope scope;
} names;

/* m is what an evaluation of its own says. */
static bool resolve(void *user, const char *name, kd_eval_value *out)
{
    names *n = user;
    return strcmp(name, "m") == 0 && kd_compiler_eval(n->compiler, "m", "1 + 2", &n->scope, out) == KD_OK;
}

static void eval(size_t limit_bytes, const char *text, kd_status expected, const char *message)
{
    names n = {0};
    kd_eval_value value;
    assert_int_equal(kd_compiler_create(&(kd_compiler_options){.memory_limit_bytes = limit_bytes}, &n.compiler), KD_OK);
    n.scope = (kd_eval_scope){.user = &n, .name = resolve};
    assert_int_equal(kd_compiler_eval(n.compiler, "text", text, &n.scope, &value), expected);
    assert_non_null(strstr(kd_compiler_messages(n.compiler), message));
    kd_compiler_destroy(n.compiler);
}

static void messages_are_of_the_outer_expression(void **state)
{
    eval(0, "m + 1", KD_OK, "");
    eval(0, "m + nothing", KD_ERR_REPORTED, "'nothing' has no value here");
}

static void memory_runs_out_behind_an_inner_expression(void **state)
{
    eval(16 << 20, "(m, (1,) * 65000)", KD_OK, "");
    eval(16 << 20, "(m, (1,) * 65000, (2,) * 65000, (3,) * 65000, (4,) * 65000)", KD_ERR_MEMORY, "memory ran out");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_of_the_outer_expression),
        cmocka_unit_test(memory_runs_out_behind_an_inner_expression),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
