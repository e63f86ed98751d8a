"""The ratios of one run as an SVG picture, drawn by hand: bars of ours over the floor, a mark at each aim.

It measures nothing and needs no plotting library. The text says every number that the bars show.
"""

from __future__ import annotations

from html import escape
from typing import Final

from benchmarks.measuring import Measured

WIDTH: Final = 900
ROW: Final = 46
LEFT: Final = 380
RIGHT: Final = 90
TOP: Final = 64
BOTTOM: Final = 20
_STYLE: Final = """<style>
text { font: 13px system-ui, sans-serif; fill: #1f2933 } .small { font-size: 11px; fill: #52606d }
.title { font-size: 16px; font-weight: 600 } .floor { fill: #cbd2d9 } .ours { fill: #2f7d6d }
.missed { fill: #b4532a } .aim { stroke: #1f2933; stroke-width: 2 } .page { fill: #ffffff }
</style>"""


def picture(lines: list[Measured]) -> str:
    """The whole SVG document."""
    shown = [line for line in lines if line.ratio is not None]
    longest = max([1.0, *(line.ratio or 0.0 for line in shown), *(line.most or 0.0 for line in shown)])
    scale = (WIDTH - LEFT - RIGHT) / longest
    height = TOP + ROW * len(shown) + BOTTOM
    rows = "".join(_row(line, number, scale) for number, line in enumerate(shown))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="Ratios of one run">{_STYLE}<rect class="page" width="{WIDTH}" height="{height}"/>'
        f'<text class="title" x="16" y="28">Ours ÷ floor, one run</text>'
        '<text class="small" x="16" y="46">Grey: the floor, 1. Black: the aim, where there is one.</text>'
        f"{rows}</svg>\n"
    )


def _row(line: Measured, number: int, scale: float) -> str:
    ratio, top = line.ratio or 0.0, TOP + ROW * number
    colour = "missed" if line.reached is False else "ours"
    mark = ""
    if line.most is not None:
        at = LEFT + line.most * scale
        mark = f'<line class="aim" x1="{at:.1f}" x2="{at:.1f}" y1="{top - 2}" y2="{top + 30}"/>'
    return (
        f'<text x="16" y="{top + 13}">{escape(line.what)}</text>'
        f'<text class="small" x="16" y="{top + 28}">floor: {escape(line.floor_is)}</text>'
        f'<rect class="floor" x="{LEFT}" y="{top + 16}" width="{scale:.1f}" height="10"/>'
        f'<rect class="{colour}" x="{LEFT}" y="{top + 2}" width="{ratio * scale:.1f}" height="12"/>{mark}'
        f'<text x="{LEFT + ratio * scale + 8:.1f}" y="{top + 13}">{ratio:.2f}</text>'
    )
