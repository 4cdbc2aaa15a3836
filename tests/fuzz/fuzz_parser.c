/* Any bytes as a kernel file: the top level, all bodies, printed; what has no error prints the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "parser/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void parse_bodies(const kd_item *first, kd_diags *diags)
{
    for (const kd_item *item = first; item; item = item->next) {
        if (item->kind == KD_ITEM_FUNCTION)
            kd_function_parse_body(item->function, diags);
        else if (item->kind == KD_ITEM_CLASS)
            parse_bodies(item->class_->items, diags);
    }
}

static kd_str parse_and_print(kd_arena *arena, kd_str text, unsigned *out_n_errors)
{
    kd_diags *diags = kd_diags_create(arena);
    kd_module_ast *module = kd_parse_module(arena, diags, kd_source_add(diags, "text", text));
    parse_bodies(module->items, diags);
    kd_strbuf out = kd_strbuf_in(arena);
    kd_ast_print_module(module, &out);
    *out_n_errors = kd_diags_n_errors(diags);
    kd_diags_text(diags, arena);
    return (kd_str){kd_strbuf_text(&out), out.len};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    kd_arena *arena = kd_arena_create(NULL);
    unsigned n_errors, n_again;
    kd_str printed = parse_and_print(arena, (kd_str){(const char *)data, n_bytes}, &n_errors);
    if (n_errors == 0) {
        kd_str again = parse_and_print(arena, printed, &n_again);
        if (n_again || !kd_str_equal(printed, again))
            abort();
    }
    kd_diags *diags = kd_diags_create(arena);
    kd_expr *e = kd_parse_expression(arena, diags, kd_source_add(diags, "text", (kd_str){(const char *)data, n_bytes}));
    kd_strbuf out = kd_strbuf_in(arena);
    if (e)
        kd_ast_print_expr(e, &out);
    kd_arena_destroy(arena);
    return 0;
}
