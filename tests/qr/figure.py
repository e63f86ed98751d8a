"""Draws docs/images/qr-damage.png, the golden ticket as the tests damage it.

python -m tests.qr.figure FILE
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

from PIL import Image, ImageDraw

from fare.qr.rendering import as_png, draw
from tests.qr.degrading import cracked_anywhere, degraded

SEED = 7
SHOWN_PX, CAPTION_PX, COLUMNS = 300, 26, 4


def figure() -> Image.Image:
    """A picture of each damage with its name below, in grey."""
    vectors = json.loads((Path(__file__).parents[1] / "vectors" / "qr.json").read_bytes())
    drawn = Image.open(io.BytesIO(as_png(draw(vectors["mancard_mc1"]["text"]))))
    seen = degraded(drawn, SEED) | {"cracks anywhere": cracked_anywhere(drawn, SEED)}
    rows = -(-len(seen) // COLUMNS)
    sheet = Image.new("L", (COLUMNS * SHOWN_PX, rows * (SHOWN_PX + CAPTION_PX)), 255)
    pen = ImageDraw.Draw(sheet)
    for place, (name, image) in enumerate(seen.items()):
        left, top = place % COLUMNS * SHOWN_PX, place // COLUMNS * (SHOWN_PX + CAPTION_PX)
        image.thumbnail((SHOWN_PX - 12, SHOWN_PX - 12))
        sheet.paste(image, (left + (SHOWN_PX - image.width) // 2, top + (SHOWN_PX - image.height) // 2))
        pen.text((left + SHOWN_PX // 2, top + SHOWN_PX), name, fill=0, anchor="ma", font_size=18)
    return sheet


if __name__ == "__main__":
    figure().quantize(16).save(sys.argv[1], optimize=True)
