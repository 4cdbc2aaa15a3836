/* builtin_absent.c - what no target of ours has: calls that are errors, questions whose answer is always the same, and calls without an effect. */
#include "dsl/builtin_impl.h"

/* data 1: PTX, 2: a vendor's hardware, 3: bitcode libraries, 4: descriptors made by the host, 0: not in the language. Arguments are not looked at. */
kd_dval kd_b_unsupported(kd_lower *lw, kd_bcall *c)
{
    static const char *const WHY[] = {"cannot be called in a kernel", "is inline PTX, which cannot be compiled for this target",
                                      "is for the hardware of one vendor, which this target is not",
                                      "calls a library of another target's code",
                                      "needs a descriptor that the host makes for NVIDIA hardware: use tl.make_tensor_descriptor"};
    if (c->row->name[0] == '*')
        kd_error(lw->diags, c->loc, "this function %s", WHY[c->row->data]);
    else
        kd_error(lw->diags, c->loc, "'%s' %s", c->name, WHY[c->row->data]);
    return KD_D_ERR;
}

kd_dval kd_b_answer(kd_lower *lw, kd_bcall *c)
{
    return kd_d_bool(c->row->data);
}

kd_dval kd_b_nothing(kd_lower *lw, kd_bcall *c)
{
    return kd_d_none();
}
