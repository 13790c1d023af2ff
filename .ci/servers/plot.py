"""A plot of how the drivers compare with the best peer, as SVG for light and dark pages."""

import math
from html import escape

WIDTH, LEFT, RIGHT, TOP = 860, 250, 40, 70
BAR, GAP = 7, 11
# The scale is logarithmic: half as fast is as far from the middle as twice as fast.
LEAST, MOST = 1 / 8, 8
TICKS = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8]

COLOURS = ["#3b82d6", "#2fa36b", "#d97b29"]

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .small { font-size: 10px; fill: #59636e; }
  .grid { stroke: #d0d7de; }
  .one { stroke: #24292f; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .one { stroke: #e6edf3; }
  }
"""


def draw(results, rows: list) -> str:
    """A bar for each driver and row: to the right where it is faster than the best peer."""
    rows = [row for row in rows if results.compares(row)]
    step = BAR * len(results.ours) + GAP
    height = TOP + step * len(rows) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>How many times as fast as the fastest peer each driver is</title>",
        f"<style>{STYLE}</style>",
    ]
    for number, name in enumerate(results.ours):
        x = LEFT + 90 * number
        parts.append(f'<rect x="{x}" y="12" width="12" height="12" fill="{COLOURS[number]}"/>')
        parts.append(f'<text x="{x + 18}" y="22">{escape(name.removeprefix("wharf-"))}</text>')
    parts.append(f'<text x="{LEFT}" y="42" class="small">times as fast as the fastest peer</text>')
    for tick in TICKS:
        x, name = place(tick), f"{tick:g}×" if tick >= 1 else f"1/{1 / tick:g}×"
        kind = "one" if tick == 1 else "grid"
        parts.append(f'<line x1="{x}" y1="{TOP - 8}" x2="{x}" y2="{height - 24}" class="{kind}"/>')
        where = f'x="{x}" y="{TOP - 13}" text-anchor="middle" class="small"'
        parts.append(f"<text {where}>{name}</text>")
    for line, row in enumerate(rows):
        top = TOP + step * line
        middle = top + BAR * len(results.ours) / 2 + 4
        title = escape(f"{row.group}: {row.title}")
        parts.append(f'<text x="{LEFT - 12}" y="{middle}" text-anchor="end">{title}</text>')
        parts += bars(results, row, top)
    return "\n".join([*parts, "</svg>\n"])


def bars(results, row, top: int) -> list:
    parts = []
    for number, name in enumerate(results.ours):
        ratio = results.ratio(results.rate, row, name)
        if not ratio:
            continue
        one, end = place(1), place(ratio)
        x, width = min(one, end), max(abs(end - one), 1)
        parts.append(
            f'<rect x="{x:.1f}" y="{top + BAR * number}" width="{width:.1f}" height="{BAR - 1}" '
            f'fill="{COLOURS[number]}"><title>{escape(name)}: {ratio:.2f}</title></rect>'
        )
    return parts


def place(ratio: float) -> float:
    """Returns where on the scale a ratio stands, which may be its end."""
    part = math.log(min(max(ratio, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return round(LEFT + part * (WIDTH - LEFT - RIGHT), 1)
