# The register mode: the error function needs registers of its own, beside what is alive.
# RUN: kdsl compile %project/examples/gelu.py:bias_gelu_residual_kernel -s "x_ptr=*fp32:16, bias_ptr=*fp32:16, residual_ptr=*fp32:16, out_ptr=*fp32:16, n_elements=i32:16, n_columns=i32:16, APPROXIMATE='none', BLOCK=1024" --target spirv:dg2 --emit header --no-cache | FileCheck %s
# RUN: kdsl compile %project/examples/gelu.py:bias_gelu_residual_kernel -s "x_ptr=*fp32:16, bias_ptr=*fp32:16, residual_ptr=*fp32:16, out_ptr=*fp32:16, n_elements=i32:16, n_columns=i32:16, APPROXIMATE='tanh', BLOCK=1024" --target spirv:dg2 --emit header --no-cache | FileCheck %s --check-prefix=TANH
# CHECK: BUILD_FLAGS "-cl-intel-256-GRF-per-thread"
# TANH:  BUILD_FLAGS ""
