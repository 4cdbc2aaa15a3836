def numbers():
    a = 0, 00, 0_0, 1_000, 0xDEAD_beef, 0o17, 0b1010_0001, 170141183460469231731687303715884105727
    b = 1., .5, 1.5e-3, 1e10, 1_0.0_1e+1_0, 012.5, 00e0, 1e400, 0.1, 123456789012345678.9
    c = 1if a else 2
    return a


def strings():
    a = 'single' "double" '''triple
line''' """with "quotes" in it"""
    b = "\n\t\\\'\"\a\b\f\v\r\x41\101\0\u00e9\U0001F600\
joined\d\N{DASH}"
    c = r'raw\n\'' R"\\" u'u' U"U"
    d = "é 日本 \ud800"
    return ''


def fstrings(x, w):
    a = f"plain" f'{x}' "and" F"{x!r}" f"{x!s:>{w}}" rf"\d{x}\{x}"
    b = f"{{}} {x:{w}.{w}} {x=} {x = } {x=!s} {x=:>3} {x!=w} {x if w else 'a'}"
    c = f"{x['a']} {x["a"]} {f'{x}'} {f"{f"{x}"}"} {x:%H:%M} {(lambda: 1)()} { {1: 2}[1] }"
    d = f'''{
        x  # a comment
        + 1
    }
    {x,} {x, *w}'''
    e = f"" f"{x:=5} {(y := 2)} {x:a}}}"
    return f"\N{DASH} \\{x} \x41{x}\n"


naïve = 1
δ = naïve
def 函数(été, ß_1): return été
