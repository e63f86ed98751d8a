"""What a bus's scanner sees of a code: turned, blurred, faint, behind a cracked screen. It is seeded.

`degraded` takes any picture of one code, from the server or a screenshot of a page; `read_by_both` reads it
with two decoders that share no code, zxing-cpp and zbar.

Cracks run from edge to edge and spare one thing: the middles of the code's three eyes. A line through such a
middle hides the code from zxing-cpp, whatever the line's width and the level of correction: a code is found
by its eyes, and no level corrects them. `cracked_anywhere` does not spare them, so that this stays measured.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import zxingcpp
from PIL import Image, ImageDraw, ImageFilter
from pyzbar import pyzbar

CLEAN = "clean"
TURN_DEGREES = 15
SIDE_PX = 420
"""The picture's longer side, as a cheap camera would see it: about six pixels a module at version 12."""
BLUR_RADIUS_PX = 1.8
CONTRAST = 0.3
CRACKS = 2
CRACK_WIDTH_PX = 3
"""Half a module: half a millimetre where a code of version 12 is 6 cm wide."""
CRACK_LEAST_LENGTH = 0.6
"""Of the picture's side: a chipped corner is no test."""
CRACK_LEVELS = (0, 90, 255)
"""A crack is dark where it is filled with dirt, and light where it catches the light."""
EYE_MODULES, EYE_RING_MODULES = 7, 2
_QR_CODES = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class FoundCode:
    """What the picture itself says of its code: version, level, and its upright box in pixels."""

    version: int
    level: str
    box: Box


def degraded(image: Image.Image, seed: int) -> dict[str, Image.Image]:
    """The picture, clean and damaged in each way, grey, at most `SIDE_PX` to a side."""
    clean = _at_scanning_size(image)
    return {
        CLEAN: clean,
        "turned left": clean.rotate(TURN_DEGREES, Image.Resampling.BICUBIC, expand=True, fillcolor=255),
        "turned right": clean.rotate(-TURN_DEGREES, Image.Resampling.BICUBIC, expand=True, fillcolor=255),
        "blurred": clean.filter(ImageFilter.GaussianBlur(BLUR_RADIUS_PX)),
        # Black and white drawn together around a middle grey, as in the sun.
        "contrast 0.3": clean.point([round(128 + (level - 128) * CONTRAST) for level in range(256)]),
        "cracked": _cracked(clean, random.Random(seed), _eyes(clean)),
    }


def cracked_anywhere(image: Image.Image, seed: int) -> Image.Image:
    """The picture behind as many cracks, which may run through the eyes."""
    return _cracked(_at_scanning_size(image), random.Random(seed), ())


def read_by_both(image: Image.Image) -> tuple[str | None, str | None]:
    """The text of the one QR code as zxing-cpp and as zbar read it; None where one sees none, or several."""
    by_zxing = zxingcpp.read_barcodes(image, formats=_QR_CODES)
    by_zbar = pyzbar.decode(image, symbols=[pyzbar.ZBarSymbol.QRCODE])
    return (
        _only(found.text for found in by_zxing if found.valid),
        _only(found.data.decode(errors="replace") for found in by_zbar),
    )


def found_code(image: Image.Image) -> FoundCode | None:
    """The one code of an undamaged, upright picture, measured by zxing-cpp."""
    found = [code for code in zxingcpp.read_barcodes(image, formats=_QR_CODES) if code.valid]
    if len(found) != 1:
        return None
    corners, extra = found[0].position, cast("dict[str, Any]", found[0].extra)
    return FoundCode(
        int(extra["Version"]),
        found[0].ec_level,
        (corners.top_left.x, corners.top_left.y, corners.bottom_right.x, corners.bottom_right.y),
    )


def _at_scanning_size(image: Image.Image) -> Image.Image:
    grey = image.convert("L")
    scale = min(1.0, SIDE_PX / max(grey.size))
    size = (round(grey.width * scale), round(grey.height * scale))
    return grey if scale == 1 else grey.resize(size, Image.Resampling.LANCZOS)


def _eyes(image: Image.Image) -> tuple[Box, ...]:
    """The dark middles, three modules square, of the eyes; none where no code is found."""
    code = found_code(image)
    if code is None:
        return ()
    left, top, right, bottom = code.box
    across = (right - left) / (4 * code.version + 17)
    down = (bottom - top) / (4 * code.version + 17)
    far = 4 * code.version + 17 - EYE_MODULES
    return tuple(
        (
            int(left + (x + EYE_RING_MODULES) * across),
            int(top + (y + EYE_RING_MODULES) * down),
            round(left + (x + EYE_MODULES - EYE_RING_MODULES) * across),
            round(top + (y + EYE_MODULES - EYE_RING_MODULES) * down),
        )
        for x, y in ((0, 0), (far, 0), (0, far))
    )


def _cracked(image: Image.Image, chance: random.Random, spared: Iterable[Box]) -> Image.Image:
    """Cracks from one edge of the picture to another, each bent once, outside the spared boxes."""
    cracked, spared = image.copy(), tuple(spared)
    pen, drawn = ImageDraw.Draw(cracked), 0
    while drawn < CRACKS:
        line = _crack(image.size, chance)
        level = chance.choice(CRACK_LEVELS)
        mask = Image.new("1", image.size)
        ImageDraw.Draw(mask).line(line, fill=1, width=CRACK_WIDTH_PX, joint="curve")
        if any(mask.crop(box).getbbox() for box in spared):
            continue
        pen.line(line, fill=level, width=CRACK_WIDTH_PX, joint="curve")
        drawn += 1
    return cracked


def _crack(size: tuple[int, int], chance: random.Random) -> list[tuple[int, int]]:
    while True:
        start, end = (_on_edge(size, edge, chance) for edge in chance.sample(range(4), 2))
        if math.dist(start, end) >= CRACK_LEAST_LENGTH * max(size):
            break
    bend = max(size) // 10
    middle = tuple((a + b) // 2 + chance.randint(-bend, bend) for a, b in zip(start, end, strict=True))
    return [start, (middle[0], middle[1]), end]


def _on_edge(size: tuple[int, int], edge: int, chance: random.Random) -> tuple[int, int]:
    """A point on the top, right, bottom or left edge."""
    width, height = size
    across, down = chance.randrange(width), chance.randrange(height)
    return ((across, 0), (width - 1, down), (across, height - 1), (0, down))[edge]


def _only(texts: Iterable[str]) -> str | None:
    found = set(texts)
    return found.pop() if len(found) == 1 else None
