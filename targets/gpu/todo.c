/* todo.c - ops that have no lowering yet. */
#include "targets/gpu/lower.h"

static void missing(kd_simt *s, const kd_op *op)
{
    kd_error(s->diags, op->loc, "'%s' has no form on the GPU yet", kd_op_get_info(op)->mnemonic);
    s->failed = true;
}

void kd_simt_sort(kd_simt *s, const kd_op *op)
{
    missing(s, op);
}

void kd_simt_gather(kd_simt *s, const kd_op *op)
{
    missing(s, op);
}

void kd_simt_histogram(kd_simt *s, const kd_op *op)
{
    missing(s, op);
}

void kd_simt_dot(kd_simt *s, const kd_op *op)
{
    missing(s, op);
}

void kd_simt_report(kd_simt *s, const kd_op *op)
{
    missing(s, op);
}
