"""The benchmark's results as an SVG picture: a bar for each engine, as long as its time beside the slowest one's of that model, and beside it
when its first result was there and how much memory it took."""
import html

WIDTH, NAME, BAR, ROW = 1000, 110, 560, 18


def seconds(engine):
    if engine["cold_s"] is None:
        return f"first {engine['first_s']:.2f} s"
    return f"first {engine['cold_s']:.2f} s cold, {engine['first_s']:.2f} s warm"


def draw(results):
    lines, y = [], 30
    for model in results:
        slowest = max((e["least_ms"] for e in model["engines"]), default=1)
        lines.append(f'<text x="10" y="{y}" class="title">{html.escape(model["model"])}, {model["type"]}, {model["threads"]} threads</text>')
        for engine in sorted(model["engines"], key=lambda e: e["least_ms"]):
            y += ROW
            kind = "ours" if engine["engine"].startswith("kdsl") else "peer"
            length = max(1, BAR * engine["least_ms"] / slowest)
            lines.append(f'<text x="{NAME}" y="{y}" text-anchor="end">{engine["engine"]}</text>'
                         f'<rect x="{NAME + 8}" y="{y - 12}" width="{length:.1f}" height="14" class="{kind}"/>'
                         f'<text x="{NAME + 14 + length:.1f}" y="{y}">{engine["least_ms"]:.2f} ms'
                         f'<tspan class="more" dx="10">{seconds(engine)}, {engine["memory_mib"]:.0f} MiB</tspan></text>')
        y += 2 * ROW
    style = ("text{font:13px sans-serif} .title{font-weight:bold} .more{fill:#777777;font-size:11px} .ours{fill:#2266aa} .peer{fill:#bbbbbb}")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}"><style>{style}</style>'
            f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(lines) + "\n</svg>\n")
