# Expressions of a command line: what has no value there is reported, whatever it is, and by the expression that is wrong.
# RUN: not kdsl run %s n=m+nosuch m=3 --grid 1 2>&1 | FileCheck %s --check-prefix=NESTED
# NESTED:      <argument 'n'>:1:3: error: 'nosuch' has no value here
# NESTED-NOT:  error
# RUN: not kdsl run %s n=3 --grid "tl.program_id(0)" 2>&1 | FileCheck %s --check-prefix=SCALAR
# SCALAR: <the grid>:1:1: error: expected a number, text, a type or a tuple of them, but this is a run-time int32
# RUN: not kdsl run %s n=3 --grid "tl.reduce(tl.arange(0, 8), 0, tl.maximum)" 2>&1 | FileCheck %s --check-prefix=REDUCE
# REDUCE: <the grid>:1:1: error: {{.*}} but this is a run-time int32
# RUN: not kdsl run %s n=3 --grid "(n.to(tl.int64), 1)" 2>&1 | FileCheck %s --check-prefix=METHOD
# METHOD: <the grid>:1:1: error: {{.*}} but this is a run-time int64
# RUN: not kdsl run %s n=m.dtype m=1 --grid 1 2>&1 | FileCheck %s --check-prefix=TYPE
# TYPE: kdsl: error: the kernel needs 'n' at run time

# The values of arguments may need each other, but not without end.
# RUN: python3 -c "import os, sys; os.execvp('kdsl', ['kdsl', 'run', sys.argv[1], 'n=a0', *[f'a{i}=a{i + 1}' for i in range(98)], 'a98=1', '--grid', '1'])" %s
# RUN: not python3 -c "import os, sys; os.execvp('kdsl', ['kdsl', 'run', sys.argv[1], 'n=a0', *[f'a{i}=a{i + 1}' for i in range(99)], 'a99=1', '--grid', '1'])" %s 2>&1 | FileCheck %s --check-prefix=DEEP
# DEEP: kdsl: error: the value of 'a99' is needed by one that is needed by one ... more than 100 deep
# RUN: not kdsl run %s n=3 t=1 --grid 1 2>&1 | FileCheck %s --check-prefix=UNUSED
# UNUSED: kdsl: error: kernel 'nothing' has no parameter 't'

# Numbers of generators.
# RUN: not kdsl run %s n=3 k='x.numel' "x=randint(0, 1e300):i32[8]" --grid 'k' 2>&1 | FileCheck %s --check-prefix=BOUND
# BOUND: kdsl: error: argument 'x': a number here lies between -2^62 and 2^62, but '1e300' is 1e+300
# RUN: not kdsl run %s n=3 k='x.numel' "x=rand(seed=inf):f32[8]" --grid 'k' 2>&1 | FileCheck %s --check-prefix=SEED
# SEED: kdsl: error: argument 'x': a number here lies between -2^62 and 2^62, but 'inf' is inf
# RUN: not kdsl run %s n=3 k='x.numel' "x=rand(seed=nan):f32[8]" --grid 'k' 2>&1 | FileCheck %s --check-prefix=NAN
# NAN: kdsl: error: argument 'x': a number here lies between -2^62 and 2^62, but 'nan' is {{-?}}nan

import triton


@triton.jit
def nothing(n):
    pass
