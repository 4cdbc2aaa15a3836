/* builtin_debug.c - builtins that talk to people. */
#include "dsl/builtin_impl.h"

kd_dval kd_b_static_assert(kd_lower *lw, kd_bcall *c)
{
    bool holds;
    if (c->arg[0].kind == KD_D_TENSOR) {
        kd_error(lw->diags, c->at[0], "'%s' needs a condition that is known at compile time: tl.device_assert checks at run time", c->name);
        return KD_D_ERR;
    }
    if (!kd_const_truth(lw, c->at[0], c->arg[0], &holds))
        return KD_D_ERR;
    if (holds)
        return kd_d_none();
    const char *message = kd_d_str(lw, c->arg[1]);
    if (*message)
        kd_error(lw->diags, c->loc, "static assertion failed: %s", message);
    else
        kd_error(lw->diags, c->loc, "static assertion failed");
    return KD_D_ERR;
}

/* static_print(*values 0, sep 1, end 2, ...) */
kd_dval kd_b_static_print(kd_lower *lw, kd_bcall *c)
{
    kd_str sep, end;
    if (!kd_arg_text(lw, c, 1, &sep) || !kd_arg_text(lw, c, 2, &end))
        return KD_D_ERR;
    for (unsigned i = 0; lw->static_prints && i < c->n_rest; i++) {
        if (i)
            kd_strbuf_append(lw->static_prints, sep.ptr, sep.len);
        kd_strbuf_puts(lw->static_prints, kd_d_str(lw, c->rest[i].value));
    }
    if (lw->static_prints)
        kd_strbuf_append(lw->static_prints, end.ptr, end.len);
    return kd_d_none();
}

/* Triton's semantic.device_print makes a prefix before values end with ": "; the space in front of it is the target's. */
static kd_str print_prefix(kd_lower *lw, kd_str prefix)
{
    while (prefix.len && prefix.ptr[0] == ' ')
        prefix = (kd_str){prefix.ptr + 1, prefix.len - 1};
    while (prefix.len && prefix.ptr[prefix.len - 1] == ' ')
        prefix.len--;
    bool has_colon = prefix.len && prefix.ptr[prefix.len - 1] == ':';
    return kd_str_of(kd_arena_printf(lw->arena, "%.*s%s", KD_STR_ARG(prefix), has_colon ? " " : prefix.len ? ": " : ""));
}

static kd_dval print_values(kd_lower *lw, kd_loc loc, kd_str prefix, const kd_darg *args, unsigned n, bool hex)
{
    kd_value **values = kd_arena_array(lw->arena, kd_value *, n);
    for (unsigned i = 0; i < n; i++) {
        kd_dval v = kd_to_tensor(lw, args[i].loc, args[i].value);
        if (kd_d_is_error(v))
            return v;
        values[i] = v.value;
    }
    kd_build_print(&lw->b, (kd_print_args){.loc = loc, .inputs = values, .n_inputs = n, .prefix = n ? print_prefix(lw, prefix) : prefix, .hex = hex});
    return kd_d_none();
}

kd_dval kd_b_device_print(kd_lower *lw, kd_bcall *c)
{
    kd_str prefix;
    bool hex;
    if (!kd_arg_text(lw, c, 0, &prefix) || !kd_arg_bool(lw, c, 2, &hex))
        return KD_D_ERR;
    return print_values(lw, c->loc, prefix, c->rest, c->n_rest, hex);
}

/* Python's print: device_print of tensors after a text; at compile time where all is known there. */
kd_dval kd_b_py_print(kd_lower *lw, kd_bcall *c)
{
    bool has_tensor = false;
    for (unsigned i = 0; i < c->n_rest; i++)
        has_tensor |= c->rest[i].value.kind == KD_D_TENSOR;
    if (!has_tensor) /* the same text from each program instance helps nobody */
        return kd_b_static_print(lw, c);
    bool has_text = c->rest[0].value.kind == KD_D_STRING;
    kd_str prefix = has_text ? c->rest[0].value.text : (kd_str){0};
    return print_values(lw, c->loc, prefix, c->rest + has_text, c->n_rest - has_text, false);
}

kd_dval kd_b_device_assert(kd_lower *lw, kd_bcall *c)
{
    if (c->arg[0].kind != KD_D_TENSOR && !kd_d_is_number(c->arg[0])) {
        kd_arg_bad(lw, c, 0, "a condition");
        return KD_D_ERR;
    }
    if (!lw->debug)
        return kd_d_none();
    kd_dval cond = kd_tensor_truth(lw, c->at[0], c->arg[0]), mask = c->arg[2];
    if (kd_d_is_error(cond))
        return cond;
    if (kd_arg_given(c, 2)) {
        mask = kd_tensor_truth(lw, c->at[2], mask);
        if (kd_d_is_error(mask) || !kd_broadcast_pair(lw, c->loc, c->name, &cond, &mask))
            return KD_D_ERR;
    }
    kd_str message = kd_str_of(kd_d_str(lw, c->arg[1]));
    kd_build_assert(&lw->b, (kd_assert_args){.loc = c->loc, .condition = cond.value, .mask = kd_arg_given(c, 2) ? mask.value : NULL, .message = message});
    return kd_d_none();
}
