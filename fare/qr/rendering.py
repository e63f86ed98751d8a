"""A ticket's text drawn as a QR code: level M, alphanumeric, at most version 12, with its quiet zone of 4.

Level M survives cracks, blur and low contrast best at equal printed size; above version 12 the modules become
too small for a phone's screen. It draws what it is given and never asks what the text says.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image
from qrcode.constants import ERROR_CORRECT_M
from qrcode.exceptions import DataOverflowError
from qrcode.main import QRCode
from qrcode.util import QRData

from fare.core.base45 import ALPHABET

MAX_VERSION: Final = 12
QUIET_ZONE: Final = 4
DEFAULT_MODULE_PX: Final = 8
MAX_MODULE_PX: Final = 64

_ALPHANUMERIC: Final = 2  # the mode indicator 0010 of ISO/IEC 18004
_INK_ON_PAPER: Final = "\x1b[30;107m"
_PLAIN: Final = "\x1b[0m"
_HALVES: Final = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


class CannotDraw(ValueError):
    """The text does not fit such a code; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class DrawnCode:
    """The modules row by row, True is dark, without the quiet zone; 4 · version + 17 to a side."""

    version: int
    modules: tuple[tuple[bool, ...], ...]

    def __post_init__(self) -> None:
        side = 4 * self.version + 17
        if not 1 <= self.version <= MAX_VERSION or {len(row) for row in self.modules} != {side}:
            raise ValueError(f"a code of version {self.version} is not drawn here")

    def framed(self) -> list[list[bool]]:
        """The modules within their quiet zone."""
        side = len(self.modules) + 2 * QUIET_ZONE
        margin, edge = [[False] * side for _ in range(QUIET_ZONE)], [False] * QUIET_ZONE
        return [*margin, *(edge + list(row) + edge for row in self.modules), *margin]


def draw(text: str) -> DrawnCode:
    """The code of a ticket's text. Raises CannotDraw."""
    if not text:
        raise CannotDraw("There is nothing to draw: give the text of a ticket.")
    foreign = next((character for character in text if character not in ALPHABET), None)
    if foreign is not None:
        raise CannotDraw(
            f"{foreign!a} cannot be drawn: a ticket's text has capital letters, digits, spaces and"
            " $%*+-./: alone."
        )
    code = QRCode(error_correction=ERROR_CORRECT_M, border=0)
    code.add_data(QRData(text.encode("ascii"), mode=_ALPHANUMERIC), optimize=0)
    try:
        version = int(code.best_fit(start=1))
    except (DataOverflowError, ValueError):  # the second is how it says that even version 40 is too small
        version = MAX_VERSION + 1
    if version > MAX_VERSION:
        raise CannotDraw(
            f"The text is too long: {len(text):,} characters, and a ticket's code holds 419 (version"
            f" {MAX_VERSION}, level M)."
        )
    code.make(fit=False)
    return DrawnCode(version, tuple(tuple(bool(module) for module in row) for row in code.modules))


def as_png(code: DrawnCode, module_px: int = DEFAULT_MODULE_PX) -> bytes:
    """A black and white PNG with its quiet zone; `module_px` pixels to a module's side, 1 to 64."""
    if not 1 <= module_px <= MAX_MODULE_PX:
        raise ValueError(f"a module has 1 to {MAX_MODULE_PX} pixels, not {module_px}")
    rows = code.framed()
    ink, paper = b"\x00" * module_px, b"\xff" * module_px
    pixels = b"".join(b"".join(ink if module else paper for module in row) * module_px for row in rows)
    side_px = len(rows) * module_px
    written = io.BytesIO()
    picture = Image.frombytes("L", (side_px, side_px), pixels)
    picture.convert("1", dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    return written.getvalue()


def as_svg(code: DrawnCode) -> str:
    """An SVG document of one path, a module to a unit; it scales to any size without blur."""
    rows = code.framed()
    side = len(rows)
    path = "".join(_runs(y, row) for y, row in enumerate(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges">'
        f'<rect width="{side}" height="{side}" fill="#fff"/><path d="{path}"/></svg>\n'
    )


def as_blocks(code: DrawnCode, *, coloured: bool) -> str:
    """Lines of half blocks, two modules high: `coloured` black on white for a terminal of any colours."""
    rows = code.framed()
    rows += [[False] * len(rows)] * (len(rows) % 2)
    lines = (
        "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    )
    start, end = (_INK_ON_PAPER, _PLAIN) if coloured else ("", "")
    return "".join(f"{start}{line}{end}\n" for line in lines)


def _runs(y: int, row: list[bool]) -> str:
    """The dark runs of one row as closed boxes."""
    parts: list[str] = []
    x = 0
    while x < len(row):
        length = 0
        while x + length < len(row) and row[x + length]:
            length += 1
        if length:
            parts.append(f"M{x} {y}h{length}v1h-{length}z")
        x += length or 1
    return "".join(parts)
