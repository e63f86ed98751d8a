"""One grey picture, whatever it came from, and where pictures come from (the port FrameSource). No device.

A picture that cannot be read is an `UnreadablePicture`; nothing else is raised for any bytes.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Final, Protocol

from PIL import Image

MOST_PIXELS: Final = 12_000_000
"""A larger frame costs more time than a rider has, and no scanner needs it."""
_PICTURES: Final = ("PNG", "JPEG", "PPM")
_WHITE: Final = (255, 255, 255, 255)


class UnreadablePicture(ValueError):
    """Not a picture, half of one, or one beyond `MOST_PIXELS`; the message says which."""


@dataclass(frozen=True, slots=True)
class Frame:
    """`height` rows of `width` bytes, 0 black to 255 white, nothing between the rows."""

    width: int
    height: int
    grey: bytes


class FrameSource(Protocol):
    """A camera, or what stands for one. Used by one thread; it opens itself when first asked."""

    def next_frame(self, timeout_s: float) -> Frame | None:
        """The newest frame, or None when there was none in time.

        Raises UnreadablePicture for one that is lost, ScannerFault when the source itself is.
        """
        ...

    def close(self) -> None:
        """Let the device go; closing twice is no error."""
        ...


def read_picture(data: bytes) -> Frame:
    """A PNG, JPEG or PPM file, on white where it is transparent. Raises UnreadablePicture."""
    try:
        with warnings.catch_warnings():
            # The size is checked below, before anything is unpacked.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=_PICTURES)
        _check_size(picture.width, picture.height)
        picture.draft("L", picture.size)
        if picture.has_transparency_data:
            paper = Image.new("RGBA", picture.size, _WHITE)
            paper.alpha_composite(picture.convert("RGBA"))
            picture = paper
        return Frame(picture.width, picture.height, picture.convert("L").tobytes())
    except UnreadablePicture:
        raise
    except Image.DecompressionBombError as fault:
        raise UnreadablePicture(f"this picture is too large: {MOST_PIXELS} pixels are the most") from fault
    except Exception as fault:  # the decoders raise anything on hostile bytes
        raise UnreadablePicture(f"this is no whole PNG, JPEG or PPM picture ({fault})") from fault


def grey_frame(fourcc: str, width: int, height: int, row_bytes: int, data: bytes) -> Frame:
    """A camera's frame in one of `FOURCCS`; `row_bytes` is the distance of two rows.

    Raises UnreadablePicture. The formats: "Image Formats" in the kernel's V4L2 documentation.
    """
    _check_size(width, height)
    if fourcc == "MJPG":
        return read_picture(data)
    step, offset = _LUMA[fourcc]
    row_bytes = max(row_bytes, step * width)
    if len(data) < row_bytes * (height - 1) + step * width:
        raise UnreadablePicture(f"a frame of {len(data)} bytes is cut short")
    if row_bytes == step * width:
        return Frame(width, height, data[offset : row_bytes * height : step])
    rows = (data[row * row_bytes : row * row_bytes + step * width] for row in range(height))
    return Frame(width, height, b"".join(row[offset::step] for row in rows))


_LUMA: Final = {"GREY": (1, 0), "NV12": (1, 0), "YU12": (1, 0), "YUYV": (2, 0), "UYVY": (2, 1)}
"""Bytes a pixel in the rows that carry brightness, and where in them it is."""
FOURCCS: Final = (*_LUMA, "MJPG")
"""What a camera may deliver, the cheapest first."""


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise UnreadablePicture("a picture has at least one pixel")
    if width * height > MOST_PIXELS:
        raise UnreadablePicture(
            f"a picture of {width} x {height} pixels is too large: {MOST_PIXELS} pixels are the most"
        )
