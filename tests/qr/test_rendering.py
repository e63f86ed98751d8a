"""A drawn code says the text it was given, in each form, and never becomes too fine for a phone's screen."""

from __future__ import annotations

import io
import re
import string

import pytest
from PIL import Image, ImageDraw

from fare.core.base45 import ALPHABET
from fare.qr.rendering import (
    QUIET_ZONE,
    CannotDraw,
    DrawnCode,
    as_blocks,
    as_png,
    as_svg,
    draw,
)
from tests.qr.degrading import found_code, read_by_both

LONGEST = ("MC1:" + ALPHABET * 9)[:384]


def picture_of(rows: list[list[bool]], pixel: int = 4) -> Image.Image:
    image = Image.new("L", (len(rows[0]), len(rows)), 255)
    for y, row in enumerate(rows):
        for x, dark in enumerate(row):
            if dark:
                image.putpixel((x, y), 0)
    return image.resize((image.width * pixel, image.height * pixel), Image.Resampling.NEAREST)


def drawn_svg(svg: str) -> Image.Image:
    """The boxes of the path, filled, by a reading of the SVG of our own."""
    side = int(re.search(r'viewBox="0 0 (\d+) \1"', svg)[1])
    image = Image.new("L", (side, side), 255)
    pen = ImageDraw.Draw(image)
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", svg):
        pen.line([(int(x), int(y)), (int(x) + int(width) - 1, int(y))], fill=0)
    return image.resize((side * 4, side * 4), Image.Resampling.NEAREST)


def drawn_blocks(blocks: str) -> Image.Image:
    rows: list[list[bool]] = []
    for line in blocks.splitlines():
        rows += [[character in "▀█" for character in line], [character in "▄█" for character in line]]
    return picture_of(rows)


def test_every_form_says_the_same_and_keeps_its_quiet_zone() -> None:
    for text in ("MC1:HELLO", "MP1:" + "A7 $%*+-./:" * 25, LONGEST):
        code = draw(text)
        png = Image.open(io.BytesIO(as_png(code)))
        assert png.width == png.height == (len(code.modules) + 2 * QUIET_ZONE) * 8
        for image in (
            png.convert("L"),
            drawn_svg(as_svg(code)),
            drawn_blocks(as_blocks(code, coloured=False)),
        ):
            assert read_by_both(image) == (text, text)
            found = found_code(image)
            assert found is not None
            assert (found.version, found.level) == (code.version, "M")
        margin = 8 * QUIET_ZONE
        dark = png.convert("L").point([255 - level for level in range(256)]).getbbox()
        assert dark == (margin, margin, png.width - margin, png.height - margin)


def test_the_longest_ticket_is_version_12_and_nothing_above_it_is_drawn() -> None:
    assert draw(LONGEST).version == 12  # in byte mode it would be version 15
    assert draw("A" * 419).version == 12
    for size in (420, 5_000, 100_000):
        with pytest.raises(CannotDraw, match=f"too long: {size:,} characters"):
            draw("A" * size)


def test_what_no_ticket_has_in_it_is_not_drawn() -> None:
    for text in ("", "mc1:abc", "MC1:A\n", "WIFI:S:x;", "😀", "\udcff", "MC1:\0"):
        with pytest.raises(CannotDraw) as caught:
            draw(text)
        assert set(str(caught.value)) <= set(string.printable), "nothing of the text reaches the terminal raw"


def test_a_terminal_of_any_colours_shows_black_on_white() -> None:
    code = draw("MC1:HELLO")
    plain = as_blocks(code, coloured=False)
    lines = as_blocks(code, coloured=True).splitlines()
    assert len(lines) == (len(code.modules) + 2 * QUIET_ZONE + 1) // 2
    assert [line.removeprefix("\x1b[30;107m").removesuffix("\x1b[0m") for line in lines] == plain.splitlines()
    assert all(line.startswith("\x1b[30;107m") and line.endswith("\x1b[0m") for line in lines)


def test_sizes_that_make_no_picture_are_refused() -> None:
    code = draw("MC1:HELLO")
    for module_px in (0, -1, 65):
        with pytest.raises(ValueError, match="1 to 64 pixels"):
            as_png(code, module_px)
    with pytest.raises(ValueError, match="not drawn here"):
        DrawnCode(13, code.modules)
    with pytest.raises(ValueError, match="not drawn here"):
        DrawnCode(2, code.modules)
