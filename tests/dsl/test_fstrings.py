"""f-strings show what Python shows, or say that they do not know a format."""
import pytest

INTS = [":04d", ":d", ":5", ":<5", ":>5", ":^5", ":*^7d", ":+d", ": d", ":x", ":#x", ":#010x", ":X", ":b", ":#b", ":o", ":=+6", ":.2f", ":e", ":%", ":", "!r", "!s:>6", ":08.3f"]
FLOATS = [":.3f", ":8.2f", ":<9.1f|", ":+.2e", ":g", ":.3g", ":E", ":.0%", ":012.4f", ":10", "!r:>9", ":G", ":F"]
TEXTS = [":8", ":>8", ":^8s", ":.2", ":-<8.3", "!r", "!r:>9", "!s"]
CASES = [(v, f) for values, formats in (((3, -255, 0, True, 2**100), INTS), ((1.5, -0.000123, float("inf"), 1e22, 0.1, -0.0), FLOATS), (("abcdé", ""), TEXTS))
         for v in values for f in formats]


def run(kdsl, tmp_path, fields, **options):
    path = tmp_path / "kernel.py"
    lines = "".join(f"    tl.static_print(f\"{{{value}{form}}}\")\n" for value, form in fields)
    path.write_text(f"import triton\nimport triton.language as tl\n@triton.jit\ndef kernel(p):\n{lines}    tl.store(p, 1.0)\n", encoding="utf-8")
    return kdsl("compile", path, "-s", "*fp32", "--emit", "kd", **options)


def literal(v):
    return "float('inf')" if v == float("inf") else repr(v)


def test_formats_of_python(kdsl, tmp_path):
    cases = [(v, f.replace("|", "")) for v, f in CASES]
    shown = run(kdsl, tmp_path, [("(%s)" % literal(v), f) for v, f in cases]).stderr.splitlines()
    for (v, form), line in zip(cases, shown, strict=True):
        want = f"{{0{form}}}".format(v)
        assert line == want, (v, form)


@pytest.mark.parametrize("value, form, what", [("1", ":.3d", "the int 1"), ("1", ":5q", "the int 1"), ("1", ":99999d", "the int 1"), ("1.0", ":.3", "the float 1.0"),
                                               ("None", ":5", "None"), ("'a'", ":d", "the string 'a'"), ("(1, 2)", ":>9", "a tuple of 2"),
                                               ("1", ":,", "the int 1"), ("1", ":{2}", "the int 1")])
def test_unknown_formats(kdsl, tmp_path, value, form, what):
    done = run(kdsl, tmp_path, [(value, form)], status=1)
    assert f"the format '{form[1:]}' is not known for {what}" in done.stderr
