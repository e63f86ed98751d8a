"""The texts of the QR codes in a picture file. It keeps no picture and never asks what a text says."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final

import zxingcpp
from PIL import Image, ImageOps, UnidentifiedImageError

from fare.core.errors import OperatorError

MAX_PIXELS: Final = 64_000_000
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
_QR_CODES: Final = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)


def texts_in(file: Path) -> list[str]:
    """Each text once, in the order the reader found them. Raises OperatorError for what is no picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata, which nobody here asks for
            grey = _grey(file)
        found = zxingcpp.read_barcodes(grey, formats=_QR_CODES)
    except FileNotFoundError:
        raise OperatorError(f"There is no file {file}: name a picture, or give the text itself.") from None
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        # Pillow says SyntaxError of a broken PNG, and ValueError or OSError of other broken files.
        raise OperatorError(
            f"{file} is not a picture that can be read: give a PNG, JPEG, WebP, GIF, BMP or TIFF file of at"
            f" most {MAX_PIXELS // 1_000_000} megapixels."
        ) from None
    return list(dict.fromkeys(code.text for code in found if code.valid and code.text))


def _grey(file: Path) -> Image.Image:
    """The picture upright and without colours; transparency becomes white paper."""
    with Image.open(file, formats=_FORMATS) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            raise ValueError("too many pixels")
        upright = ImageOps.exif_transpose(opened)
        paper = Image.new("RGBA", upright.size, "white")
        paper.alpha_composite(upright.convert("RGBA"))
        return paper.convert("L")
